"""Tells whoever the settings name what has happened to the pool: by a command, or a webhook."""
