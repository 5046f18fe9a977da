"""The `alma` command: operate an installation, in AWS or on this machine alike.

A file for each group of commands, named after its room. What they share: `command` (common options, errors,
exit statuses), `output` (JSON or tables), `target` (which installation is meant), `client` (the API).
"""

from alma.cli.app import main

__all__ = ["main"]
