"""Handing tiny models to `label_leak` and `greedy_decode`, and watching what is done with them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from course_utils.checks.calls import call
from course_utils.checks.core import fail, require
from course_utils.checks.grounded_cross_attention.toy_readers import BrokenReader, ScriptedReader

__all__ = ["follows_the_images", "keeps_mode_when_it_fails", "leak_case", "same_reports"]


def leak_case(
    answer: Callable[..., bool],
    model: nn.Module,
    want: bool,
    case: str,
    hint: str,
    *,
    tokens: Tensor | None = None,
    images: Tensor | None = None,
) -> None:
    """Compare the verdict on one model; also mode, gradients and kind of the result."""
    if tokens is None:
        tokens = torch.tensor([[1, 5, 0, 6, 2, 3], [1, 6, 6, 0, 0, 2], [1, 4, 0, 3, 6, 6]])
    if images is None:
        images = torch.stack([torch.full((1, 4, 4), 0.5 * b) for b in range(len(tokens))])
    before = model.training
    got = call(answer, model, tokens, images)
    require(
        isinstance(got, bool),
        f"Expected True or False, got {type(got).__module__}.{type(got).__name__}.",
        "turn it into a Python bool with `bool(...)`",
    )
    if len(tokens[0]) > 1:
        require(
            bool(getattr(model, "seen", [True])),
            f"{case}: the model was never called.",
            "call `model(tokens, images)` with the report and with changed reports, and compare",
        )
    require(got is want, f"{case}: expected {want}, got {got}.", hint)
    require(
        model.training is before,
        f"The model came with training={before} and left with training={not before}.",
        "remember `model.training`, and restore it with `model.train(before)`",
    )
    seen = getattr(model, "seen", [])
    if want is False or len(tokens[0]) > 1:
        require(
            not any(training for training, _ in seen),
            "The model was run in training mode.",
            "call `model.eval()` first: dropout changes the output from call to call",
        )
        require(
            not any(grad for _, grad in seen),
            "The model was run with gradients.",
            "wrap the calls in `torch.no_grad()`: nothing is trained here",
        )


def keeps_mode_when_it_fails(answer: Callable[..., object], *more: object) -> None:
    """Hand over models that raise, in training mode: they stay in it, and gradients stay on."""
    tokens = () if more else (torch.tensor([[1, 3, 2, 0]]),)
    for calls in (1, 2):
        model = BrokenReader(calls).train()
        with contextlib.suppress(RuntimeError):
            answer(model, *tokens, torch.zeros(1, 1, 4, 4), *more)
        hint = "put it back in a `finally:`, and switch gradients off in a `with torch.no_grad():`"
        require(model.training, "A model that raised in training mode is left in eval mode.", hint)
        require(torch.is_grad_enabled(), "After the model raised, gradients stay off.", hint)


@contextlib.contextmanager
def default_elsewhere() -> Iterator[None]:
    """Let tensors that are made without a device lie on another one than the images.

    It stands in for images on a GPU. Tensors of no dimension are left alone: they mix with any
    device.
    """
    with _Elsewhere():
        yield


class _Elsewhere(TorchFunctionMode):
    MAKERS = (torch.zeros, torch.ones, torch.full, torch.empty, torch.tensor)
    CROSSING = (torch.Tensor.to, torch.Tensor.cpu, torch.Tensor.copy_, torch.Tensor.__setitem__)

    def __init__(self) -> None:
        super().__init__()
        self.made: list[tuple[Tensor, Tensor]] = []  # what lies elsewhere, and its content

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func in self.CROSSING:  # these may take a tensor from one device to another
            args = tuple(next((c for e, c in self.made if e is a), a) for a in args)
        result = func(*args, **kwargs)
        if func in self.MAKERS and kwargs.get("device") is None and result.dim():
            self.made.append((result.to("meta"), result))
            return self.made[-1][0]
        return result


def follows_the_images(answer: Callable[..., Tensor]) -> None:
    """Decode while tensors without a device come to lie elsewhere."""
    scripts = [[1, 5, 2, 9, 9], [1, 4, 6, 7, 2]]
    model = ScriptedReader().eval()
    images = model.write(scripts)
    hint = "`device=images.device` belongs to every tensor that is made here, or `images.new_...`"
    try:
        with default_elsewhere():
            got = answer(model, images, 1, 2, 4)
    except Exception as error:
        if "meta" in str(error):
            fail("With the images on another device than the default it fails.", hint)
        raise
    require(got.device == images.device, "The tokens do not lie on the device of the images.", hint)


def same_reports(
    answer: Callable[..., Tensor],
    model: ScriptedReader,
    scripts: list[list[int]],
    want: list[list[int]],
    max_len: int,
    *,
    bos_id: int = 1,
    eos_id: int = 2,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Decode scripted reports and compare; columns that are all padding at the end are free."""
    images = model.write(scripts, dtype)
    before = model.training
    got = call(answer, model, images, bos_id, eos_id, max_len)
    _examine_tokens(got, len(scripts), max_len)
    require(
        max_len == 1 or bool(model.seen),
        "The model was never called.",
        "ask `model(tokens, images)` for each next word",
    )
    require(
        model.training is before,
        f"The model came with training={before} and left with training={not before}.",
        "remember `model.training`, and restore it with `model.train(before)`",
    )
    require(
        not any(training for training, _ in model.seen),
        "The model was run in training mode.",
        "call `model.eval()` first",
    )
    require(
        not any(grad for _, grad in model.seen),
        "The model was run with gradients.",
        "wrap the loop in `torch.no_grad()`",
    )
    require(torch.is_grad_enabled(), "Gradients are left switched off.", "`with torch.no_grad():`")
    _compare_reports(F.pad(got, (0, max_len - got.shape[1])).tolist(), want, eos_id, max_len, model)
    for script, report in zip(scripts, want, strict=True):
        for length in range(1, min(len(report), max_len)):
            require(
                (tuple(script), tuple(report[:length])) in model.asked,
                f"The model was not asked what follows {report[:length]}.",
                "the next word comes from the model, given the whole prefix",
            )


def _examine_tokens(got: object, batch: int, max_len: int) -> None:
    if not isinstance(got, Tensor):
        fail(f"Expected a tensor of token ids, got {type(got).__name__}.")
    require(got.dtype == torch.int64, f"Expected dtype torch.int64, got {got.dtype}.")
    require(got.device.type == "cpu", f"Expected the images' device cpu, got {got.device}.")
    require(
        got.dim() == 2 and got.shape[0] == batch and 1 <= got.shape[1] <= max_len,
        f"Expected shape ({batch}, up to {max_len}), got {tuple(got.shape)}.",
        "bos counts as one of the max_len columns"
        if got.dim() == 2 and got.shape[1] > max_len
        else None,
    )


def _compare_reports(
    got: list, want: list, eos_id: int, max_len: int, model: ScriptedReader
) -> None:
    nonsense = model.vocab_size - 1
    for row, (ours, theirs) in enumerate(zip(got, want, strict=True)):
        theirs = theirs + [0] * (max_len - len(theirs))
        if ours == theirs:
            continue
        place = next(i for i, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b)
        ended = eos_id in theirs[1:place]
        if ended:
            hint = "after eos a row holds only 0, <pad>: note which rows have ended"
        elif ours[place] == nonsense:
            hint = (
                "the model was not given bos and all tokens so far (and nothing behind them), "
                "or another position than the last was read"
            )
        elif ours[place] == 0 and theirs[place] == eos_id:
            hint = "eos itself is kept; padding begins after it"
        elif ours[place] == 0:
            hint = (
                "decoding stopped too early: go on until every row has ended or max_len is reached"
            )
        else:
            hint = "column 0 is bos_id; each next column is the argmax at the last position"
        fail(
            f"Row {row}: expected {theirs}, got {ours}.\nFirst difference in column {place}.", hint
        )
