"""What the checks of notebook 04 ask of a table of tokens and of the vocabulary."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from course_utils.checks.calls import call
from course_utils.checks.clinicalbert_embeddings.outcomes import table, whole_numbers
from course_utils.checks.core import fail, require

__all__ = ["token_table", "vocabulary_rows"]


def token_table(answer: Callable[..., Any], text: str, tok: Any) -> None:
    """Compare a tokenization table with the text itself and with the tokenizer's own numbers."""
    frame = table(call(answer, text, tok), ["id", "token", "start", "end"])
    ids = list(tok(text)["input_ids"])
    shown = repr(text if len(text) < 60 else text[:57] + "...")
    got = whole_numbers(frame, "id")
    if len(got) != len(ids):
        hint = {
            len(ids) - 2: "`[CLS]` and `[SEP]` are rows too",
            tok.model_max_length: "nothing is truncated here",
        }.get(len(got))
        if len(got) < len(ids) and len(ids) > 100:
            hint = "long texts are not truncated here"
        fail(f"Expected {len(ids)} rows for {shown}, got {len(got)}.", hint)
    require(got == ids, f"The ids of {shown} are {ids[:6]}..., got {got[:6]}...")
    tokens, want = list(frame["token"]), tok.convert_ids_to_tokens(ids)
    for number, (token, entry) in enumerate(zip(tokens, want, strict=True)):
        hint = "the token is the vocabulary's entry, `##` kept" if entry[:2] == "##" else None
        require(
            isinstance(token, str) and token == entry,
            f"Row {number} of {shown} should have token {entry!r}, got {token!r}.",
            hint or "the vocabulary's entry, not the piece of text or a decoded string",
        )
    _offsets(text, shown, tok, want, whole_numbers(frame, "start"), whole_numbers(frame, "end"))


def _offsets(text: str, shown: str, tok: Any, tokens: list[str], start: list[int], end: list[int]):
    place = 0
    for number, token in enumerate(tokens):
        a, b = start[number], end[number]
        if token in (tok.cls_token, tok.sep_token):
            require((a, b) == (0, 0), f"{token} should have start, end = 0, 0; got {a}, {b}.")
            continue
        seen = f"Row {number} of {shown}, token {token!r}: start:end = {a}:{b} is {text[a:b]!r}."
        if token != tok.unk_token:
            want = text.find(token.removeprefix("##"), place)
            hint = None
            if (a, b) == (want, want + len(token.removeprefix("##")) - 1):
                hint = "`end` is exclusive: `text[start:end]` is the piece"
            elif a > b:
                hint = "start and end are exchanged"
            elif a < place:
                hint = "a word that occurs twice: positions go on from the last token's end"
            require((a, b) == (want, want + len(token.removeprefix("##"))), seen, hint)
        require(place <= a < b <= len(text), seen, "positions in `text` as it was given")
        place = b


def vocabulary_rows(frame: Any, want: dict[str, int], what: str, hint: str | None = None) -> None:
    """Compare a frame of vocabulary entries with the entries expected."""
    table(frame, ["id", "token"])
    rows = sorted((number, token) for token, number in want.items())
    got = list(zip(whole_numbers(frame, "id"), frame["token"], strict=True))
    if got == rows:
        return
    if sorted(got, key=str) == sorted(rows, key=str):
        fail(f"{what}: the rows are right but not ordered by id: {got[:4]}...", "sort by `id`")
    if hint is None:
        hint = _likely(got, rows)
    fail(f"{what}: expected {len(rows)} rows {rows[:3]}, got {len(got)} rows {got[:3]}.", hint)


def _likely(got: list[Any], rows: list[Any]) -> str | None:
    if not got:
        return "a criterion that is not given (None) must let everything through"
    if not set(rows) & set(got) and len(got) > 100:
        return "a comparison is turned round: it keeps what it should leave out"
    if set(rows) < set(got):
        return "a criterion that is given is not asked, or one of several is enough: all must hold"
    return None
