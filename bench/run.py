#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The benchmarks of the whole path and of its parts. Prints how each was measured, tables, Markdown; writes JSON.
Exit code 1 when a benchmark failed: then it has no figure, and the others stand."""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import measure  # first: it makes tests/lib known
import catchup_bench
import gateway
import ingest_bench
import latency_bench
import memory_bench
import pipes_bench
import programs_bench
import report

BENCHMARKS = {"ingest": ingest_bench, "journal": programs_bench, "catchup": catchup_bench, "latency": latency_bench,
              "memory": memory_bench, "pipes": pipes_bench}
PROGRAMS = ("tidegate", "tidegate-sender", "tidegate-receiver", "tidegate-gatekeeper", "tidegate-telemetry")


def arguments():
    parser = argparse.ArgumentParser(prog="dev bench", description=__doc__.splitlines()[0])
    parser.add_argument("name", nargs="?", default="all", choices=[*BENCHMARKS, "all"])
    parser.add_argument("--json", type=Path, help="default: build/bench.json, of one benchmark build/bench-NAME.json")
    parser.add_argument("--folder", type=Path, default=Path(os.environ.get("TMPDIR", "/tmp")),
                        help="on the disk to be measured; a folder is made in it and removed")
    parser.add_argument("--backlog", type=float, default=12e6, help="values that catch up")
    parser.add_argument("--quick", action="store_true", help="a tenth of the time, to see that the benchmarks work")
    options = parser.parse_args()
    if options.json is None:
        options.json = measure.ROOT / "build" / ("bench.json" if options.name == "all" else f"bench-{options.name}.json")
    return options


def run_one(name, context):
    """The result, or the reason why there is none."""
    context.say(f"{name} ...")
    began = time.monotonic()
    try:
        result = BENCHMARKS[name].run(context)
    except (measure.Failed, TimeoutError, RuntimeError, OSError, subprocess.SubprocessError) as error:
        context.say(f"{name} FAILED: {error}")
        return None, str(error)
    context.say(f"{name} took {time.monotonic() - began:.0f} s")
    report.show(result)
    return result, None


def main():
    options = arguments()
    for program in PROGRAMS:
        if not (gateway.BIN / program).exists():
            print(f"bench: {gateway.BIN / program} does not exist: `./dev build` makes it", file=sys.stderr)
            return 1
    folder = options.folder / f"tidegate-bench-{os.getpid()}"
    folder.mkdir(parents=True)
    context = measure.Context(folder, options.quick, options.backlog)
    try:
        machine = measure.machine_facts(folder)
        print(report.machine_line(machine))
        if machine["load_average_before"] > 0.5:
            context.say(f"the machine is not quiet: load average {machine['load_average_before']}")
        results, failures = {}, {}
        for name in BENCHMARKS if options.name == "all" else (options.name,):
            result, reason = run_one(name, context)
            if result:
                results[name] = result
            else:
                failures[name] = reason
        if results:
            report.show_markdown(machine, results, options.quick)
        report.write_json(options.json, machine, results, failures, options.quick)
        print(f"\nJSON: {options.json}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for name, reason in failures.items():
        print(f"bench: {name} FAILED: {reason.splitlines()[0]}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
