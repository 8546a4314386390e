# SPDX-License-Identifier: Apache-2.0
"""A real InfluxDB 1.x from Debian (package influxdb) on loopback, for the demo and the interop tests."""

import json
import os
import shutil
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path

import gateway

CONFIG = """reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  max-values-per-tag = 0
  max-series-per-database = 0
  query-log-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
[monitor]
  store-enabled = false
"""


class Server:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = gateway.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        (self.folder / "influxdb.conf").write_text(CONFIG.format(folder=self.folder, port=self.port, rpc=gateway.free_port()))
        program = shutil.which("influxd") or "/usr/bin/influxd"
        if not os.path.exists(program):
            raise RuntimeError("influxd is not installed: `apt-get install influxdb`")
        self.process = gateway.Process("influxd", [program, "run", "-config", str(self.folder / "influxdb.conf")],
                                       self.folder / "influxd.log")

    def start(self):
        self.process.start()
        gateway.wait_until(self.answers, 30, f"influxd does not answer\n{self.process.tail()}")
        return self

    def answers(self):
        try:
            with urllib.request.urlopen(self.url + "/ping", timeout=2) as answer:
                return answer.status == 204
        except OSError:
            return False

    def query(self, text, database=""):
        data = urllib.parse.urlencode({"q": text, "db": database, "epoch": "ns"}).encode()
        with urllib.request.urlopen(self.url + "/query", data=data, timeout=120) as answer:
            result = json.load(answer)
        for part in result.get("results", []):
            if "error" in part:
                raise RuntimeError(f"influxd: {text}: {part['error']}")
        return result

    def create(self, database):
        self.query(f'create database "{database}"')

    def write(self, database, lines):
        """A point that is there already keeps its other fields; the fields named here are replaced."""
        where = urllib.parse.urlencode({"db": database, "precision": "ns"})
        with urllib.request.urlopen(f"{self.url}/write?{where}", data=lines.encode(), timeout=30):
            pass

    def lines(self, database, measurement):
        """Every row as the line that wrote it: tags and fields ascending, shortest numbers."""
        data = urllib.parse.urlencode({"q": f'select * from "{measurement}" group by *', "db": database, "epoch": "ns",
                                       "chunked": "true", "chunk_size": 10000}).encode()
        with urllib.request.urlopen(self.url + "/query", data=data, timeout=300) as answer:
            for raw in answer:
                for result in json.loads(raw).get("results", []):
                    for series in result.get("series", []):
                        tags = "".join(f",{k}={v}" for k, v in sorted(series["tags"].items()))
                        names = series["columns"]
                        for values in series["values"]:
                            row = dict(zip(names, values))
                            when = row.pop("time")
                            fields = ",".join(f"{k}={number(v)}" for k, v in sorted(row.items()) if v is not None)
                            yield f"{measurement}{tags} {fields} {when}\n".encode()

    def stop(self):
        try:
            self.process.stop(20)
        except TimeoutError:
            pass


def number(value):
    return repr(value)[:-2] if isinstance(value, float) and value.is_integer() else repr(value)
