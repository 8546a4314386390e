#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Lets systemd itself read the units: `verify` for mistakes, `security` for an exposure of at most 2.0 of 10.
# The programs are not installed where the checks run, so a copy names /bin/true instead.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
worst=20  # tenths, as systemd-analyze wants it

if ! command -v systemd-analyze >/dev/null; then
  echo "units: not examined, there is no systemd-analyze here"
  exit 0
fi
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
for unit in systemd/*.service; do
  sed -E 's#/usr/bin/tidegate[a-z-]*#/bin/true#' "$unit" > "$copy/$(basename "$unit")"
done
# A warning counts: systemd ignores what it does not understand, and a misspelt protection protects nothing.
said=$(systemd-analyze verify --man=no "$copy"/*.service 2>&1 | grep -F "$copy" || true)
[[ -z $said ]] || { printf '%s\n' "$said"; exit 1; }
for unit in "$copy"/*.service; do
  systemd-analyze security --no-pager --offline=true --threshold=$worst "$unit" > "$copy/report" ||
    { cat "$copy/report"; echo "units: $(basename "$unit") is more exposed than $worst tenths"; exit 1; }
  tail -n 1 "$copy/report"
done
