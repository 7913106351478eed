"""Probing a token embedding whose names and layout are free: parameters only as a whole."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.checks.calls import call
from course_utils.checks.compare import same
from course_utils.checks.core import CheckFailed, fail, require
from course_utils.checks.tensors import options

__all__ = ["examine_embedding"]


def _code(length: int, d_model: int) -> Tensor:
    rows = [
        [(math.sin, math.cos)[c % 2](p / 10000 ** (c // 2 * 2 / d_model)) for c in range(d_model)]
        for p in range(length)
    ]
    return torch.tensor(rows, dtype=torch.float64)


def _run(module: nn.Module, ids: Tensor, d_model: int) -> Tensor:
    out = call(module, ids)
    require(isinstance(out, Tensor), f"Expected a tensor, got {type(out).__name__}.")
    want = (*ids.shape, d_model)
    if tuple(out.shape) != want:
        fail(
            f"For token_ids {tuple(ids.shape)} expected shape {want}, got {tuple(out.shape)}.",
            "one vector a token, for any T up to max_len: cut the code to its first T rows",
        )
    return out


def examine_embedding(
    answer: Callable[..., Any],
    *,
    vocab_size: int,
    d_model: int,
    max_len: int,
    pad_id: int,
    seed: int,
) -> None:
    """Check both summands, their sizes, the pad row before and after training, and the device."""
    args, named = options(answer, **({"pad_id": pad_id} if pad_id else {}))
    module = call(answer, vocab_size, d_model, max_len, *args, **named)
    require(isinstance(module, nn.Module), f"Expected an nn.Module, got {type(module).__name__}.")
    module.train()
    code = _code(max_len, d_model).float()
    with torch.no_grad():
        _examine_positions(module, code, pad_id, vocab_size, seed)
        vectors = _vectors(module, code, pad_id, vocab_size)
        _examine_sizes(module, vectors, vocab_size, d_model, pad_id)
        _examine_alone(answer, module, vocab_size, d_model, max_len)
    _examine_slope(module, code, pad_id, vocab_size, seed)
    _examine_training(module, code, pad_id, vocab_size, seed)
    _examine_device(module, pad_id, max_len)


def _examine_positions(
    module: nn.Module, code: Tensor, pad_id: int, vocab_size: int, seed: int
) -> None:
    """At padding the output is the position alone; each token adds the same vector everywhere."""
    max_len, d_model = code.shape
    try:
        out = _run(module, torch.full((2, max_len), pad_id), d_model)
    except CheckFailed as error:
        if "It raised" in str(error):
            fail(
                "\n".join(line.strip() for line in str(error).splitlines()[1:3]),
                f"T may be anything up to max_len={max_len}, that included: cut the code to T rows",
            )
        raise
    again = _run(module, torch.full((2, max_len), pad_id), d_model)
    require(torch.equal(out, again), "Two calls differ: the result is random.", "no dropout here")
    after = _code(max_len + 1, d_model)[1:].float()
    half = torch.cat([code[:, 0::2], code[:, 1::2]], 1)
    shift = out[0] - code
    mistakes = {
        "at padding the position stays: only the token's vector is zero there": 0 * code,
        "the first position is 0": after,
        "sinusoid in halves; it interleaves sine and cosine": half,
        "the position is multiplied by sqrt(d_model) too; only the token's vector is": code
        * d_model**0.5,
        "the position is divided by sqrt(d_model); it is added as it is": code / d_model**0.5,
        "the position is subtracted": -code,
        "every token has position 0: padding counts as a position too": code[:1].expand_as(code),
        "the position is taken by the row of the batch, not by the token": code[:1].expand_as(code),
    }
    hint = None
    if bool((shift - shift[0]).abs().max() < 1e-4) and float(shift.abs().max()) > 1e-3:
        hint = (
            f"the pad row (pad_id={pad_id}) of the embedding is not zero: `nn.init` writes over "
            "the zeros that padding_idx made, or another row was cleared"
        )
    elif not any(out[0].sub(v).abs().max() < 1e-3 for v in mistakes.values()):
        hint = (
            "the fixed sinusoid (`sinusoidal_positional_encoding`) is added as it is, neither "
            "learned nor normalised"
        )
    if hint:
        mistakes = {hint: out[0]}
    for row in out:
        same(
            row,
            code,
            f"the output at padding (pad_id={pad_id}), the position alone,",
            atol=2e-4,
            mistakes=mistakes,
        )
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, vocab_size, (3, max_len), generator=generator)
    ids[0, 1:4] = pad_id
    ids[1, 0] = pad_id
    ids[2] = ids[2, 0]
    out = _run(module, ids, d_model)
    base = out[:, :1] * 0 + _run(module, ids.flatten()[:, None], d_model)[:, 0].view_as(out)
    want = base - code[0] + code
    same(
        out,
        want,
        "the output: a token adds the same vector at every position, to that position's code",
        atol=2e-4,
        mistakes={
            "positions count padding too: 0 … T−1 from left to right": base
            - code[0]
            + code[((ids != pad_id).cumsum(1) - 1).clamp(min=0)]
        },
    )
    for length in {1, max_len // 2}:
        short = _run(module, ids[:1, :length], d_model)
        same(short, out[:1, :length], f"the output of the first {length} tokens", atol=2e-4)


def _vectors(module: nn.Module, code: Tensor, pad_id: int, vocab_size: int) -> Tensor:
    ids = torch.tensor([i for i in range(vocab_size) if i != pad_id])
    return (_run(module, ids[:, None], code.size(1))[:, 0] - code[0]).double()


def _examine_sizes(
    module: nn.Module, vectors: Tensor, vocab_size: int, d_model: int, pad_id: int
) -> None:
    """Compare the root mean square with the position's, then the factor apart from the numbers."""
    table = _table(module, vocab_size, d_model)
    saved = table.detach().clone()
    table.fill_(0.25)
    other = 0 if pad_id else 1
    code = _code(1, d_model)[0]
    factor = float((_run(module, torch.tensor([[other]]), d_model)[0, 0] - code).mean() / 0.25)
    table.copy_(saved)
    rule = "token = sqrt(d_model) × embedding, and d_model = "
    if abs(factor - d_model**0.5) > 1e-3 * d_model**0.5:
        names = {
            1.0: "the embedding is not multiplied by sqrt(d_model)",
            float(d_model): "it is multiplied by d_model, without the root: sqrt(d_model)",
            d_model**-0.5: "it is divided by sqrt(d_model)",
        }
        fail(
            f"The output holds {factor:.4g} × embedding; expected sqrt(d_model) = "
            f"{d_model**0.5:.4g}.",
            next((w for v, w in names.items() if abs(factor - v) < 1e-3 * v), None)
            or f"{rule}{d_model}: the factor is fixed, it depends on nothing else",
        )
    rms, mean = float(vectors.square().mean().sqrt()), float(vectors.mean())
    want = 0.5**0.5
    if abs(mean) > 0.1 * want:
        fail(
            f"Token vectors have a mean of {mean:.3g}; expected about 0.",
            "draw the entries around zero: nn.init.normal_, or uniform from -a to a",
        )
    if abs(rms / want - 1) > 0.1:
        names = {
            d_model**0.5: "nn.Embedding starts with standard deviation 1, far louder than any "
            "position",
            1.0: "the position has a root mean square of 1/sqrt(2), so entries need a standard "
            "deviation of 1/sqrt(2·d_model), not 1/sqrt(d_model)",
            0.5 / d_model**0.5: "1/(2·d_model) is the variance; `std` wants its root",
            want / 3**0.5: "uniform numbers from -a to a have a standard deviation of a/sqrt(3)",
        }
        fail(
            f"Token vectors have a root mean square of {rms:.3g}, the position code {want:.3g}.\n"
            "Expected the same: entries with standard deviation 1/sqrt(2·d_model) = "
            f"{(2 * d_model) ** -0.5:.3g}.",
            next((w for v, w in names.items() if abs(rms / v - 1) < 0.06), None),
        )
    spread = float(vectors.std(0).mean())
    require(
        spread > 0.3 * want,
        f"All tokens have nearly the same vector: between them the spread is {spread:.2g}.",
        "every token draws numbers of its own",
    )


def _table(module: nn.Module, vocab_size: int, d_model: int) -> nn.Parameter:
    tables = [p for p in module.parameters() if p.numel() == vocab_size * d_model]
    trainable = [p for p in tables if p.requires_grad]
    if not trainable:
        fail(
            f"No trainable parameter has vocab_size × d_model = {vocab_size * d_model} numbers.",
            "the embedding must learn: nn.Embedding or nn.Parameter, not frozen",
        )
    return trainable[0]


def _examine_alone(
    answer: Callable[..., Any], module: nn.Module, vocab_size: int, d_model: int, max_len: int
) -> None:
    """Build and run a second embedding of other sizes: the first must not hear of it."""
    ids = torch.arange(2 * max_len).view(2, max_len) % vocab_size
    before = _run(module, ids, d_model).clone()
    other = call(answer, vocab_size + 1, d_model + 2, max_len + 3)
    call(other, torch.arange(3)[None])
    require(
        torch.equal(_run(module, ids, d_model), before),
        "After a second module of another size was made and run, the first gives other results.",
        "something is kept on the class or in a global name: keep it on `self`",
    )


def _examine_slope(
    module: nn.Module, code: Tensor, pad_id: int, vocab_size: int, seed: int
) -> None:
    """Compare the length of the gradient at the table with sqrt(d_model) × what came down."""
    max_len, d_model = code.shape
    generator = torch.Generator().manual_seed(seed + 2)
    ids = torch.randint(0, vocab_size, (3, max_len), generator=generator)
    slope = torch.randn(3, max_len, d_model, generator=generator)
    module.zero_grad()
    loss = (_run(module, ids, d_model) * slope).sum()
    hint = "`.detach()` or `.data` on the way, or a table that cannot learn"
    require(loss.requires_grad, "No gradient reaches the embedding.", hint)
    loss.backward()
    gradient = _table(module, vocab_size, d_model).grad
    require(gradient is not None, "No gradient reaches the embedding.", hint)
    if gradient.is_sparse:
        gradient = gradient.to_dense()
    rows = torch.zeros(vocab_size, d_model).index_add(0, ids.flatten(), slope.flatten(0, 1))
    rows[pad_id] = 0
    want, got = float(rows.norm() * d_model**0.5), float(gradient.norm())
    require(
        abs(got - want) < 1e-3 * want,
        f"The gradient at the embedding has the length {got:.4g}, expected {want:.4g}.",
        "part of it is cut off by `.detach()`, or scaled on its way",
    )
    if gradient.shape == rows.shape:  # another layout is compared by its length alone
        want_rows = rows * d_model**0.5
        same(gradient, want_rows, "the gradient at the embedding", rtol=1e-3, atol=1e-4)
    module.zero_grad()


def _examine_training(
    module: nn.Module, code: Tensor, pad_id: int, vocab_size: int, seed: int
) -> None:
    """Train a few steps: the pad row and the positions stay, the others learn."""
    max_len, d_model = code.shape
    generator = torch.Generator().manual_seed(seed + 1)
    ids = torch.randint(0, vocab_size, (4, max_len), generator=generator)
    ids[:, ::3] = pad_id
    slope = torch.randn(4, max_len, d_model, generator=generator)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    with torch.no_grad():
        before = _run(module, ids, d_model).clone()
    for _ in range(3):
        optimizer.zero_grad()
        loss = (_run(module, ids, d_model) * slope).sum()
        if not loss.requires_grad:
            fail("No gradient reaches the embedding.", "`.detach()`, or a table that cannot learn")
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        out = _run(module, ids, d_model)
        at_pad = ids == pad_id
        fixed = code.expand_as(out)
        moved = (out - fixed)[at_pad]
        if not torch.allclose(moved, torch.zeros_like(moved), atol=2e-4):
            alone = sum(p.numel() for p in module.parameters() if p.requires_grad)
            learned = alone > vocab_size * d_model
            fail(
                "After three training steps the output at padding is no longer the position alone.",
                "the position is fixed: a buffer, not a parameter that learns"
                if learned
                else "the pad row was trained: `padding_idx` keeps its gradient at zero",
            )
        real = (out - before)[~at_pad]
        require(
            bool((real.abs().amax(-1) > 1e-3).all()),
            "Three training steps left some token vectors as they were.",
            "the embedding learns through every token",
        )


def _examine_device(module: nn.Module, pad_id: int, max_len: int) -> None:
    """Move the module to a device without data: a code left behind shows itself."""
    got = call(module.double(), torch.full((1, max_len), pad_id))
    require(
        got.dtype == torch.float64,
        f"After `module.double()` the output is {got.dtype}, expected torch.float64.",
        "the code moves with the module in precision too: a buffer does",
    )
    ids = torch.full((1, max_len), pad_id, device="meta")
    try:
        module.to("meta")(ids)
    except Exception as error:
        text = str(error)
        if "device" in text and "Cannot copy" not in text and "item()" not in text:
            fail(
                "Moved to another device, the module fails: the position code stayed behind.",
                "`self.register_buffer(name, code)` moves with the module, a plain attribute "
                "does not",
            )
