# SPDX-License-Identifier: Apache-2.0
"""Catch-up after an outage: how fast a backlog crosses the emulated device, against what the device can carry at all."""

import shutil
import time
from dataclasses import dataclass

import device
from gateway import Gateway, wait_until
from measure import Column, Failed, Result, cpu_seconds, finish_load, short

RATE = "94Mbit/s"
RTTS_MS = (0, 20, 100)
LANES = (1, 4)
POLL_S = 0.05
LIMIT_S = 90


@dataclass
class Sample:
    at: float
    wire_bytes: int
    cpu: tuple  # of sender, receiver, emulator


def make_backlog(context):
    """Data folder of a sender that was never connected, and how many values are in it."""
    with Gateway(context.folder / "backlog") as gw:
        gw.sender.start()
        gw.wait_ready("sender")
        wanted = context.backlog / 10 if context.quick else context.backlog
        values, began = 0, time.monotonic()
        while values < wanted:
            if time.monotonic() - began > LIMIT_S:
                raise Failed(f"the backlog has {values} values after {LIMIT_S} s")
            load = gw.telemetry("", log=f"load-{values}", rate=0, seconds=1, connections=4, seed=values + 1)
            values += finish_load(load, 130)["values"]
        gw.sender.stop()
    return gw.folder / "sender", values


def sample(gw):
    cpu = tuple(cpu_seconds(p) for p in (gw.sender, gw.receiver, gw.gatekeeper))
    return Sample(time.monotonic(), gw.device_stats()["bytes_in"], cpu)


def crossed(gw, values):
    """All is answered, stored in the far journal and delivered."""
    near, far = gw.status("sender"), gw.status("receiver")
    if not near or not far or not near["streams"]:
        return False
    stream = near["streams"][0]
    if stream["state"].startswith("STOPPED"):
        raise Failed(f"the stream is stopped: {stream['message']}")
    return (stream["head"] > 0 and stream["soft"] == stream["head"]
            and sum(s["confirmed"] for s in far["streams"]) == stream["head"]
            and far["pipes"][0]["delivered_values"] == values)


def watch(gw, values):
    """Samples from the start of the sender until all has crossed. Status pages are a second old, the device's counters
    are not: the device gives the times, the status only the end."""
    samples, end = [], time.monotonic() + LIMIT_S
    while True:
        samples.append(sample(gw))
        if len(samples) % 10 == 0 and crossed(gw, values):
            return samples
        if time.monotonic() > end:
            raise Failed(f"the backlog has not crossed within {LIMIT_S} s: {gw.status('sender')}")
        time.sleep(POLL_S)  # poll


def middle(samples):
    """The samples between which 5 % and 95 % of the bytes crossed: without the opening of the link and the end."""
    total = samples[-1].wire_bytes
    first = next(s for s in samples if s.wire_bytes >= 0.05 * total)
    last = next(s for s in samples if s.wire_bytes >= 0.95 * total)
    if last.at - first.at < 5 * POLL_S:
        raise Failed(f"{total} bytes crossed too fast to be timed with a poll each {POLL_S} s: take a larger --backlog")
    return first, last


def figures(samples, values, device_stats):
    total = samples[-1].wire_bytes
    first, last = middle(samples)
    seconds, wire = last.at - first.at, last.wire_bytes - first.wire_bytes
    opened = next(s for s in samples if s.wire_bytes > 0)
    ended = next(s for s in samples if s.wire_bytes >= 0.999 * total)
    cpu = [b - a for a, b in zip(first.cpu, last.cpu)]
    return {"values": values, "wire_bytes": total, "bytes_per_value": total / values, "wire_bytes_per_s": wire / seconds,
            "values_per_s": wire / seconds * values / total, "whole_s": ended.at - opened.at,
            "cores_sender": cpu[0] / seconds, "cores_receiver": cpu[1] / seconds, "cores_emulator": cpu[2] / seconds,
            "frames": device_stats["frames_in"], "frame_largest": device_stats["frame_largest"],
            "answers_fail": device_stats["answers_fail"], "violations": device_stats["violations_total"]}


def catch_up(context, backlog, values, rtt_ms, lanes):
    folder = context.folder / f"catchup-{rtt_ms}-{lanes}"
    with Gateway(folder, gatekeeper=device.device_options(RATE, rtt_ms), link={"lanes": lanes}) as gw:
        shutil.copytree(backlog, folder / "sender")
        gw.gatekeeper.start()
        gw.receiver.start()
        gw.wait_ready("receiver")
        wait_until(lambda: "listening on" in gw.gatekeeper.tail(), 10, f"the emulator does not start\n{gw.gatekeeper.tail()}")
        gw.sender.start()
        gw.wait_ready("sender")
        samples = watch(gw, values)
        out = figures(samples, values, gw.device_stats())
        gw.stop()
    shutil.rmtree(folder)
    return out


def run(context):
    raw_s = max(context.seconds(4), 2)
    backlog, values = make_backlog(context)
    context.say(f"catchup: a backlog of {values} values is written")
    records = []
    for rtt_ms in RTTS_MS:
        name = lambda what: context.folder / f"ceiling-{rtt_ms}-{what}"
        stream = device.ceiling(name("stream"), RATE, rtt_ms, 1, waits=False, seconds=raw_s)
        for lanes in LANES:
            waiting = device.ceiling(name(lanes), RATE, rtt_ms, lanes, waits=True, seconds=raw_s)
            out = catch_up(context, backlog, values, rtt_ms, lanes)
            context.say(f"catchup: {rtt_ms} ms, {lanes} lanes: {short(out['values_per_s'])} values/s")
            records.append({"rtt_ms": rtt_ms, "lanes": lanes, "ceiling_stream_bytes_per_s": stream,
                            "ceiling_answered_bytes_per_s": waiting,
                            "percent_of_stream": 100 * out["wire_bytes_per_s"] / stream,
                            "percent_of_answered": 100 * out["wire_bytes_per_s"] / waiting, **out})
    return Result(
        title=f"Catch-up through the emulated device at {RATE}",
        method=f"{short(values)} values of plant telemetry (2000 units × 10 fields) are written to a sender without a link. For "
               "each row a copy of that journal is started behind tidegate-gatekeeper (profile syskeeper-2000, half of the "
               "round trip in each direction, window 1); an empty receiver stores and syncs, and delivers to a file at the "
               "same time. Bytes are the emulator's own count of what the sender wrote, read each "
               f"{POLL_S * 1000:.0f} ms; rates are of the middle 90 % of the bytes, values/s = bytes/s ÷ bytes per value, "
               "\"whole\" is from the first byte to the last with the opening of the link. Ended only when the receiver's "
               "journal and file have every value. Ceilings, measured in the same run: 1 MB frames from a script through the "
               "same emulator, as a stream without answers (device), and answered at once with the same lanes (waiting).",
        columns=[Column("rtt_ms", "round trip ms"), Column("lanes", "lanes"),
                 Column("values_per_s", "M values/s", "{:.2f}", 1e-6),
                 Column("wire_bytes_per_s", "wire MB/s", "{:.2f}", 1e-6),
                 Column("ceiling_stream_bytes_per_s", "device MB/s", "{:.2f}", 1e-6),
                 Column("percent_of_stream", "% of it", "{:.0f}"),
                 Column("ceiling_answered_bytes_per_s", "waiting MB/s", "{:.2f}", 1e-6),
                 Column("percent_of_answered", "% of it", "{:.0f}"),
                 Column("bytes_per_value", "bytes/value", "{:.2f}"), Column("whole_s", "whole s", "{:.1f}"),
                 Column("cores_sender", "sender cores", "{:.2f}"), Column("cores_receiver", "receiver cores", "{:.2f}"),
                 Column("violations", "violations")],
        records=records,
        summary=[(f"catch-up at {RATE}, {r['rtt_ms']} ms, {r['lanes']} lane{'s' if r['lanes'] > 1 else ''}",
                  f"{short(r['values_per_s'])} values/s, {r['wire_bytes_per_s'] / 1e6:.2f} MB/s "
                  f"({r['percent_of_stream']:.0f} % of the device), {r['bytes_per_value']:.2f} bytes/value")
                 for r in records])
