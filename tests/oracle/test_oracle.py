#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The second opinion is worth something only if it notices: worked examples of the pages, and journals and frames with one
thing wrong."""

import contextlib
import io
import struct
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace

import zstandard

import frames
import golden
import oracle
import writer
from canon import Bad, h128, read_batch, read_container
from writer import BIRTH, OTHER, Writer, batch, chains

DOC = Path(__file__).resolve().parents[2] / "doc"
BATCHES, JOURNAL, WIRE = (DOC / name for name in ("batch_format.md", "journal_format.md", "wire_format.md"))
PAGES = BATCHES, JOURNAL, WIRE


def noticed(check, *parts):
    try:
        check(*parts)
    except (Bad, struct.error):
        return True
    return False


def flips(data, bits=(0x01, 0x80)):
    for at in range(len(data)):
        for bit in bits:
            yield at, data[:at] + bytes([data[at] ^ bit]) + data[at + 1:]


class Pages(unittest.TestCase):
    def test_every_worked_example_of_the_pages_is_right(self):
        with contextlib.redirect_stdout(io.StringIO()):
            golden.command(SimpleNamespace(pages=PAGES))

    def test_every_flipped_byte_of_a_batch_is_noticed(self):
        for _, name, check, (data, said) in golden.examples(BATCHES):
            for at, flipped in flips(data):
                self.assertTrue(noticed(check, flipped, said), f"{name}: byte {at}")

    def test_every_shorter_batch_is_refused_whatever_its_hash(self):
        for _, name, _, (data, _) in golden.examples(BATCHES):
            for size in range(len(data)):
                self.assertTrue(noticed(read_batch, data[:size]), f"{name}: {size} bytes")
            self.assertTrue(noticed(read_batch, data + b"\0"), f"{name}: a byte more")

    def test_every_flipped_byte_of_a_segment_is_noticed_or_padding(self):
        for _, _, check, (data, name) in golden.examples(JOURNAL):
            free = [at for at, flipped in flips(data, (0x10,)) if not noticed(check, flipped, name)]
            self.assertEqual(free, [0xbd, 0xbe, 0xbf, 0x196, 0x197, *range(0x1e2, 0x1e8)])

    def test_every_flipped_byte_of_a_frame_is_noticed(self):
        found = [example for example in golden.examples(WIRE) if example[0] == "frame"]
        self.assertGreater(len(found), 10)
        for _, name, check, (data, before) in found:
            for at, flipped in flips(data, (0x04,)):
                self.assertTrue(noticed(check, flipped, before), f"{name}: byte {at}")

    def test_every_frame_of_the_page_depends_on_those_before_it(self):
        shown = {name: parts for tag, name, _, parts in golden.examples(WIRE) if tag == "frame"}
        data, before = shown["part-final"]
        self.assertTrue(noticed(golden.check_frame, data, before[:-1]))


class Canonical(unittest.TestCase):
    """Other ways to write the same rows."""

    def rows(self, columns, series, sections=1):
        body = b"\0" + bytes(8) + struct.pack("<I", len(columns)) + b"".join(
            writer.text(name) + bytes([kind, 0]) for name, kind in columns) + struct.pack("<I", len(series)) + b"".join(series)
        return b"\1\1\0\0" + writer.text(b"s") + struct.pack("<I", sections) + body * sections

    def series(self, key, times, *columns):
        return writer.text(key) + struct.pack(f"<I{len(times)}q", len(times), *times) + b"".join(columns)

    def test_the_canonical_form_is_read(self):
        batch = read_batch(self.rows([(b"a", 1), (b"a", 7)], [
            self.series(b"d", [2, 1], b"\0\0\1", b"\1\1\2"), self.series(b"e", [1], b"\1\1", b"\0" + writer.text(b"x"))]), True)
        self.assertEqual((batch.events, batch.values, batch.times), (3, 3, (10**9, 2 * 10**9)))
        self.assertEqual(list(oracle.row_lines(batch)),
                         ["s\td\t2s\ta:bool=false a:text=null", "s\td\t1s\ta:bool=true", 's\te\t1s\ta:bool=null a:text="x"'])

    def test_every_other_way_to_write_it_is_refused(self):
        one, row = [(b"a", 1)], b"\0\1"
        d = self.series(b"d", [1], row)
        wrong = {
            "columns descend": self.rows([(b"b", 1), (b"a", 1)], [self.series(b"d", [1], row, row)]),
            "column twice": self.rows([(b"a", 1)] * 2, [self.series(b"d", [1], row, row)]),
            "no columns": self.rows([], [self.series(b"d", [1])]),
            "unknown type": self.rows([(b"a", 11)], [d]),
            "series descend": self.rows(one, [self.series(b"e", [1], row), d]),
            "series twice": self.rows(one, [d, d]),
            "no series": self.rows(one, []),
            "section twice": self.rows(one, [d], 2),
            "no rows": self.rows(one, [self.series(b"d", [], b"\0")]),
            "bool 2": self.rows(one, [self.series(b"d", [1], b"\0\2")]),
            "presence 2": self.rows(one, [self.series(b"d", [1], b"\2\1")]),
            "presence byte 3": self.rows(one, [self.series(b"d", [1, 2], b"\1\0\3\1")]),
            "presence of nobody missing": self.rows(one, [self.series(b"d", [1], b"\1\0\1")]),
            "row without anything": self.rows(one, [self.series(b"d", [1, 2], b"\1\0\2\1")]),
            "column that nobody uses": self.rows([(b"a", 1), (b"b", 1)], [self.series(b"d", [1], row, b"\1\2")]),
            "version": b"\2" + batch(1)[1:],
            "flags": batch(1)[:3] + b"\2" + batch(1)[4:],
            "unit": batch(1)[:2] + b"\4" + batch(1)[3:],
            "unit of a fork": b"\1\x08\1\0" + writer.event(8, bytes(38))[4:],
        }
        for name, data in wrong.items():
            self.assertTrue(noticed(read_batch, data), name)

    def test_an_unknown_kind_is_carried_as_it_is(self):
        self.assertEqual(read_batch(b"\1\x63\0\xff" + writer.text(b"s") + b"anything").kind, 0x63)


class Containers(unittest.TestCase):
    def setUp(self):
        self.batches = [batch(1), batch(2)]
        self.raw = writer.container(self.batches)
        self.size = sum(map(len, self.batches))

    def compressed(self, **options):
        return zstandard.ZstdCompressor(write_checksum=True, **options).compress(self.raw)

    def test_both_codecs_give_the_batches_again(self):
        self.assertEqual(read_container(0, self.raw, self.size), self.batches)
        self.assertEqual(read_container(1, self.compressed(), self.size), self.batches)

    def test_every_shorter_and_longer_container_is_refused(self):
        for codec, data in ((0, self.raw), (1, self.compressed())):
            for size in range(len(data)):
                self.assertTrue(noticed(read_container, codec, data[:size], self.size), f"codec {codec}: {size} bytes")
            for more in (b"\0", data):
                self.assertTrue(noticed(read_container, codec, data + more, self.size), f"codec {codec}: more behind")

    def test_what_the_page_does_not_allow_is_refused(self):
        streamed = zstandard.ZstdCompressor().compressobj()
        wrong = {"decoded size": (0, self.raw, self.size + 1), "codec": (2, self.raw, self.size), "empty": (0, bytes(4), 0),
                 "no content size": (1, streamed.compress(self.raw) + streamed.flush(), self.size),
                 "too large": (1, zstandard.ZstdCompressor().compress(bytes(1000)), self.size),
                 "batch too small": (0, writer.container([bytes(7)]), 7)}
        for name, parts in wrong.items():
            self.assertTrue(noticed(read_container, *parts), name)


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.contents = [batch(time) for time in range(1, 7)]
        self.chains = chains(BIRTH, 1, self.contents)

    def writer(self, name="sender", journal=BIRTH):
        return Writer(Path(self.folder.name) / name, journal)

    def origin(self, first, generation=1):
        return BIRTH, generation, 1, first, self.chains[first - 1]

    def receiver(self, upto=6):
        """A receiver's journal that has stored the first batches in pairs."""
        w = self.writer("receiver", OTHER).far()
        for first in range(1, upto, 2):
            w.batches(self.contents[first - 1:first + 1], self.origin(first))
        return w

    def sender(self, contents=None):
        w = self.writer().near()
        for content in contents or self.contents:
            w.batches([content])
        return w

    def refused(self, w, words):
        with self.assertRaisesRegex(Bad, words):
            oracle.Journal(w.folder)

    def read(self, w):
        return oracle.Journal(w.folder).summary()


class Journals(Folder):
    def test_a_near_stream_is_numbered_and_chained(self):
        near, = self.read(self.sender().footer())["near"]
        self.assertEqual((near["head"], near["chain"], near["confirmed"]), (6, self.chains[6].hex(), 0))

    def test_a_far_stream_stands_where_its_last_record_ends(self):
        far, = self.read(self.receiver())["far"]
        self.assertEqual((far["position"], far["chain"]), (6, self.chains[6].hex()))

    def test_an_overlap_counts_only_what_is_new(self):
        w = self.receiver(4).batches(self.contents[2:6], self.origin(3), skip=2)
        summary = self.read(w)
        self.assertEqual((summary["last_lsn"], summary["far"][0]["position"]), (6, 6))

    def test_a_batch_stored_twice_is_noticed(self):
        self.refused(self.receiver(4).batches(self.contents[2:6], self.origin(3), skip=1), "position 4, the record goes on at 4")

    def test_a_hole_in_a_stream_is_noticed(self):
        self.refused(self.receiver(2).batches(self.contents[4:6], self.origin(5)), "position 2, the record goes on at 5")

    def test_a_chain_that_does_not_follow_is_noticed(self):
        origin = BIRTH, 1, 1, 3, self.chains[1]
        self.refused(self.receiver(2).batches(self.contents[2:4], origin), r"chain\(2\) is")

    def test_a_chain_that_was_confirmed_wrong_is_noticed(self):
        self.refused(self.sender().note(19, "HQh", 1, 3, self.chains[4]), r"chain\(3\) is")

    def test_a_content_that_is_not_what_its_envelope_says_is_noticed(self):
        self.refused(self.writer().batches([batch(1)], hashes=[h128(batch(2))]), "content hash differs")

    def test_wrong_sums_are_noticed(self):
        self.refused(self.writer().batches([batch(1)], events=2), "1 events with 1 values, the envelope says .2, 0")
        self.refused(self.writer("other").batches([batch(1)]).footer(wrong=1), "footer")

    def test_a_declared_gap_moves_the_position_and_owes_its_event(self):
        w = self.receiver(2).gap(BIRTH, 1, 3, 4, 2, self.chains[4]).batches(self.contents[4:6], self.origin(5))
        far, = self.read(w)["far"]
        self.assertEqual((far["position"], far["gaps"]), (6, [(3, 4)]))
        owed = writer.event(7, struct.pack("<BQQQqq", 130, 3, 4, 1, 1, 0))
        w.batches([owed], (BIRTH, 1, 1, 0, bytes(16)))
        self.assertEqual(self.read(w)["last_lsn"], 5)
        self.refused(w.batches([owed], (BIRTH, 1, 1, 0, bytes(16))), "nothing owes")

    def test_a_fork_goes_back_and_another_branch_follows(self):
        w = self.receiver(4).fork(BIRTH, 1, 2, 3, self.chains[3], 4)
        other = [batch(40), batch(50)]
        w.batches(other, self.origin(4, generation=2))
        far, = self.read(w)["far"]
        self.assertEqual((far["generation"], far["position"], far["orphaned"]), (2, 5, [(1, 4, 4)]))
        self.assertEqual(far["chain"], chains(BIRTH, 1, other, self.chains[3], 4)[-1].hex())

    def test_a_checkpoint_that_does_not_say_what_was_folded_is_noticed(self):
        w = self.sender().footer()
        self.refused(w.roll(writer.state(*self.contents)), "the checkpoint says next stream")

    def test_what_the_page_does_not_know_is_refused_in_a_checkpoint_and_counted_as_a_note(self):
        self.refused(self.writer().roll(writer.state() + bytes(4)), "4 bytes too many")
        self.assertEqual(self.read(self.writer("other").note(99, "Q", 1))["ignored_notes"], 1)

    def test_lsns_that_are_not_dense_are_noticed(self):
        w = self.writer().batches([batch(1)])
        w.lsn += 1
        self.refused(w.batches([batch(2)]), "LSN 3 where 2 is next")

    def test_a_torn_tail_is_cut_and_damage_is_an_error(self):
        w = self.sender()
        end = len(w.data)
        w.path.write_bytes(w.data + b"TGJR" + bytes(100))
        self.assertEqual(self.read(w)["torn_at"], end)
        for at in range(72, w.data.rindex(b"TGJR"), 5):
            w.path.write_bytes(w.data[:at] + bytes([w.data[at] ^ 1]) + w.data[at + 1:])
            if self.in_record(w, at):
                self.refused(w, "wrong CRC|no record header")

    @staticmethod
    def in_record(w, at):
        """False for the padding behind a record, which no CRC covers."""
        start = w.data.rindex(b"TGJR", 0, at + 4)  # no payload here holds the magic
        meta, payload = struct.unpack_from("<II", w.data, start + 8)
        return at < start + 64 + meta + payload

    def test_what_a_successor_supersedes_does_not_count(self):
        w = self.writer().batches([batch(1)])
        end = len(w.data)
        w.batches([batch(2)])
        w.lsn = 2
        w.roll(writer.state(batch(1)), previous_end=end).batches([batch(3)])
        journal = oracle.Journal(w.folder)
        self.assertEqual(journal.hashes, {1: h128(batch(1)), 2: h128(batch(3))})

    def test_a_missing_segment_is_noticed(self):
        w = self.writer()
        for _ in range(2):
            w.roll(writer.state())
        Path(w.folder / f"segment-{2:010}-{1:020}.tgj").unlink()
        self.refused(w, "segments 2 to 2 are missing")
        Path(w.folder / f"segment-{1:010}-{1:020}.tgj").unlink()
        self.refused(w, "segments 1 to 2 are missing")


class Compared(Folder):
    def compare(self, sender, receiver):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            oracle.command_compare(SimpleNamespace(sender=sender.folder, receiver=receiver.folder))
        return out.getvalue()

    def test_the_same_content_under_the_same_numbers_is_equal(self):
        self.assertIn("6 equal, 0 in gaps, 0 trimmed", self.compare(self.sender(), self.receiver()))

    def test_another_content_under_a_number_is_noticed(self):
        sender = self.sender(self.contents[:3] + [batch(99)] + self.contents[4:])
        with self.assertRaisesRegex(Bad, "4 has another content"):
            self.compare(sender, self.receiver())

    def test_a_declared_gap_is_counted(self):
        w = self.receiver(2).gap(BIRTH, 1, 3, 4, 2, self.chains[4]).batches(self.contents[4:6], self.origin(5))
        self.assertIn("4 equal, 2 in gaps", self.compare(self.sender(), w))

    def test_what_is_confirmed_and_not_there_is_noticed(self):
        sender = self.sender().note(19, "HQh", 1, 5, self.chains[5])
        with self.assertRaisesRegex(Bad, "confirmed 5, but the receiver is at 4"):
            self.compare(sender, self.receiver(4))

    def test_a_receiver_beyond_the_sender_is_noticed(self):
        with self.assertRaisesRegex(Bad, "beyond the sender"):
            self.compare(self.sender(self.contents[:4]), self.receiver())


class Frames(unittest.TestCase):
    """One connection: probe, two batches, the second one salted, in parts and in E language."""

    def setUp(self):
        self.contents = [batch(1), batch(2), batch(3)]
        self.chains = chains(BIRTH, 1, self.contents)
        whole = writer.batch_body(3, self.chains[2], self.contents[2:])
        parts = [struct.pack("<QII", 3, at, len(whole)) + whole[at:at + 60] for at in range(0, len(whole), 60)]
        first = writer.batch_body(1, self.chains[0], self.contents[:2])
        self.frames = [writer.native(1, 1, 0, b"\1"), writer.native(2, 3, 1, first)]
        self.frames += [frames.PREFIX + writer.native(3 + n, 4, 1, part, salt=77, cipher=frames.salted) + frames.SUFFIX
                        for n, part in enumerate(parts)]

    def lines(self, data):
        return list(frames.describe(data))

    def test_splitmix_begins_as_the_page_says(self):
        self.assertEqual(frames.salted(bytes(8), 1).hex(), "c15c0289ec2d0a91")

    def test_parts_salt_and_wrap_give_the_batch_again(self):
        lines = self.lines(b"".join(self.frames))
        self.assertIn("1..2 2 events", lines[1])
        self.assertIn(f"complete: 3..3 1 events codec 0 decoded 78 hops [] chain {self.chains[3].hex()}", lines[-1])

    def test_every_flipped_byte_is_noticed(self):
        for at, flipped in flips(b"".join(self.frames), (0x04,)):
            self.assertTrue(noticed(self.lines, flipped), f"byte {at}")

    def test_a_frame_that_is_missing_or_out_of_order_is_noticed(self):
        for order in ([0, 2], [1, 0], [0, 0]):
            self.assertTrue(noticed(self.lines, b"".join(self.frames[i] for i in order)), order)

    def test_a_chain_that_does_not_follow_is_noticed(self):
        wrong = writer.native(2, 3, 1, writer.batch_body(3, self.chains[1], self.contents[2:]))
        later = writer.native(3, 3, 1, writer.batch_body(1, self.chains[0], self.contents[:2]))
        self.assertTrue(noticed(self.lines, self.frames[0] + wrong + later))

    def test_a_hash_that_is_not_that_of_its_batch_is_noticed(self):
        body = bytearray(writer.batch_body(1, self.chains[0], self.contents[:1]))
        body[28] ^= 1
        self.assertTrue(noticed(self.lines, writer.native(1, 3, 1, bytes(body))))


if __name__ == "__main__":
    unittest.main()
