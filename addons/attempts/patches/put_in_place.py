"""Puts in the place of mitmproxy's own what has to be another way in this process. Twice is as good as once."""

from addons.attempts.patches.authority_lookups import quicken_authorities
from addons.attempts.patches.bounded_decoding import bound_decoding
from addons.attempts.patches.bounded_messages import bound_messages
from addons.attempts.patches.bursts import join_bursts
from addons.attempts.patches.header_coding_log import silence_header_coding
from addons.attempts.patches.header_lookups import quicken_headers
from addons.attempts.patches.hook_arguments import quicken_hooks
from addons.attempts.patches.informational import skip_informational
from addons.attempts.patches.option_lookups import quicken_options


def put_in_place() -> None:
    """Before the first connection. What depends on options (dialing), or on how the proxy was started (hook_index,
    typechecks), is put in place by whoever knows of that."""
    bound_decoding()
    bound_messages()
    skip_informational()
    join_bursts()
    quicken_headers()
    quicken_options()
    quicken_authorities()
    quicken_hooks()
    silence_header_coding()
