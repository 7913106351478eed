"""Graphs across the bridge: a result here has a node whose backward asks the other side."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["Graphs", "attach"]

Ask = Callable[[int, Sequence[Tensor | None], int], list[Tensor | None]]


class _Link:
    """The other side's graph of one call."""

    def __init__(self, ask: Ask, number: int, outs: list[Tensor], gone: list[int]) -> None:
        self.ask, self.number, self.outs = ask, number, outs
        weakref.finalize(self, gone.append, number)


class _Node(torch.autograd.Function):
    """Results of a call over there, as a function of what went in."""

    @staticmethod
    def forward(ctx: Any, link: _Link, anchor: Tensor, *inputs: Tensor) -> tuple[Tensor, ...]:
        ctx.link, ctx.count = link, len(inputs)
        ctx.set_materialize_grads(False)
        outs, link.outs = tuple(link.outs), []
        return outs

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Any, ...]:
        found = ctx.link.ask(ctx.link.number, grads, ctx.count)
        return (None, None, *found)


def attach(
    ask: Ask, number: int, outs: list[Tensor], inputs: list[Tensor], gone: list[int]
) -> tuple[Tensor, ...]:
    """Give results the node of graph ``number``; its number goes to ``gone`` when that dies."""
    anchor = torch.zeros((), requires_grad=True)
    with torch.enable_grad():
        return _Node.apply(_Link(ask, number, outs, gone), anchor, *inputs)


class Graphs:
    """Graphs of calls that ran here, by number, as long as the other side may ask for them."""

    def __init__(self) -> None:
        self.kept: dict[int, tuple[list[Tensor], list[Tensor | None]]] = {}

    def keep(self, number: int, outs: list[Tensor], inputs: list[Tensor | None]) -> None:
        """Remember what came out and what went in."""
        self.kept[number] = outs, inputs

    def drop(self, number: int) -> None:
        """Forget a graph that nobody will ask for."""
        self.kept.pop(number, None)

    def differentiate(self, number: int, grads: Sequence[Any]) -> list[Tensor | None]:
        """Vector-Jacobian product: gradients of the inputs for those of the results."""
        outs, inputs = self.kept[number]
        pairs = [(o, g) for o, g in zip(outs, grads, strict=True) if isinstance(g, Tensor)]
        wanted = [i for i in inputs if i is not None]
        if not wanted or not pairs:
            return [None] * len(inputs)
        found = iter(
            torch.autograd.grad(
                [o for o, _ in pairs],
                wanted,
                [g for _, g in pairs],
                allow_unused=True,
                retain_graph=True,
            )
        )
        return [None if i is None else next(found) for i in inputs]
