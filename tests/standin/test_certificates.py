"""The throw-away CA and its leaf."""

import socket
import ssl
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509

from standin import StandIn
from standin.certificates import make_server_context


@pytest.mark.parametrize("name", ["chatgpt.com", "gov.chatgpt.com", "auth.openai.com", "api.openai.com", "127.0.0.1"])
def test_names(upstream: StandIn, name: str) -> None:
    """The leaf is valid for every host the client talks to, under the strict rules newer TLS libraries apply."""
    context = ssl.create_default_context(cafile=str(upstream.ca_file))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    with socket.create_connection(upstream.address) as raw, context.wrap_socket(raw, server_hostname=name) as sock:
        assert sock.version()


@pytest.mark.parametrize(("offer", "chosen"), [(("h2", "http/1.1"), "h2"), (("http/1.1",), "http/1.1"), ((), None)])
def test_alpn(connect: Callable[..., ssl.SSLSocket], offer: tuple[str, ...], chosen: str | None) -> None:
    """h2 is preferred; a client with no ALPN is spoken to all the same."""
    sock = connect(*offer)
    assert sock.selected_alpn_protocol() == chosen


def test_validity_and_files(tmp_path: Path) -> None:
    """Both certificates are for a week around `now`; the leaf's key is for its owner only."""
    ca_file, _ = make_server_context(tmp_path, now=1_000_000.0)
    ca = x509.load_pem_x509_certificate(ca_file.read_bytes())
    assert ca.not_valid_before_utc.timestamp() == 1_000_000 - 86400
    assert ca.not_valid_after_utc.timestamp() == 1_000_000 + 7 * 86400
    assert stat.S_IMODE((tmp_path / "leaf.pem").stat().st_mode) & 0o077 == 0
