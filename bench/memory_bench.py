# SPDX-License-Identifier: Apache-2.0
"""Memory and CPU of both daemons at 200,000 values/s."""

import time

from gateway import Gateway
from measure import Column, Failed, Result, cpu_seconds, finish_load, percentile

RATE = 200_000
DAEMONS = ("sender", "receiver")
STATUS_S = 0.5  # status pages are renewed each second


def sample_while(gw, load, limit):
    """RssAnon of both daemons by their status pages until the load ends."""
    samples, end = {d: [] for d in DAEMONS}, time.monotonic() + limit
    while load.alive():
        if time.monotonic() > end:
            raise Failed(f"the load did not end within {limit:.0f} s")
        for daemon in DAEMONS:
            status = gw.status(daemon)
            if status is None:
                raise Failed(f"{daemon} gave no status\n{getattr(gw, daemon).tail()}")
            samples[daemon].append(status["anonymous_memory_bytes"])
        time.sleep(STATUS_S)  # poll
    return samples


def run(context):
    seconds = context.seconds(25)
    with Gateway(context.folder / "memory") as gw:
        gw.start()
        before = {d: cpu_seconds(getattr(gw, d)) for d in DAEMONS}
        load = gw.telemetry("", rate=RATE, seconds=seconds, lines=1000)
        samples = sample_while(gw, load, seconds + 60)
        counts = finish_load(load, 5)
        gw.wait_settled(60)
        used = {d: cpu_seconds(getattr(gw, d)) - before[d] for d in DAEMONS}
        delivered = gw.status("receiver")["pipes"][0]["delivered_values"]
        gw.stop()
    if delivered != counts["values"]:
        raise Failed(f"answered: {counts['values']} values, delivered: {delivered}")
    reached = counts["values"] / counts["elapsed"]
    records = [{"daemon": d, "values_per_s": reached, "values": counts["values"],
                "anonymous_max_bytes": max(samples[d]), "anonymous_median_bytes": percentile(samples[d], 50),
                "cpu_s_per_million_values": used[d] / counts["values"] * 1e6, "samples": len(samples[d])} for d in DAEMONS]
    return Result(
        title=f"Memory and CPU at {RATE:,} values/s",
        method=f"tidegate-telemetry writes {RATE:,} values/s for {seconds:.0f} s (2000 units × 10 fields, 1000 lines per "
               "request, 2 connections) through the emulated syskeeper-2000 (94 Mbit/s, 1 ms each way, 1 lane) to a file. "
               f"Memory: RssAnon as in status.json, read each {STATUS_S} s, largest and median. CPU: user + system of all threads from "
               "before the load until all is delivered, the daemons' idle work in between included. \"reached\" is what the "
               "load got acknowledged.",
        columns=[Column("daemon", "daemon"), Column("values_per_s", "reached values/s", "{:.0f}"),
                 Column("anonymous_max_bytes", "anonymous MiB, max", "{:.1f}", 2**-20),
                 Column("anonymous_median_bytes", "median", "{:.1f}", 2**-20),
                 Column("cpu_s_per_million_values", "CPU s per M values", "{:.2f}")],
        records=records,
        summary=[(f"{r['daemon']} at {reached:,.0f} values/s", f"{r['anonymous_max_bytes'] / 2**20:.1f} MiB anonymous, "
                  f"{r['cpu_s_per_million_values']:.2f} CPU s per million values") for r in records])
