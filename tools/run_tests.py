#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs what CTest knows in a build folder and counts it honestly.

A GoogleTest program counts by its test cases (read from its JSON report), every other test counts as one. A program
that dies before it reports, or that has no test case, is a failure. Exit code 77 of a script means skipped; its last
line of output is the reason. The last line printed is `N passed, N failed, N skipped`; zero passed is a failure.
"""
import argparse
import concurrent.futures
import json
import os
import re
import signal
import subprocess
import sys
import time

DEFAULT_TIMEOUT = 900  # seconds, for tests without a TIMEOUT property
SKIPPED = 77
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Test:
    def __init__(self, entry, build):
        properties = {p["name"]: p["value"] for p in entry.get("properties", [])}
        self.name = entry["name"]
        self.command = entry.get("command", [])
        self.timeout = float(properties.get("TIMEOUT", DEFAULT_TIMEOUT))
        self.skip_code = int(properties.get("SKIP_RETURN_CODE", SKIPPED))
        self.folder = properties.get("WORKING_DIRECTORY", build)
        self.environment = dict(pair.split("=", 1) for pair in properties.get("ENVIRONMENT", []))
        self.is_gtest = len(self.command) == 1 and self.command[0].endswith("_test")
        self.report = os.path.join(build, "test-reports", self.name + ".json")
        self.arguments = []

    def restrict_to(self, pattern):
        """Keeps what the pattern names; False if that is nothing."""
        if pattern.search(self.name):
            return True
        if not self.is_gtest:
            return False
        cases = [case for case in self.cases() if pattern.search(case)]
        self.arguments = ["--gtest_filter=" + ":".join(cases)]
        return bool(cases)

    def cases(self):
        listing = subprocess.run(self.command + ["--gtest_list_tests"], capture_output=True, text=True, check=False)
        suite = ""
        for line in listing.stdout.splitlines():
            if line.startswith("  "):
                yield suite + line.split("#")[0].strip()
            elif line.endswith(".") or ".  #" in line:
                suite = line.split("#")[0].strip()


class Outcome:
    def __init__(self):
        self.passed = 0
        self.failed = []  # (name, output)
        self.skipped = []  # (name, reason)
        self.seconds = 0.0


def run_process(test, bin_folder):
    environment = dict(os.environ, TIDEGATE_BIN=bin_folder, TIDEGATE_SOURCE_DIR=ROOT, GTEST_OUTPUT="json:" + test.report)
    environment.update(test.environment)
    process = subprocess.Popen(test.command + test.arguments, cwd=test.folder, env=environment, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        output, _ = process.communicate(timeout=test.timeout)
        code = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # the group of this test only: its own daemons go with it
        output, _ = process.communicate()
        output += f"\nstopped after {test.timeout:.0f} s\n".encode()
        code = -signal.SIGKILL
    return code, output.decode(errors="replace")


def count_cases(test, code, output, outcome):
    if not os.path.exists(test.report):
        outcome.failed.append((test.name, output + f"\n(ended with code {code} before it could report)"))
        return
    with open(test.report, encoding="utf-8") as report:
        suites = json.load(report)["testsuites"]
    cases = [case for suite in suites for case in suite["testsuite"] if case["status"] == "RUN"]
    broken = 0
    for case in cases:
        name = f"{case['classname']}.{case['name']}"
        if case.get("failures"):
            outcome.failed.append((name, "\n".join(f["failure"] for f in case["failures"])))
            broken += 1
        elif case.get("result") == "SKIPPED":
            outcome.skipped.append((name, skip_reason(name, output)))
        else:
            outcome.passed += 1
    if not cases:
        outcome.failed.append((test.name, "it holds no test case"))
    elif code != 0 and not broken:
        outcome.failed.append((test.name, output + f"\n(all cases passed, but it ended with code {code})"))


def skip_reason(name, output):
    """What GTEST_SKIP() was given: the text between the start of the case and its SKIPPED line."""
    block = re.search(rf"\[ RUN +\] {re.escape(name)}\n(.*?)\[  SKIPPED \]", output, re.S)
    lines = [line.strip() for line in block.group(1).splitlines() if line.strip()] if block else []
    lines = [line for line in lines if not re.search(r": Skipped$|^Skipped$", line)]
    return " ".join(lines) or "no reason given"


def run(test, bin_folder):
    outcome = Outcome()
    began = time.monotonic()
    if os.path.exists(test.report):
        os.unlink(test.report)
    if not test.command or not os.path.exists(test.command[0]):
        outcome.failed.append((test.name, "its program has not been built"))
        return outcome
    code, output = run_process(test, bin_folder)
    if test.is_gtest:
        count_cases(test, code, output, outcome)
    elif code == 0:
        outcome.passed = 1
    elif code == test.skip_code:
        outcome.skipped.append((test.name, (output.strip().splitlines() or ["no reason given"])[-1]))
    else:
        outcome.failed.append((test.name, output + f"\n(ended with code {code})"))
    outcome.seconds = time.monotonic() - began
    return outcome


def show(test, outcome):
    state = "FAILED" if outcome.failed else "ok"
    print(f"{test.name:44} {outcome.passed:5} passed {len(outcome.failed):3} failed {len(outcome.skipped):3} skipped"
          f" {outcome.seconds:7.1f} s  {state}", flush=True)
    for name, output in outcome.failed:
        lines = output.strip().splitlines()
        if len(lines) > 80:
            lines = [f"… {len(lines) - 80} lines left out …"] + lines[-80:]
        print(f"  FAILED {name}\n    " + "\n    ".join(lines), flush=True)


def load(build):
    listing = subprocess.run(["ctest", "--test-dir", build, "--show-only=json-v1"], capture_output=True, text=True, check=True)
    return [Test(entry, build) for entry in json.loads(listing.stdout)["tests"]]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("filter", nargs="?", help="regular expression over test programs, scripts and Suite.Case names")
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    os.makedirs(os.path.join(build, "test-reports"), exist_ok=True)
    tests = load(build)
    if options.filter:
        pattern = re.compile(options.filter)
        tests = [test for test in tests if test.restrict_to(pattern)]

    outcomes = []

    def record(test, outcome):
        outcomes.append(outcome)
        show(test, outcome)

    bin_folder = os.path.join(build, "bin")
    programs = [test for test in tests if test.is_gtest]
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        running = {pool.submit(run, test, bin_folder): test for test in programs}
        for done in concurrent.futures.as_completed(running):
            record(running[done], done.result())
    for test in tests:  # scripts start daemons and measure time: one at a time
        if not test.is_gtest:
            record(test, run(test, bin_folder))

    for name, reason in sorted(pair for outcome in outcomes for pair in outcome.skipped):
        print(f"skipped {name}: {reason}")
    for name in sorted(name for outcome in outcomes for name, _ in outcome.failed):
        print(f"failed {name}")
    passed = sum(outcome.passed for outcome in outcomes)
    failed = sum(len(outcome.failed) for outcome in outcomes)
    skipped = sum(len(outcome.skipped) for outcome in outcomes)
    if passed + failed + skipped == 0:
        print(f"no test matches {options.filter!r}" if options.filter else "there is no test")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 0 if passed > 0 and failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
