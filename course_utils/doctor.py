"""Is this machine ready for the course? One line a finding, and what to do about what is missing.

Nothing but the standard library is needed, so it also speaks where the installation has failed.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["Finding", "examine", "report"]

OLDEST = (3, 11)
FREE_GIB = 1.0
SERVER = ("huggingface.co", 443)  # where larger models come from
# What the notebooks import, and the oldest version that they are known to work with.
PACKAGES = {
    "torch": "2.8",
    "transformers": "5.0",
    "numpy": "2.0",
    "scipy": "1.14",
    "scikit-learn": "1.6",
    "pandas": "2.2.2",
    "matplotlib": "3.10",
    "seaborn": "0.13.2",
    "duckdb": "1.3.2",
    "captum": "0.8",
}


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes
    ----------
    state
        ``"ok"``; ``"note"``: the course works, something is not there; ``"missing"``: mend it.
    subject, words
        What was looked at, what was found, and what to do.
    """

    state: str
    subject: str
    words: str

    def __str__(self) -> str:
        return f"{self.state:8}{self.subject:10}{self.words}"


def examine(folder: Path | str = ".", *, timeout: float = 3.0) -> Iterator[Finding]:
    """Look at Python, packages, memory, disk, network, GPU and kernel.

    Parameters
    ----------
    folder
        Where the work is saved; its disk is looked at.
    timeout
        Seconds to wait for the network.
    """
    yield _python()
    yield from _packages()
    yield _memory()
    yield _disk(Path(folder))
    yield _network(timeout)
    yield _gpu()
    yield _kernel()


def report(folder: Path | str = ".") -> bool:
    """Print every finding; return whether nothing is missing."""
    findings = list(examine(folder))
    for finding in findings:
        print(finding)
    missing = [f.subject for f in findings if f.state == "missing"]
    print("Ready." if not missing else f"Not ready: see {', '.join(missing)} above.")
    return not missing


def _python() -> Finding:
    found = platform.python_version()
    if sys.version_info < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        return Finding("missing", "Python", f"{found}: install {wanted} or newer")
    return Finding("ok", "Python", f"{found} on {platform.system()} {platform.machine()}")


def _packages() -> Iterator[Finding]:
    good = []
    for name, oldest in PACKAGES.items():
        try:
            found = version(name)
        except PackageNotFoundError:
            yield Finding("missing", "packages", f"{name}: pip install '{name}>={oldest}'")
            continue
        if _parts(found) < _parts(oldest):
            advice = f"pip install --upgrade '{name}>={oldest}'"
            yield Finding("missing", "packages", f"{name} {found} is too old: {advice}")
        else:
            good.append(f"{name} {found}")
    if good:
        yield Finding("ok", "packages", f"{len(good)} of {len(PACKAGES)}: {', '.join(good[:3])}, …")


def _parts(text: str) -> tuple[int, ...]:
    numbers = text.split("+")[0].split(".")
    return tuple(int("".join(c for c in part if c.isdigit()) or 0) for part in numbers[:3])


def _memory() -> Finding:
    if "SC_PHYS_PAGES" not in getattr(os, "sysconf_names", {}):
        return Finding("note", "memory", "not told by this system")
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return Finding("ok", "memory", f"{found:.0f} GiB")


def _disk(folder: Path) -> Finding:
    try:
        free = shutil.disk_usage(folder).free / 2**30
    except OSError as error:
        return Finding("missing", "disk", f"{folder} cannot be looked at: {error.strerror}")
    if not os.access(folder, os.W_OK):
        return Finding("missing", "disk", f"{folder.resolve()} cannot be written: save elsewhere")
    if free < FREE_GIB:
        return Finding("missing", "disk", f"{free:.1f} GiB free, {FREE_GIB:.0f} needed: make room")
    return Finding("ok", "disk", f"{free:.0f} GiB free")


def _network(timeout: float) -> Finding:
    try:
        socket.create_connection(SERVER, timeout=timeout).close()
    except OSError:
        words = "not reached: all notebooks work without, with the models and data they bring"
        return Finding("note", "network", words)
    return Finding("ok", "network", f"{SERVER[0]} is reached")


def _gpu() -> Finding:
    if importlib.util.find_spec("torch") is not None:
        try:
            import torch

            if torch.cuda.is_available():
                return Finding("ok", "GPU", torch.cuda.get_device_name())
        except Exception as error:  # a broken installation of torch raises what it likes
            return Finding("missing", "GPU", f"torch cannot be imported: {str(error)[:80]}")
    if shutil.which("nvidia-smi"):
        done = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True)
        if done.returncode == 0 and done.stdout.strip():
            words = f"torch does not use {done.stdout.splitlines()[0][:50]}: install its CUDA build"
            return Finding("note", "GPU", words)
    return Finding("note", "GPU", "none: the CPU does everything, in minutes")


def _kernel() -> Finding:
    if importlib.util.find_spec("ipykernel") is None:
        return Finding("missing", "kernel", "no ipykernel: pip install ipykernel")
    words = f"ipykernel {version('ipykernel')} in the environment {Path(sys.prefix).name}"
    return Finding("ok", "kernel", words)
