"""A box of bubblewrap for student code: no network, no course tree, and limits on everything.

Inside are the system's ``/usr``, the Python environment, ``course_utils`` and the runner, all
read-only; a home and a ``/tmp`` of limited size in memory; and no other process. The box
ends when the process that made it ends. Each exercise has a room of its own in it, see
:mod:`classroom.judging.rooms`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Box", "Limits", "Usage", "bubblewrap", "cpu_of", "furniture", "require_bubblewrap"]

INSIDE = (  # of classroom: the runner and its end of the bridge, nothing that judges
    *("__init__.py", "judging/__init__.py", "judging/box.py", "judging/processes.py"),
    *("judging/cells.py", "judging/rooms.py", "judging/bridge"),
)
ROOT = Path(__file__).resolve().parents[2]
LIBRARY = "/box"
HOME = "/home/student"
RESTRICTION = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
CURE = r"""
AppArmor (Ubuntu from 23.10 on) lets only programs with a profile make user namespaces. As root:
  printf 'abi <abi/4.0>,\ninclude <tunables/global>\nprofile bwrap /usr/bin/bwrap %s{\n %s\n}\n' \
    'flags=(unconfined) ' 'userns,' > /etc/apparmor.d/bwrap \
    && apparmor_parser -r /etc/apparmor.d/bwrap
"""
CHILDREN_LISTED = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").exists()
ETC = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "fonts", "localtime")


@dataclass(frozen=True)
class Limits:
    """What the code of one submission may use.

    Attributes
    ----------
    seconds
        CPU time of one exercise, of all its processes.
    memory_mib
        Memory of all processes of an exercise together, shared memory too, MiB.
    processes
        Processes and threads.
    file_mib
        Size of one file; home, ``/tmp`` and ``/dev/shm`` hold as much each, MiB.
    """

    seconds: float = 30.0
    memory_mib: int = 4096
    processes: int = 64
    file_mib: int = 64

    @property
    def idle(self) -> float:
        """Wall time in seconds in which nothing at all is computed."""
        return self.seconds

    @property
    def wall(self) -> float:
        """Wall time of one exercise in seconds: the last resort, on a machine that is busy."""
        return 5 * self.seconds + 10

    @property
    def submission(self) -> float:
        """CPU time of a whole submission in seconds."""
        return 10 * self.seconds


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
            f"root): {done.stderr.strip()[-300:]}{_cure()}"
        )


def _cure() -> str:
    """What to do where AppArmor keeps user namespaces from programs that it does not know."""
    with contextlib.suppress(OSError):
        if RESTRICTION.read_text().strip() == "1":
            return CURE
    return ""


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
    if os.geteuid() == 0:  # the template opens rooms with them; student code has none
        for right in ("SETUID", "SETGID", "SYS_ADMIN", "KILL"):
            options += ["--cap-add", f"CAP_{right}"]
    for key, value in environment(LIBRARY, HOME).items():
        options += ["--setenv", key, value]
    return [*options, "--", *_python(), str(descriptor), "box"]


def furniture() -> dict[str, list[str]]:
    """Places that are empty in every room, and what must still be seen below them."""
    hidden = [p for p in _places() if p.is_relative_to("/tmp")]
    return {"places": ["/dev/shm", "/tmp", HOME], "keep": [str(p) for p in hidden]}


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


@dataclass(frozen=True)
class Usage:
    """Bytes in memory and seconds of CPU time of some processes."""

    memory: int
    seconds: float


def _forks(top: int, boxed: bool) -> list[int]:
    """Processes below the template, which is below process ``top``."""
    children = _children if CHILDREN_LISTED else _all_children().get
    # Below bubblewrap there is its own first process, then the template: forks are below that.
    waiting = [top]
    for _ in range(3 if boxed else 1):
        waiting = [child for pid in waiting for child in children(pid) or ()]
    found = []
    while waiting:
        found.append(waiting.pop())
        waiting += children(found[-1]) or ()
    return found


def _children(pid: int) -> list[int]:
    """Processes that the threads of a process have started, as the kernel lists them."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{thread}/children") as file:
                found += map(int, file.read().split())
    return found


def _all_children() -> dict[int, list[int]]:
    """The same for all processes, by looking at each: for kernels without such lists."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                words = Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()
                children.setdefault(int(words[1]), []).append(int(entry))
    return children


def cpu_of(pid: int) -> float:
    """CPU seconds of one process so far; 0 when it has ended."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        words = Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()
        return sum(map(int, words[11:15])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _open_memory(pid: int) -> int:
    """Bytes of files in memory that a process holds open; they need not be mapped."""
    total, folder = 0, f"/proc/{pid}/fd"
    with contextlib.suppress(OSError):
        for number in os.listdir(folder):
            if os.readlink(f"{folder}/{number}").startswith("/memfd:"):
                total += os.stat(f"{folder}/{number}").st_blocks * 512
    return total


def _resident(pid: int) -> tuple[int, int]:
    """Bytes in memory of one process, and those of them that it may share; quick to get."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        words = Path(f"/proc/{pid}/statm").read_text().split()
        page = os.sysconf("SC_PAGE_SIZE")
        return int(words[1]) * page, int(words[2]) * page
    return 0, 0


def _memory(pid: int) -> int:
    """Bytes of one process, with its share of what several use; the kernel looks at every page."""
    total = 0
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith(("Pss_Anon:", "Pss_Shmem:")):
                total += int(line.split()[1]) * 1024
        return total
    resident, shared = _resident(pid)  # it is another user's
    return resident - shared


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
        self.limits, self.peak, self.boxed, self.cpu = limits, 0, not unsafe, 0.0
        self.owner, self.looked = os.getpid(), 0.0
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

    def alive(self) -> bool:
        """Whether the box still runs; a fork of the process that made it may ask, too."""
        if os.getpid() == self.owner:
            return self.process.poll() is None
        with contextlib.suppress(OSError, IndexError):
            stat = Path("/proc", str(self.process.pid), "stat").read_text()
            return stat.rpartition(")")[2].split()[0] not in "ZX"
        return False

    def used(self) -> Usage:
        """What the processes of the room use now; ``peak`` keeps the largest memory.

        Memory counts more than once what several share, until that is half of what is allowed; then
        it is exact, and so it is once a second for ``peak``.
        """
        pids, now = _forks(self.process.pid, self.boxed), time.monotonic()
        seconds, held = sum(map(cpu_of, pids)), sum(map(_open_memory, pids))
        memory = held + sum(_resident(pid)[0] for pid in pids)
        if memory > self.limits.memory_mib * 2**19 or now > self.looked + 1:
            memory, self.looked = held + sum(map(_memory, pids)), now
            self.peak = max(self.peak, memory)
        return Usage(memory, seconds)

    def close(self) -> None:
        """End every process in the box."""
        self.control.close()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        end = time.monotonic() + 10
        while self.alive() and time.monotonic() < end:
            time.sleep(0.005)
        if self._home:
            with contextlib.suppress(OSError):
                self._home.cleanup()
