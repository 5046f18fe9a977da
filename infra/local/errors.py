"""What stops the local runtime, each said in one sentence."""


class LocalRuntimeError(RuntimeError):
    """The runtime cannot start or go on; the message tells the user what to do."""
