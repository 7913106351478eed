"""Tiny models for the checks of `label_leak` and `greedy_decode`, whose behaviour is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.checks.calls import call
from course_utils.checks.core import fail, require


class ToyReader(nn.Module):
    """A tiny model whose logits at t look at tokens 0..t, and ahead exactly where ``leaks`` says.

    Parameters
    ----------
    leaks
        ``{(t, s): strength}``: position t also sees token s > t, relative to the usual size.
    only_report
        The leak is there only for images whose mean equals this value; None for all.
    """

    def __init__(
        self,
        leaks: Mapping[tuple[int, int], float] | None = None,
        *,
        vocab_size: int = 7,
        scale: float = 1.0,
        dropout: float = 0.0,
        only_report: float | None = None,
        dtype: torch.dtype = torch.float64,
        seed: int = 0,
    ) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        words = torch.rand(vocab_size, vocab_size, generator=generator, dtype=torch.float64)
        words = words + torch.arange(vocab_size)[:, None] * 0.5  # any two words differ everywhere
        self.words = nn.Parameter((words / words.max()).to(dtype))
        self.leaks = dict(leaks or {})
        self.scale = scale
        self.only_report = only_report
        self.dropout = nn.Dropout(dropout)
        self.seen: list[tuple[bool, bool]] = []  # (training, gradients enabled) of every call

    def forward(self, token_ids: Tensor, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return logits (B, T, V) and one layer of even attention (B, 1, T, 4)."""
        self.seen.append((self.training, torch.is_grad_enabled()))
        batch, length = token_ids.shape
        words = self.words[token_ids]  # (B, T, V)
        steps = torch.arange(1, length + 1, dtype=words.dtype)[:, None]
        logits = (
            words.cumsum(1) / steps + 0.1 * images.to(words.dtype).mean((1, 2, 3))[:, None, None]
        )
        gate = torch.ones(batch, 1, dtype=words.dtype)
        if self.only_report is not None:
            gate = torch.isclose(
                images.mean((1, 2, 3)), torch.tensor(self.only_report).to(images.dtype)
            )
            gate = gate[:, None].to(words.dtype)
        extra = torch.zeros_like(logits)
        for (t, s), strength in self.leaks.items():
            if s < length:
                extra[:, t] = extra[:, t] + strength * gate * words[:, s]
        logits = self.dropout((logits + extra) * self.scale)
        return logits, [torch.full((batch, 1, length, 4), 0.25, dtype=words.dtype)]


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
        f"Expected True or False, got {type(got).__name__}.",
        "turn the tensor into a Python bool with `bool(...)`",
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


class ScriptedReader(nn.Module):
    """A model that reads its report off the image, as long as it is given the right prefix.

    Pixel k of an image holds the token for position k. When the tokens so far are not exactly the
    script's first tokens, it says the nonsense word ``V - 1``.
    """

    def __init__(self, vocab_size: int = 12, dropout: float = 0.0) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        self.bias = nn.Parameter(torch.zeros(vocab_size))
        self.dropout = nn.Dropout(dropout)
        self.seen: list[tuple[bool, bool]] = []

    def forward(self, token_ids: Tensor, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return logits (B, T, V) and even attention (B, 1, T, 4)."""
        self.seen.append((self.training, torch.is_grad_enabled()))
        batch, length = token_ids.shape
        if token_ids.dtype != torch.int64:
            raise ValueError(f"token_ids must be int64, got {token_ids.dtype}")
        script = images.reshape(batch, -1).round().long()
        if length >= script.shape[1]:
            raise ValueError(
                f"the model knows reports up to {script.shape[1] - 1} tokens, got {length}"
            )
        as_given = (token_ids == script[:, :length]).all(-1)  # (B,)
        nonsense = torch.full_like(token_ids, self.vocab_size - 1)
        said = torch.where(as_given[:, None], script[:, 1 : length + 1], nonsense)
        # Earlier positions answer for themselves, wrongly: only the last one counts.
        said = torch.cat([nonsense[:, :-1], said[:, -1:]], dim=1)
        logits = F.one_hot(said, self.vocab_size).to(images.dtype) * 5
        logits = self.dropout(logits + self.bias.to(images.dtype))
        return logits, [torch.full((batch, 1, length, 4), 0.25, dtype=images.dtype)]


def scripts_to_images(scripts: list[list[int]], dtype: torch.dtype = torch.float32) -> Tensor:
    """Write scripts of equal length into images (B, 1, 1, L)."""
    return torch.tensor(scripts, dtype=dtype)[:, None, None, :]


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
    images = scripts_to_images(scripts, dtype)
    before = model.training
    got = call(answer, model, images, bos_id, eos_id, max_len)
    if not isinstance(got, Tensor):
        fail(f"Expected a tensor of token ids, got {type(got).__name__}.")
    require(got.dtype == torch.int64, f"Expected dtype torch.int64, got {got.dtype}.")
    require(
        got.device == images.device,
        f"Expected the images' device {images.device}, got {got.device}.",
    )
    require(
        got.dim() == 2 and got.shape[0] == len(scripts) and 1 <= got.shape[1] <= max_len,
        f"Expected shape ({len(scripts)}, up to {max_len}), got {tuple(got.shape)}.",
        "bos counts as one of the max_len columns"
        if got.dim() == 2 and got.shape[1] > max_len
        else None,
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
    _compare_reports(F.pad(got, (0, max_len - got.shape[1])).tolist(), want, eos_id, max_len, model)


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
