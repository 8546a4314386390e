# SPDX-License-Identifier: Apache-2.0
"""Journal and codecs alone: runs the Google Benchmark programs and picks figures."""

import json
import os
import subprocess

from gateway import BIN
from measure import Column, Failed, Result, short

# program, its name of the benchmark, our words, key of its JSON that counts per second, unit, in the summary
PICKS = (
    ("journal_bench", "append/4096", "journal: append 4 KiB", "items_per_second", "records/s", False),
    ("journal_bench", "append/65536", "journal: append 64 KiB", "items_per_second", "records/s", True),
    ("journal_bench", "append_and_sync/256/1/real_time", "journal: append 256 B, sync each", "items_per_second",
     "records/s", True),
    ("journal_bench", "append_and_sync/4096/100/real_time", "journal: append 100 × 4 KiB, sync", "items_per_second",
     "records/s", False),
    ("journal_bench", "append_and_sync/1048576/16/real_time", "journal: append 16 × 1 MiB, sync", "items_per_second",
     "records/s", False),
    ("journal_bench", "read_sequentially/4096", "journal: read 4 KiB", "items_per_second", "records/s", False),
    ("journal_bench", "read_sequentially/65536", "journal: read 64 KiB", "items_per_second", "records/s", True),
    ("ingest_bench", "body_to_synced/plain/min_time:3.000/real_time", "body → synced in one process, plain", "values/cpu_s",
     "values/CPU s", False),
    ("ingest_bench", "body_to_synced/gzip/min_time:3.000/real_time", "body → synced in one process, gzip", "values/cpu_s",
     "values/CPU s", False),
    ("line_protocol_bench", "BM_ParseTelemetry/10", "line protocol: parse", "values", "values/s", True),
    ("line_protocol_bench", "BM_WriteTelemetry", "line protocol: write", "values", "values/s", True),
    ("model_bench", "BM_BatchBuilder/1000/10/10", "batch: build and hash", "items_per_second", "values/s", True),
    ("model_bench", "BM_ForEachRow/1000/10/10", "batch: read rows", "items_per_second", "values/s", False),
    ("model_bench", "BM_EncodeZstd1/1000/10/10", "container: zstd level 1, encode", "items_per_second", "values/s", True),
    ("model_bench", "BM_DecodeZstd1/1000/10/10", "container: zstd, decode", "items_per_second", "values/s", True),
)


def per_benchmark_s(context):
    return context.seconds(0.2)


def run_program(context, program, names):
    path = BIN / program
    if not path.exists():
        raise Failed(f"{path} does not exist: was it built with TIDEGATE_BENCH=ON?")
    command = [str(path), "--benchmark_format=json", f"--benchmark_min_time={per_benchmark_s(context)}",
               "--benchmark_filter=" + "|".join(f"^{name}$" for name in names)]
    environment = dict(os.environ, TMPDIR=str(context.folder), TIDEGATE_BENCH_DIR=str(context.folder))
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90, check=False)
    except subprocess.TimeoutExpired:
        raise Failed(f"{program} did not end within 90 s") from None
    if done.returncode != 0:
        raise Failed(f"{program} ended with code {done.returncode}: {done.stderr[-500:]}")
    found = {b["name"]: b for b in json.loads(done.stdout)["benchmarks"]}
    for name in names:
        if name not in found:
            raise Failed(f"{program} has no benchmark {name}")
        if found[name].get("error_occurred"):
            raise Failed(f"{program} {name}: {found[name].get('error_message')}")
    return found


def record_of(pick, found):
    program, name, words, key, unit, _ = pick
    return {"what": words, "benchmark": f"{program} {name}", "per_second": found[name][key], "unit": unit,
            "bytes_per_second": found[name].get("bytes_per_second"), "iterations": found[name]["iterations"]}


def run(context):
    programs = {}
    for program, name, *_ in PICKS:
        programs.setdefault(program, []).append(name)
    found = {program: run_program(context, program, names) for program, names in programs.items()}
    records = [record_of(pick, found[pick[0]]) for pick in PICKS]
    for record in records:
        record["shown"] = short(record["per_second"])
    return Result(
        title="Journal and codecs alone",
        method=f"Google Benchmark programs, one thread unless said, at least {per_benchmark_s(context)} s each. Journal: real "
               "files on this machine's disk; \"append\" is without its sync (CPU time), the rows with \"sync\" are wall time "
               "with fdatasync, \"read\" is from the page cache with every checksum verified. Body → synced: the HTTP "
               "source's reader and parser, batches and a real journal without sockets, 3 s each, all threads' CPU. Line "
               "protocol: 4 tags, 10 fields (write: 1 tag, 5 fields). Batch and container: 1000 series × 10 fields × 10 "
               "rows, random walks with two decimals.",
        columns=[Column("what", "what"), Column("shown", "per second"), Column("unit", "unit"),
                 Column("bytes_per_second", "MB/s", "{:.0f}", 1e-6)],
        records=records,
        summary=[(pick[2], f"{r['shown']} {r['unit']}") for pick, r in zip(PICKS, records) if pick[5]])
