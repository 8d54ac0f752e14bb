"""Add latency to a database connection: `python -m benchmarks.proxy PORT HOST PORT DELAY`.

The proxy delays every message from the client by DELAY seconds. It does not delay responses, so
each round trip takes DELAY seconds longer. Each connection has one thread per direction, because
the timers of an event loop are too inaccurate for short delays.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time


def pump(source: socket.socket, target: socket.socket, delay: float) -> None:
    """Forward messages from `source` to `target` after a delay, until either side disconnects."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            if delay:
                time.sleep(delay)
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def serve(port: int, target: tuple[str, int], delay: float) -> None:
    """Accept connections, and connect each one to the target, until the process ends."""
    with socket.create_server(("127.0.0.1", port), backlog=128) as listener:
        print("listening", flush=True)
        while True:
            client, _ = listener.accept()
            server = socket.create_connection(target)
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for direction in ((client, server, delay), (server, client, 0.0)):
                threading.Thread(target=pump, args=direction, daemon=True).start()


def main() -> None:
    """Run the proxy with the command-line arguments."""
    port, host, target_port, delay = sys.argv[1:]
    with contextlib.suppress(KeyboardInterrupt):
        serve(int(port), (host, int(target_port)), float(delay))


if __name__ == "__main__":
    main()
