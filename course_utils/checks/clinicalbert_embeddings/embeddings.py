"""What the checks of notebook 04 ask of the first layer's input and of pooling."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

import torch
from torch.nn import functional as F

from course_utils.checks.calls import call
from course_utils.checks.clinicalbert_embeddings.models import left_alone
from course_utils.checks.compare import same
from course_utils.checks.core import fail
from course_utils.checks.tensors import draw

__all__ = [
    "compare_embeddings",
    "embedding_mistakes",
    "first_layer",
    "no_ready_made_embeddings",
    "pooling_mistakes",
]


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
    if got.requires_grad:
        _compare_gradients(got, model.embeddings, ids)
    return got


def _compare_gradients(got: torch.Tensor, layer: Any, ids: torch.Tensor) -> None:
    """Gradients in the weights are the model's own; the row of padding (0) is left out."""
    norm, words = layer.LayerNorm, layer.word_embeddings.weight
    places, segments = layer.position_embeddings.weight, layer.token_type_embeddings.weight
    weights = {"words": words, "positions": places, "segments": segments, "gain": norm.weight}
    weights = {name: w for name, w in weights.items() if w.requires_grad}
    total = words[ids] + places[: ids.shape[1]] + segments[0]
    truth = F.layer_norm(total, (total.shape[-1],), norm.weight, norm.bias, norm.eps)
    look = draw(*got.shape, seed=12, dtype=got.dtype)
    pair = [
        torch.autograd.grad(
            (x * look).sum(), list(weights.values()), retain_graph=True, allow_unused=True
        )
        for x in (got, truth)
    ]
    for name, mine, own in zip(weights, *pair, strict=True):
        if mine is None:
            fail(f"No gradient reaches the {name}.", "use the weights, not their `.data`")
        keep = slice(1, None) if name == "words" else slice(None)
        mine = mine.to_dense() if mine.is_sparse else mine
        what = f"the gradient in the {name}"
        same(mine[keep], own[keep], what, rtol=1e-3, atol=1e-4)


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
