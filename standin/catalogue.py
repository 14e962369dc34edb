"""Lists of models that differ from account to account."""

import hashlib
import json

from standin.replies import Reply, json_reply


def listing(slugs: tuple[str, ...]) -> Reply:
    """The answer to a request for the list."""
    models = [{"slug": slug, "display_name": slug.upper(), "visibility": "list"} for slug in slugs]
    return json_reply({"models": models}, headers=(("etag", etag_of(slugs)),))


def etag_of(slugs: tuple[str, ...]) -> str:
    """The same list has the same tag, whoever's it is."""
    return f'W/"{hashlib.sha256(json.dumps(slugs).encode()).hexdigest()[:16]}"'
