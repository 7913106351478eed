"""Looking into folders and zips of unknown origin: every file is met once, nothing is unpacked.

A zip counts as a folder of its own name. What must not be read comes as refused, with the reason;
so does whatever goes wrong with one file: no file hides the others.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from classroom.files import one_line, well_formed

__all__ = ["EMPTY", "METADATA", "Found", "walk"]

MAX_FILE = 100 * 2**20  # bytes of a notebook
MAX_ZIP = 4 * 2**30  # bytes of a zip inside a zip
MAX_METADATA = 20 * 2**20
MAX_TOTAL = 16 * 2**30  # bytes that are unpacked in one go
MAX_ENTRIES = 50_000  # files in one zip
MAX_RATIO = 200  # unpacked to packed, of files above RATIO_FROM
RATIO_FROM = 2**20
MAX_DEPTH = 3  # zips in zips
MAX_PARTS = 60  # folders in folders
MAX_NAME = 200  # characters of a name
CHUNK = 2**20
JUNK = {".ds_store", "thumbs.db", "desktop.ini", "__macosx", "__pycache__", ".git"}
JUNK |= {".ipynb_checkpoints", ".idea", ".vscode", "@eadir"}
CLOSED = (".rar", ".7z", ".tar", ".tgz", ".gz", ".bz2", ".xz")
FORMATS = {"pdf": "a PDF", "html": "a web page", "htm": "a web page", "py": "a Python file"}
FORMATS |= {"docx": "a Word file", "doc": "a Word file", "odt": "a text document", "txt": "text"}
FORMATS |= {"md": "a Markdown file", "png": "a picture", "jpg": "a picture", "jpeg": "a picture"}
METADATA = "submission_metadata.yml"  # Gradescope's table of who handed in what
EMPTY = ""  # last part of the path of a folder without files


@dataclass
class Found:
    """A file: its path from the source on, and either its content or why it has none.

    ``refused`` is for what may have been a submission, ``ignored`` for what was none; ``document``
    tells a student's own file in another format, or an empty folder, from a system's files.
    """

    parts: tuple[str, ...]
    time: float | None = None
    data: bytes | None = None
    refused: str = ""
    ignored: str = ""
    document: bool = False


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
    junk = 0
    for entry in ordered:
        parts = (*prefix, _name(entry.name))
        try:
            status = entry.stat(follow_symlinks=False)
            if _junk(entry.name):
                junk += 1
                yield Found(parts, status.st_mtime, ignored="not a submission: a system's file")
            elif stat.S_ISLNK(status.st_mode):
                yield Found(parts, status.st_mtime, refused="a symbolic link: not followed")
            elif stat.S_ISDIR(status.st_mode) and len(parts) > MAX_PARTS:
                yield Found(parts, status.st_mtime, refused=_too_deep())
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
            yield Found(parts, refused=f"cannot be read: {one_line(error.strerror or error)}")
        except Exception as error:
            yield Found(parts, refused=f"cannot be read: {_words(error)}")
    if junk == len(ordered) and prefix:
        yield _nothing_in(prefix)


def _nothing_in(folder: tuple[str, ...]) -> Found:
    return Found((*folder, EMPTY), ignored="an empty folder", document=True)


def _too_deep() -> str:
    return f"folders nested deeper than {MAX_PARTS}"


def _words(error: Exception) -> str:
    return f"{one_line(error) or type(error).__name__} ({type(error).__name__})"


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
                yield from _empty_folders(archive.infolist(), prefix)
    except Exception as error:  # whatever is in one zip, the others are read
        yield Found(prefix, time, refused=f"not a readable zip ({one_line(error)})")


def _empty_folders(entries: Iterable[zipfile.ZipInfo], prefix: tuple[str, ...]) -> Iterator[Found]:
    """Folders of a zip that hold neither files nor folders, system's files apart."""
    folders: set[tuple[str, ...]] = {prefix}
    filled: set[tuple[str, ...]] = {()}
    for entry in entries:
        names = _names(entry.filename)
        junk = next((k for k, name in enumerate(names) if _junk(name)), None)
        folder = (*prefix, *(names[:junk] if junk is not None or entry.is_dir() else names[:-1]))
        if len(names) > MAX_PARTS or ".." in names:
            filled.add(prefix)
            continue
        folders.add(folder)
        filled |= {folder[:k] for k in range(len(prefix), len(folder))}
        if junk is None and not entry.is_dir():
            filled.add(folder)
    yield from (_nothing_in(folder) for folder in sorted(folders - filled))


def _names(path: str) -> list[str]:
    return [_name(part) for part in path.replace("\\", "/").split("/") if part not in ("", ".")]


def _entry(
    archive: zipfile.ZipFile,
    entry: zipfile.ZipInfo,
    prefix: tuple[str, ...],
    budget: _Budget,
    depth: int,
) -> Iterator[Found]:
    path = entry.filename.replace("\\", "/")
    names = _names(path)
    if len(names) > MAX_PARTS:
        yield Found((*prefix, *names[:1], names[-1]), _zip_time(entry), refused=_too_deep())
        return
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
    except Exception as error:  # each compression has errors of its own
        yield Found(parts, time, refused=f"cannot be read: {_words(error)}")


def _file(
    stream: IO[bytes], parts: tuple[str, ...], time: float | None, size: int, budget: _Budget
) -> Found:
    name = parts[-1].lower()
    if name.endswith(CLOSED):
        reason = f"an archive that is not opened ({name.rsplit('.', 1)[-1]}): ask for a zip"
        return Found(parts, time, refused=reason)
    maybe = ".ipynb" in name or name.endswith((".json", ".txt")) or "." not in name
    if name == METADATA and size <= MAX_METADATA:
        return Found(parts, time, stream.read(MAX_METADATA), ignored="Gradescope's list")
    if not maybe:
        return _other(parts, time)
    if size > MAX_FILE:
        if ".ipynb" not in name:
            return _other(parts, time)
        reason = f"{_mib(size)}, more than the limit of {_mib(MAX_FILE)}: clear its outputs"
        return Found(parts, time, refused=reason)
    data = stream.read(MAX_FILE + 1)
    budget.left -= len(data)
    if len(data) > MAX_FILE:
        return Found(parts, time, refused=f"more than the limit of {_mib(MAX_FILE)}")
    if budget.left < 0:
        return Found(parts, time, refused=f"more than {_mib(MAX_TOTAL)} unpacked in all")
    if ".ipynb" not in name and not _looks_like_notebook(data):
        return _other(parts, time)
    return Found(parts, time, data)


def _other(parts: tuple[str, ...], time: float | None) -> Found:
    """What is no notebook: kept out, but a student who handed in nothing else is named."""
    suffix = parts[-1].rpartition(".")[2].lower()
    what = FORMATS.get(suffix)
    reason = f"{what}, not a notebook" if what else "not a notebook"
    return Found(parts, time, ignored=reason, document=True)


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
    """One part of a path, composed, printable and not too long; different ones stay different."""
    shown = unicodedata.normalize("NFC", well_formed(text))
    shown = "".join(c if c.isprintable() and c not in "/\\\ufffd" else "_" for c in shown)
    if shown == unicodedata.normalize("NFC", text) and len(shown) <= MAX_NAME:
        return shown
    mark = hashlib.sha256(text.encode("utf-8", errors="surrogatepass")).hexdigest()[:6]
    stem, dot, suffix = shown.rpartition(".")
    if not dot or len(suffix) > 20:
        stem, dot, suffix = shown, "", ""
    return f"{stem[:MAX_NAME]}_{mark}{dot}{suffix}"


def _junk(name: str) -> bool:
    return name.lower() in JUNK or name.startswith("._")


def _zip_time(entry: zipfile.ZipInfo) -> float | None:
    try:
        return datetime(*entry.date_time, tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _mib(size: int) -> str:
    return f"{size / 2**20:.0f} MiB"
