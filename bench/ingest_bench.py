# SPDX-License-Identifier: Apache-2.0
"""Line protocol in → synced: how many values the sender takes for each second of CPU."""

import resource

from gateway import Gateway, wait_until
from measure import Column, Failed, Result, cpu_seconds, finish_load, short

CONNECTIONS, LINES, FIELDS, UNITS = 4, 2000, 10, 2000


def children_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def ingest_once(context, gzip):
    name = "gzip" if gzip else "plain"
    with Gateway(context.folder / f"ingest-{name}") as gw:
        gw.sender.start()
        gw.wait_ready("sender")
        cpu, children = cpu_seconds(gw.sender), children_seconds()
        seconds = context.seconds(10)
        load = gw.telemetry("", rate=0, seconds=seconds, connections=CONNECTIONS, lines=LINES, fields=FIELDS, units=UNITS,
                            **({"gzip": True} if gzip else {}))
        counts = finish_load(load, seconds + 130)
        cpu, children = cpu_seconds(gw.sender) - cpu, children_seconds() - children
        stored = lambda: (gw.status("sender") or {}).get("counters", {})
        wait_until(lambda: stored().get("ingest_values", 0) >= counts["values"], 5,
                   f"the sender did not count the {counts['values']} values that it answered")
        inside = stored()
        if inside["ingest_values"] != counts["values"]:
            raise Failed(f"answered: {counts['values']} values, stored: {inside['ingest_values']}")
        gw.stop()
    return {"body": name, "values": counts["values"], "wall_s": counts["elapsed"], "sender_cpu_s": round(cpu, 2),
            "load_cpu_s": round(children, 2), "values_per_cpu_s": counts["values"] / cpu,
            "values_per_wall_s": counts["values"] / counts["elapsed"],
            "text_bytes_per_wall_s": counts["bytes"] / counts["elapsed"],
            "values_per_sync": counts["values"] / max(inside["ingest_syncs"], 1), "retries": counts["retries"]}


def run(context):
    records = [ingest_once(context, gzip) for gzip in (False, True)]
    return Result(
        title="Line protocol in → synced",
        method=f"tidegate-telemetry writes as fast as it is answered for {context.seconds(10):.0f} s to a sender whose link is "
               f"closed: {UNITS} units × {FIELDS} fields with two decimals and explicit times, {LINES} lines per request, "
               f"{CONNECTIONS} connections; a value counts when its 204 came, which is after the sync. Per core: values / CPU "
               "seconds of the sender (user + system, all threads). Wall: sender and load share the cores of this machine. "
               "The load makes its text (and gzip level 1) while it runs: its own CPU is in the table.",
        columns=[Column("body", "body"), Column("values_per_cpu_s", "M values/s per core", "{:.2f}", 1e-6),
                 Column("values_per_wall_s", "M values/s wall", "{:.2f}", 1e-6),
                 Column("text_bytes_per_wall_s", "MB/s of text", "{:.0f}", 1e-6),
                 Column("sender_cpu_s", "sender CPU s", "{:.1f}"), Column("load_cpu_s", "load CPU s", "{:.1f}"),
                 Column("values_per_sync", "values per sync", "{:.0f}"), Column("retries", "retries")],
        records=records,
        summary=[(f"line protocol in → synced, {r['body']}",
                  f"{short(r['values_per_cpu_s'])} values/s per core ({short(r['values_per_wall_s'])} values/s wall)")
                 for r in records])
