# SPDX-License-Identifier: Apache-2.0
"""Segments and records of a journal folder, read from doc/journal_format.md alone."""

import re
import struct
from collections import namedtuple
from pathlib import Path
from zlib import crc32

from canon import Bad, Cursor, read_batch, read_container, require

SEGMENT_MAGIC, RECORD_MAGIC, HEADER = b"TGJSEG\r\n", b"TGJR", 64
KIND = {"batches": 1, "note": 2, "checkpoint": 3, "sync mark": 4, "footer": 5}
FOLDED = 1

Header = namedtuple("Header", "kind flags meta_size payload_size meta_crc payload_crc first durable_lsn durable_bytes count "
                              "skip")
Record = namedtuple("Record", "segment offset header meta payload")
BadRange = namedtuple("BadRange", "offset end why")
Envelope = namedtuple("Envelope", "codec decoded events values time_min time_max arrival origin hops hashes")
Origin = namedtuple("Origin", "journal generation stream first_seq chain_before")
Checkpoint = namedtuple("Checkpoint", "segment previous_end kept kept_lsn covers written")
Footer = namedtuple("Footer", "last batches others events values time_min time_max arrival_min arrival_max")


def read_identity(folder):
    raw = (folder / "identity").read_bytes()
    found = re.fullmatch(rb"(tidegate-journal 1\njournal ([0-9a-f]{32})\nbirth ([0-9a-f]{32})\nmachine ([^\n]*)\n)"
                         rb"crc ([0-9a-f]{8})\n", raw)
    require(found, "identity: not the five lines of the page")
    require(crc32(found[1]) == int(found[5], 16), "identity: wrong CRC")
    return bytes.fromhex(found[2].decode()), bytes.fromhex(found[3].decode())


def read_envelope(record):
    header, c = record.header, Cursor(record.meta, f"{where(record)}: meta")
    codec, hops, has_origin, _, decoded = c.unpack("BBBBI")
    require(hops <= 8 and has_origin <= 1, f"{where(record)}: {hops} hops, origin flag {has_origin}")
    sums = c.unpack("QQqqq")
    origin = None
    if has_origin:
        journal, generation, stream, _, seq, chain = c.unpack("16sIHHQ16s")
        origin = Origin(journal, generation, stream, seq, chain)
    hops = [c.take(16) for _ in range(hops)]
    hashes = [c.take(16) for _ in range(header.skip + header.count)]
    c.end()
    return Envelope(codec, decoded, *sums, origin, hops, hashes)


def where(record):
    return f"segment {record.segment}, offset {record.offset}, LSN {record.header.first}"


def read_batches(record, envelope, want=False):
    """Every batch of the record that counts, its hash and the sums of the envelope compared."""
    try:
        batches = [read_batch(b, want) for b in read_container(envelope.codec, record.payload, envelope.decoded)]
    except Bad as error:
        raise Bad(f"{where(record)}: {error}") from None
    require([b.hash for b in batches] == envelope.hashes, f"{where(record)}: a content hash differs from the envelope's")
    batches = batches[record.header.skip:]
    check_sums(record, envelope, batches)
    return batches


def check_sums(record, envelope, batches):
    """Sums of the envelope, where it knows them."""
    mine = sum(b.events for b in batches), sum(b.values for b in batches)
    said = envelope.events or mine[0], envelope.values or mine[1]
    require(said == mine, f"{where(record)}: {mine[0]} events with {mine[1]} values, the envelope says {envelope[2:4]}")
    times = [b.times for b in batches if b.times]
    if times and envelope.time_min <= envelope.time_max and all(b.kind == 1 for b in batches):
        found = min(low for low, _ in times), max(high for _, high in times)
        require((envelope.time_min, envelope.time_max) == tuple(min(max(t, -1 << 63), (1 << 63) - 1) for t in found),
                f"{where(record)}: times {found} ns, the envelope says {envelope.time_min} to {envelope.time_max}")


class Segment:
    """One file: its records that count, bad ranges, and where it ends."""

    def __init__(self, path, birth, end, data=None):
        number, first = re.fullmatch(r"segment-(\d{10,})-(\d{20})\.tgj", path.name).groups()
        self.path, self.number, self.first, self.birth = path, int(number), int(first), birth
        self.data = path.read_bytes() if data is None else data
        self.newest = end is None
        self.end = len(self.data) if self.newest else end
        self.torn_at, self.damage, self.records = None, [], []
        self.header_fault = self.check_header()
        self.found = list(self.scan())
        self.judge()

    def check_header(self):
        h = self.data[:72]
        if len(h) < 72 or h[:8] != SEGMENT_MAGIC or struct.unpack_from("<I", h, 68)[0] != crc32(h[:68]):
            self.previous_end = None
            return "segment header is damaged"
        version, size, birth, number, first, self.previous_end = struct.unpack_from("<II16sQQQ", h, 8)
        require(version == 1 and size == 72, f"{self.path.name}: version {version}, header of {size} bytes")
        require((birth, number, first) == (self.birth, self.number, self.first),
                f"{self.path.name}: header is of another journal or segment")
        return None

    def header_at(self, offset):
        raw = self.data[offset:offset + HEADER]
        if len(raw) < HEADER or raw[:4] != RECORD_MAGIC:
            return None
        seed = self.birth + struct.pack("<QQ", self.number, offset)
        if crc32(raw[:60], crc32(seed)) != struct.unpack_from("<I", raw, 60)[0]:
            return None
        h = Header(*struct.unpack("<4xBB2xIIIIQQQII8x", raw))
        require(h.meta_size <= 1_048_800 and h.payload_size <= 1 << 30, f"{self.path.name}: sizes at {offset} above the limits")
        require(h.kind == KIND["batches"] or (h.count, h.skip) == (0, 0) or h.kind not in KIND.values(),
                f"{self.path.name}: a count at {offset} in a record of kind {h.kind}")
        return h

    def scan(self):
        """(record or None, bad range or None) up to what counts, steps 1 to 3 of the page; both: a bad record."""
        at = 72
        while at < self.end:
            header = self.header_at(at) if at + HEADER <= self.end else None
            if header is None:
                start = at
                at = next((o for o in self.magics(at + 8) if self.header_at(o)), self.end)
                yield None, BadRange(start, at, "no record header")
                continue
            meta_at = at + HEADER
            payload_at = meta_at + header.meta_size
            end = payload_at + header.payload_size
            meta, payload = self.data[meta_at:payload_at], self.data[payload_at:end]
            behind = (end + 7) & ~7
            record = Record(self.number, at, header, meta, payload)
            if end > self.end:
                yield record, BadRange(at, behind, "record is cut off")
            elif crc32(meta) != header.meta_crc or crc32(payload) != header.payload_crc:
                yield record, BadRange(at, behind, "wrong CRC of meta or payload")
            else:
                yield record, None
            at = behind

    def magics(self, at):
        while (at := self.data.find(RECORD_MAGIC, at, self.end)) >= 0:
            if at % 8 == 0 and at + HEADER <= self.end:
                yield at
            at += 1

    def judge(self):
        """Step 5: torn or damaged."""
        headers = [record.header for record, _ in self.found if record]
        self.durable = max([73] + [h.durable_bytes for h in headers])
        self.durable_lsn = max([0] + [h.durable_lsn for h in headers])
        for record, bad in self.found:
            if bad is None:
                self.records.append(record)
            elif self.newest and bad.offset >= self.durable:
                self.torn_at = self.end = bad.offset
                break
            else:
                self.damage.append(f"{self.path.name}: bytes {bad.offset} to {bad.end}: {bad.why}")
        promised = self.durable if self.newest else self.end
        if len(self.data) < promised:
            self.damage.append(f"{self.path.name}: {len(self.data)} bytes, but {promised} were promised")
        if self.header_fault:
            self.damage.append(f"{self.path.name}: {self.header_fault}")

    def checkpoint(self):
        first = self.records[0] if self.records else None
        return read_checkpoint(first) if first and first.offset == 72 and first.header.kind == KIND["checkpoint"] else None


def read_checkpoint(record):
    return Checkpoint(*struct.unpack_from("<QQQQQq", record.meta))


def read_segments(folder, birth):
    """(segments, oldest first, without those that may be gone; what is missing). Each one's end comes from its successor."""
    paths = sorted(folder.glob("segment-*.tgj"), key=lambda p: int(p.name.split("-")[1]), reverse=True)
    require(paths, f"{folder}: no segments")
    segments, end, kept = [], None, 0
    for path in paths:
        if int(path.name.split("-")[1]) < kept:
            break
        segment = Segment(path, birth, end)
        opening = segment.checkpoint()
        end = segment.previous_end if segment.previous_end is not None else opening.previous_end if opening else None
        require(end is not None, f"{path.name}: neither header nor checkpoint says where the segment before ends")
        kept = max([kept] + [n for record in segment.records for n in kept_segment(record)])
        segments.insert(0, segment)
    return segments, list(missing(segments, kept))


def kept_segment(record):
    if record.header.kind == KIND["checkpoint"]:
        yield read_checkpoint(record).kept
    if record.header.kind == KIND["note"] and record.meta[0] == 1:
        yield struct.unpack_from("<Q", record.payload)[0]


def missing(segments, kept):
    gaps = [(old.number, new.number) for old, new in zip(segments, segments[1:])]
    for before, after in [(max(kept, 1) - 1, segments[0].number)] + gaps:
        if after > before + 1:
            yield f"segments {before + 1} to {after - 1} are missing"


def check_meta(record):
    """Parts of a record that its own segment can prove."""
    kind, meta = record.header.kind, record.meta
    sizes = {2: 8, 3: 48, 4: 0, 5: 72}
    require(len(meta) >= sizes.get(kind, 0), f"{where(record)}: {len(meta)} bytes of meta")
    require(kind != KIND["batches"] or record.header.count, f"{where(record)}: a record of batches that holds none that count")


class Sums:
    """What a footer must say."""

    def __init__(self):
        self.batches = self.others = self.events = self.values = 0
        self.times, self.arrivals = [], []

    def add(self, record, envelope):
        if envelope is None:
            self.others += record.header.kind not in (KIND["sync mark"], KIND["footer"]) and record.offset != 72
            return
        self.batches += 1
        self.events += envelope.events
        self.values += envelope.values
        self.times += [(envelope.time_min, envelope.time_max)] if envelope.time_min <= envelope.time_max else []
        self.arrivals.append(envelope.arrival)

    def check(self, record):
        f, here = Footer(*struct.unpack_from("<QQQQQqqqq", record.meta)), where(record)
        mine = (record.header.first - 1, self.batches, self.others, self.events, self.values)
        require(f[:5] == mine, f"{here}: footer {f[:5]}, counted {mine}")
        for name, low, high, found in (("time", f.time_min, f.time_max, self.times),
                                       ("arrival", f.arrival_min, f.arrival_max, [(a, a) for a in self.arrivals])):
            wanted = (min(a for a, _ in found), max(b for _, b in found)) if found else None
            require((low, high) == wanted if wanted else low > high, f"{here}: footer {name} {low} to {high}, found {wanted}")


def folder_of(path):
    folder = Path(path)
    require((folder / "identity").is_file(), f"{folder}: no identity: not a complete journal")
    return folder
