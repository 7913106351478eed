"""What a multi-head attention module makes of masks, padding and queries without keys."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course_utils.checks.compare import same
from course_utils.checks.core import fail, require
from course_utils.checks.self_attention.probe import Answer, build, draw, near, run

__all__ = ["examine_mask", "examine_masks"]


def examine_masks(answer: Answer, d_model: int, num_heads: int, *, seed: int) -> None:
    """Check masks of every broadcastable shape, padding, and queries without keys."""
    module = build(answer, d_model, num_heads, seed=seed)
    batch, length = 4, 3 * d_model
    x = draw(batch, length, d_model, seed=seed + 1)
    generator = torch.Generator().manual_seed(seed + 2)
    keep = torch.rand(batch, 1, 1, length, generator=generator) < 0.6
    keep[..., 0] = True
    causal = torch.ones(1, 1, length, length, dtype=torch.bool).tril()
    examine_mask(module, x, keep)
    examine_mask(module, x, causal)
    examine_mask(module, x, keep & causal)
    full = torch.rand(batch, num_heads, length, length, generator=generator) < 0.7
    full &= torch.rand(batch, num_heads, length, 1, generator=generator) < 0.7
    full[:, :, 1::9] = False
    out, weights = examine_mask(module, x, full)
    _examine_keyless(x, full, out, weights)
    _examine_padding(module, x, keep)
    _examine_long(module, d_model, seed + 3)
    _examine_half(module, x, full, weights)


def _examine_long(module: nn.Module, d_model: int, seed: int) -> None:
    """Check a note longer than any other here, under a causal mask."""
    x = draw(1, 150, d_model, seed=seed)
    examine_mask(module, x, torch.ones(150, 150, dtype=torch.bool).tril())


def _examine_half(module: nn.Module, x: Tensor, mask: Tensor, weights: Tensor) -> None:
    """Check that bfloat16 stays bfloat16, masks and queries without keys included."""
    with torch.no_grad():
        got = run(module.to(torch.bfloat16), x.to(torch.bfloat16), mask)[1]
    module.to(x.dtype)
    same(got.to(x.dtype), weights, "the weights in bfloat16", rtol=0.2, atol=0.1)


def examine_mask(module: nn.Module, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Check masked weights: those of the call without a mask, renormalised over what is left."""
    with torch.no_grad():
        free = run(module, x)[1]
        out, weights = run(module, x, mask)
    keep = mask.expand_as(free)
    left = free * keep
    want = left / left.sum(-1, keepdim=True).clamp(min=1e-37)
    dead = ~keep.any(-1)
    if dead.any():
        seen = weights[dead]
        if torch.isnan(seen).any() or torch.isnan(out).any():
            fail(
                "A query whose keys are all masked gives NaN.",
                "a softmax over a row of minus infinity is 0/0; make its weights zero",
            )
        if not bool((seen == 0).all()):
            fail(
                "A query whose keys are all masked needs weights of zero, got "
                f"{seen.flatten()[0]:.4g}, ….",
                "-1e9 in place of minus infinity leaves even weights over masked keys",
            )
    other = free * ~keep
    swapped = other / other.sum(-1, keepdim=True).clamp(min=1e-37)
    same(
        weights,
        want,
        f"the weights (attn_mask {tuple(mask.shape)}, True = may attend)",
        rtol=1e-4,
        atol=1e-5,
        mistakes={
            "the mask is not used": free,
            "the mask is read the other way round: True = may attend": swapped,
            "the mask multiplies the weights after the softmax": left,
        },
    )
    return out, weights


def _examine_keyless(x: Tensor, keep: Tensor, out: Tensor, weights: Tensor) -> None:
    """Find the output map's bias from partly masked heads, then look at queries without keys."""
    alive = keep.any(-1).transpose(1, 2).to(x.dtype)  # (B, T, H)
    mixed = (weights @ x[:, None]).transpose(1, 2).flatten(2)
    design = torch.cat([mixed, alive, torch.ones_like(alive[..., :1])], -1).flatten(0, 1)
    target, dead = out.flatten(0, 1), (alive.sum(-1) == 0).flatten()
    found = torch.linalg.pinv(design[~dead]) @ target[~dead]
    if not near(design[~dead] @ found, target[~dead], 1e-3):
        fail(
            "With one head masked, out is not the output map of the others' contexts.",
            "a head without keys has context zero before the output map; no other change to out",
        )
    bias = found[-1]
    if not near(target[dead], bias.expand_as(target[dead]), 1e-3):
        zero = near(target[dead], torch.zeros_like(target[dead]))
        fail(
            "For a query without keys, out must be the output map of zero (its bias).",
            "out itself is set to zero: the context is zero *before* the output map"
            if zero
            else "the context of such a query is not zero",
        )


def _examine_padding(module: nn.Module, x: Tensor, keep: Tensor) -> None:
    """Check that the content of masked positions has no influence, and that they still answer."""
    other = torch.where(keep[:, 0, 0, :, None], x, draw(*x.shape, seed=99))
    with torch.no_grad():
        one, two = run(module, x, keep)[0], run(module, other, keep)[0]
        cut = run(module, x[:, :1])[0]
        only = torch.zeros_like(keep)
        only[..., 0] = True
        shown = run(module, x, only)[0]
    real = keep[:, 0, 0]
    require(
        near(one[real], two[real]),
        "Other numbers at masked positions change the outputs of real tokens.",
        "the mask must reach every head and every key",
    )
    if not near(shown, cut.expand_as(shown)):
        fail(
            "When all may attend to the first token alone, all outputs are that token's output.",
            "the outputs at masked positions are set to something else; masked positions are not "
            "attended to, but as queries they still answer",
        )
