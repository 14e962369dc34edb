"""What comes into the history of a pool's file, whoever writes it, also when another file takes its place."""

from accounts.errors import StoreLost
from accounts.model import Event
from accounts.store.store import Store


class EventFeed:
    """From now on; `earlier` is what had happened before, the oldest first. Looking costs next to nothing while nobody
    has written."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.earlier, self._last = store.events_after(0)
        self._at = max((each.at for each in self.earlier), default=0.0)
        self._missed = False

    def news(self, now: float) -> tuple[Event, ...]:
        """What has happened since the last look, the oldest first. Raises StoreError while the file cannot be read,
        and goes on where it was when it can be again; of another file with what is later than all that was seen."""
        file = self.store.file
        replaced = file.check(with_accounts=False)
        if file.trouble:
            raise StoreLost(self.store.path, file.trouble)
        if replaced:
            self._last, self._missed = 0, True
        changed = self.store.changed_by_others(now)
        if not changed and not self._missed:
            return ()
        self._missed = True
        events, last = self.store.events_after(self._last)
        later = tuple(each for each in events if self._last or each.at > self._at)
        self._last, self._missed = last, False
        self._at = max([self._at, *(each.at for each in later)])
        return later
