"""Policies behind a server: `--policy remote:ws://HOST:PORT`."""
