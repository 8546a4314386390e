#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The white list of a real receiver, from several addresses: of the loopback network, and of machines of their own (network
namespaces, where this machine allows them)."""

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import gateway  # noqa: E402

# doc/wire_format.md: a probe (kind 1) of session 7, frame 1, that expects `ok`.
PROBE = struct.pack("<BBHQHBBIIB", 0x80, 1, 0, 7, 0, 0, 0, 1, 0, 1)
FRAME = struct.pack(">IIQ", len(PROBE) + 8, len(PROBE) + 8, zlib.crc32(PROBE)) + PROBE


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def connect(port, source, target):
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    peer = socket.socket(family)
    peer.settimeout(10)
    peer.bind((source, 0))
    peer.connect((target, port))
    return peer


def answer(peer):
    """True: the receiver answers a probe. False: it has closed the connection."""
    try:
        peer.sendall(FRAME)
        reply = peer.recv(1)
    except (ConnectionResetError, BrokenPipeError):
        return False
    expect(reply in (b"", b"\x00"), f"the answer {reply!r}")
    return reply == b"\x00"


def admitted(port, source, target="127.0.0.1"):
    with connect(port, source, target) as peer:
        return answer(peer)


class Receiver:
    """A receiver process with a white list that can be changed."""

    def __init__(self, folder, listen, namespace=None):
        self.folder, self.listen = Path(folder), listen
        self.folder.mkdir(parents=True)
        command = [str(gateway.BIN / "tidegate-receiver"), str(self.folder / "receiver.yaml")]
        if namespace:
            command = ["ip", "netns", "exec", namespace, *command]
        self.process = gateway.Process("receiver", command, self.folder / "receiver.log")

    def configure(self, **settings):
        link = dict({"listen": self.listen}, **settings.pop("link", {}))
        (self.folder / "receiver.yaml").write_text(json.dumps({
            "instance": "outer", "data_dir": str(self.folder / "data"), "journal": {"min_free": "64MiB"},
            "control": {"socket": str(self.folder / "receiver.sock")}, "link": link, **settings}))
        return self

    def start(self):
        self.process.start()
        gateway.wait_until(lambda: "ready: " in self.log() or not self.process.alive(), 20, "the receiver is ready")
        expect(self.process.alive(), self.log())
        return self

    def log(self):
        return self.process.log.read_text(errors="replace")

    def load(self):
        done = subprocess.run([gateway.BIN / "tidegate", "--socket", self.folder / "receiver.sock", "-e", "LOAD CONFIGURATION"],
                              capture_output=True, text=True, timeout=30)
        return done.returncode, done.stdout + done.stderr

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.process.alive():
            self.process.kill()
        if kind is not None:
            print(self.log(), file=sys.stderr)


def the_list_decides_by_the_address_of_the_peer(folder):
    port = gateway.free_port()
    with Receiver(folder / "decides", f"127.0.0.1:{port}").configure(ip_white_list="127.0.0.2/32, 127.1.0.0/16").start():
        seen = {source: admitted(port, source) for source in ("127.0.0.1", "127.0.0.2", "127.0.0.3", "127.1.9.9", "127.2.0.1")}
        expect([s for s, ok in seen.items() if ok] == ["127.0.0.2", "127.1.9.9"], seen)


def without_a_list_everybody_and_with_an_empty_one_nobody(folder):
    port = gateway.free_port()
    with Receiver(folder / "empty", f"127.0.0.1:{port}").configure().start() as receiver:
        expect(admitted(port, "127.0.0.1") and admitted(port, "127.9.9.9"), "everybody by default")
        code, said = receiver.configure(IP_white_list="").load()
        expect(code == 0 and "applied: IP_white_list" in said, said)
        expect("names nobody" in receiver.log(), "an empty list is told in the log")
        expect(not admitted(port, "127.0.0.1") and not admitted(port, "127.9.9.9"), "an empty list is nobody")


def half_of_all_addresses_is_told(folder):
    port = gateway.free_port()
    with Receiver(folder / "half", f"127.0.0.1:{port}").configure(ip_white_list="192.168.0.1/1").start() as receiver:
        expect("half of all addresses" in receiver.log(), "the warning of 192.168.0.1/1")
        expect(not admitted(port, "127.0.0.1"), "127.0.0.1 is in the other half")


def a_new_list_holds_for_new_connections_at_once(folder):
    port = gateway.free_port()
    with Receiver(folder / "hot", f"127.0.0.1:{port}").configure(link={"allow": ["127.0.0.2"]}).start() as receiver:
        before = connect(port, "127.0.0.2", "127.0.0.1")
        expect(answer(before) and not admitted(port, "127.0.0.3"), "the first list")
        code, said = receiver.configure(link={"allow": ["127.0.0.3"]}).load()
        expect(code == 0 and "applied: link.allow" in said and "restart" not in said, said)
        expect(admitted(port, "127.0.0.3") and not admitted(port, "127.0.0.2"), "the second list")
        before.setblocking(False)
        try:
            expect(before.recv(1) != b"", "a connection that was there is not closed")
        except BlockingIOError:
            before.close()
        receiver.configure(link={"allow": ["127.0.0.4"]}).process.child.send_signal(signal.SIGHUP)
        gateway.wait_until(lambda: admitted(port, "127.0.0.4"), 20, "SIGHUP applies the third list")
        expect(not admitted(port, "127.0.0.3"), "the second list is gone")
        code, said = receiver.configure(link={"allow": ["127.0.0.5", "127.0.0.300"]}).load()
        expect(code == 1 and "127.0.0.300" in said, said)
        expect(admitted(port, "127.0.0.4") and not admitted(port, "127.0.0.5"), "a refused list changes nothing")


# ---- machines of their own

class NoNamespaces(Exception):
    """This machine, or this user, may not make them."""


class Machines:
    """Network namespaces `outer` (the receiver's), and peers, each on a wire of its own to it, with an IPv4 and an IPv6
    address."""

    def __init__(self, peers):
        self.names = {name: f"tg{os.getpid()}{name}" for name in ("outer", *peers)}
        self.peers = peers

    def __enter__(self):
        try:
            self.make()
        except NoNamespaces:
            self.__exit__()
            raise
        return self

    def make(self):
        for name in self.names.values():
            self.must("ip", "netns", "add", name)
            self.must("ip", "-n", name, "link", "set", "lo", "up")
        outer = self.names["outer"]
        for i, peer in enumerate(self.peers):
            there, wire = self.names[peer], f"w{i}"
            self.must("ip", "-n", outer, "link", "add", wire, "type", "veth", "peer", "name", "wire", "netns", there)
            for name, device, host in ((outer, wire, 1), (there, "wire", 2)):
                self.must("ip", "-n", name, "addr", "add", f"10.77.{i}.{host}/24", "dev", device)
                self.must("ip", "-n", name, "addr", "add", f"fd77:{i}::{host}/64", "dev", device, "nodad")
                self.must("ip", "-n", name, "link", "set", device, "up")

    def __exit__(self, *_):
        if shutil.which("ip"):
            for name in self.names.values():
                subprocess.run(["ip", "netns", "del", name], capture_output=True)

    @staticmethod
    def must(*command):
        if not shutil.which("ip"):
            raise NoNamespaces("there is no program `ip`")
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise NoNamespaces(f"{' '.join(command)}: {done.stderr.strip()}")

    def admitted(self, peer, port, v6):
        i = self.peers.index(peer)
        source, target = (f"fd77:{i}::2", f"fd77:{i}::1") if v6 else (f"10.77.{i}.2", f"10.77.{i}.1")
        done = subprocess.run(["ip", "netns", "exec", self.names[peer], sys.executable, __file__, "--probe", str(port), source,
                               target], capture_output=True, text=True, timeout=30)
        expect(done.stdout.strip() in ("True", "False"), done.stdout + done.stderr)
        return done.stdout.strip() == "True"


def machines_are_told_apart_in_both_families(folder):
    port = 9780  # of networks of their own
    with Machines(["device", "stranger"]) as machines:
        for v6, listen in ((False, "0.0.0.0"), (True, "[::]")):
            receiver = Receiver(folder / f"machines-{v6}", f"{listen}:{port}", machines.names["outer"])
            with receiver.configure(ip_white_list="10.77.0.2, fd77:0::/64").start():
                def seen():
                    return [machines.admitted(peer, port, v6) for peer in machines.peers]

                expect(seen() == [True, False], f"{listen}, by the first list {seen()}")
                code, said = receiver.configure(ip_white_list="10.77.1.0/24, fd77:1::2/128").load()
                expect(code == 0, said)
                expect(seen() == [False, True], f"{listen}, by the second list {seen()}")


def main():
    if sys.argv[1:2] == ["--probe"]:
        return print(admitted(int(sys.argv[2]), sys.argv[3], sys.argv[4]))
    folder = gateway.temporary_folder("white-list")
    for test in (the_list_decides_by_the_address_of_the_peer, without_a_list_everybody_and_with_an_empty_one_nobody,
                 half_of_all_addresses_is_told, a_new_list_holds_for_new_connections_at_once):
        test(folder)
        print(f"ok: {test.__name__}", flush=True)
    try:
        machines_are_told_apart_in_both_families(folder)
        print("ok: machines_are_told_apart_in_both_families")
    except NoNamespaces as why:
        print(f"skipped: machines_are_told_apart_in_both_families: no network namespaces here ({why})")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
