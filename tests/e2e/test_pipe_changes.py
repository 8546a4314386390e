#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Pipes beside each other, and changed while data flows: real daemons, the emulated device, files and a small InfluxDB at the
end."""

import base64
import concurrent.futures
import gzip
import http.server
import random
import shutil
import sys
import threading
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "lib")]
import gateway  # noqa: E402
from trials import attributes, expect, settle  # noqa: E402

LINK = {"quiet_min": "100ms", "quiet_max": "4s", "beat": "1s"}
SMALL = {"segment": "1MiB", "quota": "4MiB", "safety_window": "1s"}
AIR_GAP = {"sink": "air-gap-sink"}


class Influx:
    """Takes what an InfluxDB 1.x takes and keeps it; `refuse` names databases whose writes get 401."""

    def __init__(self, refuse=()):
        self.bodies, self.refuse, fake = [], refuse, self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.reply(204)

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
                if any(f"db={name}" in self.path for name in fake.refuse):
                    return self.reply(401, b'{"error":"authorization failed"}')
                fake.bodies.append((self.path, body.decode()))
                return self.reply(204)

            def reply(self, status, body=b""):
                self.send_response(status)
                if status != 204:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def lines(self):
        return [line for _, body in self.bodies for line in body.splitlines()]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def pipe(gw, name, sink=None, side="sender", source=None, processor=None):
    text = f"CREATE PIPE {name} WITH SOURCE ({attributes(source or {})})"
    if processor:
        text += f" WITH PROCESSOR ({attributes(processor)})"
    gw.statements(side, f"{text} WITH SINK ({attributes(sink or AIR_GAP)}); START PIPE {name}")


def renamed(database):
    return {"processor": "rename-database-processor", "new-db-name": database}


def write(gw, database, *lines):
    status, body = gw.post("\n".join(lines), f"/write?db={database}&precision=ns")
    expect(status == 204, f"a write: {status} {body}")


def lines(gw, database, folder=None):
    return [line.decode().strip() for line in gw.delivered_lines(database, folder)]


def until(condition, what, limit=30):
    return gateway.wait_until(condition, limit, what)


# ---- changes

def start_stop_and_alter_lose_and_double_nothing_while_data_flows(gw):
    acknowledged = gw.folder / "flow.lp"
    source = {"pattern": "root.flow."}
    pipe(gw, "outbox", source=source, processor=renamed("flow_outbox"))
    pipe(gw, "altered", source=source, processor=renamed("flow_a"))
    pipe(gw, "dropped", source=source, processor=renamed("flow_dropped"))
    plant = gw.telemetry(acknowledged, rate=20_000, seconds=5, units=100, lines=200, target="/write?db=flow&precision=ns")
    changes = 0
    until(lambda: lines(gw, "flow_dropped"), "the pipe that will be dropped delivers")
    while plant.alive():
        for name in ("through", "outbox"):
            gw.statements("sender", f"STOP PIPE {name}")
            expect(gw.pipes("sender")[name]["State"] == "STOPPED", f"{name} is stopped")
            gw.statements("sender", f"START PIPE {name}")
        database = "flow_b" if changes % 2 == 0 else "flow_a"
        gw.statements("sender", f"ALTER PIPE altered REPLACE PROCESSOR ({attributes(renamed(database))})")
        changes += 1
        if changes == 2:
            gw.statements("sender", "DROP PIPE dropped")
            expect("dropped" not in gw.pipes("sender"), "a dropped pipe is not shown")
    expect(plant.child.returncode == 0, plant.tail())
    expect(changes > 3, f"only {changes} changes while data flowed")
    settle(gw, 60)
    for what, databases in (("through", "flow"), ("outbox", "flow_outbox"), ("altered", ("flow_a", "flow_b"))):
        result = gateway.compare(acknowledged, gw.delivered_lines(databases))
        expect(result.good(), f"{what}: {result.text()}")
    for database in ("flow_a", "flow_b"):
        expect(lines(gw, database), f"ALTER changes what crosses: nothing is in {database}")
    result = gateway.compare(acknowledged, gw.delivered_lines("flow_dropped"))
    expect(0 < result.stored < result.sent and not (result.duplicated or result.reordered or result.foreign),
           f"dropped in the middle: {result.text()}")
    gw.statements("sender", "DROP PIPE outbox; DROP PIPE altered")


def a_new_pipe_of_a_dropped_name_begins_anew(gw):
    write(gw, "again", "m f=1 1")
    for database in ("again_a", "again_b"):
        pipe(gw, "again", source={"pattern": "root.again."}, processor=renamed(database))
        settle(gw)
        expect(lines(gw, database) == ["m f=1 1"], f"{database}: {lines(gw, database)}")
        gw.statements("sender", "DROP PIPE again")


# ---- connectors

def pipes_with_equal_connectors_share_one_session(gw):
    streams = len(gw.status("receiver")["streams"])
    pipe(gw, "one", source={"pattern": "root.shared.m.a"}, processor=renamed("shared_one"))
    pipe(gw, "two", {"connector": "iotdb-air-gap-connector"}, source={"pattern": "root.shared.m.b"},
         processor=renamed("shared_two"))
    pipe(gw, "other", {"sink": "do-nothing-sink"})
    write(gw, "shared", "m,s=a f=1 1", "m,s=b f=1 2")
    settle(gw)
    expect(lines(gw, "shared_one") == ["m,s=a f=1 1"] and lines(gw, "shared_two") == ["m,s=b f=1 2"], "each has its own rows")
    used = {row["ID"] for row in gw.statements("sender", "SHOW PIPES WHERE CONNECTOR USED BY one")}
    expect(used == {"through", "one", "two"}, f"they share a connector: {used}")
    page = until(lambda: (p := gw.status("receiver")) and len(p["streams"]) >= streams + 2 and p, "two more streams")
    expect([s["lanes"] for s in page["senders"]] == [1], f"one session of one lane: {page['senders']}")
    gw.statements("sender", "DROP PIPE one; DROP PIPE two")


def a_pipe_to_another_address_is_carried_by_a_link_of_its_own(gw):
    port = gateway.free_port()
    second = gateway.Process("second device", [
        str(gateway.BIN / "tidegate-gatekeeper"), "--profile", gw.profile, "--listen", f"127.0.0.1:{port}", "--receiver",
        f"127.0.0.1:{gw.receive}", "--control", str(gw.folder / "second.sock")], gw.folder / "second.log").start()
    try:
        pipe(gw, "far", {**AIR_GAP, "sink.ip": "127.0.0.1", "sink.port": port}, source={"pattern": "root.other."},
             processor=renamed("other_far"))
        write(gw, "other", "m f=1 1")
        settle(gw)
        expect(lines(gw, "other_far") == ["m f=1 1"], f"by the second device: {lines(gw, 'other_far')}")
        until(lambda: [s["lanes"] for s in gw.status("receiver")["senders"]] == [1, 1], "two sessions at the receiver")
        gw.device_command("cut")
        second.kill()
        write(gw, "other", "m f=1 2")
        settle(gw, quiet=("far",))
        expect("m f=1 2" in lines(gw, "other"), "the link of the configuration goes on")
        row = until(lambda: (r := gw.pipes("sender")["far"])["ExceptionMessage"] != "None" and r, "its pipe says why it waits")
        expect(row["State"] == "RUNNING" and row["RemainingEventCount"] == "1", row)
        second.start()
        settle(gw, 60)
        expect(lines(gw, "other_far") == ["m f=1 1", "m f=1 2"], f"after the outage: {lines(gw, 'other_far')}")
        gw.statements("sender", "DROP PIPE far")
    finally:
        if second.alive():
            second.kill()


# ---- the receiver

def pipes_on_the_receiver_deliver_what_they_select(gw):
    influx, folder = Influx(), gw.folder / "csv"
    try:
        pipe(gw, "csv", {"sink": "file-sink", "directory": folder, "format": "csv"}, "receiver",
             {"pattern": "root.outer.m.a"})
        pipe(gw, "influx", {"sink": "influxdb-sink", "url": influx.url, "database": "plant"}, "receiver",
             {"pattern": "root.outer.m.b"}, {"processor": "filter-rename-processor", "tables-rename": "m:n"})
        pipe(gw, "nothing", {"sink": "do-nothing-sink"}, "receiver", {"history.enable": "false"})
        write(gw, "outer", "m,s=a f=1 1", "m,s=b f=2 2")
        settle(gw)
        text = "".join(path.read_text() for path in sorted(folder.iterdir()))
        expect("1,outer,m,s=a,f,double,1" in text and "s=b" not in text, f"csv: {text}")
        expect(influx.lines() == ["n,s=b f=2 2"], f"influx: {influx.bodies}")
        until(lambda: [p for p in gw.status("receiver")["pipes"] if p["name"] == "nothing" and p["delivered_events"] == 2],
              "do-nothing counts what it takes")
        gw.statements("receiver", "DROP PIPE csv; DROP PIPE influx; DROP PIPE nothing")
    finally:
        influx.stop()


def a_failing_pipe_holds_up_no_other(gw):
    influx = Influx(refuse=("wrong",))
    try:
        for name, url in (("good", influx.url), ("wrong", influx.url), ("away", f"http://127.0.0.1:{gateway.free_port()}")):
            pipe(gw, name, {"sink": "influxdb-sink", "url": url, "database": name}, "receiver", {"pattern": "root.beside."})
        for time in range(1, 4):
            write(gw, "beside", f"m f={time} {time}")
            settle(gw, quiet=("wrong", "away"))
            expect(influx.lines()[-1] == f"m f={time} {time}", f"the good one: {influx.lines()}")
        wrong = until(lambda: (r := gw.pipes("receiver")["wrong"])["State"] == "STOPPED" and r, "refused credentials stop")
        expect("401" in wrong["ExceptionMessage"] or "authoriz" in wrong["ExceptionMessage"].lower(), wrong)
        away = gw.pipes("receiver")["away"]
        expect(away["State"] == "RUNNING" and away["ExceptionMessage"] != "None" and away["RemainingEventCount"] == "3", away)
        influx.refuse = ()
        gw.statements("receiver", "START PIPE wrong; DROP PIPE away")
        settle(gw)
        expect(sorted(influx.lines()) == sorted([f"m f={n} {n}" for n in (1, 2, 3)] * 2), f"after START: {influx.lines()}")
        gw.statements("receiver", "DROP PIPE good; DROP PIPE wrong")
    finally:
        influx.stop()


# ---- retention

def noise(number):
    """A row of about 190 kB that nothing compresses much."""
    text = base64.b64encode(random.Random(number).randbytes(140_000)).decode()
    return f'm,s=fill f="{text}" {number}'


def taken(gw, number):
    status, body = gw.post(noise(number), "/write?db=fill&precision=ns")
    expect(status in (204, 503), f"a write: {status} {body}")
    return status == 204


def pages(gw, count):
    """So many status pages later: what the daemon does every second has been done."""
    seen = gw.status("sender")["uptime_s"]
    until(lambda: (p := gw.status("sender")) and p["uptime_s"] > seen + count, "the status page is renewed")


def an_essential_pipe_holds_the_journal_and_a_best_effort_one_within_its_budget(gw):
    budgets = {"budget": {"retention.max-bytes": "2MiB"}, "aged": {"retention.max-age": "1s"}}
    pipe(gw, "held", source={"pattern": "root.fill."}, processor=renamed("held"))
    for name, attribute in budgets.items():
        pipe(gw, name, {"sink": "do-nothing-sink"}, source={"retention.hold": "best-effort", **attribute})
    write(gw, "fill", "m,s=first f=1 1")
    settle(gw)
    gw.statements("sender", "STOP PIPE held; STOP PIPE budget; STOP PIPE aged")
    number = 0
    while taken(gw, number):
        number += 1
        expect(number < 200, "an essential pipe that is stopped holds nothing")
    settle(gw)
    pages(gw, 3)
    expect(not taken(gw, number), "it holds what the other pipes have delivered")
    gw.statements("sender", "START PIPE held")
    for more in range(number, number + 10):
        until(lambda: taken(gw, more), "best-effort pipes that are stopped hold up nobody", 60)
    settle(gw, 60)
    for name in budgets:
        gw.statements("sender", f"START PIPE {name}")
        row = until(lambda: (r := gw.pipes("sender")[name])["RemainingEventCount"] == "0" and r, f"{name} goes on")
        expect("lost LSN" in row["ExceptionMessage"], f"what it lost is told: {row}")
    result = [line for line in gw.delivered_lines("held")]
    expect(len(result) == number + 11, f"the essential pipe has lost nothing: {len(result)} of {number + 11} rows")


def run(name, steps, **options):
    folder = gateway.temporary_folder(name)
    with gateway.Gateway(folder, profile="none", link=LINK, sender={"pipes": []}, **options) as gw:
        gw.start()
        pipe(gw, "through")
        for step in steps:
            print(step.__name__.replace("_", " "), flush=True)
            step(gw)
        codes = gw.stop()
        expect(not any(codes.values()), f"exit codes after SIGTERM: {codes}")
    shutil.rmtree(folder, ignore_errors=True)


def main():
    changes = (start_stop_and_alter_lose_and_double_nothing_while_data_flows, a_new_pipe_of_a_dropped_name_begins_anew,
               pipes_with_equal_connectors_share_one_session, a_pipe_to_another_address_is_carried_by_a_link_of_its_own,
               pipes_on_the_receiver_deliver_what_they_select, a_failing_pipe_holds_up_no_other)
    retention = (an_essential_pipe_holds_the_journal_and_a_best_effort_one_within_its_budget,)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:  # a gateway each; retention waits most of its time
        runs = [pool.submit(run, "changes", changes), pool.submit(run, "retention", retention, journal=SMALL)]
    for done in runs:
        done.result()
    return 0


if __name__ == "__main__":
    sys.exit(main())
