"""The certificate of somebody else's authority, which comes with a key for their proxy: whether it may be trusted."""

from cryptography import x509

from certs.bundles import certificates
from certs.certificate import DOMAINS, UNREADABLE, common_name, is_narrow, moment, pem
from certs.errors import CaError


class UnfitCertificate(CaError):
    """`trouble` is what is wrong with it, `remedy` what helps."""

    def __init__(self, trouble: str, remedy: str) -> None:
        super().__init__(f"The certificate of the proxy {trouble}. {remedy}")


def checked(given: bytes, now: float) -> bytes:
    """What of it a client may be told to trust, as PEM: certificates that have not expired and can vouch for the
    provider's hosts only. Raises UnfitCertificate."""
    try:
        found = [x509.load_pem_x509_certificate(each) for each in certificates(given)]
        narrow = all(is_narrow(each) for each in found)
    except UNREADABLE:
        found, narrow = [], False
    if not found:
        raise UnfitCertificate("cannot be read", "Ask whoever runs the proxy for a new key file.")
    if not narrow:
        raise UnfitCertificate(
            "could vouch for any host, so that who has its key could read whatever its clients send",
            f"Only one that is limited to {' and '.join(DOMAINS)} is taken, as `codex-rotate serve` makes it.",
        )
    valid = [each for each in found if each.not_valid_before_utc <= moment(now) < each.not_valid_after_utc]
    if found[0] not in valid:
        early = moment(now) < found[0].not_valid_before_utc
        when = f"{found[0].not_valid_before_utc if early else found[0].not_valid_after_utc:%Y-%m-%d}"
        remedy = "Ask whoever runs the proxy for a new key file, and check this machine's clock."
        raise UnfitCertificate(
            f"({common_name(found[0])}) {'is not valid before' if early else 'expired on'} {when}", remedy
        )
    return pem(*valid)
