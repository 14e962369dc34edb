"""A token endpoint that says one thing."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress


@contextmanager
def saying(answer: bytes) -> Iterator[str]:
    """A server that says this to whoever connects: its address."""
    with hearing(answer) as (url, _):
        yield url


@contextmanager
def hearing(answer: bytes = b"HTTP/1.1 400 x\r\ncontent-length: 0\r\n\r\n") -> Iterator[tuple[str, list[bytes]]]:
    """The same, and what it was asked."""
    heard = list[bytes]()

    def serve() -> None:
        with suppress(OSError):
            client, _ = server.accept()
            with client:
                asked = client.recv(65536)
                while asked.endswith(b"\r\n\r\n"):  # its body comes by itself
                    asked += client.recv(65536)
                heard.append(asked)
                client.sendall(answer)

    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/oauth/token", heard
        server.shutdown(socket.SHUT_RDWR)
    thread.join()
