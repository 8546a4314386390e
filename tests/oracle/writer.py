# SPDX-License-Identifier: Apache-2.0
"""Writes journals and frames for the tests of the oracle, from the same pages: what is written here wrong on purpose must be
noticed there."""

import struct
from zlib import crc32

from canon import chain_next, chain_start, h128, read_batch

BIRTH, OTHER, SENDER = bytes(range(16)), bytes(range(16, 32)), b"S" * 16
CLOCK = 1_700_000_000_000_000


def text(value):
    return struct.pack("<I", len(value)) + value


def batch(time, value=0.5, source=b"s"):
    """Canonical bytes of one row of plant.m,u=1."""
    return (b"\1\1\3\0" + text(source) + struct.pack("<I", 1) + b"\1" + text(b"plant") + text(b"m")
            + struct.pack("<I", 1) + text(b"v") + b"\6\0" + struct.pack("<II", 1, 1) + text(b"u") + text(b"1")
            + struct.pack("<Iq", 1, time) + b"\0" + struct.pack("<d", value))


def event(kind, body):
    return struct.pack("<BBBB", 1, kind, 0, 0) + text(b"s") + struct.pack("<I", 1) + body


def container(batches):
    return struct.pack("<I", len(batches)) + b"".join(text(b) for b in batches)


def chains(journal, stream, contents, start=None, first=1):
    """chain(first - 1), chain(first) ... over the contents."""
    found = [start or chain_start(journal, stream)]
    for seq, content in enumerate(contents, first):
        found.append(chain_next(found[-1], seq, h128(content)))
    return found


def state(*contents):
    """Checkpoint of a journal without streams that holds these batches."""
    hashes = [h128(content) for content in contents]
    starts = sum(struct.unpack_from("<Q", content)[0] for content in hashes) % (1 << 64)
    hours = struct.pack("<qQQQQ", CLOCK // 3_600_000_000, len(hashes), len(hashes), 0, starts) if contents else b""
    return (struct.pack("<BQQHI", 1, len(hashes), 0, 1, len(hashes)) + b"".join(hashes) + bytes(4 * 3) + bytes(4 * 2) + bytes(4)
            + bytes(8) + bytes(4 * 2) + struct.pack("<I", bool(contents)) + hours + bytes(4))


class Writer:
    """One journal, one open segment. Everything is durable as it is written unless `durable` says otherwise."""

    def __init__(self, folder, journal=BIRTH):
        self.folder, self.journal, self.lsn, self.number = folder, journal, 1, 0
        folder.mkdir(parents=True)
        (folder / "quarantine").mkdir()
        body = b"tidegate-journal 1\njournal %s\nbirth %s\nmachine \n" % (journal.hex().encode(), BIRTH.hex().encode())
        (folder / "identity").write_bytes(body + b"crc %08x\n" % crc32(body))
        self.roll(state())

    def roll(self, said, covers=None, previous_end=None, kept=1):
        """The next segment, opened by a checkpoint with this state."""
        previous_end = len(self.data) if previous_end is None and self.number else previous_end or 0
        self.number += 1
        self.path = self.folder / f"segment-{self.number:010}-{self.lsn:020}.tgj"
        head = b"TGJSEG\r\n" + struct.pack("<II16sQQQQI", 1, 72, BIRTH, self.number, self.lsn, previous_end, CLOCK, 0)
        self.data, self.durable, self.counts = head + struct.pack("<I", crc32(head)), None, [0, 0, 0, 0]
        covers = self.lsn - 1 if covers is None else covers
        self.record(3, struct.pack("<QQQQQq", self.number, previous_end, kept, 1, covers, CLOCK), said)
        self.counts = [0, 0, 0, 0]
        return self

    def record(self, kind, meta, payload, count=0, skip=0, flags=0):
        durable = len(self.data) if self.durable is None else self.durable
        head = b"TGJR" + struct.pack("<BBHIIIIQQQIII", kind, flags, 0, len(meta), len(payload), crc32(meta), crc32(payload),
                                     self.lsn, self.lsn - 1 if self.durable is None else 0, durable, count, skip, 0)
        seed = BIRTH + struct.pack("<QQ", self.number, len(self.data))
        self.data += head + struct.pack("<I", crc32(head, crc32(seed))) + meta + payload
        self.data += bytes(-len(self.data) % 8)
        self.counts[1] += kind in (2, 3)
        self.lsn += count
        self.path.write_bytes(self.data)
        return self

    def batches(self, contents, origin=None, skip=0, events=None, hashes=None):
        """origin: (journal, generation, stream, first seq, chain before)."""
        said = [read_batch(c) for c in contents]
        events = sum(b.events for b in said[skip:]) if events is None else events
        meta = struct.pack("<BBBBIQQqqq", 0, 0, bool(origin), 0, sum(map(len, contents)), events, 0, 1, 0, CLOCK)
        if origin:
            journal, generation, stream, first, chain = origin
            meta += struct.pack("<16sIHHQ16s", journal, generation, stream, 0, first, chain)
        meta += b"".join(hashes or [b.hash for b in said])
        self.counts[0] += 1
        self.counts[2] += events
        return self.record(1, meta, container(contents), count=len(contents) - skip, skip=skip)

    def note(self, kind, layout, *values):
        body = b"\1" + b"".join(text(value) if letter == "s" else value if letter == "h" else struct.pack("<" + letter, value)
                                for letter, value in zip(layout, values, strict=True))
        return self.record(2, bytes([kind]) + bytes(7), body)

    def footer(self, wrong=0):
        arrival = (CLOCK, CLOCK) if self.counts[0] else (1, 0)
        return self.record(5, struct.pack("<QQQQQqqqq", self.lsn - 1, *self.counts[:2], self.counts[2] + wrong, self.counts[3],
                                          1, 0, *arrival), b"")

    def near(self, stream=1):
        chain = chain_start(self.journal, stream)
        return self.note(17, "HsQQQhh", stream, b"near", 0, 0, self.lsn - 1, chain, chain)

    def far(self, journal=BIRTH, stream=1):
        self.note(32, "hhQQs", SENDER, journal, 1, 7, b"sender")
        return self.note(33, "hHIQhs", journal, stream, 1, 0, chain_start(journal, stream), b"far")

    def gap(self, journal, stream, first, last, before, chain):
        return self.note(35, "hHIQQQhBQqq", journal, stream, 1, first, last, before, chain, 2, 1, 1, 0)

    def fork(self, journal, stream, generation, base, chain, last):
        return self.note(34, "hHIQhQ", journal, stream, generation, base, chain, last)


def native(number, kind, stream, body, session=5, salt=0, cipher=None):
    head = struct.pack("<BBHQHBBII", 0x80, kind, 0, session, stream, 0, 0, number, salt)
    payload = head + (cipher(body, salt) if salt else body)
    return struct.pack(">IIQ", len(payload) + 8, len(payload) + 8, crc32(payload)) + payload


def batch_body(first, before, contents):
    hashes = b"".join(h128(c) for c in contents)
    return (struct.pack("<Q", first) + before + struct.pack("<I", len(contents)) + hashes
            + struct.pack("<BBI", 0, 0, sum(map(len, contents))) + container(contents))
