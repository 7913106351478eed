"""Tiny models for the checks of `label_leak` and `greedy_decode`, whose behaviour is known."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["BrokenReader", "ScriptedReader", "ToyReader"]


class ToyReader(nn.Module):
    """A tiny model whose logits at t look at tokens 0..t, and ahead exactly where ``leaks`` says.

    Parameters
    ----------
    leaks
        ``{(t, s): strength}``: position t also sees token s > t, relative to the usual size.
    shift
        Added to all logits (before ``scale``): without it they are positive.
    only_report
        The leak is there only for images whose mean equals this value; None for all.
    """

    def __init__(
        self,
        leaks: Mapping[tuple[int, int], float] | None = None,
        *,
        vocab_size: int = 7,
        scale: float = 1.0,
        shift: float = 0.0,
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
        self._leaks = dict(leaks or {})
        self.scale, self.shift = scale, shift
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
        for (t, s), strength in self._leaks.items():
            if s < length:
                extra[:, t] = extra[:, t] + strength * gate * words[:, s]
        logits = self.dropout((logits + extra + self.shift) * self.scale)
        return logits, [torch.full((batch, 1, length, 4), 0.25, dtype=words.dtype)]


class ScriptedReader(nn.Module):
    """A model that reads its report off the image, as long as it is given the right prefix.

    Pixel k of an image holds the token for position k, in a code that each model draws for itself:
    only the model can read it. When the tokens so far are not exactly the script's first tokens, it
    says the nonsense word ``V - 1``.
    """

    def __init__(self, vocab_size: int = 12, dropout: float = 0.0) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        self.bias = nn.Parameter(torch.zeros(vocab_size))
        self.dropout = nn.Dropout(dropout)
        self.seen: list[tuple[bool, bool]] = []
        self.asked: set[tuple[tuple[int, ...], tuple[int, ...]]] = set()  # script, prefix
        generator = torch.Generator()
        generator.seed()
        self._code = torch.randperm(vocab_size, generator=generator)

    def write(self, scripts: list[list[int]], dtype: torch.dtype = torch.float32) -> Tensor:
        """Write scripts of equal length into images (B, 1, 1, L)."""
        return self._code[torch.tensor(scripts)][:, None, None, :].to(dtype)

    def forward(self, token_ids: Tensor, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return logits (B, T, V) and even attention (B, 1, T, 4)."""
        self.seen.append((self.training, torch.is_grad_enabled()))
        batch, length = token_ids.shape
        if token_ids.dtype != torch.int64:
            raise ValueError(f"token_ids must be int64, got {token_ids.dtype}")
        script = self._code.argsort()[images.reshape(batch, -1).round().long()]
        if length >= script.shape[1]:
            raise ValueError(
                f"the model knows reports up to {script.shape[1] - 1} tokens, got {length}"
            )
        pairs = zip(script.tolist(), token_ids.tolist(), strict=True)
        self.asked |= {(tuple(whole), tuple(prefix)) for whole, prefix in pairs}
        as_given = (token_ids == script[:, :length]).all(-1)  # (B,)
        nonsense = torch.full_like(token_ids, self.vocab_size - 1)
        said = torch.where(as_given[:, None], script[:, 1 : length + 1], nonsense)
        # Earlier positions answer for themselves, wrongly: only the last one counts.
        said = torch.cat([nonsense[:, :-1], said[:, -1:]], dim=1)
        logits = F.one_hot(said, self.vocab_size).to(images.dtype) * 5
        logits = self.dropout(logits + self.bias.to(images.dtype))
        return logits, [torch.full((batch, 1, length, 4), 0.25, dtype=images.dtype)]


class BrokenReader(nn.Module):
    """A model that fails when it is called for the ``calls``-th time."""

    def __init__(self, calls: int = 1) -> None:
        super().__init__()
        self.left, self.inner = calls, ToyReader()

    def forward(self, token_ids: Tensor, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Count down, then raise ``RuntimeError``."""
        self.left -= 1
        if self.left <= 0:
            raise RuntimeError("out of memory, for example")
        return self.inner(token_ids, images)
