#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Lists the project's files: what git tracks or would track, or, in a plain copy without git, every file outside build/.

`tree.py PATTERN...` prints the paths whose base name has one of the shell patterns, from the project's root, one per line.
"""
import fnmatch
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def git(*arguments):
    """Standard output of git in this tree, or None. A tree that belongs to another user (a CI's copy) is read all the same."""
    try:
        result = subprocess.run(["git", "-c", f"safe.directory={ROOT}", "-C", ROOT, *arguments], capture_output=True, text=True,
                                check=False)
    except OSError:
        return None
    return result.stdout if result.returncode == 0 else None


def walked():
    for folder, below, names in os.walk(ROOT):
        below[:] = [name for name in below if not (folder == ROOT and name == "build") and name not in (".git", "__pycache__")]
        yield from (os.path.relpath(os.path.join(folder, name), ROOT) for name in names)


def files(*patterns):
    listing = git("ls-files", "--cached", "--others", "--exclude-standard")
    paths = listing.split("\n") if listing is not None else walked()
    return sorted({path for path in paths if path and os.path.isfile(os.path.join(ROOT, path))
                   and (not patterns or any(fnmatch.fnmatch(os.path.basename(path), p) for p in patterns))})


if __name__ == "__main__":
    print("\n".join(files(*sys.argv[1:])))
