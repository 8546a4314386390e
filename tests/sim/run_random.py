#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_random.py N: N random schedules from a seed that nobody chose; passes only with 0 violations."""

import os
import random
import subprocess
import sys
from pathlib import Path


def main():
    program = Path(os.environ.get("TIDEGATE_BIN", "build/release/bin")) / "tidegate-sim"
    seed = random.SystemRandom().randrange(1, 1 << 31)
    command = [str(program), "--schedules", sys.argv[1], "--seed", str(seed), "--jobs", "2"]
    print(" ".join(command), flush=True)
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
