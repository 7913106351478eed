"""Attention layers shared by the notebooks: positions, patches, attention, blocks, pooling.

One convention holds everywhere: a mask is boolean and **True means may attend / is a real token**,
as in :func:`torch.nn.functional.scaled_dot_product_attention` and in the ``attention_mask`` of
Hugging Face. (:class:`torch.nn.MultiheadAttention` uses the opposite.) A query that may attend to
nothing gets weights and context of zero, never NaN.

Dimension letters: ``B`` batch, ``T`` query positions, ``S`` key positions, ``H`` heads, ``D`` model
width, ``N`` patches.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = [
    "AttentionPooling",
    "DecoderBlock",
    "EncoderBlock",
    "MultiHeadAttention",
    "PatchEmbedding",
    "SinusoidalPositionalEncoding",
    "causal_mask",
    "padding_mask",
]


def padding_mask(token_ids: Tensor, pad_id: int = 0) -> Tensor:
    """Attention mask that hides padding from every query.

    Shapes
    ------
    token_ids : (B, S) integers
    returns : (B, 1, 1, S) bool, True at real tokens

    Raises
    ------
    ValueError
        If ``token_ids`` is not a two-dimensional integer tensor.
    """
    if token_ids.dim() != 2 or token_ids.is_floating_point():
        raise ValueError(
            f"token_ids must be an integer tensor (B, S), got {token_ids.dtype} "
            f"with shape {tuple(token_ids.shape)}"
        )
    return (token_ids != pad_id)[:, None, None, :]


def causal_mask(length: int, device: torch.device | str | None = None) -> Tensor:
    """Attention mask in which position t attends to positions 0..t.

    Shapes
    ------
    returns : (1, 1, length, length) bool, True on and below the diagonal

    Raises
    ------
    ValueError
        If ``length`` is negative.
    """
    if length < 0:
        raise ValueError(f"length must not be negative, got {length}")
    return torch.ones(1, 1, length, length, dtype=torch.bool, device=device).tril()


def _head_width(d_model: int, num_heads: int) -> int:
    if d_model < 1 or num_heads < 1:
        raise ValueError(
            f"d_model and num_heads must be positive, got d_model={d_model}, num_heads={num_heads}"
        )
    if d_model % num_heads:
        raise ValueError(f"d_model={d_model} is not divisible by num_heads={num_heads}")
    return d_model // num_heads


def _check_sequence(name: str, x: Tensor, width: int) -> None:
    if x.dim() != 3 or x.shape[-1] != width:
        raise ValueError(f"{name} must have shape (batch, length, {width}), got {tuple(x.shape)}")
    if not x.is_floating_point():
        raise ValueError(f"{name} must be floating point, got {x.dtype}")


class SinusoidalPositionalEncoding(nn.Module):
    r"""Add the fixed code :math:`PE_{p,2i} = \sin(p / 10000^{2i/D})`, cosine in the odd columns.

    The code is rebuilt when a sequence is longer than ``max_len``, so no length is refused.

    Shapes
    ------
    x : (B, T, D) floating point
    returns : (B, T, D)

    References
    ----------
    Vaswani et al., Attention Is All You Need, 2017, section 3.5.
    """

    code: Tensor

    def __init__(self, d_model: int, max_len: int = 512) -> None:
        super().__init__()
        if d_model < 1 or max_len < 1:
            raise ValueError(
                f"d_model and max_len must be positive, got d_model={d_model}, max_len={max_len}"
            )
        self.d_model = d_model
        self.register_buffer("code", self._table(max_len), persistent=False)

    def _table(self, length: int) -> Tensor:
        position = torch.arange(length, dtype=torch.float64)[:, None]
        column = torch.arange(0, self.d_model, 2, dtype=torch.float64)
        angle = position / 10_000 ** (column / self.d_model)  # (length, ceil(D / 2))
        interleaved = torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)
        return interleaved[:, : self.d_model].float()

    def forward(self, x: Tensor) -> Tensor:
        _check_sequence("x", x, self.d_model)
        length = x.shape[1]
        if length > self.code.shape[0]:
            self.code = self._table(2 * length).to(self.code)
        return x + self.code[:length].to(x.dtype)  # (B, T, D)


class PatchEmbedding(nn.Module):
    """Cut images into square patches, left to right and top to bottom, and project each linearly.

    Shapes
    ------
    images : (B, C, H, W) floating point, H and W equal to ``image_size``
    returns : (B, N, D) with N = (image_size / patch_size) ** 2

    References
    ----------
    Dosovitskiy et al., An Image is Worth 16x16 Words, 2021.
    """

    def __init__(self, image_size: int, patch_size: int, in_channels: int, d_model: int) -> None:
        super().__init__()
        if min(image_size, patch_size, in_channels, d_model) < 1 or image_size % patch_size:
            raise ValueError(
                "image_size must be a positive multiple of patch_size and in_channels, d_model "
                f"positive, got image_size={image_size}, patch_size={patch_size}, "
                f"in_channels={in_channels}, d_model={d_model}"
            )
        self.image_size = image_size
        self.in_channels = in_channels
        self.num_patches = (image_size // patch_size) ** 2
        self.projection = nn.Conv2d(in_channels, d_model, patch_size, stride=patch_size)

    def forward(self, images: Tensor) -> Tensor:
        wanted = (self.in_channels, self.image_size, self.image_size)
        if images.dim() != 4 or tuple(images.shape[1:]) != wanted:
            raise ValueError(
                f"images must have shape (batch, {', '.join(map(str, wanted))}), "
                f"got {tuple(images.shape)}"
            )
        return self.projection(images).flatten(2).transpose(1, 2)  # (B, N, D)


class MultiHeadAttention(nn.Module):
    r"""Multi-head scaled dot-product attention.

    .. math:: \mathrm{softmax}\!\left(\frac{QK^\top}{\sqrt{d_k}}\right) V,\quad d_k = D / H

    computed for each of the H heads on its own slice of the projections, then joined by an output
    map. With ``need_weights=False`` the work is done by
    :func:`torch.nn.functional.scaled_dot_product_attention`; both paths agree. Nothing is stored on
    the module.

    Parameters
    ----------
    d_model, num_heads
        Width of queries and output, and the number of heads that divides it.
    dropout
        Probability with which attention weights are dropped in training mode.
    bias
        Whether the four maps have a bias.
    kdim, vdim
        Widths of key and value inputs, ``d_model`` by default.

    Shapes
    ------
    query : (B, T, d_model); key : (B, S, kdim); value : (B, S, vdim)
    attn_mask : bool, broadcastable to (B, H, T, S), True = may attend
    output : (B, T, d_model); weights : (B, H, T, S), before dropout, or None

    Raises
    ------
    ValueError
        If heads do not divide, or an input has another shape or dtype than stated.

    References
    ----------
    Vaswani et al., Attention Is All You Need, 2017, section 3.2.
    """

    def __init__(
        self,
        d_model: int,
        num_heads: int,
        *,
        dropout: float = 0.0,
        bias: bool = True,
        kdim: int | None = None,
        vdim: int | None = None,
    ) -> None:
        super().__init__()
        self.d_head = _head_width(d_model, num_heads)
        if not 0.0 <= dropout < 1.0:
            raise ValueError(f"dropout must be at least 0 and below 1, got {dropout}")
        self.d_model = d_model
        self.num_heads = num_heads
        self.dropout = dropout
        self.query = nn.Linear(d_model, d_model, bias=bias)
        self.key = nn.Linear(d_model if kdim is None else kdim, d_model, bias=bias)
        self.value = nn.Linear(d_model if vdim is None else vdim, d_model, bias=bias)
        self.output = nn.Linear(d_model, d_model, bias=bias)
        for projection in (self.query, self.key, self.value, self.output):
            nn.init.xavier_uniform_(projection.weight)
            if projection.bias is not None:
                nn.init.zeros_(projection.bias)

    def _project(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        fused = key is query and value is query and self.key.in_features == self.d_model
        if fused and self.value.in_features == self.d_model:  # one product instead of three
            weight = torch.cat([self.query.weight, self.key.weight, self.value.weight])
            bias = None
            if self.query.bias is not None:
                bias = torch.cat([self.query.bias, self.key.bias, self.value.bias])
            q, k, v = F.linear(query, weight, bias).chunk(3, dim=-1)
        else:
            q, k, v = self.query(query), self.key(key), self.value(value)
        return self._split(q), self._split(k), self._split(v)

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.num_heads, self.d_head)).transpose(1, 2)  # (B, H, T, d_head)

    def _mask(
        self, attn_mask: Tensor | None, is_causal: bool, query: Tensor, key: Tensor
    ) -> Tensor | None:
        shape = (query.shape[0], self.num_heads, query.shape[1], key.shape[1])
        if attn_mask is not None:
            if attn_mask.dtype != torch.bool:
                raise ValueError(
                    f"attn_mask must be boolean (True = may attend), got {attn_mask.dtype}"
                )
            try:
                fits = torch.broadcast_shapes(attn_mask.shape, shape) == torch.Size(shape)
            except RuntimeError:
                fits = False
            if not fits:
                raise ValueError(
                    f"attn_mask must broadcast to (batch, heads, queries, keys) = {shape}, "
                    f"got {tuple(attn_mask.shape)}"
                )
        if is_causal:
            triangle = torch.ones(shape[2:], dtype=torch.bool, device=query.device).tril()
            attn_mask = triangle if attn_mask is None else attn_mask & triangle
        return attn_mask

    def forward(
        self,
        query: Tensor,
        key: Tensor | None = None,
        value: Tensor | None = None,
        *,
        attn_mask: Tensor | None = None,
        is_causal: bool = False,
        need_weights: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        key = query if key is None else key
        value = key if value is None else value
        _check_sequence("query", query, self.d_model)
        _check_sequence("key", key, self.key.in_features)
        _check_sequence("value", value, self.value.in_features)
        if not query.shape[0] == key.shape[0] == value.shape[0] or key.shape[1] != value.shape[1]:
            raise ValueError(
                "query, key and value must share the batch, key and value the length, got "
                f"{tuple(query.shape)}, {tuple(key.shape)}, {tuple(value.shape)}"
            )
        mask = self._mask(
            attn_mask, is_causal and (need_weights or attn_mask is not None), query, key
        )
        q, k, v = self._project(query, key, value)  # (B, H, T or S, d_head)
        dropout = self.dropout if self.training else 0.0
        weights = None
        if need_weights:
            scores = (q / math.sqrt(self.d_head)) @ k.transpose(-2, -1)  # (B, H, T, S)
            if mask is None:
                weights = scores.softmax(dim=-1)
            else:
                lowest = torch.finfo(scores.dtype).min
                weights = scores.masked_fill(~mask, lowest).softmax(dim=-1).masked_fill(~mask, 0.0)
            context = F.dropout(weights, dropout) @ v if dropout else weights @ v
        else:
            context = F.scaled_dot_product_attention(
                q, k, v, attn_mask=mask, dropout_p=dropout, is_causal=is_causal and mask is None
            )
        return self.output(context.transpose(1, 2).flatten(2)), weights  # (B, T, D)


class _FeedForward(nn.Sequential):
    def __init__(self, d_model: int, d_ff: int | None, dropout: float) -> None:
        d_ff = 4 * d_model if d_ff is None else d_ff
        if d_ff < 1:
            raise ValueError(f"d_ff must be positive, got {d_ff}")
        super().__init__(
            nn.Linear(d_model, d_ff), nn.GELU(), nn.Dropout(dropout), nn.Linear(d_ff, d_model)
        )


def _check_norm(norm: str) -> None:
    if norm not in ("pre", "post"):
        raise ValueError(f'norm must be "pre" or "post", got {norm!r}')


class EncoderBlock(nn.Module):
    """Self-attention and a feed-forward network, each with a residual connection and LayerNorm.

    ``norm="pre"`` normalises what enters a sub-layer, ``norm="post"`` what leaves the residual
    sum, as in the original transformer.

    Shapes
    ------
    x : (B, T, D); attn_mask : bool, broadcastable to (B, H, T, T)
    returns : (B, T, D) and weights (B, H, T, T) or None

    References
    ----------
    Vaswani et al., 2017 (post-norm); Xiong et al., On Layer Normalization in the Transformer
    Architecture, 2020 (pre-norm).
    """

    def __init__(
        self,
        d_model: int,
        num_heads: int,
        d_ff: int | None = None,
        *,
        dropout: float = 0.0,
        norm: str = "pre",
    ) -> None:
        super().__init__()
        _check_norm(norm)
        self.norm = norm
        self.attention = MultiHeadAttention(d_model, num_heads, dropout=dropout)
        self.feed_forward = _FeedForward(d_model, d_ff, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Tensor,
        *,
        attn_mask: Tensor | None = None,
        is_causal: bool = False,
        need_weights: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        pre = self.norm == "pre"
        attended, weights = self.attention(
            self.norm1(x) if pre else x,
            attn_mask=attn_mask,
            is_causal=is_causal,
            need_weights=need_weights,
        )
        x = x + self.dropout(attended)
        x = x if pre else self.norm1(x)
        x = x + self.dropout(self.feed_forward(self.norm2(x) if pre else x))
        return (x if pre else self.norm2(x)), weights


class DecoderBlock(nn.Module):
    """Causal self-attention, cross-attention to a memory, and a feed-forward network.

    Shapes
    ------
    x : (B, T, D); memory : (B, S, D)
    self_mask : bool, broadcastable to (B, H, T, T); memory_mask : bool, broadcastable to (B, H, T,
    S) returns : (B, T, D) and the cross-attention weights (B, H, T, S) or None

    References
    ----------
    Vaswani et al., Attention Is All You Need, 2017, section 3.1.
    """

    def __init__(
        self,
        d_model: int,
        num_heads: int,
        d_ff: int | None = None,
        *,
        dropout: float = 0.0,
        norm: str = "pre",
    ) -> None:
        super().__init__()
        _check_norm(norm)
        self.norm = norm
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout=dropout)
        self.cross_attention = MultiHeadAttention(d_model, num_heads, dropout=dropout)
        self.feed_forward = _FeedForward(d_model, d_ff, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.norm3 = nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        *,
        self_mask: Tensor | None = None,
        is_causal: bool = True,
        memory_mask: Tensor | None = None,
        need_weights: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        pre = self.norm == "pre"
        attended, _ = self.self_attention(
            self.norm1(x) if pre else x, attn_mask=self_mask, is_causal=is_causal
        )
        x = x + self.dropout(attended)
        x = x if pre else self.norm1(x)
        attended, weights = self.cross_attention(
            self.norm2(x) if pre else x, memory, attn_mask=memory_mask, need_weights=need_weights
        )
        x = x + self.dropout(attended)
        x = x if pre else self.norm2(x)
        x = x + self.dropout(self.feed_forward(self.norm3(x) if pre else x))
        return (x if pre else self.norm3(x)), weights


class AttentionPooling(nn.Module):
    """Summarise a sequence by learned queries that attend to it.

    Shapes
    ------
    x : (B, S, D); attn_mask : bool, broadcastable to (B, H, Q, S), True = may attend
    returns : (B, Q, D) with Q = ``num_queries``, and weights (B, H, Q, S) or None

    References
    ----------
    Lee et al., Set Transformer, 2019, section 3.2.
    """

    def __init__(
        self, d_model: int, num_heads: int, num_queries: int = 1, *, dropout: float = 0.0
    ) -> None:
        super().__init__()
        if num_queries < 1:
            raise ValueError(f"num_queries must be positive, got {num_queries}")
        self.attention = MultiHeadAttention(d_model, num_heads, dropout=dropout)
        self.queries = nn.Parameter(torch.empty(num_queries, d_model))
        nn.init.normal_(self.queries)

    def forward(
        self, x: Tensor, *, attn_mask: Tensor | None = None, need_weights: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        _check_sequence("x", x, self.queries.shape[1])
        queries = self.queries.expand(x.shape[0], -1, -1)  # (B, Q, D)
        return self.attention(queries, x, attn_mask=attn_mask, need_weights=need_weights)
