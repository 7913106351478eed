"""Batches and worked values for the checks of `compute_loss`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.checks.calls import call
from course_utils.checks.compare import same
from course_utils.checks.core import fail, require


def loss_example(dtype: torch.dtype = torch.float32) -> dict[str, Any]:
    """Build a small batch by formula: two reports of different length, two layers."""

    def wave(*shape: int, step: float, scale: float = 1.0) -> Tensor:
        count = math.prod(shape)
        return scale * torch.sin(step * torch.arange(1, count + 1, dtype=torch.float64)).reshape(
            shape
        )

    masks = torch.zeros(2, 6, 4, dtype=torch.bool)
    masks[0, 0, 0] = True  # belongs to the begin token: no row predicts it
    masks[0, 2, 1] = masks[0, 2, 2] = masks[0, 3, 1] = True
    masks[1, 1, 3] = True
    layers = [wave(2, 2, 6, 4, step=step, scale=2.0).softmax(-1).to(dtype) for step in (0.7, 1.9)]
    return {
        "logits": wave(2, 6, 7, step=1.3, scale=2.0).to(dtype),
        "token_ids": torch.tensor([[1, 4, 5, 6, 3, 2], [1, 6, 2, 0, 0, 0]]),
        "attn_weights": layers,
        "finding_masks": masks,
    }


def loss_case(
    seed: int,
    dtype: torch.dtype,
    *,
    pad_id: int = 0,
    length: int = 7,
    heads: int = 2,
    n_layers: int = 2,
    patches: int = 9,
    kind: str = "bool",
    sharp: bool = False,
) -> tuple[Tensor, Tensor, list[Tensor], Tensor]:
    """Draw a batch of four reports for `compute_loss`: of full length, shorter, and <bos> alone.

    ``kind`` of the masks is "bool", "float" (0 and 1), "soft" (any weight) or "faint" (any weight
    below a half); ``sharp`` makes the
    attention of a row one patch alone.
    """
    generator = torch.Generator().manual_seed(seed)
    batch, vocab_size = 4, 8
    words = torch.tensor([word for word in range(vocab_size) if word != pad_id])
    draw = torch.randint(len(words), (batch, length), generator=generator)
    tokens = words[draw]
    for row, end in enumerate((length, 4, 1, max(2, length - 1))):
        tokens[row, end:] = pad_id
    layers = []
    for _ in range(n_layers):
        scores = torch.randn(
            batch, heads, length, patches, generator=generator, dtype=torch.float64
        )
        if sharp:
            one = F.one_hot(scores[:, :1].argmax(-1), patches)
            layers.append(one.expand(-1, heads, -1, -1).to(dtype))
        else:
            layers.append((2 * scores).softmax(-1).to(dtype))
    masks = torch.rand(batch, length, patches, generator=generator) > 0.7
    masks &= (torch.rand(batch, length, 1, generator=generator) > 0.4) & (tokens != pad_id)[
        ..., None
    ]
    if kind != "bool":
        share = torch.rand(masks.shape, generator=generator) + 0.1
        factor = {"float": torch.ones(()), "soft": share, "faint": 0.4 * share}[kind]
        masks = (masks * factor).to(dtype)
    logits = 2 * torch.randn(batch, length, vocab_size, generator=generator, dtype=torch.float64)
    return logits.to(dtype), tokens, [layer.clone() for layer in layers], masks


# Worked out for `loss_example`, to six digits: the right value first, then common mistakes.
WORKED_LOSS: dict[str, dict[str, float]] = {
    "cross_entropy": {
        "the cross-entropy": 2.431705,
        "logits and targets are not shifted: row t - 1 predicts token t": 2.739172,
        "padding is counted: leave out the targets equal to pad_id": 2.682582,
        "the mean was taken per report first; every word counts alike": 2.611421,
        "the sum was taken, not the mean": 17.021932,
        "the sum is divided by all positions, padding included": 1.702193,
        "the shift goes the wrong way: row t - 1 predicts token t, not row t + 1": 3.040965,
        "the logarithm is to base 2; nats are wanted": 3.508208,
    },
    "grounding": {
        "the grounding term": 0.600793,
        "row t was compared with the mask of token t; row t - 1 predicts token t": 0.425424,
        "row t was compared with the mask of token t, token 0 included; shift by one row": 0.458651,
        "the shift goes the wrong way: row t - 1 belongs to token t": 0.725831,
        "the mask is not normalised to sum one": 0.652733,
        "it sums over the patches; the mean over the N patches is wanted": 2.403173,
        "tokens without a mask are counted": 0.257483,
        "tokens without a mask are counted, with a target of zeros": 0.398677,
        "the first layer's attention was used; the last layer's is wanted": 0.793774,
        "the attention of all layers was averaged; only the last layer's is wanted": 0.656255,
        "the mean was taken per report first": 0.700083,
        "binary cross-entropy was taken for every head; average the heads first": 0.708145,
        "only the positive term is there; binary cross-entropy has two": 0.380806,
        "this is the likelihood form; here binary cross-entropy is wanted": 1.244051,
    },
    "entropy": {
        "the entropy term": 1.126256,
        "padding is counted: take the rows of real targets only": 1.115772,
        "all rows are counted, the last one and padding too": 1.122052,
        "the rows of real tokens were taken; row t - 1 belongs to target t": 1.135224,
        "the rows are one too late: row t - 1 belongs to target t": 1.130148,
        "the sign is wrong: entropy is not negative": -1.126256,
        "only tokens with a mask are counted; all real targets are wanted": 1.080331,
        "the mean was taken per report first": 1.133811,
        "the mean over patches was taken instead of the sum": 0.281564,
        "the entropy of every head was taken; average the heads first": 0.854832,
        "the first layer's attention was used; the last layer's is wanted": 1.242640,
        "the logarithm is to base 2; nats are wanted": 1.624844,
        "it is divided by ln N; the plain entropy is wanted": 0.812422,
    },
    "total": {
        "the total with both lambdas 1": 4.158754,
        "the entropy term is missing in the total": 3.032498,
        "the grounding term is missing in the total": 3.557961,
        "the lambdas are not used: 0.1 and 0.01 are only their defaults": 2.503046,
        "the entropy is subtracted; it is added": 1.906242,
        "the mean of the terms was taken": 1.386251,
    },
}


def loss_parts(got: Any, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Unpack what `compute_loss` returned: four 0-d tensors."""
    if not isinstance(got, tuple | list) or len(got) != 4:
        fail(f"Expected (total, ce, ground, entropy), got {type(got).__name__}.")
    for name, value in zip(("total", "ce", "ground", "entropy"), got, strict=True):
        if not isinstance(value, Tensor):
            fail(
                f"Expected {name} as a 0-d tensor, got {type(value).__name__}.",
                "`.item()` and plain numbers carry no gradient; `logits.new_zeros(())` is a zero",
            )
        require(value.dim() == 0, f"Expected {name} with shape (), got {tuple(value.shape)}.")
        require(value.dtype == dtype, f"Expected {name} with dtype {dtype}, got {value.dtype}.")
    return tuple(got)


def reference_terms(
    logits: Tensor, tokens: Tensor, rows: Tensor, masks: Tensor, pad_id: int
) -> dict[str, Tensor]:
    """Cross-entropy, grounding and entropy, each from torch's own functions; 0 without data.

    Shapes: logits (B, T, V), tokens (B, T), rows (B, T, N), masks (B, T, N).
    """
    targets, rows, share = tokens[:, 1:], rows[:, :-1], masks[:, 1:].to(logits.dtype)
    word, has = targets != pad_id, (masks[:, 1:] > 0).any(-1)
    share = share[has] / share[has].sum(-1, keepdim=True)
    zero = logits.new_zeros(())
    log_p = logits[:, :-1].log_softmax(-1)
    ground = F.binary_cross_entropy(rows[has].clamp(1e-6, 1 - 1e-6), share) if has.any() else zero
    return {
        "cross_entropy": F.nll_loss(log_p[word], targets[word]) if word.any() else zero,
        "grounding": ground,
        "entropy": torch.special.entr(rows[word]).sum(-1).mean() if word.any() else zero,
    }


def compare_part(
    answer: Callable[..., Any],
    part: str,
    *,
    seed: int,
    dtype: torch.dtype,
    lambdas: tuple[float, float] = (1.0, 1.0),
    pad_id: int = 0,
    **options: Any,
) -> None:
    """Compare one part and its gradients with the reference, through the softmax of the attention.

    A term may differ from the reference's by what the softmax cancels, a constant per row.
    """
    logits, tokens, layers, masks = loss_case(seed, dtype, pad_id=pad_id, **options)
    logits.requires_grad_()
    sharp = bool(options.get("sharp"))
    leaves = [(a if sharp else a.log()).requires_grad_() for a in layers]
    attention = leaves if sharp else [s.softmax(-1) for s in leaves]
    got = loss_parts(call(answer, logits, tokens, attention, masks, *lambdas, pad_id=pad_id), dtype)
    terms = reference_terms(logits, tokens, attention[-1].mean(1), masks, pad_id)
    ce, ground, entropy = terms.values()
    terms["total"] = ce + lambdas[0] * ground + lambdas[1] * entropy
    value, want = got[("total", "cross_entropy", "grounding", "entropy").index(part)], terms[part]
    what = {
        "cross_entropy": "cross-entropy",
        "grounding": "grounding term",
        "entropy": "entropy term",
        "total": f"total with lambdas {lambdas}",
    }[part]
    rows = attention[-1].mean(1)[:, :-1][tokens[:, 1:] != pad_id].detach().clamp(1e-6, 1 - 1e-6)
    words = "the clamp belongs to the grounding term alone; here 0 ln 0 = 0"
    same(
        value,
        want.detach(),
        f"the {what}",
        rtol=2e-4,
        atol=1e-4 if sharp else 1e-5,
        mistakes={words: torch.special.entr(rows).sum(-1).mean()} if part == "entropy" else None,
    )
    named = {"logits": logits, "the last layer's attention": leaves[-1]}
    if part != "total":
        named.pop("the last layer's attention" if part == "cross_entropy" else "logits")
    for name, leaf in named.items():
        _compare_gradient(value, want, leaf, f"the {what} at {name}", exact=not sharp)


def _compare_gradient(value: Tensor, want: Tensor, leaf: Tensor, what: str, exact: bool) -> None:
    hint = "`.item()`, `.detach()`, `float(...)` and `torch.tensor(...)` cut it off"
    require(value.requires_grad, f"There is no gradient of {what}.", hint)
    ours, theirs = (
        torch.autograd.grad(x, leaf, retain_graph=True, allow_unused=True)[0] for x in (value, want)
    )
    require(ours is not None, f"There is no gradient of {what}.", hint)
    require(
        bool(torch.isfinite(ours).all()),
        f"The gradient of {what} is not finite.",
        "0 · log(0): clamp before the logarithm",
    )
    if exact:
        mistakes = {
            "a term is detached, or a part of it": torch.zeros_like(theirs),
            "half of it is detached": theirs / 2,
        }
        same(ours, theirs, f"the gradient of {what}", rtol=1e-3, atol=1e-6, mistakes=mistakes)


def loss_gradients(value: Tensor, logits: Tensor, weights: list[Tensor], part: str) -> None:
    names = {
        "cross_entropy": [("logits", logits)],
        "grounding": [("the last layer's attention", weights[-1])],
        "entropy": [("the last layer's attention", weights[-1])],
        "total": [("logits", logits), ("the last layer's attention", weights[-1])],
    }[part]
    require(
        value.requires_grad,
        f"The {part.replace('_', '-')} term carries no gradient.",
        "`.item()`, `.detach()`, `float(...)` and `torch.tensor(...)` cut it off",
    )
    tensors = [tensor for _, tensor in names]
    for (name, _), gradient in zip(
        names,
        torch.autograd.grad(value, tensors, allow_unused=True, retain_graph=True),
        strict=True,
    ):
        require(
            gradient is not None and bool((gradient != 0).any()),
            f"No gradient of the {part.replace('_', '-')} term reaches {name}.",
            "something on the way was detached",
        )
        require(bool(torch.isfinite(gradient).all()), f"The gradient at {name} is not finite.")
