# SPDX-License-Identifier: Apache-2.0
"""The worked examples of the pages: fenced blocks, each verified by this folder's own readers."""

import re
import struct
from collections import Counter
from pathlib import Path

import frames
import segments
from canon import Bad, chain_next, chain_start, read_batch, require

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


def check_frame(data, before):
    """One frame, behind those of the same connection that are shown with lower numbers."""
    connection = frames.Connection(holes=True)
    for earlier in before:
        list(frames.describe(earlier, connection))
    require(len(list(frames.describe(data, connection))) == 1, "not one frame")


def frame_number(data):
    _, _, payload = next(frames.outer_frames(data))
    return struct.unpack_from("<I", payload, 16)[0]


def check_vectors(canonical, content, chain0, chain1, stream):
    require(read_batch(canonical).hash == content, "content-hash")
    require(chain_start(bytes(range(16)), 1) == chain0, "chain-0")
    require(chain_next(chain0, 1, content) == chain1, "chain-1")
    require(frames.salted(bytes(8), 1) == stream, "splitmix64-1")


def wire_examples(page):
    blocks = [(match[1], match[2], hex_of(match[3].splitlines(), "#")) for match in FENCE.finditer(page)]
    vectors = {name: data for tag, name, data in blocks if tag == "vector"}
    shown = {name: data for tag, name, data in blocks if tag == "frame"}
    yield "vector", "all", check_vectors, [vectors.pop(name) for name in
                                           ("canonical", "content-hash", "chain-0", "chain-1", "splitmix64-1")]
    require(not vectors, f"vectors that nobody checks: {', '.join(vectors)}")
    ordered = sorted(shown, key=lambda name: frame_number(shown[name]))
    for i, name in enumerate(ordered):
        yield "frame", name, check_frame, (shown[name], [shown[earlier] for earlier in ordered[:i]])


def examples(path):
    """(tag, name, check) of every worked example of the page."""
    page = Path(path).read_text(encoding="utf-8")
    if "```frame" in page:
        yield from wire_examples(page)
        return
    for match in FENCE.finditer(page):
        tag, name, block = match.groups()
        if tag == "batch":
            yield tag, name, check_batch, batch_parts(block)
        elif tag == "hex" and "TGJSEG" in page:
            file = re.findall(r"`(segment-\d{10,}-\d{20}\.tgj)`", page[:match.start()])
            require(file, f"{path}: no file name before the example")
            data = hex_of(block.splitlines(), ";")
            yield tag, file[-1], check_segment, (data, file[-1])


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
