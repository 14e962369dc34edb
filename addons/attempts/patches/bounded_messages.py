"""Messages of WebSockets, bounded in what their compression makes of them.

mitmproxy reads them with wsproto, which unpacks without a bound. One that becomes too much is what wsproto itself has a
word for: the socket is closed with 1009 on both sides.
"""

import zlib
from typing import Any, Final

from wsproto.extensions import PerMessageDeflate
from wsproto.frame_protocol import CloseReason

from config import decoding

_COUNTED: Final = "_codex_rotate_counted"
"""Of an extension: bytes of the message that came, and what they became."""

_theirs_complete = PerMessageDeflate.frame_inbound_complete


def bound_messages() -> None:
    """From now on, in this process."""
    PerMessageDeflate.frame_inbound_payload_data = _payload_data  # type: ignore[method-assign]
    PerMessageDeflate.frame_inbound_complete = _complete  # type: ignore[method-assign]


def _payload_data(self: Any, proto: object, data: bytes) -> bytes | CloseReason:
    del proto
    if not self._inbound_compressed or not self._inbound_is_compressible:
        return data
    came, became = getattr(self, _COUNTED, (0, 0))
    came += len(data)
    room = decoding.allowed(came, decoding.MOST_REQUEST) - became
    try:
        plain: bytes = self._decompressor.decompress(bytes(data), room + 1)
    except zlib.error:
        return CloseReason.INVALID_FRAME_PAYLOAD_DATA
    if len(plain) > room:
        return CloseReason.MESSAGE_TOO_BIG
    setattr(self, _COUNTED, (came, became + len(plain)))
    return plain


def _complete(self: Any, proto: Any, fin: bool) -> bytes | CloseReason | None:
    if fin and self._inbound_is_compressible:
        setattr(self, _COUNTED, (0, 0))
    return _theirs_complete(self, proto, fin)
