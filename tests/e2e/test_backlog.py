#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What SHOW PIPES says of a backlog that is known: how many events wait, and how long they will take."""

import base64
import random
import shutil
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "lib")]
import gateway  # noqa: E402
from trials import expect, settle  # noqa: E402

LINK = {"quiet_min": "100ms", "quiet_max": "4s", "beat": "1s", "frame_limit": "32KiB", "lowest_rate": "20KB/s"}
EVENTS, REQUESTS = 30_000, 60
RATE = "100KB/s"  # of the device; the backlog takes about 20 s
TOLERANCE = 0.1
HALF_A_LOOK = 0.5  # s: SHOW PIPES knows the position of a link once a second, so the end is seen that much late


def request(number):
    dice = random.Random(number)
    rows = range(number * EVENTS // REQUESTS, (number + 1) * EVENTS // REQUESTS)
    text = lambda: base64.b64encode(dice.randbytes(60)).decode()
    return "\n".join(f'm,half={row % 2} t="{text()}" {row}' for row in rows)


def near(found, wanted, what, blur=0):
    expect(abs(found - wanted) <= TOLERANCE * wanted + blur, f"{what}: {found}, not {wanted} ± {TOLERANCE:.0%}")


def remaining(gw, name):
    return int(gw.pipes("sender")[name]["RemainingEventCount"])


def events_that_wait_are_counted(gw):
    gw.receiver.stop()
    gw.statements("sender", "STOP PIPE stopped")
    for number in range(REQUESTS):
        status, body = gw.post(request(number))
        expect(status == 204, f"a write: {status} {body}")
    gateway.wait_until(lambda: remaining(gw, "half") < EVENTS, 20, "the filter has seen what there is")
    for name, events in (("whole", EVENTS), ("stopped", EVENTS), ("half", EVENTS // 2)):
        gateway.wait_until(lambda: abs(remaining(gw, name) - events) <= TOLERANCE * events, 10,
                           f"{name}: {events} events wait, SHOW PIPES says {remaining(gw, name)}")
    expect(gw.pipes("sender")["stopped"]["EstimatedRemainingSeconds"] == "Unknown", "nothing moves, so nobody knows how long")
    gw.statements("sender", "DROP PIPE stopped")
    seen = gw.status("sender")["uptime_s"]
    gateway.wait_until(lambda: gw.status("sender")["uptime_s"] > seen + 6, 20, "it stands for a while")


def drain(gw, name, events):
    gw.statements("sender", f"START PIPE {name}")
    gateway.wait_until(lambda: remaining(gw, name) < 0.5 * events, 60, f"the backlog of {name} shrinks")
    row, asked = gw.pipes("sender")[name], time.monotonic()
    expect(int(row["RemainingEventCount"]) > 0.2 * events, f"looked too late: {row}")
    gateway.wait_until(lambda: remaining(gw, name) == 0, 120, f"the backlog of {name} is gone")
    taken = time.monotonic() - asked
    print(f"{name}: estimated {row['EstimatedRemainingSeconds']} s, taken {taken:.1f} s")
    near(float(row["EstimatedRemainingSeconds"]), taken, f"seconds of {name}", HALF_A_LOOK)
    expect(gw.pipes("sender")[name]["EstimatedRemainingSeconds"] == "0.00", "nothing is left to wait for")


def the_time_that_they_take_is_estimated(gw):
    gw.statements("sender", "STOP PIPE half")
    gw.device_command(f"rate {RATE}")
    gw.receiver.start()
    gw.wait_ready("receiver")
    drain(gw, "whole", EVENTS)
    drain(gw, "half", EVENTS // 2)


def main():
    folder = gateway.temporary_folder("backlog")
    with gateway.Gateway(folder, profile="none", link=LINK, sender={"pipes": []}) as gw:
        gw.start()
        gw.statements("sender", """
            CREATE PIPE whole WITH SINK ('sink'='air-gap-sink');
            CREATE PIPE stopped WITH SINK ('sink'='air-gap-sink');
            CREATE PIPE half WITH SOURCE ('source.pattern'='root.plant.m.`1`') WITH SINK ('sink'='air-gap-sink');
            START PIPE whole; START PIPE stopped; START PIPE half""")
        settle(gw)
        for step in (events_that_wait_are_counted, the_time_that_they_take_is_estimated):
            print(step.__name__.replace("_", " "), flush=True)
            step(gw)
        settle(gw)
        codes = gw.stop()
        expect(not any(codes.values()), f"exit codes after SIGTERM: {codes}")
    shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
