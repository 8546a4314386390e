#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Builds and runs the libFuzzer programs (x_fuzz.cc), each from tests/fuzz/corpus/<name>, and prints what each one reached.

New inputs stay in the build folder; `--keep` merges those that add coverage into the corpus that is committed. Stops non-zero
when a program crashes; the input that did it is kept in build/fuzz/crashes and its path is printed.
"""
import argparse
import concurrent.futures
import os
import re
import subprocess
import sys

import tree

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MAX_LENGTH = 1 << 16  # bytes of one input
ENVIRONMENT = dict(os.environ, ASAN_SYMBOLIZER_PATH="/usr/bin/llvm-symbolizer-19")  # names and lines in a crash's stack


def targets(name):
    stems = sorted(os.path.basename(path)[:-3] for path in tree.files("*_fuzz.cc"))
    return [stem for stem in stems if not name or name in stem]


def number(pattern, text):
    matches = re.findall(pattern, text)
    return int(matches[-1]) if matches else 0


def account(output):
    """What of a crash's output a reader needs: the error with its stacks, and where the input is kept."""
    lines = output.strip().splitlines()
    first = next((i for i, line in enumerate(lines) if "ERROR:" in line or "runtime error:" in line), max(0, len(lines) - 40))
    last = next((i for i in range(first, len(lines)) if lines[i].startswith("SUMMARY:")), first + 40)
    return lines[first:last + 1] + [line for line in lines[last + 1:] if "Test unit written" in line]


def fuzz(build, name, seconds, keep):
    corpus = os.path.join(ROOT, "tests/fuzz/corpus", name)
    found = os.path.join(build, "corpus", name)
    crashes = os.path.join(build, "crashes", name)
    for folder in (corpus, found, crashes):
        os.makedirs(folder, exist_ok=True)
    program = os.path.join(build, "bin", name)
    arguments = [f"-max_total_time={seconds}", f"-max_len={MAX_LENGTH}", "-print_final_stats=1",
                 "-timeout=20", "-rss_limit_mb=2048", f"-artifact_prefix={crashes}/"]
    result = subprocess.run([program, *arguments, found, corpus], env=ENVIRONMENT, stdin=subprocess.DEVNULL,
                            capture_output=True, text=True, errors="replace", check=False)
    if keep and result.returncode == 0:
        subprocess.run([program, "-merge=1", corpus, found], stdin=subprocess.DEVNULL, capture_output=True, check=True)
    return name, result.returncode, result.stderr, len(os.listdir(corpus))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", action="store_true", help="add inputs that reach new code to the committed corpus")
    parser.add_argument("seconds", nargs="?", type=int, default=60)
    parser.add_argument("name", nargs="?", default="")
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    names = targets(options.name)
    if not names:
        print(f"no fuzz program matches '{options.name}'" if options.name else "there is no *_fuzz.cc")
        return 1
    subprocess.run(["cmake", "--build", build, "--parallel", str(options.jobs), "--target", *names], check=True)
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        runs = [pool.submit(fuzz, build, name, options.seconds, options.keep) for name in names]
        for run in concurrent.futures.as_completed(runs):
            name, code, output, kept = run.result()
            executions = number(r"stat::number_of_executed_units:\s+(\d+)", output) or number(r"#(\d+)", output)
            edges, features = number(r"cov: (\d+)", output), number(r"ft: (\d+)", output)
            print(f"{name:28} {executions:12,} executions  coverage {edges:6} edges {features:7} features"
                  f"  corpus {kept:5}  {'CRASHED' if code else 'ok'}", flush=True)
            if code != 0:
                failed += 1
                print("    " + "\n    ".join(account(output)))
            elif executions == 0:
                failed += 1
                print("    it ran nothing")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
