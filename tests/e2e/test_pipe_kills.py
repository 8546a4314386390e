#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 of either daemon while pipes with processors and one without cross under load: nothing is lost, doubled or out of
order, and what the processors make is what they make of the same input undisturbed.

  test_pipe_kills.py            20 kills
  test_pipe_kills.py --full     100 kills"""

import argparse
import collections
import random
import shutil
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "lib")]
import gateway  # noqa: E402
from trials import attributes, expect, settle  # noqa: E402

LINK = {"quiet_min": "100ms", "quiet_max": "4s", "beat": "1s"}
SECOND = 10**9
UNITS, ROWS = 20, 25  # of one request: units × rows, one row each 100 ms of event time

PROCESSED = {  # database at the receiver, of the pipe that makes it
    "sampled": {"processor": "down-sampling-processor,rename-database-processor", "interval": "1s", "aggregate": "sum",
                "new-db-name": "sampled"},
    "filtered": {"processor": "filter-rename-processor,changing-value-sampling-processor,rename-database-processor",
                 "excluded-fields": "turbine:power", "field-renames": "turbine:speed@rpm",
                 "changing-value.compression-deviation": 3, "new-db-name": "filtered"},
}


def request(number):
    """The same for the same number: values and times are fixed."""
    dice = random.Random(number)
    rows = range(number * ROWS, (number + 1) * ROWS)
    return [f"turbine,unit=u{unit} power={dice.randrange(1000)}i,speed={dice.randrange(20)} {row * SECOND // 10}"
            for row in rows for unit in range(UNITS)]


def produce(gw, requests, pace, failures):
    """One request after the other, each until it is acknowledged."""
    for number in range(requests):
        body, end = "\n".join(request(number)), time.monotonic() + 60
        while True:
            try:
                status, text = gw.post(body)
                if status == 204:
                    break
                if status not in (429, 503):
                    return failures.append(f"a write: {status} {text}")
            except OSError:
                pass  # the sender is dead at the moment
            if time.monotonic() > end:
                return failures.append(f"request {number} was never taken")
            time.sleep(0.02)  # poll
        time.sleep(pace)  # pace
    return None


def run(folder, requests, kills, dice):
    """What crossed, by database; each line as often as it came."""
    pace = 0.1 if kills else 0
    with gateway.Gateway(folder, profile="none", link=LINK, sender={"pipes": []}) as gw:
        gw.start()
        gw.statements("sender", f"CREATE PIPE through WITH SINK ({attributes({'sink': 'air-gap-sink'})}); START PIPE through")
        for name, processor in PROCESSED.items():
            gw.statements("sender", f"CREATE PIPE {name} WITH SOURCE ('pattern'='root.plant.turbine') WITH PROCESSOR "
                                    f"({attributes(processor)}) WITH SINK ('sink'='air-gap-sink'); START PIPE {name}")
        failures = []
        plant = threading.Thread(target=produce, args=(gw, requests, pace, failures), daemon=True)
        plant.start()
        for _ in range(kills):
            time.sleep(dice.uniform(0.05, 0.6))  # pace
            gw.restart(dice.choice(("sender", "receiver")))
        expect(not kills or plant.is_alive(), "the load ended before the last kill")
        plant.join(240)
        expect(not plant.is_alive() and not failures, f"the load: {failures or 'did not end'}")
        settle(gw, 90)
        for name, row in gw.pipes("sender").items():
            expect(row["State"] == "RUNNING" and row["ExceptionMessage"] == "None", row)
        crossed = {name: list(gw.delivered_lines(name)) for name in ("plant", *PROCESSED)}
        codes = gw.stop()
        expect(not any(codes.values()), f"exit codes after SIGTERM: {codes}")
        print(f"{kills} kills, {gw.sender.starts} sender starts, {gw.receiver.starts} receiver starts", flush=True)
    return crossed


def by_series(lines):
    out = collections.defaultdict(list)
    for line in lines:
        series, _, rest = line.partition(b" ")
        out[series].append(rest)
    return out


def differences(found, wanted):
    """The first difference of two lists of lines, series by series."""
    found, wanted = by_series(found), by_series(wanted)
    for series in sorted(found.keys() | wanted.keys()):
        for number, (a, b) in enumerate(zip(found[series], wanted[series])):
            if a != b:
                return f"{series}: row {number} is {a}, not {b}"
        if len(found[series]) != len(wanted[series]):
            return f"{series}: {len(found[series])} rows, not {len(wanted[series])}"
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    kills = 100 if options.full else 20
    requests = kills * 8
    folder = gateway.temporary_folder("pipe-kills")
    killed = run(folder / "killed", requests, kills, random.Random(options.seed))
    calm = run(folder / "calm", requests, 0, None)
    written = folder / "written.lp"
    written.write_text("".join(line + "\n" for number in range(requests) for line in request(number)))
    for what, crossed in (("killed", killed), ("calm", calm)):
        result = gateway.compare(written, crossed["plant"])
        print(f"{what}: {result.text()}; " + ", ".join(f"{name} {len(crossed[name])} rows" for name in PROCESSED))
        expect(result.good(), result.text())
    for name in PROCESSED:
        expect(0 < len(calm[name]) < len(calm["plant"]), f"{name} changes nothing")
        expect(not (wrong := differences(killed[name], calm[name])), f"{name} after the kills: {wrong}")
    if not options.keep:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
