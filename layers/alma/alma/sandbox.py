"""A child process: what runs there can crash, hang or bloat and takes nothing else with it.

It is a module of ours (`python -m …`) without this process's credentials, spoken to over two pipes under a
deadline. The module confines itself as its first step (`confine`); the memory limit and the last resort
against a hang are then the kernel's.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from typing import IO, cast

from alma.settings import child_environment

# Share of the memory limit beyond which a death is put down to it: native code seldom says why it gives up.
_BLOATED = 0.6

# Bytes in the unit of ru_maxrss.
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024

_CHUNK = 2**18

# Of Linux' prctl(2).
_PR_SET_DUMPABLE = 4


class ChildError(Exception):
    """The child is of no more use."""


class ChildLateError(ChildError):
    """It did not answer in time."""


class ChildDiedError(ChildError):
    """It ended, or wrote more than an answer may have."""

    def __init__(self, status: int, *, bloated: bool) -> None:
        super().__init__(f"status {status}")
        self.status = status
        """Its exit status, negative for a signal."""
        self.bloated = bloated
        """It had taken most of the memory it may."""


class Child:
    """A process that runs a module of ours, seen from outside.

    Parameters
    ----------
    module : str
        What `python -m` starts.
    memory : int
        Bytes it confines itself to, by which a death is judged.
    environment : dict, optional
        Variables it gets besides those every child has.
    """

    def __init__(self, module: str, *, memory: int, environment: dict[str, str] | None = None) -> None:
        hide()
        self.peak_memory = 0
        self._memory = memory
        path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path if entry)
        self._inherited = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env={**child_environment(), "PYTHONPATH": path, **(environment or {})},
        )
        # Popen has them as optional; with PIPE they are there.
        self._stdin, self._stdout = (
            cast(IO[bytes], self._process.stdin),
            cast(IO[bytes], self._process.stdout),
        )
        os.set_blocking(self._stdin.fileno(), False)
        self._received = bytearray()

    @property
    def alive(self) -> bool:
        """It has not ended."""
        # Not Popen.poll, which would reap it and drop what it used.
        return (
            self._process.returncode is None
            and os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
        )

    def send(self, data: bytes | memoryview, until: float) -> None:
        """Write to the child; one that has ended is noticed, with the reason, when its answer is taken.

        Raises
        ------
        ChildLateError
            It did not take everything until then (`time.monotonic`).
        """
        rest = memoryview(data).cast("B")
        with contextlib.suppress(BrokenPipeError), selectors.DefaultSelector() as selector:
            selector.register(self._stdin, selectors.EVENT_WRITE)
            while rest:
                if not selector.select(max(0.0, until - time.monotonic())):
                    raise ChildLateError
                rest = rest[os.write(self._stdin.fileno(), rest) :]

    def line(self, until: float, most: int) -> bytes:
        """Return the next line the child writes, without its end.

        Raises
        ------
        ChildLateError
            It was not there until then; one that is there counts, however late the caller comes for it.
        ChildDiedError
            The child ended first, or the line has more than `most` bytes.
        """
        line = self._take(lambda received: received.find(b"\n") + 1, until, most)
        return bytes(line[:-1])

    def exactly(self, count: int, until: float) -> bytearray:
        """Return the next `count` bytes the child writes; raises as `line`."""
        return self._take(lambda received: count if len(received) >= count else 0, until, count + _CHUNK)

    def _take(self, end: Callable[[bytearray], int], until: float, most: int) -> bytearray:
        """Return what was received up to `end`, which is 0 as long as there is too little."""
        stop = end(self._received)
        with selectors.DefaultSelector() as selector:
            selector.register(self._stdout, selectors.EVENT_READ)
            while not stop:
                if not selector.select(max(0.0, until - time.monotonic())):
                    raise ChildLateError
                chunk = self._stdout.read(_CHUNK)
                if not chunk or len(self._received) > most:
                    status = self.end()
                    # The kernel counts what this process used when it started the child as the child's.
                    bloated = self.peak_memory > max(_BLOATED * self._memory, self._inherited)
                    raise ChildDiedError(status, bloated=bloated)
                self._received += chunk
                stop = end(self._received)
        taken = self._received[:stop]
        del self._received[:stop]
        return taken

    def end(self) -> int:
        """Kill and reap the process; return its exit status. Safe to call twice."""
        process = self._process
        if process.returncode is None:
            # Not Popen.kill, which would reap a dead process and drop what it used. One that died of itself
            # keeps its own status.
            os.kill(process.pid, signal.SIGKILL)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            self.peak_memory = usage.ru_maxrss * _RSS_UNIT
            self._stdin.close()
            self._stdout.close()
        return process.returncode


def answers() -> IO[bytes]:
    """Return where the child's module writes its answers; native code cannot print between them any more."""
    stream = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return stream


def confine(memory: int) -> None:
    """Limit the memory of this process, hide it, have it leave no core; what a child's module does first."""
    hide()
    if sys.platform == "linux":  # elsewhere the call fails, or the limit is not enforced
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)


@cache
def hide() -> None:
    """Have the kernel keep what this process holds from others of the same user: its memory, its environment.

    What begins in a child as native code gone wrong then finds no credentials in its parent, nor another
    organisation's data in a sibling.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def end_after(seconds: int) -> None:
    """Have the kernel end this process after so many seconds, should nobody be left to do it; 0 for never."""
    signal.alarm(seconds)
