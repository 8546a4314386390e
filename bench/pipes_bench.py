# SPDX-License-Identifier: Apache-2.0
"""Many pipes on one sender at 100,000 values/s: CPU and memory beside those of one pipe, and what STOP and START of one does to
the others."""

import time

from gateway import Gateway, wait_until
from measure import Column, Failed, Result, anonymous_bytes, cpu_seconds, finish_load

RATE, MANY = 100_000, 50
NOTHING, AIR_GAP = "do-nothing-sink", "air-gap-sink"
CASES = (("no pipe", 0, 0), ("1 do-nothing pipe", 1, 0), (f"{MANY} do-nothing pipes", MANY, 0), ("1 air-gap pipe", 0, 1),
         (f"1 air-gap pipe and {MANY} do-nothing pipes", MANY, 1))
LOOK_S = 0.2


def create(gw, nothing, air_gap):
    names = [(f"nothing_{n}", NOTHING) for n in range(nothing)] + [(f"air_gap_{n}", AIR_GAP) for n in range(air_gap)]
    for name, sink in names:
        gw.statements("sender", f"CREATE PIPE {name} WITH SINK ('sink'='{sink}'); START PIPE {name}")
    return [name for name, _ in names]


def look(gw, names, besides=""):
    """The largest number of events that a pipe besides one is behind; fails if one does not run."""
    behind, rows = 0, gw.pipes("sender")
    for name in names:
        if name == besides:
            continue
        if rows[name]["State"] != "RUNNING":
            raise Failed(f"{name} does not run: {rows[name]}")
        behind = max(behind, int(rows[name]["RemainingEventCount"]))
    return behind


def watch(gw, load, names, seconds):
    """Largest memory, and how far a pipe was behind: while nothing was changed, and while one was stopped and started."""
    memory, behind, toggles = 0, {"calm": 0, "toggled": 0}, 0
    began = time.monotonic()
    while load.alive():
        passed = time.monotonic() - began
        if passed > seconds + 60:
            raise Failed("the load did not end")
        memory = max(memory, anonymous_bytes(gw.sender))
        toggle = len(names) >= MANY and passed > seconds / 2
        if toggle:
            gw.statements("sender", f"{'START' if toggles % 2 else 'STOP'} PIPE {names[0]}")
            toggles += 1
        if len(names) >= MANY and passed > seconds / 5:
            phase = "toggled" if toggle else "calm"
            behind[phase] = max(behind[phase], look(gw, names, names[0]))
        time.sleep(LOOK_S)  # pace
    if toggles:
        gw.statements("sender", f"START PIPE {names[0]}")
    return memory, behind, toggles


def run_case(context, what, nothing, air_gap):
    seconds = context.seconds(20)
    folder = context.folder / f"pipes-{nothing}-{air_gap}"
    with Gateway(folder, profile="none", sender={"pipes": []}, sinks=[{"name": "nothing", "type": "do-nothing"}]) as gw:
        gw.start()
        names = create(gw, nothing, air_gap)
        before = cpu_seconds(gw.sender)
        load = gw.telemetry("", rate=RATE, seconds=seconds, lines=1000)
        memory, behind, toggles = watch(gw, load, names, seconds)
        counts = finish_load(load, 5)
        wait_until(lambda: look(gw, names) == 0, 60, f"{what}: every pipe has delivered everything")
        cpu = cpu_seconds(gw.sender) - before
        gw.stop()
    many = nothing >= MANY
    return {"what": what, "pipes": len(names), "values": counts["values"], "values_per_s": counts["values"] / counts["elapsed"],
            "cpu_s": cpu, "cpu_s_per_million_values": cpu / counts["values"] * 1e6, "anonymous_max_bytes": memory,
            "behind_calm": behind["calm"] if many else None, "behind_toggled": behind["toggled"] if many else None,
            "toggles": toggles}


def run(context):
    records = [run_case(context, *case) for case in CASES]
    by_name = {r["what"]: r["cpu_s_per_million_values"] for r in records}
    one, many = by_name[CASES[1][0]], by_name[CASES[2][0]]
    gap, gap_many = by_name[CASES[3][0]], by_name[CASES[4][0]]
    for record in records:
        record["ratio"] = record["cpu_s_per_million_values"] / (gap if "air-gap" in record["what"] else one)
    return Result(
        title=f"{MANY} pipes on one sender at {RATE:,} values/s",
        method=f"tidegate-telemetry writes {RATE:,} values/s for {context.seconds(20):.0f} s (2000 units × 10 fields, 1000 lines "
               "per request, 2 connections) to a sender whose pipes take everything; profile none. CPU: user + system of all "
               "threads of the sender, from before the load until every pipe has delivered; SHOW PIPES, asked five times a "
               "second where there are many pipes, is in it. The ratio is to one pipe of the kind. Memory: RssAnon, the "
               "largest. Behind: the largest RemainingEventCount of any pipe but the first, at any look; \"toggled\" is the "
               "second half of the run, in which the first pipe is stopped and started all the time.",
        columns=[Column("what", "sender with"), Column("values_per_s", "reached values/s", "{:.0f}"),
                 Column("cpu_s_per_million_values", "CPU s per M values", "{:.2f}"), Column("ratio", "ratio", "{:.2f}"),
                 Column("anonymous_max_bytes", "anonymous MiB, max", "{:.1f}", 2**-20),
                 Column("behind_calm", "behind, calm"), Column("behind_toggled", "behind, toggled"),
                 Column("toggles", "STOP/START")],
        records=records,
        summary=[(f"CPU of {MANY} do-nothing pipes on one sender, to one", f"{many / one:.2f} times"),
                 (f"CPU of one air-gap pipe with {MANY} do-nothing pipes beside it, to it alone", f"{gap_many / gap:.2f} times")])
