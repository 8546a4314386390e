#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A real InfluxDB 1.6 behind the gateway: what was acknowledged is in the database, compared by query.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exec /usr/bin/python3 "$here/../demo/demo.py" --influx --seconds 15
