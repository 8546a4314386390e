# SPDX-License-Identifier: Apache-2.0
"""What the emulated device itself can carry: raw frames from this process, through tidegate-gatekeeper, to this process."""

import socket
import threading
import time
import zlib

from gateway import Gateway, wait_until
from measure import Failed

FRAME_BYTES = 1_000_000  # the frame limit of the profile, header included
ANSWER_OK = b"\x00"


def frame():
    """doc/wire_format.md: length twice, CRC-32 in 8 bytes, payload. What is in it does not matter to the device."""
    payload = bytes(FRAME_BYTES - 16)
    length = (len(payload) + 8).to_bytes(4, "big")
    return length + length + zlib.crc32(payload).to_bytes(8, "big") + payload


class FarEnd:
    """Takes frames, notes when each is complete, answers it at once (or never)."""

    def __init__(self, port, answers):
        self.answers, self.done_at, self.lock = answers, [], threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:  # closed: the end
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.take, args=(connection,), daemon=True).start()

    def take(self, connection):
        buffer, held = bytearray(1 << 18), 0
        with connection:
            while True:
                try:
                    n = connection.recv_into(buffer)
                    if n == 0:
                        return
                    held += n
                    while held >= FRAME_BYTES:
                        held -= FRAME_BYTES
                        with self.lock:
                            self.done_at.append(time.perf_counter())
                        if self.answers:
                            connection.sendall(ANSWER_OK)
                except OSError:  # the device was stopped
                    return

    def close(self):
        self.listener.close()


def push(port, lanes, waits, until, failures):
    """One thread per lane; a frame starts when the one before has left, as LINK.md wants it from a sender."""
    bytes_out, turn = frame(), threading.Lock()

    def lane():
        try:
            with socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
                s.settimeout(20)
                s.connect(("127.0.0.1", port))
                while time.perf_counter() < until:
                    with turn:
                        s.sendall(bytes_out)
                    if waits and s.recv(1) != ANSWER_OK:
                        raise OSError("another byte than ok came back")
        except OSError as error:
            failures.append(error)

    threads = [threading.Thread(target=lane) for _ in range(lanes)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


def device_options(rate, rtt_ms):
    return ["--rate", rate, "--delay", f"{rtt_ms / 2:g}ms"]


def ceiling(folder, rate, rtt_ms, lanes, waits, seconds):
    """Bytes per second of whole frames. waits: one frame per lane until it is answered; else a stream without answers."""
    options = device_options(rate, rtt_ms) + ([] if waits else ["--window", "0"])
    with Gateway(folder, gatekeeper=options) as gw:
        far = FarEnd(gw.receive, answers=waits)
        gw.gatekeeper.start()
        wait_until(lambda: "listening on" in gw.gatekeeper.tail(), 10, f"the emulator does not start\n{gw.gatekeeper.tail()}")
        failures = []
        push(gw.device, lanes, waits, time.perf_counter() + seconds, failures)
        violations = gw.device_stats()["violations_total"]
        gw.stop()
        far.close()
    done = far.done_at[lanes:]  # without the first of each lane: TCP's slow start
    if failures or violations or len(done) < 3:
        raise Failed(f"raw frames through the emulator ({rtt_ms} ms, {lanes} lanes): {len(done)} frames, "
                     f"{violations} violations, {failures[:1]}\n{gw.gatekeeper.tail()}")
    return (len(done) - 1) * FRAME_BYTES / (done[-1] - done[0])
