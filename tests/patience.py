"""Waiting for work: until it is done, however busy the machine. Nothing is judged by the clock."""

#: Seconds after which something hangs: ten times what a busy machine takes.
HANGS = 600.0
