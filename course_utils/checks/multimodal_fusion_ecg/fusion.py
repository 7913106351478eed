"""What the checks of notebook 03 ask of late and of intermediate fusion."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from course_utils.checks.calls import call
from course_utils.checks.compare import same
from course_utils.checks.core import fail, require
from course_utils.checks.multimodal_fusion_ecg.losses import finite, leaf
from course_utils.checks.tensors import assert_slopes, draw


def assert_late(
    answer: Callable[..., Any],
    probabilities: Sequence[NDArray[Any]],
    weights: NDArray[Any] | None,
    available: NDArray[Any] | None,
    want: NDArray[Any],
    mistakes: Mapping[str, Any] | None = None,
) -> None:
    """Compare late fusion with known values, for arrays and tensors of both float dtypes."""
    for kind in ("array", "tensor"):
        for dtype in (np.float64, np.float32):
            to = np.asarray if kind == "array" else torch.as_tensor
            if probabilities[0].dtype.kind == "f":
                p = [to(q.astype(dtype)) for q in probabilities]
            else:
                p = [to(q) for q in probabilities]
            w = None if weights is None else to(weights.astype(dtype))
            a = None if available is None else to(available)
            args = [p] if w is None and a is None else [p, w] if a is None else [p, w, a]
            got = call(answer, *args)
            if isinstance(got, Tensor) != (kind == "tensor") or not isinstance(
                got, Tensor | np.ndarray
            ):
                fail(
                    f"{kind}s came in, {type(got).__name__} came out.",
                    "return the kind that you got",
                )
            if p[0].dtype in (np.float32, np.float64, torch.float32, torch.float64):
                require(got.dtype == p[0].dtype, f"Expected dtype {p[0].dtype}, got {got.dtype}.")
            same(
                np.asarray(got, dtype=float),
                want,
                f"the fused probabilities ({kind})",
                rtol=1e-4,
                atol=1e-5,
                mistakes=mistakes,
            )


def assert_late_gradient(
    answer: Callable[..., Any],
    holes: Sequence[NDArray[Any]],
    there: NDArray[Any],
    weights: NDArray[np.float64] | None = None,
) -> None:
    """Gradients are the normalised weights at what is there, and exactly zero elsewhere."""
    if weights is not None:  # the first patient has only what weighs nothing
        there, holes = there.copy(), [q.copy() for q in holes]
        there[0] = weights == 0
        for q in holes:
            q[0] = 0.3
    for step in (1, -1):  # first and last patients in turn
        _assert_late_gradient(answer, [q[::step].copy() for q in holes], there[::step], weights)


def _assert_late_gradient(
    answer: Callable[..., Any],
    holes: Sequence[NDArray[Any]],
    there: NDArray[Any],
    weights: NDArray[np.float64] | None,
) -> None:
    p = [torch.tensor(q, dtype=torch.float64, requires_grad=True) for q in holes]
    a = torch.as_tensor(there.copy())
    fused = call(answer, p, None if weights is None else torch.as_tensor(weights), a)
    if not isinstance(fused, Tensor) or not fused.requires_grad:
        fail("No gradient flows through the fused probabilities.", "stay with tensors throughout")
    share = there * (np.ones(len(p)) if weights is None else weights)
    total = share.sum(axis=1, keepdims=True)
    want = np.divide(share, total, out=np.zeros_like(share, dtype=float), where=total > 0)
    known = torch.as_tensor(total[:, 0] > 0)
    for entries, what in ((known, "what is there"), (torch.ones_like(known), "everything")):
        grads = torch.autograd.grad(fused[entries].sum(), p, allow_unused=True, retain_graph=True)
        for m, grad in enumerate(grads):
            if grad is None:
                fail(f"No gradient reaches the probabilities of modality {m}.")
            require(
                finite(grad),
                f"The gradient of {what} in modality {m} is not finite.",
                "replace missing entries (torch.where) before you multiply, and a total of 0 "
                "before you divide",
            )
            seen = a[:, m] & known
            same(grad[seen], torch.as_tensor(want[:, m])[seen], f"the gradient in modality {m}")
            require(
                not bool(grad[~a[:, m]].any()),
                f"The gradient at missing entries of modality {m} is not zero.",
            )


def assert_late_kinds(
    answer: Callable[..., Any],
    probabilities: Sequence[NDArray[np.float64]],
    weights: NDArray[np.float64],
    available: NDArray[Any],
) -> None:
    """The probabilities alone set kind and dtype, whatever weights and availability come as."""
    plain = np.asarray(call(answer, list(probabilities), weights, available), dtype=float)
    tensors = [torch.as_tensor(p) for p in probabilities]
    w, a = torch.as_tensor(weights), torch.as_tensor(available)
    votes = [np.rint(p).astype(np.int64) for p in probabilities]
    fractions = weights / weights.sum()
    exact = np.asarray(call(answer, [v.astype(float) for v in votes], fractions, available))
    cases: list[tuple[str, list[Any], Any, Any, Any, Any]] = [
        ("float32 arrays, float64 weights", [p.astype(np.float32) for p in probabilities], weights,
         available, plain, np.float32),
        ("float32 tensors, float64 weights", [t.float() for t in tensors], w, a, plain,
         torch.float32),
        ("tensors, weights as an array", tensors, weights, available, plain, torch.float64),
        ("arrays, weights as a tensor", list(probabilities), w, a, plain, np.float64),
        ("tensors, weights as integers", tensors, (4 * w).long(), a, None, torch.float64),
        ("bfloat16 tensors", [t.bfloat16() for t in tensors], w, a, None, torch.bfloat16),
        ("bfloat16 tensors without weights", [t.bfloat16() for t in tensors], None, a, None,
         torch.bfloat16),
        ("integers, fractional weights", votes, fractions, available, exact, None),
        ("integer tensors, fractional weights", [torch.as_tensor(v) for v in votes],
         torch.as_tensor(fractions), a, exact, None),
    ]  # fmt: skip
    for what, p, w_, a_, want, dtype in cases:
        got = call(answer, p, w_, a_)
        kind = Tensor if isinstance(p[0], Tensor) else np.ndarray
        if not isinstance(got, kind):
            fail(f"{what}: got {type(got).__name__}.", "return the kind that the probabilities are")
        if dtype is not None and got.dtype != dtype:
            fail(
                f"{what}: expected {dtype}, got {got.dtype}.",
                "the dtype of the probabilities is kept, whatever the weights are",
            )
        if want is not None:
            came = got.double().numpy() if isinstance(got, Tensor) else got.astype(float)
            same(came, want, f"the fused probabilities ({what})", rtol=1e-4, atol=1e-5)


def build(answer: Any, *args: Any, dtype: torch.dtype = torch.float32, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    module = call(answer, *args)
    if not isinstance(module, nn.Module):
        fail(f"Expected an nn.Module, got {type(module).__name__}.", "inherit from nn.Module")
    return module.to(dtype)


def logits_of(module: nn.Module, *args: Any, shape: tuple[int, ...]) -> Tensor:
    got = call(module, *args)
    if not isinstance(got, Tensor):
        fail(f"Expected the logits as a tensor, got {type(got).__name__}.")
    require(tuple(got.shape) == shape, f"Expected logits of shape {shape}, got {tuple(got.shape)}.")
    return got


def assert_fusion(
    answer: Any,
    dims: Sequence[int],
    hidden: int,
    classes: int,
    *,
    batch: int = 6,
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
) -> None:
    """Everything that is asked of intermediate fusion, for one size."""
    module = build(answer, list(dims), hidden, classes, dtype=dtype, seed=seed).eval()
    x = [draw(batch, d, dtype=dtype, seed=seed + 10 * m) for m, d in enumerate(dims)]
    full = torch.ones(batch, len(dims), dtype=torch.bool)
    plain = logits_of(module, x, shape=(batch, classes))
    require(plain.dtype == dtype, f"Expected logits of {dtype}, got {plain.dtype}.")
    require(finite(plain), "The logits are not finite.")
    if classes > 1 and bool((plain >= 0).all()):
        ones = torch.ones(batch, dtype=dtype)
        require(
            not torch.allclose(plain.sum(-1), ones, atol=1e-4),
            "The rows are probabilities (they add up to 1); logits are wanted.",
            "no softmax at the end: the loss takes it",
        )
    rtol, atol = (1e-4, 1e-5) if dtype == torch.float32 else (1e-7, 1e-9)
    same(
        logits_of(module, x, full, shape=(batch, classes)),
        plain,
        "the logits with available all True (as with available=None)",
        rtol=rtol,
        atol=atol,
    )
    _assert_mixed(module, x, classes)
    _assert_any_number(answer, dims, hidden, classes, dtype, seed)
    _assert_each_used(module, x)
    _assert_own_encoders(module, x)
    _assert_missing(module, x, plain, rtol, atol)
    _assert_gradients_with_holes(module, x)
    _assert_small_batches(module, x, classes)


def _assert_mixed(module: nn.Module, x: list[Tensor], classes: int) -> None:
    """No pair of modalities only adds up: the mixed difference is not zero."""
    for a in range(len(x)):
        for b in range(a + 1, len(x)):
            biggest = size = 0.0
            for scale in (1.0, 3.0, 10.0):

                def f(
                    flip_a: bool, flip_b: bool, scale: float = scale, a: int = a, b: int = b
                ) -> Tensor:
                    inputs = [scale * v for v in x]
                    inputs[a] = inputs[a].flip(0) if flip_a else inputs[a]
                    inputs[b] = inputs[b].flip(0) if flip_b else inputs[b]
                    return logits_of(module, inputs, shape=(len(x[0]), classes)).detach()

                parts = [f(False, False), f(True, False), f(False, True), f(True, True)]
                mixed = parts[0] - parts[1] - parts[2] + parts[3]
                biggest = max(biggest, float(mixed.abs().max()))
                size = max(size, max(float(v.abs().max()) for v in parts))
            floor = 1e-3 if x[0].dtype == torch.float32 else 1e-6
            require(
                biggest > floor * max(size, 1e-3),
                f"Modalities {a} and {b} only add up: f(a,b) - f(a',b) - f(a,b') + f(a',b') = "
                f"{biggest:.2g}.",
                "after the fusion stands a linear layer alone, or logits are averaged: put a "
                "non-linear layer after it",
            )


def _assert_any_number(
    answer: Any, dims: Sequence[int], hidden: int, classes: int, dtype: torch.dtype, seed: int
) -> None:
    """With large weights, logits reach well below zero and well above it."""
    low, high = 0.0, 0.0
    for i in range(3):
        module = build(answer, list(dims), hidden, classes, dtype=dtype, seed=seed + i).eval()
        with torch.no_grad():
            for p in module.parameters():
                p.mul_(4.0 if p.dim() >= 2 else 1.0)
            x = [2.0 * draw(32, d, dtype=dtype, seed=seed + i + 20 * m) for m, d in enumerate(dims)]
            got = logits_of(module, x, shape=(32, classes))
        low, high = min(low, float(got.min())), max(high, float(got.max()))
    require(
        low < -0.3 and high > 0.3,
        f"Logits run from {low:.2f} to {high:.2f} even with large weights.",
        "an activation stands behind the last layer: logits may be any numbers, so end with a "
        "linear layer",
    )


def _assert_each_used(module: nn.Module, x: list[Tensor]) -> None:
    inputs = [leaf(v) for v in x]
    out = call(module, inputs)
    weight = draw(*out.shape, dtype=out.dtype, seed=99)
    grads = torch.autograd.grad((out * weight).sum(), inputs, allow_unused=True)
    for m, grad in enumerate(grads):
        require(
            grad is not None and bool((grad != 0).any()),
            f"Modality {m} does not reach the logits (no gradient).",
        )


def _assert_own_encoders(module: nn.Module, x: list[Tensor]) -> None:
    """Two modalities that hold each other's numbers, zeros behind them, give other logits."""
    widths = [v.shape[1] for v in x]
    for a in range(len(x)):
        for b in range(a + 1, len(x)):
            short = min(widths[a], widths[b])
            one, other = x[a][:, :short], x[b][:, :short]
            pair = []
            for first, second in ((one, other), (other, one)):
                inputs = list(x)
                for place, value in ((a, first), (b, second)):
                    inputs[place] = nn.functional.pad(value, (0, widths[place] - short))
                pair.append(call(module, inputs).detach())
            require(
                not torch.allclose(*pair, rtol=1e-5, atol=1e-7),
                f"Modalities {a} and {b} may be exchanged without any change of the logits.",
                "one encoder is used for all modalities; each has its own",
            )


def _assert_missing(
    module: nn.Module, x: list[Tensor], plain: Tensor, rtol: float, atol: float
) -> None:
    batch, classes = plain.shape
    for m in range(len(x)):
        gone = torch.ones(batch, len(x), dtype=torch.bool)
        gone[::2, m] = False
        base = logits_of(module, x, gone, shape=(batch, classes))
        for value in (float("nan"), float("inf"), -1e30):
            holes = [v.clone() for v in x]
            holes[m][::2] = value
            got = logits_of(module, holes, gone, shape=(batch, classes))
            if not finite(got):
                fail(
                    f"Missing entries of modality {m} hold {value}: the logits are not finite.",
                    "nan times 0 is nan: replace the *input* of a missing modality (torch.where, "
                    "masked_fill) before the encoder",
                )
            filled = [torch.nan_to_num(v, 0.0, 0.0, 0.0) for v in holes]
            same(
                got,
                base,
                f"the logits when missing values of modality {m} hold {value}",
                rtol=rtol,
                atol=atol,
                mistakes={
                    "`available` is not used, or only where values are nan": logits_of(
                        module, filled, shape=(batch, classes)
                    )
                },
            )
        same(
            base[1::2],
            plain[1::2],
            "the logits of patients who miss nothing, beside some who do",
            rtol=rtol,
            atol=atol,
        )
        difference = (base[::2] - plain[::2]).abs().max()
        require(
            bool(difference > 0),
            f"Leaving out modality {m} changes nothing.",
            "`available` is not used",
        )
        for other in set(range(len(x))) - {m}:
            moved = [v.clone() for v in x]
            moved[other] = moved[other].flip(0) * 2.0
            change = (
                (logits_of(module, moved, gone, shape=(batch, classes)) - base)[::2].abs().max()
            )
            require(
                bool(change > 0),
                f"When modality {m} is missing, modality {other} does not matter any more.",
                "leave out what is missing, and keep what is there",
            )
    nothing = torch.zeros(batch, len(x), dtype=torch.bool)
    empty = [torch.full_like(v, float("nan")) for v in x]
    got = logits_of(module, empty, nothing, shape=(batch, classes))
    require(
        finite(got),
        "With no modality at all the logits are not finite.",
        "a mean over nothing is 0/0: divide by at least 1",
    )


def _assert_gradients_with_holes(module: nn.Module, x: list[Tensor]) -> None:
    """Missing entries hold anything, and one patient has nothing: all gradients stay finite."""
    there = torch.ones(len(x[0]), len(x), dtype=torch.bool)
    for m in range(len(x)):
        there[m % len(there), m] = False
    there[-1] = False
    for value in (float("nan"), float("inf"), 1e30):
        inputs = [v.clone() for v in x]
        for m, v in enumerate(inputs):
            v[~there[:, m]] = value
            v.requires_grad_()
        module.zero_grad(set_to_none=True)
        out = call(module, inputs, there)
        require(out.requires_grad, "No gradient flows through the logits.")
        out.pow(2).sum().backward()
        for name, parameter in module.named_parameters():
            require(
                finite(parameter.grad),
                f"The gradient of parameter `{name}` is not finite when missing entries hold "
                f"{value:g}.",
                "mask the input before the encoder, not its output",
            )
        for m, v in enumerate(inputs):
            gone = None if v.grad is None else v.grad[~there[:, m]]
            require(finite(v.grad), f"The gradient in the input of modality {m} is not finite.")
            require(
                gone is None or not bool(gone.any()),
                f"Missing entries of modality {m} have a gradient.",
                "what is missing is not to be learnt from: replace it before the encoder",
            )
    module.zero_grad(set_to_none=True)
    if x[0].dtype == torch.float64:
        leaves = [leaf(v) for v in x]
        learned = [p for p in module.parameters() if p.requires_grad]
        assert_slopes(lambda: [call(module, leaves, there)], ("the logits",), [*leaves, *learned])


def _assert_small_batches(module: nn.Module, x: list[Tensor], classes: int) -> None:
    module.train()
    one = [v[:1] for v in x]
    got = logits_of(module, one, shape=(1, classes))
    require(
        finite(got),
        "A batch of one in training mode gives logits that are not finite.",
        "batch statistics of a single patient: use LayerNorm or none instead of BatchNorm",
    )
    gone = torch.zeros(1, len(x), dtype=torch.bool)
    require(
        finite(logits_of(module, one, gone, shape=(1, classes))),
        "A batch of one without any modality gives logits that are not finite.",
    )
    module.eval()
