"""Files that are written at once or not at all, and text that every file and terminal takes."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import Any

__all__ = ["any_terminal", "copy_whole", "one_line", "well_formed", "write_whole"]

SURROGATES = re.compile("[\ud800-\udfff]")


def well_formed(found: Any) -> Any:
    """Copy of text, or of lists and dicts of it, without halves of characters.

    A lone surrogate, as in ``"\\ud800"``, is a value that Python's strings hold and no file does;
    it becomes the replacement character. Pairs are put together first.
    """
    if isinstance(found, str):
        if not SURROGATES.search(found):
            return found
        return found.encode("utf-16", errors="surrogatepass").decode("utf-16", errors="replace")
    if isinstance(found, dict):
        return {well_formed(key): well_formed(value) for key, value in found.items()}
    if isinstance(found, list | tuple):
        return [well_formed(value) for value in found]
    return found


def one_line(text: object, most: int = 300) -> str:
    """Text of an error, whatever it holds, as one printable line of at most ``most`` characters."""
    try:
        words = str(text)
    except Exception:  # a class of the student's own, with a broken __str__
        words = type(text).__name__
    words = " ".join(well_formed(words[: 10 * most]).split())
    words = "".join(c if c.isprintable() else "\ufffd" for c in words)
    return words if len(words) <= most else f"{words[: most - 1]}…"


def any_terminal() -> None:
    """Let the terminal show what its encoding cannot: ``\\u0141`` for a letter it does not have."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def write_whole(path: Path, text: str) -> None:
    """Write a text file and the folders above it; a file that already holds it is not touched."""
    data = well_formed(text).encode("utf-8")
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
