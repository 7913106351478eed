"""Looking into folders and zips of unknown origin: every file is met once, nothing is unpacked.

A zip counts as a folder of its own name. What must not be read comes as refused, with the reason.
"""

from __future__ import annotations

import os
import stat
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

__all__ = ["Found", "walk"]

MAX_FILE = 100 * 2**20  # bytes of a notebook
MAX_ZIP = 4 * 2**30  # bytes of a zip inside a zip
MAX_TOTAL = 16 * 2**30  # bytes that are unpacked in one go
MAX_ENTRIES = 50_000  # files in one zip
MAX_RATIO = 200  # unpacked to packed, of files above RATIO_FROM
RATIO_FROM = 2**20
MAX_DEPTH = 3  # zips in zips
CHUNK = 2**20
JUNK = {".ds_store", "thumbs.db", "desktop.ini", "__macosx", "__pycache__", ".git"}
JUNK |= {".ipynb_checkpoints", ".idea", ".vscode", "@eadir"}
CLOSED = (".rar", ".7z", ".tar", ".tgz", ".gz", ".bz2", ".xz")


@dataclass
class Found:
    """A file: its path from the source on, and either its content or why it has none.

    ``refused`` is for what may have been a submission, ``ignored`` for what was none.
    """

    parts: tuple[str, ...]
    time: float | None = None
    data: bytes | None = None
    refused: str = ""
    ignored: str = ""


class _Budget:
    """What one run may unpack."""

    def __init__(self) -> None:
        self.left = MAX_TOTAL


class _TooMuch(ValueError):
    """A limit was reached; the message says which."""


def walk(source: Path) -> Iterator[Found]:
    """All files of a folder or a zip, in order of their paths.

    Raises
    ------
    ValueError
        If ``source`` is neither.
    """
    budget = _Budget()
    if source.is_dir():
        yield from _folder(source, (), budget)
    elif source.is_file() and zipfile.is_zipfile(source):
        yield from _zip(source, (), budget, 1)
    else:
        raise ValueError(f"source={str(source)!r} must be a folder or a zip of submissions")


def _folder(folder: Path, prefix: tuple[str, ...], budget: _Budget) -> Iterator[Found]:
    with os.scandir(folder) as entries:
        ordered = sorted(entries, key=lambda entry: entry.name)
    for entry in ordered:
        parts = (*prefix, _name(entry.name))
        try:
            status = entry.stat(follow_symlinks=False)
            if _junk(entry.name):
                yield Found(parts, status.st_mtime, ignored="not a submission: a system's file")
            elif stat.S_ISLNK(status.st_mode):
                yield Found(parts, status.st_mtime, refused="a symbolic link: not followed")
            elif stat.S_ISDIR(status.st_mode):
                yield from _folder(Path(entry.path), parts, budget)
            elif not stat.S_ISREG(status.st_mode):
                yield Found(parts, status.st_mtime, refused="not a regular file")
            elif entry.name.lower().endswith(".zip"):
                yield from _zip(Path(entry.path), parts, budget, 1, status.st_mtime)
            else:
                with open(entry.path, "rb") as stream:
                    yield _file(stream, parts, status.st_mtime, status.st_size, _Budget())
        except OSError as error:
            yield Found(parts, refused=f"cannot be read: {error.strerror or error}")


def _zip(
    file: Path | IO[bytes],
    prefix: tuple[str, ...],
    budget: _Budget,
    depth: int,
    time: float | None = None,
) -> Iterator[Found]:
    if depth > MAX_DEPTH:
        yield Found(prefix, time, refused=f"zips nested deeper than {MAX_DEPTH}")
        return
    try:
        with zipfile.ZipFile(file) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            declared = sum(entry.file_size for entry in entries)
            if len(entries) > MAX_ENTRIES:
                reason = f"{len(entries)} files in one zip, more than the limit of {MAX_ENTRIES}"
                yield Found(prefix, time, refused=reason)
            elif declared > budget.left:
                reason = f"{_mib(declared)} unpacked, more than the limit of {_mib(MAX_TOTAL)}"
                yield Found(prefix, time, refused=reason)
            else:
                for entry in sorted(entries, key=lambda e: e.filename):
                    yield from _entry(archive, entry, prefix, budget, depth)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        yield Found(prefix, time, refused=f"not a readable zip ({error})")


def _entry(
    archive: zipfile.ZipFile,
    entry: zipfile.ZipInfo,
    prefix: tuple[str, ...],
    budget: _Budget,
    depth: int,
) -> Iterator[Found]:
    path = entry.filename.replace("\\", "/")
    names = [_name(part) for part in path.split("/") if part not in ("", ".")]
    parts = (*prefix, *(name if name != ".." else "(..)" for name in names))
    time = _zip_time(entry)
    if path.startswith("/") or ".." in names or path[1:2] == ":" or not names:
        yield Found(parts, time, refused="a path that leads out of the archive")
        return
    if any(_junk(name) for name in names):
        yield Found(parts, time, ignored="not a submission: a system's file")
        return
    mode = entry.external_attr >> 16
    kind = stat.S_IFMT(mode)
    if entry.create_system == 3 and kind not in (0, stat.S_IFREG):
        reason = "a symbolic link" if stat.S_ISLNK(mode) else "not a regular file"
        yield Found(parts, time, refused=f"{reason} in a zip")
        return
    if entry.flag_bits & 1:
        yield Found(parts, time, refused="encrypted: it cannot be opened without a password")
        return
    if entry.file_size > max(RATIO_FROM, MAX_RATIO * entry.compress_size):
        times = entry.file_size // max(1, entry.compress_size)
        yield Found(parts, time, refused=f"packed {times} times smaller: looks like a zip bomb")
        return
    try:
        with archive.open(entry) as stream:
            if parts[-1].lower().endswith(".zip"):
                with tempfile.TemporaryFile() as inner:
                    _copy(stream, inner, min(MAX_ZIP, budget.left), budget)
                    inner.seek(0)
                    yield from _zip(inner, parts, budget, depth + 1, time)
            else:
                yield _file(stream, parts, time, entry.file_size, budget)
    except _TooMuch as error:
        yield Found(parts, time, refused=str(error))
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError) as error:
        yield Found(parts, time, refused=f"cannot be read: {error}")


def _file(
    stream: IO[bytes], parts: tuple[str, ...], time: float | None, size: int, budget: _Budget
) -> Found:
    name = parts[-1].lower()
    if name.endswith(CLOSED):
        reason = f"an archive that is not opened ({name.rsplit('.', 1)[-1]}): ask for a zip"
        return Found(parts, time, refused=reason)
    maybe = ".ipynb" in name or name.endswith((".json", ".txt")) or "." not in name
    if not maybe:
        return Found(parts, time, ignored="not a notebook")
    if size > MAX_FILE:
        if ".ipynb" not in name:
            return Found(parts, time, ignored="not a notebook")
        reason = f"{_mib(size)}, more than the limit of {_mib(MAX_FILE)}: clear its outputs"
        return Found(parts, time, refused=reason)
    data = stream.read(MAX_FILE + 1)
    budget.left -= len(data)
    if len(data) > MAX_FILE:
        return Found(parts, time, refused=f"more than the limit of {_mib(MAX_FILE)}")
    if budget.left < 0:
        return Found(parts, time, refused=f"more than {_mib(MAX_TOTAL)} unpacked in all")
    if ".ipynb" not in name and not _looks_like_notebook(data):
        return Found(parts, time, ignored="not a notebook")
    return Found(parts, time, data)


def _looks_like_notebook(data: bytes) -> bool:
    return data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{" and b'"cells"' in data


def _copy(stream: IO[bytes], target: IO[bytes], limit: int, budget: _Budget) -> None:
    copied = 0
    while chunk := stream.read(CHUNK):
        copied += len(chunk)
        if copied > limit:
            raise _TooMuch(f"a zip of more than {_mib(limit)} inside a zip")
        budget.left -= len(chunk)
        target.write(chunk)


def _name(text: str) -> str:
    """One part of a path, composed and printable."""
    text = text.encode("utf-8", errors="replace").decode("utf-8", errors="replace")
    text = unicodedata.normalize("NFC", text)
    return "".join(c if c.isprintable() and c not in "/\\" else "_" for c in text)


def _junk(name: str) -> bool:
    return name.lower() in JUNK or name.startswith("._")


def _zip_time(entry: zipfile.ZipInfo) -> float | None:
    try:
        return datetime(*entry.date_time, tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _mib(size: int) -> str:
    return f"{size / 2**20:.0f} MiB"
