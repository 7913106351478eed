"""Watching a training loop from the side: the model, the loss and the optimiser take notes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.checks.calls import call
from course_utils.checks.compare import same
from course_utils.checks.core import CheckFailed, fail
from course_utils.checks.tensors import options

__all__ = [
    "Stream",
    "WatchedModel",
    "examine_empty",
    "examine_epoch",
    "examine_total_norm",
    "make_batches",
    "watched_loss",
]

Batch = tuple[Tensor, Tensor]


class WatchedModel(nn.Module):
    """A tiny classifier that notes every forward call; ``attention`` looks like logits."""

    def __init__(self, seed: int, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)

        def noise(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(*shape, generator=generator).to(dtype))

        self.table, self.weight, self.bias = noise(9, 4), noise(4, 3), noise(3)
        self.inner = nn.Dropout(0.0)
        self.modes: list[bool] = []
        self.seen: list[Tensor] = []

    def plain(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Forward without notes."""
        x = torch.tanh(self.table[tokens]).mean(1)
        logits = x @ self.weight + self.bias
        return logits, torch.cos(logits) * self.bias

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Note the mode and the batch; return ``(logits, attention)``."""
        self.modes.append(self.training and self.inner.training)
        self.seen.append(tokens.detach().clone())
        return self.plain(tokens)


def loss_of(logits: Tensor, labels: Tensor) -> Tensor:
    """Return a mean over the batch that is not symmetric in its arguments."""
    return ((logits - 3 * labels) ** 2 * (1 + labels)).mean()


class Stream:
    """Batches without a length and without an index, which note how often they are read."""

    def __init__(self, batches: list[Batch]) -> None:
        self.batches, self.reads = batches, 0

    def __repr__(self) -> str:
        return "an iterable"

    def __iter__(self) -> Iterator[Batch]:
        self.reads += 1  # with the first batch: progress bars ask for an iterator and leave it
        yield from self.batches


class watched_loss:
    """The loss as a callable that notes its values and refuses anything but logits, labels."""

    def __init__(self, batches: list[Batch]) -> None:
        self.labels = [labels for _, labels in batches]
        self.values: list[float] = []

    def __call__(self, logits: Any, labels: Any) -> Tensor:
        """Return the loss of tensors in the right order."""
        hint = "the model returns (logits, attention); the call is loss_fn(logits, labels)"
        if not isinstance(logits, Tensor) or not isinstance(labels, Tensor):
            kinds = f"{type(logits).__name__}, {type(labels).__name__}"
            fail(f"loss_fn was called with ({kinds}).", hint)
        if any(logits.shape == y.shape and torch.equal(logits, y) for y in self.labels):
            fail("loss_fn was called with the labels as its first argument.", hint)
        if labels.dtype != self.labels[0].dtype:
            fail(
                f"loss_fn was called with labels as {labels.dtype}; the batch holds "
                f"{self.labels[0].dtype}.",
                "hand the labels on as they come: another loss may need whole numbers",
            )
        loss = loss_of(logits, labels)
        self.values.append(float(loss.detach()))
        return loss


class _WatchedSGD(torch.optim.SGD):
    """Gradient descent that compares, at each step, the gradients with what they should be."""

    def __init__(self, model: WatchedModel, batches: list[Batch], max_norm: float) -> None:
        super().__init__(model.parameters(), lr=0.05)
        self.model, self.batches, self.max_norm = model, batches, max_norm
        self.steps = 0
        self.raw: list[list[Tensor]] = []
        self.stale = [p.grad.clone() for p in model.parameters() if p.grad is not None]

    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """Examine the gradients, then step."""
        result = None
        if closure is not None:
            with torch.enable_grad():
                result = closure()
        if self.steps < len(self.batches):
            self._examine()
        self.steps += 1
        super().step()
        return result

    def __repr__(self) -> str:
        return "SGD"

    def _examine(self) -> None:
        tokens, labels = self.batches[self.steps]
        params = list(self.model.parameters())
        with torch.enable_grad():
            logits, _ = self.model.plain(tokens)
            raw = list(torch.autograd.grad(loss_of(logits, labels), params))
        self.raw.append(raw)
        want = _clip(raw, self.max_norm)
        got = [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in params]
        if all(_near(a, b) for a, b in zip(got, want, strict=True)):
            return
        where = f"At step {self.steps + 1} of {len(self.batches)} the gradients"
        norm, total = _norm(got), _norm(want)
        if abs(norm - total) < 0.01 * total:
            seen = f"{where} have the right total norm, {total:.4g}, but other values than the loss"
        else:
            seen = f"{where} have a total norm of {norm:.4g}, expected {total:.4g}"
        seen += f" (raw {_norm(raw):.4g}, max_norm={self.max_norm:g})."
        ahead = len(self.model.seen) - self.steps - 1
        if not self.model.seen:
            fail(
                "optimizer.step() ran before the model saw anything: its parameters have no "
                "gradient.",
                "train the model that was given, not a copy; forward and backward come first",
            )
        if ahead < 0:
            fail(seen, "this batch had a step already: one step a batch")
        if ahead > 0 and not torch.equal(self.model.seen[0], self.model.seen[-1]):
            fail(seen, "several batches went forward before this step: one step a batch")
        fail(seen, self._mistake(got, raw, tokens, labels))

    def _mistake(
        self, got: list[Tensor], raw: list[Tensor], tokens: Tensor, labels: Tensor
    ) -> str | None:
        n, top = len(labels), self.max_norm
        params = list(self.model.parameters())
        if all(float(g.abs().max()) == 0 for g in got):
            return (
                "there is no gradient at the step, so no parameters move: clear, forward, "
                "backward, clip, step, in this order"
            )
        if self.stale and all(_near(a, b) for a, b in zip(got, self.stale, strict=True)):
            return (
                "these are stale gradients from before the call: the order is clear the gradients, "
                "forward, backward, clip, step"
            )
        if self.steps == 0 and self.stale:
            mixed = [a + b for a, b in zip(raw, self.stale, strict=True)]
            if any(
                all(_near(a, b) for a, b in zip(got, option, strict=True))
                for option in (
                    mixed,
                    _clip(mixed, top),
                    [a + b for a, b in zip(raw, _clip(self.stale, top), strict=True)],
                )
            ):
                return "stale gradients from before the call are added: clear them before backward"
        with torch.enable_grad():
            attention = self.model.plain(tokens)[1]
            wrong = torch.autograd.grad(loss_of(attention, labels), params, allow_unused=True)
        cases = {
            "the gradients are not clipped before the step: backward, clip, step": raw,
            "each parameter is clipped by itself; the total norm of all of them counts": [
                _clip([g], top)[0] for g in raw
            ],
            "each entry is clipped; the norm of all gradients together counts": [
                g.clamp(-top, top) for g in raw
            ],
            "clipped to 1.0; the argument max_norm says how far": _clip(raw, 1.0),
            "gradients below max_norm stay as they are; clipping only shortens": [
                g * top / _norm(raw) for g in raw
            ],
            "max_norm bounds the Euclidean norm, not the largest entry": _clip(
                raw, top, float("inf")
            ),
            "max_norm bounds the Euclidean norm, not the sum of absolute values": _clip(
                raw, top, 1.0
            ),
            "backward ran twice": _clip([2 * g for g in raw], top),
            "the loss is a mean over the batch already; it was divided once more": _clip(
                [g / n for g in raw], top
            ),
            "the loss was multiplied by the batch size before backward": _clip(
                [g * n for g in raw], top
            ),
            "logits and attention are mixed up: model(tokens) returns (logits, attention)": _clip(
                [
                    torch.zeros_like(p) if g is None else g
                    for g, p in zip(wrong, params, strict=True)
                ],
                top,
            ),
        }
        for words, case in cases.items():
            if all(_near(a, b) for a, b in zip(got, case, strict=True)):
                return words
        if self.steps:
            return (
                "gradients of an earlier batch may still be in it: clear them before each "
                "backward, and clip the total norm after it"
            )
        return (
            "clear the gradients, forward, backward, clip the total norm of all parameters "
            "together, step, in this order, with nothing but the loss"
        )


def _norm(tensors: list[Tensor], kind: float = 2.0) -> float:
    return float(torch.cat([t.flatten() for t in tensors]).norm(kind))


def _clip(tensors: list[Tensor], max_norm: float, kind: float = 2.0) -> list[Tensor]:
    factor = min(1.0, max_norm / max(_norm(tensors, kind), 1e-12))
    return [t * factor for t in tensors]


def _near(a: Tensor, b: Tensor) -> bool:
    return bool(torch.allclose(a, b, rtol=1e-3, atol=1e-5))


def make_batches(sizes: tuple[int, ...], seed: int, dtype: torch.dtype) -> list[Batch]:
    """Draw batches of tokens ``(B, 5)`` and labels ``(B, 3)``."""
    generator = torch.Generator().manual_seed(seed)
    return [
        (
            torch.randint(0, 9, (n, 5), generator=generator),
            torch.randint(0, 2, (n, 3), generator=generator).to(dtype),
        )
        for n in sizes
    ]


def examine_epoch(
    answer: Callable[..., Any],
    *,
    sizes: tuple[int, ...],
    max_norm: float | None,
    seed: int,
    dtype: torch.dtype = torch.float32,
    as_list: bool = False,
    whole_labels: bool = False,
) -> None:
    """Let the answer train one epoch under observation; ``max_norm=None`` leaves the default."""
    batches = make_batches(sizes, seed, torch.int64 if whole_labels else dtype)
    model = WatchedModel(seed, dtype)
    model.eval()
    for p in model.parameters():
        p.grad = torch.full_like(p, 0.7)
    optimizer = _WatchedSGD(model, batches, 1.0 if max_norm is None else max_norm)
    loss_fn, stream = watched_loss(batches), Stream(batches)
    args, named = options(answer, **({} if max_norm is None else {"max_norm": max_norm}))
    source: Any = list(batches) if as_list else stream
    try:
        mean = call(answer, model, source, optimizer, loss_fn, *args, **named)
    except CheckFailed as error:
        _explain(error, stream)
    _examine_notes(model, optimizer, stream, batches, as_list)
    _examine_mean(mean, loss_fn.values, sizes)


def examine_total_norm(answer: Callable[..., Any], *, seed: int) -> None:
    """Hand over an optimiser that holds one parameter of three: the norm is still that of all."""
    (batch,) = make_batches((4,), seed, torch.float64)
    model = WatchedModel(seed, torch.float64)
    before = model.bias.detach().clone()
    params = list(model.parameters())
    raw = torch.autograd.grad(loss_of(model.plain(batch[0])[0], batch[1]), params)
    mine = next(g for g, p in zip(raw, params, strict=True) if p is model.bias)
    call(answer, model, [batch], torch.optim.SGD([model.bias], lr=1.0), loss_of, 0.1)
    same(
        before - model.bias.detach(),
        mine * 0.1 / _norm(list(raw)),
        "the step of a parameter, when the optimizer holds this one alone of the model's three,",
        rtol=1e-3,
        mistakes={
            "the norm of the optimizer's parameters bounds the step; the total norm is that of all "
            "parameters of the model": mine * 0.1 / _norm([mine]),
            "not clipped": mine,
        },
    )


def _explain(error: CheckFailed, stream: Stream) -> None:
    text = str(error)
    hints = {
        "has no len()": "`batches` is any iterable: count the samples as they come, without len()",
        "not subscriptable": "`batches` is any iterable: `for tokens, labels in batches`, no index",
        "no attribute '__getitem__'": "`batches` is any iterable: no index",
        "does not require grad": "the loss has no gradient (no_grad, detach): the forward pass "
        "needs one",
    }
    if stream.reads > 1:
        hints["It raised"] = "`batches` may be read once only: one loop"
    for part, hint in hints.items():
        if part in text:
            fail("\n".join(line.strip() for line in text.splitlines()[1:3]), hint)
    raise error


def _examine_notes(
    model: WatchedModel,
    optimizer: _WatchedSGD,
    stream: Stream,
    batches: list[Batch],
    as_list: bool,
) -> None:
    n = len(batches)
    if not as_list and stream.reads != 1:
        fail(f"`batches` was read {stream.reads} times.", "read it once: one loop over it")
    calls = len(model.seen)
    distinct = sum(
        any(t.shape == s.shape and torch.equal(t, s) for s in model.seen) for t, _ in batches
    )
    if distinct < n:
        fail(f"The model saw {distinct} of {n} batches.", "every batch counts, the last one too")
    if not all(model.modes):
        fail(
            f"Training mode was on in {sum(model.modes)} of {calls} forward calls.",
            "model.train() at the start, for the parts of the model too (dropout needs it)",
        )
    if optimizer.steps != n:
        fail(
            f"optimizer.step() was called {optimizer.steps} times for {n} batches.",
            "one step per batch through the optimizer, or no parameters move as it says",
        )
    if calls != n:
        fail(
            f"The model's forward ran {calls} times for {n} batches.",
            "one forward a batch: keep the loss that you differentiate",
        )


def _examine_mean(mean: Any, values: list[float], sizes: tuple[int, ...]) -> None:
    if not isinstance(mean, float):
        fail(
            f"Expected a Python float, got {type(mean).__name__}.",
            "`loss.item()` makes a float of a tensor"
            if isinstance(mean, Tensor)
            else "is there a `return` of the mean at the end?"
            if mean is None
            else "`float(...)` makes one of any number",
        )
    losses = torch.tensor(values[: len(sizes)], dtype=torch.float64)
    weights = torch.tensor(sizes, dtype=torch.float64)
    want = (losses * weights).sum() / weights.sum()
    same(
        torch.tensor(mean, dtype=torch.float64),
        want,
        f"the mean loss per sample (batches of {', '.join(map(str, sizes))})",
        rtol=1e-4,
        atol=1e-6,
        mistakes={
            "the plain mean over the batches; weight each loss by its batch size": losses.mean(),
            "the sum; divide by the number of samples for the mean": (losses * weights).sum(),
            "the loss of the last batch only": losses[-1],
            "batch losses are summed without their batch size": losses.sum() / weights.sum(),
            "each loss is a mean already: its weight is the batch size, and the mean divides by "
            "the number of samples": 3 * want,
            "every batch has its own batch size": (losses * weights[0]).sum()
            / (weights[0] * len(sizes)),
        },
    )


def examine_empty(answer: Callable[..., Any], *, seed: int) -> None:
    """Check that an epoch without batches raises ValueError."""
    empties: tuple[Iterable[Batch], ...] = ([], iter(()))
    for empty in empties:
        model = WatchedModel(seed)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        try:
            got = answer(model, empty, optimizer, loss_of, 1.0)
        except ValueError:
            continue
        except Exception as error:
            seen = f"raised {type(error).__name__}"
        else:
            seen = f"got {got!r}"
        fail(
            f"Without any batch expected a ValueError, {seen}.",
            "`raise ValueError(...)` when no sample came: a mean of nothing does not exist",
        )
