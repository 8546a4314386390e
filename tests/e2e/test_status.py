#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the pages, the health checks and the logs of real daemons say when something is wrong, and when it is over."""

import re
import shutil
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import gateway  # noqa: E402

LINK = {"quiet_min": "100ms", "quiet_max": "4s", "beat": "1s"}
SMALL = {"segment": "1MiB", "quota": "5MiB", "safety_window": "1s"}


def http(port, path="/health"):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def lines(process, text):
    return [line for line in process.log.read_text(errors="replace").splitlines() if text in line]


def wait_status(gw, side, condition, what, limit=30):
    def holds():
        page = gw.status(side)
        return page if page and condition(page) else None

    try:
        return gateway.wait_until(holds, limit, what)
    except TimeoutError:
        print(gw.status(side), file=sys.stderr)
        raise


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def metric(gw, side, name):
    found = re.search(rf"^{name} (\S+)$", gw.metrics(side), re.MULTILINE)
    return found and float(found.group(1))


def late_data_makes_nothing_older(gw):
    now = time.time_ns()
    expect(gw.post(f"m,s=live f=1 {now}")[0] == 204, "a write")
    gw.wait_settled(30)
    expect(gw.post("m,s=old f=1 1\nm,s=old f=2 2")[0] == 204, "a backfill")
    expect(gw.post(f"m,s=wrong f=1 {now + 400 * 86400 * 10**9}")[0] == 204, "a source whose clock is wrong")
    gw.wait_settled(30)
    for side in ("sender", "receiver"):
        page = wait_status(gw, side, lambda p: p["future_records"] >= 1, f"{side} counts times of the future")
        age = page["newest_outside_age_s"]
        expect(0 <= age < time.time() - now / 1e9 + 5, f"{side}: the newest value is {age} s old")


def fill(gw):
    """Until the sender refuses; gives the refusal."""
    for i in range(400):
        noise = "".join(f"{hash((i, j)):x}" for j in range(3000))
        status, body = gw.post(f'm,s=fill f="{noise}" {time.time_ns()}')
        if status != 204:
            return status, body.decode()
    raise AssertionError("the journal never got full")


def a_full_journal_is_told_everywhere(gw):
    gw.receiver.kill()
    wait_status(gw, "sender", lambda p: "is not up: " in p["message"], "the link is down")
    fill(gw)  # what is outside already makes room, once
    seen = gw.status("sender")["uptime_s"]
    wait_status(gw, "sender", lambda p: p["uptime_s"] > seen + 2, "two seconds pass")
    status, body = fill(gw)
    expect(status == 503 and str(gw.folder) not in body, f"the refusal: {status} {body}")
    page = wait_status(gw, "sender", lambda p: p["health"] == "failed", "the sender is failed")
    expect("full" in page["message"] and page["disk_full_in_s"] == 0, page["message"])
    expect(page["alarms"][0]["key"] == "journal-full" and page["alarms"][0]["critical"], page["alarms"])
    expect(http(gw.sender_control)[0] == 503, "/health of the sender")
    status, body = http(gw.http)
    expect(status == 503 and '"fail"' in body and str(gw.folder) not in body, f"/health of the source: {status} {body}")
    expect(metric(gw, "sender", "tidegate_health") == 2, "tidegate_health")
    expect(metric(gw, "sender", "tidegate_disk_full_in_seconds") == 0, "tidegate_disk_full_in_seconds")
    for _ in range(20):
        gw.post("m f=1")
    since = page["uptime_s"]
    wait_status(gw, "sender", lambda p: p["uptime_s"] > since + 4, "some seconds pass")
    told = len(lines(gw.sender, "full, nothing more is taken in"))
    expect(1 <= told <= 2, f"{told} lines, however many writes are refused")
    expect(len(lines(gw.sender, "is not up: ")) == 1, "one line, however often the link is tried")
    expect(not lines(gw.sender, "link: link:"), "the area stands once")


def everything_is_well_again(gw):
    gw.receiver.start()
    gw.wait_ready("receiver")
    expect(len(lines(gw.receiver, "the last stop was not clean")) == 1, "the receiver was killed")
    page = wait_status(gw, "sender", lambda p: p["health"] == "ok", "the sender is well again", 60)
    expect(not [a for a in page["alarms"] if a["critical"]], page["alarms"])
    ended = [a["key"] for a in page["ended_alarms"]]
    expect("journal-full" in ended and "link" in ended, ended)
    expect(http(gw.sender_control)[0] == 200 and http(gw.http)[0] == 200, "/health")
    expect(gw.post(f"m,s=live f=2 {time.time_ns()}")[0] == 204, "a write")
    gw.wait_settled(30)
    expect(lines(gw.sender, "there is room again"), "the end of it is told")
    expect(len(lines(gw.sender, " is up")) == 2, "the link came up twice")
    expect(gw.status("sender")["link"]["counters"]["answers_fail_expected"] > 0, "calibrations")
    expect(lines(gw.receiver, "'plant-1'") and lines(gw.receiver, "is connected"), "the sender came")


def a_sender_that_went_away_is_missed(gw):
    gw.sender.kill()
    gateway.wait_until(lambda: lines(gw.receiver, "'plant-1' (journal") and lines(gw.receiver, "has gone"), 30,
                       "the receiver's log tells that the sender has gone")
    page = wait_status(gw, "receiver", lambda p: "has been silent" in p["message"], "it is missed", 90)
    expect(page["health"] == "degraded" and "plant-1" in page["message"], page["message"])
    expect(page["alarms"][0]["key"].startswith("sender/"), page["alarms"])
    gw.sender.start()
    gw.wait_ready("sender")
    wait_status(gw, "receiver", lambda p: p["health"] == "ok", "it is there again")
    expect(len(lines(gw.receiver, "is connected again")) >= 1, "and that is told")


def a_bad_device_needs_a_person(gw):
    for fault, cure, said in (("polarity invert", "polarity normal", "polarity"),
                              ("self-answer ok", "self-answer off", "answers by itself")):
        gw.device_command(fault)
        gw.device_command("cut")
        page = wait_status(gw, "sender", lambda p: p["health"] == "failed", f"{fault}: failed")
        expect(said in page["message"], page["message"])
        expect(http(gw.sender_control)[0] == 503 and http(gw.http)[0] == 200, "writes are taken all the same")
        doubts = page["link"]["counters"]["doubts"]
        wait_status(gw, "sender", lambda p: p["link"]["counters"]["doubts"] > doubts + 3, "it is tried again and again")
        expect(wait_status(gw, "sender", lambda p: True, "")["health"] == "failed", "it is failed all the time")
        expect(len(lines(gw.sender, said)) <= 2, "not a line for each trial")
        gw.device_command(cure)
        wait_status(gw, "sender", lambda p: p["health"] == "ok", f"{cure}: well again")


def main():
    folder = gateway.temporary_folder("status")
    with gateway.Gateway(folder / "gw", profile="none", journal=SMALL, link=LINK) as gw:
        gw.start()
        for step in (late_data_makes_nothing_older, a_full_journal_is_told_everywhere, everything_is_well_again,
                     a_bad_device_needs_a_person, a_sender_that_went_away_is_missed):
            print(step.__name__.replace("_", " "), flush=True)
            step(gw)
        codes = gw.stop()
        expect(not any(codes.values()), f"exit codes after SIGTERM: {codes}")
    shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
