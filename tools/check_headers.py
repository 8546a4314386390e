#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compiles every header alone, with Clang: a header includes what it uses, and Clang can read it.

The compiler runs under ccache where there is one, so an unchanged header costs milliseconds.
"""
import argparse
import concurrent.futures
import os
import shutil
import subprocess
import sys

import tree

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
COMPILER = ["clang++-19", "-std=c++23", "-Wall", "-Wextra", "-Werror=return-type", "-O0", f"-I{ROOT}", "-c"]

FOR_TESTS = [f'-DTIDEGATE_SOURCE_DIR="{ROOT}"']  # every test program defines it


def compile_alone(header):
    work = os.path.join(ROOT, "build", "headers")
    source = os.path.join(work, header.replace("/", "__") + ".cc")
    os.makedirs(work, exist_ok=True)
    text = f'#include "{header}"\n#include "{header}"  // twice: it must be guarded\n'
    if not os.path.exists(source) or open(source, encoding="utf-8").read() != text:
        with open(source, "w", encoding="utf-8") as file:
            file.write(text)
    launcher = ["ccache"] if shutil.which("ccache") else []
    flags = COMPILER + (FOR_TESTS if header.endswith(("_for_test.h", "_for_tests.h")) else [])
    result = subprocess.run(launcher + flags + [source, "-o", source + ".o"], capture_output=True, text=True, check=False)
    return header, result.returncode, result.stderr


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    headers = tree.files("*.h")
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for header, code, message in pool.map(compile_alone, headers):
            if code != 0:
                failed += 1
                print(f"{header}: does not compile alone\n{message}")
    print(f"headers: {len(headers)} compiled alone, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
