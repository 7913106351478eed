"""Checks of notebook 04: tokens, embeddings, pooling, probing and search with a clinical encoder.

They use the shipped tokenizer and, beside the shipped model, a small random BERT of another width,
depth, number of positions and epsilon, in training mode with strong dropout.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import io
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import torch
from torch.nn import functional as F

from course_utils.checks.calls import call
from course_utils.checks.compare import same
from course_utils.checks.core import describe, fail, require
from course_utils.checks.notebook import Notebook

NOTEBOOK = Notebook("04_clinicalbert_embeddings", written=5)
summary = NOTEBOOK.summary

LONG = "The patient denies chest pain, fever and chills. " * 30


# --- what visible and hidden checks share ------------------------------------------------------


@functools.cache
def _shipped() -> tuple[Any, torch.nn.Module]:
    from course_utils import text

    with contextlib.redirect_stdout(io.StringIO()):
        return text.load_clinical_encoder(text.SHIPPED)


def tokenizer() -> Any:
    """A fresh copy of the shipped tokenizer."""
    return copy.deepcopy(_shipped()[0])


def shipped_model() -> torch.nn.Module:
    """A fresh copy of the shipped model, in evaluation mode."""
    return copy.deepcopy(_shipped()[1])


def small_model(
    seed: int = 0, *, width: int = 24, layers: int = 3, positions: int = 40, dtype: Any = None
) -> torch.nn.Module:
    """A random BERT in training mode: every size differs from the shipped model's."""
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=len(_shipped()[0]),
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=3,
        intermediate_size=2 * width,
        max_position_embeddings=positions,
        hidden_dropout_prob=0.4,
        attention_probs_dropout_prob=0.4,
        layer_norm_eps=0.05,
        attn_implementation="eager",
    )
    generator = torch.Generator().manual_seed(seed)
    model = BertModel(config)
    with torch.no_grad():
        for name, value in model.named_parameters():
            spread = 0.4 if "embeddings" in name else 0.25
            value.copy_(torch.randn(value.shape, generator=generator) * spread)
            if name.endswith("LayerNorm.weight"):
                value.add_(1.0)
    return model.to(dtype or torch.float32).train()


@contextlib.contextmanager
def left_alone(model: torch.nn.Module) -> Iterator[None]:
    """Fail when the mode, the weights or the global gradient setting are not as they were."""
    training, grad = model.training, torch.is_grad_enabled()
    modes = [module.training for module in model.modules()]
    weights = {name: value.detach().clone() for name, value in model.state_dict().items()}
    yield
    require(
        model.training == training and modes == [m.training for m in model.modules()],
        f"The model came in {'training' if training else 'evaluation'} mode and left in the other.",
        "put its mode back: remember `model.training`, and restore it at the end",
    )
    require(
        torch.is_grad_enabled() == grad,
        f"Gradients were globally {'on' if grad else 'off'} and are not so any more.",
        "use `with torch.no_grad():` instead of `torch.set_grad_enabled(False)`",
    )
    now = model.state_dict()
    changed = [name for name in weights if not torch.equal(now[name], weights[name])]
    require(
        not changed and len(now) == len(weights), f"The model's weights changed: {changed[:2]}."
    )


def error_of(answer: Callable[..., Any], *args: Any, naming: str, why: str, **kwargs: Any) -> None:
    """Fail unless the answer raises a ValueError whose message holds ``naming``."""
    try:
        got = answer(*args, **kwargs)
    except ValueError as error:
        require(
            naming.lower() in str(error).lower(),
            f"The ValueError for {why} should name {naming!r}; it says: {str(error)[:90]!r}",
        )
        return
    except NotImplementedError:
        raise
    except Exception as error:
        fail(f"Expected a ValueError for {why}, got {type(error).__name__}: {str(error)[:80]}")
    fail(f"Expected a ValueError for {why}, got {describe(got)}.", "raise a clear error there")


def as_tensor(got: Any, what: str) -> torch.Tensor:
    """A tensor as it is, an array as a tensor; anything else fails."""
    if isinstance(got, np.ndarray):
        return torch.from_numpy(got)
    require(isinstance(got, torch.Tensor), f"Expected {what} as a tensor, got {describe(got)}.")
    return got


def table(got: Any, columns: list[str], *, exact: bool = True) -> pd.DataFrame:
    """A DataFrame with these columns, or a failure."""
    require(
        isinstance(got, pd.DataFrame),
        f"Expected a pandas DataFrame, got {describe(got)}.",
        "is there a `return`, and `pd.DataFrame(...)` around it?",
    )
    have = [str(column) for column in got.columns]
    right = have == columns if exact else set(columns) <= set(have)
    require(
        right, f"Expected the columns {columns}, got {have}.", "columns by these names, in order"
    )
    return got


def whole_numbers(frame: pd.DataFrame, column: str) -> list[int]:
    """Integers of a column (Python's or NumPy's), or a failure."""
    values = list(frame[column])
    for value in values:
        good = isinstance(value, int | np.integer) and not isinstance(value, bool)
        require(
            good,
            f"Column `{column}` should hold integers; it holds {describe(value)} "
            f"of type {type(value).__name__}.",
            "tensors inside a table print badly and compare badly; use `.tolist()` or `int(...)`",
        )
    return [int(value) for value in values]


# --- exercises -----------------------------------------------------------------------------------


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
            elif a < place:
                hint = "a word that occurs twice: positions go on from the last token's end"
            require((a, b) == (want, want + len(token.removeprefix("##"))), seen, hint)
        require(place <= a < b <= len(text), seen, "positions in `text` as it was given")
        place = b


@NOTEBOOK.exercise(points=3)
def tokenization_table(answer: Any) -> str:
    """Check the table of tokens."""
    tok = tokenizer()
    token_table(answer, "Patient denies chest pain; hepatomegaly was ruled out.", tok)
    token_table(answer, "No pain at rest, no pain on exertion.", tok)
    token_table(answer, LONG, tok)
    return "ids, pieces with ##, positions of repeated words, special tokens, a text of 300 words"


def vocabulary_rows(frame: Any, want: dict[str, int], what: str, hint: str | None = None) -> None:
    """Compare a frame of vocabulary entries with the entries expected."""
    table(frame, ["id", "token"])
    rows = sorted((number, token) for token, number in want.items())
    got = list(zip(whole_numbers(frame, "id"), frame["token"], strict=True))
    if got == rows:
        return
    if sorted(got, key=str) == sorted(rows, key=str):
        fail(f"{what}: the rows are right but not ordered by id: {got[:4]}...", "sort by `id`")
    fail(f"{what}: expected {len(rows)} rows {rows[:3]}, got {len(got)} rows {got[:3]}.", hint)


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
    vocabulary_rows(call(answer, tok), vocab, "without criteria")
    return "ids with 0, exact tokens, literal parts, nothing found, everything"


@contextlib.contextmanager
def no_ready_made_embeddings() -> Iterator[None]:
    """Fail as soon as a whole BERT, or its whole embedding layer, is called."""
    from transformers.models.bert import modeling_bert

    def refuse(self: Any, *_: Any, **__: Any) -> None:
        fail(
            f"It calls the ready-made {type(self).__name__}.",
            "here you add its three parts up yourself; its sub-modules and weights may be used",
        )

    with (
        mock.patch.object(modeling_bert.BertEmbeddings, "forward", refuse),
        mock.patch.object(modeling_bert.BertModel, "forward", refuse),
    ):
        yield


def first_layer(model: torch.nn.Module, ids: torch.Tensor) -> torch.Tensor:
    """What the model itself hands to its first block, without dropout."""
    training = model.training
    with torch.no_grad():
        states = model.eval()(input_ids=ids, output_hidden_states=True).hidden_states[0]
    model.train(training)
    return states


def embedding_mistakes(model: torch.nn.Module, ids: torch.Tensor) -> dict[str, torch.Tensor]:
    """Sums that leave a part out, by what was left out."""
    layer = model.embeddings
    norm = layer.LayerNorm
    words = layer.word_embeddings.weight.detach()[ids]
    places = layer.position_embeddings.weight.detach()[: ids.shape[1]].expand_as(words)
    segment = layer.token_type_embeddings.weight.detach()[0].expand_as(words)
    shifted = layer.position_embeddings.weight.detach().roll(-1, 0)[: ids.shape[1]]

    def normed(total: torch.Tensor, eps: float = norm.eps) -> torch.Tensor:
        size = (total.shape[-1],)
        return F.layer_norm(total, size, norm.weight.detach(), norm.bias.detach(), eps)

    total = words + places + segment
    return {
        "the rows of the matrix alone: position, segment and LayerNorm are missing": words,
        "the three summands are right, the LayerNorm is missing": total,
        "the position is missing": normed(words + segment),
        "the segment is missing": normed(words + places),
        "position and segment are missing": normed(words),
        "segment 1 instead of 0": normed(
            words + places + layer.token_type_embeddings.weight.detach()[1]
        ),
        "positions start at 0, not at 1": normed(words + shifted + segment),
        "the LayerNorm without its gain and shift": F.layer_norm(
            total, (total.shape[-1],), eps=norm.eps
        ),
        "the LayerNorm with torch's default eps; the model's is `model.config.layer_norm_eps`": (
            normed(total, 1e-5)
        ),
    }


def compare_embeddings(answer: Any, model: torch.nn.Module, ids: torch.Tensor, what: str) -> Any:
    """Compare an answer with the model's first layer; return what it gave."""
    want = first_layer(model, ids)
    wrong = {
        words: value
        for words, value in embedding_mistakes(model, ids).items()
        if not torch.allclose(value, want, rtol=1e-3, atol=1e-4)
    }
    with left_alone(model), no_ready_made_embeddings():
        got = call(answer, model, ids)
    dropped = torch.is_tensor(got) and got.shape == want.shape and bool((got == 0).any())
    if dropped and model.training:
        fail(f"{what}: some numbers are exactly 0.", "dropout: it is left out here")
    same(got, want, what, mistakes=wrong, rtol=1e-4, atol=1e-5)
    return got


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
    return "words, positions from 0, segment 0, LayerNorm with its eps; no dropout; gradients"


def pooling_mistakes(x: torch.Tensor, mask: torch.Tensor) -> dict[str, torch.Tensor]:
    """Means of the wrong tokens, by what went wrong."""
    keep = mask.bool().unsqueeze(-1)
    kept = torch.where(keep, x, 0)
    count = keep.sum(1).to(x.dtype)
    inner = keep.clone()
    for row in range(len(x)):
        real = torch.nonzero(keep[row, :, 0])[:, 0]
        if len(real):
            inner[row, real[[0, -1]]] = False
    return {
        "the padding is counted too: divide by the number of real tokens, not by T": x.mean(1),
        "the padding is left out of the sum but counted in the division": kept.mean(1),
        "a sum instead of a mean": kept.sum(1),
        "the largest value instead of the mean": torch.where(keep, x, -torch.inf).amax(1),
        "the first token alone": x[:, 0],
        "special tokens count too": torch.where(inner, x, 0).sum(1) / inner.sum(1).clamp(min=1),
        "the mask is turned round": torch.where(keep, 0, x).sum(1)
        / (x.shape[1] - count).clamp(min=1),
    }


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
    return "padding on both sides, an empty row, integer and boolean masks, float64, gradients"


class Recorder:
    """Counts how many texts each forward call of a model holds."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.sizes: list[int] = []
        self.model = model
        self.forward = model.forward

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        ids = args[0] if args else kwargs.get("input_ids", kwargs.get("inputs_embeds"))
        self.sizes.append(1 if ids is None else len(ids))
        return self.forward(*args, **kwargs)

    def __enter__(self) -> Recorder:
        self.model.forward = self
        return self

    def __exit__(self, *_: object) -> None:
        del self.model.forward


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
    twice = None
    if model.training and torch.is_tensor(got) and got.shape == want.shape:
        twice = call(answer, texts, tok, model, **options)
        if not torch.allclose(got, twice, rtol=1e-3, atol=1e-4):
            fail(f"{what}: two calls give different vectors.", "dropout: call `model.eval()` first")
    same(got, want, what, mistakes=wrong, rtol=1e-3, atol=1e-4)
    require(not got.requires_grad, "The vectors carry a gradient.", "wrap it in `torch.no_grad()`")


TEXTS = [
    "Patient denies chest pain, shortness of breath, nausea or vomiting since yesterday.",
    "No fever.",
    "cough",
    "Hepatomegaly was ruled out by the scan.",
    "No fever.",
]


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
    got = call(answer, [], tokenizer(), model)
    same(got, torch.zeros(0, 128), "the vectors of an empty list")
    return "order, padding, batches, truncation, dropout off, mode and gradient setting, no texts"


def word_states(
    text: str, span: tuple[int, int], model: torch.nn.Module, layer: int
) -> torch.Tensor:
    """Mean hidden state over the pieces inside a span of characters that the check knows."""
    tok, training = tokenizer(), model.training
    limit = model.config.max_position_embeddings
    batch = tok(text, truncation=True, max_length=limit, return_tensors="pt")
    pieces = sorted({batch.char_to_token(i) for i in range(*span)} - {None})
    with torch.no_grad():
        states = model.eval()(**batch, output_hidden_states=True).hidden_states[layer][0]
    model.train(training)
    return states[pieces].mean(0)


def compare_word(
    answer: Any,
    text: str,
    word: str,
    span: tuple[int, int],
    model: torch.nn.Module,
    layer: int = -1,
) -> None:
    """Compare an answer with the states at a known span."""
    want = word_states(text, span, model, layer)
    shown = repr(text if len(text) < 50 else text[:47] + "...")
    what = f"the vector of {word!r} in {shown}, layer {layer}"
    wrong = {
        "only the first piece of the word: take the mean over all of its pieces": word_states(
            text, (span[0], span[0] + 1), model, layer
        ),
        "only the last piece of the word: take the mean over all of its pieces": word_states(
            text, (span[1] - 1, span[1]), model, layer
        ),
        "the last layer whatever `layer` says": word_states(text, span, model, -1),
        "`hidden_states[0]` is the embedding layer; `layer` indexes from there": word_states(
            text, span, model, min(layer + 1, model.config.num_hidden_layers)
        ),
    }
    first = text.lower().find(word.lower())
    if first != span[0]:
        wrong["part of another word: a letter or digit is beside it"] = word_states(
            text, (first, first + len(word)), model, layer
        )
    last = text.lower().rfind(word.lower())
    if last != span[0]:
        wrong["not the first occurrence"] = word_states(
            text, (last, last + len(word)), model, layer
        )
    wrong = {k: v for k, v in wrong.items() if not torch.allclose(v, want, rtol=1e-3, atol=1e-4)}
    with left_alone(model):
        got = call(
            answer, text, word, tokenizer(), model, **({} if layer == -1 else {"layer": layer})
        )
        again = call(answer, text, word, tokenizer(), model, layer=layer)
    if model.training and torch.is_tensor(got) and got.shape == want.shape:
        calm = torch.allclose(got, again, rtol=1e-3, atol=1e-4)
        require(calm, "Two calls give different vectors.", "dropout: call `model.eval()` first")
    same(got, want, what, mistakes=wrong, rtol=1e-3, atol=1e-4)
    require(not got.requires_grad, "The vector carries a gradient.", "use `torch.no_grad()`")


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
    error_of(
        answer, sentence, "fever", tokenizer(), model, naming="fever", why="a word that is absent"
    )
    error_of(answer, sentence, "pai", tokenizer(), model, naming="pai", why="'pai', no whole word")
    return "pieces, whole words, case, layers, two words, dropout off, absent words"


def probe_table(answer: Any, features: list[Any], labels: Any, groups: Any, **options: Any) -> Any:
    """Call an answer and return its accuracies, one a layer."""
    got = call(answer, features, labels, groups, **options)
    table(got, ["layer", "accuracy"], exact=False)
    layers = whole_numbers(got, "layer")
    require(
        layers == list(range(len(features))),
        f"Expected the layers {list(range(len(features)))} in order, got {layers}.",
    )
    accuracy = np.asarray(got["accuracy"], dtype=float)
    require(
        bool(((accuracy >= 0) & (accuracy <= 1)).all()),
        f"Accuracies are fractions between 0 and 1; got {np.round(accuracy, 3).tolist()}.",
    )
    return accuracy


def group_trap(seed: int, n_groups: int = 40, each: int = 5) -> tuple[Any, Any, Any]:
    """Features that name the group, labels that depend on the group alone: nothing to learn."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n_groups), each)
    labels = rng.permutation(np.arange(n_groups) % 2)[groups]
    features = rng.normal(size=(n_groups, 60))[groups] + 0.1 * rng.normal(size=(len(groups), 60))
    order = rng.permutation(len(groups))
    return features[order], labels[order], groups[order]


@contextlib.contextmanager
def fits_below(n_rows: int) -> Iterator[None]:
    """Fail when a scaler or classifier of scikit-learn is fitted on all rows."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    seen: list[str] = []

    def watch(kind: Any) -> Any:
        original = kind.fit

        def fit(self: Any, X: Any, *args: Any, **kwargs: Any) -> Any:
            if len(X) >= n_rows:
                seen.append(kind.__name__)
            return original(self, X, *args, **kwargs)

        return mock.patch.object(kind, "fit", fit)

    with watch(StandardScaler), watch(LogisticRegression):
        yield
    require(
        not seen,
        f"A {seen[0] if seen else ''} was fitted on all {n_rows} rows.",
        "fit it on the training side of each split alone: held-out rows stay unseen",
    )


@NOTEBOOK.exercise(points=6)
def layer_probe(answer: Any) -> str:
    """Check the probe by what it may and may not find."""
    features, labels, groups = group_trap(0)
    rng = np.random.default_rng(1)
    signal = rng.normal(size=(200, 12))
    signal[:, 3] += 4.0 * labels
    noise = rng.normal(size=(200, 64))
    with fits_below(200):
        trap, good, poor = probe_table(answer, [features, signal, noise], labels, groups)
    require(
        good >= 0.9,
        f"Layer 1 holds the label, and a linear classifier gets about 0.97; got {good:.2f}.",
    )
    require(
        trap <= 0.75,
        f"Labels depend on the group alone, so held-out groups are guesswork; got {trap:.2f}.",
        "rows of one group are on both sides of the split: split by `groups`",
    )
    require(
        0.3 <= poor <= 0.7,
        f"Layer 2 is noise, so about 0.5 is possible on held-out rows; got {poor:.2f}.",
        "the accuracy of the rows that the classifier was fitted on" if poor > 0.7 else None,
    )
    np.random.seed(1)  # noqa: NPY002
    first = probe_table(answer, [noise], labels, groups, seed=5)
    np.random.seed(2)  # noqa: NPY002
    again = probe_table(answer, [torch.from_numpy(noise)], labels, groups, seed=5)
    require(
        bool(np.allclose(first, again)),
        f"The same seed gave {first[0]:.4f} and then {again[0]:.4f}.",
        "hand `seed` to whatever splits at random",
    )
    return "a signal, pure noise, labels that only the group knows, layers in order, the seed"


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
            "min(k, N) of them" if k > len(notes) else None,
        )
        require(tensor.dtype == kind, f"{what}: expected {name} as {kind}, got {tensor.dtype}.")
    dots = (n @ q).sort(descending=True).values[: len(best)]
    wrong = {
        "dot products: divide by both lengths": dots,
        "least similar first": cosine.sort().values[: len(best)],
        "distances instead of similarities": (1 - cosine).sort().values[: len(best)],
        "a note equal to the query is a note too": cosine.sort(descending=True).values[1 : k + 1],
        "from small to large: the most similar note comes first": best.flip(0),
    }
    wrong = {
        words: values
        for words, values in wrong.items()
        if values.shape == best.shape and not torch.allclose(values, best)
    }
    loose = 1e-4 if query.dtype == torch.float32 else 1e-7
    same(value, best.to(query.dtype), f"{what}: the similarities", mistakes=wrong, atol=loose)
    valid = bool(((index >= 0) & (index < len(notes))).all())
    require(
        valid and len(set(index.tolist())) == len(index), f"{what}: indices {index.tolist()[:6]}."
    )
    same(cosine[index], best, f"{what}: the similarities of the notes named", atol=loose)


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
    return "order, cosine, more wanted than there are, a zero vector, float64"
