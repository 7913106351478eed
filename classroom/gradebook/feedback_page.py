"""A student's page of feedback: what each exercise gave, why, which hint helps, and the notebook.

It stands alone: formulas are MathML, pictures are in it, and a policy keeps every script and every
request out, whatever a student wrote into the notebook.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import bleach
from markdown_it import MarkdownIt
from markupsafe import Markup
from mdit_py_plugins.dollarmath import dollarmath_plugin
from nbconvert.exporters import Exporter, HTMLExporter
from nbformat import NotebookNode
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from classroom.files import well_formed
from classroom.pages import page

__all__ = ["FeedbackPage", "best_hint", "hints_of", "rendered"]

MATHML = """
math mrow mi mn mo ms mtext mspace msup msub msubsup mfrac msqrt mroot mover munder munderover
mtable mtr mtd mstyle mpadded menclose"""
TAGS = f"""
a abbr b blockquote br caption code dd del details div dl dt em h1 h2 h3 h4 h5 h6 hr i img ins kbd
li ol p pre s small span strong sub summary sup table tbody td th thead tr ul {MATHML}"""


def _inside(name: str, value: str) -> bool:
    """Whether it is a picture that stands in the page itself."""
    return name == "src" and value.startswith("data:image/")


ATTRIBUTES: dict[str, Any] = {
    "*": ["class"],
    "a": ["href", "title"],
    "img": lambda _, name, value: name in ("alt", "title") or _inside(name, value),
    "td": ["colspan", "rowspan"],
    "th": ["colspan", "rowspan", "scope"],
    "ol": ["start"],
    "math": ["display", "xmlns"],
    "mo": ["stretchy", "fence", "form", "separator", "accent", "lspace", "rspace"],
    "mi": ["mathvariant"],
    "mover": ["accent"],
    "mtable": ["columnalign", "rowspacing"],
    "mspace": ["width"],
    "mstyle": ["displaystyle", "scriptlevel"],
}
HINT = re.compile(r"<details><summary>(Hint[^<]*)</summary>(.*?)</details>", re.S)
ANSI = re.compile(r"\x1b\[[0-9;]*m")
LONGEST = 20_000  # characters of an output that are shown


class FeedbackPage(HTMLExporter):
    """Exporter of nbgrader's ``generate_feedback`` with a page of the course's own."""

    def from_notebook_node(  # type: ignore[override]
        self, nb: NotebookNode, resources: Any = None, **kw: Any
    ) -> tuple[str, Any]:
        """Run nbgrader's preprocessors, then fill the template."""
        nb, resources = Exporter.from_notebook_node(self, nb, resources, **kw)  # type: ignore[arg-type]
        return rendered(nb, resources["nbgrader"]), resources


def rendered(nb: NotebookNode, about: Mapping[str, Any]) -> str:
    """The page of a notebook whose cells hold scores and comments.

    Parameters
    ----------
    about
        ``assignment``, ``student``, ``score`` (nan while there is none), ``max_score`` and
        ``late_penalty``.
    """
    cells = list(nb.cells)
    note = ""
    if cells and cells[0].get("id") == "grading-note":
        note = _markdown(cells.pop(0).source)
    rows, told = _rows(cells)
    text = page(
        "feedback.html",
        assignment=about["assignment"],
        student=about["student"],
        score=about["score"],
        max_score=about["max_score"],
        penalty=about.get("late_penalty") or 0,
        note=Markup(note),
        rows=rows,
        told=told,
        cells=[_cell(number, cell) for number, cell in enumerate(cells)],
        isnan=math.isnan,
    )
    return str(well_formed(text))


def _meta(cell: NotebookNode) -> Mapping[str, Any]:
    meta = cell.metadata.get("nbgrader", {})
    return meta if isinstance(meta, dict) else {}


def _rows(cells: Sequence[NotebookNode]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """A row an exercise or written answer; and what is to be told of those without full marks."""
    rows: dict[str, dict[str, Any]] = {}
    answers = {_meta(c).get("grade_id"): n for n, c in enumerate(cells) if _meta(c).get("solution")}
    for number, cell in enumerate(cells):
        meta = _meta(cell)
        key = meta.get("grade_id", "")
        if meta.get("solution") and not meta.get("grade"):
            row = rows.setdefault(key, _row(key, number))
            row["comment"] = meta.get("comment") or row["comment"]
        if not meta.get("grade"):
            continue
        written = bool(meta.get("solution"))
        name = key if written else re.sub(r"_check(_.+)?$", "", key)
        row = rows.setdefault(name, _row(name, answers.get(name, number)))
        row["written"] = written
        row["points"] += float(meta.get("score") or 0)
        row["most"] += float(meta.get("points") or 0)
        row["comment"] = meta.get("comment") or row["comment"]
        if not written:
            row["messages"] += [text for text in map(_plain, cell.outputs) if text]
            row["hints"] += hints_of(cells[number + 1 : number + 3])
    listed = [row for row in rows.values() if row["most"]]
    for row in listed:
        row["outcome"] = _outcome(row)
        row["message"] = "\n".join(row["messages"])
    told = [row for row in listed if row["comment"] or row["outcome"] in LACKING]
    for row in told:
        row["hint"] = best_hint(row["message"], row["hints"]) if row["outcome"] in HELPED else None
        if row["hint"]:
            row["hint"] = row["hint"][0], Markup(_markdown(row["hint"][1]))
    return listed, told


LACKING = ("no score yet", "partly right", "not right yet", "not attempted")
HELPED = ("partly right", "not right yet", "not attempted")


def _row(name: str, number: int) -> dict[str, Any]:
    return {
        "name": name,
        "cell": number,
        "points": 0.0,
        "most": 0.0,
        "comment": "",
        "written": False,
        "messages": [],
        "hints": [],
        "hint": None,
    }


def _outcome(row: Mapping[str, Any]) -> str:
    if math.isnan(row["points"]):
        return "no score yet"
    if row["written"]:
        return "graded" if row["points"] or row["comment"] else "read by a person"
    if row["points"] >= row["most"]:
        return "right"
    if row["points"] > 0:
        return "partly right"
    first = row["messages"][0] if row["messages"] else ""
    return "not attempted" if "not attempted" in first.partition("\n")[0] else "not right yet"


def hints_of(cells: Sequence[NotebookNode]) -> list[tuple[str, str]]:
    """Title and text of the hints in these cells."""
    text = "\n".join(c.source for c in cells if c.cell_type == "markdown")
    return [(title.strip(), body.strip()) for title, body in HINT.findall(text)]


def best_hint(message: str, hints: Sequence[tuple[str, str]]) -> tuple[str, str] | None:
    """The hint whose words meet the message's, the first of them when none does.

    The last of several, which says nearly everything, is left for the student to open.
    """
    if not hints:
        return None
    chosen = list(hints[:-1]) or list(hints)
    words = _words(message.partition("It looks like this:")[2] or message)
    scores = [len(words & _words(body)) / math.sqrt(1 + len(_words(body))) for _, body in chosen]
    return chosen[scores.index(max(scores))]


def _words(text: str) -> set[str]:
    found = re.findall(r"[^\W\d_]{4,}", text.lower())
    return set(found) - {"with", "that", "this", "like", "looks", "expected", "right", "each"}


def _cell(number: int, cell: NotebookNode) -> dict[str, Any]:
    meta = _meta(cell)
    made = {
        "number": number,
        "kind": cell.cell_type,
        "name": meta.get("grade_id", "") if meta.get("grade") or meta.get("solution") else "",
        "own": bool(meta.get("solution")),
        "given": bool(re.search(r"'(given|install)'", str(cell.metadata.get("tags")))),
        "score": meta.get("score") if meta.get("grade") else None,
        "points": meta.get("points"),
        "comment": meta.get("comment") or "",
        "outputs": [],
    }
    if cell.cell_type == "code":
        formatter = HtmlFormatter(nowrap=True)
        code = highlight(cell.source[:LONGEST], PythonLexer(stripnl=False), formatter)
        made["body"] = Markup(code)
        made["outputs"] = [_shown(output) for output in cell.outputs]
    elif cell.cell_type == "markdown":
        made["body"] = Markup(_markdown(cell.source, cell.get("attachments")))
    else:
        made["body"] = Markup(f"<pre>{html.escape(cell.source[:LONGEST])}</pre>")
    return made


def _plain(output: NotebookNode) -> str:
    """Text of an output."""
    if output.output_type == "stream":
        text = output.text
    elif output.output_type == "error":
        text = "\n".join(output.traceback) or f"{output.ename}: {output.evalue}"
    else:
        return ""  # points of a part
    return ANSI.sub("", text).strip()[:LONGEST]


def _shown(output: NotebookNode) -> Markup:
    data = output.get("data", {})
    picture = data.get("image/png")
    if isinstance(picture, str):
        code = re.sub(r"[^A-Za-z0-9+/=]", "", picture)
        return Markup(f'<img alt="Picture of this cell" src="data:image/png;base64,{code}">')
    if "text/html" in data:
        return Markup(f'<div class="scroll">{_clean("".join(data["text/html"]))}</div>')
    text = _plain(output) or ANSI.sub("", "".join(data.get("text/plain", "")))[:LONGEST]
    return Markup(f"<pre>{html.escape(text)}</pre>") if text.strip() else Markup("")


# ---------------------------------------------------------------------- text


def _formula(content: str, options: Mapping[str, Any]) -> str:
    """MathML of a formula, or its source where that is not understood."""
    display = "block" if options.get("display_mode") else "inline"
    try:
        from latex2mathml.converter import convert

        return convert(content.strip(), display=display)
    except Exception:  # no such package, or a formula of any shape
        return f"<code>{html.escape(content)}</code>"


_MARKDOWN = (
    MarkdownIt("commonmark", {"html": True})
    .enable(["table", "strikethrough"])
    .use(dollarmath_plugin, renderer=_formula, allow_space=True, allow_digits=False)
)


def _markdown(source: str, attachments: Any = None) -> str:
    """Markdown of a cell as clean HTML."""
    try:
        text = _MARKDOWN.render(source[: 10 * LONGEST])
    except Exception:  # nested too deeply
        return f"<pre>{html.escape(source[:LONGEST])}</pre>"
    for name, kinds in attachments.items() if isinstance(attachments, dict) else ():
        for kind, data in kinds.items() if isinstance(kinds, dict) else ():
            if isinstance(data, str) and re.fullmatch(r"image/\w+", kind):
                text = text.replace(f'src="attachment:{name}"', f'src="data:{kind};base64,{data}"')
    return _clean(text)


def _clean(text: str) -> str:
    """HTML with harmless elements alone; tables can be scrolled."""
    made = bleach.clean(
        text,
        tags=TAGS.split(),
        attributes=ATTRIBUTES,
        protocols=["http", "https", "mailto", "data"],
        strip=True,
    )
    made = re.sub(r"<img(?![^>]*\ssrc=)[^>]*>", "(a picture that is not in the notebook)", made)
    made = re.sub(r"<img(?![^>]*\salt=)", '<img alt="A picture"', made)
    made = re.sub(r"<(table[ >])", r'<div class="scroll" tabindex="0"><\1', made)
    return made.replace("</table>", "</table></div>")
