"""What the checks of notebook 04 ask of vectors of texts and of words."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F

from course_utils.checks.calls import call
from course_utils.checks.clinicalbert_embeddings.models import Recorder, left_alone, tokenizer
from course_utils.checks.compare import same
from course_utils.checks.core import fail, require

__all__ = ["TEXTS", "compare_texts", "compare_word", "one_by_one"]


def one_by_one(texts: list[str], tok: Any, model: torch.nn.Module, pooling: str) -> torch.Tensor:
    """The plain truth: every text alone, so without any padding."""
    limit = model.config.max_position_embeddings
    training, rows = model.training, []
    model.eval()
    with torch.no_grad():
        for text in texts:
            batch = tok(text, truncation=True, max_length=limit, return_tensors="pt")
            states = model(**batch).last_hidden_state[0]
            rows.append(states[0] if pooling == "cls" else states.sum(0) / len(states))
    model.train(training)
    return torch.stack(rows)


def compare_texts(
    answer: Any, texts: list[str], model: torch.nn.Module, what: str, **options: Any
) -> None:
    """Compare an answer with the texts one by one; also modes, batches and gradients."""
    tok = tokenizer()
    want = one_by_one(texts, tok, model, options.get("pooling", "mean"))
    order = sorted(range(len(texts)), key=lambda i: len(tok(texts[i])["input_ids"]))
    wrong = {
        "the vectors come in the order of the lengths; put them back in the order given": want[
            order
        ],
        "longest first; put the vectors back in the order given": want[order[::-1]],
        "the vectors were normalised to length one; leave them as they are": F.normalize(want),
        "[CLS] instead of the mean, or the mean instead of [CLS]": one_by_one(
            texts, tok, model, "mean" if options.get("pooling") == "cls" else "cls"
        ),
    }
    with left_alone(model), Recorder(model) as record:
        got = call(answer, texts, tok, model, **options)
    limit = options.get("batch_size", 32)
    largest = max(record.sizes, default=0)
    require(
        largest <= limit, f"A forward call held {largest} texts; batch_size is {limit}.", "batches!"
    )
    require(
        not record.gradients,
        "The model computed with gradients, although they are thrown away afterwards.",
        "`with torch.no_grad():` around the call; `detach` at the end saves no memory",
    )
    twice = None
    if model.training and torch.is_tensor(got) and got.shape == want.shape:
        twice = call(answer, texts, tok, model, **options)
        if not torch.allclose(got, twice, rtol=1e-3, atol=1e-4):
            fail(f"{what}: two calls give different vectors.", "dropout: call `model.eval()` first")
    if torch.is_tensor(got) and got.shape == want.shape and not bool(got.any(dim=1).all()):
        never = torch.nonzero(~got.any(dim=1))[:, 0].tolist()
        fail(
            f"{what}: {len(never)} of {len(want)} rows hold zeros alone, first row {never[0]}.",
            "these texts were never computed, or their vectors never stored: look at where the "
            "batches begin and end",
        )
    same(got, want, what, mistakes=wrong, rtol=1e-3, atol=1e-4)
    require(not got.requires_grad, "The vectors carry a gradient.", "wrap it in `torch.no_grad()`")


TEXTS = [
    "Patient denies chest pain, shortness of breath, nausea or vomiting since yesterday.",
    "No fever.",
    "cough",
    "Hepatomegaly was ruled out by the scan.",
    "No fever.",
]


class _Text:
    """All hidden states of a text, and where the pieces of a span of characters are."""

    def __init__(self, text: str, model: torch.nn.Module) -> None:
        tok, training = tokenizer(), model.training
        limit = model.config.max_position_embeddings
        self.batch = tok(text, truncation=True, max_length=limit, return_tensors="pt")
        with torch.no_grad():
            self.layers = model.eval()(**self.batch, output_hidden_states=True).hidden_states
        model.train(training)

    def pieces(self, start: int, end: int) -> tuple[int, int]:
        """First and last piece of a span; of one that was cut off, a pair that holds nothing."""
        found = {self.batch.char_to_token(i) for i in range(start, end)} - {None}
        return min(found, default=0), max(found, default=-1)

    def mean(self, start: int, end: int, layer: int) -> torch.Tensor:
        """Mean hidden state over the pieces of a span."""
        first, last = self.pieces(start, end)
        return self.layers[layer][0, first : last + 1].mean(0)


def compare_word(
    answer: Any,
    text: str,
    word: str,
    span: tuple[int, int],
    model: torch.nn.Module,
    layer: int = -1,
) -> None:
    """Compare an answer with the states at a known span."""
    known = _Text(text, model)
    want, states = known.mean(*span, layer), known.layers[layer][0]
    first, last = known.pieces(*span)
    shown = repr(text if len(text) < 50 else text[:47] + "...")
    what = f"the vector of {word!r} in {shown}, layer {layer}"
    pieces = "of the word: take the mean over all of its pieces"
    later = min(layer + 1, len(known.layers) - 1)
    wrong = {
        "the mean over all tokens, not over the pieces of the word": states.mean(0),
        "the piece before the word counts too": states[max(first - 1, 0) : last + 1].mean(0),
        "the piece behind the word counts too": states[first : last + 2].mean(0),
        "everything from the word on, not the word alone": states[first:].mean(0),
        "everything up to the word, not the word alone": states[: last + 1].mean(0),
        "what stands behind the word, not the word": states[last + 1 :].mean(0),
        "what stands before the word, not the word": states[:first].mean(0),
        "a sum over the pieces instead of the mean": states[first : last + 1].sum(0),
        f"only the first piece {pieces}": states[first],
        f"only the last piece {pieces}": states[last],
        "the last layer whatever `layer` says": known.mean(*span, -1),
        "`hidden_states[0]` is the embedding layer; `layer` indexes from there": known.mean(
            *span, later
        ),
    }
    for begin, words in (
        (text.lower().find(word.lower()), "part of another word: a letter or digit is beside it"),
        (text.lower().rfind(word.lower()), "not the first occurrence"),
    ):
        if begin != span[0]:
            wrong[words] = known.mean(begin, begin + len(word), layer)
    wrong = {k: v for k, v in wrong.items() if not torch.allclose(v, want, rtol=1e-3, atol=1e-4)}
    with left_alone(model), Recorder(model) as record:
        got = call(
            answer, text, word, tokenizer(), model, **({} if layer == -1 else {"layer": layer})
        )
        again = call(answer, text, word, tokenizer(), model, layer=layer)
    if model.training and torch.is_tensor(got) and got.shape == want.shape:
        calm = torch.allclose(got, again, rtol=1e-3, atol=1e-4)
        require(calm, "Two calls give different vectors.", "dropout: call `model.eval()` first")
    same(got, want, what, mistakes=wrong, rtol=1e-3, atol=1e-4)
    carries = got.requires_grad or record.gradients
    require(not carries, "The model computed with gradients.", "use `with torch.no_grad():`")
