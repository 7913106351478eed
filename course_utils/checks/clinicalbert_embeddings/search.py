"""What the checks of notebook 04 ask of the search for similar notes."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F

from course_utils.checks.calls import call
from course_utils.checks.clinicalbert_embeddings.outcomes import as_tensor
from course_utils.checks.compare import same
from course_utils.checks.core import describe, require

__all__ = ["compare_nearest"]


def compare_nearest(
    answer: Any, query: torch.Tensor, notes: torch.Tensor, k: int, what: str
) -> None:
    """Compare an answer with cosine similarities; ties may come in any order."""
    q, n = query.double(), notes.double()
    lengths = n.norm(dim=1) * q.norm()
    cosine = torch.where(lengths > 0, n @ q / lengths.clamp(min=1e-300), 0.0)
    got = call(answer, query, notes, k)
    require(
        isinstance(got, tuple | list) and len(got) == 2,
        f"Expected (indices, similarities), got {describe(got)}.",
        "is there a `return`?" if got is None else None,
    )
    index, value = as_tensor(got[0], "the indices"), as_tensor(got[1], "the similarities")
    best = cosine.sort(descending=True).values[:k]
    for tensor, name, kind in (
        (index, "indices", torch.int64),
        (value, "similarities", query.dtype),
    ):
        require(
            tensor.shape == best.shape,
            f"{what}: expected {len(best)} {name} in one row; got shape {tuple(tensor.shape)}.",
            "one similarity a note, its product with the query, and of those the min(k, N) largest",
        )
        exchanged = index.is_floating_point() and not value.is_floating_point()
        require(
            tensor.dtype == kind,
            f"{what}: expected {name} as {kind}, got {tensor.dtype}.",
            "the two are exchanged: `topk` gives the values first, then the indices"
            if exchanged or (name == "indices" and torch.equal(index.double(), value.double()))
            else "indices are whole numbers, and similarities keep the dtype of the input",
        )
    dots = (n @ q).sort(descending=True).values[: len(best)]
    wrong = {
        "dot products: divide by both lengths": dots,
        "the notes are not divided by their lengths": dots / q.norm().clamp(min=1e-300),
        "the query is not divided by its length": (cosine * q.norm())
        .sort(descending=True)
        .values[: len(best)],
        "each feature is divided by its length over all notes; a note's own length is meant": (
            (F.normalize(n, dim=0) @ F.normalize(q, dim=0))
            .sort(descending=True)
            .values[: len(best)]
        ),
        "least similar first": cosine.sort().values[: len(best)],
        "short vectors are vectors too: a floor of 1e-6 or so under their lengths is too high": (
            torch.where(lengths > 0, n @ q / lengths.clamp(min=1e-6), 0.0)
            .sort(descending=True)
            .values[: len(best)]
        ),
        "distances instead of similarities": (1 - cosine).sort().values[: len(best)],
        "a note equal to the query is a note too": cosine.sort(descending=True).values[1 : k + 1],
        "from small to large: the most similar note comes first": best.flip(0),
    }
    wrong = {
        words: values
        for words, values in wrong.items()
        if values.shape == best.shape and not torch.allclose(values, best)
    }
    loose = {torch.float32: 1e-4, torch.float64: 1e-7}.get(query.dtype, 0.03)
    same(
        value,
        best.to(query.dtype),
        f"{what}: the similarities",
        mistakes=wrong,
        rtol=max(loose, 1e-4),
        atol=loose,
    )
    valid = bool(((index >= 0) & (index < len(notes))).all())
    require(
        valid and len(set(index.tolist())) == len(index), f"{what}: indices {index.tolist()[:6]}."
    )
    same(cosine[index], best, f"{what}: the similarities of the notes named", atol=loose)
