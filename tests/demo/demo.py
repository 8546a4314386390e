#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The demo: a plant, an emulated Syskeeper-2000 and a control centre on this machine, for about a minute.

Telemetry is written by an InfluxDB client's requests; meanwhile the link is cut and each daemon is killed with -9. The last
line is the ledger, computed by comparing the content of what was acknowledged with what arrived."""

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import gateway  # noqa: E402
import influx  # noqa: E402


def figure(value, unit=""):
    if value is None:
        return "-"
    for limit, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.1f} {prefix}{unit}"
    return f"{value:.0f} {unit}".rstrip()


class Table:
    """One live block of lines on a terminal, one line a second elsewhere."""

    def __init__(self):
        self.live = sys.stdout.isatty()
        self.height = 0

    def show(self, rows, note):
        if not self.live:
            figures = "  ".join(f"{name}: {value}" for name, value in rows[:5])
            print(figures + (f"   [{note}]" if note else ""), flush=True)
            return
        if self.height:
            sys.stdout.write(f"\033[{self.height}A")
        lines = [f"  {name:<34}{value:<40}" for name, value in rows] + [f"  {note:<74}"]
        for line in lines:
            sys.stdout.write("\033[K" + line + "\n")
        sys.stdout.flush()
        self.height = len(lines)


def age(seconds):
    return "-" if seconds is None else f"{max(seconds, 0):.1f} s"


def rows_of(gw, producer):
    near, far = gw.status("sender") or {}, gw.status("receiver") or {}
    stream = (near.get("streams") or [{}])[0]
    pipe = (far.get("pipes") or [{}])[0]
    link = near.get("link") or {}
    return [
        ("values written by the plant", figure(producer.get("values", 0))),
        ("sender", f"{link.get('state', 'down')} {link.get('message', '')}"[:40]),
        ("  batches  head / answered / proven", " / ".join(str(stream.get(k, "-")) for k in ("head", "soft", "confirmed"))),
        ("  waiting for the link", f"{figure(near.get('waiting_batches'))} batches, {figure(near.get('waiting_bytes'), 'B')}"),
        ("receiver", "up" if far else "down"),
        ("  batches stored / delivered", f"{far.get('journal_durable', '-')} / {pipe.get('position', '-')}"),
        ("  values delivered", figure(pipe.get("delivered_values"))),
        ("  newest value outside is old", age((far or {}).get("newest_outside_age_s"))),
    ]


def show_pipes(gw, table):
    """SHOW PIPES of both sides, as an operator sees it."""
    for side in ("sender", "receiver"):
        command = [str(gateway.BIN / "tidegate"), "--socket", str(gw.folder / f"{side}.sock"), "-e", "SHOW PIPES"]
        print(f"\n{side}> SHOW PIPES\n{subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout}",
              flush=True)
    table.height = 0  # stays on the terminal


def last_json(process):
    for line in reversed(process.tail(5).splitlines()):
        if line.startswith("{"):
            try:
                return json.loads(line)
            except ValueError:
                continue
    return {}


def run(options):
    folder = gateway.temporary_folder("demo")
    print(f"Everything is in {folder}")
    acknowledged = folder / "acknowledged.lp"
    target = influx.Server(folder / "influxdb").start() if options.influx else None
    sinks = None
    if target:
        target.create("plant")
        sinks = [{"name": "influx", "type": "influx", "url": target.url, "version": 1, "database": "plant"}]
    script = [(0.20, "the link is cut", lambda gw: gw.device_command("cut")),
              (0.35, "the receiver is killed with -9", lambda gw: gw.restart("receiver")),
              (0.45, "pipes are shown", lambda gw: show_pipes(gw, table)),
              (0.55, "the sender is killed with -9", lambda gw: gw.restart("sender")),
              (0.75, "the link is cut in the middle of a frame", lambda gw: gw.device_command("cut-mid-frame"))]
    try:
        with gateway.Gateway(folder, profile="syskeeper-2000", sinks=sinks) as gw:
            gw.start()
            plant = gw.telemetry(acknowledged, rate=options.rate, seconds=options.seconds, units=options.units)
            print(f"{options.units} turbines of 10 series each write {figure(options.rate)} values/s "
                  f"through the emulated device\n")
            table, start, note = Table(), time.monotonic(), ""
            while plant.alive():
                passed = (time.monotonic() - start) / options.seconds
                if script and passed >= script[0][0]:
                    _, note, act = script.pop(0)
                    act(gw)
                table.show(rows_of(gw, last_json(plant)), note)
                time.sleep(0.5)  # pace of the table
            if plant.child.returncode != 0:
                print(plant.tail(), file=sys.stderr)
                return 1
            gw.wait_settled(60)
            table.show(rows_of(gw, last_json(plant)), "all delivered")
            show_pipes(gw, table)
            produced = last_json(plant)
            device = gw.device_stats()
            codes = gw.stop()
            if options.broken:
                break_one_value(gw, target)
            result = compare_content(gw, acknowledged, target)
        print(f"\ndevice: {json.dumps(device.get('violations', device))[:300]}")
        print(f"written {figure(produced['values'])} values in {produced['elapsed']:.0f} s "
              f"({figure(produced['values'] / produced['elapsed'])} values/s), "
              f"{produced['retries']} requests repeated by the client")
        if any(codes.values()):
            print(f"exit codes after SIGTERM: {codes}")
            return 1
        print(result.text())
        good = result.good() and not script
        if good and not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
        return 0 if good else 1
    finally:
        if target:
            target.stop()


def break_one_value(gw, target):
    """--break: changes one stored value, which the comparison must notice."""
    if target:
        point = next(target.lines("plant", "turbine")).decode()
        series, fields, when = point.split()
        name, value = fields.split(",")[0].split("=")
        target.write("plant", f"{series} {name}={float(value) + 1} {when}\n")
        return
    path = sorted(p for p in gw.delivered.iterdir() if ".lp" in p.name)[0]
    content = bytearray(path.read_bytes())
    at = content.index(b"p00=") + 4
    content[at] = ord("9") if content[at] != ord("9") else ord("8")
    path.write_bytes(content)


def compare_content(gw, acknowledged, target):
    if target:
        return gateway.compare(acknowledged, target.lines("plant", "turbine"))
    return gateway.compare(acknowledged, gw.delivered_lines())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--influx", action="store_true", help="deliver to a real InfluxDB from Debian and compare by query")
    parser.add_argument("--break", dest="broken", action="store_true", help="corrupt one stored value: must fail")
    parser.add_argument("--rate", type=float, default=None, help="values per second (default 200000; 50000 with --influx)")
    parser.add_argument("--seconds", type=float, default=45)
    parser.add_argument("--units", type=int, default=2000)
    parser.add_argument("--keep", action="store_true", help="keep the folder")
    options = parser.parse_args()
    if options.rate is None:
        options.rate = 50_000 if options.influx else 200_000
    try:
        return run(options)
    except (TimeoutError, RuntimeError, OSError, subprocess.SubprocessError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
