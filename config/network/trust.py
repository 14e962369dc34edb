"""What requests of our own trust: the usual roots or those of SSL_CERT_FILE, and those of CODEX_CA_CERTIFICATE as well.

The second one is the official client's variable: whoever has set it for a company's CA means our requests, too.
"""

import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from config.errors import ConfigError

ROOTS: Final = "SSL_CERT_FILE"
MORE: Final = "CODEX_CA_CERTIFICATE"


def ssl_context(environ: Mapping[str, str] = os.environ) -> ssl.SSLContext:
    """For one client. Raises ConfigError for a file of SSL_CERT_FILE that cannot be used: without it there is nothing
    to trust. What CODEX_CA_CERTIFICATE would add is left out when it cannot be read."""
    import httpx  # late: most commands need none

    file = environ.get(ROOTS)
    if file and (trouble := why_unusable(file)):
        raise ConfigError(f"the environment: {ROOTS} names {file}, {trouble}. Correct it, or unset it.")
    context = ssl.create_default_context(cafile=file) if file else httpx.create_ssl_context()
    more = environ.get(MORE)
    if more and not why_unusable(more):
        context.load_verify_locations(cafile=more)
    return context


def missing(environ: Mapping[str, str] = os.environ) -> str:
    """What is not trusted although CODEX_CA_CERTIFICATE says so, in words; "" for nothing."""
    file = environ.get(MORE)
    trouble = why_unusable(file) if file else ""
    return f"{MORE} names {file}, {trouble}" if trouble else ""


def why_unusable(file: str) -> str:
    """Why a file adds nothing to what is trusted, as the rest of a sentence; "" for one that does."""
    try:
        ssl.create_default_context(cafile=str(Path(file)))
    except FileNotFoundError:
        return "which is not there"
    except ssl.SSLError:
        return "which holds no certificates"
    except (OSError, ValueError) as e:  # ValueError: a NUL in the name
        return f"which cannot be read ({getattr(e, 'strerror', None) or e})"
    return ""
