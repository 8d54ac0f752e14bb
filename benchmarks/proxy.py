"""A proxy that makes a database farther away: `python -m benchmarks.proxy PORT HOST PORT DELAY`.

Every message of the client is held for DELAY seconds, answers are not: one round trip takes that
much longer. A thread per direction and connection, since an event loop's timers are too coarse.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time


def pump(source: socket.socket, target: socket.socket, delay: float) -> None:
    """Pass on what comes, each message after a delay, until either side closes."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            if delay:
                time.sleep(delay)
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def serve(port: int, target: tuple[str, int], delay: float) -> None:
    """Accept connections for ever."""
    with socket.create_server(("127.0.0.1", port), backlog=128) as listener:
        print("listening", flush=True)
        while True:
            client, _ = listener.accept()
            server = socket.create_connection(target)
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for one in ((client, server, delay), (server, client, 0.0)):
                threading.Thread(target=pump, args=one, daemon=True).start()


def main() -> None:
    """Read the command line, and serve."""
    port, host, target_port, delay = sys.argv[1:]
    with contextlib.suppress(KeyboardInterrupt):
        serve(int(port), (host, int(target_port)), float(delay))


if __name__ == "__main__":
    main()
