"""Which project a turn is for, by what the client says of the folder it runs in. Pure.

In a git folder the turn metadata names it and its remotes (docs/codex-wire.md section 12). A remote's address may hold
a password: nothing but the end of its path is ever kept.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from accounts.requests.identity import MOST_METADATA

MOST_NAME: Final = 80
"""Characters of a project's name."""
_FIRST: Final = ("origin", "upstream")
"""Remotes whose name a project has before those of others."""
_SCP: Final = re.compile(r"(?:[^@/:]*@)?[^/:@]+:(?!//)(.*)")
"""`user@host:path`, as ssh takes it."""
_DRIVE: Final = re.compile(r"[A-Za-z]:[\\/]")
_ODD: Final = re.compile(r"[^\w.+ -]")


def project_of(metadata: str) -> str:
    """A short name such as `owner/repo`; without a remote the folder's. "" if nothing is said of a folder."""
    for folder, about in _workspaces(metadata):
        remotes = about.get("associated_remote_urls")
        named = project_named_by(remotes) if isinstance(remotes, Mapping) else ""
        if named or (named := "/".join(_parts(folder)[-1:])):
            return named
    return ""


def project_named_by(remotes: Mapping[object, object]) -> str:
    """By the remote that says most; "" for none that says anything."""
    known = {str(name): url for name, url in remotes.items() if isinstance(url, str)}
    names = [*(name for name in _FIRST if name in known), *sorted(known.keys() - set(_FIRST))]
    return next(filter(None, (short_name(known[name]) for name in names)), "")


@lru_cache(256)
def short_name(url: str) -> str:
    """The last two parts of a remote's path; of one on this machine the last part. Never more of an address."""
    scp = None if "://" in url or _DRIVE.match(url) else _SCP.fullmatch(url.strip())
    if scp is not None:
        return "/".join(_parts(scp[1])[-2:])
    try:
        split = urlsplit(url.strip()) if "://" in url else None
    except ValueError:
        return ""
    if split is None or split.scheme == "file":
        return "/".join(_parts(url if split is None else split.path)[-1:])
    return "/".join(_parts(split.path)[-2:])


def _parts(path: str) -> list[str]:
    """Of a path of any system, as they can be shown."""
    plain = re.split(r"[?#]", path)[0].strip().rstrip("/\\").removesuffix(".git")
    named = (_ODD.sub("", part.rpartition("@")[2])[:MOST_NAME] for part in re.split(r"[/\\]", plain))
    return [part for part in named if part.strip(". ")]


def _workspaces(metadata: str) -> Iterator[tuple[str, Mapping[object, object]]]:
    if '"workspaces"' not in metadata or len(metadata) > MOST_METADATA:
        return
    try:
        told = json.loads(metadata)
    except (ValueError, RecursionError):
        return
    folders = told.get("workspaces") if isinstance(told, dict) else None
    if isinstance(folders, dict):
        yield from ((folder, about if isinstance(about, dict) else {}) for folder, about in folders.items())
