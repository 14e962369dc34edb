"""Full bundles: all roots of the system and what is trusted of ours, for tools that take one file instead of the roots.

Only the last part of a bundle is ours. It is replaced by itself when the authority is renewed, so that whoever was
given a bundle goes on with it; the other roots stay those of the shell that it was made in.
"""

import base64
import binascii
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from certs.errors import CaError
from certs.folder import BUNDLE_FILE, CERTIFICATE_FILE, DISTRUSTED, OLD, TOOLS_FILE, TRUSTED_FILE
from config import access, paths
from config.files import write_private

ORGANIZATION: Final = "codex-rotate"
"""In the name of every authority of ours."""

_OF_OURS: Final = bytes.fromhex("060355040a0c") + bytes([len(ORGANIZATION)]) + ORGANIZATION.encode()
"""The organization as it stands in a certificate: looked for as bytes, because reading them properly takes a while."""
_CERTIFICATE: Final = re.compile(rb"-----BEGIN CERTIFICATE-----[\sA-Za-z0-9+/=]+-----END CERTIFICATE-----")
_HASHED: Final = re.compile(r"[0-9a-f]{8}\.\d+")
_KNOWN_FILES: Final = tuple(
    Path(name)
    for name in (
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/ssl/cert.pem",
    )
)
"""Where Debian, Fedora, openSUSE and macOS keep the roots, for a Python that was built to look elsewhere."""


class NoRoots(CaError):
    def __init__(self) -> None:
        super().__init__(
            "No root certificates of this system were found, so there is nothing to make a full bundle from. Install "
            "them (the package ca-certificates on most systems), or set SSL_CERT_FILE to the file that has them."
        )


class BundleUnwritable(CaError):
    """`remedy` is a sentence, where it is known what refuses."""

    def __init__(self, file: Path, trouble: str, remedy: str = "") -> None:
        super().__init__(
            f"{file} cannot be written ({trouble}). "
            + (
                remedy
                or "Check who may write to its folder and that the disk has room, or set CODEX_ROTATE_HOME to another "
                "folder."
            )
        )


# --- text ------------------------------------------------------------------------------------------------------------


def certificates(pem: bytes) -> list[bytes]:
    """The certificates in a PEM file, each once and spelled in the same way."""
    found = (b"\n".join(line.strip() for line in each.split(b"\n")) for each in _CERTIFICATE.findall(pem))
    return list(dict.fromkeys(found))


def is_ours(certificate: bytes) -> bool:
    """Whether an authority of ours is in it, replaced and debug ones included: such a one is nobody's root."""
    body = b"".join(certificate.split(b"\n")[1:-1])
    try:
        return _OF_OURS in base64.b64decode(body)
    except binascii.Error:
        return False


def bundle(trusted: bytes, roots: bytes, replaced: Collection[bytes] = ()) -> bytes:
    """All certificates of both as one PEM, each once, ours last; private keys and remarks are left out.

    So is what else of ours is among the roots, and what was `replaced`. Raises NoRoots.
    """
    ours = certificates(trusted)
    out = {*ours, *replaced}
    others = [each for each in certificates(roots) if each not in out and not is_ours(each)]
    if not others:
        raise NoRoots
    return b"".join(each + b"\n" for each in (*others, *ours))


# --- roots -----------------------------------------------------------------------------------------------------------


def find_roots(environ: Mapping[str, str] = os.environ, variables: Sequence[str] = ("SSL_CERT_FILE",)) -> bytes:
    """The root certificates that programs of this system trust, as PEM. Raises NoRoots.

    First those that the user's own variables name, such as a company's. They may name a bundle of ours, made by a
    shell around this one: what is ours in it is left out by `bundle`, the rest is still wanted.
    """
    import ssl

    known = ssl.get_default_verify_paths()
    extra = b"\n".join(_read(Path(environ[name])) for name in variables if environ.get(name))
    for source in (_files(Path(known.openssl_cafile), *_KNOWN_FILES), _folder(Path(known.openssl_capath)), _others()):
        for content in source:
            if certificates(content):
                return extra + b"\n" + content
    if certificates(extra):
        return extra
    raise NoRoots


def _files(*candidates: Path) -> Iterator[bytes]:
    yield from (_read(file) for file in candidates)


def _folder(folder: Path) -> Iterator[bytes]:
    """A folder with a file per certificate, under the names that OpenSSL looks for."""
    with suppress(OSError):
        yield b"\n".join(_read(file) for file in sorted(folder.iterdir()) if _HASHED.fullmatch(file.name))


def _others() -> Iterator[bytes]:
    """The certificate stores of Windows and, last, the roots that came with our own HTTP client."""
    import ssl

    loaded = ssl.create_default_context().get_ca_certs(binary_form=True)
    yield b"\n".join(ssl.DER_cert_to_PEM_cert(each).encode() for each in loaded)
    with suppress(ImportError):
        import certifi

        yield _read(Path(certifi.where()))


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:  # a place that is not there on this system
        return b""


# --- files -----------------------------------------------------------------------------------------------------------


def write_bundle(file: Path, content: bytes) -> bool:
    """Put the bundle there, as a whole or not at all. Whether that changed anything. Raises BundleUnwritable."""
    try:
        if file.is_file() and file.read_bytes() == content:
            return False
        paths.make_private_folder(file.parent)
        write_private(file, content)
    except OSError as e:
        if refused := access.refusal(file, e.errno) or access.refusal(file.parent, e.errno):
            raise BundleUnwritable(file, refused.of(file), refused.remedy) from e
        raise BundleUnwritable(file, e.strerror or str(e)) from e
    return True


def outdated(folder: Path, trusted: bytes) -> dict[Path, bytes]:
    """The bundles of this folder that hold something else of ours than this, with what they are to hold.

    Raises NoRoots for a bundle without any root where the system has none either, and OSError.
    """
    replaced, found = _of_this_folder(folder), {}
    for file in (folder / BUNDLE_FILE, folder / TOOLS_FILE):
        if not file.is_file():
            continue
        before = file.read_bytes()
        try:
            after = bundle(trusted, before, replaced)
        except NoRoots:  # it was damaged: the roots of this shell are better than none
            after = bundle(trusted, find_roots(), replaced)
        if after != before:
            found[file] = after
    return found


def refresh(folder: Path, trusted: bytes) -> None:
    """Let every bundle of this folder hold this of ours and nothing else. Raises BundleUnwritable, NoRoots, OSError."""
    for file, content in outdated(folder, trusted).items():
        write_bundle(file, content)


def _of_this_folder(folder: Path) -> set[bytes]:
    """What is or was trusted here; it may be one that somebody else made, without our name in it."""
    files = [folder / CERTIFICATE_FILE, folder / TRUSTED_FILE, *folder.glob(f"{OLD}*"), *folder.glob(f"{DISTRUSTED}*")]
    return {each for file in files for each in certificates(_read(file))}
