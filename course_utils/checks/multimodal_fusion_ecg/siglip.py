"""What the check of notebook 03 asks of the sigmoid loss with known duplicates."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.checks.calls import call
from course_utils.checks.core import fail, require
from course_utils.checks.multimodal_fusion_ecg.losses import (
    assert_gradients,
    assert_kind,
    assert_same_gradients,
    assert_scale_free,
    compare_number,
    leaf,
    other_lengths,
    scalar_tensor,
)

__all__ = ["assert_siglip", "assert_siglip_integers", "assert_siglip_zero"]


def _cosines(image: Tensor, text: Tensor) -> np.ndarray:
    a, b = (x.detach().double().numpy() for x in (image, text))
    lengths = (np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
    a, b = (x / np.where(n > 0, n, 1.0) for x, n in zip((a, b), lengths, strict=True))
    return a @ b.T


def _loss(z: np.ndarray, same: np.ndarray) -> float:
    """Minus ln sigma(y z), summed over all pairs and divided by the number of rows."""
    return float(np.logaddexp(0.0, np.where(same, -z, z)).sum() / len(z))


def _torch_loss(image: Tensor, text: Tensor, same: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    """The same in double precision, for gradients to compare with."""
    image, text = (F.normalize(x.double(), dim=-1) for x in (image, text))
    z = scale.double().exp() * (image @ text.T) + bias.double()
    return F.binary_cross_entropy_with_logits(z, same.double(), reduction="sum") / len(z)


def _scalar(value: Any) -> Tensor:
    return scalar_tensor(value, "the loss", "sum over all N x N pairs, then divide by N")


def assert_siglip(
    answer: Callable[..., Any],
    image: Tensor,
    text: Tensor,
    same: Tensor,
    log_scale: float,
    bias: float,
    scalar_dtype: torch.dtype | None = None,
) -> None:
    """Compare value and gradients with NumPy and double precision, for one batch."""
    cosine, equal, n = _cosines(image, text), same.numpy(), len(image)
    s, scale = log_scale, math.exp(log_scale)
    eye, raw = np.eye(n, dtype=bool), image.double().numpy() @ text.double().numpy().T
    z = scale * cosine + bias
    want = _loss(z, equal)
    y = np.where(equal, 1.0, -1.0)
    softmax = F.cross_entropy(torch.from_numpy(z), torch.arange(n))

    def mistakes() -> dict[str, float]:
        return {
            "equal reports count as wrong pairs: +1 wherever `same` is True, not on the diagonal "
            "alone": _loss(z, eye),
            "the sum is divided by N x N; divide it by N": want / n,
            "the sum over all pairs is not divided by N": want * n,
            "the signs are exchanged: +1 where `same`, -1 elsewhere": _loss(z, ~equal),
            "`bias` is left out": _loss(scale * cosine, equal),
            "`bias` is subtracted; add it": _loss(scale * cosine - bias, equal),
            "the sign belongs to the whole z = scale * cosine + bias": float(
                np.logaddexp(0.0, -(y * scale * cosine + bias)).sum() / n
            ),
            "log_scale is the logarithm of the scale: multiply by exp(log_scale)": _loss(
                s * cosine + bias, equal
            ),
            "the cosines are divided by the scale; multiply": _loss(cosine / scale + bias, equal),
            "the scale is clamped at 100; here it is not": _loss(
                min(scale, 100) * cosine + bias, equal
            ),
            "the embeddings are not normalised": _loss(scale * raw + bias, equal),
            "the bias stands inside the bracket: scale * (cosine + bias)": _loss(
                scale * (cosine + bias), equal
            ),
            "the minus sign is missing: the loss is the negative logarithm": -want,
            "logarithm to the base 2; use nats": want / math.log(2),
            "only the pairs with `same` are counted": float(
                np.logaddexp(0.0, -z)[equal].sum() / n,
            ),
            "only the pairs without `same` are counted": float(
                np.logaddexp(0.0, z)[~equal].sum() / n
            ),
            "a softmax over each row; here every pair is a yes-or-no question": float(softmax),
            "the scale is left out": _loss(cosine + bias, equal),
            "the scale is exp(log_scale), to the base e": _loss(2.0**s * cosine + bias, equal),
            "the sum over all pairs is multiplied by N; divide it by N": want * n * n,
            "a mean over all pairs is divided by N once more": want / n**2,
            "the sign of the wrong pairs is missing: +1 where `same`, -1 elsewhere": float(
                np.logaddexp(0.0, -z).sum() / n
            ),
        } | {
            words: _loss(scale * wrong.numpy() + bias, equal)
            for words, wrong in other_lengths(image, text).items()
        }

    kind = scalar_dtype or image.dtype
    inputs = {
        "image": leaf(image),
        "text": leaf(text),
        "log_scale": torch.tensor(log_scale, dtype=kind, requires_grad=True),
        "bias": torch.tensor(bias, dtype=kind, requires_grad=True),
    }
    got = _scalar(call(answer, inputs["image"], inputs["text"], same, *list(inputs.values())[2:]))
    where = f"at log_scale = {log_scale:.3g}, bias = {bias:.3g}"
    compare_number(got, want, f"the loss {where}", mistakes, rtol=1e-3, atol=1e-5)
    assert_kind(got, image.dtype, "the loss")
    gentle = float(np.abs(z).max()) < 30
    assert_gradients(got, inputs, "the loss", where, nonzero=gentle)
    if gentle:
        features = {k: inputs[k] for k in ("image", "text")}
        if n > 1:
            assert_scale_free(got, features, "the loss")
        truth = _torch_loss(features["image"], features["text"], same, *list(inputs.values())[2:])
        assert_same_gradients(got, truth, inputs, "the loss", where)


def assert_siglip_zero(answer: Callable[..., Any], image: Tensor, text: Tensor) -> None:
    """A vector of zeros has cosine 0 with everything; all gradients stay finite."""
    image, text = image.clone(), text.clone()
    image[1], text[-1] = 0.0, 0.0
    same = torch.eye(len(image), dtype=torch.bool)
    inputs = [leaf(image), leaf(text), torch.tensor(1.0), torch.tensor(-2.0)]
    inputs[2:] = [leaf(v.to(image.dtype)) for v in inputs[2:]]
    got = _scalar(call(answer, inputs[0], inputs[1], same, inputs[2], inputs[3]))
    want = _loss(math.e * _cosines(image, text) - 2.0, same.numpy())
    hint = "0/0 from dividing by the length: F.normalize keeps a vector of zeros at zero"
    if not bool(torch.isfinite(got)):
        fail("With a vector of zeros the loss is not finite.", hint)
    compare_number(got, want, "the loss with a vector of zeros", dict, rtol=1e-3, atol=1e-5)
    for grad in torch.autograd.grad(got, inputs, allow_unused=True):
        ok = grad is None or bool(torch.isfinite(grad).all())
        require(ok, "The gradient is not finite with a vector of zeros.", hint)


def assert_siglip_integers(answer: Callable[..., Any], image: Tensor, text: Tensor) -> None:
    """Integer embeddings give the loss of the same numbers as floats."""
    same = torch.eye(len(image), dtype=torch.bool)
    got = _scalar(call(answer, image, text, same, torch.tensor(1.5), torch.tensor(-1.0)))
    want = _loss(math.exp(1.5) * _cosines(image, text) - 1.0, same.numpy())
    require(
        got.is_floating_point(),
        f"Integer embeddings give a loss of {got.dtype}.",
        "turn integers into floats before you normalise",
    )
    compare_number(got, want, "the loss of integer embeddings", dict, rtol=1e-3, atol=1e-5)
