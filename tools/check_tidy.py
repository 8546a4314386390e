#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs clang-tidy over every source, remembers what passed, and says plainly what it did not reach.

A source that passed is not looked at again until it, a project header that it reaches, or .clang-tidy changes.
TIDEGATE_TIDY_SECONDS limits the time (0 or unset: no limit); then changed sources come first, the rest in an order that differs
from commit to commit.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import re
import subprocess
import sys
import time

import tree

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.M)
CHANGED_SINCE = "HEAD~10"


def content(path, cache={}):  # noqa: B006: the cache is the point
    if path not in cache:
        try:
            with open(os.path.join(ROOT, path), encoding="utf-8") as file:
                cache[path] = file.read()
        except OSError:
            cache[path] = ""
    return cache[path]


def fingerprint(source):
    """A hash over the source and every project file that it includes, directly or not."""
    seen, todo = set(), [source, ".clang-tidy"]
    while todo:
        path = todo.pop()
        if path not in seen:
            seen.add(path)
            todo += INCLUDE.findall(content(path))
    digest = hashlib.sha256()
    for path in sorted(seen):
        digest.update(path.encode() + b"\0" + content(path).encode() + b"\0")
    return digest.hexdigest()


def in_order(sources):
    changed = set((tree.git("diff", "--name-only", CHANGED_SINCE) or tree.git("diff", "--name-only") or "").split("\n"))
    salt = tree.git("rev-parse", "HEAD") or ""
    return sorted(sources, key=lambda s: (s not in changed, hashlib.sha256((salt + s).encode()).digest()))


def tidy(build, source):
    result = subprocess.run(["clang-tidy-19", "-p", build, "--quiet", source], cwd=ROOT, capture_output=True, text=True,
                            check=False)
    return result.returncode == 0, result.stdout.strip() or result.stderr.strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True, help="a configured build folder")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    limit = float(os.environ.get("TIDEGATE_TIDY_SECONDS") or 0)
    with open(os.path.join(options.build, "compile_commands.json"), encoding="utf-8") as database:
        compiled = {os.path.relpath(entry["file"], ROOT) for entry in json.load(database)}
    sources = tree.files("*.cc")
    # Fuzz programs are compiled by another preset; clang-tidy infers their flags from their neighbours.
    orphans = [path for path in sources if path not in compiled and not path.endswith("_fuzz.cc")]
    for path in orphans:
        print(f"{path}: belongs to no target, so nothing compiles it")
    memory = os.path.join(ROOT, "build", "tidy")
    os.makedirs(memory, exist_ok=True)
    marks = {source: os.path.join(memory, fingerprint(source)) for source in sources}
    fresh = [source for source in in_order(sources) if not os.path.exists(marks[source])]
    deadline = time.monotonic() + limit if limit else float("inf")
    failed, skipped = [], []

    def work(source):
        if time.monotonic() > deadline:
            return source, None, ""
        return source, *tidy(options.build, source)

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for source, passed, output in pool.map(work, fresh):
            if passed is None:
                skipped.append(source)
            elif passed:
                open(marks[source], "w", encoding="utf-8").close()
            else:
                failed.append(source)
                print(f"{source}:\n{output}", flush=True)
    print(f"tidy: {len(sources)} sources, {len(sources) - len(fresh)} unchanged since they passed,"
          f" {len(fresh) - len(skipped)} examined, {len(failed)} failed, {len(skipped)} not reached in {limit:.0f} s")
    for source in skipped:
        print(f"  not reached: {source}")
    return 1 if failed or orphans else 0


if __name__ == "__main__":
    sys.exit(main())
