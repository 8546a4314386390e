# SPDX-License-Identifier: Apache-2.0
"""Many small experiments in one running pair of daemons. A trial is a generator: what stands before its first `yield` is done
before any trial has made a pipe, so that it is history; after each `yield` everything that runs has crossed and is
delivered. A trial writes to a database of its own, its name, and makes pipes that take only that."""

import time

import gateway


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


class Trial:
    def __init__(self, gw, function):
        self.gw, self.name = gw, function.__name__
        self.steps = function(self)
        self.failure = None

    def write(self, *lines, database=None):
        """Acknowledged when it returns, as one batch at least."""
        target = f"/write?db={database or self.name}&precision=ns"
        status, body = self.gw.post("\n".join(lines), target)
        expect(status == 204, f"a write: {status} {body}")

    def pipe(self, source=None, processor=None, sink=None, name=None, side="sender", start=True, pattern=None):
        """Attributes as dictionaries, without prefixes. The sink is the link of the configuration."""
        source = {"pattern": pattern or f"root.{self.name}.", **(source or {})}
        name = name or self.name
        text = f"CREATE PIPE {name} WITH SOURCE ({attributes(source)})"
        if processor:
            text += f" WITH PROCESSOR ({attributes(processor)})"
        text += f" WITH SINK ({attributes(sink or {'sink': 'air-gap-sink'})})"
        self.gw.statements(side, text + (f"; START PIPE {name}" if start else ""))
        return name

    def row(self, name=None, side="sender"):
        return self.gw.pipes(side)[name or self.name]

    def crossed(self, database=None):
        return [line.decode().strip() for line in self.gw.delivered_lines(database or self.name)]

    def expect_crossed(self, *lines, database=None, what=""):
        """Exactly these, series by series in this order."""
        found, wanted = by_series(self.crossed(database)), by_series(lines)
        expect(found == wanted, f"{what or 'crossed'}: {found}, not {wanted}")

    def events(self, kind):
        return [value for k, value in self.gw.delivered_events() if k == kind]

    def wait(self, condition, what, limit=30):
        return gateway.wait_until(condition, limit, what)


def attributes(pairs):
    quoted = lambda text: "'" + str(text).replace("'", "''") + "'"
    return ", ".join(f"{quoted(name)}={quoted(value)}" for name, value in pairs.items())


def by_series(lines):
    out = {}
    for line in lines:
        series, _, rest = line.partition(" ")
        out.setdefault(series, []).append(rest)
    return out


def unfinished(gw, side, quiet=()):
    """What a running pipe still has to do, or nothing."""
    return {name: row["RemainingEventCount"] for name, row in gw.pipes(side).items()
            if row["State"] == "RUNNING" and row["RemainingEventCount"] != "0" and name not in quiet}


def settle(gw, limit=30, quiet=()):
    """All that was acknowledged has gone through every running pipe of both sides; those in `quiet` are not asked."""
    end = time.monotonic() + limit
    for side in ("sender", "receiver"):
        while waiting := unfinished(gw, side, quiet):
            if time.monotonic() > end:
                raise TimeoutError(f"{side}: not delivered within {limit} s, events by pipe: {waiting}")
            time.sleep(0.1)  # poll


def run(gw, functions):
    """In step with each other; every failure is told."""
    trials = [Trial(gw, function) for function in functions]
    alive = list(trials)
    while alive:
        for trial in list(alive):
            try:
                next(trial.steps)
            except StopIteration:
                alive.remove(trial)
            except (AssertionError, RuntimeError, TimeoutError, KeyError) as error:
                trial.failure = error
                alive.remove(trial)
        settle(gw)
    for trial in trials:
        print(f"{'FAILED' if trial.failure else 'ok':7}{trial.name.replace('_', ' ')}", flush=True)
    failed = [f"{t.name}: {t.failure!r}" for t in trials if t.failure]
    expect(not failed, "\n".join(failed))
