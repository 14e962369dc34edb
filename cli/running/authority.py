"""What became of the proxy's certificate authority, in sentences."""

from datetime import datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:  # what makes and reads certificates takes a while to load
    from certs import ca

RESTART: Final = (
    "Proxies that run go on with the old one until they are restarted, and clients started from now on trust both, "
    "bound ones included. A client that runs already has to be restarted once its proxy was."
)
RESTART_ALL: Final = "Clients started from now on trust nothing but this one: restart every proxy and every client."


def made(done: "ca.CaChange") -> str:
    """That there is one now."""
    from certs import ca

    name, end = ca.common_name(done.certificate), day(done.certificate.not_valid_after_utc)
    return f"{name} was made, valid until {end}. It can vouch for {' and '.join(ca.DOMAINS)} only."


def renewed(done: "ca.CaChange", now: float) -> str:
    """What a renewal came to."""
    from certs import ca

    name, end = ca.common_name(done.certificate), day(done.certificate.not_valid_after_utc)
    if done.action is ca.CaAction.RENEWED:
        return f"{name} was made, valid until {end}. {RESTART if done.overlap else RESTART_ALL}"
    if done.action is ca.CaAction.MENDED:
        return f"{done.trusted_file} was written again: it begins with {name}, valid until {end}. Restart clients."
    days = ca.days_left(done.certificate, now)
    return f"Nothing was renewed: {name} is valid for {days} more days. Add --force to renew it all the same."


def day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"
