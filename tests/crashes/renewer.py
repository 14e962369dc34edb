"""A process that renews tokens: `python renewer.py POOL once|forever KEY…`. Killed by the tests at any moment."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from accounts.store.store import Store
from accounts.tokens.refresh import Refresher
from config import clock


def main(pool: Path, how: str, keys: list[str]) -> None:
    with Store(pool) as store:
        stale = store.all_credentials()
        refresher = Refresher(store, pool.parent / "locks", clock.now, pause=lambda _: None)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        if how == "once":
            sys.stdin.readline()
        while True:
            for key in keys:
                renewal = refresher.renew_now(key, stale[key], "proactive_expiry")
                if how == "forever" and renewal.credentials is not None:
                    stale[key] = renewal.credentials
            if how == "once":
                break
        refresher.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
