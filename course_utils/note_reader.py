"""A finished reader of synthetic clinical notes, to try and to break before building one.

A small encoder with weights that ship with the course
(``course_utils/assets/make_note_reader.py`` makes them). It knows the words and the grammar of
:func:`course_utils.data.notes.make_clinical_notes` and nothing else.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from importlib import resources

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from course_utils import layers
from course_utils.data.notes import CLASS_NAMES, encode

__all__ = ["NoteReader", "load", "read"]

WEIGHTS = "note_reader.safetensors"


class NoteReader(nn.Module):
    """Tokens plus positions, two pre-norm blocks, one learned query per problem group.

    Shapes
    ------
    token_ids : (B, T) int64, 0 is padding
    returns : logits (B, C)
    """

    def __init__(self, vocab_size: int, d_model: int = 48, num_heads: int = 4) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, d_model, padding_idx=0)
        self.position = layers.SinusoidalPositionalEncoding(d_model)
        with torch.no_grad():
            self.embedding.weight /= math.sqrt(2 * d_model)
        self.blocks = nn.ModuleList(
            layers.EncoderBlock(d_model, num_heads, d_model) for _ in range(2)
        )
        self.norm = nn.LayerNorm(d_model)
        self.pooling = layers.AttentionPooling(d_model, num_heads, len(CLASS_NAMES))
        self.weight = nn.Parameter(torch.randn(len(CLASS_NAMES), d_model) / math.sqrt(d_model))
        self.bias = nn.Parameter(torch.zeros(len(CLASS_NAMES)))

    def forward(self, token_ids: Tensor) -> Tensor:
        mask = layers.padding_mask(token_ids)  # (B, 1, 1, T)
        x = self.embedding(token_ids) * math.sqrt(self.embedding.embedding_dim)
        x = self.position(x)  # (B, T, D)
        for block in self.blocks:
            x, _ = block(x, attn_mask=mask)
        pooled, _ = self.pooling(self.norm(x), attn_mask=mask)  # (B, C, D)
        return (pooled * self.weight).sum(-1) + self.bias


@functools.cache
def load() -> NoteReader:
    """Return the reader with the weights that ship with the course, in evaluation mode."""
    with resources.as_file(resources.files("course_utils") / "assets" / WEIGHTS) as path:
        weights = {name: tensor.float() for name, tensor in load_file(path).items()}
    reader = NoteReader(*weights["embedding.weight"].shape)
    reader.load_state_dict(weights)
    return reader.eval()


@torch.no_grad()
def read(texts: str | Sequence[str]) -> pd.DataFrame:
    """Probability of each problem group, one row per text, and the words the reader lacks.

    Raises
    ------
    ValueError
        If there is no text, or one without a word.
    """
    texts = [texts] if isinstance(texts, str) else list(texts)
    token_ids, lengths = encode(texts)
    if not len(lengths) or not lengths.all():
        raise ValueError(f"texts must hold at least one word each, got {texts!r}")
    reader = load()
    known = token_ids < reader.embedding.num_embeddings  # later words of the list are unknown
    token_ids = np.where(known, token_ids, 1)
    table = pd.DataFrame(
        reader(torch.from_numpy(token_ids)).sigmoid().numpy().round(2),
        index=pd.Index(texts, name="text"),
        columns=list(CLASS_NAMES),
    )
    table["unknown words"] = (token_ids == 1).sum(1)
    return table
