#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 of either daemon at each named crash point, random kills, cuts of the link, all under load: nothing that was
acknowledged is lost, doubled or out of order, and the independent reader agrees with both journals.

  test_kills.py            the short run of CI
  test_kills.py --full     every crash point three times, 100 random kills, 20 cuts"""

import argparse
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import gateway  # noqa: E402

SIDES = {"journal": ("sender", "receiver"), "source": ("sender",), "link": ("sender",),
         "listener": ("receiver",), "pipe": ("receiver",), "sink": ("receiver",)}

RARE = ("journal.roll", "journal.trim-noted", "sink.file-closed")  # passed once in a while only


def crash_points():
    """(side, name) of every crash point that stands in the source."""
    names = set()
    for folder in ("base", "pipe", "sender", "receiver"):
        for path in (gateway.SOURCE / folder).rglob("*.cc"):
            names.update(re.findall(r'crash_point\("([a-z.-]+)"\)', path.read_text()))
    return [(side, name) for name in sorted(names) for side in SIDES[name.split(".")[0]]]


def crash_at(gw, side, name, passage):
    """Restarts the side so that it kills itself there; then starts it again unharmed."""
    process = getattr(gw, side)
    process.stop()
    process.start({"TIDEGATE_CRASH_AT": f"{name}:{passage}"})
    gateway.wait_until(lambda: not process.alive(), 40, f"{side} never passed crash point {name}:{passage}")
    code = process.child.returncode
    if code != -9:
        raise AssertionError(f"{side} ended with {code} at {name}, not by SIGKILL:\n{process.tail()}")
    process.start()
    gw.wait_ready(side)


def run(options, dice, folder):
    acknowledged = folder / "acknowledged.lp"
    points = crash_points()
    if len(points) < 10:
        raise AssertionError(f"only {len(points)} crash points stand in the source")
    rounds, kills, cuts = (3, 100, 20) if options.full else (1, 6, 4)
    actions = [lambda gw, s=side, n=name: crash_at(gw, s, n, 1 if n in RARE else dice.randint(1, 6))
               for side, name in points * rounds]
    actions += [lambda gw: gw.restart(dice.choice(("sender", "receiver")))] * kills
    actions += [lambda gw: gw.device_command(dice.choice(("cut", "cut-mid-frame")))] * cuts
    dice.shuffle(actions)
    small = {"segment": "1MiB", "quota": "6MiB", "safety_window": "1s"}  # so that segments are rolled and trimmed
    sinks = [{"name": "files", "type": "file", "directory": str(folder / "delivered"), "rotate_bytes": "256KiB"}]
    with gateway.Gateway(folder, profile="none", journal=small, sinks=sinks,
                         link={"quiet_min": "100ms", "quiet_max": "40s"}) as gw:
        gw.start()
        plant = gw.telemetry(acknowledged, rate=options.rate, seconds=options.limit, units=200, lines=500, patience=120)
        for number, action in enumerate(actions, 1):
            action(gw)
            if not plant.alive():
                raise AssertionError(f"the producer ended early:\n{plant.tail()}")
            before = (gw.status("receiver") or {}).get("journal_durable", 0)
            gateway.wait_until(lambda: (gw.status("receiver") or {}).get("journal_durable", 0) > before, 90,
                               f"nothing arrives after action {number}")
        plant.child.terminate()
        plant.child.wait()
        trim_torn_line(acknowledged)
        gw.wait_settled(120)
        violations = gw.device_stats().get("violations", {})
        codes = gw.stop()
        result = gateway.compare(acknowledged, in_flight_allowed(gw, acknowledged))
        print(f"{len(actions)} actions, {gw.sender.starts} sender starts, {gw.receiver.starts} receiver starts: {result.text()}")
        assert result.good(), result.text()
        assert not any(codes.values()), f"exit codes after SIGTERM: {codes}"
        check_violations(violations)
        check_journals(folder)


def trim_torn_line(path):
    """The producer was ended in mid-write of its own file."""
    content = path.read_bytes()
    path.write_bytes(content[:content.rfind(b"\n") + 1])


def in_flight_allowed(gw, acknowledged):
    """Delivered lines without those of requests that the producer had under way when it was ended: they may have arrived
    without having been acknowledged. They are newer than everything acknowledged of their series."""
    newest = {}
    with open(acknowledged, "rb") as f:
        for line in f:
            series, _, rest = line.partition(b" ")
            newest[series] = int(rest.rpartition(b" ")[2])
    for line in gw.delivered_lines():
        series, _, rest = line.partition(b" ")
        if int(rest.rpartition(b" ")[2]) <= newest.get(series, -1):
            yield line


def check_violations(violations):
    """On the wire the reverse channel carries only single-byte segments of two values."""
    total = violations if isinstance(violations, int) else sum(v for v in violations.values() if isinstance(v, int))
    assert total == 0, f"the device saw violations: {violations}"


def check_journals(folder):
    oracle = gateway.SOURCE / "tests" / "oracle" / "oracle.py"
    for side in ("sender", "receiver"):
        subprocess.run(["/usr/bin/python3", str(oracle), "journal", str(folder / side / "journal")], check=True,
                       stdout=subprocess.DEVNULL)
    subprocess.run(["/usr/bin/python3", str(oracle), "compare", str(folder / "sender" / "journal"),
                    str(folder / "receiver" / "journal")], check=True, stdout=subprocess.DEVNULL)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--rate", type=float, default=60_000)
    parser.add_argument("--limit", type=float, default=3000, help="longest run in seconds")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    folder = gateway.temporary_folder("kills")
    run(options, random.Random(options.seed), folder)
    if not options.keep:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
