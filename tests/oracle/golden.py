# SPDX-License-Identifier: Apache-2.0
"""The worked examples of the pages: fenced blocks, each verified by this folder's own readers."""

import re
from collections import Counter
from pathlib import Path

import frames
import segments
from canon import Bad, read_batch, require

FENCE = re.compile(r"^```(\S+)(?: +(\S+))?\n(.*?)^```$", re.M | re.S)


def hex_of(lines, comment):
    return bytes.fromhex("".join(line.split(comment)[0].split(":", 1)[-1] for line in lines))


def batch_parts(block):
    """(canonical bytes, hash) of a ```batch block."""
    lines = block.splitlines()
    said = [line.split()[1] for line in lines if line.startswith("hash ")]
    require(len(said) == 1, "a batch example names one hash")
    return hex_of([line for line in lines if not line.startswith("hash ")], "#"), bytes.fromhex(said[0])


def check_batch(canonical, said):
    batch = read_batch(canonical, True)
    require(batch.hash == said, f"hash {batch.hash.hex()}, the page says {said.hex()}")


def check_segment(data, name):
    """A closed segment of the newest kind: every byte is accounted for."""
    segment = segments.Segment(Path(name), data[16:32], None, data)
    require(not segment.damage and segment.torn_at is None, "; ".join(segment.damage) or f"torn at {segment.torn_at}")
    sums, expected = segments.Sums(), segment.first
    for record in segment.records:
        segments.check_meta(record)
        require(record.header.first == expected, f"LSN {record.header.first} where {expected} is next")
        envelope = segments.read_envelope(record) if record.header.kind == segments.KIND["batches"] else None
        if envelope:
            segments.read_batches(record, envelope)
            expected += record.header.count
        sums.add(record, envelope)
    require(segment.records[-1].header.kind == segments.KIND["footer"], "no footer at the end")
    sums.check(segment.records[-1])


def examples(path):
    """(tag, name, check) of every worked example of the page."""
    page = Path(path).read_text(encoding="utf-8")
    for match in FENCE.finditer(page):
        tag, name, block = match.groups()
        if tag == "batch":
            yield tag, name, check_batch, batch_parts(block)
        elif tag == "hex" and "TGJSEG" in page:
            file = re.findall(r"`(segment-\d{10,}-\d{20}\.tgj)`", page[:match.start()])
            require(file, f"{path}: no file name before the example")
            data = hex_of(block.splitlines(), ";")
            yield tag, file[-1], check_segment, (data, file[-1])
        elif tag in ("frame", "frames"):
            yield tag, name, frames.check_golden, (hex_of(block.splitlines(), "#"),)


def command(options):
    for path in options.pages:
        found = Counter()
        for tag, name, check, parts in examples(path):
            try:
                check(*parts)
            except Bad as error:
                raise Bad(f"{path}: {tag} {name or ''}: {error}") from None
            found[tag] += 1
        require(found, f"{path}: no worked example")
        print(f"{path}: " + ", ".join(f"{count} {tag}" for tag, count in sorted(found.items())))
