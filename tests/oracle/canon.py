# SPDX-License-Identifier: Apache-2.0
"""Canonical batches, containers, hashes and chains, read from doc/batch_format.md and doc/wire_format.md alone.

Strict: what a page does not allow is refused. Fixed-width columns are stepped over, not unpacked, unless rows are asked for."""

import struct
from collections import namedtuple

import xxhash
import zstandard


class Bad(Exception):
    """Something contradicts the pages; the text says what and where."""


def require(condition, text):
    if not condition:
        raise Bad(text)


def h128(data):
    return xxhash.xxh3_128(data).digest()


def chain_start(journal_id, stream):
    return h128(b"TGCH\x01" + journal_id + struct.pack("<H", stream))


def chain_next(chain, seq, content_hash):
    return h128(chain + struct.pack("<Q", seq) + content_hash)


class Cursor:
    """Reads little-endian parts of `data` in order; running past the end is Bad."""

    def __init__(self, data, what):
        self.data, self.at, self.what = bytes(data), 0, what

    def take(self, size):
        start, end = self.at, self.at + size
        if end > len(self.data):
            raise Bad(f"{self.what}: {size} bytes wanted at {start}, {len(self.data) - start} are left")
        self.at = end
        return self.data[start:end]

    def unpack(self, layout):
        return struct.unpack("<" + layout, self.take(struct.calcsize("<" + layout)))

    def one(self, layout):
        return self.unpack(layout)[0]

    def count(self):
        return int.from_bytes(self.take(4), "little")

    def str(self):
        return self.take(self.count())

    def list(self, item, smallest):
        count = self.count()
        require(count * smallest <= len(self.data) - self.at, f"{self.what}: a count of {count} cannot fit at {self.at}")
        return [item() for _ in range(count)]

    def rest(self):
        return self.take(len(self.data) - self.at)

    def end(self):
        require(self.at == len(self.data), f"{self.what}: {len(self.data) - self.at} bytes too many at the end")


KINDS = {1: "rows", 2: "deletion", 3: "schema", 4: "opaque", 5: "file", 6: "piece", 7: "gap", 8: "fork", 9: "statistics"}
UNIT_NS = (1_000_000_000, 1_000_000, 1_000, 1)
WIDTH = {1: 1, 2: 4, 3: 8, 4: 8, 5: 4, 6: 8, 9: 4, 10: 8}  # 7 and 8 carry their lengths
LETTER = {2: "i", 3: "q", 4: "Q", 5: "f", 6: "d", 9: "i", 10: "q"}
TYPE = {1: "bool", 2: "int32", 3: "int64", 4: "uint64", 5: "float", 6: "double", 7: "text", 8: "blob", 9: "date",
        10: "timestamp"}
ABSENT_ONLY = bytes(1 if b == 2 else 0 for b in range(256))

# events: rows or events; values: without nulls; times: (min, max) in ns or None
Batch = namedtuple("Batch", "kind unit flags source hash events values times body")
Series = namedtuple("Series", "addressing database table columns key times cells")  # cells: (presence, values) by column


def read_batch(canonical, want=False):
    """Batch of its canonical bytes. `body` is a list of Series (kind 1, only if wanted) or of event tuples."""
    c = Cursor(canonical, "batch")
    version, kind, unit, flags = c.unpack("BBBB")
    require(version == 1, f"batch version {version}")
    require(unit <= 3, f"time unit {unit}")
    source = c.str()
    common = (kind, unit, flags, source, h128(c.data))
    if kind not in KINDS:
        return Batch(*common, 0, 0, None, None)
    require(flags & ~1 == 0, f"unknown flags {flags:#x}")
    require(unit == 0 or kind in (1, 2, 7), f"unit {unit} in a batch of kind {KINDS[kind]}, which has no times")
    if kind == 1:
        events, values, times, body = read_sections(c, want)
        times = times and tuple(t * UNIT_NS[unit] for t in times)
    else:
        body = c.list(lambda: EVENT[kind](c), 8)
        events, values, times = len(body), 0, None
    c.end()
    return Batch(*common, events, values, times, body)


def pair(c):
    return c.str(), c.str()


EVENT = {
    2: lambda c: (c.list(c.str, 4), *c.unpack("qq")),
    3: pair,
    4: pair,
    5: lambda c: (c.str(), c.one("Q"), c.take(32), c.list(lambda: pair(c), 8)),
    6: lambda c: (c.take(32), c.one("Q"), c.str()),
    7: lambda c: c.unpack("BQQQqq"),
    8: lambda c: (c.take(16), *c.unpack("HIQQ")),
    9: pair,
}


def ascending(items):
    return all(a < b for a, b in zip(items, items[1:]))


def read_sections(c, want):
    before, seen, found, times = None, set(), [], []
    rows = values = 0
    for _ in range(c.one("I")):
        addressing, database, table = c.one("B"), c.str(), c.str()
        require(addressing <= 1, f"addressing {addressing}")
        require(addressing == 1 or not (database or table), "a tree section with a database or table")
        columns = c.list(lambda: (c.str(), *c.unpack("BB")), 6)
        require(columns and ascending(columns), "columns do not ascend, or there are none")
        require(all(t in TYPE and role <= 1 for _, t, role in columns), "a column with an unknown type or role")
        place = (addressing, database, table, columns)
        require(before is None or before < place, "sections do not ascend")
        before, last = place, None
        count = c.one("I")
        require(count, "a section without series")
        for _ in range(count):
            key = c.list(lambda: pair(c), 8) if addressing else c.str()
            require(not addressing or ascending([tag for tag, _ in key]), "tags do not ascend")
            require(last is None or last < key, "series do not ascend")
            last = key
            name = (addressing, database, table, tuple(key) if addressing else key)
            require(name not in seen, "a series in two sections")
            seen.add(name)
            series, used = read_series(c, place, key, want)
            rows += len(series.times)
            values += used
            times += (min(series.times), max(series.times))
            if want:
                found.append(series)
    return rows, values, (min(times), max(times)) if times else None, found if want else None


def read_series(c, place, key, want):
    rows = c.count()
    require(rows, "a series without rows")
    times = c.unpack(f"{rows}q") if rows * 8 <= len(c.data) - c.at else c.take(rows * 8)
    cells, values, nobody = [], 0, (1 << (8 * rows)) - 1
    for _, kind, _ in place[3]:
        flag, presence, there = c.take(1), bytes(rows), rows
        if flag == b"\1":
            presence = c.take(rows)
            there, nulls, absent = (presence.count(b) for b in (0, 1, 2))
            require(there + nulls + absent == rows, "a presence byte above 2")
            require(there < rows, "presence bytes although all rows have a value")
            require(there + nulls, "a column with neither value nor null in a series of its section")
            nobody &= int.from_bytes(presence.translate(ABSENT_ONLY), "little")
        else:
            require(flag == b"\0", "a presence above 1")
            nobody = 0
        values += there
        cells.append((presence, read_values(c, kind, there, want)))
    require(not nobody, "a row without any value or null")
    return Series(*place, key, times, cells), values


def read_values(c, kind, count, want):
    if kind in (7, 8):
        return [c.str() for _ in range(count)]
    raw = c.take(count * WIDTH[kind])
    require(kind != 1 or raw.count(0) + raw.count(1) == len(raw), "a bool that is neither 0 nor 1")
    if not want:
        return None
    if kind == 1:
        return ["true" if b else "false" for b in raw]
    values = struct.unpack(f"<{count}{LETTER[kind]}", raw)
    if kind in (5, 6):  # a NaN has a payload: bits beside the number
        width = WIDTH[kind]
        return [f"{v!r}/{raw[i * width:(i + 1) * width].hex()}" if v != v else repr(v) for i, v in enumerate(values)]
    return values


def read_zstd(data, decoded_size):
    require(data[:4] == b"\x28\xb5\x2f\xfd", "codec 1 does not begin with a zstd frame")
    decoder = zstandard.ZstdDecompressor().decompressobj()
    try:
        size = zstandard.frame_content_size(data)
        require(size >= 0, "the zstd frame does not say its content size")
        require(size <= decoded_size + 4 + 4 * (decoded_size // 8), f"the zstd frame claims {size} bytes")
        found = decoder.decompress(data)
    except zstandard.ZstdError as error:
        raise Bad(f"zstd: {error}") from None
    require(decoder.eof and len(found) == size, "the zstd frame is cut off")
    require(not decoder.unused_data, "something stands behind the zstd frame")
    return found


def read_container(codec, data, decoded_size):
    """Canonical bytes of each batch."""
    data = bytes(data)
    if codec == 1:
        data = read_zstd(data, decoded_size)
    else:
        require(codec == 0, f"codec {codec} is not on the page")
    c = Cursor(data, "container")
    batches = c.list(c.str, 12)
    c.end()
    require(batches, "a container without batches")
    require(all(len(b) >= 8 for b in batches), "a batch of less than 8 bytes")
    require(sum(map(len, batches)) == decoded_size, f"decoded size is {sum(map(len, batches))}, not {decoded_size}")
    return batches


def text(data):
    return data.decode("utf-8", "backslashreplace").translate({9: "\\t", 10: "\\n", 13: "\\r", 92: "\\\\"})


def row_lines(batch):
    """One line for each row: source, series, time, columns by name; one line for each event of another kind."""
    source = text(batch.source)
    if batch.kind != 1:
        for event in batch.body or [("unknown kind", batch.kind, batch.hash)]:
            yield "\t".join((source, KINDS.get(batch.kind, "?"), repr(event)))
        return
    unit = ("s", "ms", "us", "ns")[batch.unit]
    for s in batch.body:
        key = text(s.key) if not s.addressing else ",".join(
            [text(s.database) + "." + text(s.table)] + [f"{text(t)}={text(v)}" for t, v in s.key])
        iterators = [iter(values) for _, values in s.cells]
        for row, time in enumerate(s.times):
            cells = []
            for (name, kind, role), (presence, _), values in zip(s.columns, s.cells, iterators):
                if presence[row] != 2:
                    value = "null" if presence[row] else next(values)
                    value = "x" + value.hex() if kind == 8 and presence[row] == 0 else value
                    value = f'"{text(value)}"' if isinstance(value, bytes) else value
                    cells.append(f"{text(name)}:{TYPE[kind]}{'@' if role else ''}={value}")
            yield "\t".join((source, key, f"{time}{unit}", " ".join(cells)))
