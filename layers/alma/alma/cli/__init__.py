"""The `alma` command: operate an installation, in AWS or on this machine alike."""

from alma.cli.commands import main

__all__ = ["main"]
