# SPDX-License-Identifier: Apache-2.0
"""A whole gateway on one machine: sender, emulated device, receiver, each a real process, for the demo, the end-to-end
tests and the benchmarks. Waits by polling with a deadline, never by a fixed pause."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

SOURCE = Path(os.environ.get("TIDEGATE_SOURCE_DIR", Path(__file__).resolve().parents[2]))
BIN = Path(os.environ.get("TIDEGATE_BIN", SOURCE / "build" / "release" / "bin"))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(condition, limit, what):
    """Polls until condition() is true and returns its value; fails with `what` after `limit` seconds."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {limit} s")
        time.sleep(0.02)  # poll


class Refused(RuntimeError):
    """A statement that the daemon refused."""


class Process:
    """One program that can be killed and started again on the same state."""

    def __init__(self, name, command, log, env=None):
        self.name, self.command, self.log, self.env = name, command, Path(log), env
        self.child = None
        self.starts = 0

    def start(self, extra_env=None):
        env = dict(os.environ, **(self.env or {}), **(extra_env or {}))
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(self.command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=env)
        self.starts += 1
        return self

    def alive(self):
        return self.child is not None and self.child.poll() is None

    def kill(self):
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()

    def stop(self, limit=40):
        if not self.alive():
            return self.child.returncode if self.child else None
        self.child.send_signal(signal.SIGTERM)
        try:
            return self.child.wait(limit)
        except subprocess.TimeoutExpired:
            self.kill()
            raise TimeoutError(f"{self.name} did not stop within {limit} s after SIGTERM") from None

    def tail(self, lines=15):
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""


class Gateway:
    """folder/: configurations, journals, logs, delivered files."""

    def __init__(self, folder, profile="syskeeper-2000", link=None, sender_link=None, receiver_link=None, sinks=None,
                 gatekeeper=None, ingest=None, journal=None, source=None, sender=None):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.profile = profile
        self.http, self.device, self.receive = free_port(), free_port(), free_port()
        self.sender_control, self.receiver_control = free_port(), free_port()
        self.delivered = self.folder / "delivered"
        self.gatekeeper_options = gatekeeper or []
        self.loads = []
        self.device_socket = str(self.folder / "device.sock")
        common = dict(profile=profile, **(link or {}))
        journal = dict({"min_free": "64MiB"}, **(journal or {}))
        self.write("sender.yaml", {
            "instance": "plant-1", "data_dir": str(self.folder / "sender"),
            "control": {"listen": f"127.0.0.1:{self.sender_control}", "socket": str(self.folder / "sender.sock")},
            "journal": journal,
            "link": dict(common, remote=f"127.0.0.1:{self.device}", **(sender_link or {})),
            "sources": [dict({"name": "influx", "type": "influx-http", "listen": f"127.0.0.1:{self.http}"}, **(source or {}))],
            **({"ingest": ingest} if ingest else {}), **(sender or {}),
        })
        self.write("receiver.yaml", {
            "instance": "control-centre", "data_dir": str(self.folder / "receiver"),
            "control": {"listen": f"127.0.0.1:{self.receiver_control}", "socket": str(self.folder / "receiver.sock")},
            "journal": journal,
            "link": dict(common, listen=f"127.0.0.1:{self.receive}", **(receiver_link or {})),
            "sinks": sinks if sinks is not None else [
                {"name": "files", "type": "file", "directory": str(self.delivered), "format": "line-protocol"}],
        })
        log = lambda name: self.folder / f"{name}.log"
        self.sender = Process("sender", [str(BIN / "tidegate-sender"), str(self.folder / "sender.yaml")], log("sender"))
        self.receiver = Process("receiver", [str(BIN / "tidegate-receiver"), str(self.folder / "receiver.yaml")], log("receiver"))
        self.gatekeeper = Process("gatekeeper", [
            str(BIN / "tidegate-gatekeeper"), "--profile", profile, "--listen", f"127.0.0.1:{self.device}",
            "--receiver", f"127.0.0.1:{self.receive}", "--control", self.device_socket,
            "--stats-file", str(self.folder / "device.json"), *self.gatekeeper_options], log("gatekeeper"))

    def write(self, name, config):
        (self.folder / name).write_text(json.dumps(config, indent=2) + "\n")  # JSON is YAML

    def start(self, limit=20):
        for process in (self.gatekeeper, self.receiver, self.sender):
            process.start()
        self.wait_ready("sender", limit)
        self.wait_ready("receiver", limit)
        return self

    def wait_ready(self, side, limit=20):
        process = getattr(self, side)

        def ready():
            if not process.alive():
                raise RuntimeError(f"{side} ended with code {process.child.returncode}:\n{process.tail()}")
            return self.status(side)

        return wait_until(ready, limit, f"{side} does not answer on its control address\n{process.tail()}")

    def restart(self, side, extra_env=None, limit=20):
        process = getattr(self, side)
        if process.alive():
            process.kill()
        process.start(extra_env)
        self.wait_ready(side, limit)

    def status(self, side):
        port = self.sender_control if side == "sender" else self.receiver_control
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/status.json", timeout=5) as answer:
                return json.load(answer)
        except (OSError, ValueError):
            return None

    def metrics(self, side):
        port = self.sender_control if side == "sender" else self.receiver_control
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            return answer.read().decode()

    def statements(self, side, text):
        """Carries the statements out as an operator does; the last table as a list of rows by column name."""
        done = subprocess.run([str(BIN / "tidegate"), "--socket", str(self.folder / f"{side}.sock"), "--json", "-e", text],
                              capture_output=True, text=True, timeout=120, check=False)
        answer = json.loads(done.stdout) if done.stdout else None
        if done.returncode != 0 or not answer or answer["error"]:
            raise Refused(f"{side}: {text}: {answer['error'] if answer else done.stderr.strip()}")
        tables = [result for result in answer["results"] if result["columns"]]
        return [dict(zip(tables[-1]["columns"], row)) for row in tables[-1]["rows"]] if tables else []

    def pipes(self, side):
        """SHOW PIPES, by name."""
        return {row["ID"]: row for row in self.statements(side, "SHOW PIPES")}

    def device_command(self, command):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(self.device_socket)
            s.sendall((command + "\n").encode())
            reply = b""
            while not reply.endswith(b"\n\n"):
                piece = s.recv(65536)
                if not piece:
                    break
                reply += piece
        return reply.decode().strip()

    def device_stats(self):
        return json.loads(self.device_command("stats json"))

    def post(self, body, target="/write?db=plant&precision=ns", headers=None, timeout=30):
        """(status, body) of one write request."""
        data = body if isinstance(body, bytes) else body.encode()
        url = f"http://127.0.0.1:{self.http}{target}"
        request = urllib.request.Request(url, data=data, method="POST", headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def telemetry(self, acknowledged, log="telemetry", **options):
        command = [str(BIN / "tidegate-telemetry"), "--port", str(self.http), "--acknowledged", str(acknowledged)]
        for name, value in options.items():
            command += [f"--{name}"] if value is True else [f"--{name}", str(value)]
        load = Process("telemetry", command, self.folder / f"{log}.log").start()
        self.loads.append(load)
        return load

    def settled(self, old_pages=()):
        """Everything that the sender has is stored outside and delivered by every sink, by pages that are not old ones."""
        near, far = self.status("sender"), self.status("receiver")
        if not near or not far or not near["streams"]:
            return False
        if any(old and page["uptime_s"] == old["uptime_s"] for page, old in zip((near, far), old_pages)):
            return False
        head = sum(s["head"] for s in near["streams"])
        stored = sum(s["confirmed"] for s in far["streams"])
        delivered = all(p["position"] == far["journal_durable"] for p in far["pipes"])
        return near["waiting_batches"] == 0 and stored >= head and delivered

    def wait_settled(self, limit):
        """Of what was acknowledged before the call. Status pages are renewed once a second: the first ones may be older."""
        old_pages = self.status("sender"), self.status("receiver")
        return wait_until(lambda: self.settled(old_pages), limit, "not everything was delivered")

    def delivered_lines(self, database=None, folder=None):
        """Data lines of the file sink, of all databases, of one or of a tuple of them, in the order of delivery; the part
        file last."""
        folder, current = folder or self.delivered, None
        wanted = (database,) if isinstance(database, str) else database
        for path in sorted(p for p in folder.iterdir() if ".lp" in p.name) if folder.is_dir() else []:
            with open(path, "rb") as f:
                for line in f:
                    if line.startswith(b"# CONTEXT-DATABASE: "):
                        current = line[20:].strip().decode()
                    if not line.startswith(b"#") and (wanted is None or current in wanted):
                        yield line

    def delivered_events(self, folder=None):
        """What is no row: (kind, value) in the order of delivery."""
        folder = folder or self.delivered
        for path in sorted(p for p in folder.iterdir() if ".lp" in p.name) if folder.is_dir() else []:
            for line in path.read_text(errors="replace").splitlines():
                if line.startswith("# tidegate "):
                    kind, _, value = line[11:].partition(" ")
                    yield kind, json.loads(value)

    def stop(self):
        codes = {}
        for process in (self.sender, self.receiver, self.gatekeeper):
            if process.child is not None:
                codes[process.name] = process.stop()
        return codes

    def kill_all(self):
        for process in (self.sender, self.receiver, self.gatekeeper):
            if process.alive():
                process.kill()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.kill_all()
        for load in self.loads:  # one whose run failed would try for its whole patience
            if load.alive():
                load.kill()
        if kind is not None:
            for process in (self.sender, self.gatekeeper, self.receiver):
                print(f"--- end of {process.log}\n{process.tail()}", file=sys.stderr)


class Comparison:
    """What was acknowledged against what arrived, by content: whole lines, and their order within each series."""

    def __init__(self):
        self.sent = self.stored = self.lost = self.duplicated = self.reordered = self.foreign = 0

    def text(self):
        return (f"sent={self.sent} stored={self.stored} lost={self.lost} duplicated={self.duplicated} "
                f"reordered={self.reordered}" + (f" foreign={self.foreign}" if self.foreign else ""))

    def good(self):
        return self.sent > 0 and self.stored == self.sent and not (self.lost or self.duplicated or self.reordered or self.foreign)


def compare(acknowledged, delivered):
    """acknowledged: path of the lines a producer got 204 for. delivered: iterable of lines. Neither side's counters are used."""
    result = Comparison()
    waiting = {}
    with open(acknowledged, "rb") as f:
        for line in f:
            result.sent += 1
            waiting[hash(line)] = waiting.get(hash(line), 0) + 1
    counts = dict.fromkeys(waiting, 0)
    newest = {}
    for line in delivered:
        key = hash(line)
        if key not in counts:
            result.foreign += 1
            continue
        counts[key] += 1
        if counts[key] > waiting[key]:
            result.duplicated += 1
            continue
        result.stored += 1
        series, _, rest = line.partition(b" ")
        when = int(rest.rpartition(b" ")[2])
        if when < newest.get(series, when):
            result.reordered += 1
        newest[series] = when
    result.lost = sum(waiting[k] - min(waiting[k], counts[k]) for k in waiting)
    return result


def temporary_folder(name):
    folder = Path(os.environ.get("TMPDIR", "/tmp")) / f"tidegate-{name}-{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
