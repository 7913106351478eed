"""Our attention against ``nn.MultiheadAttention`` and a plain softmax version, as ratios."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from course_utils.layers import MultiHeadAttention

SHAPES = {"B32 T64 d128 h4": (32, 64, 128, 4), "B8 T512 d256 h8": (8, 512, 256, 8)}


class PlainAttention(MultiHeadAttention):
    """The same layer written as one reads the formula."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        q, k, v = (self._split(m(x)) for m in (self.query, self.key, self.value))
        weights = (q @ k.transpose(-2, -1) / math.sqrt(self.d_head)).softmax(-1)
        return self.output((weights @ v).transpose(1, 2).flatten(2)), weights


def once(step: Callable[[], Tensor], parameters: list[Tensor]) -> float:
    """CPU seconds of one forward and backward pass."""
    for parameter in parameters:
        parameter.grad = None
    start = time.process_time()
    step().sum().backward()
    return time.process_time() - start


def measure(repeats: int = 41) -> dict[str, float]:
    """Median over interleaved runs of our CPU time divided by the peer's."""
    torch.set_num_threads(1)
    ratios = {}
    for shape, (batch, length, width, heads) in SHAPES.items():
        x = torch.randn(batch, length, width)
        ours = MultiHeadAttention(width, heads)
        theirs = nn.MultiheadAttention(width, heads, batch_first=True)
        plain = PlainAttention(width, heads)

        def torch_step(weights: bool, layer: nn.Module = theirs, x: Tensor = x) -> Tensor:
            return layer(x, x, x, need_weights=weights, average_attn_weights=False)[0]

        steps = {
            "ours": lambda o=ours, x=x: o(x)[0],
            "ours, weights": lambda o=ours, x=x: o(x, need_weights=True)[0],
            "torch": lambda f=torch_step: f(False),
            "torch, weights": lambda f=torch_step: f(True),
            "plain": lambda p=plain, x=x: p(x)[0],
        }
        parameters = [p for layer in (ours, theirs, plain) for p in layer.parameters()]
        times: dict[str, list[float]] = {name: [] for name in steps}
        for repeat in range(repeats + 3):
            for name, step in steps.items():
                seconds = once(step, parameters)
                if repeat >= 3:  # the first ones warm up
                    times[name].append(seconds)
        for ours_name, peer in [
            ("ours", "torch"),
            ("ours, weights", "torch, weights"),
            ("ours", "plain"),
        ]:
            pairs = zip(times[ours_name], times[peer], strict=True)
            ratios[f"{shape}: {ours_name} / {peer}"] = statistics.median(a / b for a, b in pairs)
    return ratios


if __name__ == "__main__":
    for label, ratio in measure().items():
        print(f"{ratio:6.2f}  {label}")
