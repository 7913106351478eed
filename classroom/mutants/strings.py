"""Edits of text in the code: SQL, regular expressions, f-strings, messages, column names."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator

from classroom.mutants.edits import Edit, Place, short

__all__ = ["sql_edits", "string_edits"]

SQL: list[tuple[str, str, tuple[str, ...]]] = [  # operator, pattern, what may stand there instead
    ("SQL comparison", r">=", (">", "<=")),
    ("SQL comparison", r"<=", ("<", ">=")),
    ("SQL comparison", r"(?<![<>=!])<(?![=>])", ("<=", ">")),
    ("SQL comparison", r"(?<![<>=!-])>(?![=])", (">=", "<")),
    ("SQL join", r"\bLEFT JOIN\b", ("JOIN",)),
    ("SQL join", r"(?<!LEFT )\bJOIN\b", ("LEFT JOIN",)),
    ("SQL rows", r"\bUNION ALL\b", ("UNION",)),
    ("SQL rows", r"\bSELECT\b(?! DISTINCT)", ("SELECT DISTINCT",)),
    ("SQL logic", r"\bAND\b", ("OR",)),
    ("SQL logic", r"\bOR\b", ("AND",)),
    ("SQL logic", r"\bNOT ", ("",)),
    ("SQL condition", r"\bWHERE [^()\n]*?(?= AND )", ("WHERE TRUE",)),
    ("SQL condition", r" AND [\w.]+ [<>=]+ [\w.]+(?: [+-] INTERVAL \d+ \w+)?", ("",)),
    ("SQL condition", r"\bWHERE [\w.]+ [<>=]+ [\w.]+(?: [+-] INTERVAL \d+ \w+)?$", ("",)),
    ("SQL condition", r"\bIS NOT NULL\b", ("IS NULL",)),
    ("SQL null", r"\bcoalesce\(([\w.]+), ([\w.:]+)\)", (r"\1", r"\2", r"coalesce(\1, '')")),
    ("SQL null", r"\bcoalesce\(([\w.]+), ([\w.:]+)\)", (r"coalesce(nullif(\1, ''), \2)",)),
    ("SQL text", r"\bconcat_ws\(' ', ", ("concat(", "concat_ws('', ", "concat_ws('  ', ")),
    ("SQL text", r"(?<=, )([\w.]+), ([\w.]+)(?=[,)])", (r"\2, \1", r"\1", r"\2")),
    ("SQL text", r", [\w.]+\)", (")",)),
    ("SQL text", r"'(\w+)'", (r"'\1s'",)),
    ("SQL key", r"\bUSING \(subject_id\)", ("USING (stay_id)",)),
    ("SQL key", r"\bUSING \(stay_id\)", ("USING (subject_id)",)),
    ("SQL time", r"\.starttime\b", (".stoptime", ".endtime")),
    ("SQL time", r"\.storetime\b", (".charttime",)),
    ("SQL time", r"INTERVAL 48 HOUR", ("INTERVAL 47 HOUR", "INTERVAL 49 HOUR", "INTERVAL 2 DAY")),
    ("SQL number", r"(?<![\w.'])(\d+)(?:\.\d+)?(?:e(\d+))?(?![\w.'])", (r"1\g<0>",)),
    ("SQL number", r"\) / ", (") // ", ") * ")),
    ("SQL number", r"(\w+\([\w.]+\)) - (\w+\([\w.]+\))", (r"\2 - \1", r"\1 + \2")),
    ("SQL order", r"\bORDER BY ([\w., ]+)", ("", r"ORDER BY \1 DESC")),
    ("SQL order", r"(?<=ORDER BY )[\w.]+, ", ("",)),
    ("SQL order", r"(?<=ORDER BY )([\w.]+), ([\w.]+)", (r"\2, \1", r"\1 DESC, \2")),
    ("SQL order", r"(?<=ORDER BY )([\w., ]+), ([\w.]+)", (r"\1",)),
    ("SQL columns", r"(?<=SELECT )([\w.]+), ([\w.]+)", (r"\2, \1",)),
]
PATTERNS = [  # pieces of regular expressions
    (r"[^\W_]", (r"\w", r"[A-Za-z0-9]", r"[^\W\d_]", r"[a-z]", r"\S")),
    (r"\w", (r"[A-Za-z0-9_]", r"\S", r"[^\W\d]")),
    (r"\s", (" ", r"\S")),
    (r"\d", (r"\w", "[1-9]")),
    (r"\b", ("",)),
    (r"(?<!", (r"(?<=",)),
    (r"(?!", (r"(?=",)),
]


def string_edits(node: ast.Constant | ast.JoinedStr, place: Place) -> Iterator[Edit]:
    """Yield the edits of a string or an f-string; docstrings are left alone."""
    if isinstance(place.parent, ast.Expr | ast.FormattedValue | ast.JoinedStr):
        return
    if isinstance(node, ast.JoinedStr):
        yield from _f_string(node, place)
        return
    text = node.value
    assert isinstance(text, str)
    if re.search(r"\bSELECT\b", text):
        for operator, what, new in sql_edits(text):
            yield Edit(operator, what, ast.Constant(new))
    elif not place.inside(ast.Raise):
        for new in _other_texts(text):
            yield Edit("text", f"{text!r} → {new!r}", ast.Constant(new))
        for what, new in _patterns(text):
            yield Edit("pattern", what, ast.Constant(new))


def _other_texts(text: str) -> list[str]:
    if not text:
        return ["x"]
    if text.isspace():
        return ["", text * 2]
    return [text + "_"] if re.fullmatch(r"[\w -]+", text) else []


def _patterns(text: str) -> Iterator[tuple[str, str]]:
    for piece, others in PATTERNS:
        if piece in text:
            for other in others:
                yield f"{piece} → {other}", text.replace(piece, other)


def _f_string(node: ast.JoinedStr, place: Place) -> Iterator[Edit]:
    in_message = place.inside(ast.Raise)
    for i, value in enumerate(node.values):
        new = copy.deepcopy(node)
        if isinstance(value, ast.FormattedValue):
            new.values[i] = ast.Constant("…")
            operator = "message" if in_message else "f-string"
            yield Edit(operator, f"without {{{short(value.value)}}}", new)
        elif isinstance(value, ast.Constant) and not in_message:
            del new.values[i]
            yield Edit("f-string", f"without {value.value!r}", new)
            for what, text in _patterns(str(value.value)):
                new = copy.deepcopy(node)
                new.values[i] = ast.Constant(text)
                yield Edit("pattern", what, new)


def sql_edits(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield (operator, what, text) for the small changes of an SQL statement."""
    for operator, pattern, others in SQL:
        for match in re.finditer(pattern, text, flags=re.M):
            for other in others:
                new = match.expand(other)
                line = text.count("\n", 0, match.start()) + 1
                what = f"{match.group(0).strip()!r} → {new.strip()!r} (line {line} of the SQL)"
                yield operator, what, text[: match.start()] + new + text[match.end() :]
