"""What stands inside an encoder block: the hidden width, its activation, and two norms of its own.

Seen from outside as in :mod:`course_utils.checks.self_attention.block`.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from course_utils.checks.core import fail, require
from course_utils.checks.self_attention.block import (
    LARGE,
    Answer,
    added_by,
    build_block,
    near,
    no_keys,
    restored,
)
from course_utils.checks.self_attention.probe import draw, run

__all__ = ["examine_feed_forward", "examine_norms"]

# ------------------------------------------------------------------------- the feed-forward part


def examine_feed_forward(answer: Answer, *, seed: int) -> None:
    """Check the hidden width and the activation of the feed-forward part."""
    d_model, d_ff, ranks, bends = 6, 3, [], False
    for draws in range(4):  # a unit may be silent on all tokens, but not in every draw
        module = build_block(answer, d_model, 2, d_ff, seed=seed + draws)
        x = draw(1, 60, d_model, seed=seed + draws)
        with torch.no_grad():
            added = added_by(module, x, no_keys(x))[0]  # (60, d_model)
        values = torch.linalg.svdvals(added - added.mean(0))
        ranks.append(int((values > 1e-6 * values[0]).sum()))
        read = nn.functional.layer_norm(x[0], (d_model,))
        linear = torch.cat([read, torch.ones_like(read[:, :1])], 1)
        bends |= not near(linear @ (torch.linalg.pinv(linear) @ added), added, 1e-3)
    require(
        bends,
        "The second branch is a linear map of what it reads.",
        "the ReLU (or GELU) between the two maps of ffn is missing",
    )
    require(
        max(ranks) == d_ff,
        f"With d_ff={d_ff} the second branch uses {max(ranks)} hidden features.",
        "ffn maps d_model -> d_ff -> d_model: the hidden width is d_ff, with one activation there",
    )
    seen = [_rectifies(answer, seed + 10 * i) for i in range(12)]
    if False in seen or True not in seen:
        fail(
            "The activation is no ReLU or GELU: flat on one side, a straight line on the other.",
            "tanh and sigmoid flatten both ends; ELU, SiLU, leaky and squared ReLU are others",
        )


def _rectifies(answer: Answer, seed: int) -> bool | None:
    """Whether a hidden unit is a ReLU or GELU; None where this draw does not show it.

    Three features without their mean lie in a plane, and a norm brings them onto a circle: there a
    unit is a function of one cosine, whose phase is that of the first harmonic.
    """
    module = build_block(answer, 3, 1, 1, seed=seed, size=5.0)
    plane = torch.tensor([[1.0, -1.0, 0.0], [1.0, 1.0, -2.0]], dtype=torch.float64)
    plane = plane / plane.norm(dim=1, keepdim=True)

    def along(angle: Tensor) -> Tensor:
        x = (torch.stack([angle.cos(), angle.sin()], 1) @ plane)[:, None]  # notes of one token
        with torch.no_grad():
            return added_by(module, x, no_keys(x))[:, 0]

    angle = torch.arange(240, dtype=torch.float64) * (2 * torch.pi / 240)
    circle = along(angle)
    circle = circle - circle.mean(0)
    direction = torch.linalg.svd(circle, full_matrices=False).Vh[0]
    level = circle @ direction
    phase = torch.atan2((level * angle.sin()).sum(), (level * angle.cos()).sum())
    level = along(phase + torch.linspace(-1, 1, 401, dtype=torch.float64).acos()) @ direction
    steps = level.diff()
    if steps[:60].abs().sum() > steps[-60:].abs().sum():
        level = -level.flip(0)  # the output map may turn the unit upside down
        steps = level.diff()
    slope = steps[-10:].mean()
    flat = steps[:60].abs().max() <= 3e-3 * slope
    straight = (steps[-60:] - slope).abs().max() <= 1e-2 * slope
    if slope < 1e-6 or not flat or not straight:
        return None
    return _like_relu(((level - level[0]) / slope).numpy())


def _like_relu(height: np.ndarray) -> bool | None:
    """Whether a curve from flat to slope 1 passes where its ends meet, as steeply as GELU.

    Divided by the line, ``q(u) = activation(u) / u`` is a step for ReLU, the normal distribution
    for GELU (.9 at 1.28, .99 at 2.33: 1.8 times as far), the logistic one for SiLU (2.1 times).
    """
    corner = len(height) - 1 - height[-1]
    if not 60 < corner < len(height) - 60:
        return None
    places = np.arange(len(height))
    if abs(np.interp(corner, places, height)) > 1.0:
        return False  # ELU and softplus pass above it
    beyond = places > corner + 1
    far = places[beyond] - corner
    q = height[beyond] / far
    near, wide = (np.interp(share, np.maximum.accumulate(q), far) for share in (0.9, 0.99))
    return bool(near < 5 or wide / near < 1.95)


# ------------------------------------------------------------------------------------ the norms


def examine_norms(answer: Answer, *, seed: int) -> None:
    """Check that each branch has a norm with a gain and a shift, shared with nobody."""
    d_model = 6
    found = [_working_numbers(answer, d_model, seed + i) for i in range(2)]
    first, second, shared = (
        len(set.union(*(numbers[part] for numbers in found))) for part in range(3)
    )
    require(
        not shared,
        "A number of the norm before attention also works in the second branch.",
        "one norm is used twice; each of the two has a gain and a shift of its own",
    )
    for name, count in (("norm1", first), ("norm2", second)):
        require(
            count >= 2 * d_model,
            f"{name} has {count} numbers that learn; a gain and a shift are {2 * d_model}.",
            "nn.LayerNorm(d_model) as it is, without elementwise_affine=False or bias=False",
        )


def _working_numbers(
    answer: Answer, d_model: int, seed: int, length: int = 12
) -> tuple[set[int], set[int], set[int]]:
    """Which numbers of small parameters act like a norm's, before attention, before ffn, or both.

    One of norm1 moves the weights and what a token reads from itself; one of norm2 moves the
    tokens' second branches in different directions, which a bias does not.
    """
    module = build_block(answer, d_model, 2, 8, seed=seed)
    x = draw(1, length, d_model, seed=seed + 1)
    large = torch.cat([x, LARGE * x, LARGE * x])
    every = torch.ones(length, length, dtype=torch.bool)
    masks = torch.stack([every, torch.eye(length, dtype=torch.bool), ~every])[:, None]

    def seen() -> tuple[Tensor, Tensor, Tensor]:
        """Weights; what attention adds when each token sees itself; the second branch."""
        out, weights = run(module, large, masks)
        added = out[1:] - large[1:]
        return weights[0], added[0] - added[1], added[1]

    first, second, shared = set(), set(), set()
    with torch.no_grad(), restored(module) as parameters:
        before, number = seen(), 0
        for p in parameters:
            if p.numel() > 4 * d_model:
                continue  # a matrix of weights
            flat = p.view(-1)
            for i in range(p.numel()):
                number += 1
                old = flat[i].clone()
                flat[i] += 0.8
                changes = [a - b for a, b in zip(seen(), before, strict=True)]
                flat[i] = old
                moved = [bool(change.abs().max() > 1e-5) for change in changes]
                sizes = torch.linalg.svdvals(changes[2])
                first |= {number} if moved[0] and moved[1] else set()
                shared |= {number} if moved[0] and moved[2] else set()
                second |= {number} if sizes[1] > 1e-5 * sizes[0] else set()
    return first, second, shared
