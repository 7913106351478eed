"""Reading notebooks that came from anywhere: whatever is in the file, cells come out or a reason.

``nbformat.read`` wants a valid notebook. Submissions are often not: old formats, missing fields,
sources as lists or strings, byte order marks, a notebook inside other JSON. Of each cell only what
grading needs is kept: its type, text, metadata, id and attachments. Outputs are left behind.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

__all__ = ["MAX_CELLS", "MAX_TEXT", "Cell", "NotANotebook", "Reading", "read_bytes", "read_object"]

MAX_CELLS = 5000
MAX_TEXT = 20 * 2**20  # characters of all cells together
MAX_ATTACHMENT = 10 * 2**20  # characters of one cell's pictures
BIG_OUTPUTS = 10 * 2**20

KINDS = {b"%PDF": "a PDF", b"PK\3\4": "a zip archive", b"\x89PNG": "a picture"}
KINDS |= {b"\xff\xd8\xff": "a picture", b"GIF8": "a picture", b"Rar!": "an archive"}
KINDS |= {b"7z\xbc\xaf": "an archive", b"\x1f\x8b": "an archive", b"BZh": "an archive"}
KINDS |= {b"\xd0\xcf\x11\xe0": "an Office document", b"{\\rtf": "a text document"}
MAGIC_LINE = "# MAGIC"
LANGUAGE = re.compile(
    rf"\s*(?:{MAGIC_LINE} )?(%python3?|%?%(?:spark\.)?i?pyspark|%md(?:-sandbox)?)[ \t]*(?:\n|$)",
    re.IGNORECASE,
)
VALID_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
TYPES = {"code": "code", "markdown": "markdown", "raw": "raw", "html": "markdown"}
TYPES |= {"text": "markdown", "rst": "raw", "heading": "markdown"}


class NotANotebook(ValueError):
    """No cells can be read from this; the message is the reason, for people."""


@dataclass
class Cell:
    """What is kept of a submitted cell; ``text`` has plain line ends."""

    kind: str
    text: str
    metadata: dict[str, Any] = field(default_factory=dict)
    id: str | None = None
    attachments: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def nbgrader(self) -> dict[str, Any]:
        """nbgrader's metadata, empty where there is none."""
        found = self.metadata.get("nbgrader")
        return found if isinstance(found, dict) else {}

    @property
    def grade_id(self) -> str | None:
        """nbgrader's name of the cell."""
        found = self.nbgrader.get("grade_id")
        return found if isinstance(found, str) and found else None

    @property
    def tags(self) -> list[str]:
        """Tags of the cell."""
        found = self.metadata.get("tags")
        return [tag for tag in found if isinstance(tag, str)] if isinstance(found, list) else []


@dataclass
class Reading:
    """Cells of a notebook, its own metadata, and sentences about what was odd."""

    cells: list[Cell]
    metadata: dict[str, Any]
    notes: list[str]


def read_bytes(data: bytes) -> Reading:
    """Cells of a notebook file.

    Raises
    ------
    NotANotebook
        If there are none to be had.
    """
    if not data.strip(b"\0 \t\r\n"):
        raise NotANotebook("the file is empty")
    text, notes = _decode(data)
    stripped = text.lstrip()
    if stripped[:1] == "<":
        raise NotANotebook("a web page, not a notebook (saved from the browser?)")
    if stripped[:1] not in ("{", "[", '"') or data.startswith(b"{\\rtf"):
        raise NotANotebook(_what_it_is(data, stripped))
    try:
        found, end = json.JSONDecoder(strict=False).raw_decode(stripped)
    except RecursionError:
        raise NotANotebook("JSON nested too deeply for a notebook") from None
    except json.JSONDecodeError as error:
        if not _is_text(stripped):
            raise NotANotebook("not a notebook: no text in it") from None
        where = f"damaged or cut off at line {error.lineno} of {stripped.count(chr(10)) + 1}"
        raise NotANotebook(f"no valid JSON: {where}") from None
    if stripped[end:].strip("\0 \t\r\n"):
        notes.append("Text after the end of the notebook was left out.")
    reading = read_object(found)
    reading.notes[:0] = notes
    return reading


def _what_it_is(data: bytes, text: str) -> str:
    for start, what in KINDS.items():
        if data.startswith(start):
            return f"{what} under the name of a notebook"
    return "text, not a notebook" if _is_text(text) else "not a notebook: no text in it"


def _is_text(text: str) -> bool:
    """Whether nearly everything at the beginning can be read."""
    begin = text[:2000]
    shown = sum(c.isprintable() or c in "\n\r\t" for c in begin)
    return "\0" not in begin and "\ufffd" not in begin and shown > 0.97 * len(begin)


def _decode(data: bytes) -> tuple[str, list[str]]:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        note = ["The file was in UTF-16, not UTF-8."]
        return data.decode("utf-16", errors="replace"), note
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace"), ["The file was not in UTF-8."]
    return text, ["The file began with a byte order mark."] if data[:3] == b"\xef\xbb\xbf" else []


def read_object(found: Any) -> Reading:
    """Cells of a notebook that is already parsed, of any nbformat version.

    Raises
    ------
    NotANotebook
        If it holds no list of cells, no cell, or too many.
    """
    notes: list[str] = []
    notebook = _unwrap(found)
    if notebook is None:
        raise NotANotebook("JSON, but not a notebook: it has no cells")
    if notebook is not found:
        notes.append("The notebook was wrapped in other JSON.")
    raw = notebook.get("cells")
    if not isinstance(raw, list):
        sheets = [s for s in notebook["worksheets"] if isinstance(s, dict)]
        raw = [c for s in sheets if isinstance(s.get("cells"), list) for c in s["cells"]]
    if len(raw) > MAX_CELLS:
        raise NotANotebook(f"{len(raw)} cells, more than the limit of {MAX_CELLS}")
    version = (notebook.get("nbformat"), notebook.get("nbformat_minor"))
    if version != (4, 5):
        notes.append(f"The notebook's format was {_version(version)} and is now 4.5.")
    cells, outputs = [], 0
    for item in raw:
        if isinstance(item, dict):
            cells.append(_cell(item, notes))
            outputs += _size(item.get("outputs"), BIG_OUTPUTS)
    if len(cells) < len(raw):
        notes.append(f"{len(raw) - len(cells)} entries that are no cells were left out.")
    if not cells:
        raise NotANotebook("a notebook without any cell")
    if sum(len(cell.text) for cell in cells) > MAX_TEXT:
        raise NotANotebook(f"more than {MAX_TEXT // 2**20} MiB of text in its cells")
    if outputs >= BIG_OUTPUTS:
        notes.append("Outputs of more than 10 MiB were dropped.")
    metadata = notebook.get("metadata")
    return Reading(cells, metadata if isinstance(metadata, dict) else {}, notes)


def _version(version: tuple[Any, Any]) -> str:
    major, minor = (v if isinstance(v, int) and not isinstance(v, bool) else "?" for v in version)
    return f"{major}.{minor}"[:20]


def _is_notebook(found: Any) -> bool:
    return isinstance(found, dict) and any(
        isinstance(found.get(key), list) for key in ("cells", "worksheets")
    )


def _unwrap(found: Any, depth: int = 4) -> dict[str, Any] | None:
    """The notebook in ``found``, which may be wrapped in dicts, lists or a JSON string."""
    if _is_notebook(found):
        return found
    if depth == 0:
        return None
    if isinstance(found, str) and found.lstrip()[:1] == "{":
        try:
            return _unwrap(json.loads(found, strict=False), depth - 1)
        except (ValueError, RecursionError):
            return None
    inner = found.values() if isinstance(found, dict) else found
    if not isinstance(found, dict | list):
        return None
    for value in list(inner)[:50]:
        notebook = _unwrap(value, depth - 1)
        if notebook is not None:
            return notebook
    return None


def _cell(item: dict[str, Any], notes: list[str]) -> Cell:
    kind = item.get("cell_type")
    source = item.get("source", item.get("input", ""))
    text = clean(_join(source))
    if kind == "heading":
        level = item.get("level")
        text = "#" * (level if isinstance(level, int) and 0 < level < 7 else 1) + " " + text
    if kind == "code":
        kind, text = _of_another_platform(text, notes)
    metadata = item.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    # Colab writes nbformat 4.0 and keeps the id in the metadata
    own = [i for i in (item.get("id"), metadata.get("id")) if isinstance(i, str)]
    cell = Cell(
        TYPES.get(kind, "raw") if isinstance(kind, str) else "raw",
        text,
        metadata,
        next((i for i in own if VALID_ID.fullmatch(i)), None),
    )
    cell.attachments = _attachments(item.get("attachments"), notes)
    return cell


def _of_another_platform(text: str, notes: list[str]) -> tuple[str, str]:
    """A code cell without the first line by which other platforms name its language.

    Databricks, Zeppelin and Fabric begin cells with ``%python`` or ``%md``, also as a comment.
    """
    match = LANGUAGE.match(text)
    if match is None:
        return "code", text
    rest = text[match.end() :]
    if MAGIC_LINE in match[0]:
        rest = re.sub(rf"^{MAGIC_LINE} ?", "", rest, flags=re.MULTILINE)
    notes.append("Lines of another platform that name a cell's language were left out.")
    return ("markdown" if match[1].lower().startswith("%md") else "code"), rest


def _join(source: Any) -> str:
    if isinstance(source, str):
        return source
    if isinstance(source, list):
        return "".join(line for line in source if isinstance(line, str))
    return ""


def clean(text: str) -> str:
    """Plain line ends, no byte order mark, and nothing that UTF-8 cannot hold."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")
    return text.encode("utf-16", errors="surrogatepass").decode("utf-16", errors="replace")


def _attachments(found: Any, notes: list[str]) -> dict[str, dict[str, str]]:
    kept: dict[str, dict[str, str]] = {}
    if not isinstance(found, dict):
        return kept
    size = 0
    for name, bundle in found.items():
        bundle = bundle if isinstance(bundle, dict) else {}
        data = {clean(m): clean(_join(v)) for m, v in bundle.items() if isinstance(v, str | list)}
        size += sum(map(len, data.values()))
        if size > MAX_ATTACHMENT:
            notes.append("Pictures of more than 10 MiB in one cell were dropped.")
            break
        if data:
            kept[clean(name)] = data
    return kept


def _size(found: Any, enough: int) -> int:
    """Number of characters in ``found``, counted up to ``enough``."""
    total, stack = 0, [found]
    while stack and total < enough:
        item = stack.pop()
        if isinstance(item, str):
            total += len(item)
        elif isinstance(item, dict):
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
    return total
