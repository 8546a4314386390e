# SPDX-License-Identifier: Apache-2.0
"""Event latency under load: from just before the POST until the row can be read in the receiver's output file."""

import http.client
import multiprocessing
import random
import re
import threading
import time

from gateway import Gateway, wait_until
from measure import Column, Failed, Result, finish_load, percentile

RATES = (20_000, 200_000)
EVERY_S, POLL_S, WARM_UP_S = 0.05, 0.0005, 3
PROBERS = 4  # connections: a slow answer does not keep the next probe from its time
ROW = re.compile(rb"\nprobe,\S* n=(\d+)i ")


# ------------------------------------------------------------------------------------------------ far side

def tail(folder, ends, found):
    """A process of its own, so that it waits for nobody: notes when each probe can first be read, and how long ago the
    poll before was, which is how much too late the note can be. Sends {n: (at, gap)} when `ends` is set."""
    seen, file, rest, before = {}, None, b"\n", time.monotonic_ns()
    while not ends.is_set():
        if file is None:
            part = next(folder.glob("*.part"), None) if folder.is_dir() else None
            file = open(part, "rb", buffering=0) if part else None
        piece = file.read(1 << 20) if file else b""
        now = time.monotonic_ns()
        if piece:
            text = rest + piece
            complete = text.rfind(b"\n")
            for match in ROW.finditer(text, 0, complete + 1):
                seen.setdefault(int(match[1]), (now, now - before))
            rest = text[complete:]
        before = now
        if len(piece) < 1 << 20:
            time.sleep(POLL_S)  # poll
    found.send(seen)


class Tail:
    def __init__(self, folder):
        ways = multiprocessing.get_context("fork")
        self.ends, (self.found, far) = ways.Event(), ways.Pipe(duplex=False)
        self.process = ways.Process(target=tail, args=(folder, self.ends, far), daemon=True)
        self.process.start()
        far.close()

    def finish(self):
        self.ends.set()
        if not self.found.poll(10):
            raise Failed("the reader of the delivered file did not answer")
        seen = self.found.recv()
        self.process.join(10)
        return seen


# ------------------------------------------------------------------------------------------------ near side

class Prober:
    """Single marked lines at their times, whatever the answers do."""

    def __init__(self, port, began, seconds):
        self.port, self.began = port, began
        dice = random.Random(1)  # jitter: not in step with the load
        self.due = [began + i * EVERY_S + dice.uniform(0, EVERY_S / 2) for i in range(int(seconds / EVERY_S))]
        self.posted, self.answered, self.failures = {}, {}, []
        self.threads = [threading.Thread(target=self.work, args=(k,)) for k in range(PROBERS)]
        for t in self.threads:
            t.start()

    def work(self, k):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.connect()
            for n in range(k, len(self.due), PROBERS):
                time.sleep(max(0, self.due[n] - time.monotonic()))  # pace
                body = f"probe,id=bench n={n}i {time.time_ns()}\n"
                self.posted[n] = time.monotonic_ns()
                connection.request("POST", "/write?db=plant&precision=ns", body)
                answer = connection.getresponse()
                answer.read()
                if answer.status != 204:
                    raise OSError(f"probe {n} was answered {answer.status}")
                self.answered[n] = time.monotonic_ns()
        except (OSError, http.client.HTTPException) as error:
            self.failures.append(error)
        finally:
            connection.close()

    def finish(self):
        for t in self.threads:
            t.join()
        if self.failures:
            raise Failed(f"a probe failed: {self.failures[0]}")

    def late_starts(self):
        """How much later than planned probes were sent, in ms: shows a prober that had no CPU."""
        return [self.posted[n] / 1e6 - self.due[n] * 1e3 for n in self.posted]


def milliseconds(values):
    return {f"p{p}": percentile(values, p) / 1e6 for p in (50, 99)} | {"max": max(values) / 1e6}


def latency_at(context, rate):
    seconds = context.seconds(25)
    warm = context.seconds(WARM_UP_S)
    with Gateway(context.folder / f"latency-{rate}") as gw:
        gw.start()
        watcher = Tail(gw.delivered)
        # Twenty requests a second at each rate.
        load = gw.telemetry("", rate=rate, seconds=seconds, lines=rate // 200)
        wait_until(lambda: load.tail(1), 10, "the load does not begin")
        prober = Prober(gw.http, time.monotonic(), seconds - 1)
        prober.finish()
        counts = finish_load(load, 60)
        gw.wait_settled(60)
        time.sleep(0.2)  # poll: a few more looks at the file
        seen = watcher.finish()
        gw.stop()
    missing = [n for n in prober.posted if n not in seen]
    if missing:
        raise Failed(f"{len(missing)} of {len(prober.posted)} probes are not in the delivered file, the first is {missing[0]}")
    counted = [n for n in prober.posted if prober.posted[n] / 1e9 >= prober.began + warm]
    delivered = milliseconds([seen[n][0] - prober.posted[n] for n in counted])
    synced = milliseconds([prober.answered[n] - prober.posted[n] for n in counted])
    gaps = milliseconds([seen[n][1] for n in counted])
    return {"rate": rate, "values_per_s": counts["values"] / counts["elapsed"], "probes": len(counted),
            **{f"delivered_{k}_ms": v for k, v in delivered.items()}, **{f"answered_{k}_ms": v for k, v in synced.items()},
            **{f"poll_gap_{k}_ms": v for k, v in gaps.items()},
            "late_start_p99_ms": percentile(prober.late_starts(), 99)}


def run(context):
    records = [latency_at(context, rate) for rate in RATES]
    return Result(
        title="Event latency with sync on",
        method=f"Beside the load (2 connections, 20 requests/s, 10 fields per line, {context.seconds(25):.0f} s) a script posts "
               f"one marked line about every {EVERY_S * 1000:.0f} ms over {PROBERS} connections; the emulated syskeeper-2000 is "
               "between (94 Mbit/s, 1 ms each way, 1 lane). Delivered: from just before the POST until the row can be read in "
               "the receiver's output file; both journals have synced it by then, the file's own sync follows. Answered: until "
               "the 204, which is after the sender's sync. Another process looks at the file each "
               f"{POLL_S * 1000:.1f} ms: a figure is too large by at most the gap between two looks, which is in the table. The "
               f"first {context.seconds(WARM_UP_S):g} s are left out. One clock, nearest rank.",
        columns=[Column("values_per_s", "values/s", "{:.0f}"), Column("probes", "probes"),
                 Column("delivered_p50_ms", "delivered p50 ms", "{:.1f}"), Column("delivered_p99_ms", "p99", "{:.1f}"),
                 Column("delivered_max_ms", "max", "{:.1f}"), Column("answered_p50_ms", "answered p50 ms", "{:.1f}"),
                 Column("answered_p99_ms", "p99", "{:.1f}"), Column("poll_gap_p50_ms", "look gap p50 ms", "{:.1f}"),
                 Column("poll_gap_p99_ms", "p99", "{:.1f}"), Column("late_start_p99_ms", "probe late p99 ms", "{:.1f}")],
        records=records,
        summary=[(f"event latency at {r['values_per_s']:,.0f} values/s, POST → delivered file",
                  f"p50 {r['delivered_p50_ms']:.1f} ms, p99 {r['delivered_p99_ms']:.1f} ms") for r in records])
