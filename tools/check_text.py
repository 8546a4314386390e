#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""House rules that are about text: each is a small function over one file, or over the list of files.

A sleep in a test is allowed only as the interval of a poll that has a deadline, or to pace a load: at most 0.1 s as a literal,
or with the word `poll` or `pace` in a comment on its line. `--self-test` plants a violation of every rule.
"""
import argparse
import ast
import os
import re
import sys

import tree

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LICENCE = "SPDX-License-Identifier: Apache-2.0"
LICENSED = re.compile(r"(\.(h|cc|py|sh|cmake|yaml|service|conf)|CMakeLists\.txt|^dev|^\.ci/run|^\.clang-tidy)$")
LICENCE_EXEMPT = re.compile(r"(^|/)(golden|corpus|data)/")
MARKER = re.compile(r"\b(" + "TO" + "DO|FIX" + "ME|X" + r"XX)\b(?!\(#\d+\))")
CODE = re.compile(r"\.(h|cc|py|sh|cmake|yaml)$|CMakeLists\.txt$|^dev$")
SLEEP = re.compile(r"\b(sleep_for|sleep_until|usleep|nanosleep|time\.sleep|asyncio\.sleep|sleep)\b\s*[( ]\s*(?P<amount>[^);]*)")
SLEEP_IS_FINE = re.compile(r"(//|#).*\b(poll|pace)")
README_LINES = 30
FILE_LINES = 900  # the bar is 600; beyond this it is refused
COLUMNS = 130     # for scripts; clang-format holds C++ to 110
ORACLE_MODULES = {"xxhash", "zstandard"}
FOLDERS_WITHOUT_README = re.compile(r"^(\.|cmake$)")


def licence(path, text):
    head = text.split("\n", 2)[:2]
    if LICENSED.search(path) and not LICENCE_EXEMPT.search(path) and not any(LICENCE in line for line in head):
        yield 1, f"the first line (after #!) must hold '{LICENCE}'"


def markers(path, text):
    if CODE.search(path):
        for number, line in enumerate(text.split("\n"), 1):
            if MARKER.search(line):
                yield number, "an open end without a number: write the marker as TO" + "DO(#12), or finish it"


def is_test(path):
    return path.startswith("tests/") and path.endswith((".cc", ".h", ".py", ".sh")) or path.endswith("_test.cc")


def short_literal(amount):
    """True for a literal of at most 100 ms, in C++ (`milliseconds(20)`, `20ms`), Python or shell seconds."""
    amount = amount.strip()
    if match := re.match(r"(?:std::chrono::)?(milliseconds|microseconds)\((\d+)$|(\d+)(ms|us)$", amount):
        unit, value = (match[1] or match[4]), int(match[2] or match[3])
        return value <= (100 if unit in ("milliseconds", "ms") else 100_000)
    match = re.match(r"(0?\.\d+)\b", amount)
    return bool(match) and float(match[1]) <= 0.1


def sleeps(path, text):
    if not is_test(path):
        return
    for number, line in enumerate(text.split("\n"), 1):
        match = SLEEP.search(line)
        if not match or SLEEP_IS_FINE.search(line) or line.lstrip().startswith(("//", "#")):
            continue
        in_shell = path.endswith(".sh")
        if match[1] == "sleep" and not in_shell:
            if not re.search(r"(^|[^\w.\"'])sleep\(", line):
                continue
        if not short_literal(match["amount"]):
            yield number, "a test waits by sleeping: poll with a deadline, or use virtual time"


def oracle_imports(path, text):
    """tests/oracle is the second opinion: it may know doc/, the standard library and two codecs, never the project."""
    if not re.match(r"tests/oracle/.*\.py$", path):
        return
    own = {name[:-3] for name in os.listdir(os.path.join(ROOT, "tests/oracle")) if name.endswith(".py")} \
        if os.path.isdir(os.path.join(ROOT, "tests/oracle")) else set()
    for node in ast.walk(ast.parse(text)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        for name in names:
            top = name.split(".")[0]
            if top not in sys.stdlib_module_names and top not in ORACLE_MODULES and top not in own:
                yield node.lineno, f"the oracle imports '{name}': it must not share code with what it judges"
            if top == "ctypes":
                yield node.lineno, "the oracle loads native code: it must not share code with what it judges"


def readme_length(path, text):
    if os.path.basename(path) == "README.md" and path != "README.md" and text.count("\n") > README_LINES:
        yield README_LINES + 1, f"a folder's README has at most {README_LINES} lines"


def size(path, text):
    if path.endswith((".h", ".cc", ".py", ".sh")):
        if text.count("\n") > FILE_LINES:
            yield FILE_LINES + 1, f"{text.count(chr(10))} lines: split it (bar 600, limit {FILE_LINES})"
        for number, line in enumerate(text.split("\n"), 1):
            if path.endswith((".py", ".sh")) and len(line) > COLUMNS:
                yield number, f"{len(line)} columns, the limit is {COLUMNS}"


def whitespace(path, text):
    if CODE.search(path) or path.endswith(".md"):
        if text and not text.endswith("\n"):
            yield text.count("\n") + 1, "no newline at the end"
        if "\t" in text and not path.startswith("tests/golden"):
            yield text[: text.index("\t")].count("\n") + 1, "a tab: indent with spaces"


RULES = [licence, markers, sleeps, oracle_imports, readme_length, size, whitespace]


def folders_without_readme(paths):
    have = {os.path.dirname(p) for p in paths if os.path.basename(p) == "README.md"}
    wanted = {p.split("/")[0] for p in paths if "/" in p}
    wanted |= {"/".join(p.split("/")[:2]) for p in paths if p.count("/") >= 2 and p.startswith(("pipe/", "protocol/"))
               and p.endswith((".h", ".cc"))}
    return sorted(f for f in wanted - have if not FOLDERS_WITHOUT_README.search(f))


def check(paths, read):
    found = []
    for path in sorted(paths):
        try:
            text = read(path)
        except UnicodeDecodeError:
            continue
        for rule in RULES:
            found += [f"{path}:{line}: {reason} [{rule.__name__}]" for line, reason in rule(path, text)]
    found += [f"{folder}: has no README.md [folders_without_readme]" for folder in folders_without_readme(paths)]
    return found


HEAD = "// " + LICENCE + "\n"
PLANTED = {
    "base/a.h": ("#pragma once\n", "licence"),
    "base/b.cc": (HEAD + "// TO" + "DO later\n", "markers"),
    "base/c_test.cc": (HEAD + "std::this_thread::sleep_for(std::chrono::seconds(1));\n", "sleeps"),
    "tests/x/y.py": ("# " + LICENCE + "\ntime.sleep(2)\n", "sleeps"),
    "tests/x/z.sh": ("# " + LICENCE + "\nsleep 3\n", "sleeps"),
    "tests/oracle/o.py": ("# " + LICENCE + "\nimport tidegate\n", "oracle_imports"),
    "base/README.md": ("line\n" * 31, "readme_length"),
    "base/d.h": (HEAD + "int x;\n" * 901, "size"),
    "base/e.h": (HEAD + "// no end", "whitespace"),
    "protocol/frame/f.h": (HEAD, "folders_without_readme"),
}
ALLOWED = {
    "base/fine_test.cc": HEAD + "while (!done()) std::this_thread::sleep_for(std::chrono::milliseconds(5));\n// TO" + "DO(#7)\n",
    "tests/x/fine.py": "#!/usr/bin/python3\n# " + LICENCE + "\ntime.sleep(0.05)\ntime.sleep(gap)  # pace\n",
    "tests/oracle/fine.py": "# " + LICENCE + "\nimport struct, xxhash\nfrom zstandard import x\n",
}


def self_test():
    files = {path: text for path, (text, _) in PLANTED.items()} | ALLOWED
    found = check(files, files.__getitem__)
    missed = [path for path, (_, rule) in PLANTED.items()
              if not any(f.startswith(os.path.dirname(path) if rule.startswith("folders") else path) and f"[{rule}]" in f
                         for f in found)]
    false = [f for f in found if f.split(":")[0] in ALLOWED]
    for path in missed:
        print(f"self-test: the violation planted in {path} was not found")
    for f in false:
        print(f"self-test: complaint about an allowed text: {f}")
    return not missed and not false


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--self-test", action="store_true")
    if parser.parse_args().self_test:
        return 0 if self_test() else 1
    paths = tree.files()
    found = check(paths, lambda path: open(os.path.join(ROOT, path), encoding="utf-8").read())
    print("\n".join(found) or f"text: {len(paths)} files, no violation")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
