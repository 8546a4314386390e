# SPDX-License-Identifier: Apache-2.0
"""Results as text for a terminal, as Markdown for a README and as JSON."""

import json
import textwrap


def cells(result):
    return [[c.title for c in result.columns]] + [[c.text(r) for c in result.columns] for r in result.records]


def table(result):
    rows = cells(result)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    line = lambda row: "  ".join(v.ljust(w) if i == 0 else v.rjust(w) for i, (v, w) in enumerate(zip(row, widths)))
    return "\n".join([line(rows[0]), "  ".join("-" * w for w in widths), *map(line, rows[1:])])


def markdown(header, rows):
    line = lambda row: "| " + " | ".join(row) + " |"
    return "\n".join([line(header), "|" + "|".join(["---"] + ["---:"] * (len(header) - 1)) + "|", *map(line, rows)])


def method(text):
    return textwrap.fill(f"method: {text}", 110, subsequent_indent="        ")


def machine_line(m):
    dirty = f" with {m['git_changed_files']} changed files" if m["git_changed_files"] else ""
    return (f"{m['cores']} cores of {m['cpu']}, {m['memory_bytes'] / 2**30:.1f} GiB, Linux {m['kernel']}, "
            f"{m['disk']['filesystem']}, fsync p50 {m['disk']['fsync_p50_us'] / 1e3:.2f} ms, "
            f"p99 {m['disk']['fsync_p99_us'] / 1e3:.2f} ms; "
            f"revision {(m['git'] or 'unknown')[:12]}{dirty}, build {m['build'] or 'unknown'} {m['flags'] or ''}".rstrip())


def show(result):
    print(f"\n{result.title}\n{table(result)}\n{method(result.method)}", flush=True)


def show_markdown(machine, results, quick):
    print("\nMarkdown:\n")
    if quick:
        print("Made with --quick: these figures show that the benchmarks work, nothing else.\n")
    summary = [[what, figure] for result in results.values() for what, figure in result.summary]
    print(markdown(["what", "measured"], summary))
    for result in results.values():
        rows = cells(result)
        print(f"\n{result.title}\n\n{markdown(rows[0], rows[1:])}")
    print(f"\n{machine_line(machine)}", flush=True)


def write_json(path, machine, results, failures, quick):
    out = {"machine": machine, "quick": quick, "failures": failures,
           "benchmarks": {name: {"title": r.title, "method": r.method, "records": r.records,
                                 "summary": [{"what": w, "measured": f} for w, f in r.summary]}
                          for name, r in results.items()}}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(out, indent=2) + "\n")
