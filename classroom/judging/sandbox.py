"""A box of bubblewrap for one submission: no network, no course tree, and limits on everything.

Inside are the system's ``/usr``, the Python environment, ``course_utils`` and the runner, all
read-only; a home and a ``/tmp`` of limited size in memory; and no other process. The box
ends when the process that made it ends.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Box", "Limits", "bubblewrap", "require_bubblewrap"]

INSIDE = (  # of classroom: the runner and its end of the bridge, nothing that judges
    *("__init__.py", "judging/__init__.py", "judging/box.py", "judging/processes.py"),
    "judging/cells.py",
    "judging/bridge",
)
ROOT = Path(__file__).resolve().parents[2]
LIBRARY = "/box"
HOME = "/home/student"
ETC = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "fonts", "localtime")


@dataclass(frozen=True)
class Limits:
    """What the code of one submission may use.

    Attributes
    ----------
    seconds
        CPU time of one exercise; half as much again of wall time, and ten seconds.
    memory_mib
        Memory of all processes in the box together, MiB.
    processes
        Processes and threads.
    file_mib
        Size of one file; home and ``/tmp`` hold as much each, MiB.
    """

    seconds: float = 30.0
    memory_mib: int = 4096
    processes: int = 64
    file_mib: int = 64

    @property
    def wall(self) -> float:
        """Wall time of one exercise in seconds."""
        return 1.5 * self.seconds + 10


def bubblewrap() -> str | None:
    """Path of ``bwrap``, or None when it is not installed."""
    return shutil.which("bwrap")


def require_bubblewrap() -> None:
    """Raise RuntimeError with what to do, unless a box can be made here."""
    program = bubblewrap()
    if program is None:
        raise RuntimeError(
            "grading runs student code in bubblewrap, and there is no `bwrap` here: install the "
            "Debian package bubblewrap (apt install bubblewrap), or say unsafe to do without"
        )
    probe = [program, *_namespaces(), "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"]
    done = subprocess.run([*probe, "/bin/true"], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(
            "bubblewrap cannot make a box here (in a container it needs user namespaces, or "
            f"root): {done.stderr.strip()[-300:]}"
        )


def _namespaces() -> list[str]:
    """Options that part the box from the rest; root needs no user namespace, others do."""
    if os.geteuid() == 0:
        kinds = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"]
        kinds += ["--unshare-cgroup-try"]
    else:
        kinds = ["--unshare-all", "--uid", "65534", "--gid", "65534"]
    return [*kinds, "--die-with-parent", "--new-session"]


def _places() -> list[Path]:
    """Folders of the Python environment that are not part of the system."""
    places = {Path(p).resolve() for p in (sys.prefix, sys.base_prefix)} | {Path(sys.prefix)}
    return sorted(p for p in places if not p.is_relative_to("/usr"))


def _parents() -> list[str]:
    """Folders above what is bound; bwrap itself would make them for their owner alone."""
    leaves = [*_places(), Path(LIBRARY, "course_utils"), Path(LIBRARY, "classroom"), Path(HOME)]
    parents = {above for leaf in leaves for above in leaf.parents} - {Path("/")}
    return [word for above in sorted(parents) for word in ("--perms", "0755", "--dir", str(above))]


def _binds() -> list[str]:
    """Read-only places: system, environment, the library, and the runner alone of ``classroom``."""
    options = ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "lib", "lib32", "lib64", "sbin"):
        path = Path("/", name)
        if path.is_symlink():
            options += ["--symlink", os.readlink(path), str(path)]
        elif path.is_dir():
            options += ["--ro-bind", str(path), str(path)]
    for name in ETC:
        options += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    for place in _places():
        options += ["--ro-bind", str(place), str(place)]
    options += ["--ro-bind", str(ROOT / "course_utils"), f"{LIBRARY}/course_utils"]
    inside = f"{LIBRARY}/classroom"
    options += [
        "--perms",
        "0755",
        "--tmpfs",
        inside,
        "--perms",
        "0755",
        "--dir",
        f"{inside}/judging",
    ]
    for name in INSIDE:
        options += ["--ro-bind", str(ROOT / "classroom" / name), f"{inside}/{name}"]
    return [*options, "--remount-ro", inside]


def _command(limits: Limits, descriptor: int) -> list[str]:
    """Whole command line of the box; it talks on the socket ``descriptor``."""
    size = str(limits.file_mib * 2**20)
    options = [str(bubblewrap()), *_namespaces(), *_parents(), "--proc", "/proc", "--dev", "/dev"]
    for place in ("/dev/shm", "/tmp", HOME):
        options += ["--perms", "1777", "--size", size, "--tmpfs", place]
    options += [*_parents(), *_binds()]  # once more: an environment below /tmp is seen all the same
    options += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", HOME]
    options += ["--cap-drop", "ALL", "--clearenv"]
    if os.geteuid() == 0:  # the runner gives them up when it becomes a nobody
        options += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    for key, value in environment(LIBRARY, HOME).items():
        options += ["--setenv", key, value]
    user = str(200_000 + secrets.randbelow(500_000_000))  # its own: processes are counted by user
    return [*options, "--", *_python(), str(descriptor), user]


def _python() -> list[str]:
    return [sys.executable, "-m", "classroom.judging.box"]


def environment(library: str, home: str) -> dict[str, str]:
    """All environment variables that the runner gets."""
    threads = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return dict.fromkeys(threads, "1") | {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": home,
        "TMPDIR": "/tmp" if library == LIBRARY else home,
        "MPLCONFIGDIR": f"{home}/.matplotlib",
        "LANG": "C.UTF-8",
        "PYTHONPATH": library,
        "PYTHONDONTWRITEBYTECODE": "1",
        "MPLBACKEND": "Agg",
        "CUDA_VISIBLE_DEVICES": "",
        "COURSE_STRICT": "0",
        "COURSE_SEED": "0",
        "HF_HUB_OFFLINE": "1",
    }


class Box:
    """A running box; ``control`` is the socket to the runner inside.

    Parameters
    ----------
    limits
        What the code inside may use.
    unsafe
        Whether to run without bubblewrap: the limits on CPU, file size and memory stay, but files
        and network are open.
    """

    def __init__(self, limits: Limits, *, unsafe: bool = False) -> None:
        self.limits, self.peak = limits, 0
        self.control, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._home: tempfile.TemporaryDirectory[str] | None = None
        if unsafe:
            self._home = tempfile.TemporaryDirectory(prefix="box-")
            command = [*_python(), str(other.fileno()), "unsafe"]
            variables = environment(str(ROOT), self._home.name)
        else:
            command, variables = _command(limits, other.fileno()), {"PATH": os.defpath}
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=[other.fileno()],
            env=variables,
            cwd=self._home.name if self._home else "/",
            start_new_session=True,
        )
        other.close()

    def trouble(self) -> str:
        """What was printed when the box could not start; it is closed by this."""
        self.close()
        assert self.process.stderr is not None
        return self.process.stderr.read().decode(errors="replace")[-1000:]

    def memory(self) -> int:
        """Bytes in memory of all processes in the box now; ``peak`` keeps the largest."""
        children: dict[int, list[int]] = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                with contextlib.suppress(OSError, ValueError, IndexError):
                    stat = Path("/proc", entry, "stat").read_text()
                    parent = int(stat.rpartition(")")[2].split()[1])
                    children.setdefault(parent, []).append(int(entry))
        total, waiting = 0, [self.process.pid]
        while waiting:
            pid = waiting.pop()
            waiting += children.get(pid, [])
            with contextlib.suppress(OSError, ValueError, IndexError):
                fields = Path("/proc", str(pid), "statm").read_text().split()
                private = int(fields[1]) - int(fields[2])  # what forks share counts once, roughly
                total += private * os.sysconf("SC_PAGE_SIZE")
        self.peak = max(self.peak, total)
        return total

    def too_large(self) -> bool:
        """Whether the processes in the box hold more memory than they may."""
        return self.memory() > self.limits.memory_mib * 2**20

    def close(self) -> None:
        """End every process in the box."""
        self.control.close()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        end = time.monotonic() + 10
        while self.process.poll() is None and time.monotonic() < end:
            time.sleep(0.005)
        if self._home:
            with contextlib.suppress(OSError):
                self._home.cleanup()
