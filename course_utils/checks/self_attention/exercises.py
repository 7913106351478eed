"""Visible checks of notebook 01, self-attention.

Expected values come from torch, scikit-learn and SciPy, never from a model answer. What is
compared, and which mistake a wrong value looks like, is in the modules beside this one; the
notebook's further cases use them too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils.checks.calls import call
from course_utils.checks.compare import same
from course_utils.checks.core import CheckFailed, fail
from course_utils.checks.notebook import Notebook
from course_utils.checks.self_attention.ablation import examine_ablation
from course_utils.checks.self_attention.block import build_block, examine_block
from course_utils.checks.self_attention.block_dropout import examine_block_dropout
from course_utils.checks.self_attention.block_parts import examine_feed_forward, examine_norms
from course_utils.checks.self_attention.comparisons import (
    NEAR,
    compare_attention,
    compare_attention_gradients,
    compare_entropy,
    compare_entropy_gradient,
    compare_pooling,
    pair,
)
from course_utils.checks.self_attention.dropout import examine_dropout
from course_utils.checks.self_attention.embedding import examine_embedding
from course_utils.checks.self_attention.epoch import (
    WatchedModel,
    examine_empty,
    examine_epoch,
    examine_total_norm,
    loss_of,
    make_batches,
)
from course_utils.checks.self_attention.heads import examine_heads
from course_utils.checks.self_attention.masks import examine_mask, examine_masks
from course_utils.checks.self_attention.probe import build
from course_utils.checks.self_attention.rotary import (
    compare_rotary,
    compare_rotary_gradient,
    refuses_odd_width,
)
from course_utils.checks.self_attention.scores import compare_code, compare_f1, compare_loss
from course_utils.checks.tensors import draw, gradients, numbers

__all__ = [
    "NOTEBOOK",
    "EncoderBlock",
    "MultiHeadSelfAttention",
    "TokenEmbedding",
    "WatchedModel",
    "apply_rotary",
    "attention_entropy",
    "build",
    "build_block",
    "compare_attention",
    "compare_attention_gradients",
    "compare_code",
    "compare_entropy",
    "compare_f1",
    "compare_loss",
    "compare_pooling",
    "compare_rotary",
    "compare_rotary_gradient",
    "draw",
    "examine_ablation",
    "examine_block",
    "examine_block_dropout",
    "examine_dropout",
    "examine_embedding",
    "examine_empty",
    "examine_epoch",
    "examine_feed_forward",
    "examine_heads",
    "examine_mask",
    "examine_masks",
    "examine_norms",
    "f1_scores",
    "gradients",
    "loss_of",
    "make_batches",
    "masked_mean_pool",
    "multilabel_loss",
    "numbers",
    "pair",
    "refuses_heads",
    "refuses_odd_width",
    "scaled_dot_product_attention",
    "scaling_ablation",
    "sinusoidal_positional_encoding",
    "summary",
    "train_one_epoch",
]

NOTEBOOK = Notebook("01_self_attention", written=7)
summary = NOTEBOOK.summary


@NOTEBOOK.exercise(
    points=6,
    forbids=(
        "scaled_dot_product_attention",
        "multi_head_attention_forward",
        "MultiheadAttention",
        "MultiHeadAttention",
    ),
)
def scaled_dot_product_attention(answer: Callable[..., Any]) -> str:
    """Compare with torch on batches and heads, masks, and a query without keys."""
    for dtype in (torch.float32, torch.float64):
        q, k = draw(2, 3, 4, 8, seed=1, dtype=dtype), draw(2, 3, 6, 8, seed=2, dtype=dtype)
        v = draw(2, 3, 6, 5, seed=3, dtype=dtype)
        first, again = (pair(call(answer, q, k, v), "context, weights") for _ in range(2))
        for one, two in zip(first, again, strict=True):
            if isinstance(one, Tensor) and isinstance(two, Tensor) and not torch.equal(one, two):
                fail("Two calls with the same inputs differ.", "the result is random: no dropout")
        compare_attention(answer, q, k, v)
        compare_attention(answer, q, k, v, None, 0.3)
        mask = torch.rand(2, 1, 4, 6, generator=numbers(4)) < 0.6
        mask[..., 2] = True
        compare_attention(answer, q, k, v, mask)
        mask[1, 0, 2] = False
        compare_attention(answer, q, k, v, mask)
        compare_attention_gradients(answer, q, k, v, mask)
        # Every key scores -10 million: a masked one may not come before the one that is visible.
        low = torch.full((2, 1), 1e4, dtype=dtype)
        seen = torch.tensor([[True, False], [False, True]])
        compare_attention(answer, low, -low / 10, low, seen, 1.0)
    coarse = (x.to(torch.bfloat16) for x in (q, k, v))
    compare_attention(answer, *coarse, mask)
    return (
        "against torch: shapes, scale, masks, a query without keys, very low scores, gradients, "
        "float32, float64 and bfloat16"
    )


@NOTEBOOK.exercise(
    points=8,
    forbids=("MultiheadAttention", "multi_head_attention_forward", "MultiHeadAttention"),
)
def MultiHeadSelfAttention(answer: Callable[..., Any]) -> str:
    """Probe the module by its properties: layout, names and start values are free."""
    refuses_heads(answer, 10, 4)
    examine_heads(answer, 12, 3, seed=11)
    examine_masks(answer, 12, 3, seed=12)
    examine_dropout(answer, 6, 1, 3, rate=0.3, seed=13)
    return (
        "head split, scale, own weights for four maps, masks, a query without keys, dropout on "
        "the attention weights, gradients"
    )


def refuses_heads(answer: Callable[..., Any], d_model: int, num_heads: int, *sizes: int) -> None:
    """Fail unless building the module with heads that do not divide raises ValueError."""
    try:
        answer(d_model, num_heads, *sizes)
    except (ValueError, NotImplementedError) as error:
        if isinstance(error, NotImplementedError):
            call(answer, d_model, num_heads, *sizes)
        return
    except Exception as error:
        seen = f"raised {type(error).__name__}"
    else:
        seen = "nothing was raised"
    fail(
        f"With d_model={d_model} and num_heads={num_heads} expected a ValueError, {seen}.",
        "`raise ValueError(...)` in `__init__` when d_model % num_heads is not 0 (not `assert`)",
    )


@NOTEBOOK.exercise(points=4, forbids=("SinusoidalPositionalEncoding",))
def sinusoidal_positional_encoding(answer: Callable[..., Any]) -> str:
    """Compare with the formula at even and odd widths."""
    for max_len, d_model in ((50, 16), (6, 8), (6, 7), (1, 2)):
        try:
            compare_code(answer, max_len, d_model)
        except CheckFailed as error:
            if d_model % 2 and "It raised" in str(error):
                fail(
                    "\n".join(line.strip() for line in str(error).splitlines()[1:4]),
                    "an odd d_model has one sine more than cosines: cut the last cosine off",
                )
            raise
    return "the formula entry by entry, even and odd d_model, float32, no gradient"


@NOTEBOOK.exercise(
    points=8,
    forbids=(
        "MultiheadAttention",
        "multi_head_attention_forward",
        "MultiHeadAttention",
        "TransformerEncoderLayer",
        "TransformerEncoder",
        "EncoderBlock",
    ),
)
def EncoderBlock(answer: Callable[..., Any]) -> str:
    """Probe the block by its properties: layout, names and start values are free."""
    refuses_heads(answer, 10, 4, 12)
    examine_block(answer, 6, 3, 10, seed=15)
    examine_feed_forward(answer, seed=16)
    examine_norms(answer, seed=17)
    examine_block_dropout(answer, rate=0.4, seed=18)
    return (
        "norm, branch, sum, twice and in this order; own norms, the hidden width and its "
        "activation, masks, dropout in three places, gradients"
    )


@NOTEBOOK.exercise(points=3)
def masked_mean_pool(answer: Callable[..., Any]) -> str:
    """Compare with the mean of the selected rows, with gaps and an empty row."""
    is_token = torch.tensor(
        [[1, 1, 1, 0, 0], [1, 0, 1, 0, 1], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]]
    ).bool()
    for dtype in (torch.float32, torch.float64):
        x = draw(5, 5, 4, seed=21, dtype=dtype)
        compare_pooling(answer, x, is_token)
        x.requires_grad_()
        slope = draw(5, 4, seed=22, dtype=dtype)
        found = gradients((call(answer, x, is_token) * slope).sum(), [x], "the pooled vectors")[0]
        want = is_token[..., None] * slope[:, None] / is_token.sum(1).clamp(min=1)[:, None, None]
        same(found, want.to(dtype), "the gradient of x", **NEAR)
    compare_pooling(answer, draw(5, 5, 4, seed=21).to(torch.bfloat16), is_token)
    return "tokens in front and scattered, a row without tokens, gradients, every precision"


@NOTEBOOK.exercise(
    points=5,
    forbids=(
        "binary_cross_entropy",
        "binary_cross_entropy_with_logits",
        "multilabel_soft_margin_loss",
    ),
)
def multilabel_loss(answer: Callable[..., Any]) -> str:
    """Compare with nn.BCEWithLogitsLoss, also far out."""
    weight = torch.tensor([0.5, 1.0, 4.0])
    for dtype in (torch.float32, torch.float64):
        z = 2 * draw(5, 3, seed=31, dtype=dtype)
        y = draw(5, 3, seed=32) > 0.3
        compare_loss(answer, z, y.to(dtype))
        compare_loss(answer, z, y.long())
        compare_loss(answer, z, y.to(dtype), weight.to(dtype))
        compare_loss(answer, z, y)
        far = torch.tensor([[1000.0, -1000.0, 1000.0], [-1000.0, 40.0, -40.0]], dtype=dtype)
        for labels in (torch.tensor([[1, 0, 1], [0, 1, 0]]), torch.tensor([[0, 1, 0], [1, 0, 1]])):
            compare_loss(answer, far, labels, weight.to(dtype))
        compare_loss(answer, z, y, torch.tensor([0.0, 0.0, 2.0], dtype=dtype))
        compare_loss(answer, z, y, 0 * weight.to(dtype))
    compare_loss(answer, z.float(), y, weight.double())
    compare_loss(answer, z.to(torch.bfloat16), y, weight)
    return (
        "against nn.BCEWithLogitsLoss: labels and pos_weight of any dtype, weights of 0, logits of "
        "±1000, slopes, half precision"
    )


@NOTEBOOK.exercise(points=6)
def train_one_epoch(answer: Callable[..., Any]) -> str:
    """Watch the model, the loss and the optimiser while the answer trains."""
    examine_epoch(answer, sizes=(4, 4, 1), max_norm=0.5, seed=41)
    examine_epoch(answer, sizes=(3, 2), max_norm=50.0, seed=42, whole_labels=True)
    examine_total_norm(answer, seed=44)
    examine_empty(answer, seed=43)
    return "training mode, cleared gradients, total norm, one step a batch, mean loss, no batches"


@NOTEBOOK.exercise(points=5)
def f1_scores(answer: Callable[..., Any]) -> str:
    """Compare with scikit-learn on arrays and tensors of several kinds."""
    random = np.random.default_rng(51)
    labels = (random.random((40, 4)) < (0.5, 0.3, 0.2, 0.0)).astype(np.int64)
    predictions = np.where(random.random((40, 4)) < 0.75, labels, 1 - labels)
    predictions[:, 3] = 0
    compare_f1(answer, labels, predictions)
    compare_f1(answer, torch.from_numpy(labels), torch.from_numpy(predictions).float())
    compare_f1(answer, labels.astype(bool), predictions.astype(bool))
    compare_f1(answer, labels, torch.from_numpy(predictions))
    compare_f1(answer, torch.from_numpy(labels).int(), predictions.astype(bool))
    compare_f1(answer, labels[:, :1].astype(float), predictions[:, :1].astype(float))
    return "against scikit-learn: arrays and tensors, an undefined class, C = 1"


@NOTEBOOK.exercise(points=5)
def TokenEmbedding(answer: Callable[..., Any]) -> str:
    """Take the embedding apart into its two summands."""
    examine_embedding(answer, vocab_size=1200, d_model=16, max_len=20, pad_id=0, seed=61)
    return "size of both summands, sqrt(d_model), positions, a pad row that stays zero, device"


@NOTEBOOK.exercise(points=5)
def apply_rotary(answer: Callable[..., Any]) -> str:
    """Compare with complex multiplication, at positions of any sign and order."""
    refuses_odd_width(answer, 5)
    mixed = torch.tensor([3, -2, 0, 40, 7])
    for dtype in (torch.float32, torch.float64):
        x = draw(2, 3, 5, 8, seed=81, dtype=dtype) / 2
        compare_rotary(answer, x, torch.arange(5))
        compare_rotary(answer, x, mixed)
        compare_rotary(answer, x[0, 0, :, :4], mixed, 100.0)
        compare_rotary(answer, x.transpose(0, 1)[..., ::2], mixed)
        compare_rotary_gradient(answer, x, mixed)
    return (
        "against complex multiplication: neighbouring pairs, angles, base, negative and unsorted "
        "positions, an odd width, gradients, both precisions"
    )


@NOTEBOOK.exercise(points=3)
def attention_entropy(answer: Callable[..., Any]) -> str:
    """Compare with SciPy on rows with zeros, rows of zeros and rows of any sum."""
    for dtype in (torch.float32, torch.float64):
        weights = draw(2, 3, 4, 4, seed=71, dtype=dtype).softmax(-1)
        compare_entropy(answer, weights)
        compare_entropy_gradient(answer, weights)
        compare_entropy(answer, weights[0, 0])
        weights[0, 0, 1] = torch.tensor([1.0, 0.0, 0.0, 0.0])
        weights[1, 2, 3] = torch.tensor([0.5, 0.5, 0.0, 0.0])
        weights[1, 1, 2] = 0
        compare_entropy(answer, weights)
        compare_entropy(answer, weights * 0.7)
    compare_entropy(answer, draw(2, 3, 4, seed=72).softmax(-1).to(torch.bfloat16))
    return "against SciPy: zeros, a row of zeros, rows that do not sum to one, every precision"


@NOTEBOOK.exercise(points=3)
def scaling_ablation(answer: Callable[..., Any]) -> str:
    """Count the runs and compare every row."""
    examine_ablation(answer, [8, 32, 16], [0, 3])
    examine_ablation(answer, (4,), (7,))
    examine_ablation(answer, [4, 16], [2, 5, 1], once=True)
    examine_ablation(answer, [8], [3], twins=True)
    return "one run a combination, the same seed for both of a pair, every row"
