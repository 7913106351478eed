"""What the checks of `CrossAttention` ask of a module whose parameters may have any layout."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.checks.calls import call
from course_utils.checks.compare import same
from course_utils.checks.core import fail, require
from course_utils.checks.tensors import assert_slopes


def random_normal(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)


def refuses(attempt: Callable[[], Any], case: str, wanted: Mapping[str, str], hint: str) -> None:
    try:
        attempt()
    except ValueError as error:
        text = str(error).lower()
        missing = [name for name, form in wanted.items() if not re.search(form, text)]
        if missing:
            fail(
                f"The ValueError for {case} does not name {', '.join(missing)}.\n"
                f"It says: {text[:80]}",
                "write a message of your own, with the numbers that came",
            )
        return
    except NotImplementedError:
        raise
    except Exception as error:
        expected = isinstance(error, AssertionError | RuntimeError)  # an assert, a failing reshape
        fail(
            f"For {case} it raised {type(error).__name__}, wanted ValueError.\n"
            f"It says: {str(error)[:80]}",
            hint if expected else "this error has another cause than the sizes: read what it says",
        )
    fail(f"For {case} nothing was raised, wanted ValueError.", hint)


def exact_attention(
    answer: type[nn.Module], d_model: int, num_heads: int, *, dtype: torch.dtype, seed: int = 0
) -> None:
    """Give every weight one value and every bias another: any layout then has one right result."""
    module = call(answer, d_model, num_heads)
    require(
        isinstance(module, nn.Module),
        f"CrossAttention must be an nn.Module, got {type(module).__name__}.",
    )
    module = module.to(dtype)
    text = random_normal(2, 3, d_model, seed=seed, dtype=dtype)
    image = random_normal(2, 5, d_model, seed=seed + 1, dtype=dtype)
    attend(module, text, image, num_heads)
    weight, bias = 0.3 / math.sqrt(d_model), 0.2
    parameters = list(module.parameters())
    _count_parameters(parameters, d_model)
    with torch.no_grad():
        for parameter in parameters:
            parameter.fill_(bias if parameter.numel() <= 3 * d_model else weight)
    for mode in (True, False):
        module.train(mode)
        out, weights = attend(module, text, image, num_heads)
        query, key = (
            weight * text.sum(-1) + bias,
            weight * image.sum(-1) + bias,
        )  # every channel alike
        width = d_model // num_heads

        def softmax(
            scale: float, query: Tensor = query, key: Tensor = key, width: int = width
        ) -> Tensor:
            rows = (scale * width * query[:, :, None] * key[:, None, :]).softmax(-1)
            return rows[:, None].expand(-1, num_heads, -1, -1)

        want = softmax(1 / math.sqrt(width))
        no_bias = softmax(1 / math.sqrt(width), query - bias, key - bias)
        same(
            weights,
            want,
            "the weights, with every weight and every bias set to one known value",
            rtol=1e-4,
            atol=1e-5,
            mistakes={
                "the scores are not scaled; divide by sqrt(d_model / num_heads)": softmax(1.0),
                "the scale is 1/sqrt(d_model); one head has d_model / num_heads channels": softmax(
                    1 / math.sqrt(d_model)
                ),
                "the scores are divided by the width of a head, not by its root": softmax(
                    1 / width
                ),
                "query and key have no bias": no_bias,
            },
        )
        value = want[:, 0] @ key[..., None]  # (B, T, 1): key and value maps are alike here
        result = (d_model * weight * value + bias).expand(-1, -1, d_model)
        same(
            out,
            result,
            "the output, with every weight and every bias set to one known value",
            rtol=1e-4,
            atol=1e-5,
            mistakes={
                "the input is added to the output: this layer has no residual": result + text,
                "the output projection is missing": value.expand(-1, -1, d_model),
                "the output projection has no bias": result - bias,
            },
        )


def _count_parameters(parameters: list[nn.Parameter], d_model: int) -> None:
    count, square = sum(p.numel() for p in parameters), d_model * d_model
    want = 4 * square + 4 * d_model
    looks = {
        4 * square: "biases are wanted in all four projections",
        3 * square
        + 3 * d_model: "one of the four projections is missing: query, key, value, output",
        3 * square
        + d_model: "a projection or its bias is missing: query, key, value, output, each with bias",
        4 * square + d_model: "query, key and value want a bias too",
        4 * square + 3 * d_model: "one of the four projections has no bias",
    }
    require(
        count == want,
        f"Expected {want} parameters (four maps {d_model} x {d_model} with bias), got {count}.",
        looks.get(
            count,
            "one projection each for query, key, value and output; nothing else is learned here",
        ),
    )


def attend(
    module: nn.Module, text: Tensor, image: Tensor, num_heads: int, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    got = call(module, text, image) if mask is None else call(module, text, image, mask)
    if not isinstance(got, tuple | list) or len(got) != 2:
        fail(f"forward must return (out, weights), got {type(got).__name__}.")
    out, weights = got
    batch, length, patches = len(text), text.shape[1], image.shape[1]
    for name, value, shape in (
        ("out", out, text.shape),
        ("weights", weights, (batch, num_heads, length, patches)),
    ):
        if not isinstance(value, Tensor):
            fail(f"Expected {name} as a tensor, got {type(value).__name__}.")
        hint = None
        if name == "weights" and value.shape == (batch, length, patches):
            hint = "the weights were averaged over heads; every head's are wanted"
        elif name == "weights" and value.shape == (batch, num_heads, patches, length):
            hint = "queries come from the text, keys from the image"
        require(
            tuple(value.shape) == tuple(shape),
            f"Expected {name} with shape {tuple(shape)}, got {tuple(value.shape)}.",
            hint,
        )
        require(
            value.dtype == text.dtype,
            f"Expected {name} with dtype {text.dtype}, got {value.dtype}.",
        )
        require(
            bool(torch.isfinite(value).all()),
            f"{name} holds values that are not finite.",
            "a softmax over a row of -inf is nan; set the weights of a fully masked query to zero"
            if mask is not None
            else None,
        )
    return out, weights


def attention_by_hand(
    module: nn.Module, text: Tensor, image: Tensor, num_heads: int, mask: Tensor | None = None
) -> None:
    """Check that ``out`` is made of the returned weights, head by head, through the module itself.

    With one patch and all heads but one masked, a module shows what that head alone makes of the
    patch; any output must be the weighted sum of these.
    """
    out, weights = attend(module, text, image, num_heads, mask)
    batch, length, patches = len(text), text.shape[1], image.shape[1]
    full = torch.ones(batch, num_heads, length, patches, dtype=torch.bool)
    allowed = full if mask is None else full & mask
    require(
        bool((weights[allowed.any(-1, keepdim=True) & ~allowed] == 0).all()),
        "Patches that attn_mask excludes have weights other than zero.",
        "True means *may attend*; nn.MultiheadAttention uses the opposite",
    )
    same(
        weights.sum(-1),
        allowed.any(-1).to(text.dtype),
        "the sum of each row of weights",
        atol=1e-5,
        mistakes={
            "a fully masked query still attends; its weights must be zero": torch.ones_like(
                weights.sum(-1)
            )
        },
    )
    flat = image.reshape(batch * patches, 1, -1)
    query = text[:, :1].repeat_interleave(patches, 0)
    nothing = torch.zeros(1, num_heads, 1, 1, dtype=torch.bool)
    rest = attend(module, query, flat, num_heads, nothing)[0]
    want = rest[:1, :1].expand(batch, length, -1).clone()
    for head in range(num_heads):
        only = nothing.clone()
        only[:, head] = True
        part = (attend(module, query, flat, num_heads, only)[0] - rest).reshape(batch, patches, -1)
        want = want + weights[:, head] @ part
    same(
        out,
        want,
        "the output as the weighted sum of what each head makes of each patch",
        rtol=1e-3,
        atol=2e-5,
    )


def redraw(module: nn.Module, seed: int = 7) -> None:
    """Draw all parameters anew, so that heads differ and attention is not flat."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            drawn = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.copy_(drawn * 0.4)


def gradients_arrive(
    module: nn.Module, text: Tensor, image: Tensor, mask: Tensor | None = None
) -> None:
    """Compare gradients through ``out`` and through ``weights`` with finite differences."""
    module = module.double()
    text, image = (x.detach().double().requires_grad_() for x in (text, image))
    given = () if mask is None else (mask,)
    results = call(module, text, image, *given)
    for i, name in enumerate(("out", "weights")):
        slope = random_normal(*results[i].shape, seed=32, dtype=torch.float64)
        _finite_gradients(module, text, image, (results[i] * slope).sum(), name, mask is not None)
    learned = [p for p in module.parameters() if p.requires_grad]
    assert_slopes(
        lambda: call(module, text, image, *given), ("out", "weights"), [text, image, *learned]
    )


def _finite_gradients(
    module: nn.Module, text: Tensor, image: Tensor, loss: Tensor, name: str, masked: bool
) -> None:
    hint = "`.detach()`, `.data`, `torch.no_grad()` or a round trip through numpy cuts it"
    require(loss.requires_grad, f"No gradient flows through {name}.", hint)
    text.grad = image.grad = None
    module.zero_grad()
    loss.backward(retain_graph=True)
    parameters = list(module.named_parameters()) if name == "out" else []
    for what, value in [("text", text), ("image", image), *parameters]:
        require(value.grad is not None, f"No gradient of {name} reaches {what}.", hint)
        require(
            bool(torch.isfinite(value.grad).all()),
            f"The gradient of {name} at {what} is not finite"
            + (" when one query is fully masked." if masked else "."),
            "adding -inf to the scores brings nan into the backward pass; fill in "
            "a large finite number, then set the weights to zero",
        )


def keeps_to_itself(answer: type[nn.Module], text: Tensor, image: Tensor) -> None:
    """Make two modules of different sizes and call both; then compare the first with before."""
    d_model = text.size(-1)
    module = call(answer, d_model, 2)
    before = attend(module, text, image, 2)[0]
    other = call(answer, 3 * d_model, 3)
    attend(other, random_normal(1, 2, 3 * d_model), random_normal(1, 7, 3 * d_model), 3)
    same(
        attend(module, text, image, 2)[0],
        before.detach(),
        "the output after a second module of another size was made and called",
    )


def stays_in_bfloat16(module: nn.Module, text: Tensor, image: Tensor, num_heads: int) -> None:
    """Compare weights in bfloat16, one query fully masked, with those in double precision."""
    mask = torch.ones(text.shape[1], image.shape[1], dtype=torch.bool).tril(1)
    mask[0] = False
    exact = attend(module.double(), text.double(), image.double(), num_heads, mask)[1]
    coarse = [x.to(torch.bfloat16) for x in (text, image)]
    got = attend(module.to(torch.bfloat16), *coarse, num_heads, mask)[1]
    same(got.double(), exact.detach(), "the weights in bfloat16", rtol=0.2, atol=0.1)


def refuses_heads(answer: type[nn.Module], d_model: int, num_heads: int) -> None:
    refuses(
        lambda: answer(d_model, num_heads),
        f"d_model={d_model}, num_heads={num_heads}",
        {
            "d_model": rf"(?<!\d){d_model}(?!\d)",
            "num_heads": rf"(?<!\d){num_heads}(?!\d)",
        },
        "raise ValueError in __init__ when d_model % num_heads is not zero",
    )
