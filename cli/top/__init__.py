"""The screen of `codex-rotate top`: the read models of `list`, `status`, `why` and `usage`, live in a terminal.

What it shows is read in threads, drawn by functions without a terminal, and only what has changed is sent to it.
textual is an extra, and imported by `app` and `widgets` only.
"""
