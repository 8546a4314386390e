#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the includes of this repository to the direction that doc/architecture.md draws.

    base <- protocol <- pipe/model <- pipe/journal <- pipe/stream <- pipe/engine <- {pipe/extract, pipe/process, pipe/connect}
         <- {pipe/catalogue, pipe/control} <- pipe/statement <- {sender, receiver};      hw -> protocol, base

Beyond the arrows: every include is root-relative and exists; protocol/ is pure (no sockets, clocks, threads, files); no header
includes Boost.Asio or Beast; sources, processors and sinks do not know each other; nothing lies directly in pipe/. Tests,
fuzz programs and benchmarks may include what they like, but sender/ and receiver/ never each other. `--self-test` plants one
violation of each kind and fails unless every one is found.
"""
import argparse
import os
import re
import sys
import tempfile

import tree

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)

TOWER = ["base", "protocol", "pipe/model", "pipe/journal", "pipe/stream", "pipe/engine"]
ENDPOINTS = ["pipe/extract", "pipe/process", "pipe/connect"]
SURFACE = ["pipe/statement", "pipe/catalogue", "pipe/control"]
EXECUTOR = "pipe/statement"  # carries statements out: the catalogue is what it changes, the audit log where it says so
DAEMONS = ["sender", "receiver"]
HARDWARE = "hw"
PROFILE = {"hw/profile.h", "hw/link_config.h"}  # what one model of gatekeeper allows: all that the daemons know of hw/

LAYERS = {layer: set(TOWER[: i + 1]) for i, layer in enumerate(TOWER)}
LAYERS.update({layer: set(TOWER) | {layer} for layer in ENDPOINTS})
LAYERS.update({layer: set(TOWER) | set(ENDPOINTS) | {layer} for layer in SURFACE})
LAYERS[EXECUTOR] |= set(SURFACE)
LAYERS.update({layer: set(TOWER) | set(ENDPOINTS) | set(SURFACE) | {layer} for layer in DAEMONS})
LAYERS[HARDWARE] = {"base", "protocol", HARDWARE}

IMPURE = re.compile(r"^(chrono|ctime|time\.h|thread|mutex|shared_mutex|condition_variable|future|semaphore|stop_token|fstream|"
                    r"iostream|filesystem|cstdio|stdio\.h|unistd\.h|fcntl\.h|poll\.h|sys/.*|netinet/.*|arpa/.*|boost/asio.*|"
                    r"boost/beast.*|spdlog/.*)$")
IMPURE_OWN = {"base/net.h"}
TEST = re.compile(r"(_(test|fuzz|bench)\.cc|_(test|for_test|for_tests)\.h)$")
HEAVY = re.compile(r"^boost/(asio|beast)\b")


def layer_of(path):
    parts = path.split("/")
    return "/".join(parts[:2]) if parts[0] == "pipe" else parts[0]


def is_test(path):
    return path.startswith(("tests/", "bench/")) or bool(TEST.search(path))


def kin(path, target):
    """Inside one endpoint layer: the files directly in it are for all, a folder in it is for itself."""
    folder, other = os.path.dirname(path), os.path.dirname(target)
    layer = layer_of(path)
    below = folder != layer and other.startswith(folder + "/")
    return other in (layer, folder) or folder.startswith(other + "/") or below


def judge(path, kind, target, exists):
    """Why this include is not allowed, or None."""
    if kind == "<":
        if HEAVY.match(target) and path.endswith(".h"):
            return f"a header includes <{target}>: keep Boost.Asio and Beast inside .cc files, they cost every includer seconds"
        if path.startswith("protocol/") and not is_test(path) and IMPURE.match(target):
            return f"protocol/ is pure, <{target}> brings sockets, clocks, threads or files: take the effect as an input"
        return None
    if not exists(target):
        return f'"{target}" does not exist below the root: project includes are root-relative, system ones take <>'
    source, other = layer_of(path), layer_of(target)
    if {source, other} == set(DAEMONS):
        return f"{source}/ includes {other}/: put what both need into pipe/"
    if is_test(path):
        return None
    if is_test(target):
        return f"product code includes {target}, which is for tests"
    if path.startswith("protocol/") and target in IMPURE_OWN:
        return f'protocol/ is pure, "{target}" is an effect'
    if source in DAEMONS and target in PROFILE:
        return None
    if source in SURFACE and other in SURFACE and os.path.basename(path).endswith("main.cc"):
        return None  # a program stands above the libraries of its folder
    if other not in LAYERS[source]:
        return f"{source} may not include {other}: it may include {', '.join(sorted(LAYERS[source]))}"
    if source == other and source in ENDPOINTS and not kin(path, target):
        return f"{os.path.dirname(path)} includes {os.path.dirname(target)}: sources and sinks do not know each other"
    return None


def check(paths, read):
    """All violations among `paths` as 'path:line: reason'."""
    found = []
    known = set(paths)
    for path in sorted(paths):
        if not path.endswith((".h", ".cc")):
            continue
        layer = layer_of(path)
        if layer not in LAYERS and not is_test(path):
            reason = "lies directly in pipe/" if path.startswith("pipe/") and path.count("/") == 1 else "is in no known layer"
            found.append(f"{path}:1: the file {reason}: {', '.join(LAYERS)}")
            continue
        text = read(path)
        for match in INCLUDE.finditer(text):
            reason = judge(path, match[1], match[2], known.__contains__)
            if reason:
                found.append(f"{path}:{text.count(chr(10), 0, match.start(2)) + 1}: {reason}")
    return found


PLANTED = {  # file: (content, a word of the complaint)
    "base/a.h": ('#include "protocol/frame/f.h"\n', "base may not include protocol"),
    "protocol/frame/f.h": ("#include <chrono>\n", "pure"),
    "protocol/native/n.cc": ("#include <sys/socket.h>\n", "pure"),
    "pipe/model/m.h": ('#include "pipe/journal/j.h"\n', "pipe/model may not include pipe/journal"),
    "pipe/journal/j.h": ('#include "pipe/stream/s.h"\n', "pipe/journal may not include pipe/stream"),
    "pipe/stream/s.h": ('#include "pipe/engine/e.h"\n', "pipe/stream may not include pipe/engine"),
    "pipe/engine/e.h": ('#include "pipe/connect/file/c.h"\n', "pipe/engine may not include pipe/connect"),
    "pipe/connect/file/c.h": ('#include "pipe/connect/influx/i.h"\n', "do not know each other"),
    "pipe/connect/influx/i.h": ('#include "pipe/extract/http/h.h"\n', "pipe/connect may not include pipe/extract"),
    "pipe/extract/http/h.h": ("#include <boost/asio/io_context.hpp>\n", "header includes"),
    "pipe/control/k.h": ('#include "sender/s.h"\n', "pipe/control may not include sender"),
    "pipe/control/l.h": ('#include "pipe/statement/t.h"\n', "pipe/control may not include pipe/statement"),
    "pipe/statement/t.h": ('#include "sender/s.h"\n', "pipe/statement may not include sender"),
    "pipe/stray.h": ("", "lies directly in pipe/"),
    "sender/s.h": ('#include "receiver/r.h"\n', "put what both need"),
    "sender/s_test.cc": ('#include "receiver/r.h"\n', "put what both need"),
    "receiver/r.h": ('#include "hw/emulator.h"\n', "receiver may not include hw"),
    "hw/emulator.h": ('#include "pipe/model/m.h"\n', "hw may not include pipe/model"),
    "hw/local.cc": ('#include "emulator.h"\n', "does not exist"),
    "lib/x.h": ("", "in no known layer"),
    "base/b.cc": ('#include "tests/support/t.h"\n', "product code includes tests"),
    "base/c.cc": ('#include "base/fine_for_test.h"\n', "product code includes base"),
}
ALLOWED = {
    "base/fine.h": "#include <vector>\n",
    "base/fine_for_test.h": "#include <cstdio>\n",
    "hw/profile.h": '#include "base/fine.h"\n',
    "sender/fine.cc": '#include "hw/profile.h"\n#include "pipe/control/k.h"\n#include <boost/asio.hpp>\n',
    "pipe/connect/common.h": "",
    "pipe/connect/file/fine.cc": '#include "pipe/connect/common.h"\n#include "pipe/connect/file/c.h"\n',
    "pipe/model/fine_test.cc": '#include "pipe/journal/j.h"\n#include "tests/support/t.h"\n',
    "protocol/frame/fine_test.cc": "#include <thread>\n",
    "tests/support/t.h": '#include "sender/s.h"\n',
}


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        files = {path: content for path, (content, _) in PLANTED.items()} | ALLOWED
        for path, content in files.items():
            full = os.path.join(folder, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as file:
                file.write(content)
        found = check(files, lambda path: open(os.path.join(folder, path), encoding="utf-8").read())
    missed = [path for path, (_, word) in PLANTED.items() if not any(f.startswith(path + ":") and word in f for f in found)]
    false = [f for f in found if f.split(":")[0] in ALLOWED]
    for path in missed:
        print(f"self-test: the violation planted in {path} was not found")
    for f in false:
        print(f"self-test: complaint about an allowed include: {f}")
    return not missed and not false and len(found) == len(PLANTED)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--self-test", action="store_true")
    if parser.parse_args().self_test:
        return 0 if self_test() else 1
    paths = tree.files("*.h", "*.cc")
    found = check(paths, lambda path: open(os.path.join(ROOT, path), encoding="utf-8").read())
    print("\n".join(found) or f"layering: {len(paths)} files, no violation")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
