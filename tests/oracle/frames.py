# SPDX-License-Identifier: Apache-2.0
"""Outer frames and native messages of one direction of one connection, from doc/wire_format.md alone."""

import re
import struct
import sys
from collections import namedtuple
from pathlib import Path
from zlib import crc32

from canon import Bad, Cursor, chain_next, chain_start, read_batch, read_container, require

PREFIX = b"<!System=IoTDB Version=1.0 Code=UTF-8 Data=1.0!>\n<block:=Free>\n"
SUFFIX = b"\n</block:=Free>"
KINDS = {1: "probe", 2: "hello", 3: "batch", 4: "part", 5: "gap", 6: "ask", 7: "beat", 8: "end", 9: "sealed"}
LARGEST_TOTAL = 1 << 30

Head = namedtuple("Head", "version kind flags session stream lane reserved number salt")


def outer_frames(data):
    """(offset, wrapped, payload) of each frame of a byte stream."""
    at = 0
    while at < len(data):
        start, wrapped = at, data[at:at + 8] == PREFIX[:8]
        if wrapped:
            require(data[at:at + len(PREFIX)] == PREFIX, f"byte {at}: a broken E prefix")
            at += len(PREFIX)
        require(at + 16 <= len(data), f"byte {start}: cut off in the outer header")
        first, second, crc = struct.unpack_from(">IIQ", data, at)
        require(first == second, f"byte {start}: length words {first} and {second}")
        require(first > 8, f"byte {start}: length {first}")
        payload, at = data[at + 16:at + 8 + first], at + 8 + first
        require(at <= len(data), f"byte {start}: cut off, {at - len(data)} bytes are not there")
        require(crc == crc32(payload), f"byte {start}: wrong CRC")
        if wrapped:
            require(data[at:at + len(SUFFIX)] == SUFFIX, f"byte {start}: a broken E suffix")
            at += len(SUFFIX)
        yield start, wrapped, payload


def salted(data, salt):
    """XOR with SplitMix64; its own inverse."""
    if not salt:
        return data
    state, stream, mask = salt, bytearray(), (1 << 64) - 1
    while len(stream) < len(data):
        state = (state + 0x9E3779B97F4A7C15) & mask
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        stream += struct.pack("<Q", z ^ (z >> 31))
    size = len(data)
    return (int.from_bytes(data, "little") ^ int.from_bytes(stream[:size], "little")).to_bytes(size, "little")


def hash_list(c):
    return c.list(lambda: c.take(16), 16)


class Connection:
    """Reads the frames of a connection in order. chains: by (stream, seq), as far as said or computed here. With `holes`
    frames may be missing between others."""

    def __init__(self, holes=False):
        self.holes, self.number, self.session, self.chains, self.parts = holes, 0, None, {}, None
        self.journal = self.sender = None

    def payload(self, payload):
        """One line about the frame; Bad where it contradicts the page or an earlier frame."""
        if payload[0] < 0x80:
            return f"IoTDB version {payload[0]}, request {struct.unpack_from('>H', payload, 1)[0]}, {len(payload)} bytes"
        require(len(payload) >= 24, f"a native frame of {len(payload)} bytes")
        head = Head(*struct.unpack_from("<BBHQHBBII", payload))
        require((head.version, head.flags, head.reserved) == (0x80, 0, 0), f"{head}: version, flags or reserved")
        follows = head.number > self.number if self.holes else head.number == self.number + 1
        require(follows, f"frame number {head.number} after {self.number}")
        require(head.session and self.session in (None, head.session), f"session {head.session} after {self.session}")
        self.number, self.session = head.number, head.session
        c = Cursor(salted(payload[24:], head.salt), f"frame {head.number}")
        if head.kind != 4:
            self.parts = None
        name = KINDS.get(head.kind)
        said = getattr(self, name)(head, c) if name else f"unknown kind {head.kind}, {len(c.rest())} bytes"
        c.end()
        salt = f" salt {head.salt:08x}" if head.salt else ""
        return f"#{head.number} session {head.session} lane {head.lane}{salt} stream {head.stream} {name or ''}: {said}"

    def learn(self, stream, seq, chain):
        known = self.chains.setdefault((stream, seq), chain)
        require(known == chain, f"stream {stream}: chain({seq}) was {known.hex()}, now {chain.hex()}")

    def probe(self, head, c):
        expected = c.one("B")
        require(expected <= 1, f"a probe that expects {expected}")
        return "expects " + ("fail", "ok")[expected]

    def hello(self, head, c):
        if head.stream == 0:
            low, high, hash_id, lanes, required, optional, codecs, largest = c.unpack("BBBBQQQI")
            receiver, self.sender, self.journal, nonce, clock = c.unpack("16s16s16sQq")
            require(low <= 0x80 <= high and hash_id == 1 and required == 0, f"versions {low} to {high}")
            return (f"link versions {low}..{high} hash {hash_id} lanes {lanes} features {required:x}/{optional:x} "
                    f"codecs {codecs:x} largest {largest} receiver {receiver.hex()} sender {self.sender.hex()} "
                    f"journal {self.journal.hex()} nonce {nonce:x} clock {clock} label {c.str()!r}")
        generation, base, base_chain, confirmed, chain, seq = c.unpack("IQ16sQ16sQ")
        if self.journal:
            self.learn(head.stream, 0, chain_start(self.journal, head.stream))
        self.learn(head.stream, base, base_chain)
        self.learn(head.stream, confirmed, chain)
        label, attributes = c.str(), c.list(lambda: (c.str(), c.str()), 8)
        return (f"stream generation {generation} base {base} confirmed {confirmed} {chain.hex()} head {seq} label {label!r} "
                f"{attributes}")

    def batch(self, head, c):
        first, chain, hashes = c.one("Q"), c.take(16), hash_list(c)
        hops = c.one("B")
        require(hops <= 8, f"{hops} hops")
        hops = [c.take(16) for _ in range(hops)]
        require(self.sender is None or self.sender in hops, "the sender's own id is not among the hops")
        codec, decoded = c.unpack("BI")
        require(first and hashes and first + len(hashes) <= 1 << 64, "a frame that holds no batch, or begins at 0")
        batches = [read_batch(b) for b in read_container(codec, c.rest(), decoded)]
        require([b.hash for b in batches] == hashes, f"stream {head.stream} from {first}: a content hash differs")
        self.learn(head.stream, first - 1, chain)
        for seq, content in enumerate(hashes, first):
            chain = chain_next(chain, seq, content)
            self.learn(head.stream, seq, chain)
        events = sum(b.events for b in batches)
        last = first + len(hashes) - 1
        hops = [hop.hex() for hop in hops]
        return f"{first}..{last} {events} events codec {codec} decoded {decoded} hops {hops} chain {chain.hex()}"

    def part(self, head, c):
        seq, offset, total = c.unpack("QII")
        piece = c.rest()
        place = (head.stream, seq, total)
        fits = seq and piece and offset + len(piece) <= total <= LARGEST_TOTAL
        require(fits, f"a part of {seq} from {offset} with {len(piece)} of {total} bytes")
        if offset == 0:
            self.parts = place, b""
        follows = self.parts and self.parts[0] == place and len(self.parts[1]) == offset
        require(follows, f"a part of {seq} at {offset} that does not follow")
        self.parts = place, self.parts[1] + piece
        said = f"{seq} at {offset} with {len(piece)} of {total} bytes"
        if offset + len(piece) < total:
            return said
        body, self.parts = self.parts[1], None
        require(struct.unpack_from("<Q16xI", body) == (seq, 1), f"the parts of {seq} are not a batch frame of it alone")
        return f"{said}, complete: {self.batch(head, Cursor(body, f'parts of {seq}'))}"

    def gap(self, head, c):
        first, last, before, after, reason, events, low, high = c.unpack("QQ16s16sBQqq")
        require(0 < first <= last, f"a gap from {first} to {last}")
        self.learn(head.stream, first - 1, before)
        self.learn(head.stream, last, after)
        return f"{first}..{last} reason {reason} {events} events, times {low} to {high}"

    def ask(self, head, c):
        predicate, negated = c.unpack("BB")
        require(negated <= 1, f"negated {negated}")
        arguments = {
            1: lambda: f"position >= {c.one('Q')}",
            2: lambda: "chains " + ", ".join(f"{s}@{n} = {h.hex()}" for s, n, h in c.list(lambda: c.unpack("HQ16s"), 26)),
            4: lambda: f"reason = {c.one('B')}",
            5: lambda: f"room >= 2^{c.one('B')}",
        }
        unknown = lambda: f"predicate {predicate}, {len(c.rest())} bytes"
        return ("not " if negated else "") + arguments.get(predicate, unknown)()

    def beat(self, head, c):
        clock, report = c.one("q"), c.str()
        require(len(report) <= 65536, f"a beat of {len(report)} bytes")
        return f"clock {clock} {report.decode(errors='replace')}"

    def end(self, head, c):
        return f"{c.str()!r}"

    def sealed(self, head, c):
        suite, key, counter = c.unpack("BIQ")
        return f"suite {suite} key {key} counter {counter}, {len(c.rest())} bytes"


def read_capture(data):
    """Bytes of a capture: binary, or hex with white space and # comments."""
    try:
        text = re.sub(r"#.*", "", data.decode("ascii"))
        return bytes.fromhex(text)
    except ValueError:
        return data


def describe(data, connection=None):
    connection = connection or Connection()
    for offset, wrapped, payload in outer_frames(data):
        try:
            yield f"{offset} {'E ' if wrapped else ''}{connection.payload(payload)}"
        except (Bad, struct.error) as error:
            raise Bad(f"frame at byte {offset}: {error}") from None


def command(options):
    data = sys.stdin.buffer.read() if options.file == "-" else Path(options.file).read_bytes()
    require(print_all(describe(read_capture(data))), "no frames")


def print_all(lines):
    """Prints as it goes: what stands before a contradiction is worth seeing."""
    count = 0
    for count, line in enumerate(lines, 1):
        print(line, flush=True)
    return count
