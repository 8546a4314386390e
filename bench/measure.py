# SPDX-License-Identifier: Apache-2.0
"""What every benchmark needs: facts about the machine, CPU time of a process, percentiles, the shape of a result."""

import json
import math
import os
import platform
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "lib"))
import gateway  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")


class Failed(RuntimeError):
    """A step did not work, so there is no figure; the text says what and where."""


@dataclass
class Column:
    key: str            # in the record; units are part of the key
    title: str
    form: str = "{}"    # of str.format
    scale: float = 1  # shown = measured × scale

    def text(self, record):
        value = record[self.key]
        if value is None:
            return "-"
        return self.form.format(value if self.scale == 1 else value * self.scale)


@dataclass
class Result:
    title: str
    method: str
    columns: list
    records: list = field(default_factory=list)
    summary: list = field(default_factory=list)  # (what, figure) for the README of the project


@dataclass
class Context:
    folder: Path     # on the disk that is measured; each benchmark makes folders in it
    quick: bool      # a tenth of the time: shows that the benchmark works, not how fast Tidegate is
    backlog: float   # values of the catch-up

    def seconds(self, full):
        return full / 10 if self.quick else full

    def say(self, text):
        print(f"bench: {text}", file=sys.stderr, flush=True)


# ------------------------------------------------------------------------------------------------ figures

def percentile(values, p):
    """Nearest rank: a value that was measured, never one between two."""
    if not values:
        raise Failed("a percentile of nothing")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(p / 100 * len(ordered)) - 1)]


def short(value):
    """1234567 → 1.23 M"""
    for limit, prefix in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= limit:
            return f"{value / limit:.3g}{prefix}"
    return f"{value:.3g}"


def cpu_seconds(process):
    """User and system time of all threads of a gateway.Process that runs, in steps of a clock tick (10 ms)."""
    try:
        text = Path(f"/proc/{process.child.pid}/stat").read_text()
    except OSError as error:
        raise Failed(f"{process.name} is gone: {error}\n{process.tail()}") from None
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def anonymous_bytes(process):
    """RssAnon of a gateway.Process that runs: memory that no file stands behind."""
    kib = first_match(f"/proc/{process.child.pid}/status", r"^RssAnon:\s*(\d+) kB$")
    if kib is None:
        raise Failed(f"{process.name} is gone\n{process.tail()}")
    return int(kib) * 1024


def last_count(process):
    """The newest line of counts that tidegate-telemetry printed; {} before the first."""
    for line in reversed(process.tail(5).splitlines()):
        if line.startswith("{"):
            try:
                return json.loads(line)
            except ValueError:
                continue
    return {}


def finish_load(process, limit):
    """Waits for tidegate-telemetry to end and returns its counts."""
    try:
        code = process.child.wait(limit)
    except subprocess.TimeoutExpired:
        process.kill()
        raise Failed(f"the load did not end within {limit:.0f} s\n{process.tail()}") from None
    counts = last_count(process)
    if code != 0 or counts.get("state") != "done":
        raise Failed(f"the load ended with code {code}\n{process.tail()}")
    return counts


# ------------------------------------------------------------------------------------------------ machine

def first_match(path, pattern):
    try:
        found = re.search(pattern, Path(path).read_text(), re.M)
    except OSError:
        return None
    return found[1].strip() if found else None


def command_output(*command):
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def fsync_micros(folder, times):
    """What the journal does most: 4 KiB to the end of a file, then fdatasync."""
    path, taken, block = folder / "fsync", [], os.urandom(4096)
    with open(path, "wb", buffering=0) as file:
        for _ in range(times):
            file.write(block)
            began = time.perf_counter_ns()
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter_ns() - began) / 1e3)
    path.unlink()
    return taken


def disk_facts(folder, times):
    taken = fsync_micros(folder, times)
    return {"folder": str(folder), "filesystem": command_output("findmnt", "-n", "-o", "FSTYPE", "-T", str(folder)),
            "method": f"{times} times: 4 KiB appended, then fdatasync is timed",
            "fsync_p50_us": round(percentile(taken, 50), 1), "fsync_p99_us": round(percentile(taken, 99), 1)}


def machine_facts(folder, times=500):
    changed = command_output("git", "status", "--porcelain", "--untracked-files=no")
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "git": command_output("git", "rev-parse", "HEAD"),
        "git_changed_files": None if changed is None else len(changed.splitlines()),
        "build": first_match(gateway.BIN.parent / "CMakeCache.txt", r"^CMAKE_BUILD_TYPE:\w+=(.*)$"),
        "flags": first_match(gateway.BIN.parent / "CMakeCache.txt", r"^CMAKE_CXX_FLAGS_RELEASE:\w+=(.*)$"),
        "cores": len(os.sched_getaffinity(0)),
        "cpu": first_match("/proc/cpuinfo", r"^model name\s*:\s*(.*)$") or platform.processor(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": platform.release(),
        "load_average_before": round(os.getloadavg()[0], 2),
        "disk": disk_facts(folder, times),
    }
