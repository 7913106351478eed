"""Visible checks of notebook 04: tokens, embeddings, pooling, probing and search with an encoder.

What is asked stands in the modules beside this one; the hidden checks use it again. They use the
shipped tokenizer and, beside the shipped model, a small random BERT of another width, depth, number
of positions and epsilon, in training mode with strong dropout.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from course_utils.checks.calls import call
from course_utils.checks.clinicalbert_embeddings.embeddings import (
    compare_embeddings,
    pooling_mistakes,
)
from course_utils.checks.clinicalbert_embeddings.encoding import TEXTS, compare_texts, compare_word
from course_utils.checks.clinicalbert_embeddings.masking import mask_tokens  # the first exercise
from course_utils.checks.clinicalbert_embeddings.models import (
    LONG,
    shipped_model,
    small_model,
    tokenizer,
)
from course_utils.checks.clinicalbert_embeddings.outcomes import error_of
from course_utils.checks.clinicalbert_embeddings.probing import (
    assert_averaged,
    assert_guesswork,
    assert_unseen,
    probe_table,
)
from course_utils.checks.clinicalbert_embeddings.registry import NOTEBOOK, summary
from course_utils.checks.clinicalbert_embeddings.search import compare_nearest
from course_utils.checks.clinicalbert_embeddings.tokens import token_table, vocabulary_rows
from course_utils.checks.compare import same
from course_utils.checks.core import require

__all__ = [
    "NOTEBOOK",
    "embed_texts",
    "input_embeddings",
    "layer_probe",
    "mask_tokens",
    "mean_pool",
    "nearest_notes",
    "search_vocabulary",
    "summary",
    "tokenization_table",
    "word_vector",
]


@NOTEBOOK.exercise(points=3)
def tokenization_table(answer: Any) -> str:
    """Check the table of tokens."""
    tok = tokenizer()
    token_table(answer, "Patient denies chest pain; hepatomegaly was ruled out.", tok)
    token_table(answer, "No pain at rest, no pain on exertion.", tok)
    token_table(answer, "No pain.\r\n  Fever:\tnone.\n", tok)
    token_table(answer, LONG, tok)
    return "ids, pieces with ##, positions of repeated words, special tokens, a text of 300 words"


@NOTEBOOK.exercise(points=3)
def search_vocabulary(answer: Any) -> str:
    """Check the search through the vocabulary."""
    tok = tokenizer()
    vocab = tok.get_vocab()
    number = vocab["fever"]

    def part(letters: str) -> dict[str, int]:
        return {token: i for token, i in vocab.items() if letters in token}

    vocabulary_rows(call(answer, tok, id=number), {"fever": number}, f"id={number}")
    vocabulary_rows(
        call(answer, tok, id=0),
        {"[PAD]": 0},
        "id=0",
        "0 is a valid id, but `if id:` takes it for missing: ask `id is not None`",
    )
    vocabulary_rows(call(answer, tok, token="pain"), {"pain": vocab["pain"]}, "token='pain'")
    vocabulary_rows(
        call(answer, tok, token="zzyzx"),
        {},
        "token='zzyzx', which is not an entry",
        "an unknown token is not `[UNK]`: an empty table with both columns",
    )
    vocabulary_rows(call(answer, tok, contains="emia"), part("emia"), "contains='emia'")
    vocabulary_rows(
        call(answer, tok, contains="."),
        part("."),
        "contains='.'",
        "`contains` is literal: without regular expressions (`regex=False`)",
    )
    vocabulary_rows(
        call(answer, tok, contains="##is"),
        part("##is"),
        "contains='##is'",
        "`##` is part of a token",
    )
    vocabulary_rows(
        call(answer, tok, token=""),
        {},
        "token=''",
        "an empty text is a criterion too, which no entry meets: ask `token is not None`",
    )
    vocabulary_rows(
        call(answer, tok, token=" pain"),
        {},
        "token=' pain' with a blank",
        "exactly so: blanks are not stripped",
    )
    vocabulary_rows(call(answer, tok), vocab, "without criteria")
    return "ids with 0, exact tokens, literal parts, nothing found, everything"


@NOTEBOOK.exercise(points=6)
def input_embeddings(answer: Any) -> str:
    """Check what enters the first block."""
    ids = torch.tensor([[2, 40, 300, 41, 300, 3], [2, 77, 3, 0, 0, 0]])
    got = compare_embeddings(
        answer, small_model(1), ids, "the input of a small BERT (width 24, in training mode)"
    )
    require(
        got.requires_grad,
        "The result has no gradient although the model's weights want one.",
        "use the weights themselves: no `torch.no_grad()`, `.data` or `.detach()` here",
    )
    compare_embeddings(answer, shipped_model(), ids, "the input of the shipped model")
    frozen = small_model(6, layers=1).requires_grad_(False)
    compare_embeddings(answer, frozen, ids, "the input of a frozen model")
    return "words, positions from 0, segment 0, LayerNorm with its eps; no dropout; gradients"


@NOTEBOOK.exercise(points=3)
def mean_pool(answer: Any) -> str:
    """Check pooling over real tokens."""
    generator = torch.Generator().manual_seed(4)
    x = torch.randn(3, 5, 4, generator=generator)
    mask = torch.tensor([[1, 1, 1, 0, 0], [0, 0, 1, 1, 1], [1, 1, 1, 1, 1]])
    want = torch.stack([row[m.bool()].mean(0) for row, m in zip(x, mask, strict=True)])
    wrong = pooling_mistakes(x, mask)
    same(call(answer, x, mask), want, "the mean over real tokens", mistakes=wrong)
    same(call(answer, x, mask.bool()), want, "the mean with a boolean mask", mistakes=wrong)
    empty = torch.tensor([[1, 1, 1, 0, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]])
    got = call(answer, x, empty)
    require(
        torch.is_tensor(got) and bool(torch.isfinite(got).all()),
        "A row without tokens gave numbers that are not finite.",
        "0 / 0: give the count a floor of one",
    )
    same(got[1], torch.zeros(4), "the mean of a row without tokens")
    leaf = x.double().requires_grad_()
    out = call(answer, leaf, mask)
    same(out, want.double(), "the mean in double precision", rtol=1e-5)
    require(out.requires_grad, "No gradient flows to the hidden states.", "no `detach` here")
    for half in (torch.bfloat16, torch.float16):
        got = call(answer, x.to(half), mask)
        same(got, want.to(half), f"the mean of {half} states", rtol=0.03, atol=0.03)
    return "padding on both sides, an empty row, kinds of masks, float64 to bfloat16, gradients"


@NOTEBOOK.exercise(points=6)
def embed_texts(answer: Any) -> str:
    """Check vectors of many texts."""
    model = shipped_model()
    compare_texts(answer, TEXTS, model, "the vectors of five notes", batch_size=2)
    compare_texts(answer, TEXTS, model, "the [CLS] vectors of five notes", pooling="cls")
    small = small_model(2)
    compare_texts(
        answer, [*TEXTS, LONG], small, "vectors of a BERT with 40 positions", batch_size=4
    )
    error_of(answer, TEXTS, tokenizer(), model, pooling="max", naming="", why="pooling='max'")
    error_of(answer, [], tokenizer(), model, pooling="max", naming="", why="pooling='max', no text")
    got = call(answer, [], tokenizer(), model)
    same(got, torch.zeros(0, 128), "the vectors of an empty list")
    return "order, padding, batches, truncation, dropout off, mode and gradient setting, no texts"


@NOTEBOOK.exercise(points=5)
def word_vector(answer: Any) -> str:
    """Check the vector of a word in its sentence."""
    model = shipped_model()
    sentence = "Painless swelling, pain at night, hepatomegaly; Pain again."
    compare_word(answer, sentence, "hepatomegaly", (34, 46), model)
    compare_word(answer, sentence, "pain", (19, 23), model)
    compare_word(answer, sentence, "PAINLESS", (0, 8), model, layer=1)
    compare_word(answer, sentence, "at night", (24, 32), model, layer=0)
    compare_word(answer, sentence, "swelling", (9, 17), small_model(3), layer=2)
    compare_word(answer, "épain, 'pain'! Fever?", "pain", (8, 12), model)
    compare_word(answer, "épain, 'pain'! Fever?", "fever", (15, 20), model)
    error_of(
        answer, sentence, "fever", tokenizer(), model, naming="fever", why="a word that is absent"
    )
    error_of(answer, sentence, "pai", tokenizer(), model, naming="pai", why="'pai', no whole word")
    signs = "38°°"  # one piece, with a place between its signs that is beside no letter
    error_of(answer, signs, "", tokenizer(), model, naming="", why="an empty word inside a piece")
    return "pieces, whole words, case, layers, two words, dropout off, absent words"


@NOTEBOOK.exercise(points=6)
def layer_probe(answer: Any) -> str:
    """Check the probe by what it may and may not find."""
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(40), 5)
    labels = rng.permutation(groups % 2)
    signal, noise = rng.normal(size=(2, 200, 12))
    signal[:, 3] += 4.0 * labels
    good, poor = probe_table(answer, [signal, noise], labels, groups)
    require(
        good >= 0.85,
        f"Layer 0 holds the label, and a linear classifier gets about 0.97; got {good:.2f}.",
        "layer 0 and layer 1 were mixed up" if poor > 0.9 else None,
    )
    assert_guesswork(answer)
    assert_unseen(answer)
    assert_averaged(answer)
    several = [noise[:, :3], noise]
    first = probe_table(answer, several, labels, groups, seed=5)
    for kind in (np.asarray, torch.from_numpy):
        again = probe_table(answer, [kind(x) for x in several], labels, groups, seed=5)
        require(
            bool(np.allclose(first, again)),
            f"The same seed gave {np.round(first, 4)} and then {np.round(again, 4)}.",
            "hand `seed` to whatever splits at random",
        )
    return (
        "a signal, noise, labels that only the group knows, a straight line, the training side, "
        "the mean over splits, layers in order, the seed"
    )


@NOTEBOOK.exercise(points=3)
def nearest_notes(answer: Any) -> str:
    """Check the search for the most similar notes."""
    generator = torch.Generator().manual_seed(6)
    notes = torch.randn(9, 6, generator=generator) * torch.arange(1, 10).unsqueeze(1)
    query = notes[2] * 0.5
    compare_nearest(answer, query, notes, 3, "k=3 of 9 notes")
    compare_nearest(answer, notes[4].double(), notes.double(), 20, "k=20 of 9 notes, float64")
    holes = notes.clone()
    holes[5] = 0
    compare_nearest(answer, query, holes, 9, "a note whose vector is zero")
    short = torch.logspace(-5, 0, 9).unsqueeze(1) / notes.norm(dim=1, keepdim=True)
    compare_nearest(answer, 1e-3 * query, short * notes, 9, "short vectors")
    compare_nearest(answer, query, notes, 0, "k=0")
    return "order, cosine, more wanted than there are, none, zero and short vectors, float64"
