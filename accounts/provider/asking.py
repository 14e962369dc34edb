"""The real way out of a question to the provider."""

from collections.abc import Mapping
from typing import Final

from accounts.provider.usage import ProviderAnswer
from config.network.outbound import way_to

ANSWER_SECONDS: Final = 15.0


def get_over_http(url: str, headers: Mapping[str, str]) -> ProviderAnswer:
    """Ask this address. Every failure to get an answer is an OSError that holds neither address nor header."""
    import httpx  # late: most commands need none

    way = way_to(url)
    try:
        with way.client(ANSWER_SECONDS) as client:
            answer = client.get(url, headers=dict(headers))
    except httpx.HTTPError as e:
        raise OSError(way.failure(e)) from None
    fields = {name.lower(): value for name, value in answer.headers.items()}
    return ProviderAnswer(status=answer.status_code, headers=fields, body=answer.content)
