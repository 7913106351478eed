"""What the checks of notebook 03 ask of contrastive losses and of retrieval."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.checks.calls import call
from course_utils.checks.compare import same
from course_utils.checks.core import fail, require


def leaf(value: Tensor) -> Tensor:
    return value.clone().requires_grad_()


def finite(value: Tensor | None) -> bool:
    return value is None or bool(torch.isfinite(value).all())


def triple(answer: Callable[..., Any], *args: Any) -> tuple[Tensor, Tensor, Tensor]:
    got = call(answer, *args)
    if not isinstance(got, tuple | list) or len(got) != 3:
        fail(
            "Expected three losses (total, image_to_text, text_to_image), got "
            f"{type(got).__name__}."
        )
    for name, value in zip(("total", "image_to_text", "text_to_image"), got, strict=True):
        scalar_tensor(value, name)
    return tuple(got)


def scalar_tensor(value: Any, name: str, how: str = "take the mean over the N pairs") -> Tensor:
    """Return a loss; fail unless it is a 0-d tensor, and say ``how`` it becomes one."""
    if not isinstance(value, Tensor):
        fail(
            f"Expected {name} as a 0-d tensor, got {type(value).__name__}.",
            "`.item()`, `float()` or NumPy cuts the gradient; stay with tensors",
        )
    if value.dim() != 0:
        fail(
            f"Expected {name} as a 0-d tensor, got shape {tuple(value.shape)}.",
            how,
        )
    return value


def _log_loss(similarity: Tensor, axis: int) -> float:
    """Mean cross-entropy of the diagonal by SciPy and scikit-learn's definition, in nats."""
    from scipy.special import log_softmax

    return float(-np.diag(log_softmax(similarity.detach().double().numpy(), axis=axis)).mean())


def _cosines(a: Tensor, b: Tensor) -> Tensor:
    from sklearn.metrics.pairwise import cosine_similarity

    return torch.from_numpy(cosine_similarity(a.detach().double(), b.detach().double()))


def other_lengths(image: Tensor, text: Tensor) -> dict[str, Tensor]:
    """Similarities whose normalising went wrong, by what went wrong."""
    image, text = image.detach().double(), text.detach().double()
    rows = [F.normalize(x, dim=-1) for x in (image, text)]
    columns = [F.normalize(x, dim=0) for x in (image, text)]
    wrong_axis = "are divided by lengths over the batch; each row's own length is meant (dim=-1)"
    return {
        "the images are not divided by their lengths": image @ rows[1].T,
        "the texts are not divided by their lengths": rows[0] @ text.T,
        f"the images {wrong_axis}": columns[0] @ rows[1].T,
        f"the texts {wrong_axis}": rows[0] @ columns[1].T,
        f"images and texts {wrong_axis}": columns[0] @ columns[1].T,
    }


def assert_info_nce(
    answer: Callable[..., Any], image: Tensor, text: Tensor, temperature: float | None = None
) -> None:
    """Compare the three losses with SciPy on one batch and follow the gradients."""
    t = 0.07 if temperature is None else temperature
    args = () if temperature is None else (temperature,)
    cosine = _cosines(image, text)
    raw = image.detach().double() @ text.detach().double().T
    forth, back = _log_loss(cosine / t, 1), _log_loss(cosine / t, 0)
    image, text = leaf(image), leaf(text)
    total, got_forth, got_back = triple(answer, image, text, *args)
    where = f"at temperature {t:g}"
    matches = torch.eye(len(image), dtype=torch.float64)

    def common() -> dict[str, float]:
        return {
            "only the matches count in it; the softmax over all N texts is missing": -float(
                cosine.diagonal().mean() / t
            ),
            "a yes-or-no question for every pair; wanted is one choice among N": float(
                F.binary_cross_entropy_with_logits(cosine / t, matches)
            ),
            "the rows are not normalised: divide each embedding by its length": _log_loss(
                raw / t, 1
            ),
            "the similarities are multiplied by the temperature, not divided": _log_loss(
                cosine * t, 1
            ),
            "the two directions are exchanged: image_to_text is a softmax over the row": back,
            "the temperature is left out": _log_loss(cosine, 1),
            "it is a sum over the pairs; take the mean": forth * len(image),
            "the sign is missing: a loss is the *negative* log-probability": -forth,
            "logarithm to the base 2; use nats": forth / math.log(2),
            "the total stands here: the order is total, image_to_text, text_to_image": (
                forth + back
            )
            / 2,
            "another default: 0.07 is the temperature when none is given": _log_loss(
                cosine / 0.14, 1
            )
            if temperature is None
            else forth,
        } | {words: _log_loss(s / t, 1) for words, s in other_lengths(image, text).items()}

    close: dict[str, Any] = {"rtol": 1e-3, "atol": 1e-5}
    compare_number(got_forth, forth, f"image_to_text {where}", common, **close)
    directions = {
        "it is the other direction again: the softmax is over images, the column": forth,
        "it is a sum over the pairs; take the mean": back * len(image),
        "the sign is missing: a loss is the *negative* log-probability": -back,
    }
    compare_number(got_back, back, f"text_to_image {where}", lambda: directions, **close)
    total_mistakes = {
        "half of one direction only (image_to_text)": forth / 2,
        "half of one direction only (text_to_image)": back / 2,
        "the directions are subtracted; take their mean": (forth - back) / 2,
        "the sum of the directions is multiplied by 2; take their mean": 2 * (forth + back),
        "total is the sum of the two directions; take their mean": forth + back,
        "total is one direction only": forth,
    }
    compare_number(total, (forth + back) / 2, f"total {where}", lambda: total_mistakes, **close)
    inputs = {"image_emb": image, "text_emb": text}
    truth = dict(
        zip(("image_to_text", "text_to_image"), _both_losses(image, text, 1 / t), strict=True)
    )
    truth["total"] = (truth["image_to_text"] + truth["text_to_image"]) / 2
    for name, value in (
        ("total", total),
        ("image_to_text", got_forth),
        ("text_to_image", got_back),
    ):
        assert_kind(value, image.dtype, name)
        assert_gradients(value, inputs, name, where, nonzero=t >= 0.05)
        if t >= 0.05:
            assert_scale_free(value, inputs, name)
            assert_same_gradients(value, truth[name], inputs, name, where)


def _both_losses(image: Tensor, text: Tensor, scale: Tensor | float) -> tuple[Tensor, Tensor]:
    """The two cross-entropies in double precision, for gradients to compare with."""
    image, text = (F.normalize(x.double(), dim=-1) for x in (image, text))
    logits, match = scale * (image @ text.T), torch.arange(len(image))
    return F.cross_entropy(logits, match), F.cross_entropy(logits.T, match)


def assert_kind(value: Tensor, dtype: torch.dtype, name: str) -> None:
    """A result keeps the dtype of the embeddings."""
    require(
        value.dtype == dtype,
        f"Expected {name} with dtype {dtype}, got {value.dtype}.",
        "a new tensor without the input's dtype, or a conversion (`.float()`)",
    )


def assert_same_gradients(
    loss: Tensor, truth: Tensor, inputs: Mapping[str, Tensor], name: str, where: str
) -> None:
    """Gradients are those of the right loss: nothing is detached or counted half."""
    got = torch.autograd.grad(loss, list(inputs.values()), retain_graph=True)
    want = torch.autograd.grad(truth, list(inputs.values()), retain_graph=True)
    for key, g, w in zip(inputs, got, want, strict=True):
        scale = float(w.abs().max())
        if scale > 1e-6 and float((g - w).abs().max()) > 5e-3 * scale:
            fail(
                f"The value of {name} is right {where}, its gradient in `{key}` is not.",
                "a part of the loss was detached, so that only the rest learns",
            )


def assert_half(answer: Callable[..., Any], *args: Any) -> None:
    """Losses of bfloat16 embeddings are finite and bfloat16."""
    got = call(answer, *args)
    for value in got if isinstance(got, tuple | list) else [got]:
        scalar_tensor(value, "the loss of bfloat16 embeddings")
        assert_kind(value, torch.bfloat16, "the loss of bfloat16 embeddings")
        require(finite(value), "The loss of bfloat16 embeddings is not finite.")


def assert_gradients(
    loss: Tensor, inputs: Mapping[str, Tensor], name: str, where: str, *, nonzero: bool = True
) -> None:
    """Gradients of a loss reach every input, and they are finite."""
    if not loss.requires_grad:
        fail(
            f"{name} has no gradient.",
            "`.detach()`, `.item()`, `torch.no_grad()` or NumPy cut it off",
        )
    grads = torch.autograd.grad(loss, list(inputs.values()), retain_graph=True, allow_unused=True)
    for key, grad in zip(inputs, grads, strict=True):
        if grad is None:
            fail(f"No gradient of {name} reaches `{key}`.", "it was detached or is not used")
        require(
            finite(grad),
            f"The gradient of {name} in `{key}` is not finite {where}.",
            "exp of a large number overflows: work with log_softmax or logsumexp",
        )
        if nonzero and not bool((grad != 0).any()):
            fail(f"The gradient of {name} in `{key}` is zero everywhere {where}.")


def assert_scale_free(loss: Tensor, inputs: Mapping[str, Tensor], name: str) -> None:
    """Cosines do not change along a row, so no gradient points along it."""
    grads = torch.autograd.grad(loss, list(inputs.values()), retain_graph=True)
    for (key, value), grad in zip(inputs.items(), grads, strict=True):
        along = (grad * value).sum(-1).abs()
        size = grad.norm(dim=-1) * value.norm(dim=-1)
        require(
            bool((along <= 1e-3 * size + 1e-6).all()),
            f"The gradient of {name} in `{key}` points along the rows themselves.",
            "the length used for normalising was detached, or made without gradient",
        )


def compare_number(
    got: Any,
    want: float,
    what: str,
    mistakes: Callable[[], Mapping[str, Any]],
    rtol: float,
    atol: float,
) -> None:
    """Compare one number; the values of ``mistakes`` are made when it is wrong, not before."""
    value = float(got)
    if math.isnan(value) or math.isinf(value):
        fail(
            f"Expected {what} to be {want:.5g}, got {value}.",
            "exp overflows: use log_softmax, logsumexp or cross_entropy",
        )
    if abs(value - want) > atol + rtol * abs(want):
        same(value, want, what, rtol=rtol, atol=atol, mistakes=mistakes())


def assert_recall(
    answer: Callable[..., Any],
    similarity: Any,
    k: int,
    want: tuple[float, float],
    hint: str | None = None,
) -> None:
    """Compare both recalls with known ones; they are Python floats."""
    got = call(answer, similarity, k)
    if not isinstance(got, tuple | list) or len(got) != 2:
        fail(f"Expected (image_to_text, text_to_image), got {type(got).__name__}.")
    for name, value in zip(("image_to_text", "text_to_image"), got, strict=True):
        if isinstance(value, bool) or not isinstance(value, float):
            fail(
                f"Expected {name} as a Python float, got {type(value).__name__}.",
                "wrap the result in float(...)",
            )
    came, wanted = np.array(got), np.array(want)
    if np.allclose(came, wanted, atol=1e-6):
        return
    if hint is None and np.allclose(came, wanted[::-1], atol=1e-6):
        hint = "the directions are exchanged: rows are images, columns are texts"
    elif hint is None and np.allclose(came, 100 * wanted, atol=1e-4):
        hint = "fractions between 0 and 1 are wanted, not per cent"
    seen = f"Expected {want} at k = {k}, N = {len(similarity)}, "
    fail(
        seen + f"got {tuple(round(v, 4) for v in came.tolist())}.",
        hint
        or "count, for each row (column), the other candidates that score at least as high as "
        "the diagonal; the pair counts when they are fewer than k",
    )


def assert_clip_loss(
    answer: Callable[..., Any],
    image: Tensor,
    text: Tensor,
    log_scale: float,
    scale_dtype: torch.dtype | None = None,
) -> None:
    """Compare the loss with SciPy and follow the gradient of the scale."""
    limit = math.log(100.0)
    scale = math.exp(min(log_scale, limit))
    cosine, raw = _cosines(image, text), image.double() @ text.double().T

    def both(similarity: Tensor) -> float:
        return (_log_loss(similarity, 1) + _log_loss(similarity, 0)) / 2

    parameter = nn.Parameter(torch.tensor(log_scale, dtype=scale_dtype or image.dtype))
    image, text = leaf(image), leaf(text)
    got = call(answer, image, text, parameter)
    scalar_tensor(got, "the loss")

    def mistakes() -> dict[str, float]:
        return {
            "the limit ln 100 belongs to logit_scale, before exp": both(
                cosine * min(math.exp(log_scale), limit)
            ),
            "logit_scale is the logarithm of the scale: multiply by exp(logit_scale)": both(
                cosine * log_scale
            ),
            "the similarities are divided by the scale; multiply": both(cosine / scale),
            "the scale is not clamped at 100 (logit_scale at ln 100)": both(
                cosine * math.exp(log_scale)
            ),
            "ln 100 is the upper limit (`max=`); a lower limit makes every scale 100": both(
                cosine * math.exp(max(log_scale, limit))
            ),
            "the features are not normalised": both(raw * scale),
            "one direction only; take the mean of both": _log_loss(cosine * scale, 1),
            "one direction only; take the mean of both (texts)": _log_loss(cosine * scale, 0),
            "the sum of both directions; take the mean": 2 * both(cosine * scale),
            "the scale is clamped from below too; only ln 100 is a limit": both(
                cosine * max(scale, 1.0)
            ),
            "the scale is clamped from below (-ln 100 or so); only ln 100 is a limit": both(
                cosine * max(scale, 0.01)
            ),
            "a sum over the pairs; take the mean": both(cosine * scale) * len(image),
            "half of one direction only": _log_loss(cosine * scale, 1) / 2,
            "half of one direction only (texts)": _log_loss(cosine * scale, 0) / 2,
            "the directions are subtracted; take their mean": (
                _log_loss(cosine * scale, 1) - _log_loss(cosine * scale, 0)
            )
            / 2,
            "the sum of the directions is multiplied by 2; take their mean": 4
            * both(cosine * scale),
            "the scale is exp(logit_scale), to the base e": both(
                cosine * 2 ** min(log_scale, limit)
            ),
            "the scale is left out": both(cosine),
        } | {words: both(s * scale) for words, s in other_lengths(image, text).items()}

    what = f"the loss at logit_scale = {log_scale:.3g}"
    compare_number(got, both(cosine * scale), what, mistakes, rtol=1e-3, atol=1e-5)
    assert_kind(got, image.dtype, "the loss")
    where = f"at logit_scale = {log_scale:.3g}"
    features = {"image_features": image, "text_features": text}
    assert_gradients(got, features, "the loss", where)
    if log_scale < 3.0:
        assert_scale_free(got, features, "the loss")
    grad = torch.autograd.grad(got, parameter, allow_unused=True, retain_graph=True)[0]
    if log_scale < 3.0 and grad is not None:
        truth = sum(_both_losses(image, text, parameter.double().exp())) / 2
        learnt = features | {"logit_scale": parameter}
        assert_same_gradients(got, truth, learnt, "the loss", where)
    if log_scale < limit:
        require(
            grad is not None and bool(grad != 0),
            f"No gradient reaches logit_scale {where}.",
            "`.item()`, `.data` or `float()` of the parameter cuts the gradient",
        )
    elif grad is not None:
        require(
            bool(grad == 0),
            f"The gradient of logit_scale is {grad.item():.3g} {where}; "
            "above ln 100 it has to be 0.",
            "clamp logit_scale itself, not only the value",
        )
