"""The provider: its hosts, addresses and the names of its claims. What else knows them takes them from here."""

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """`host` serves accounts, and hosts one label below it serve those that are bound to a region. `api_host` serves
    API keys. `issuer` signs in; `domains` are what a certificate authority of ours may vouch for, with all below them,
    and `earlier_domains` what those of earlier versions could as well. `auth_claim` and `profile_claim` are the names
    under which its tokens say whose they are. `prices_page` says what its API costs."""

    host: str
    api_host: str
    issuer: str
    domains: tuple[str, ...]
    earlier_domains: tuple[str, ...]
    backend_path: str
    auth_claim: str
    profile_claim: str
    prices_page: str

    @property
    def hosts(self) -> re.Pattern[str]:
        """What has to match a whole host name, in lower case, to be one that account tokens may be sent to."""
        return re.compile(rf"(?:[a-z0-9-]+\.)?{re.escape(self.host)}")

    @property
    def backend_url(self) -> str:
        return f"https://{self.host}{self.backend_path}"

    @property
    def codex_path(self) -> str:
        """What the paths of model requests begin with."""
        return f"{self.backend_path}/codex"

    @property
    def responses_path(self) -> str:
        return f"{self.codex_path}/responses"

    @property
    def token_url(self) -> str:
        """Where tokens are renewed."""
        return f"{self.issuer}/oauth/token"


PROVIDER: Final = Provider(
    host="chatgpt.com",
    api_host="api.openai.com",
    issuer="https://auth.openai.com",
    domains=("chatgpt.com",),
    earlier_domains=("openai.com",),
    backend_path="/backend-api",
    auth_claim="https://api.openai.com/auth",
    profile_claim="https://api.openai.com/profile",
    prices_page="https://developers.openai.com/api/docs/pricing",
)
