# SPDX-License-Identifier: Apache-2.0
"""Positions, chains, generations, gaps and forks of a journal, from doc/stream_state.md alone: the checkpoint is read, the
records behind it are folded, and the next checkpoint must say the same."""

import struct
from types import SimpleNamespace as Fields

from canon import Cursor, chain_next, chain_start, require

NOTES = {16: "session used", 17: "stream created", 18: "stream dropped", 19: "confirmed", 20: "fork", 21: "chain mark",
         22: "trim span", 23: "stream closed", 24: "request marks", 25: "stream reserved", 32: "far session",
         33: "far stream open", 34: "far fork", 35: "far gap", 36: "far end", 37: "far approve", 38: "far chains",
         48: "pipe position", 49: "pipe dropped", 50: "ledger entry"}
GAP = "16sHIQQQ16sBQqq"
LAST_HASHES = 256


def fields(c, text):
    """Fields of 'name:layout ...'; s is a str, ? a bool, h an id, hash or chain, else a struct letter."""
    readers = {"s": c.str, "?": lambda: flag(c), "h": lambda: c.take(16)}
    return Fields(**{name: readers.get(kind, lambda k=kind: c.one(k))()
                     for name, kind in (part.split(":") for part in text.split())})


def flag(c):
    value = c.one("B")
    require(value <= 1, f"{c.what}: a bool that is {value}")
    return bool(value)


def runs(c):
    found = c.list(lambda: (c.one("Q"), c.list(lambda: c.take(16), 16)), 12)
    ends = [(first, first + len(chains)) for first, chains in found]
    require(all(a[1] < b[0] for a, b in zip(ends, ends[1:])), f"{c.what}: runs of chains do not ascend, or touch")
    return {first + i: chain for first, chains in found for i, chain in enumerate(chains)}


def read_near(c):
    near = fields(c, "id:H label:s first:Q end:Q head:Q known:? chain:h chain0:h generation:I base:Q base_chain:h "
                     "confirmed:Q confirmed_chain:h")
    near.marks = dict(c.list(lambda: (c.one("Q"), c.take(16)), 24))
    return near


def read_far(c):
    far = fields(c, "id:H generation:I base:Q base_chain:h position:Q chain:h label:s ended:? owed:B")
    require(far.owed <= 2, f"{c.what}: owed {far.owed}")
    far.owed_body = c.unpack("16sHIQ16sQ" if far.owed == 1 else GAP) if far.owed else None
    far.cuts = c.list(lambda: c.unpack("IQ"), 12)
    far.gaps = [gap[3:5] for gap in c.list(lambda: c.unpack(GAP), struct.calcsize("<" + GAP))]
    far.orphaned = c.list(lambda: c.unpack("IQQ"), 20)
    far.kept = runs(c)
    return far


def read_far_journal(c):
    journal = fields(c, "id:h sender:h session:Q nonce:Q superseded:? label:s")
    journal.streams = {far.id: far for far in c.list(lambda: read_far(c), 60)}
    return journal


class State:
    """The fold of one journal. Hashes and chains seen on the way stay for comparing."""

    def __init__(self, payload):
        c = Cursor(payload, "checkpoint")
        version = c.one("B")
        require(version == 1, f"checkpoint version {version}")
        vars(self).update(vars(fields(c, "head:Q session:Q next_stream:H")))
        self.hashes = c.list(lambda: c.take(16), 16)
        self.near = {near.id: near for near in c.list(lambda: read_near(c), 60)}
        self.damaged = c.list(lambda: c.unpack("QQ"), 16)
        self.trims = c.list(lambda: c.unpack("QQQqq"), 40)
        self.journals = {journal.id: journal for journal in c.list(lambda: read_far_journal(c), 40)}
        self.approved = c.list(lambda: c.unpack("16s16s"), 32)
        self.pipes = {name: (lsn, more) for name, lsn, more in c.list(lambda: (c.str(), c.one("Q"), c.str()), 16)}
        self.ledger_last = c.one("Q")
        self.ledger = c.list(lambda: read_entry(c), 40)
        self.counters = dict(c.list(lambda: (c.str(), c.one("Q")), 12))
        self.hours = {hour: sums for hour, *sums in c.list(lambda: c.unpack("qQQQQ"), 40)}
        self.requests = {mark: more for mark, *more in c.list(lambda: c.unpack("16sqQ"), 32)}
        c.end()
        self.ignored_notes = 0
        self.near_chains = {near.id: self.known_near(near) for near in self.near.values()}
        self.far_chains, self.lines, self.floor = {}, {}, {}
        for key, far in self.far():
            self.far_chains[key] = dict(far.kept) | {far.base: far.base_chain, far.position: far.chain}
            self.lines[key], self.floor[key] = {}, far.position

    def far(self):
        return [((journal.id, far.id), far) for journal in self.journals.values() for far in journal.streams.values()]

    @staticmethod
    def known_near(near):
        known = dict(near.marks) | {0: near.chain0, near.base: near.base_chain, near.confirmed: near.confirmed_chain}
        return known | ({near.head: near.chain} if near.known else {})

    # --- batches

    def batches(self, record, envelope):
        first, last = record.header.first, record.header.first + record.header.count - 1
        hashes = envelope.hashes[record.header.skip:]
        if envelope.origin and envelope.origin.first_seq:
            self.far_batches(record, envelope.origin, envelope.hashes, last > self.head)
        if last <= self.head:
            return
        require(first == self.head + 1, f"the state's head is LSN {self.head}, a record begins at {first}")
        if envelope.origin and not envelope.origin.first_seq:
            self.event_written(envelope.origin)
        self.head = last
        self.hashes = (self.hashes + hashes)[-LAST_HASHES:]
        self.hour(envelope, hashes)
        for near in self.near.values():
            for lsn, content in zip(range(first, last + 1), hashes):
                if near.first <= lsn and (not near.end or lsn <= near.end):
                    self.near_batch(near, lsn, content)

    def hour(self, envelope, hashes):
        hour = envelope.arrival // 3_600_000_000
        sums = self.hours.setdefault(hour, [0, 0, 0, 0])
        starts = sum(struct.unpack_from("<Q", content)[0] for content in hashes)
        for i, more in enumerate((len(hashes), envelope.events, envelope.values, starts)):
            sums[i] = (sums[i] + more) % (1 << 64)
        self.hours = dict(sorted(self.hours.items())[-72:])

    def near_batch(self, near, lsn, content):
        seq = lsn - near.first + 1
        require(seq == near.head + 1, f"stream {near.id}: head {near.head}, but LSN {lsn} is its batch {seq}")
        near.head = seq
        if near.known:
            near.chain = chain_next(near.chain, seq, content)
            self.learn(self.near_chains[near.id], seq, near.chain, f"stream {near.id}")
            if seq % 512 == 0:
                self.remember(near, seq, near.chain)

    @staticmethod
    def remember(near, seq, chain):
        near.marks |= {seq: chain} if seq else {}
        near.marks = dict(sorted(near.marks.items())[-1024:])

    @staticmethod
    def learn(known, seq, chain, what):
        require(known.setdefault(seq, chain) == chain, f"{what}: chain({seq}) is {known[seq].hex()}, and here {chain.hex()}")

    def far_batches(self, record, origin, hashes, new):
        key, skip = (origin.journal, origin.stream), record.header.skip
        what = f"far stream {origin.stream} of {origin.journal.hex()}, LSN {record.header.first}"
        far = self.far_stream(key)
        require(far is not None, f"{what}: the stream was never opened")
        require(origin.generation <= far.generation, f"{what}: generation {origin.generation} before its fork")
        first, last = origin.first_seq, origin.first_seq + len(hashes) - 1
        line_end = min([1 << 64] + [base for generation, base in far.cuts if generation > origin.generation])
        if new and origin.generation == far.generation:
            require(first + skip == far.position + 1, f"{what}: position {far.position}, the record goes on at {first + skip}")
        chain = origin.chain_before
        known = self.far_chains[key] if first - 1 <= line_end else {}
        self.learn(known, first - 1, chain, what)
        for seq, content in zip(range(first, last + 1), hashes):
            chain = chain_next(chain, seq, content)
            if seq <= line_end:
                self.learn(known, seq, chain, what)
                if seq >= first + skip:
                    same = self.lines[key].setdefault(seq, content) == content
                    require(same, f"{what}: two contents of {seq} in one generation")
        if new and origin.generation == far.generation:
            far.position, far.chain = last, chain

    def far_stream(self, key):
        journal = self.journals.get(key[0])
        return journal and journal.streams.get(key[1])

    def event_written(self, origin):
        far = self.far_stream((origin.journal, origin.stream))
        require(far is not None and far.owed, "an event of a gap or fork that nothing owes")
        far.owed, far.owed_body = 0, None

    # --- notes

    def note(self, kind, body):
        c = Cursor(body, f"note {NOTES.get(kind, kind)}")
        if kind not in NOTES or c.one("B") != 1:
            self.ignored_notes += 1
            return
        getattr(self, "note_" + NOTES[kind].replace(" ", "_"))(c)
        c.end()

    def note_session_used(self, c):
        self.session = c.one("Q")

    def note_stream_created(self, c):
        n = fields(c, "id:H label:s first:Q end:Q as_of:Q chain0:h chain:h")
        first = n.first or self.head + 1
        as_of = n.as_of if n.first else self.head
        if n.id < self.next_stream or not 0 <= self.head - as_of <= len(self.hashes):
            return
        self.next_stream = n.id + 1
        last = min(as_of, n.end or as_of)
        head = max(0, last - first + 1)
        near = Fields(id=n.id, label=n.label, first=first, end=n.end, head=head, known=True, chain=n.chain, chain0=n.chain0,
                      generation=1, base=0, base_chain=n.chain0, confirmed=0, confirmed_chain=n.chain0, marks={})
        self.near[n.id] = near
        self.near_chains[n.id] = self.known_near(near)
        for lsn in range(as_of + 1, self.head + 1):
            if first <= lsn and (not n.end or lsn <= n.end):
                self.near_batch(near, lsn, self.hashes[lsn - self.head - 1])

    def note_stream_reserved(self, c):
        n = fields(c, "id:H label:s")
        self.next_stream = max(self.next_stream, n.id + 1)

    def note_stream_dropped(self, c):
        n = fields(c, "id:H reason:s")
        self.near.pop(n.id, None)

    def note_confirmed(self, c):
        n = fields(c, "id:H seq:Q chain:h")
        if n.id in self.near:
            near = self.near[n.id]
            near.confirmed, near.confirmed_chain = n.seq, n.chain
            self.mark(n)

    def mark(self, n):
        near = self.near[n.id]
        self.learn(self.near_chains[n.id], n.seq, n.chain, f"stream {n.id}: a mark")
        self.remember(near, n.seq, n.chain)
        if n.seq == near.head:
            near.known, near.chain = True, n.chain

    def note_chain_mark(self, c):
        n = fields(c, "id:H seq:Q chain:h")
        if n.id in self.near:
            self.mark(n)

    def note_fork(self, c):
        n = fields(c, "id:H generation:I base:Q chain:h")
        if n.id in self.near:
            near = self.near[n.id]
            require(n.generation >= near.generation, f"stream {n.id}: generation {near.generation} goes back to {n.generation}")
            self.learn(self.near_chains[n.id], n.base, n.chain, f"stream {n.id}: a fork")
            near.generation, near.base, near.base_chain = n.generation, n.base, n.chain
            near.confirmed, near.confirmed_chain = n.base, n.chain

    def note_trim_span(self, c):
        self.trims.append(c.unpack("QQQqq"))

    def note_stream_closed(self, c):
        n = fields(c, "id:H end:Q chain:h")
        if n.id in self.near:
            near = self.near[n.id]
            near.end, near.head = n.end, n.end - near.first + 1
            near.known, near.chain = True, n.chain
            self.learn(self.near_chains[n.id], near.head, n.chain, f"stream {n.id}: closed")

    def note_request_marks(self, c):
        wall, rows = c.unpack("qQ")
        stored, answered = c.str(), c.str()
        for at in range(0, len(stored) - 15, 16):
            self.requests.setdefault(stored[at:at + 16], [wall, rows])
        for at in range(0, len(answered) - 15, 16):
            self.requests.pop(answered[at:at + 16], None)
        while self.requests:
            oldest = next(iter(self.requests))
            if len(self.requests) <= 8192 and wall - self.requests[oldest][0] <= 15 * 60 * 1_000_000:
                break
            del self.requests[oldest]

    def note_far_session(self, c):
        n = fields(c, "sender:h id:h session:Q nonce:Q label:s")
        journal = self.journals.setdefault(n.id, Fields(id=n.id, superseded=False, streams={}))
        journal.sender, journal.session, journal.nonce, journal.label = n.sender, n.session, n.nonce, n.label

    def note_far_stream_open(self, c):
        n = fields(c, "journal:h id:H generation:I base:Q chain:h label:s")
        require(n.journal in self.journals, "a stream is opened of a journal that never had a session")
        require(n.base or n.chain == chain_start(n.journal, n.id), f"far stream {n.id}: chain(0) is not that of its journal")
        streams, key = self.journals[n.journal].streams, (n.journal, n.id)
        if n.id not in streams:
            streams[n.id] = Fields(id=n.id, generation=n.generation, base=n.base, base_chain=n.chain, position=n.base,
                                   chain=n.chain, ended=False, owed=0, owed_body=None, cuts=[], gaps=[], orphaned=[], kept={})
            self.far_chains[key], self.lines[key], self.floor[key] = {n.base: n.chain}, {}, n.base
        streams[n.id].label = n.label

    def note_far_fork(self, c):
        n = fields(c, "journal:h id:H generation:I base:Q chain:h last:Q")
        key, far = (n.journal, n.id), self.far_stream((n.journal, n.id))
        require(far is not None, "a fork of a far stream that was never opened")
        if n.generation <= far.generation:
            return
        require(n.base <= far.position, f"far stream {n.id}: fork at {n.base}, position {far.position}")
        known = self.far_chains[key]
        self.learn(known, n.base, n.chain, f"far stream {n.id}: fork")
        self.far_chains[key] = {seq: chain for seq, chain in known.items() if seq <= n.base}
        self.lines[key] = {seq: content for seq, content in self.lines[key].items() if seq <= n.base}
        self.floor[key] = min(self.floor[key], n.base)
        far.cuts = [cut for cut in far.cuts if cut[1] < n.base] + [(n.generation, n.base)]
        far.gaps = [gap for gap in far.gaps if gap[0] <= n.base]
        far.orphaned = far.orphaned + [(far.generation, n.base + 1, n.last)] if n.last > n.base else far.orphaned
        far.generation, far.base, far.base_chain, far.position, far.chain = n.generation, n.base, n.chain, n.base, n.chain
        far.owed = 1

    def note_far_gap(self, c):
        journal, stream, _, first, last, _, chain, *_ = body = c.unpack(GAP)
        key, far = (journal, stream), self.far_stream((journal, stream))
        require(far is not None, "a gap of a far stream that was never opened")
        if last > far.position:
            require(first <= far.position + 1, f"far stream {stream}: gap {first} to {last}, position {far.position}")
            self.learn(self.far_chains[key], last, chain, f"far stream {stream}: gap")
            far.gaps.append((first, last))
            far.position, far.chain, far.owed, far.owed_body = last, chain, 2, body

    def note_far_end(self, c):
        n = fields(c, "journal:h id:H reason:s")
        far = self.far_stream((n.journal, n.id))
        require(far is not None, "an end of a far stream that was never opened")
        far.ended = True

    def note_far_approve(self, c):
        sender, journal = c.unpack("16s16s")
        if (journal, sender) not in self.approved:
            self.approved.append((journal, sender))

    def note_far_chains(self, c):
        n = fields(c, "journal:h id:H")
        for seq, chain in runs(c).items():
            if self.far_stream((n.journal, n.id)):
                self.learn(self.far_chains[(n.journal, n.id)], seq, chain, f"far stream {n.id}: kept chain")

    def note_pipe_position(self, c):
        name, lsn, more = c.str(), c.one("Q"), c.str()
        require(len(more) <= 1 << 20, f"pipe {name}: {len(more)} bytes of state")
        self.pipes[name] = (lsn, more)

    def note_pipe_dropped(self, c):
        self.pipes.pop(c.str(), None)

    def note_ledger_entry(self, c):
        entry = read_entry(c)
        if entry[0] > self.ledger_last:
            self.ledger_last = entry[0]
            self.ledger = add_entry(self.ledger, entry)[-256:]
            self.counters[entry[2]] = self.counters.get(entry[2], 0) + entry[7]

    # --- comparing

    def summary(self):
        """What two states must share, by name."""
        found = {"head": self.head, "session": self.session, "next stream": self.next_stream, "last hashes": self.hashes,
                 "pipes": self.pipes, "last ledger number": self.ledger_last, "ledger": self.ledger, "counters": self.counters,
                 "hours": self.hours, "request marks": list(self.requests.items()),
                 "approved": sorted(self.approved), "trims": len(self.trims) > 64 or self.trims}
        for near in self.near.values():
            found |= {f"near stream {near.id} {name}": value for name, value in vars(near).items()}
        for journal in self.journals.values():
            found[f"session of {journal.id.hex()}"] = (journal.sender, journal.session, journal.nonce)
            for far in journal.streams.values():
                found |= {f"far stream {far.id} {name}": getattr(far, name) for name in
                          ("generation", "base", "base_chain", "position", "chain", "label", "ended", "owed", "cuts", "gaps",
                           "orphaned")}
        return found

    def compare(self, said):
        """`said`: the state of a checkpoint that stands here."""
        mine, theirs = self.summary(), said.summary()
        for name in mine | theirs:
            require(mine.get(name) == theirs.get(name),
                    f"the checkpoint says {name} = {show(theirs.get(name))}, the records before it make {show(mine.get(name))}")
        for key, far in said.far():
            for seq, chain in far.kept.items():
                self.learn(self.far_chains[key], seq, chain, f"far stream {key[1]}: a kept chain of the checkpoint")

    def check_start(self, journal_id, birth):
        """Chains that need no history."""
        for near in self.near.values():
            require(journal_id != birth or near.chain0 == chain_start(journal_id, near.id), f"stream {near.id}: wrong chain(0)")
            require(near.confirmed <= near.head or near.confirmed == near.base, f"stream {near.id}: confirmed is beyond head")
        for (journal, stream), far in self.far():
            require(far.base or far.base_chain == chain_start(journal, stream), f"far stream {stream}: wrong chain(0)")
            require(far.position >= far.base, f"far stream {stream}: position {far.position} below its base {far.base}")


def add_entry(entries, entry):
    """Counts of an hour are one entry: the same kind, journal and stream, the wall clock less than an hour behind."""
    number, wall, kind, journal, stream, *_, amount, _ = entry
    for i in reversed(range(len(entries))):
        e = entries[i]
        if kind in (b"duplicates", b"loop") and e[2:5] == (kind, journal, stream) and 0 <= wall - e[1] < 3_600_000_000:
            return entries[:i] + [(*e[:7], e[7] + amount, e[8])] + entries[i + 1:]
    return entries + [entry]


def read_entry(c):
    return (*c.unpack("Qq"), c.str(), *c.unpack("16sHQQQ"), c.str())


def show(value):
    return value.hex() if isinstance(value, bytes) else f"{len(value)} items" if isinstance(value, (list, dict)) else value
