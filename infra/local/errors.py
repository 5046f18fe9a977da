"""The error of the local runtime."""


class LocalRuntimeError(RuntimeError):
    """The runtime cannot start or go on; the message tells the user what to do."""
