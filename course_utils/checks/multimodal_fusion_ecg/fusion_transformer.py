"""What the check of notebook 03 asks of a transformer with one token a modality."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from course_utils.checks.calls import call
from course_utils.checks.compare import same
from course_utils.checks.core import fail, require
from course_utils.checks.multimodal_fusion_ecg.fusion import build
from course_utils.checks.multimodal_fusion_ecg.losses import finite, leaf
from course_utils.checks.tensors import assert_slopes, draw

__all__ = ["assert_all_heads", "assert_fusion_heads", "assert_fusion_transformer"]

HOLES = (float("nan"), float("inf"), -1e30)


class _Case:
    """One size of the module, with inputs of its own."""

    def __init__(
        self,
        answer: Any,
        widths: Sequence[int],
        d_model: int,
        heads: int,
        n_out: int,
        batch: int,
        seed: int,
        dtype: torch.dtype,
    ) -> None:
        self.module = build(answer, list(widths), d_model, heads, n_out, dtype=dtype, seed=seed)
        self.module.eval()
        self.d_model, self.heads, self.n_out, self.seed = d_model, heads, n_out, seed
        self.x = [draw(batch, w, dtype=dtype, seed=seed + 10 * m + 1) for m, w in enumerate(widths)]
        self.full = torch.ones(batch, len(widths), dtype=torch.bool)
        double = dtype == torch.float64
        self.close: dict[str, Any] = {"rtol": 1e-7, "atol": 1e-9}
        self.close = self.close if double else {"rtol": 1e-4, "atol": 1e-5}

    def __call__(self, x: Sequence[Tensor], there: Tensor) -> tuple[Tensor, Tensor]:
        got = call(self.module, list(x), there)
        if not isinstance(got, tuple | list) or len(got) != 2:
            fail(f"Expected (logits, weights), got {type(got).__name__}.")
        n, m = there.shape
        for name, value, shape in (
            ("logits", got[0], (n, self.n_out)),
            ("weights", got[1], (n, m)),
        ):
            seen = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            hints = {
                (n, m + 1): "the summary token's own column belongs off: modalities alone",
                (n, self.heads, m): "take the mean over the heads",
                (n, m + 1, m + 1): "the row of the summary token alone is wanted",
            }
            if seen != shape:
                hint = hints.get(seen) if name == "weights" and isinstance(seen, tuple) else None
                fail(f"Expected {name} of shape {shape}, got {seen}.", hint)
            require(
                value.dtype == x[0].dtype, f"Expected {name} of {x[0].dtype}, got {value.dtype}."
            )
        return got[0], got[1]

    def perturb(self, size: float) -> None:
        """Move all parameters, so that nothing rests at zero from its initialisation."""
        with torch.no_grad():
            for i, p in enumerate(self.module.parameters()):
                p.add_(size * draw(*p.shape, dtype=p.dtype, seed=self.seed + 500 + i))


def assert_fusion_transformer(
    answer: Any,
    widths: Sequence[int],
    d_model: int,
    heads: int,
    n_out: int,
    *,
    batch: int = 6,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Everything that is asked of the module, for one size; layers and names are free."""
    case = _Case(answer, widths, d_model, heads, n_out, batch, seed, dtype)
    case.perturb(0.2)
    logits, weights = case(case.x, case.full)
    require(finite(logits) and finite(weights), "Logits or weights are not finite.")
    _assert_weights(case, weights)
    ones = logits.sum(-1)
    if n_out > 1 and bool((logits >= 0).all()):
        require(
            not torch.allclose(ones, torch.ones_like(ones), atol=1e-4),
            "The rows of the logits are probabilities (they add up to 1).",
            "no softmax at the end: the loss takes it",
        )
    _assert_alone(case, logits, weights)
    _assert_training_mode(case, logits)
    _assert_used(case)
    _assert_missing(case, logits)
    _assert_told_apart(case)
    _assert_nothing(case)
    twin = _Case(answer, widths, d_model, heads, n_out, batch, seed + 1, dtype)
    _assert_summary_is_learned(case, twin)
    _assert_gradients(case)
    _assert_peaked(case)


def _assert_weights(case: _Case, weights: Tensor) -> None:
    require(bool((weights >= 0).all()), "Some weights are negative.", "a softmax gives shares")
    total = weights.detach().sum(-1)
    require(
        bool((total <= 1 + 1e-5).all()),
        f"The weights of a patient add up to {float(total.max()):.3f}; at most 1 is possible.",
        "the row of the summary token (what it attends to), and the mean over heads, not the sum",
    )
    require(
        bool((total > 0).all()),
        "All weights of a patient are zero although everything is available.",
        "True = available; `key_padding_mask` of nn.MultiheadAttention is the opposite",
    )


def _assert_alone(case: _Case, logits: Tensor, weights: Tensor) -> None:
    """A patient alone gets what the same patient got in company."""
    for row in (0, len(logits) - 1):
        rows = slice(row, row + 1)
        got = case([v[rows] for v in case.x], case.full[rows])
        hint = (
            "attention runs over the patients (is batch_first=True missing?), or batch statistics"
        )
        for name, value, want in (("logits", got[0], logits), ("weights", got[1], weights)):
            if not torch.allclose(value, want[rows], **case.close):
                fail(f"The {name} of one patient depend on the others in the batch.", hint)


def _assert_training_mode(case: _Case, logits: Tensor) -> None:
    case.module.train()
    got = case(case.x, case.full)[0]
    case.module.eval()
    if not torch.allclose(got, logits, **case.close):
        fail(
            "Training mode gives other logits than evaluation mode.",
            "dropout is on by default in torch's transformer layers: set it to 0; no BatchNorm",
        )


def _assert_used(case: _Case) -> None:
    """Every modality that is there moves logits and weights."""
    inputs = [leaf(v) for v in case.x]
    logits, weights = case(inputs, case.full)
    for name, value in (("logits", logits), ("weights", weights)):
        require(value.requires_grad, f"No gradient flows through the {name}.")
        factor = draw(*value.shape, dtype=value.dtype, seed=99)
        grads = torch.autograd.grad(
            (value * factor).sum(), inputs, allow_unused=True, retain_graph=True
        )
        for m, grad in enumerate(grads):
            reaches = grad is not None and bool((grad != 0).any())
            uniform = "equal weights for all are no attention, and detached keys learn nothing"
            uniform = uniform if name == "weights" else None
            require(reaches, f"Modality {m} does not reach the {name} (no gradient).", uniform)


def _assert_told_apart(case: _Case) -> None:
    """With inputs of zero the learned vectors alone tell the modalities apart."""
    zeros = [torch.zeros_like(v[:2]) for v in case.x]
    there = torch.zeros(2, len(zeros), dtype=torch.bool)
    there[0, 0] = there[1, 1] = True
    logits, weights = case(zeros, there)
    require(
        bool((logits[0] - logits[1]).abs().max() > 1e-6),
        "Two modalities whose values are zero give the same logits.",
        "the learned vector of each modality is missing",
    )
    for m in (0, 1):
        only = weights[m, m] > 0 and int((weights[m] != 0).sum()) == 1
        require(
            bool(only),
            f"With modality {m} alone, the weights are {weights[m].tolist()}.",
            "column m of the weights belongs to modality m, and what is missing weighs 0",
        )


def _assert_missing(case: _Case, plain: Tensor) -> None:
    for m in range(len(case.x)):
        gone = case.full.clone()
        gone[::2, m] = False
        zeroed = [v.clone() for v in case.x]
        zeroed[m][::2] = 0.0
        logits, weights = case(zeroed, gone)
        require(
            not bool(weights[::2, m].any()),
            f"Modality {m} is missing and has a weight above 0.",
            "mask it as a key, before the softmax (`key_padding_mask` is True where it is missing)",
        )
        for value in HOLES:
            holes = [v.clone() for v in case.x]
            holes[m][::2] = value
            got = case(holes, gone)
            if not finite(got[0]) or not finite(got[1]):
                fail(
                    f"Missing entries of modality {m} hold {value}: the result is not finite.",
                    "weight 0 times nan is nan: replace what is missing before the projection",
                )
            what = f"when missing entries of modality {m} hold {value}"
            same(got[0], logits, f"the logits {what}", **case.close)
            same(got[1], weights, f"the weights {what}", **case.close)
        same(logits[1::2], plain[1::2], "the logits of those who miss nothing", **case.close)
        with_zeros = case(zeroed, case.full)[0]
        require(
            bool((with_zeros - logits)[::2].abs().max() > 1e-6),
            f"A missing modality {m} counts like one whose values are zero.",
            "what is missing has to be a masked key, not a token of zeros",
        )
        for other in set(range(len(case.x))) - {m}:
            moved = [v.clone() for v in zeroed]
            moved[other] = moved[other].flip(0) * 2.0
            change = (case(moved, gone)[0] - logits)[::2].abs().max()
            require(
                bool(change > 0),
                f"When modality {m} is missing, modality {other} does not matter any more.",
                "leave out what is missing, and keep what is there",
            )


def _assert_nothing(case: _Case) -> None:
    """Nothing available: finite logits, the same for everybody, and weights of zero."""
    nothing = torch.zeros_like(case.full)
    logits, weights = case([torch.full_like(v, float("nan")) for v in case.x], nothing)
    require(
        finite(logits) and finite(weights),
        "A patient without any modality gives values that are not finite.",
        "a softmax over nothing is 0/0: let the summary token attend to itself",
    )
    require(not bool(weights.any()), "Without any modality the weights have to be 0.")
    same(logits, logits[:1].expand_as(logits), "the logits without any modality", **case.close)
    same(case(case.x, nothing)[0], logits, "the logits without any modality", **case.close)
    mixed = case.full.clone()
    mixed[0] = False
    same(case(case.x, mixed)[0][:1], logits[:1], "the logits of one who has nothing", **case.close)


def _assert_summary_is_learned(case: _Case, twin: _Case) -> None:
    """Drawn anew, with all parameters copied, the module says the same of one who has nothing."""
    pairs = zip(twin.module.parameters(), case.module.parameters(), strict=True)
    with torch.no_grad():
        for other, own in pairs:
            other.copy_(own.detach().clone())
    nothing = torch.zeros_like(case.full)
    got, want = (module(case.x, nothing)[0] for module in (twin, case))
    if not torch.allclose(got, want, **case.close):
        fail(
            "Two modules with the same parameters differ for a patient who has nothing.",
            "the summary token is a random tensor: make it an nn.Parameter, so that it is learnt",
        )


def _assert_gradients(case: _Case) -> None:
    """Missing entries hold anything: gradients are finite, 0 there, and the same for all holes."""
    n, m = case.full.shape
    there = case.full.clone()
    for i in range(m):
        there[i % n, i] = False
    there[-1] = False
    first: dict[str, Tensor | None] = {}
    for value in (1.0, *HOLES):
        inputs = [v.clone() for v in case.x]
        for i, v in enumerate(inputs):
            v[~there[:, i]] = value
            v.requires_grad_()
        case.module.zero_grad(set_to_none=True)
        logits = case(inputs, there)[0]
        logits.pow(2).sum().backward()
        grads = {name: p.grad for name, p in case.module.named_parameters()}
        for name, grad in grads.items():
            require(
                finite(grad),
                f"The gradient of parameter `{name}` is not finite when missing entries hold "
                f"{value:g}.",
                "replace what is missing before the projection, not behind it",
            )
        for i, v in enumerate(inputs):
            gone = None if v.grad is None else v.grad[~there[:, i]]
            require(
                gone is None or (finite(gone) and not bool(gone.any())),
                f"Missing entries of modality {i} have a gradient.",
                "replace what is missing before the projection (masked_fill, torch.where)",
            )
        first = first or grads
        for name, grad in grads.items():
            if grad is not None and first[name] is not None:
                same(
                    grad, first[name], f"the gradient of `{name}` at holes of {value}", **case.close
                )
    for lacking in range(m):
        _assert_only_missing(case, lacking)
    if case.x[0].dtype == torch.float64:
        leaves = [leaf(v) for v in case.x]
        learned = [p for p in case.module.parameters() if p.requires_grad]
        names = ("the logits", "the weights")
        assert_slopes(lambda: case(leaves, there), names, [*leaves, *learned])


def _assert_only_missing(case: _Case, lacking: int) -> None:
    """Nobody has this modality: what serves it alone learns nothing from this batch."""
    there = case.full.clone()
    there[:, lacking] = False
    case.module.zero_grad(set_to_none=True)
    case(case.x, there)[0].pow(2).sum().backward()
    widths, count = [v.shape[1] for v in case.x], len(case.x)
    sizes = {case.d_model, case.heads, case.n_out, count + 1, 1, 2, 3, 4}
    width = widths[lacking]
    known = widths.count(width) == 1 and width not in sizes
    mine = set()
    for name, p in case.module.named_parameters():
        if known and width in p.shape:  # its projection, and the bias beside it
            mine |= {name, name.removesuffix("weight") + "bias"}
    for name, p in case.module.named_parameters():
        if p.grad is None:
            continue
        grad = p.grad if name in mine else None
        if list(p.shape).count(count) == 1 and count not in {*sizes, *widths}:  # a row for each
            grad = p.grad.movedim(list(p.shape).index(count), 0)[lacking]
        require(
            grad is None or not bool(grad.any()),
            f"`{name}` learns from a modality that nobody has.",
            "a missing modality still takes part: mask it as a key in every layer, and read out "
            "the summary token",
        )
    case.module.zero_grad(set_to_none=True)


def _assert_peaked(case: _Case) -> None:
    """With large parameters the softmax is sharp: shares still add up to one at most."""
    with torch.no_grad():
        for p in case.module.parameters():
            if p.dim() >= 2:
                p.mul_(4.0)
    batch = 48
    x = [
        2.0 * draw(batch, v.shape[1], dtype=v.dtype, seed=case.seed + 77 + m)
        for m, v in enumerate(case.x)
    ]
    there = torch.ones(batch, len(x), dtype=torch.bool)
    weights = case(x, there)[1].detach()
    _assert_weights(case, weights)
    require(
        len(x) == 1 or float(weights.std(0).max()) > 1e-4,
        "The weights are the same for every patient.",
        "the weights of the attention are wanted, not shares by number",
    )


def assert_fusion_heads(answer: Any, d_model: int, heads: int) -> None:
    """Heads that do not divide the width raise a ValueError; all heads count in the weights."""
    try:
        answer([3, 2], d_model, heads, 2)
    except ValueError:
        return
    except NotImplementedError:
        call(answer, [3, 2], d_model, heads, 2)
    except Exception as error:
        fail(
            f"d_model={d_model}, num_heads={heads} raises {type(error).__name__}.",
            "raise a ValueError yourself when heads do not divide",
        )
    fail(
        f"d_model={d_model} with num_heads={heads} is accepted.",
        "raise a ValueError when num_heads does not divide d_model",
    )


def assert_all_heads(answer: Any, *, seed: int = 0) -> None:
    """Every head has a say in `weights`: most rows of query and key maps get a gradient."""
    width = 16
    case = _Case(answer, [3, 5, 2], width, 4, 2, 40, seed, torch.float64)
    case.perturb(0.2)
    weights = case(case.x, case.full)[1]
    names, parameters = zip(*case.module.named_parameters(), strict=True)
    factor = draw(*weights.shape, dtype=weights.dtype, seed=seed + 3)
    grads = torch.autograd.grad((weights * factor).sum(), parameters, allow_unused=True)
    for name, p, grad in zip(names, parameters, grads, strict=True):
        if grad is None or p.dim() != 2 or p.shape[1] != width or p.shape[0] % width:
            continue
        touched = int((grad != 0).any(dim=1).sum())
        require(
            touched == 0 or touched > width // 2,  # a ReLU may silence a few rows
            f"Only {touched} rows of `{name}` have a say in the weights.",
            "some heads are left out: take the mean over all of them",
        )
