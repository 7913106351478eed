"""The template in the box: imports once and never runs student code; each exercise is a fork of it.

It takes requests on the control socket: ``fork`` (with a new socket for the fork) opens a room for
one exercise, ``reap`` ends it. What works in the room runs cells when told to and answers calls of
what they define.
"""

from __future__ import annotations

import array
import contextlib
import gc
import importlib
import json
import os
import secrets
import socket
import struct
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from classroom.judging.processes import main_module
from classroom.judging.rooms import Room, guard_memory

if TYPE_CHECKING:
    from classroom.judging.cells import Shell

SIZE = struct.Struct("<I")
TOO_LONG = 64 * 2**20


def main() -> None:
    """Serve until the control socket closes: arguments are its number, and whether it is a box."""
    control, boxed = socket.socket(fileno=int(sys.argv[1])), sys.argv[2] != "unsafe"
    if boxed:
        guard_memory()
    job, _ = receive(control)
    importlib.import_module("classroom.judging.bridge.peer")
    module = main_module(job["imports"], job["module"])
    shell = importlib.import_module("classroom.judging.cells").Shell(module)
    _first_times()
    gc.collect()
    gc.freeze()
    send(control, {"ready": True, "seconds": time.process_time()})
    room: Room | None = None
    while True:
        try:
            request, descriptors = receive(control)
        except EOFError:
            break
        if request["op"] == "import":  # what the first gradient would import in every fork
            for name in request["names"]:
                with contextlib.suppress(Exception):
                    importlib.import_module(name)
            gc.freeze()
        elif request["op"] == "fork":
            if room is not None:  # its examiner was ended
                room.close(0.0)
            user = 200_000 + secrets.randbelow(500_000_000)  # processes and keys go by user
            about = job | {"seconds": request["seconds"], "user": user}
            about["descriptors"] = [control.fileno(), descriptors[0]]

            def work(number: int = descriptors[0], forbids: Any = request["forbids"]) -> None:
                control.close()
                serve(socket.socket(fileno=number), forbids, shell)

            room = Room(work, about, boxed=boxed)
            os.close(descriptors[0])
        else:
            nothing = {"status": None, "trouble": "", "seconds": 0.0}
            send(control, nothing if room is None else room.close(float(request["patience"])))
            room = None
    if room is not None:
        room.close(0.0)


def _first_times() -> None:
    """Do once what imports much of torch the first time; else every fork would, for seconds."""
    import torch

    from course_utils.checks import calls

    x = torch.ones(2, requires_grad=True)
    with calls.LibraryWatch(("scaled_dot_product_attention",)):
        y = x * 2
    torch.autograd.grad([y], [x], [torch.ones(2)])


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

    handlers: dict[str, Callable[..., Any]] = {
        "run": run,
        "run_ours": run_ours,
        "get": get,
        "reset": reset,
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
