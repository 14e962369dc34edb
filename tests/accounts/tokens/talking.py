"""A token endpoint that says one thing."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress


@contextmanager
def saying(answer: bytes) -> Iterator[str]:
    """A server that says this to whoever connects: its address."""

    def serve() -> None:
        with suppress(OSError):
            client, _ = server.accept()
            with client:
                client.recv(65536)
                client.sendall(answer)

    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/oauth/token"
        server.shutdown(socket.SHUT_RDWR)
    thread.join()
