"""Starts execution environments by forking a process that has done the common imports already.

Run as `python -m infra.local.zygote MODULE…`. Reads one JSON object a line: `{"start": id, "handler", "api",
"environment", "folders", "memory", "log"}` or `{"kill": id}`; writes `{"exited": id, "status"}`. Whatever it
started dies with it, and it ends when its standard input does.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import select
import signal
import sys
import types
from typing import Any


def main(modules: list[str]) -> None:
    """Serve until standard input ends."""
    for name in modules:
        try:
            importlib.import_module(name)
        except ImportError:
            continue  # the function that needs it will say so
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then closes our input
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    children: dict[int, str] = {}
    pending = b""
    while True:
        ready, _, _ = select.select([0, wake_read], [], [])
        if wake_read in ready:
            os.read(wake_read, 4096)
            _report_exits(children)
        if 0 not in ready:
            continue
        data = os.read(0, 1 << 16)
        if not data:
            break
        *lines, pending = (pending + data).split(b"\n")
        for line in lines:
            _obey(json.loads(line), children)
    for child in children:
        _kill(child)


def _obey(request: dict[str, Any], children: dict[int, str]) -> None:
    """Start the environment that a request names, or kill it."""
    if "start" in request:
        child = os.fork()
        if child == 0:
            _become(request)
        children[child] = request["start"]
        return
    for child, name in children.items():
        if name == request["kill"]:
            _kill(child)


def _kill(child: int) -> None:
    try:
        os.killpg(child, signal.SIGKILL)  # with whatever the function started itself
    except ProcessLookupError:
        os.kill(child, signal.SIGKILL)  # it has not created its process group yet


def _report_exits(children: dict[int, str]) -> None:
    while children:
        child, status = os.waitpid(-1, os.WNOHANG)
        if not child:
            return
        report = {"exited": children.pop(child), "status": os.waitstatus_to_exitcode(status)}
        os.write(1, json.dumps(report).encode() + b"\n")


def _become(request: dict[str, Any]) -> None:
    """Turn this forked process into an execution environment of Lambda; never returns."""
    try:
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.closerange(3, 256)
        limit = request["memory"] * 2**20
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        os.environ.clear()
        os.environ.update(request["environment"])
        os.chdir(request["folders"][0])
        sys.path[:0] = request["folders"]
        sys.argv = ["awslambdaric", request["handler"]]
        sys.modules["__main__"] = types.ModuleType("__main__")
        from awslambdaric.__main__ import main as run  # reads the environment when imported

        run(sys.argv)
    except SystemExit as end:
        os._exit(end.code if isinstance(end.code, int) else 1)
    except BaseException:
        import traceback

        traceback.print_exc()
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
