"""Interventions on a trained encoder: silence a head, weigh attention by values, move activations.

An attention map shows a route; these helpers test whether anything travels on it. All of them work
with hooks, which are gone when the ``with`` block ends, also after an error.

References
----------
Michel, Levy and Neubig (2019), Are Sixteen Heads Really Better than One? (knocking out heads).
Kobayashi et al. (2020), Attention is Not Only a Weight (value-weighted attention).
Vig et al. (2020), Investigating Gender Bias in Language Models Using Causal Mediation Analysis
(moving activations from one input to another).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.layers import MultiHeadAttention

__all__ = ["knock_out", "patch", "record", "value_weighted"]


@contextlib.contextmanager
def knock_out(attention: MultiHeadAttention, *heads: int) -> Iterator[None]:
    """Set the contexts of some heads to zero, before the output map mixes them.

    Raises
    ------
    ValueError
        If a head does not exist.
    """
    if not all(0 <= head < attention.num_heads for head in heads):
        raise ValueError(f"heads must lie in 0..{attention.num_heads - 1}, got {heads}")

    def silence(module: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
        context = inputs[0].unflatten(-1, (attention.num_heads, attention.d_head)).clone()
        context[..., list(heads), :] = 0.0
        return (context.flatten(-2),)

    handle = attention.output.register_forward_pre_hook(silence)
    try:
        yield
    finally:
        handle.remove()


@torch.no_grad()
def value_weighted(attention: MultiHeadAttention, x: Tensor, weights: Tensor) -> Tensor:
    r"""Length of what each key really sends: :math:`w_{ts} \lVert v_s W_O^h \rVert`.

    A large weight on a key whose value vector is short, or which the output map throws away,
    carries little.

    Shapes
    ------
    x : (B, S, D), what the keys and values are made of; weights : (B, H, T, S)
    returns : (B, H, T, S), not normalised
    """
    values = attention.value(x).unflatten(-1, (attention.num_heads, attention.d_head))
    maps = attention.output.weight.unflatten(1, (attention.num_heads, attention.d_head))
    sent = torch.einsum("bshd,ohd->bhso", values, maps).norm(dim=-1)  # (B, H, S)
    return weights * sent[:, :, None]


def _tensor(output: Any) -> Tensor:
    return output[0] if isinstance(output, tuple) else output


@contextlib.contextmanager
def record(module: nn.Module) -> Iterator[list[Tensor]]:
    """Collect what a module gives (its first output, when it gives a tuple), call by call."""
    seen: list[Tensor] = []
    handle = module.register_forward_hook(
        lambda module, inputs, output: seen.append(_tensor(output).detach())
    )
    try:
        yield seen
    finally:
        handle.remove()


@contextlib.contextmanager
def patch(module: nn.Module, stored: Tensor, positions: Sequence[int]) -> Iterator[None]:
    """Replace a module's output (B, T, D) at some positions by stored activations of its shape.

    The rest of the model runs on; what changes in its answer was carried by these positions.

    Raises
    ------
    ValueError
        If the stored activations have another shape than the output.
    """

    def replace(module: nn.Module, inputs: Any, output: Any) -> Any:
        old = _tensor(output)
        if old.shape != stored.shape:
            raise ValueError(f"stored has shape {tuple(stored.shape)}, output {tuple(old.shape)}")
        new = old.clone()
        new[:, list(positions)] = stored[:, list(positions)]
        return (new, *output[1:]) if isinstance(output, tuple) else new

    handle = module.register_forward_hook(replace)
    try:
        yield
    finally:
        handle.remove()
