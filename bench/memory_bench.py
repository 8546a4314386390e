# SPDX-License-Identifier: Apache-2.0
"""Memory and CPU of both daemons at 200,000 values/s."""

import time

from gateway import Gateway
from measure import Column, Failed, Result, anonymous_bytes, cpu_seconds, finish_load, percentile

RATE = 200_000
DAEMONS = ("sender", "receiver")
LOOK_S, STATUS_EVERY = 0.1, 5  # status pages are renewed each second only


def status_bytes(gw, daemon):
    status = gw.status(daemon)
    if status is None:
        raise Failed(f"{daemon} gave no status\n{getattr(gw, daemon).tail()}")
    return status["anonymous_memory_bytes"]


def sample_while(gw, load, limit):
    """Anonymous bytes of both daemons until the load ends: as the kernel says, and as their status pages say."""
    kernel, pages = {d: [] for d in DAEMONS}, {d: [] for d in DAEMONS}
    looks, end = 0, time.monotonic() + limit
    while load.alive():
        if time.monotonic() > end:
            raise Failed(f"the load did not end within {limit:.0f} s")
        for daemon in DAEMONS:
            kernel[daemon].append(anonymous_bytes(getattr(gw, daemon)))
            if looks % STATUS_EVERY == 0:
                pages[daemon].append(status_bytes(gw, daemon))
        looks += 1
        time.sleep(LOOK_S)  # poll
    return kernel, pages


def run(context):
    seconds = context.seconds(25)
    with Gateway(context.folder / "memory") as gw:
        gw.start()
        before = {d: cpu_seconds(getattr(gw, d)) for d in DAEMONS}
        load = gw.telemetry("", rate=RATE, seconds=seconds, lines=1000)
        kernel, pages = sample_while(gw, load, seconds + 60)
        counts = finish_load(load, 5)
        gw.wait_settled(60)
        used = {d: cpu_seconds(getattr(gw, d)) - before[d] for d in DAEMONS}
        delivered = gw.status("receiver")["pipes"][0]["delivered_values"]
        gw.stop()
    if delivered != counts["values"]:
        raise Failed(f"answered: {counts['values']} values, delivered: {delivered}")
    reached = counts["values"] / counts["elapsed"]
    records = [{"daemon": d, "values_per_s": reached, "values": counts["values"],
                "anonymous_max_bytes": max(kernel[d]), "anonymous_median_bytes": percentile(kernel[d], 50),
                "status_max_bytes": max(pages[d]), "cpu_s_per_million_values": used[d] / counts["values"] * 1e6,
                "looks": len(kernel[d])} for d in DAEMONS]
    return Result(
        title=f"Memory and CPU at {RATE:,} values/s",
        method=f"tidegate-telemetry writes {RATE:,} values/s for {seconds:.0f} s (2000 units × 10 fields, 1000 lines per "
               "request, 2 connections) through the emulated syskeeper-2000 (94 Mbit/s, 1 ms each way, 1 lane) to a file. "
               f"Memory: RssAnon of /proc each {LOOK_S} s, largest and median, and the largest that status.json said (renewed "
               "each second). CPU: user + system of all threads from "
               "before the load until all is delivered, the daemons' idle work in between included. \"reached\" is what the "
               "load got acknowledged.",
        columns=[Column("daemon", "daemon"), Column("values_per_s", "reached values/s", "{:.0f}"),
                 Column("anonymous_max_bytes", "anonymous MiB, max", "{:.1f}", 2**-20),
                 Column("anonymous_median_bytes", "median", "{:.1f}", 2**-20),
                 Column("status_max_bytes", "by status.json, max", "{:.1f}", 2**-20),
                 Column("cpu_s_per_million_values", "CPU s per M values", "{:.2f}")],
        records=records,
        summary=[(f"{r['daemon']} at {reached:,.0f} values/s", f"{r['anonymous_max_bytes'] / 2**20:.1f} MiB anonymous, "
                  f"{r['cpu_s_per_million_values']:.2f} CPU s per million values") for r in records])
