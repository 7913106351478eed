"""Files that are written at once or not at all, so that an interruption leaves no half."""

from __future__ import annotations

import shutil
from pathlib import Path

__all__ = ["copy_whole", "write_whole"]


def write_whole(path: Path, text: str) -> None:
    """Write a text file and the folders above it; a file that already holds it is not touched."""
    data = text.encode("utf-8")
    if path.is_file() and path.read_bytes() == data:
        return
    part = _part(path)
    part.write_bytes(data)
    part.replace(path)


def copy_whole(source: Path, path: Path) -> None:
    """Copy a file's content, and make the folders above the copy."""
    part = _part(path)
    shutil.copyfile(source, part)
    part.replace(path)


def _part(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(f".{path.name[:60]}.part")
