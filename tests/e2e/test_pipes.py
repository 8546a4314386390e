#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Each attribute of the extractor and each built-in processor changes what crosses: real daemons, the emulated device, the files
at the receiver."""

import shutil
import struct
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "lib"), str(HERE.parent / "oracle")]
import gateway  # noqa: E402
import trials  # noqa: E402
import writer  # noqa: E402
from trials import expect  # noqa: E402

MS = 1_000_000  # in ns, the unit of all times here
LINK = {"quiet_min": "100ms", "quiet_max": "4s", "beat": "1s"}
ZONE = "Asia/Shanghai"  # of the sender, for dates without an offset


# ---- what no source of this version makes is there before the first start

def foreign_row(database, unit, time, by_pipe):
    text = writer.text
    return (bytes([1, 1, 3, by_pipe]) + text(b"s") + struct.pack("<I", 1) + b"\1" + text(database) + text(b"m")
            + struct.pack("<I", 1) + text(b"f") + b"\6\0" + struct.pack("<II", 1, 1) + text(b"s") + text(unit)
            + struct.pack("<Iq", 1, time) + b"\0" + struct.pack("<d", 1.0))


def tree_row(device, time):
    text = writer.text
    return (bytes([1, 1, 3, 0]) + text(b"s") + struct.pack("<I", 1) + b"\0" + bytes(8) + struct.pack("<I", 1) + text(b"f")
            + b"\6\0" + struct.pack("<I", 1) + text(device) + struct.pack("<Iq", 1, time) + b"\0" + struct.pack("<d", 1.0))


def deletion(pattern):
    return bytes([1, 2, 3, 0]) + writer.event(2, struct.pack("<I", 1) + writer.text(pattern) + struct.pack("<qq", 1, 9))[4:]


def write_journal(folder):
    folder.parent.mkdir(parents=True)
    by_pipe = b"forwarding_false_leaves_out_what_a_pipe_brought_first"
    delete = b"deletions_cross_unless_they_are_switched_off"
    writer.Writer(folder).batches([
        foreign_row(by_pipe, b"from_pipe", 1, 1), foreign_row(by_pipe, b"from_client", 2, 0),
        deletion(b"root." + delete + b".m.taken.**"), deletion(b"root." + delete + b".m.left.**"),
        deletion(b"root.filter_drops_deletions_if_asked.m.**"),
        tree_row(b"root.tree_level_says_which_node_is_the_table.line1.d1", 1),
        tree_row(b"root.tree_level_says_which_node_is_the_table.line2.d1", 2)])


def copy(t, label, source=None, processor=None, pattern=None):
    """A pipe whose rows arrive in a database of their own."""
    database = f"{t.name}_{label}"
    chain = {"processor": "rename-database-processor", "new-db-name": database}
    if processor:
        chain = {**processor, "processor": processor["processor"] + ",rename-database-processor", "new-db-name": database}
    t.pipe(source, chain, name=database, pattern=pattern)
    return database


# ---- the extractor

def the_pattern_root_takes_every_database(t):
    yield
    database = copy(t, "all", {"history.enable": "false"}, pattern="root")
    yield
    t.write("only_here,s=a f=1 3")
    t.write("only_here g=2i 4", database=f"{t.name}_too")
    yield
    found = [line for line in t.crossed(database) if line.startswith("only_here")]
    expect(found == ["only_here,s=a f=1 3", "only_here g=2i 4"], f"crossed: {found}")


def a_pattern_is_a_prefix_that_need_not_end_at_a_node(t):
    t.write("m,s=ab f=1 1", "m,s=b f=1 2")
    yield
    t.pipe(pattern=f"root.{t.name}.m.a")
    yield
    t.write("m,s=a f=1 3", "m,s=abc f=1 4", "m,s=b f=1 5", "ma,s=x f=1 6")
    yield
    t.expect_crossed("m,s=ab f=1 1", "m,s=a f=1 3", "m,s=abc f=1 4")


def a_pattern_with_back_quotes_takes_the_node_with_dots(t):
    t.write("m,s=x.y f=1 1", "m,s=x f=1 2", "m,s=x.yz f=1 3", "m,s=1 f=1 4", "m,s=1TS f=1 5")
    yield
    dots = copy(t, "dots", pattern=f"root.{t.name}.m.`x.y`")
    digits = copy(t, "digits", pattern=f"root.{t.name}.m.`1`")
    bare = copy(t, "bare", pattern=f"root.{t.name}.m.1")
    yield
    t.expect_crossed("m,s=x.y f=1 1", database=dots)
    t.expect_crossed("m,s=1 f=1 4", database=digits)
    t.expect_crossed("m,s=1TS f=1 5", database=bare)


def a_pattern_down_to_a_field_leaves_the_other_fields_of_the_row(t):
    t.write("m,s=a f=1,g=2 1")
    yield
    t.pipe(pattern=f"root.{t.name}.m.a.g")
    yield
    t.expect_crossed("m,s=a g=2 1")


def history_enable_false_begins_behind_the_creation(t):
    t.write("m f=1 1")
    yield
    t.pipe({"history.enable": "false"})
    yield
    t.write("m f=1 2")
    yield
    t.expect_crossed("m f=1 2")


def realtime_enable_false_ends_with_history_finished(t):
    t.write("m f=1 1")
    yield
    plain = t.pipe({"realtime.enable": "false"})
    whole = t.pipe({"realtime.enable": "false"}, name=f"{t.name}_whole", pattern="root",
                   sink={"sink": "do-nothing-sink"})
    yield
    t.write("m f=1 2")
    for name in (plain, whole):
        t.wait(lambda: t.row(name)["State"] == "STOPPED", f"{name} stops")
        expect(t.row(name)["ExceptionMessage"] == "history finished", t.row(name))
    yield
    t.expect_crossed("m f=1 1")


def history_and_realtime_both_off_are_refused(t):
    yield
    try:
        t.pipe({"history.enable": "false", "realtime.enable": "false"})
    except gateway.Refused as refusal:
        expect("nothing would be taken" in str(refusal), refusal)
        return
    expect(False, "a pipe that takes nothing was made")


# a form of the documents, and that moment in ns
DATES = (("number", "1322903730000000000", 1322903730 * 10**9),
         ("dots", "2011.12.03T10:15:30+01:00", 1322903730 * 10**9),
         ("dashes", "2011-12-03T10:15:30+01:00", 1322903730 * 10**9),
         ("slashes", "2011/12/03T10:15:30.5+01:00", 1322903730 * 10**9 + 500 * MS),
         ("zone", "2022-03-30 00:00:00", 1648569600 * 10**9),  # midnight in Shanghai
         ("offset", "2022-03-30T00:00:00+08:00", 1648569600 * 10**9))


def history_times_include_both_ends(t):
    for label, _, at in DATES:
        t.write(*(f"m,d={label} f=1 {at + off}" for off in (-1, 0, 1)))
    yield
    made = {}
    for label, text, at in DATES:
        pattern = f"root.{t.name}.m.{label}."
        made[label] = at, copy(t, f"{label}_from", {"history.start-time": text}, pattern=pattern), \
            copy(t, f"{label}_to", {"history.end-time": text}, pattern=pattern)
    yield
    for label, _, at in DATES:
        t.write(*(f"m,d={label} f=2 {at + off}" for off in (-1, 0, 1)))  # realtime: of any time
    yield
    for label, (at, since, until) in made.items():
        later = [f"m,d={label} f=2 {at + off}" for off in (-1, 0, 1)]
        t.expect_crossed(f"m,d={label} f=1 {at}", f"m,d={label} f=1 {at + 1}", *later, database=since, what=since)
        t.expect_crossed(f"m,d={label} f=1 {at - 1}", f"m,d={label} f=1 {at}", *later, database=until, what=until)


def forwarding_false_leaves_out_what_a_pipe_brought_first(t):
    yield
    own = copy(t, "own", {"forwarding-pipe-requests": "false"})
    everything = copy(t, "all", {"forwarding-pipe-requests": "true"})
    yield
    t.expect_crossed("m,s=from_client f=1 2", database=own)
    t.expect_crossed("m,s=from_client f=1 2", "m,s=from_pipe f=1 1", database=everything)


def deletions_cross_unless_they_are_switched_off(t):
    yield
    t.pipe({"deletions": "true"}, pattern=f"root.{t.name}.m.taken", name=f"{t.name}_taken")
    t.pipe({"deletions": "false"}, pattern=f"root.{t.name}.m.left", name=f"{t.name}_left")
    yield
    crossed = [p for event in t.events("deletion") for p in event["patterns"] if t.name in p]
    expect(crossed == [f"root.{t.name}.m.taken.**"], f"deletions that crossed: {crossed}")


# ---- processors

def do_nothing_changes_no_row(t):
    yield
    t.pipe(processor={"processor": "do-nothing-processor"})
    yield
    t.write('m,s=a b=true,f=-0.5,i=3i,t="x" 1')
    yield
    t.expect_crossed('m,s=a b=true,f=-0.5,i=3i,t="x" 1')


def filtered(t, **attributes):
    t.pipe(processor={"processor": "filter-rename-processor", **{k.replace("_", "-"): v for k, v in attributes.items()}})


def filter_takes_only_the_tables_that_are_named(t):
    yield
    filtered(t, tables="turbine.pump")
    yield
    t.write("turbine f=1 1", "pump f=1 2", "fan f=1 3")
    yield
    t.expect_crossed("turbine f=1 1", "pump f=1 2")


def filter_leaves_out_excluded_tables(t):
    yield
    filtered(t, excluded_tables="fan")
    yield
    t.write("turbine f=1 1", "fan f=1 3")
    yield
    t.expect_crossed("turbine f=1 1")


def filter_leaves_out_excluded_fields(t):
    yield
    filtered(t, excluded_fields="m:a@b.n:c")
    yield
    t.write("m a=1,b=2,c=3 1", "n a=1,c=3 2", "n c=3 3")
    yield
    t.expect_crossed("m c=3 1", "n a=1 2")


def filter_renames_tables(t):
    yield
    filtered(t, tables_rename="m:p.n:q")
    yield
    t.write("m f=1 1", "n f=1 2", "o f=1 3")
    yield
    t.expect_crossed("p f=1 1", "q f=1 2", "o f=1 3")


def filter_renames_fields_by_the_names_that_came_in(t):
    yield
    filtered(t, field_renames="m:a@b$b@a.n:c@d")
    yield
    t.write("m a=1,b=2,c=3 1", "n a=1,c=3 2")
    yield
    t.expect_crossed("m a=2,b=1,c=3 1", "n a=1,d=3 2")


def filter_drops_deletions_if_asked(t):
    yield
    filtered(t, deletions="drop")
    t.pipe(processor={"processor": "filter-rename-processor,rename-database-processor", "new-db-name": f"{t.name}_passed"},
           name=f"{t.name}_passed")
    yield
    crossed = [p for event in t.events("deletion") for p in event["patterns"] if t.name in p]
    expect(crossed == [f"root.{t.name}_passed.m.**"], f"deletions that crossed: {crossed}")


def tree_level_says_which_node_is_the_table(t):
    yield
    filtered(t, tables="line1", tree_level="2")
    yield
    found = [line for line in t.gw.delivered_lines() if t.name.encode() in line]
    expect(len(found) == 1 and b".line1.d1" in found[0] and found[0].endswith(b"f=1 1\n"), f"crossed: {found}")


def rename_database_moves_rows_to_another_database(t):
    yield
    t.pipe(processor={"processor": "rename-database-processor", "new-db-name": f"{t.name}_new"})
    yield
    t.write("m f=1 1")
    yield
    t.expect_crossed()
    t.expect_crossed("m f=1 1", database=f"{t.name}_new")


AGGREGATES = {"first": "4", "last": "7", "min": "1", "max": "7", "mean": "4", "sum": "12", "count": "3i"}


def down_sampling_gives_one_row_a_window_for_each_aggregate(t):
    yield
    made = {name: copy(t, name, processor={"processor": "down-sampling-processor", "interval": "1ms", "aggregate": name})
            for name in AGGREGATES}
    yield
    t.write(f"m f=4 {MS}", f"m f=1 {MS + 200}", f"m f=7 {2 * MS - 1}")
    t.write(f"m f=5 {5 * MS}")  # opens a window that stays open
    yield
    for name, database in made.items():
        t.expect_crossed(f"m f={AGGREGATES[name]} {MS}", database=database, what=name)


def late_values_pass_or_are_dropped_behind_the_delay(t):
    yield
    attributes = {"processor": "down-sampling-processor", "interval": "1ms", "aggregate": "sum"}
    passed = copy(t, "pass", processor={**attributes, "late": "pass"})
    dropped = copy(t, "drop", processor={**attributes, "late": "drop"})
    patient = copy(t, "patient", processor={**attributes, "max-delay": "1s"})
    yield
    t.write(f"m,s=a f=1 {MS}")
    t.write(f"m,s=b f=1 {9 * MS}")  # the stream has gone on: the window of s=a closes after its delay
    t.write(f"m,s=a f=2 {MS + 7}")
    yield
    t.expect_crossed(f"m,s=a f=1 {MS}", f"m,s=a f=2 {MS + 7}", database=passed)
    t.expect_crossed(f"m,s=a f=1 {MS}", database=dropped)
    t.expect_crossed(database=patient)
    t.write(f"m,s=b f=1 {9 * MS + 1002 * MS}")
    yield
    t.expect_crossed(f"m,s=a f=3 {MS}", f"m,s=b f=1 {9 * MS}", database=patient)


def tumbling_time_takes_a_row_each_interval(t):
    yield
    t.pipe(processor={"processor": "tumbling-time-sampling-processor", "tumbling-time.interval-seconds": 2})
    yield
    t.write(*(f"m f={n} {n * 1000 * MS}" for n in range(6)))
    yield
    t.expect_crossed("m f=0 0", f"m f=2 {2000 * MS}", f"m f=4 {4000 * MS}")


def swinging_door_keeps_the_corners(t):
    yield
    t.pipe(processor={"processor": "swinging-door-trending-sampling-processor", "sdt.compression-deviation": 0.1})
    yield
    t.write(*(f"m f={f} {n}" for n, f in enumerate((0, 1, 2, 3, 2, 1, 0, 0))))
    yield
    t.expect_crossed("m f=0 0", "m f=3 3", "m f=0 6")


def changing_value_takes_what_differs_by_more_than_the_deviation(t):
    yield
    t.pipe(processor={"processor": "changing-value-sampling-processor", "changing-value.compression-deviation": 1})
    yield
    t.write(*(f"m f={f} {n}" for n, f in enumerate((5, 6, 6.5, 6, 5.5, 5))))
    yield
    t.expect_crossed("m f=5 0", "m f=6.5 2", "m f=5 5")


def min_and_max_time_interval_bound_the_sampling(t):
    yield
    attributes = {"processor": "changing-value-sampling-processor", "changing-value.compression-deviation": 1}
    seldom = copy(t, "seldom", processor={**attributes, "changing-value.min-time-interval": 3})
    often = copy(t, "often", processor={**attributes, "changing-value.max-time-interval": 2})
    yield
    t.write(*(f"m f={f} {n}" for n, f in enumerate((5, 9, 1, 9, 9, 9, 9))))
    yield
    t.expect_crossed("m f=5 0", "m f=9 4", database=seldom)
    t.expect_crossed("m f=5 0", "m f=9 1", "m f=1 2", "m f=9 3", "m f=9 5", database=often)


def a_chain_works_from_left_to_right(t):
    yield
    t.pipe(processor={"processor": "filter-rename-processor,down-sampling-processor#1,down-sampling-processor#2",
                      "tables-rename": "m:n", "excluded-fields": "m:x", "down-sampling-processor#1.interval": "1ms",
                      "down-sampling-processor#1.aggregate": "max", "down-sampling-processor#2.interval": "4ms",
                      "down-sampling-processor#2.aggregate": "sum"})
    yield
    t.write(*(f"m f={n},x=1 {n * MS // 2}" for n in range(8)))  # maxima of 1 ms: 1 3 5 7
    t.write(f"m f=0 {20 * MS}")
    t.write(f"m f=0 {40 * MS}")
    yield
    t.expect_crossed("n f=16 0", what="the sum of the maxima of the first 4 ms")


def trials_of_this_file():
    named = [value for value in globals().values() if callable(value) and getattr(value, "__module__", "") == __name__]
    return [f for f in named if f.__code__.co_varnames[:1] == ("t",) and f.__code__.co_flags & 0x20]


def main():
    folder = gateway.temporary_folder("pipes")
    write_journal(folder / "sender" / "journal")
    with gateway.Gateway(folder, profile="none", link=LINK, sender={"pipes": []}) as gw:
        gw.sender.env = {"TZ": ZONE}
        gw.start()
        trials.run(gw, trials_of_this_file())
        codes = gw.stop()
        expect(not any(codes.values()), f"exit codes after SIGTERM: {codes}")
    shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
