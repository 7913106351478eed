"""The runner inside the box: imports once, then one fork an exercise that serves the judge.

The first process never runs student code. It takes requests on the control socket: ``fork`` (with
a new socket for the fork) and ``reap``, which ends every other process in the box. A fork runs
cells when told to and answers calls of what they define.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import gc
import importlib
import json
import os
import resource
import shutil
import signal
import socket
import struct
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from classroom.judging.processes import apart, main_module

if TYPE_CHECKING:
    from classroom.judging.cells import Shell

SIZE = struct.Struct("<I")
NOT_DUMPABLE = 4
TOO_LONG = 64 * 2**20


def main() -> None:
    """Serve until the control socket closes: arguments are its number and the user to become."""
    control, user = socket.socket(fileno=int(sys.argv[1])), sys.argv[2]
    boxed = user != "unsafe"
    if boxed and os.getuid() == 0:
        os.setgroups([])
        os.setresgid(int(user), int(user), int(user))
        os.setresuid(int(user), int(user), int(user))
    if boxed:  # no other process may read or write this one's memory
        ctypes.CDLL(None).prctl(NOT_DUMPABLE, 0, 0, 0, 0)
    job, _ = receive(control)
    importlib.import_module("classroom.judging.bridge.peer")
    module = main_module(job["imports"], job["module"])
    shell = importlib.import_module("classroom.judging.cells").Shell(module)
    gc.collect()
    gc.freeze()
    if boxed:
        _limit(job, resource.RLIMIT_NPROC, "processes")
    send(control, {"ready": True, "seconds": time.process_time()})
    child = 0
    while True:
        try:
            request, descriptors = receive(control)
        except EOFError:
            break
        if request["op"] == "fork":
            child = os.fork()
            if child == 0:
                control.close()
                _fork(descriptors[0], request, job, shell)
            os.close(descriptors[0])
        else:
            send(control, _reap(child, boxed))
    _reap(child, boxed)


def _limit(job: dict[str, Any], kind: int, name: str) -> None:
    resource.setrlimit(kind, (int(job[name]), int(job[name])))


def _reap(child: int, boxed: bool) -> dict[str, Any]:
    """End every process but this one, say how the fork ended, and clear what it left behind."""
    status, used = None, 0.0
    with contextlib.suppress(ProcessLookupError, PermissionError):
        ended, found, usage = os.wait4(child, os.WNOHANG)
        if ended:
            status, used = found, usage.ru_utime + usage.ru_stime
        elif not boxed:
            os.killpg(child, signal.SIGKILL)
    end = time.monotonic() + 5
    while time.monotonic() < end:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if boxed:
                os.kill(-1, signal.SIGKILL)
        try:
            ended, _, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            break
        used += usage.ru_utime + usage.ru_stime if ended else 0
        time.sleep(0 if ended else 0.002)
    for place in ("/tmp", "/dev/shm", os.environ["HOME"]) if boxed else ():
        for entry in os.scandir(place):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)
    return {"status": status, "seconds": used}


def _fork(descriptor: int, request: dict[str, Any], job: dict[str, Any], shell: Shell) -> NoReturn:
    """Serve one exercise in a process of its own; never return."""
    try:
        apart()
        seconds = int(request["seconds"]) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))
        files = int(job["file_mib"]) * 2**20
        resource.setrlimit(resource.RLIMIT_FSIZE, (files, files))
        with open("/proc/self/statm") as file:
            held = int(file.read().split()[0]) * resource.getpagesize()
        memory = held + int(job["memory_mib"]) * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        serve(socket.socket(fileno=descriptor), request["forbids"], shell)
    finally:
        os._exit(0)


def serve(sock: socket.socket, forbids: list[str], shell: Shell) -> None:
    """Answer the judge's calls until it closes the socket."""
    import random

    import numpy as np
    import torch

    from classroom.judging import cells
    from classroom.judging.bridge.frames import Wire
    from classroom.judging.bridge.peer import Peer
    from course_utils.checks import core

    peer = Peer(Wire(sock), guarded=False, forbids=forbids)
    namespace = shell.user_ns
    spaces = {"student": namespace}

    def space(name: str) -> dict[str, Any]:
        if name not in spaces:
            module = types.ModuleType("__main__")
            module.__dict__.update(fresh)
            spaces[name] = module.__dict__
        return spaces[name]

    fresh = {k: v for k, v in namespace.items() if not k.startswith("__")}

    def run(source: str, part: str) -> list[cells.Failure]:
        if part == "definitions":
            source = cells.definitions(source, shell.transform_cell)
        with core.quiet():
            return shell.execute(source)

    def run_ours(source: str, label: str, where: str) -> None:
        with core.quiet():
            exec(compile(source, label, "exec"), space(where))

    def get(name: str, where: str) -> list[Any]:
        return [space(where)[name]] if name in space(where) else []

    def reset() -> None:
        torch.manual_seed(0)
        np.random.seed(0)  # noqa: NPY002
        random.seed(0)

    def check(source: str, label: str, where: str) -> None:
        exec(compile(source, label, "exec"), space(where))

    handlers: dict[str, Callable[..., Any]] = {
        "run": run,
        "run_ours": run_ours,
        "get": get,
        "reset": reset,
        "check": check,
    }
    peer.handlers.update({f"do_{name}": handler for name, handler in handlers.items()})
    cells.home()
    peer.serve()


def send(sock: socket.socket, value: dict[str, Any], descriptors: list[int] | None = None) -> None:
    """Send one JSON message, and open files with it, on a control socket."""
    data = json.dumps(value).encode()
    sock.sendall(SIZE.pack(len(data)))
    if descriptors:
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))
        sent = sock.sendmsg([data], [rights])
        sock.sendall(data[sent:])
    else:
        sock.sendall(data)


def receive(sock: socket.socket) -> tuple[Any, list[int]]:
    """Receive what :func:`send` sent; EOFError at the end."""
    head, descriptors = _exactly(sock, SIZE.size)
    size = SIZE.unpack(head)[0]
    if size > TOO_LONG:
        raise EOFError("a message that is too long")
    body, more = _exactly(sock, size)
    return json.loads(body), descriptors + more


def _exactly(sock: socket.socket, count: int) -> tuple[bytes, list[int]]:
    data, found = b"", array.array("i")
    while len(data) < count:
        part, extra, _, _ = sock.recvmsg(count - len(data), socket.CMSG_LEN(4 * found.itemsize))
        for level, kind, raw in extra:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                found.frombytes(raw[: len(raw) - len(raw) % found.itemsize])
        if not part:
            raise EOFError("the control socket has ended")
        data += part
    return data, list(found)


if __name__ == "__main__":
    # The package's own copy, so that a notebook's __main__ takes nothing away from it.
    sys.path[:] = [p for p in sys.path if p and Path(p) != Path.cwd()]
    from classroom.judging import box

    box.main()
