"""A page that answers, and somebody who looks at it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

from accounts.errors import StoreError
from accounts.store.store import Store
from accounts.views.live_turns import LiveTurn
from addons.dashboard.server import PageServer
from config.page import token


@dataclass
class Site:
    """A page that answers, and what it shows."""

    server: PageServer
    store: Store
    live: list[LiveTurn] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.server.address.url

    def client(self, **settings: object) -> httpx.AsyncClient:
        """Somebody who has not shown who it is."""
        return httpx.AsyncClient(base_url=self.url, trust_env=False, **settings)  # type: ignore[arg-type]

    @asynccontextmanager
    async def owner(self) -> AsyncIterator[httpx.AsyncClient]:
        """The owner, who has shown the token."""
        async with self.client() as client:
            answer = await client.get("/", params={"token": token.own_token()})
            assert answer.status_code == 303
            yield client

    def lose(self) -> None:
        """From now on the pool's file cannot be read."""

        def refuse(_: object) -> object:
            raise StoreError("The pool's file is locked. Wait.")

        self.server.contents.reader._asked = refuse  # type: ignore[assignment, method-assign]
