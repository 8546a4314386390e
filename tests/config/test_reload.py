#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""LOAD CONFIGURATION and SIGHUP on running daemons: what applies at once does, what does not is named, what is refused changes
nothing."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import gateway  # noqa: E402


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def statement(gw, side, text):
    """(exit code, what was said)"""
    done = subprocess.run([gateway.BIN / "tidegate", "--socket", gw.folder / f"{side}.sock", "-e", text],
                          capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout + done.stderr


def edit(gw, side, change):
    path = gw.folder / f"{side}.yaml"
    config = json.loads(path.read_text())
    change(config)
    gw.write(path.name, config)


def pipes(gw, side):
    return {pipe["name"]: pipe for pipe in (gw.status(side) or {"pipes": []})["pipes"]}


def a_new_sink_takes_data_without_a_restart(gw):
    started = gw.receiver.child.pid
    folder = gw.folder / "second"
    edit(gw, "receiver", lambda c: c["sinks"].append({"name": "second", "type": "file", "directory": str(folder)}))
    code, said = statement(gw, "receiver", "LOAD CONFIGURATION")
    expect(code == 0 and "applied: sinks" in said and "restart" not in said, said)
    expect(gw.post("m,s=a f=1 1")[0] == 204, "a write")
    gateway.wait_until(lambda: folder.is_dir() and any(b"m,s=a" in f.read_bytes() for f in folder.iterdir()), 30,
                       "the new sink has the row")
    edit(gw, "receiver", lambda c: c["sinks"].pop())
    code, said = statement(gw, "receiver", "LOAD CONFIGURATION")
    expect(code == 0 and "applied: sinks" in said, said)
    gateway.wait_until(lambda: set(pipes(gw, "receiver")) == {"files"}, 30, "the sink that left the file is dropped")
    expect(gw.receiver.child.pid == started and gw.receiver.alive(), "it is the same process")


def what_needs_a_restart_is_named_each_time(gw):
    edit(gw, "sender", lambda c: c["link"].update(remote="127.0.0.1:9"))
    for attempt in range(2):
        code, said = statement(gw, "sender", "LOAD CONFIGURATION")
        expect(code == 0 and "restart needed for: link.remote" in said, f"{attempt}: {said}")
    expect(gw.post("m,s=a f=2 2")[0] == 204, "a write")
    gw.wait_settled(30)  # the link of the old file still runs
    edit(gw, "sender", lambda c: c["link"].update(remote=f"127.0.0.1:{gw.device}"))
    code, said = statement(gw, "sender", "LOAD CONFIGURATION")
    expect(code == 0 and "restart" not in said, said)


def a_refused_file_changes_nothing(gw):
    before = pipes(gw, "receiver").keys()

    def spoil(c):
        c["log"] = {"level": "debug"}
        c["sinks"].append({"name": "third", "type": "file", "directory": str(gw.folder / "third")})
        c["sinks"].append({"name": "fourth", "type": "file", "directory": "not/absolute"})

    edit(gw, "receiver", spoil)
    code, said = statement(gw, "receiver", "LOAD CONFIGURATION")
    expect(code == 1 and "receiver.yaml:" in said and "sinks[2].directory" in said, said)
    # One that only the pipes' side refuses: a name that is taken by a pipe that was typed.
    code, said = statement(gw, "receiver", "CREATE PIPE typed WITH CONNECTOR ('connector'='do-nothing-connector')")
    expect(code == 0, said)
    edit(gw, "receiver", lambda c: (c["sinks"].pop(), c["sinks"].append({"name": "typed", "type": "do-nothing"})))
    code, said = statement(gw, "receiver", "LOAD CONFIGURATION")
    expect(code == 1 and "made by a statement" in said, said)
    expect(" debug " not in gw.receiver.log.read_text(), "the log level of the refused file is not in force")
    expect(pipes(gw, "receiver").keys() >= before and "third" not in statement(gw, "receiver", "SHOW PIPES")[1],
           "no pipe of the refused file is there")
    edit(gw, "receiver", lambda c: (c.pop("log"), c.update(sinks=c["sinks"][:1])))
    expect(statement(gw, "receiver", "DROP PIPE typed")[0] == 0, "DROP PIPE")


def audited(gw, side, who):
    return "".join(p.read_text(errors="replace") for p in (gw.folder / side / "audit").rglob("*") if p.is_file()).count(who)


def sighup_loads_on_both_sides_and_is_audited(gw):
    for side in ("sender", "receiver"):
        process, good = getattr(gw, side), (gw.folder / f"{side}.yaml").read_text()
        edit(gw, side, lambda c: c.update(log={"level": "error"}))
        process.child.send_signal(signal.SIGHUP)
        gateway.wait_until(lambda: audited(gw, side, "SIGHUP") == 2, 20, f"{side}: the audit log has the beginning and the end")
        (gw.folder / f"{side}.yaml").write_text("instance: [\n")
        process.child.send_signal(signal.SIGHUP)
        gateway.wait_until(lambda: "not loaded: nothing is changed" in process.log.read_text(), 20, f"{side} says why")
        expect("applied: log.level" not in process.log.read_text(), f"{side} logs errors only")
        (gw.folder / f"{side}.yaml").write_text(good)
        process.child.send_signal(signal.SIGHUP)
        gateway.wait_until(lambda: "applied: log.level" in process.log.read_text(), 20, f"{side} logs all again")
    expect(gw.post("m,s=a f=3 3")[0] == 204, "a write")
    gw.wait_settled(30)


def main():
    folder = gateway.temporary_folder("reload")
    link = {"quiet_min": "100ms", "quiet_max": "4s", "beat": "1s"}
    with gateway.Gateway(folder, link=link) as gw:
        gw.start()
        for test in (a_new_sink_takes_data_without_a_restart, what_needs_a_restart_is_named_each_time,
                     a_refused_file_changes_nothing, sighup_loads_on_both_sides_and_is_audited):
            test(gw)
            print(f"ok: {test.__name__}", flush=True)
        codes = gw.stop()
        expect(codes["sender"] == 0 and codes["receiver"] == 0, f"exit codes {codes}")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
