"""A room for one exercise: mounts, IPC, processes and keys of its own, and a filter on top.

The runner in the box forks twice. The first fork enters new namespaces; the second is the room's
first process, which mounts an empty ``/tmp``, ``/dev/shm`` and home and starts the student's
process as a nobody without rights. When the first process ends, the kernel ends all others of the
room and frees what they held, so nothing is left for the next room.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import time
from collections.abc import Callable
from typing import Any, NoReturn

from classroom.judging.processes import apart

__all__ = ["Room", "guard_memory"]

LIBC = ctypes.CDLL(None, use_errno=True)
NEW_USER, NEW_NS, NEW_PID, NEW_IPC = 0x10000000, 0x00020000, 0x20000000, 0x08000000
NOSUID, NODEV, NOEXEC, BIND, RECURSIVE, PRIVATE = 2, 4, 8, 0x1000, 0x4000, 0x40000
SET_DEATH_SIGNAL, SET_DUMPABLE, SET_SECCOMP, SET_NO_NEW_PRIVS, AMBIENT = 1, 4, 22, 38, 47
CLEAR_AMBIENT, FILTER, JOIN_SESSION_KEYRING = 4, 2, 1
CAPABILITY_VERSION = 0x20080522
KEYCTL, CAPSET = {"x86_64": (250, 126), "aarch64": (219, 91)}.get(os.uname().machine, (-1, -1))


class Room:
    """One running room.

    Parameters
    ----------
    work
        What the student's process does.
    job
        Limits, the filter of system calls (hexadecimal, or empty), and folders to keep in view.
    boxed
        False runs ``work`` in a plain fork.
    """

    def __init__(self, work: Callable[[], None], job: dict[str, Any], *, boxed: bool) -> None:
        self.boxed = boxed
        self.pipe, write = os.pipe()
        self.outer = os.fork()
        if self.outer == 0:
            os.close(self.pipe)
            if boxed:
                _enter(work, job, write)
            os.close(write)
            _student(work, job, None)
        os.close(write)

    def close(self, patience: float) -> dict[str, Any]:
        """End every process of the room; say how the student's ended, and the CPU time of all.

        Parameters
        ----------
        patience
            Seconds to wait for a process that may be ending just now.
        """
        if not self.boxed:
            return self._close_plain(patience)
        told: dict[str, Any] = {}
        data, end = b"", time.monotonic() + max(patience, 0.0)
        while b"status" not in data:
            wait = max(end - time.monotonic(), 0.0) if b"init" in data else 10.0
            if not select.select([self.pipe], [], [], wait)[0]:
                break
            part = os.read(self.pipe, 4096)
            if not part:
                break
            data += part
        os.close(self.pipe)
        for line in data.splitlines():
            told |= json.loads(line)
        with contextlib.suppress(ProcessLookupError):
            if "init" in told:
                os.kill(told["init"], signal.SIGKILL)
            else:
                os.kill(self.outer, signal.SIGKILL)
        _, _, usage = os.wait4(self.outer, 0)
        about = {"status": told.get("status"), "trouble": told.get("trouble", "")}
        return about | {"seconds": usage.ru_utime + usage.ru_stime}

    def _close_plain(self, patience: float) -> dict[str, Any]:
        os.close(self.pipe)
        end, status = time.monotonic() + patience, None
        while True:
            ended, found, usage = os.wait4(self.outer, os.WNOHANG)
            if ended:
                status = found
                break
            if time.monotonic() >= end:
                _end_group(self.outer)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.outer, signal.SIGKILL)  # it may have no group of its own yet
                _, _, usage = os.wait4(self.outer, 0)
                break
            time.sleep(0.005)
        _end_group(self.outer)
        return {"status": status, "trouble": "", "seconds": usage.ru_utime + usage.ru_stime}


def _end_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def guard_memory() -> None:
    """Let no other process of the same user read or write this one's memory."""
    LIBC.prctl(SET_DUMPABLE, 0, 0, 0, 0)


def _checked(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _enter(work: Callable[[], None], job: dict[str, Any], pipe: int) -> NoReturn:
    """Enter new namespaces, start the room's first process there, and wait for its end."""

    def tell(**words: Any) -> None:
        os.write(pipe, (json.dumps(words) + "\n").encode())

    try:
        user, group = os.getuid(), os.getgid()
        kinds = NEW_NS | NEW_PID | NEW_IPC
        if user == 0:
            _checked(LIBC.unshare(kinds), "new namespaces")
        else:
            LIBC.prctl(SET_DUMPABLE, 1, 0, 0, 0)  # or the maps could not be written
            _checked(LIBC.unshare(kinds | NEW_USER), "new namespaces")
            for name, text in (
                ("setgroups", "deny"),
                ("uid_map", f"{user} {user} 1"),
                ("gid_map", f"{group} {group} 1"),
            ):
                with open(f"/proc/self/{name}", "w") as file:
                    file.write(text)
            guard_memory()
        first = os.fork()
        if first == 0:
            _first(work, job, tell, pipe)
        tell(init=first)
        os.waitpid(first, 0)
    except BaseException as error:
        tell(init=0, trouble=f"{type(error).__name__}: {error}"[:300])
    finally:
        os._exit(0)


def _first(
    work: Callable[[], None], job: dict[str, Any], tell: Callable[..., None], pipe: int
) -> NoReturn:
    """Furnish the room and start the student's process; when that ends, so does the room."""
    try:
        _furnish(job)
        student = os.fork()
        if student == 0:
            os.close(pipe)  # what is told on it is believed
            _student(work, job, int(job["user"]))
        LIBC.prctl(SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in job["descriptors"]:
            os.dup2(null, descriptor)  # the other end notices when the student's process is gone
        while True:
            ended, status = os.wait()
            if ended == student:
                tell(status=status)
                break
    except BaseException as error:
        tell(trouble=f"{type(error).__name__}: {error}"[:300], status=None)
    finally:
        os._exit(0)


def _furnish(job: dict[str, Any]) -> None:
    """Mount empty places in memory, and the room's own ``/proc``."""
    kept = {path: os.open(path, os.O_PATH) for path in job["keep"]}
    _mount("none", "/", None, RECURSIVE | PRIVATE)
    size = f"size={int(job['file_mib']) * 2**20},mode=1777"
    for place in job["places"]:
        _mount("tmpfs", place, "tmpfs", NOSUID | NODEV, size)
    for path, number in kept.items():
        os.makedirs(path, exist_ok=True)
        _mount(f"/proc/self/fd/{number}", path, None, BIND | RECURSIVE)
        os.close(number)
    with contextlib.suppress(OSError):  # below another box the old one stays, with its processes
        _mount("proc", "/proc", "proc", NOSUID | NODEV | NOEXEC)
    pages = int(job["file_mib"]) * 2**20 // resource.getpagesize()
    for name, value in (("shmall", pages), ("msgmni", 16)):
        with contextlib.suppress(OSError), open(f"/proc/sys/kernel/{name}", "w") as file:
            file.write(str(value))


def _mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    words = [w.encode() if w else None for w in (source, target, kind)]
    _checked(LIBC.mount(*words, ctypes.c_ulong(flags), data.encode() or None), f"mount {target}")


def _student(work: Callable[[], None], job: dict[str, Any], user: int | None) -> NoReturn:
    """Become a nobody within limits and work; never return."""
    try:
        apart()
        if user is not None:
            os.chdir(os.environ["HOME"])
            if os.getuid() == 0:
                os.setgroups([])
                os.setresgid(user, user, user)
                os.setresuid(user, user, user)
            _drop_rights()
        _limit(job, boxed=user is not None)
        if user is not None and job["filter"]:
            _load_filter(bytes.fromhex(job["filter"]))
        work()
    finally:
        os._exit(0)


def _drop_rights() -> None:
    """Give up every capability for good, and keys from before."""
    LIBC.syscall(KEYCTL, JOIN_SESSION_KEYRING, None)
    LIBC.prctl(AMBIENT, CLEAR_AMBIENT, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    _checked(LIBC.syscall(CAPSET, header, (ctypes.c_uint32 * 6)()), "capabilities")
    _checked(LIBC.prctl(SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new rights")
    guard_memory()


def _limit(job: dict[str, Any], *, boxed: bool) -> None:
    seconds = int(job["seconds"]) + 1
    with open("/proc/self/statm") as file:
        held = int(file.read().split()[0]) * resource.getpagesize()
    memory, files = held + int(job["memory_mib"]) * 2**20, int(job["file_mib"]) * 2**20
    limits = {
        resource.RLIMIT_CPU: (seconds, seconds + 1),
        resource.RLIMIT_CORE: (0, 0),
        resource.RLIMIT_NOFILE: (128, 128),
        resource.RLIMIT_FSIZE: (files, files),
        resource.RLIMIT_MSGQUEUE: (0, 0),
        resource.RLIMIT_AS: (memory, memory),
    }
    if boxed:
        limits[resource.RLIMIT_NPROC] = (int(job["processes"]), int(job["processes"]))
    for kind, values in limits.items():
        resource.setrlimit(kind, values)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def _load_filter(program: bytes) -> None:
    about = _Program(len(program) // 8, program)
    _checked(LIBC.prctl(SET_SECCOMP, FILTER, ctypes.byref(about), 0, 0), "filter of system calls")
