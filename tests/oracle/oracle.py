#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The second opinion: a reader of journals, frames and worked examples, written from doc/ alone. See README.md.
Exit code 1 and the reason in the last line at the first thing that contradicts the pages."""

import argparse
import json
import sys

import frames
import golden
import segments
from canon import Bad, read_batch, read_container, require, row_lines
from segments import KIND, where
from state import State


class Journal:
    """A whole folder, read and judged. hashes: content hash by LSN; state: the fold up to the last record, or, where damage
    is allowed, up to the newest checkpoint in front of damage (trusted is then False)."""

    def __init__(self, path, content=True, allow_damage=False):
        folder = segments.folder_of(path)
        self.id, self.birth = segments.read_identity(folder)
        self.segments, missing = segments.read_segments(folder, self.birth)
        self.damage = missing + [text for segment in self.segments for text in segment.damage]
        require(allow_damage or not self.damage, "; ".join(self.damage))
        self.content, self.state, self.hashes = content, None, {}
        self.counts = dict.fromkeys(("records", "batches", "events", "notes"), 0)
        self.expected, self.trusted = self.segments[0].first, True
        for segment in self.segments:
            self.read(segment)
        require(allow_damage or self.expected > self.segments[-1].durable_lsn,
                f"LSNs {self.expected} to {self.segments[-1].durable_lsn} were durable and are lost")
        require(self.state is not None, "no readable checkpoint")

    def read(self, segment):
        self.lsn(segment.first, f"segment {segment.number}")
        sums, self.whole = segments.Sums(), not segment.damage
        for record in segment.records:
            segments.check_meta(record)
            self.lsn(record.header.first, where(record))
            self.counts["records"] += 1
            envelope = segments.read_envelope(record) if record.header.kind == KIND["batches"] else None
            try:
                self.fold(record, envelope)
            except Bad as error:
                raise Bad(f"{where(record)}: {error}") from None
            sums.add(record, envelope)
            if record.header.kind == KIND["footer"] and self.whole:
                sums.check(record)

    def lsn(self, first, what):
        if first != self.expected:
            require(self.damage and first > self.expected, f"{what}: LSN {first} where {self.expected} is next")
            self.expected, self.trusted = first, False

    def fold(self, record, envelope):
        kind, h = record.header.kind, record.header
        if kind == KIND["checkpoint"]:
            self.checkpoint(record)
        elif kind == KIND["note"]:
            self.counts["notes"] += 1
            if self.state and self.trusted and record.meta[0] != 1:
                self.state.note(record.meta[0], record.payload)
        elif envelope:
            if self.content:
                self.counts["events"] += sum(b.events for b in segments.read_batches(record, envelope))
            self.counts["batches"] += h.count
            self.expected += h.count
            self.hashes.update(zip(range(h.first, self.expected), envelope.hashes[h.skip:]))
            if self.state and self.trusted:
                self.state.batches(record, envelope)

    def checkpoint(self, record):
        meta, said = segments.read_checkpoint(record), State(record.payload)
        require(meta.segment == record.segment, f"the checkpoint is of segment {meta.segment}")
        require(meta.covers == said.head, f"the checkpoint covers LSN {meta.covers}, its state has {said.head}")
        said.check_start(self.id, self.birth)
        if self.state is None or not self.trusted:
            self.state, self.trusted = said, self.whole
        elif said.head == self.state.head:
            self.state.compare(said)
        else:
            require(record.offset == 72 and said.head > self.state.head,
                    f"its state is of LSN {said.head}, here {self.state.head}")
            self.ahead(said)

    def ahead(self, said):
        """A segment made after a failed write or sync: the state holds the records that follow marked as folded."""
        for name in ("lines", "floor"):
            for key, value in getattr(self.state, name).items():
                if key in getattr(said, name):
                    getattr(said, name)[key] = value
        self.state = said

    def summary(self):
        s = self.state
        return {
            "journal": self.id.hex(), "segments": [x.number for x in self.segments], **self.counts,
            "first_lsn": self.segments[0].first, "last_lsn": self.expected - 1, "damage": self.damage,
            "torn_at": self.segments[-1].torn_at, "session": s.session,
            "near": [{"stream": n.id, "label": n.label.decode(errors="replace"), "generation": n.generation, "base": n.base,
                      "head": n.head, "chain": n.chain.hex() if n.known else None, "confirmed": n.confirmed}
                     for n in s.near.values()],
            "far": [{"journal": key[0].hex(), "stream": key[1], "generation": f.generation, "base": f.base,
                     "position": f.position, "chain": f.chain.hex(), "ended": f.ended, "gaps": f.gaps, "forks": f.cuts,
                     "orphaned": f.orphaned}
                    for key, f in s.far()],
            "pipes": {name.decode(errors="replace"): lsn for name, (lsn, _) in s.pipes.items()},
            "ledger": s.ledger_last, "ignored_notes": s.ignored_notes}


def command_journal(options):
    summary = Journal(options.folder, allow_damage=options.allow_damage).summary()
    if options.json:
        print(json.dumps(summary))
        return
    for name, value in summary.items():
        for item in value if isinstance(value, list) and value and isinstance(value[0], dict) else [value]:
            print(f"{name}: " + (" ".join(f"{k}={v}" for k, v in item.items()) if isinstance(item, dict) else str(item)))


def command_rows(options):
    for segment in Journal(options.folder, content=False).segments:
        for record in segment.records:
            if record.header.kind == KIND["batches"]:
                envelope = segments.read_envelope(record)
                for canonical in read_container(envelope.codec, record.payload, envelope.decoded)[record.header.skip:]:
                    sys.stdout.writelines(line + "\n" for line in row_lines(read_batch(canonical, True)))


def compare_stream(sender, near, key, far, receiver):
    """(compared, in declared gaps, trimmed) of one stream, up to the receiver's position."""
    what, chains = f"stream {near.id}", sender.state.near_chains[near.id]
    line, floor = receiver.state.lines[key], receiver.state.floor[key]
    require(far.generation <= near.generation, f"{what}: generation {near.generation}, the receiver has {far.generation}")
    compared = gapped = trimmed = 0
    for seq in range(1, far.position + 1):
        content = sender.hashes.get(near.first + seq - 1) if seq <= near.head else None
        if seq not in line and any(a <= seq <= b for a, b in far.gaps):
            gapped += 1
        elif seq not in line or content is None:
            require(seq in line or seq <= floor, f"{what}: {seq} is not in the receiver's journal, in no gap and not trimmed")
            require(content is not None or near.first + seq - 1 < sender.segments[0].first or far.generation < near.generation,
                    f"{what}: {seq} is beyond the sender's journal")
            trimmed += 1
        elif content == line[seq]:
            compared += 1
        else:
            require(far.generation < near.generation and seq > near.base, f"{what}: {seq} has another content at the receiver")
    if far.generation == near.generation:
        require(far.position >= near.confirmed, f"{what}: confirmed {near.confirmed}, but the receiver is at {far.position}")
        require(chains.get(far.position, far.chain) == far.chain, f"{what}: another chain at {far.position}")
    return compared, gapped, trimmed


def command_compare(options):
    sender, receiver = Journal(options.sender), Journal(options.receiver)
    require(sender.state.near, "the sender's journal has no streams of its own")
    total = 0
    for near in sender.state.near.values():
        key = (sender.id, near.id)
        far = receiver.state.far_stream(key)
        if far is None:
            require(near.confirmed == 0, f"stream {near.id}: {near.confirmed} are confirmed, the receiver does not know it")
            print(f"stream {near.id}: not at the receiver, head {near.head}")
            continue
        compared, gapped, trimmed = compare_stream(sender, near, key, far, receiver)
        total += compared
        print(f"stream {near.id}: generation {far.generation}, head {near.head}, confirmed {near.confirmed}, "
              f"received {far.position}: {compared} equal, {gapped} in gaps, {trimmed} trimmed")
    print(f"{total} batches equal")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name, run, text, *arguments):
        sub = commands.add_parser(name, help=text)
        sub.set_defaults(run=run)
        for argument, how in arguments:
            sub.add_argument(argument, **how)

    command("journal", command_journal, "read and verify a journal folder", ("folder", {}),
            ("--json", {"action": "store_true"}),
            ("--allow-damage", {"action": "store_true", "help": "report damage instead of failing"}))
    command("rows", command_rows, "every row as a line", ("folder", {}))
    command("compare", command_compare, "sender against receiver, by content", ("sender", {}), ("receiver", {}))
    command("frames", frames.command, "one direction of a connection, hex or binary", ("file", {}))
    command("golden", golden.command, "verify the worked examples of pages", ("pages", {"nargs": "+"}))
    options = parser.parse_args()
    try:
        options.run(options)
    except (Bad, OSError) as error:
        print(f"oracle: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
