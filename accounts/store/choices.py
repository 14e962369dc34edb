"""What the owner of a store has chosen for everybody: which clients may ask, and the account that alone serves."""

from concurrent.futures import Future

from accounts.model import fingerprint
from accounts.store import rows
from accounts.store.pool_file import PoolFile


class StoredChoices:
    """What Store says of them, it does."""

    def __init__(self, file: PoolFile) -> None:
        self._file = file

    # --- reading -------------------------------------------------------------------------------------------------

    def client_keys(self) -> dict[str, str]:
        found = self._file.read("SELECT digest, name FROM client_key ORDER BY created_at, name")
        return {row["digest"]: row["name"] for row in found}

    def removed_keys(self) -> dict[str, str]:
        found = self._file.read("SELECT name, value FROM choice WHERE name LIKE ?", f"{rows.REMOVED_KEY}%")
        return {str(row["name"]).removeprefix(rows.REMOVED_KEY): row["value"] for row in found}

    def chosen_account(self) -> str:
        found = self._file.read("SELECT value FROM choice WHERE name = 'account'")
        return str(found[0]["value"]) if found else ""

    # --- writing -------------------------------------------------------------------------------------------------

    def choose_account(self, key: str) -> Future[None]:
        return self._file.write(lambda db: rows.put_choice(db, "account", key))

    def put_client_key(self, name: str, secret: str, now: float) -> Future[None]:
        row = (fingerprint(secret), name, now)
        return self._file.write(lambda db: rows.put_client_key(db, row))

    def remove_client_key(self, name: str) -> Future[bool]:
        return self._file.write(lambda db: rows.remove_client_key(db, name))
