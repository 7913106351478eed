# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 01 Self-attention: reading negation in clinical notes
#
# "Denies chest pain" and "chest pain" share their words and differ in everything that matters. In this notebook you build self-attention from one
# formula, put it into a small transformer that codes clinical notes, and find out, by experiment, what makes it understand negation and what only looks as if it did.
#
# **You will be able to**
# - write scaled dot-product attention, heads, masks, positions, pooling and the training loop yourself;
# - say why an encoder can be deaf to word order, and find the cause with runs in which one thing differs;
# - build your own encoder from your own parts, and judge it on the cases that matter, beside honest baselines;
# - see who breaks when the phrases change, and what another code of positions is worth;
# - predict and measure what the factor $1/\sqrt{d_k}$ does;
# - test whether an attention map explains a prediction.
#
# | part | sections | minutes |
# | --- | --- | --- |
# | **Sitting 01a** | | |
# | break a finished model; the notes, and a trap in the metric | 1-2 | 25 |
# | attention: masks, one head, many heads, positions, a block | 3-7 | 95 |
# | from notes to numbers: pooling, loss, training, F1 | 8-11 | 60 |
# | **Sitting 01b** | | |
# | models to beat, and an encoder that fails: four runs that say why | 12-14 | 40 |
# | your encoder, an honest table, other positions, another grammar | 15-18 | 55 |
# | entropy and the scaling factor | 19-21 | 30 |
# | does attention explain? | 22 | 40 |
#
# Two sittings of about three hours each (61 points, and 7 for two written answers). Section 11 ends the first; the second begins with a run of all cells
# above it, which takes seconds. Running everything takes about two and a half minutes on one CPU core; a GPU is used when there is one. Every exercise has
# a check below it that says what is right, what is not, and what it looks like; hints come in three steps.
#
# **Guesses.** Before some figures a cell asks what you expect. Write a number or a choice in place of the dots: the figure then shows it beside what was measured. A
# guess earns no points and is stored nowhere; who skips it sees the figure without it. Figures differ a little from machine to machine: each is printed with
# the range that runs with other random numbers gave, once these have been measured.
#
# **Two rules of every exercise**: what your code is given stays as it was (work on copies, never in place on an argument), and results keep the dtype of the
# first tensor, unless the box says otherwise.

# %% tags=["install"]
# install cell

# %% tags=["imports"]
import contextlib
import copy
import math
import time
from collections.abc import Callable, Iterable

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from torch import nn

from course_utils import checks, claims, layers, metrics, note_reader, plots, probes, training
from course_utils.data.notes import (
    CLASS_NAMES,
    FINDINGS,
    FORMS,
    KINDS,
    encode,
    make_clinical_notes,
    rule_labels,
)

SEED = claims.seed()
DEVICE = training.pick_device()
plots.use_style()
checks.setup()

# %% [markdown]
# ## 1 Break it first
#
# Here is a finished encoder of the kind that you will build. It reads a note and gives, for each of four groups of problems, the probability that the
# note **asserts** one of them. Try to break it: change the sentences, add your own. Words that it never met become one and the same unknown word.

# %%
opening = "71-year-old woman admitted from home. "
my_sentences = [
    opening + "Denies chest pain but reports wheezing.",
    opening + "Denies wheezing but reports chest pain.",
    opening + "No doubt about pneumonia.",
    opening + "Family history of heart failure.",
    "Denies chest pain but reports wheezing.",
]
display(note_reader.read(my_sentences))

# %% [markdown]
# The first two have the same words, and it tells them apart. Then it breaks: it has learned some phrases, not the language. *No doubt* is a *no* to it, and nobody taught it that a
# family's heart failure is not the patient's. The last line is the first one without its opening, and now it takes both findings for asserted: it never met a note
# that began with the findings, and place is all-important to it. You will see why in section 6, and what helps in section 17.
#
# Keep the sentence that fooled it best. In section 18 you will count, over thousands of notes, who breaks where; in section 22 you will open such a model up. First, what is it reading?


# %% [markdown]
# ## 2 The notes
#
# Short notes that mention findings of four **problem groups**, by organ system: cardiac, respiratory, renal, diabetes. (Groups, not diagnoses: chest pain is a
# symptom, a low blood sugar is what treatment of diabetes can do, and chest tightness stands under respiratory here although it may be the heart. A real
# code book would argue about each.) Whether a mention *counts* depends on the words around it:
#
# | kind of mention | example | counts? |
# | --- | --- | --- |
# | plain | *presents with chest pain* | yes |
# | cue before | *denies chest pain*, *no evidence of pneumonia* | no |
# | list under one cue | *no wheezing, flank pain or elevated glucose* | no, none of the three |
# | cue after | *pneumonia was ruled out*, *heart failure is unlikely* | no |
# | scope ended | *denies chest pain **but** reports wheezing* | the wheezing does |
# | pseudo-negation | *no increase in pedal edema*, *not only X but also Y* | yes |
#
# These kinds come from NegEx (2001) and ConText (2009), the rule systems that many hospitals have used for this. A group gets
# label 1 when at least one of its findings is asserted. A note may have several labels, or none.
#
# The notes are synthetic: you may share them, and you know the truth about every single mention. The price is a closed grammar with some 250 words.
# A score near 1 here says that a model can learn *this* grammar, not that it can read a real record. Left out on purpose: uncertainty (*possible*, *cannot
# exclude*), family history, and problems of the past; here *history of* counts as asserted, ConText would ask *when*. Section 18 lets some of that in.
# (Very short notes can occur in training and in the test; the cell below counts them.)

# %% tags=["nbval-check-output"]
options = {"max_statements": 2, "remarks": 0.1}
train_notes = make_clinical_notes(8000, random_state=100 * SEED + 1, **options)
valid_notes = make_clinical_notes(1000, random_state=100 * SEED + 2, **options)
test_notes = make_clinical_notes(2000, random_state=100 * SEED + 3, **options)
VOCABULARY = train_notes.vocabulary

for text, labels in zip(train_notes.texts(range(4)), train_notes.labels, strict=False):
    coded = [name for name, label in zip(CLASS_NAMES, labels, strict=True) if label]
    print(f"{', '.join(coded) or 'no label'}\n    {text}\n")

seen = {tuple(row[:n]) for row, n in zip(train_notes.token_ids, train_notes.lengths, strict=True)}
copies = [
    tuple(row[:n]) in seen for row, n in zip(test_notes.token_ids, test_notes.lengths, strict=True)
]
print(
    f"{len(VOCABULARY)} words; {sum(copies)} of {len(test_notes)} test notes also occur in training"
)

# %% [markdown]
# Before any model, three pictures: how long the notes are, how often each problem group is asserted or negated, and which kinds
# of mention there are.

# %%
mentioned, asserted = train_notes.mentioned, train_notes.labels.astype(bool)
real = train_notes.mention_class >= 0
kind_share = np.bincount(train_notes.mention_kind[real], minlength=len(KINDS)) / real.sum()

fig, axes = plt.subplots(1, 3, figsize=(11, 3.4))
axes[0].hist(train_notes.lengths, bins=np.arange(6, train_notes.lengths.max() + 3, 3))
axes[0].set(xlabel="words in the note", ylabel="notes", title="Length")
rows = np.arange(len(CLASS_NAMES))
axes[1].barh(rows, asserted.mean(0), label="asserted")
axes[1].barh(rows, (mentioned & ~asserted).mean(0), left=asserted.mean(0), label="negated only")
axes[1].set_yticks(rows, CLASS_NAMES)
axes[1].set(xlabel="share of notes", xlim=(0, 0.8))
axes[1].legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=9)
axes[1].invert_yaxis()
plots.bars(
    KINDS, kind_share, xlabel="share of mentions", digits=2, title="Kinds of mention", ax=axes[2]
)
plt.show()

both_kinds = (asserted.any(1) & (mentioned & ~asserted).any(1)).mean()
print(
    f"notes without a label: {1 - asserted.any(1).mean():.2f}; mentioned groups that are negated: "
    f"{(mentioned & ~asserted).sum() / mentioned.sum():.2f}; notes with an asserted and a negated group: {both_kinds:.2f}"
)

# %% [markdown]
# *Left: number of words per note. Middle: share of notes that assert a problem group, or mention it only negated. Right: how the
# status of a mention is decided.*
#
# Two things to remember. Almost half of the mentioned groups are negated, so a word alone tells little. And two notes in
# five hold an asserted **and** a negated group, so one cue somewhere in the note tells little too: what counts is
# which word belongs to which.
#
# ### The trap in the metric
# The simplest model ignores negation: mentioned means positive. Its score is F1, the harmonic mean of precision and recall (section 11), pooled over all groups: *micro-F1*.

# %%
trap_guess = checks.guess("micro-F1 of a model that ignores every negation", ...)

# %%
mention_positive = test_notes.mentioned.astype(np.uint8)
mention_f1 = f1_score(test_notes.labels, mention_positive, average="micro")
mention_accuracy = metrics.assertion_accuracy(
    mention_positive, test_notes.labels, test_notes.mentioned
)
claims.claim("01_self_attention", "mention_positive_micro_f1", mention_f1)
ax = plots.bars(
    ["micro-F1", "accuracy on asserted groups", "accuracy on negated groups"],
    [mention_f1, mention_accuracy["asserted"], mention_accuracy["negated"]],
    xlabel="mention = positive, on the test notes",
    xlim=(0, 1.15),
)
plots.mark_guess(ax, trap_guess, at=0)
plt.show()
trap_guess.reveal(mention_f1)

# %% [markdown]
# *The model that ignores negation: its F1, and its accuracy on what is mentioned, asserted or negated.*
#
# An F1 of about 0.7 from a model that is wrong about *every* negated group. With fewer negations it would look better still.
# So from here on every model is also judged on the **negated groups alone** (mentioned, label 0), and on **notes of both kinds**, that hold an asserted
# and a negated group. There, guessing from the cues in the note gives about one half.


# %% [markdown]
# ## 3 One convention for masks
#
# Notes differ in length; the shorter ones of a batch are filled up with `<pad>` (id 0). Padding must not be attended to. In this
# whole course a mask is boolean and **True means "may attend"**. There is one argument, `attn_mask`, that broadcasts to
# `(batch, heads, queries, keys)`, and masks are combined with `&`.
#
# That is also the convention of `F.scaled_dot_product_attention` and of Hugging Face's `attention_mask`. One famous class says
# the opposite: in `nn.MultiheadAttention`, True means "leave out". And the two differ in one more case, a query with nothing to attend to:

# %% tags=["nbval-check-output"]
x = torch.ones(1, 3, 4)
nothing = torch.zeros(1, 3, 3, dtype=torch.bool)  # True = may attend: nobody may
print(
    "F.scaled_dot_product_attention:",
    F.scaled_dot_product_attention(x, x, x, attn_mask=nothing)[0, 0].tolist(),
)
module = nn.MultiheadAttention(4, 1, batch_first=True)
with torch.no_grad():
    print(
        "nn.MultiheadAttention:         ", module(x, x, x, attn_mask=~nothing[0])[0][0, 0].tolist()
    )
print("padding mask of [5, 8, 0]:     ", layers.padding_mask(torch.tensor([[5, 8, 0]])).tolist())

# %% [markdown]
# A softmax over nothing is 0/0, and one NaN spreads through a whole batch. Our rule: **a query whose keys are all masked gets weights
# zero and context zero.** You will build that in now.


# %% [markdown]
# ## 4 Scaled dot-product attention
#
# One token asks a question (its **query**), every token offers a label (its **key**) and a content (its
# **value**). How well query and label fit is a dot product; a softmax turns the fits of one query into
# weights that sum to one, and the answer is the weighted mean of the contents:
#
# $$\text{context} = \operatorname{softmax}\!\left(\frac{Q K^\top}{\sqrt{d_k}}\right) V$$
#
# Here this is how *pneumonia* gets to know about the *no* three words before it. Everything else in this
# notebook is built around these two matrix products.
#
# > **Exercise `scaled_dot_product_attention`** · 6 points · 20 minutes · difficulty 2 of 5
#
# Write a function that takes
#
# - `query` of shape `(..., T, d_k)`, `key` `(..., S, d_k)` and `value` `(..., S, d_v)`. The dots stand for any
#   number of leading dimensions, none included: batch, heads, or nothing;
# - `attn_mask`: `None`, or a boolean tensor that broadcasts to `(..., T, S)`, **True = may attend**;
# - `scale`: the number that *multiplies* the scores; `None` means 1/sqrt(d_k).
#
# It returns `(context, weights)` of shapes `(..., T, d_v)` and `(..., T, S)`.
#
# - Each row of `weights` sums to one over the keys it may see; a masked key has weight 0.
# - A query whose keys are *all* masked has nothing to attend to: its weights and its context are **zero**, not
#   NaN, and the gradients of query, key and value stay finite too.
# - Scores may be very low: a visible key that scores −10 million still gets its weight, and the masked ones none.
# - Results keep the inputs' dtype (float32, float64 and bfloat16 are checked). Gradients flow, through the context and through the weights.
# - Ready-made attention, `F.scaled_dot_product_attention` or `nn.MultiheadAttention`, is not an answer here:
#   this is the one place where you open the box. Softmax, `einsum` and every other plain operation are welcome.


# %% nbgrader={"grade": false, "grade_id": "scaled_dot_product_attention", "locked": false, "schema_version": 3, "solution": true, "task": false}
def scaled_dot_product_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    scale: float | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attend from every query to every key that it may see.

    Shapes: query (..., T, d_k), key (..., S, d_k), value (..., S, d_v), attn_mask broadcastable to
    (..., T, S), True = may attend. Returns context (..., T, d_v) and weights (..., T, S).
    """
    ### BEGIN SOLUTION
    if scale is None:
        scale = 1 / math.sqrt(query.size(-1))
    scores = query @ key.transpose(-2, -1) * scale  # (..., T, S)
    if attn_mask is not None:
        # The lowest finite number, not -inf: a row without keys stays free of NaN, both ways.
        scores = scores.masked_fill(~attn_mask, torch.finfo(scores.dtype).min)
    weights = scores.softmax(dim=-1)
    if attn_mask is not None:
        weights = weights.masked_fill(~attn_mask, 0.0)
    return weights @ value, weights
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "scaled_dot_product_attention_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
checks.self_attention.scaled_dot_product_attention(scaled_dot_product_attention)
### BEGIN HIDDEN TESTS
with checks.hidden("scaled_dot_product_attention"):
    look = checks.self_attention
    shapes = [((), 3, 5, 4, 2), ((3,), 1, 1, 1, 1), ((1, 2, 2), 2, 3, 6, 6), ((2, 3), 5, 5, 9, 4)]
    for dtype in (torch.float32, torch.float64):
        for lead, t, s, d_k, d_v in shapes:
            q = look.draw(*lead, t, d_k, seed=101, dtype=dtype)
            k = look.draw(*lead, s, d_k, seed=102, dtype=dtype)
            v = look.draw(*lead, s, d_v, seed=103, dtype=dtype)
            chance = torch.rand(*lead, t, s, generator=look.numbers(104))
            some = torch.ones(s, dtype=torch.bool)
            some[0] = s == 1
            masks = [chance < 0.5, some, torch.arange(t)[:, None] % 2 == 0]
            masks += [
                torch.ones(t, s, dtype=torch.bool).tril(),
                torch.zeros(t, s, dtype=torch.bool),
            ]
            for scale in (None, 0.0, 1.7, -0.4):
                look.compare_attention(scaled_dot_product_attention, q, k, v, None, scale)
            for mask in masks:
                look.compare_attention(scaled_dot_product_attention, q, k, v, mask)
                look.compare_attention(scaled_dot_product_attention, q, k, v, mask, 0.6)
                if mask.any():
                    look.compare_attention_gradients(scaled_dot_product_attention, q, k, v, mask)
            look.compare_attention_gradients(scaled_dot_product_attention, q, k, v, None)
        q, k, v = (look.draw(2, 3, 4, 8, seed=n, dtype=dtype) for n in (105, 106, 107))
        keep = torch.rand(2, 1, 1, 4, generator=look.numbers(108)) < 0.5
        keep[0] = False
        look.compare_attention(scaled_dot_product_attention, q, k, v, keep)
        # A masked key that fits best of all, and scores so far below zero that -60 is not low enough.
        look.compare_attention(scaled_dot_product_attention, q, q, v, ~torch.eye(4).bool(), 1.2)
        keep[:, ..., :2] = True
        look.compare_attention(
            scaled_dot_product_attention, q.abs() + 2, -k.abs() - 2, v, keep, 1.0
        )
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Three lines do it: scores `(..., T, S)` from a matrix product of `query` and the transposed `key`, a softmax over
# the *keys*, a matrix product with `value`. `key.transpose(-2, -1)` swaps the last two dimensions, however many
# come before them.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The mask comes *before* the softmax: scores that are masked become so low that their exponential is 0
# (`scores.masked_fill(~attn_mask, ...)`). With minus infinity a row that has no key left computes 0/0. A very large negative
# *finite* number gives even weights in such a row instead: and these can be set to zero afterwards.
#
# </details>
#
# <details><summary>Hint 3: nearly all of it</summary>
#
# ```python
# scale = 1 / math.sqrt(query.size(-1)) if scale is None else scale
# scores = query @ key.transpose(-2, -1) * scale
# if attn_mask is not None:
#     scores = scores.masked_fill(~attn_mask, torch.finfo(scores.dtype).min)
# weights = ...              # softmax over the last dimension; then 0 where the mask says no
# return weights @ value, weights
# ```
#
# </details>

# %% [markdown]
# **Your function at work.** Two numbers per word, chosen by hand: a finding's query asks "is there a cue?", and a cue's key answers
# "here". No training, just vectors.

# %% tags=["needs-answer"]
words = ["denies", "chest", "pain", "but", "reports", "wheezing"]
is_cue = torch.tensor([1.0, 0, 0, 0, 0, 0])
is_finding = torch.tensor([0, 1.0, 1, 0, 0, 1])
query = torch.stack([is_finding * 4, torch.ones(6)], dim=-1)  # a finding asks for a cue
key = torch.stack([is_cue, torch.zeros(6)], dim=-1)  # a cue answers
toy_context, toy_weights = scaled_dot_product_attention(query, key, is_cue[:, None], scale=1.0)
plots.attention_map(
    toy_weights,
    words,
    highlight={0: "C0", 1: "C3", 2: "C3", 5: "C3"},
    vmax=1.0,
    fontsize=10,
    title="Attention by content alone",
    ax=plt.subplots(figsize=(5, 4))[1],
)
plt.show()
print(
    "cue strength that reaches 'pain':",
    round(float(toy_context[2]), 2),
    "and 'wheezing':",
    round(float(toy_context[5]), 2),
)

# %% [markdown]
# *Attention weights of six words; a row sums to one. The findings (orange) look at "denies" (blue).*
#
# Chest pain finds its cue, as it should. But so does *wheezing*, although "but" lies between. Content alone says **that** there is a cue,
# not **where**: both findings receive exactly the same amount of it. Keep this picture in mind until section 6.


# %% [markdown]
# ## 5 Several heads
#
# One attention map can follow one kind of relation at a time. A word of a note needs several: its negation, its
# side, the *but* that ends a scope. So the model splits its `d_model` features into `num_heads` groups, lets each
# group attend for itself, and mixes the results with one more linear map:
#
# $$\text{out} = \big[\text{context}_1; \dots; \text{context}_H\big]\, W_O, \qquad \text{context}_h =
# \text{attention}(xW_Q^h,\; xW_K^h,\; xW_V^h)$$
#
# The heads cost nothing extra: they share the width, each has `d_model / num_heads` features.
#
# > **Exercise `MultiHeadSelfAttention`** · 8 points · 30 minutes · difficulty 3 of 5
#
# Write an `nn.Module` with `__init__(d_model, num_heads, dropout=0.0)` and `forward(x, attn_mask=None)`:
#
# - `x` is `(B, T, d_model)`. Query, key, value and output are four linear maps from d_model to d_model, **each with weights of its
#   own**. One layer each, one fused layer, one layer per head, with or without bias: that is up to you, and so are the names;
# - scores are scaled by 1/sqrt(d_model / num_heads);
# - `attn_mask` broadcasts to `(B, H, T, T)`, True = may attend. A query without any key gets context zero *before* the output map;
# - it returns `(out, weights)`: `out` is `(B, T, d_model)`, `weights` is `(B, H, T, T)`;
# - **dropout** acts on the attention weights, each single weight by a coin of its own (not whole heads or keys), with a mask and without, in training
#   mode only. The `weights` you return are those *before* dropout, so their
#   rows sum to one in training too;
# - `__init__` raises a `ValueError` when `num_heads` does not divide `d_model`;
# - no residual and no normalisation: they belong to the block around it. Dtypes as before; gradients flow from `out` to every map, and from the weights to query and key;
# - two modules, of any sizes, know nothing of each other.
#
# Use your `scaled_dot_product_attention` if you like. `nn.MultiheadAttention` is not an answer here.


# %% nbgrader={"grade": false, "grade_id": "MultiHeadSelfAttention", "locked": false, "schema_version": 3, "solution": true, "task": false}
class MultiHeadSelfAttention(nn.Module):
    """Self-attention with several heads.

    Shapes: x (B, T, d_model), attn_mask broadcastable to (B, H, T, T), True = may attend.
    Returns out (B, T, d_model) and weights (B, H, T, T), before dropout.
    """

    def __init__(self, d_model: int, num_heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.dropout = nn.Dropout(dropout)
        ### BEGIN SOLUTION
        if d_model % num_heads:
            raise ValueError(f"d_model={d_model} is not divisible by num_heads={num_heads}")
        self.query_key_value = nn.Linear(d_model, 3 * d_model)
        self.output = nn.Linear(d_model, d_model)
        ### END SOLUTION

    def forward(
        self, x: torch.Tensor, attn_mask: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Let every token attend to all tokens that it may see."""
        ### BEGIN SOLUTION
        batch, length, d_model = x.shape
        query, key, value = (
            part.view(batch, length, self.num_heads, -1).transpose(1, 2)  # (B, H, T, d_head)
            for part in self.query_key_value(x).chunk(3, dim=-1)
        )
        _, weights = scaled_dot_product_attention(query, key, value, attn_mask)
        context = self.dropout(weights) @ value
        return self.output(context.transpose(1, 2).reshape(batch, length, d_model)), weights
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "MultiHeadSelfAttention_check", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}
checks.self_attention.MultiHeadSelfAttention(MultiHeadSelfAttention)
### BEGIN HIDDEN TESTS
with checks.hidden("MultiHeadSelfAttention"):
    look = checks.self_attention
    for d_model, num_heads in ((12, 5), (4, 8), (6, 4)):
        look.refuses_heads(MultiHeadSelfAttention, d_model, num_heads)
    look.examine_heads(MultiHeadSelfAttention, 20, 5, seed=201)
    look.examine_heads(MultiHeadSelfAttention, 9, 3, seed=202)
    look.examine_masks(MultiHeadSelfAttention, 16, 4, seed=203)
    look.examine_masks(MultiHeadSelfAttention, 6, 2, seed=204)
    look.examine_dropout(MultiHeadSelfAttention, 8, 2, 2, rate=0.25, seed=205)
    look.examine_dropout(MultiHeadSelfAttention, 6, 3, 2, rate=0.6, seed=206)
    for dtype in (torch.float32, torch.float64):
        for d_model, num_heads, b, t in ((8, 1, 2, 5), (4, 4, 1, 3), (6, 2, 1, 1), (10, 5, 3, 4)):
            module = look.build(MultiHeadSelfAttention, d_model, num_heads, seed=207, dtype=dtype)
            x = look.draw(b, t, d_model, seed=208, dtype=dtype)
            chance = torch.rand(b, num_heads, t, t, generator=look.numbers(209)) < 0.5
            for mask in (chance, chance[:, :1], chance[:1, :1], chance[:, :1, :1], chance[:1]):
                look.examine_mask(module, x, mask)
            for mask in (chance[0, 0], chance[0], chance[0, 0, 0], chance[0, 0, :, :1]):
                look.examine_mask(module, x, mask)
            module.train()
            look.examine_mask(module, x, torch.ones(1, 1, t, t, dtype=torch.bool).tril())
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# First map, then split: a linear map gives `(B, T, d_model)`, `view(B, T, H, d_head)` cuts each token's features into heads, and
# `transpose(1, 2)` brings the heads to the front: `(B, H, T, d_head)`. A `view` straight to `(B, H, T, d_head)` has the right
# shape and mixes tokens with heads.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# After attention the way back: `(B, H, T, d_head)` → `transpose(1, 2)` → `(B, T, H, d_head)` → `reshape(B, T, d_model)` → output map.
# For dropout compute the weights first, and multiply `dropout(weights)` with the values; return the plain weights. `nn.Dropout`
# knows by itself whether the module is training.
#
# </details>
#
# <details><summary>Hint 3: nearly all of it</summary>
#
# ```python
# # __init__
# if d_model % num_heads:
#     raise ValueError(f"{d_model=} is not divisible by {num_heads=}")
# self.query = nn.Linear(d_model, d_model)       # and key, value, output
# # forward
# query = self.query(x).view(B, T, self.num_heads, -1).transpose(1, 2)   # key and value alike
# _, weights = scaled_dot_product_attention(query, key, value, attn_mask)
# context = self.dropout(weights) @ value                                # (B, H, T, d_head)
# ```
#
# </details>

# %% [markdown]
# **Your module at work.** Four heads, untrained, on a sentence of random word vectors. Then the same sentence with its words shuffled.

# %% tags=["needs-answer"]
words = ["denies", "chest", "pain", "but", "reports", "wheezing"]
generator = torch.Generator().manual_seed(SEED)
x = torch.randn(1, len(words), 32, generator=generator)
torch.manual_seed(SEED)
attention = MultiHeadSelfAttention(32, 4).eval()
with torch.no_grad():
    out, weights = attention(x)
    shuffle = torch.tensor([5, 2, 0, 4, 1, 3])
    out_shuffled, _ = attention(x[:, shuffle])
fig, axes = plt.subplots(1, 4, figsize=(11, 3.2))
for head, ax in enumerate(axes):
    image = ax.imshow(weights[0, head], cmap="Blues", vmin=0, vmax=1)
    ax.set_xticks(range(6), words, rotation=90)
    ax.set_yticks(range(6), words if head == 0 else [""] * 6)
    ax.set(title=f"head {head + 1}", xlabel="key", ylabel="query" if head == 0 else "")
    ax.grid(visible=False)
fig.colorbar(image, ax=axes, label="weight")
plt.show()
print(
    f"shuffled words, shuffled output: largest difference {(out[:, shuffle] - out_shuffled).abs().max():.1e}"
)

# %% [markdown]
# *Weights of four untrained heads over the words of one sentence, on a scale from 0 to 1. Untrained heads look at everything a little (alike would be 1/6); none has a task yet.*
#
# The difference is rounding error: shuffle the words and you get the same vectors, shuffled. Self-attention sees a **bag of words**. For
# "denies chest pain but reports wheezing" against "denies wheezing but reports chest pain" that is fatal, so each word must carry its place.


# %% [markdown]
# ## 6 Where a word stands
#
# Attention sees a *set* of tokens: shuffle the words and every output is merely shuffled. But *no fever, cough* and *cough, no
# fever* are different notes. So each position gets a fingerprint that is added to the token's vector: waves of many lengths,
# from one turn every six words to one turn every 60,000:
#
# $$PE[p, 2i] = \sin\!\big(p / 10000^{2i/d_{model}}\big), \qquad PE[p, 2i+1] = \cos\!\big(p / 10000^{2i/d_{model}}\big)$$
#
# > **Exercise `sinusoidal_positional_encoding`** · 4 points · 15 minutes · difficulty 2 of 5
#
# Write a function `(max_len, d_model)` that returns the table of shape `(max_len, d_model)`:
#
# - row p is position p, counted from 0; column 0 is a sine, column 1 the cosine of the *same* angle, column 2 the next sine, and so on;
# - `d_model` may be odd: the exponent still divides by `d_model` itself, and the last column is a sine without its cosine;
# - the table is a float32 tensor without a gradient: nothing in it learns. It is compared to 1e-4, up to 512 positions.


# %% nbgrader={"grade": false, "grade_id": "sinusoidal_positional_encoding", "locked": false, "schema_version": 3, "solution": true, "task": false}
def sinusoidal_positional_encoding(max_len: int, d_model: int) -> torch.Tensor:
    """Table of sines and cosines, (max_len, d_model), float32."""
    ### BEGIN SOLUTION
    position = torch.arange(max_len, dtype=torch.float32).unsqueeze(1)  # (max_len, 1)
    rate = 10000.0 ** (-torch.arange(0, d_model, 2) / d_model)  # (ceil(d_model / 2),)
    code = torch.zeros(max_len, d_model)
    code[:, 0::2] = torch.sin(position * rate)
    code[:, 1::2] = torch.cos(position * rate)[:, : d_model // 2]
    return code
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "sinusoidal_positional_encoding_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
checks.self_attention.sinusoidal_positional_encoding(sinusoidal_positional_encoding)
### BEGIN HIDDEN TESTS
with checks.hidden("sinusoidal_positional_encoding"):
    for max_len, d_model in ((512, 64), (512, 33), (3, 1), (40, 128), (7, 5), (300, 3), (1, 6)):
        checks.self_attention.compare_code(sinusoidal_positional_encoding, max_len, d_model)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Make the angles first, all at once: positions as a column `(max_len, 1)`, rates 1/10000^(2i/d_model) as a row, and their product
# broadcasts to `(max_len, ceil(d_model/2))`. `torch.arange(0, d_model, 2)` is the row of all 2i.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# A slice with a step interleaves: `code[:, 0::2]` are the columns 0, 2, 4, … With an odd `d_model` there is one sine more than cosines:
# `code[:, 1::2]` is one column narrower than the table of angles.
#
# </details>
#
# <details><summary>Hint 3: nearly all of it</summary>
#
# ```python
# position = torch.arange(max_len).unsqueeze(1)
# rate = 10000.0 ** (-torch.arange(0, d_model, 2) / d_model)
# code = torch.zeros(max_len, d_model)
# code[:, 0::2] = torch.sin(position * rate)
# code[:, 1::2] = ...        # the cosines, cut to d_model // 2 columns
# ```
#
# </details>

# %% [markdown]
# **Your code at work.** Left: the code itself. Right: how similar position 20 is to every other one.

# %% tags=["needs-answer"]
code = sinusoidal_positional_encoding(60, 64)
fig, axes = plt.subplots(1, 2, figsize=(10, 3.4))
image = axes[0].imshow(code.T, cmap="RdBu", aspect="auto", vmin=-1, vmax=1)
axes[0].set(xlabel="position in the note", ylabel="column", title="The code")
axes[0].grid(visible=False)
fig.colorbar(image, ax=axes[0], label="value")
axes[1].plot(code @ code[20] / (code[20] @ code[20]))
axes[1].axvline(20, color="black", linestyle="--", linewidth=1)
axes[1].set(
    xlabel="position in the note",
    ylabel="cosine with position 20",
    ylim=(0, 1.05),
    title="Nearest is most similar",
)
plt.show()
print(f"root mean square of the code: {code.square().mean().sqrt():.3f}")

# %% [markdown]
# *Left: fast columns on top, slow ones below. Right: cosine similarity of the code of position 20 with all others.*
#
# Neighbours are most alike. Far positions are less alike, though never strangers: the slow columns hardly change within a note, so the cosine stays near one half
# or above. There is nothing to train. Note the root mean square (RMS): sines and cosines have mean
# square 1/2, so it is 0.707 for any width. That number will matter in section 13.


# %% [markdown]
# ## 7 One block
#
# Attention lets words exchange what they know; it is a weighted mean, and nothing in it can compute "cue **and** finding". So a transformer alternates it with a small network that works on
# each word alone. Two details make stacks of such layers trainable. Every part only *adds* to what is there (a **residual** connection), so a word is never lost and gradients have
# a free path. And every part reads a **normalised** copy, so nothing grows from block to block:
#
# $$x \leftarrow x + \mathrm{drop}\big(\mathrm{attention}(\mathrm{norm}_1(x))\big), \qquad x \leftarrow x + \mathrm{drop}\big(\mathrm{ffn}(\mathrm{norm}_2(x))\big)$$
#
# This order is called **pre-norm**. The original transformer normalised *after* each sum (post-norm); most models of today do it as you will.
#
# > **Exercise `EncoderBlock`** · 8 points · 25 minutes · difficulty 3 of 5
#
# Write an `nn.Module` with `__init__(d_model, num_heads, d_ff, dropout=0.0)` and `forward(x, attn_mask=None)`, by the two formulas above:
#
# - `x` is `(B, T, d_model)`; it returns `(out, weights)`, `(B, T, d_model)` and the attention's weights `(B, H, T, T)`;
# - **attention** is your `MultiHeadSelfAttention`; `attn_mask` goes to it as it came, True = may attend. `nn.MultiheadAttention` and `nn.TransformerEncoderLayer` are no answers here;
# - **two** LayerNorms over the features, each with a gain and a shift of its own (`nn.LayerNorm(d_model)` as it is);
# - **ffn** maps d_model → d_ff → d_model, with one ReLU or GELU between the two maps;
# - the second formula starts from the result of the first. With both branches silenced (their last maps zero) the block returns `x` as it is: no norm after the sums;
# - **dropout**, at rate `dropout` (0 ≤ rate < 1), in training mode only: on what each branch adds, and on the attention weights (hand it to your attention). The returned weights
#   are those before dropout. Dropout inside `ffn` is up to you;
# - heads that do not divide d_model: `ValueError`; queries without any key, both dtypes and gradients (through `out` and through `weights`) as before. Names and layout are free.


# %% nbgrader={"grade": false, "grade_id": "EncoderBlock", "locked": false, "schema_version": 3, "solution": true, "task": false}
class EncoderBlock(nn.Module):
    """Pre-norm encoder block.

    Shapes: x (B, T, d_model), attn_mask broadcastable to (B, H, T, T), True = may attend.
    Returns out (B, T, d_model) and weights (B, H, T, T), before dropout.
    """

    def __init__(self, d_model: int, num_heads: int, d_ff: int, dropout: float = 0.0) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.attention = MultiHeadSelfAttention(d_model, num_heads, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.ffn = nn.Sequential(nn.Linear(d_model, d_ff), nn.ReLU(), nn.Linear(d_ff, d_model))
        self.dropout = nn.Dropout(dropout)
        ### END SOLUTION

    def forward(
        self, x: torch.Tensor, attn_mask: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Let the words look at each other, then work on each alone."""
        ### BEGIN SOLUTION
        attended, weights = self.attention(self.norm1(x), attn_mask)
        x = x + self.dropout(attended)
        x = x + self.dropout(self.ffn(self.norm2(x)))
        return x, weights
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "EncoderBlock_check", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}
checks.self_attention.EncoderBlock(EncoderBlock)
### BEGIN HIDDEN TESTS
with checks.hidden("EncoderBlock"):
    look = checks.self_attention
    for d_model, num_heads in ((12, 5), (4, 8)):
        look.refuses_heads(EncoderBlock, d_model, num_heads, 16)
    look.examine_block(EncoderBlock, 8, 2, 5, seed=251, length=4)
    look.examine_block(EncoderBlock, 5, 5, 24, seed=252, length=7)
    look.examine_block(EncoderBlock, 4, 1, 4, seed=253, length=3)
    look.examine_feed_forward(EncoderBlock, seed=254)
    look.examine_norms(EncoderBlock, seed=255)
    look.examine_block_dropout(EncoderBlock, rate=0.25, seed=256)
    look.examine_block_dropout(EncoderBlock, rate=0.6, seed=257)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# `__init__` makes five parts: your attention, two `nn.LayerNorm(d_model)`, the feed-forward part as an `nn.Sequential` of two `nn.Linear` with `nn.ReLU()` between, and one
# `nn.Dropout(dropout)`, which may be used in both places.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `forward` is the two formulas, in two or three lines. The attention returns a pair: `attended, weights = self.attention(self.norm1(x), attn_mask)`. Give the attention the normalised
# copy, but add to `x` itself.
#
# </details>
#
# <details><summary>Hint 3: nearly all of it</summary>
#
# ```python
# # __init__
# self.attention = MultiHeadSelfAttention(d_model, num_heads, dropout)
# self.norm1, self.norm2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
# self.ffn = nn.Sequential(nn.Linear(d_model, d_ff), nn.ReLU(), nn.Linear(d_ff, d_model))
# self.dropout = nn.Dropout(dropout)
# # forward
# attended, weights = self.attention(self.norm1(x), attn_mask)
# x = x + self.dropout(attended)
# x = ...                                  # the second formula
# return x, weights
# ```
#
# </details>

# %% [markdown]
# **Your block at work.** Untrained, on a sentence of random vectors: how much does each of twelve blocks in a row change a word?

# %% tags=["needs-answer"]
torch.manual_seed(SEED)
stack = [EncoderBlock(32, 4, 64).eval() for _ in range(12)]
x = torch.randn(1, 6, 32)
sizes, kept = [], []
with torch.no_grad():
    y = x
    for block in stack:
        y, _ = block(y)
        sizes.append(y.square().mean().sqrt().item())
        kept.append(F.cosine_similarity(x, y, dim=-1).mean().item())
fig, axes = plt.subplots(1, 2, figsize=(9, 2.8))
axes[0].plot(range(1, 13), sizes, marker="o")
axes[0].set(xlabel="block", ylabel="root mean square", ylim=(0, None), title="Size of the vectors")
axes[1].plot(range(1, 13), kept, marker="o")
axes[1].set(xlabel="block", ylabel="cosine with the input", ylim=(0, 1.03), title="What is kept")
plt.show()

# %% [markdown]
# *Untrained blocks in a row. Left: size of the vectors. Right: similarity with the block's first input.*


# %% [markdown]
# ## 8 From tokens to one vector
#
# A note has many token vectors, a classifier wants one. The simplest summary is their mean. But notes in a batch have different
# lengths, the short ones are filled up with padding, and padding has vectors too. Averaging those in makes a prediction depend on how long
# the *neighbour's* note is:
#
# $$\text{pooled} = \frac{\sum_t m_t\, x_t}{\sum_t m_t}, \qquad m_t = 1 \text{ for a real token, else } 0$$
#
# > **Exercise `masked_mean_pool`** · 3 points · 10 minutes · difficulty 1 of 5
#
# Write a function of `x (B, T, D)` and `is_token (B, T)`, boolean, that returns the `(B, D)` means:
#
# - True may stand anywhere in a row, not only at its beginning;
# - `x` holds finite numbers everywhere, also at padding, but those must not matter;
# - a row without any token gives zeros, and its gradient is finite too;
# - dtype kept (bfloat16 too), gradients flow.


# %% nbgrader={"grade": false, "grade_id": "masked_mean_pool", "locked": false, "schema_version": 3, "solution": true, "task": false}
def masked_mean_pool(x: torch.Tensor, is_token: torch.Tensor) -> torch.Tensor:
    """Mean over the real tokens.  x (B, T, D), is_token (B, T) bool -> (B, D)."""
    ### BEGIN SOLUTION
    keep = is_token.unsqueeze(-1).to(x.dtype)  # (B, T, 1)
    return (x * keep).sum(dim=1) / keep.sum(dim=1).clamp(min=1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "masked_mean_pool_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
checks.self_attention.masked_mean_pool(masked_mean_pool)
### BEGIN HIDDEN TESTS
with checks.hidden("masked_mean_pool"):
    look = checks.self_attention
    for dtype in (torch.float32, torch.float64):
        for b, t, d in ((1, 1, 3), (1, 6, 1), (7, 9, 5), (2, 2, 2)):
            x = look.draw(b, t, d, seed=301, dtype=dtype)
            for share in (0.5, 0.0, 1.0):
                keep = torch.rand(b, t, generator=look.numbers(302)) < share
                look.compare_pooling(masked_mean_pool, x, keep)
                # Large numbers at padding, and zeros that are real.
                look.compare_pooling(masked_mean_pool, torch.where(keep[..., None], x, 3e6), keep)
                look.compare_pooling(
                    masked_mean_pool, x * (x > 0) * (torch.arange(t) > 0)[:, None], keep
                )
                if not keep.any():
                    continue
                leaf = x.clone().requires_grad_()
                pooled = masked_mean_pool(leaf, keep)
                slope = look.gradients((pooled**2).sum(), [leaf], "the pooled vectors")[0]
                weight = keep / keep.sum(1, keepdim=True).clamp(min=1)
                want = 2 * weight[..., None] * pooled.detach()[:, None]
                checks.same(slope, want.to(dtype), "the gradient of x", rtol=1e-4, atol=1e-6)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Multiplying by 0 and 1 removes the padding from a sum: the mask needs one more dimension, `(B, T, 1)`, to go with `(B, T, D)`.
# Then divide by the number of tokens of *that row*, not by T.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# A row without tokens would divide 0 by 0. Repairing the NaN afterwards is too late for the gradient. Let the count be at least 1:
# `0 / 1` is the zero you need.
#
# </details>
#
# <details><summary>Hint 3: nearly all of it</summary>
#
# ```python
# keep = is_token.unsqueeze(-1).to(x.dtype)      # (B, T, 1)
# return (x * keep).sum(dim=1) / ...             # the number of tokens, at least 1
# ```
#
# </details>

# %% [markdown]
# **Your function at work.** One note, padded more and more. Its meaning does not change; what happens to its mean?

# %% tags=["needs-answer"]
generator = torch.Generator().manual_seed(SEED)
note = torch.randn(1, 12, 64, generator=generator)
filler = torch.randn(64, generator=generator)  # inside a model padding has a vector like any token
extra = range(0, 60, 6)
ours, naive = [], []
with torch.no_grad():
    alone = note.mean(dim=1)
    for n in extra:
        padded = torch.cat([note, filler.expand(1, n, 64)], dim=1)
        is_token = torch.arange(12 + n)[None] < 12
        ours.append((masked_mean_pool(padded, is_token) - alone).norm().item())
        naive.append((padded.mean(dim=1) - alone).norm().item())
fig, ax = plt.subplots(figsize=(7, 3.2))
ax.plot(extra, ours, marker="o", label="mean over real tokens")
ax.plot(extra, naive, marker="s", label="mean over all positions")
ax.set(
    xlabel="padding added to a note of 12 words",
    ylabel="distance from the unpadded note's mean",
)
ax.legend()
plt.show()

# %% [markdown]
# *How far the pooled vector moves from that of the unpadded note, against the amount of padding.*
#
# The plain mean drifts towards the padding with the company a note keeps: the same note gets another score in another batch. In production that is a bug nobody finds.


# %% [markdown]
# ## 9 A loss for several labels at once
#
# A note may assert several findings or none, so each class gets its own yes-or-no question and its own sigmoid $p = \sigma(z)$. The loss
# is the surprise about the truth, averaged over all B·C questions:
#
# $$\ell = -\big[w_c\, y \log \sigma(z) + (1 - y) \log(1 - \sigma(z))\big]$$
#
# Written down naively it fails exactly when the model is most wrong: at z = −1000 the sigmoid is 0 and its logarithm minus infinity. The cure
# is to never form the probability: $\log \sigma(z) = -\operatorname{softplus}(-z)$ and $1 - \sigma(z) = \sigma(-z)$.
#
# > **Exercise `multilabel_loss`** · 5 points · 15 minutes · difficulty 2 of 5
#
# Write a function of `logits (B, C)`, `labels (B, C)` and `pos_weight`, which is `None` or `(C,)`:
#
# - it returns a 0-d tensor: the mean over all B·C entries, in the dtype of `logits` (bfloat16 too), whatever that of `labels` and `pos_weight`;
# - `labels` are 0 and 1 in any dtype, boolean and integer included;
# - `pos_weight` multiplies the *positive* term of its class, and nothing else: no division by the sum of weights; a weight may be 0;
# - loss and gradients are right and finite at logits of ±1000 (at a logit of exactly 0 the gradient is not compared);
# - build it from the formula. `F.logsigmoid`, `F.softplus` and `torch.logaddexp` are allowed, a ready-made binary cross-entropy is not.


# %% nbgrader={"grade": false, "grade_id": "multilabel_loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def multilabel_loss(
    logits: torch.Tensor, labels: torch.Tensor, pos_weight: torch.Tensor | None = None
) -> torch.Tensor:
    """Mean binary cross-entropy.  logits and labels (B, C), pos_weight (C,) -> 0-d tensor."""
    ### BEGIN SOLUTION
    labels = labels.to(logits.dtype)
    positive = labels * F.softplus(-logits)  # -log sigmoid(z)
    if pos_weight is not None:
        positive = positive * pos_weight.to(logits.dtype)
    negative = (1 - labels) * F.softplus(logits)  # -log(1 - sigmoid(z))
    return (positive + negative).mean()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "multilabel_loss_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
checks.self_attention.multilabel_loss(multilabel_loss)
### BEGIN HIDDEN TESTS
with checks.hidden("multilabel_loss"):
    look = checks.self_attention
    kinds = (torch.uint8, torch.int32, torch.bool, torch.float32, torch.float64, torch.int64)
    for dtype in (torch.float32, torch.float64):
        for b, c in ((1, 1), (1, 4), (6, 1), (4, 4), (3, 7)):
            z = 3 * look.draw(b, c, seed=401, dtype=dtype)
            y = look.draw(b, c, seed=402) > 0
            weight = (look.draw(c, seed=403, dtype=dtype) ** 2) + 0.1
            for kind in kinds:
                look.compare_loss(multilabel_loss, z, y.to(kind))
                look.compare_loss(multilabel_loss, z, y.to(kind), weight)
            look.compare_loss(multilabel_loss, z, torch.ones_like(y), weight)
            look.compare_loss(multilabel_loss, z, torch.zeros_like(y), weight)
        for size in (20.0, 60.0, 90.0, 1000.0):
            far = torch.tensor([[size, -size], [-size, size], [size, 0.3]], dtype=dtype)
            for y in (far > 0, far < 0, torch.ones_like(far), torch.zeros_like(far)):
                look.compare_loss(multilabel_loss, far, y)
                look.compare_loss(multilabel_loss, far, y, torch.tensor([3.0, 0.2], dtype=dtype))
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Write the two terms with softplus: `F.softplus(-z)` is −log σ(z), the price of a missed finding; `F.softplus(z)` is −log(1 − σ(z)), the
# price of a false alarm. Neither overflows.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Labels may arrive as booleans, and `1 - labels` is not defined for those: convert them to `logits.dtype` first. `pos_weight (C,)`
# broadcasts against `(B, C)` by itself; it belongs to the first term alone.
#
# </details>
#
# <details><summary>Hint 3: nearly all of it</summary>
#
# ```python
# labels = labels.to(logits.dtype)
# positive = labels * F.softplus(-logits)        # times pos_weight.to(logits.dtype), if there is one
# negative = ...
# return (positive + negative).mean()
# ```
#
# </details>

# %% [markdown]
# **Your function at work.** The loss of a positive label, beside the textbook formula written down literally, in float32.

# %% tags=["needs-answer"]
logits = torch.linspace(-150, 150, 301)
stable = torch.stack([multilabel_loss(z.view(1, 1), torch.ones(1, 1)) for z in logits])
literal = -torch.log(torch.sigmoid(logits))
heavy = torch.stack(
    [multilabel_loss(z.view(1, 1), torch.ones(1, 1), torch.tensor([2.0])) for z in logits]
)
fig, ax = plt.subplots(figsize=(7, 3.2))
ax.plot(logits, heavy, color="C1", label="yours, pos_weight = 2")
ax.plot(logits, stable, color="C0", linewidth=3, alpha=0.6, label="yours")
ax.plot(logits, literal, color="black", linestyle="--", label="-log(sigmoid(z)) as written")
ax.set(xlabel="logit z of a positive label", ylabel="loss (nats)")
ax.legend()
plt.show()
print(f"literal formula at z = -150: {literal[0]:.0f}; yours: {stable[0]:.0f}")

# %% [markdown]
# *Loss of a positive label against its logit. The literal formula stops near −88, where the sigmoid becomes exactly zero.*
#
# To the left of the break the literal loss is infinite and its gradient NaN: one confident mistake ends the training.


# %% [markdown]
# ## 10 One epoch of training
#
# Training repeats one small loop: forget old gradients, predict, measure the loss, send it backwards, bound the gradient, step. Every line is
# easy and every one is forgotten now and then, mostly without an error message: the model just learns a little worse. Transformers also meet
# the odd batch with a huge gradient, so its length is bounded:
#
# $$g \leftarrow g \cdot \min\!\big(1,\ \text{max\_norm} / \lVert g \rVert\big), \qquad \lVert g \rVert \text{ over all parameters together}$$
#
# > **Exercise `train_one_epoch`** · 6 points · 20 minutes · difficulty 2 of 5
#
# Write a function of `model`, `batches`, `optimizer`, `loss_fn` and `max_norm` that trains once over the batches:
#
# - `batches` is *any* iterable of `(tokens, labels)`, perhaps a generator: read it once, do not ask for its length;
# - `model(tokens)` returns `(logits, attention)`; the loss is `loss_fn(logits, labels)`, with the labels as they come, a mean over the batch;
# - the model is in training mode;
# - for each batch: clear the gradients (there may be stale ones from before), one forward pass, backward, clip the *total* norm of all
#   parameters of the model to `max_norm` (the optimizer may hold only some of them), one step of the optimizer;
# - return a Python `float`: the mean loss per sample, that is the batch losses *before* their step, weighted by batch size (the last
#   batch is often smaller);
# - without any batch there is no mean: raise a `ValueError`.


# %% nbgrader={"grade": false, "grade_id": "train_one_epoch", "locked": false, "schema_version": 3, "solution": true, "task": false}
def train_one_epoch(
    model: nn.Module,
    batches: Iterable[tuple[torch.Tensor, torch.Tensor]],
    optimizer: torch.optim.Optimizer,
    loss_fn: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    max_norm: float = 1.0,
) -> float:
    """Train once over the batches and return the mean loss per sample."""
    ### BEGIN SOLUTION
    model.train()
    total, n_samples = 0.0, 0
    for tokens, labels in batches:
        optimizer.zero_grad()
        logits, _ = model(tokens)
        loss = loss_fn(logits, labels)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()
        total += loss.item() * len(labels)
        n_samples += len(labels)
    if n_samples == 0:
        raise ValueError("train_one_epoch needs at least one batch, got none")
    return total / n_samples
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "train_one_epoch_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
checks.self_attention.train_one_epoch(train_one_epoch)
### BEGIN HIDDEN TESTS
with checks.hidden("train_one_epoch"):
    look = checks.self_attention
    for dtype in (torch.float32, torch.float64):
        for sizes, max_norm in (((2, 5, 1, 3), 0.05), ((6,), None), ((1, 1), 2.0), ((3, 4), 100.0)):
            for as_list in (False, True):
                look.examine_epoch(
                    train_one_epoch,
                    sizes=sizes,
                    max_norm=max_norm,
                    seed=501,
                    dtype=dtype,
                    as_list=as_list,
                )
    look.examine_empty(train_one_epoch, seed=502)

    def reference(model, batches, optimizer, max_norm):
        losses = []
        for tokens, labels in batches:
            model.zero_grad()
            loss = look.loss_of(model.train()(tokens)[0], labels)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), max_norm)
            optimizer.step()
            losses += [loss.item()] * len(tokens)
        return float(np.mean(losses))

    for kind in (torch.optim.AdamW, torch.optim.SGD):
        data = look.make_batches((3, 5, 5, 2), 503, torch.float64)
        ours, yours = (look.WatchedModel(504, torch.float64) for _ in range(2))
        groups = [[{"params": [p]} for p in model.parameters()] for model in (ours, yours)]
        want = reference(ours, data, kind(groups[0], lr=0.01), 0.7)
        step = kind(groups[1], lr=0.01)
        got = checks.call(train_one_epoch, yours, (pair for pair in data), step, look.loss_of, 0.7)
        checks.same(got, want, "the mean loss", rtol=1e-4)
        for a, b in zip(yours.parameters(), ours.parameters(), strict=True):
            checks.same(a, b.detach(), "a parameter after the epoch", rtol=1e-3, atol=1e-5)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Write the body of the loop in the order of the bullets; most mistakes here are a line in the wrong place. `optimizer.zero_grad()` comes before
# `backward()`, `nn.utils.clip_grad_norm_(model.parameters(), max_norm)` between `backward()` and `step()`.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The mean per sample: add up `loss.item() * len(labels)` and `len(labels)` over the batches and divide at the end. If no sample came, the second
# sum is still 0: that is where the `ValueError` belongs.
#
# </details>
#
# <details><summary>Hint 3: nearly all of it</summary>
#
# ```python
# model.train()
# total, n_samples = 0.0, 0
# for tokens, labels in batches:
#     optimizer.zero_grad()
#     logits, _ = model(tokens)
#     loss = loss_fn(logits, labels)
#     ...                                # backward, clip, step
#     total += loss.item() * len(labels)
#     n_samples += len(labels)
# ```
#
# </details>

# %% [markdown]
# **Your loop at work.** A first model without attention: the mean of the word vectors, then a linear map. It takes a second or two.


# %% tags=["needs-answer", "train"]
class MeanOfWords(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(len(VOCABULARY), 32, mode="mean", padding_idx=0)
        self.head = nn.Linear(32, len(CLASS_NAMES))

    def forward(self, tokens: torch.Tensor) -> tuple[torch.Tensor, None]:
        return self.head(self.bag(tokens)), None  # (B, C), no attention


torch.manual_seed(SEED)
first_model = MeanOfWords()
optimizer = torch.optim.AdamW(first_model.parameters(), lr=1e-2)
all_tokens, all_labels = (
    torch.from_numpy(train_notes.token_ids),
    torch.from_numpy(train_notes.labels).float(),
)
epoch_losses = []
for epoch in range(6):
    order = training.bucketed_batches(
        train_notes.lengths, 64, generator=torch.Generator().manual_seed(epoch)
    )
    epoch_losses.append(
        train_one_epoch(
            first_model,
            ((all_tokens[i], all_labels[i]) for i in order),
            optimizer,
            F.binary_cross_entropy_with_logits,
        )
    )
fig, ax = plt.subplots(figsize=(6, 3))
ax.plot(range(1, 7), epoch_losses, marker="o")
ax.set(xlabel="epoch", ylabel="mean training loss (nats)", ylim=(0, None))
plt.show()

# %% [markdown]
# *Training loss of the mean-of-words model by epoch.*
#
# It learns, and then it stops well above zero. More epochs would not help: a mean of words cannot know which cue belongs to which finding.


# %% [markdown]
# ## 11 Scores that forgive less
#
# Most findings are absent from most notes, so a model that always says *no* has a high accuracy. F1 leaves the true negatives out: it is the harmonic
# mean of precision (the share of alarms that were right) and recall (the share of positive labels that were found),
#
# $$F_1 = \frac{2\,TP}{2\,TP + FP + FN}$$
#
# With several classes there are two ways to one number. *Micro* pools the counts of all classes, so frequent findings dominate. *Macro*
# is the mean of the per-class scores, so a rare finding counts as much as a common one.
#
# > **Exercise `f1_scores`** · 5 points · 15 minutes · difficulty 2 of 5
#
# Write a function of `labels` and `predictions`, both `(B, C)` with entries 0 and 1:
#
# - either may be a numpy array or a CPU tensor of any dtype (boolean, integer, float); `C` may be 1;
# - return a dict with `micro` and `macro` (numbers) and `per_class` (a sequence of C numbers);
# - a score without any positive, neither true nor predicted, is 0/0: call it **0**, and let it count in the macro mean;
# - scikit-learn is allowed, if you watch what it does with a single class.


# %% nbgrader={"grade": false, "grade_id": "f1_scores", "locked": false, "schema_version": 3, "solution": true, "task": false}
def f1_scores(labels: np.ndarray | torch.Tensor, predictions: np.ndarray | torch.Tensor) -> dict:
    """F1 as {"micro": float, "macro": float, "per_class": C floats}.  Inputs (B, C) of 0 and 1."""
    ### BEGIN SOLUTION
    truth, guess = np.asarray(labels) > 0, np.asarray(predictions) > 0

    def f1(hits: int, errors: int) -> float:
        return float(2 * hits / (2 * hits + errors)) if hits else 0.0

    hits, errors = (truth & guess).sum(axis=0), (truth != guess).sum(axis=0)
    per_class = [f1(h, e) for h, e in zip(hits, errors, strict=True)]
    return {
        "micro": f1(hits.sum(), errors.sum()),
        "macro": sum(per_class) / len(per_class),
        "per_class": per_class,
    }
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "f1_scores_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
checks.self_attention.f1_scores(f1_scores)
### BEGIN HIDDEN TESTS
with checks.hidden("f1_scores"):
    look = checks.self_attention
    kinds = (bool, np.uint8, np.int8, np.int32, np.int64, np.float32, np.float64)
    for seed, (b, c) in enumerate(((1, 1), (1, 5), (7, 1), (30, 3), (600, 2))):
        random = np.random.default_rng(600 + seed)
        y = random.random((b, c)) < random.uniform(0.2, 0.9, c)
        p = np.where(random.random((b, c)) < 0.8, y, ~y)
        for kind in kinds:
            one, two = y.astype(kind), p.astype(kind)
            look.compare_f1(f1_scores, one, two)
            look.compare_f1(f1_scores, torch.from_numpy(one), torch.from_numpy(two))
        nothing = np.zeros_like(y, dtype=int)
        for one, two in ((nothing, nothing), (y + 0, nothing), (nothing, p + 0), (y + 0, y + 0)):
            look.compare_f1(f1_scores, one, two)
            look.compare_f1(f1_scores, torch.from_numpy(one).float(), torch.from_numpy(two).float())
        mixed = np.concatenate([y, nothing, ~y * nothing, y], axis=1).astype(int)
        look.compare_f1(f1_scores, mixed, np.concatenate([p, nothing, p, ~y], axis=1).astype(int))
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Turn both into boolean numpy arrays (`np.asarray(...) > 0` works for arrays and CPU tensors). Then TP is `(truth & guess).sum(axis=0)`, one count per class.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# FP + FN together are simply the entries that differ. For micro, add up the counts of all classes *before* dividing; for macro, average the
# finished scores. And decide the 0/0 case before you divide.
#
# </details>
#
# <details><summary>Hint 3: nearly all of it</summary>
#
# ```python
# truth, guess = np.asarray(labels) > 0, np.asarray(predictions) > 0
# hits, errors = (truth & guess).sum(axis=0), (truth != guess).sum(axis=0)
#
# def f1(hits, errors):
#     return float(2 * hits / (2 * hits + errors)) if hits else 0.0
# ```
# `per_class` calls it for each class, `micro` for the two sums.
#
# </details>

# %% [markdown]
# **Your function at work**, on two predictors that have learned nothing.

# %% tags=["needs-answer"]
always = np.ones_like(test_notes.labels)
fig, ax = plt.subplots(figsize=(7, 3.2))
for offset, (name, predictions) in zip(
    (-0.2, 0.2),
    {"mention = positive": mention_positive, "always positive": always}.items(),
    strict=True,
):
    scores = f1_scores(test_notes.labels, predictions)
    ax.bar(
        np.arange(4) + offset,
        scores["per_class"],
        0.38,
        label=f"{name}: micro {scores['micro']:.2f}, macro {scores['macro']:.2f}",
    )
ax.set_xticks(range(4), CLASS_NAMES)
ax.set(ylabel="F1 per problem group", ylim=(0, 1))
ax.legend(loc="upper right")
plt.show()

# %% [markdown]
# *F1 of each problem group for two rules without any learning.*
#
# Whatever you train has to be read against these bars, not against zero.
#
# **End of sitting 01a.** You have every part of an encoder. In 01b you put them together, and find out what it takes to make them work.


# %% [markdown]
# ## 12 Models to beat
#
# **Sitting 01b begins here.** Run all cells above first (*Run → Run All Above Selected Cell*); it takes seconds.
#
# "Attention outperforms ..." means nothing without the others, trained on the same notes. So here they are, from no learning at all to
# a recurrent network of the size of our encoder:
#
# 1. **mention = positive**, the trap of section 2;
# 2. a **rule**, twice: in the manner of NegEx a cue reaches five words, in the manner of ConText it reaches until a terminator (*but*, a full stop) stops it;
# 3. **TF-IDF and logistic regression**, a bag of words;
# 4. the **mean of learned word vectors** with a hidden layer, another bag;
# 5. a **BiLSTM**, which reads the words in order, forwards and backwards.
#
# First, what all of them share: the notes as tensors, and one way to predict and to keep the results.


# %%
def to_tensors(notes) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """Token ids (N, L) and labels (N, C) on the device; lengths (N,) stay on the CPU."""
    return (
        torch.from_numpy(notes.token_ids).to(DEVICE),
        torch.from_numpy(notes.labels).float().to(DEVICE),
        notes.lengths,
    )


DATA = {id(notes): to_tensors(notes) for notes in (train_notes, valid_notes, test_notes)}
RESULTS: dict[str, dict] = {}
HISTORIES: dict[str, pd.DataFrame] = {}


def predict_logits(model: nn.Module, notes) -> torch.Tensor:
    """Logits (N, C) in the order of the notes, in batches of similar length."""
    tokens, _, lengths = DATA[id(notes)]
    return training.predict(model, lambda m, i: m(tokens[i, : lengths[i].max()])[0], lengths)


def keep(name: str, predictions: np.ndarray, parameters: int = 0, cpu_seconds: float = 0.0) -> None:
    """Score predictions (N, C) on the test notes and file them under a name."""
    scores = {
        average: f1_score(test_notes.labels, predictions, average=average)
        for average in ("micro", "macro")
    }
    accuracy = metrics.assertion_accuracy(predictions, test_notes.labels, test_notes.mentioned)
    RESULTS[name] = {
        "predictions": predictions,
        "parameters": parameters,
        "cpu_seconds": cpu_seconds,
        **scores,
        **accuracy,
    }
    print(f"{name}: micro-F1 {scores['micro']:.3f}, accuracy on negated {accuracy['negated']:.3f}")


keep("mention = positive", mention_positive)

# %% [markdown]
# The rule (`rule_labels` of the course's library, thirty lines) is written by somebody who has read many notes: lists of cues before and after a finding, of phrases that only look like one, and of
# terminators. It looks to either side of a finding for a cue, within its clause: five words far, or as far as the clause goes.

# %%
RULES = {
    "rule (five words)": {"reach": 5},
    "rule (whole clause)": {"reach": None},
}
for name, settings in RULES.items():
    keep(name, np.stack([rule_labels(text, **settings) for text in test_notes.texts()]))

# %%
tfidf = TfidfVectorizer(sublinear_tf=True)
features = tfidf.fit_transform(train_notes.texts())
for name, class_weight in (
    ("TF-IDF + logistic regression", "balanced"),
    ("TF-IDF + LR, not balanced", None),
):
    start = time.process_time()
    bag_models = [
        LogisticRegression(C=10.0, class_weight=class_weight, max_iter=500).fit(features, y)
        for y in train_notes.labels.T
    ]
    bag_of_words = np.stack(
        [m.predict(tfidf.transform(test_notes.texts())) for m in bag_models], axis=1
    )
    seconds = time.process_time() - start
    keep(name, bag_of_words, len(CLASS_NAMES) * (features.shape[1] + 1), seconds)

for key, name in (
    ("bag_of_words_negated_accuracy", "TF-IDF + logistic regression"),
    ("unbalanced_bag_negated_accuracy", "TF-IDF + LR, not balanced"),
):
    claims.claim("01_self_attention", key, RESULTS[name]["negated"])

# %% [markdown]
# Now the two networks. Both return `(logits, attention)` like the encoder will, with `None` for the attention they do not have, so one
# function trains them all: AdamW, a one-cycle learning rate, batches of notes of similar length, and of all epochs the one with the best
# validation F1 is kept. Why similar length? Because a batch is as wide as its longest note, and everything behind a shorter one is computed for nothing:


# %%
def padding_share(batches: Iterable[torch.Tensor], lengths: np.ndarray) -> float:
    """Share of all positions in these batches that hold padding."""
    positions = sum(len(index) * lengths[index].max() for index in batches)
    return 1 - lengths.sum() / positions


generator = torch.Generator().manual_seed(SEED)
any_order = torch.randperm(len(train_notes), generator=generator).split(32)
by_length = training.bucketed_batches(train_notes.lengths, 32, generator=generator)
print(
    f"padding: {padding_share(any_order, train_notes.lengths):.0%} of the positions in random batches,"
    f" {padding_share(by_length, train_notes.lengths):.0%} in batches of similar length"
)


# %%
def validate(model: nn.Module) -> dict[str, float]:
    """Micro-F1 and accuracy on negated groups, on the validation notes."""
    predictions = (predict_logits(model, valid_notes) > 0).numpy()
    accuracy = metrics.assertion_accuracy(predictions, valid_notes.labels, valid_notes.mentioned)
    f1 = f1_score(valid_notes.labels, predictions, average="micro")
    return {"val_f1": f1, "val_negated": accuracy["negated"]}


# %%
def run(name: str, model: nn.Module, *, epochs: int, lr: float, batch_size: int) -> nn.Module:
    """Train a model on the training notes, keep its best epoch, file its results."""
    tokens, labels, lengths = DATA[id(train_notes)]

    def batches(epoch: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
        generator = torch.Generator().manual_seed(1000 * SEED + epoch)
        index = training.bucketed_batches(lengths, batch_size, generator=generator)
        return [(tokens[i, : lengths[i].max()], labels[i]) for i in index]

    def step_loss(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        return F.binary_cross_entropy_with_logits(model(batch[0])[0], batch[1])

    model.to(DEVICE)
    HISTORIES[name] = training.fit(
        model,
        batches,
        step_loss,
        epochs=epochs,
        lr=lr,
        validate=validate,
        warmup=0.15,
        monitor="+val_f1",
        keep_best=True,
        label=name,
    )
    parameters = sum(p.numel() for p in model.parameters())
    keep(
        name,
        (predict_logits(model, test_notes) > 0).numpy().astype(np.uint8),
        parameters,
        HISTORIES[name].cpu_seconds.iloc[-1],
    )
    return model.eval()


# %% tags=["train"]
class MeanOfEmbeddings(nn.Module):
    """Mean of word vectors, then a hidden layer: order is lost in the first step."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(len(VOCABULARY), width, mode="mean", padding_idx=0)
        self.head = nn.Sequential(
            nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, len(CLASS_NAMES))
        )

    def forward(self, tokens: torch.Tensor) -> tuple[torch.Tensor, None]:
        return self.head(self.bag(tokens)), None


class BiLSTM(nn.Module):
    """Reads the note in both directions and keeps each feature's largest value."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(VOCABULARY), width, padding_idx=0)
        self.lstm = nn.LSTM(width, width, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * width, len(CLASS_NAMES))

    def forward(self, tokens: torch.Tensor) -> tuple[torch.Tensor, None]:
        states, _ = self.lstm(self.embedding(tokens))  # (B, T, 2 D)
        states = states.masked_fill((tokens == 0)[..., None], -1e4)
        return self.head(states.amax(dim=1)), None


torch.manual_seed(SEED)
mean_model = run("mean of embeddings", MeanOfEmbeddings(), epochs=4, lr=1e-2, batch_size=64)
torch.manual_seed(SEED)
lstm_model = run("BiLSTM", BiLSTM(), epochs=3, lr=6e-3, batch_size=64)

# %% [markdown]
# No bag gets far beyond an F1 of 0.8, and each misses about a fifth of the negated groups or more. They play the odds: many cues in a note make every
# group a little less likely. Which errors a bag makes is a matter of taste: with balanced classes the logistic regression says *yes* more often, without it
# says *no* more often. That moves errors from negated to asserted groups and solves nothing.
#
# The BiLSTM (its recipe differs from the encoder's below: fewer epochs, larger steps, which suit it) all but solves the task. And look at the second rule: **a cue that
# reaches to the end of its clause makes not one mistake.** The grammar of these notes is solvable by rule, because somebody who knew such rules wrote it. So the
# question of the next sections is not whether a network beats the rule here; nothing can. It is what a network needs to find the rule by itself, from labels alone.
# Section 18 then changes the grammar.


# %% [markdown]
# ## 13 An encoder that fails, and four runs that say why
#
# Here is the whole model as the original transformer had it, small: word vectors times $\sqrt{D}$, plus positions, two encoder blocks, pooling, one logit per
# group. Unlike yours in section 7 its blocks normalise **after** the sum (*post-norm*):
#
# $$x \leftarrow \mathrm{LN}(x + \mathrm{Attention}(x)), \qquad x \leftarrow \mathrm{LN}(x + \mathrm{FFN}(x)).$$
#
# So the first attention sees the sum of token and position just as it is, however large. That is why this form is examined here; most newer models
# normalise what *enters* each part (*pre-norm*).
#
# The pooling is a **learned query per label**: every group chooses its own words, by cross-attention with four trained queries.
# Two numbers can be set before training: how much of the position code is added, and (by `set_loudness`) how large the word vectors start.

# %%
D_MODEL, D_FF, NUM_HEADS, NUM_BLOCKS = 48, 48, 4, 2
RECIPE = {"epochs": 4, "lr": 4e-3, "batch_size": 32}  # the same for every encoder below


# %%
class NoteClassifier(nn.Module):
    """Token ids (B, T) -> logits (B, C); if asked, attention of blocks and pooling, (B, H, ., T)."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(VOCABULARY), D_MODEL, padding_idx=0)  # entries N(0, 1)
        self.position = layers.SinusoidalPositionalEncoding(D_MODEL)
        self.position_gain = 1.0
        self.blocks = nn.ModuleList(
            layers.EncoderBlock(D_MODEL, NUM_HEADS, D_FF, norm="post") for _ in range(NUM_BLOCKS)
        )
        self.pooling = layers.AttentionPooling(D_MODEL, NUM_HEADS, len(CLASS_NAMES))
        self.weight = nn.Parameter(torch.randn(len(CLASS_NAMES), D_MODEL) / math.sqrt(D_MODEL))
        self.bias = nn.Parameter(torch.zeros(len(CLASS_NAMES)))

    def summands(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Word vectors and position codes, (B, T, D) each."""
        vectors = math.sqrt(D_MODEL) * self.embedding(tokens)
        return vectors, self.position_gain * self.position(torch.zeros_like(vectors))

    def forward(
        self, tokens: torch.Tensor, need_weights: bool = False
    ) -> tuple[torch.Tensor, list[torch.Tensor | None]]:
        mask = layers.padding_mask(tokens)  # (B, 1, 1, T), True = real word
        vectors, code = self.summands(tokens)
        x, attention = vectors + code, []
        for block in self.blocks:
            x, weights = block(x, attn_mask=mask, need_weights=need_weights)
            attention.append(weights)
        pooled, weights = self.pooling(x, attn_mask=mask, need_weights=need_weights)  # (B, C, D)
        return (pooled * self.weight).sum(-1) + self.bias, [*attention, weights]


# %% [markdown]
# Train it exactly as many tutorials do, with the usual initialisation of `nn.Embedding`.

# %% tags=["train"]
torch.manual_seed(SEED)
usual_model = run("encoder, usual start", NoteClassifier(), **RECIPE)
usual_both = RESULTS["encoder, usual start"]["both_kinds"]
_ = claims.claim("01_self_attention", "usual_both_kinds", usual_both)

# %% [markdown]
# With all its attention it is no better than the bags; on notes of both kinds it is close to guessing. Why? Before you read on: what must the model know to tell
# "denies A but reports B" from "denies B but reports A", and where does it enter?
#
# **Measure it.** The input of the first block is a sum of a token vector and a position code. How large is each of them, before any training? And how widely
# does the first attention look? (Its entropy, section 19: 1 means at all words alike, 0 means at a single word.)


# %%
@torch.no_grad()
def loudness(model: NoteClassifier) -> tuple[float, float]:
    """Root mean square of the word vectors and of the position codes at real words."""
    sample = DATA[id(test_notes)][0][:200]
    real = sample != 0
    vectors, code = model.summands(sample)
    return tuple(part[real].square().mean().sqrt().item() for part in (vectors, code))


@torch.no_grad()
def first_block_entropy(model: NoteClassifier) -> float:
    """Mean entropy of the first block's attention, as a share of its maximum log(length)."""
    tokens, _, lengths = DATA[id(test_notes)]
    entropies = []
    for i in range(60):
        weights = model(tokens[i : i + 1, : lengths[i]], need_weights=True)[1][0]
        entropies.append((torch.special.entr(weights).sum(-1) / math.log(lengths[i])).mean().item())
    return float(np.mean(entropies))


torch.manual_seed(SEED)
fresh = NoteClassifier().to(DEVICE)
for name, model in {"before training": fresh, "after training": usual_model}.items():
    word, place = loudness(model)
    print(
        f"{name}: token RMS {word:.2f}, position RMS {place:.2f}, ratio {word / place:.1f};"
        f" entropy of the first attention {first_block_entropy(model):.2f}"
    )
word, place = loudness(fresh)
USUAL_RATIO = word / place
_ = claims.claim("01_self_attention", "usual_rms_ratio", USUAL_RATIO)

# %% [markdown]
# Two things are odd at once, and training repairs neither:
#
# 1. **The position is drowned.** The token is ten times as large as the position: $\sqrt{D} \cdot 1$ against $1/\sqrt 2$. In the sum, about one percent of the power
#    says *where* a word stands.
# 2. **The scores are saturated.** A dot product of two vectors grows with the product of their sizes, so the first scores are some fifty times too large, the softmax
#    is closed, and each word looks at one word that chance has chosen.
#
# Which of the two makes it fail? Both look convincing, and an explanation that only sounds right is not one. So take them apart: two levels of each make
# four runs, a **2 × 2 experiment**. *Drowned* or *audible* is the ratio of token to position, 10 : 1 or 1 : 1. *Loud* or *quiet* is the size of their sum, as large as with the usual start
# (scores saturated) or with a root mean square of 1 (scores open). All else is the same: data, steps, random numbers.

# %%
cause_guess = checks.guess(
    "what makes the encoder read negation",
    ["an audible position alone", "open scores alone", "either is enough", "only both together"],
    ...,
)


# %% tags=["train"]
@torch.no_grad()
def set_loudness(model: NoteClassifier, ratio: float, total: float) -> NoteClassifier:
    """Scale word vectors and position codes to this ratio and this root mean square of their sum."""
    word, place = loudness(model.to(DEVICE))
    wanted = total / math.sqrt(1 + ratio**2)  # of the position
    model.embedding.weight *= ratio * wanted / word
    model.position_gain *= wanted / place
    return model


LOUD = math.hypot(word, place)
torch.manual_seed(SEED)
run("encoder, drowned and quiet", set_loudness(NoteClassifier(), USUAL_RATIO, 1.0), **RECIPE)
torch.manual_seed(SEED)
run("encoder, audible and loud", set_loudness(NoteClassifier(), 1.0, LOUD), **RECIPE)
torch.manual_seed(SEED)
encoder = run("encoder", set_loudness(NoteClassifier(), 1.0, 1.0), **RECIPE)

# %% [markdown]
# One more run closes a gap. *Loud* changes more than the scores: large vectors also weigh more in the residual sum. So take *audible and loud*, and divide
# nothing but the scores of the first block, by what the loudness had added. If saturated scores are the reason, that must be enough.


# %% tags=["train"]
class Times(nn.Module):
    """Multiplies a weight on its way out; the parameter below stays as it is."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return self.factor * weight


torch.manual_seed(SEED)
open_scores = set_loudness(NoteClassifier(), 1.0, LOUD)
for name in ("weight", "bias"):
    query = open_scores.blocks[0].attention.query
    nn.utils.parametrize.register_parametrization(query, name, Times(1 / LOUD**2))
_ = run("encoder, audible and loud, scores divided", open_scores, **RECIPE)

# %%
four = {
    "drowned": ("encoder, usual start", "encoder, drowned and quiet"),
    "audible": ("encoder, audible and loud", "encoder"),
}
both_kinds = {name: result["both_kinds"] for name, result in RESULTS.items()}
fig, axes = plt.subplots(1, 2, figsize=(11, 3.2), width_ratios=(1, 1.3))
plots.heat_map(
    np.array([[both_kinds[n] for n in names] for names in four.values()]),
    rows=list(four),
    ylabel="position",
    columns=["loud: scores saturated", "quiet: scores open"],
    colorbar="accuracy, notes of both kinds",
    annotate=True,
    vmin=0.5,
    vmax=1,
    title="Four runs",
    ax=axes[0],
)
shown = ["encoder, audible and loud", "encoder, audible and loud, scores divided", "encoder"]
plots.bars(
    ["audible and loud", "the same,\nscores divided", "audible and quiet"],
    [both_kinds[n] for n in shown],
    xlabel="accuracy, notes of both kinds",
    xlim=(0, 1.15),
    title="Is it the scores?",
    ax=axes[1],
)
plt.show()
healed = {n: both_kinds[n] > 0.8 for names in four.values() for n in names}
alone = [healed["encoder, audible and loud"], healed["encoder, drowned and quiet"]]
outcome = dict(zip([(True, False), (False, True), (True, True)], cause_guess.options, strict=False))
cause_guess.reveal(outcome.get(tuple(alone), cause_guess.options[3]))

# %% [markdown]
# *Left: accuracy on notes of both kinds in the four runs; the scale begins at guessing. Right: what dividing the scores of the first block does to the loud run.*

# %%
for name, run_name, control in (
    ("audible_position", "encoder", "encoder, drowned and quiet"),
    ("open_scores", "encoder", "encoder, audible and loud"),
    ("audible_alone", "encoder, audible and loud", "encoder, usual start"),
    ("open_alone", "encoder, drowned and quiet", "encoder, usual start"),
    ("scores_divided", shown[1], shown[0]),
):
    claims.claim("01_self_attention", name, both_kinds[run_name], control=both_kinds[control])

# %% [markdown]
# Neither alone cures the model, though an audible position helps a little in some seeds; both together do. And the fifth run says that of all that *loud* changes, the scores are what matters: divided, they heal
# the loud encoder nearly as well. So:
#
# - a position that cannot be heard cannot be learned from, however open the attention is;
# - a position that can be heard does not help while the softmax is closed: each word is stuck with the one it happened to look at.
#
# The original transformer multiplied by $\sqrt{D}$ too, but its embedding entries started near $1/\sqrt D$. Copy one half of a recipe and you get both faults at once.


# %% [markdown]
# ## 14 Making position audible
#
# The recipe of the original transformer multiplies the embedding by $\sqrt{d_{model}}$ and adds the position. PyTorch's `nn.Embedding` starts with numbers of
# standard deviation 1, so after the multiplication a token vector has a root mean square of $\sqrt{d_{model}}$, while sines and cosines have one of
# $1/\sqrt2$. You have just seen both consequences: a drowned position, and closed scores. One number mends both at once, the standard deviation of the first
# embedding: it makes the position audible *and* keeps the sum small:
#
# $$\text{rms}\big(\sqrt{d_{model}}\, E\big) = \text{rms}(PE) = \tfrac{1}{\sqrt 2} \quad\Longrightarrow\quad \operatorname{std}(E) = \frac{1}{\sqrt{2\, d_{model}}}$$
#
# > **Exercise `TokenEmbedding`** · 5 points · 15 minutes · difficulty 3 of 5
#
# Write an `nn.Module` with `__init__(vocab_size, d_model, max_len, pad_id=0)` and `forward(token_ids)`:
#
# - `token_ids` is `(B, T)` with any T up to `max_len`; the result is `(B, T, d_model)`: **sqrt(d_model) × embedding + the fixed sinusoidal code** of positions 0 … T−1;
# - the embedding's entries start with mean 0 and standard deviation **1/sqrt(2·d_model)**, from any distribution, so that token and position have the same root
#   mean square (checked to ±10 %);
# - the row of `pad_id` is zero, and *stays* zero in training: the output at padding is the position alone;
# - gradients reach the embedding; the code does not learn, but it moves with the module to another device or precision;
# - two modules, of any sizes, know nothing of each other.
#
# Use your `sinusoidal_positional_encoding`.


# %% nbgrader={"grade": false, "grade_id": "TokenEmbedding", "locked": false, "schema_version": 3, "solution": true, "task": false}
class TokenEmbedding(nn.Module):
    """Token and position of equal loudness.  token_ids (B, T) -> (B, T, d_model)."""

    def __init__(self, vocab_size: int, d_model: int, max_len: int, pad_id: int = 0) -> None:
        super().__init__()
        self.d_model = d_model
        ### BEGIN SOLUTION
        self.embedding = nn.Embedding(vocab_size, d_model, padding_idx=pad_id)
        with torch.no_grad():
            self.embedding.weight.normal_(std=1 / math.sqrt(2 * d_model))
            self.embedding.weight[pad_id] = 0.0
        code = sinusoidal_positional_encoding(max_len, d_model)
        self.register_buffer("code", code, persistent=False)
        ### END SOLUTION

    def forward(self, token_ids: torch.Tensor) -> torch.Tensor:
        """Look up the tokens, scale them, add the positions."""
        ### BEGIN SOLUTION
        return math.sqrt(self.d_model) * self.embedding(token_ids) + self.code[: token_ids.size(1)]
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "TokenEmbedding_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
checks.self_attention.TokenEmbedding(TokenEmbedding)
### BEGIN HIDDEN TESTS
with checks.hidden("TokenEmbedding"):
    look = checks.self_attention
    sizes = [(1500, 32, 7, 3, 701), (1000, 64, 33, 0, 702), (2000, 6, 12, 1999, 703)]
    for vocab_size, d_model, max_len, pad_id, seed in sizes:
        look.examine_embedding(
            TokenEmbedding,
            vocab_size=vocab_size,
            d_model=d_model,
            max_len=max_len,
            pad_id=pad_id,
            seed=seed,
        )
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# `nn.Embedding(vocab_size, d_model, padding_idx=pad_id)` looks vectors up and keeps the gradient of the pad row at zero. Its starting numbers are in `.weight`;
# `nn.init.normal_(weight, std=...)` draws new ones: in *all* rows, so the pad row has to be cleared again afterwards (inside `torch.no_grad()`).
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# A tensor that belongs to the module but does not learn is a *buffer*: `self.register_buffer("code", table)` makes `self.code`, and `.to(device)` takes it along. In
# `forward`, `self.code[:T]` is `(T, d_model)` and broadcasts over the batch.
#
# </details>
#
# <details><summary>Hint 3: nearly all of it</summary>
#
# ```python
# # __init__
# self.embedding = nn.Embedding(vocab_size, d_model, padding_idx=pad_id)
# nn.init.normal_(self.embedding.weight, std=...)
# with torch.no_grad():
#     self.embedding.weight[pad_id] = 0.0
# self.register_buffer("code", sinusoidal_positional_encoding(max_len, d_model))
# # forward
# return math.sqrt(self.d_model) * self.embedding(token_ids) + ...
# ```
#
# </details>

# %% [markdown]
# **Your module at work.** Loudness of token and position, as many tutorials start and as you start.

# %% tags=["needs-answer"]
torch.manual_seed(SEED)
mine = TokenEmbedding(len(VOCABULARY), D_MODEL, max_len=128)
ids = torch.from_numpy(test_notes.token_ids[:200])
real = ids != 0
with torch.no_grad():
    summed = mine(ids)
    position = mine(torch.zeros_like(ids))  # at padding only the position is left
    token = summed - position
    usual = math.sqrt(D_MODEL) * nn.Embedding(len(VOCABULARY), D_MODEL)(ids)
rms = {
    name: [v[real].square().mean().sqrt().item() for v in pair]
    for name, pair in {"usual": (usual, position), "yours": (token, position)}.items()
}
fig, ax = plt.subplots(figsize=(7, 2.8))
for offset, (name, values) in zip((-0.2, 0.2), rms.items(), strict=True):
    ax.barh(np.arange(2) + offset, values, 0.38, label=name)
ax.set_yticks(range(2), ["token vector", "position code"])
ax.set(xlabel="root mean square at real words")
ax.invert_yaxis()
ax.legend()
plt.show()

# %% [markdown]
# *Root mean square of the two summands at real words, as many tutorials start and as yours starts.*
#
# Yours has equal bars: both can be heard, and their sum has a root mean square of 1, so the first scores stay open.


# %% [markdown]
# ## 15 Your encoder
#
# You have all the parts: `TokenEmbedding`, `EncoderBlock`, `masked_mean_pool`, `multilabel_loss`, `train_one_epoch`, `f1_scores`. Put together they are an encoder. While a part of
# yours is not right yet the course's stands in for it, and one line says so; come back later and see your own.


# %% tags=["train"]
class PartsEncoder(nn.Module):
    """An encoder made of given parts: token ids (B, T) -> (logits (B, C), attention of the blocks)."""

    def __init__(self, parts) -> None:
        super().__init__()
        self.embedding = parts.TokenEmbedding(len(VOCABULARY), D_MODEL, max_len=256)
        self.blocks = nn.ModuleList(
            parts.EncoderBlock(D_MODEL, NUM_HEADS, D_FF) for _ in range(NUM_BLOCKS)
        )
        self.norm = nn.LayerNorm(D_MODEL)
        self.pool = parts.masked_mean_pool
        self.head = nn.Linear(D_MODEL, len(CLASS_NAMES))

    def forward(self, tokens: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        is_token = tokens != 0
        x, attention = self.embedding(tokens), []  # (B, T, D)
        for block in self.blocks:
            x, weights = block(x, is_token[:, None, None, :])
            attention.append(weights)
        return self.head(self.pool(self.norm(x), is_token)), attention


# %%
def train_parts(name: str, model: nn.Module, parts) -> nn.Module:
    """Train with the parts' own loop and loss, by the same recipe as `run`; file the results."""
    tokens, labels, lengths = DATA[id(train_notes)]
    epochs, lr, batch_size = RECIPE.values()
    steps = epochs * math.ceil(len(lengths) / batch_size)
    optimizer = torch.optim.AdamW(
        model.to(DEVICE).parameters(), lr=lr, weight_decay=0.01, fused=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, steps + 1, pct_start=0.15)
    optimizer.register_step_post_hook(lambda *_: schedule.step())  # after each step of the loop
    start, losses = time.process_time(), []
    for epoch in range(epochs):
        generator = torch.Generator().manual_seed(1000 * SEED + epoch)
        order = training.bucketed_batches(lengths, batch_size, generator=generator)
        batches = ((tokens[i, : lengths[i].max()], labels[i]) for i in order)
        losses.append(parts.train_one_epoch(model, batches, optimizer, parts.multilabel_loss))
    print("loss by epoch:", ", ".join(f"{loss:.3f}" for loss in losses))
    seconds = time.process_time() - start
    parameters = sum(p.numel() for p in model.parameters())
    predictions = (predict_logits(model, test_notes) > 0).numpy().astype(np.uint8)
    keep(name, predictions, parameters, seconds)
    return model.eval()


# %% tags=["train"]
names = (
    "TokenEmbedding",
    "EncoderBlock",
    "masked_mean_pool",
    "multilabel_loss",
    "train_one_epoch",
    "f1_scores",
)
mine = checks.self_attention.parts(globals(), *names)
torch.manual_seed(SEED)
yours = train_parts("yours", PartsEncoder(mine), mine)
by_your_f1 = mine.f1_scores(test_notes.labels, RESULTS["yours"]["predictions"])
print(f"F1 of your encoder by these f1_scores: micro {by_your_f1['micro']:.3f}")

# %% [markdown]
# Beside it, the same encoder made of the course's parts alone. The two differ in their random numbers and in details of the parts, not in what they compute.

# %% tags=["train"]
course = checks.self_attention.course_parts()
torch.manual_seed(SEED)
course_encoder = train_parts("the same of the course's parts", PartsEncoder(course), course)
claims.claim("01_self_attention", "yours_micro_f1", RESULTS["yours"]["micro"])
_ = claims.claim(
    "01_self_attention",
    "yours_minus_course",
    RESULTS["yours"]["micro"] - RESULTS["the same of the course's parts"]["micro"],
)

# %%
fig, axes = plt.subplots(1, 3, figsize=(11, 3.8))
shown = {n: HISTORIES[n] for n in ("encoder, usual start", "encoder", "BiLSTM")}
titles = {
    "loss": "training loss (nats)",
    "val_f1": "validation micro-F1",
    "val_negated": "validation accuracy, negated",
}
for ax, (column, title) in zip(axes, titles.items(), strict=True):
    plots.curves(shown, column, ylabel="", title=title, ax=ax)
    ax.get_legend().remove()
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize=10)
plt.show()

# %% [markdown]
# *Training loss, validation micro-F1 and validation accuracy on negated groups, by epoch.*
#
# The BiLSTM has order built in and is quickly there. The healed encoder of section 13 starts where the bags end, discovers how to bind a cue to its finding, and follows. With the
# usual start the loss falls as well, but F1 stays with the bags, and the accuracy on negated groups goes up and down as the model says *yes* more or less often: it plays the odds.

# %% [markdown]
# ### Which mentions are missed?

# %%
kind_of = np.full(test_notes.labels.shape, -1)  # kind of the mention, where a group has exactly one
for c in range(len(CLASS_NAMES)):
    of_class = test_notes.mention_class == c
    once = of_class.sum(1) == 1
    kind_of[once, c] = test_notes.mention_kind[once][of_class[once]]
names = [
    "mention = positive",
    "rule (five words)",
    "rule (whole clause)",
    "TF-IDF + logistic regression",
    "encoder, usual start",
    "yours",
    "encoder",
    "BiLSTM",
]
by_kind = np.array(
    [
        [
            (RESULTS[n]["predictions"] == test_notes.labels)[kind_of == k].mean()
            for k in range(len(KINDS))
        ]
        for n in names
    ]
)
plots.heat_map(
    by_kind,
    rows=names,
    columns=KINDS,
    xlabel="kind of mention",
    colorbar="accuracy",
    annotate=True,
    vmin=0,
    vmax=1,
    ax=plt.subplots(figsize=(8, 3.8))[1],
)
plt.show()

# %% [markdown]
# *Accuracy by kind of mention, for groups that are mentioned once in their note.*
#
# Read the picture row by row. Each model has its own blind spots, and an average would hide all of them. The five-word rule loses the ends of lists. The usual start errs wherever a cue decides, most of
# all where a scope ends: there another word of the same note says the opposite, and a bag cannot tell which counts.


# %% [markdown]
# ## 16 The honest table
#
# All models on the same 2,000 test notes. *Negated*: accuracy on groups that are mentioned but negated, with a 95 % interval. *Both kinds*: accuracy
# on the mentioned groups of notes that hold an asserted and a negated one.

# %%
winner_guess = checks.guess(
    "best on notes of both kinds",
    ["rule (five words)", "rule (whole clause)", "BiLSTM", "encoder", "yours"],
    ...,
)

# %%
negated = test_notes.mentioned & (test_notes.labels == 0)
rows = []
for name, result in RESULTS.items():
    hits = int((result["predictions"] == 0)[negated].sum())
    low, high = metrics.wilson_interval(hits, int(negated.sum()))
    rows.append(
        {
            "model": name,
            "parameters": result["parameters"],
            "CPU s": round(result["cpu_seconds"], 1),
            "micro-F1": result["micro"],
            "macro-F1": result["macro"],
            "negated": result["negated"],
            "95 % interval": f"{low:.3f} to {high:.3f}",
            "both kinds": result["both_kinds"],
        }
    )
table = pd.DataFrame(rows).set_index("model")
display(table.round(3))
ax = plots.bars(
    list(winner_guess.options),
    [RESULTS[name]["both_kinds"] for name in winner_guess.options],
    xlabel="accuracy, notes of both kinds",
    xlim=(0, 1.15),
)
plots.mark_guess(ax, winner_guess, axis="y")
plt.show()
winner_guess.reveal(max(winner_guess.options, key=lambda name: RESULTS[name]["both_kinds"]))

# %% [markdown]
# *The table, and the accuracy of five readers on notes of both kinds.*

# %%
rule, best = RESULTS["rule (whole clause)"], RESULTS["encoder"]
for name, value in {
    "rule_five_words_negated_accuracy": RESULTS["rule (five words)"]["negated"],
    "rule_clause_both_kinds": rule["both_kinds"],
    "encoder_micro_f1": best["micro"],
    "encoder_both_kinds_accuracy": best["both_kinds"],
    "bilstm_both_kinds_accuracy": RESULTS["BiLSTM"]["both_kinds"],
    "encoder_minus_bilstm": best["micro"] - RESULTS["BiLSTM"]["micro"],
    "encoder_minus_rule": best["micro"] - rule["micro"],
}.items():
    claims.claim("01_self_attention", name, value)

# %% [markdown]
# What this says, and what it does not:
#
# - **The winner is a rule.** It makes no mistake, has no parameters and costs nothing to train. These notes were written by a grammar, and whoever knows the grammar
#   needs no learning. That a network gets near it from labels alone is worth something; that it *beats* rules would be false here.
# - Among the learned readers the BiLSTM is ahead. On short notes, where the cue is a few words from its finding, reading in order is the better assumption.
#   An encoder has to learn what order is good for; section 17 gives it a better start.
# - Yours pools by a plain mean where the encoder of section 13 has a learned query per label, and it normalises before each part. Do not read the difference as the effect of
#   one of these: two things differ.
# - One training run is one draw. The lines above say which range several seeds gave; a difference smaller than that range is no difference.


# %% [markdown]
# ## 17 Turning instead of adding
#
# Your embedding *adds* the position to the word, and section 13 showed how one can drown the other. **Rotary positions** (RoPE, Su et al. 2021), which most language models of
# today use, cannot drown: they add nothing. Queries and keys are **turned**, pair of features by pair of features, by an angle that grows with the position:
#
# $$\begin{pmatrix} x'_{2i} \\ x'_{2i+1} \end{pmatrix} = \begin{pmatrix} \cos\theta & -\sin\theta \\ \sin\theta & \cos\theta \end{pmatrix}
# \begin{pmatrix} x_{2i} \\ x_{2i+1} \end{pmatrix}, \qquad \theta = p \cdot \text{base}^{-2i/d}$$
#
# A dot product of two turned vectors depends only on the *difference* of their angles. So a score $q_t \cdot k_s$ knows how far apart two words are, $t - s$, and not where in the note they stand:
# "three words before" means the same at the beginning and at the end.
#
# > **Exercise `apply_rotary`** · 5 points · 15 minutes · difficulty 2 of 5
#
# Write a function of `x`, `positions` and `base=10000.0`:
#
# - `x` is `(..., T, d)` with any number of leading dimensions, none included; row t of every `(T, d)` block stands at `positions[t]`;
# - `positions` is an integer tensor `(T,)`, in any order; it may be negative;
# - features 2i and 2i+1, **neighbours**, form pair number i, counted from 0, and are turned **counter-clockwise**, as in the formula, by the angle positions · base^(−2i/d);
# - the result has the shape of `x` with every feature at its old place, and the dtype of `x`. Compute the angles in float32 or better, also when `x` is in half precision;
# - an odd d leaves a feature without a partner: raise a `ValueError`;
# - `x` stays as it is, need not be contiguous in memory, and gradients flow back to it. Values are compared to 2e-4 up to |position| = 512 (less strictly in half precision).


# %% nbgrader={"grade": false, "grade_id": "apply_rotary", "locked": false, "schema_version": 3, "solution": true, "task": false}
def apply_rotary(x: torch.Tensor, positions: torch.Tensor, base: float = 10000.0) -> torch.Tensor:
    """Turn neighbouring pairs of features by their position.  x (..., T, d), positions (T,) -> (..., T, d)."""
    ### BEGIN SOLUTION
    d = x.size(-1)
    if d % 2:
        raise ValueError(f"rotary positions turn pairs of features, got d = {d}")
    rate = base ** (-torch.arange(0, d, 2, dtype=torch.float32, device=x.device) / d)  # (d/2,)
    angle = positions[:, None] * rate  # (T, d/2)
    first, second = x[..., 0::2], x[..., 1::2]  # (..., T, d/2)
    cos, sin = angle.cos(), angle.sin()
    pairs = torch.stack([first * cos - second * sin, first * sin + second * cos], dim=-1)
    return pairs.flatten(-2).to(x.dtype)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "apply_rotary_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
checks.self_attention.apply_rotary(apply_rotary)
### BEGIN HIDDEN TESTS
with checks.hidden("apply_rotary"):
    look = checks.self_attention
    for d in (1, 3, 9):
        look.refuses_odd_width(apply_rotary, d)
    shapes = [((), 1, 2), ((4,), 7, 6), ((2, 1, 3), 3, 10), ((2, 2), 6, 64), ((1,), 2, 4)]
    for dtype in (torch.float32, torch.float64, torch.bfloat16, torch.float16):
        for seed, (lead, t, d) in enumerate(shapes):
            x = look.draw(*lead, t, d, seed=821 + seed, dtype=dtype) / 2
            some = torch.randint(-512, 513, (t,), generator=look.numbers(831 + seed))
            for positions in (some, some.int(), some.abs(), torch.arange(t) + 100):
                for base in (None, 10000.0, 50.0, 1e6):
                    look.compare_rotary(apply_rotary, x, positions, base)
            wide = look.draw(t, d, *lead, 2, seed=841 + seed, dtype=dtype) / 2
            turned = wide.movedim((0, 1), (-2, -1))  # (..., 2, T, d), far from contiguous
            look.compare_rotary(apply_rotary, turned, some)
            if dtype in (torch.float32, torch.float64):
                look.compare_rotary_gradient(apply_rotary, x, some)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Slices with a step take the pairs apart: `x[..., 0::2]` holds the first feature of every pair, `x[..., 1::2]` the second, both `(..., T, d/2)`. The angles are a
# table `(T, d/2)`, positions as a column times rates as a row, like the table of section 6, and broadcast over the leading dimensions by themselves.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# With `cos` and `sin` of the table, the new first feature is first · cos − second · sin, the new second one first · sin + second · cos. To bring both back to their places,
# stack them along a *new last* dimension, `(..., T, d/2, 2)`, and flatten the last two.
#
# </details>
#
# <details><summary>Hint 3: nearly all of it</summary>
#
# ```python
# d = x.size(-1)
# if d % 2:
#     raise ValueError(...)
# rate = base ** (-torch.arange(0, d, 2, dtype=torch.float32, device=x.device) / d)
# angle = positions[:, None] * rate
# first, second = x[..., 0::2], x[..., 1::2]
# pairs = torch.stack([first * angle.cos() - second * angle.sin(), ...], dim=-1)
# return pairs.flatten(-2).to(x.dtype)
# ```
#
# </details>

# %% [markdown]
# **Your function at work: three codes of position, and none.** The same encoder (blocks, pooling and recipe of section 15, the course's parts), with its positions told in another way:
#
# - **sinusoidal**, added to the words: trained above;
# - **rotary**, by your `apply_rotary` on queries and keys, in each block; nothing is added to the words;
# - **ALiBi** (Press et al., 2022): no code at all, but far scores are lowered by a slope times the distance. One line below. It was made for models that look back only;
#   looking both ways, it says how far, not on which side;
# - **none**.
#
# All four are then also read on notes at least *twice* as long as the average training note. Most of these go beyond any position met in training.

# %%
long_notes = make_clinical_notes(
    4000, random_state=100 * SEED + 4, max_statements=6, remarks=options["remarks"]
)
long_notes = long_notes.take(long_notes.lengths >= 2 * train_notes.lengths.mean())
DATA[id(long_notes)] = to_tensors(long_notes)
print(
    f"training notes: {train_notes.lengths.mean():.0f} words on average, at most {train_notes.lengths.max()};"
    f" {len(long_notes)} long notes: {long_notes.lengths.min()} to {long_notes.lengths.max()} words"
)
long_guess = checks.guess("reads long notes best", ["sinusoidal", "rotary", "ALiBi", "none"], ...)


# %%
class PositionedAttention(nn.Module):
    """Self-attention that is told positions by rotation, by distance (ALiBi), or not at all."""

    def __init__(self, kind: str, rotate) -> None:
        super().__init__()
        self.kind, self.rotate = kind, rotate
        self.query_key_value = nn.Linear(D_MODEL, 3 * D_MODEL)
        self.output = nn.Linear(D_MODEL, D_MODEL)
        for part in (*self.query_key_value.weight.chunk(3), self.output.weight):
            nn.init.xavier_uniform_(part)

    def forward(self, x, *, attn_mask, is_causal=False, need_weights=False):
        q, k, v = (
            part.unflatten(-1, (NUM_HEADS, -1)).transpose(1, 2)  # (B, H, T, d_head)
            for part in self.query_key_value(x).chunk(3, dim=-1)
        )
        place = torch.arange(x.shape[1], device=x.device)
        if self.kind == "rotary":
            q, k = self.rotate(q, place), self.rotate(k, place)
        if self.kind == "ALiBi":
            slope = 2.0 ** -torch.linspace(2, 8, NUM_HEADS, device=x.device)[:, None, None]
            lowered = -slope * (place - place[:, None]).abs()  # (H, T, T): the one line
            attn_mask = lowered.masked_fill(~attn_mask, torch.finfo(x.dtype).min)
        context = F.scaled_dot_product_attention(q, k, v, attn_mask=attn_mask)
        return self.output(context.transpose(1, 2).flatten(2)), None


# %%
class ScaledWords(nn.Embedding):
    """sqrt(D) times a word vector with the standard deviation of section 14, and no position."""

    def __init__(self) -> None:
        super().__init__(len(VOCABULARY), D_MODEL, padding_idx=0)
        with torch.no_grad():
            self.weight /= math.sqrt(2 * D_MODEL)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return math.sqrt(D_MODEL) * super().forward(tokens)


class PositionedBlock(layers.EncoderBlock):
    def __init__(self, kind: str, rotate) -> None:
        super().__init__(D_MODEL, NUM_HEADS, D_FF)
        self.attention = PositionedAttention(kind, rotate)

    def forward(self, x, attn_mask=None):
        return super().forward(x, attn_mask=attn_mask)


# %% tags=["train"]
rotate = checks.self_attention.parts(globals(), "apply_rotary").apply_rotary
by_position = {"sinusoidal": course_encoder}
for kind in ("rotary", "ALiBi", "none"):
    torch.manual_seed(SEED)
    model = PartsEncoder(course)
    model.embedding = ScaledWords()
    model.blocks = nn.ModuleList(PositionedBlock(kind, rotate) for _ in range(NUM_BLOCKS))
    by_position[kind] = train_parts(f"positions: {kind}", model, course)


# %%
def both_kinds_on(model: nn.Module, notes) -> float:
    """Accuracy on the mentioned groups of notes that hold an asserted and a negated one."""
    predictions = (predict_logits(model, notes) > 0).numpy()
    return metrics.assertion_accuracy(predictions, notes.labels, notes.mentioned)["both_kinds"]


usual_length = {kind: both_kinds_on(model, test_notes) for kind, model in by_position.items()}
twice = {kind: both_kinds_on(model, long_notes) for kind, model in by_position.items()}
fig, ax = plt.subplots(figsize=(8, 3.2))
for offset, (name, values) in zip(
    (-0.2, 0.2), {"test notes": usual_length, "long notes": twice}.items(), strict=True
):
    drawn = ax.bar(np.arange(4) + offset, values.values(), 0.38, label=name)
    ax.bar_label(drawn, fmt="%.2f")
ax.set_xticks(range(4), list(twice))
ax.set(ylabel="accuracy, notes of both kinds", ylim=(0.4, 1.12))
ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
plots.mark_guess(ax, long_guess, axis="x")
plt.show()
long_guess.reveal(max(twice, key=lambda kind: twice[kind]))

# %% [markdown]
# *Accuracy on notes of both kinds for the four codes of position, on notes as in training and on notes twice as long. The axis starts at 0.4.*

# %%
claims.claim("01_self_attention", "rotary_on_long", twice["rotary"], control=twice["sinusoidal"])
claims.claim(
    "01_self_attention", "rotary_both_kinds", usual_length["rotary"], control=usual_length["none"]
)
for kind in ("sinusoidal", "ALiBi", "none"):
    claims.claim("01_self_attention", f"{kind.lower()}_on_long", twice[kind])

# %% [markdown]
# Without positions the encoder is a bag again. The two codes of **distance**, rotary and ALiBi, win twice. They learn the same task better, because what decides here is *how many words before or after* a
# finding its cue stands, and that is just what their scores see; from sums of sines it has to be worked out. And they carry over to longer notes, where the sinusoidal code shows the
# model places that it has never met, and it falls to a bag's accuracy. Only the code of position differs between the four runs. Most language models of today rotate.
#
# ### What does attention cost?
# Every token scores every other: $T^2$ scores per head. Plain attention, as you wrote it, builds that matrix and keeps it for the backward pass. *Fused* attention (`F.scaled_dot_product_attention`;
# on GPUs known as FlashAttention, Dao et al., 2022) goes through it in blocks and never has it whole. Measure both: the time of one forward and backward pass, and the memory that
# the backward pass needs.


# %%
def cost(attend, length: int) -> tuple[float, float]:
    """Seconds of a forward and backward pass, and megabytes kept in between, for 4 heads of 16."""
    q, k, v = (torch.randn(1, 4, length, 16, device=DEVICE, requires_grad=True) for _ in range(3))
    kept: dict[int, int] = {}

    def note_size(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note_size, lambda tensor: tensor):
        out = attend(q, k, v)
    out.sum().backward()
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        attend(q, k, v).sum().backward()
        q.grad[0, 0, 0, 0].item()  # waits for a GPU
        seconds.append(time.perf_counter() - start)
    return min(seconds), sum(kept.values()) / 1e6


# %%
lengths_tried = [64, 128, 256, 512, 1024]
ways = {
    "plain": lambda q, k, v: (q @ k.transpose(-2, -1) / 4).softmax(-1) @ v,
    "fused": F.scaled_dot_product_attention,
}
costs = {name: np.array([cost(way, n) for n in lengths_tried]) for name, way in ways.items()}
fig, axes = plt.subplots(1, 2, figsize=(10, 3.4))
for ax, column, label in zip(axes, (0, 1), ("seconds", "megabytes kept"), strict=True):
    for name, values in costs.items():
        ax.loglog(lengths_tried, values[:, column], marker="o", base=2, label=name)
    line = costs["plain"][-1, column] * (np.array(lengths_tried) / lengths_tried[-1]) ** 2
    ax.loglog(lengths_tried, line, "k--", base=2, linewidth=1, label="grows with T²")
    ax.set_xticks(lengths_tried, lengths_tried)
    ax.set(xlabel="length T", ylabel=label)
axes[0].legend()
plt.show()
growth = {name: values[-1] / values[-2] for name, values in costs.items()}
print(
    "twice the length costs",
    "; ".join(
        f"{n}: {g[0]:.1f} times the time, {g[1]:.1f} times the memory" for n, g in growth.items()
    ),
)
_ = claims.claim("01_self_attention", "plain_memory_growth", growth["plain"][1])
_ = claims.claim("01_self_attention", "fused_memory_growth", growth["fused"][1])

# %% [markdown]
# *Time and memory of attention against the length, both axes logarithmic; dashed: proportional to T².*
#
# Memory of the plain form grows with $T^2$: twice the length, four times the matrix. Fused attention keeps memory that grows with $T$; its *time* still grows with $T^2$, because every
# score is still computed. For our notes of 26 words none of this matters. For a whole patient record of 20,000 words it decides what can be done.


# %% [markdown]
# ## 18 Out of grammar
#
# Who knows the grammar needs no learning. But the next hospital writes differently. The second grammar has the same findings, in longer notes and lists, with cues that nobody has seen (*absence of*), known words in
# new orders (*testing has ruled X out*), ends of scopes that no terminator announces (*denies X, reports Y*), paraphrases and misspellings; and kinds that the first grammar lacks: **uncertain**
# (*possible*, *cannot exclude*: label 0, only what is established counts), **family** (somebody else's: 0), and **history** (the patient's own past: 1, as *history of* before).

# %% tags=["nbval-check-output"]
other = {"grammar": "shifted", "max_statements": 3, "remarks": 0.3}
few_notes = make_clinical_notes(1000, random_state=100 * SEED + 5, **other)
shifted_notes = make_clinical_notes(2000, random_state=100 * SEED + 6, **other)
WIDE_VOCABULARY = shifted_notes.vocabulary  # begins with VOCABULARY
print("\n".join(shifted_notes.texts(range(3))))
strange = (shifted_notes.ids_in(VOCABULARY) == 1).sum() / shifted_notes.lengths.sum()
print(f"{strange:.0%} of the words are new to every model that was trained above")

# %% [markdown]
# Two ways to adapt are tried beside the unchanged readers. The **rule** gets *wider lists*: cues, terminators and words for relatives as the published systems have them, written by a person. The **learners** get labels: 1,000 notes of the
# new kind, with the label of each group but no word about why, mixed with as many old ones, for a few epochs.

# %%
shift_guess = checks.guess(
    "best reader of the other grammar, after adapting",
    [
        "rule (wider lists)",
        "TF-IDF + 1,000 notes",
        "BiLSTM + 1,000 notes",
        "rotary + 1,000 notes",
    ],
    ...,
)


# %% tags=["train"]
def as_read(notes) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """The tensors of notes for a model that knows VOCABULARY alone: other words are <unk>."""
    _, labels, lengths = to_tensors(notes)
    return torch.from_numpy(notes.ids_in(VOCABULARY)).to(DEVICE), labels, lengths


def adapted(model: nn.Module, epochs: int = 6, lr: float = 2e-3) -> nn.Module:
    """A copy with vectors for the new words, trained on the few new notes and as many old ones."""
    model = copy.deepcopy(model)
    old = model.embedding.weight.detach()
    rows = torch.randn(len(WIDE_VOCABULARY) - len(old), old.shape[1], device=DEVICE) * old.std()
    model.embedding.weight = nn.Parameter(torch.cat([old, rows]))
    sources = [to_tensors(few_notes), to_tensors(train_notes.take(range(len(few_notes))))]

    def batches(epoch: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
        generator = torch.Generator().manual_seed(1000 * SEED + epoch)
        found = []
        for tokens, labels, lengths in sources:
            index = training.bucketed_batches(lengths, 16, generator=generator)
            found += [(tokens[i, : lengths[i].max()], labels[i]) for i in index]
        return [found[i] for i in torch.randperm(len(found), generator=generator)]

    def step_loss(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        return F.binary_cross_entropy_with_logits(model(batch[0])[0], batch[1])

    training.fit(model, batches, step_loss, epochs=epochs, lr=lr, warmup=0.15, label="adapting")
    return model.eval()


# %% tags=["train"]
texts = shifted_notes.texts()
SHIFTED = {name: np.stack([rule_labels(t, **how) for t in texts]) for name, how in RULES.items()}
SHIFTED["TF-IDF"] = np.stack([m.predict(tfidf.transform(texts)) for m in bag_models], axis=1)
learners = {"BiLSTM": lstm_model, "encoder": encoder, "rotary": by_position["rotary"]}
DATA[id(shifted_notes)] = as_read(shifted_notes)
for name, model in learners.items():
    SHIFTED[name] = (predict_logits(model, shifted_notes) > 0).numpy()
SHIFTED["rule (wider lists)"] = np.stack([rule_labels(text, wider=True) for text in texts])
both_texts = train_notes.texts() + few_notes.texts()
both_labels = np.concatenate([train_notes.labels, few_notes.labels])
more_tfidf = TfidfVectorizer(sublinear_tf=True).fit(both_texts)
SHIFTED["TF-IDF + 1,000 notes"] = np.stack(
    [
        LogisticRegression(C=10.0, max_iter=500)
        .fit(more_tfidf.transform(both_texts), y)
        .predict(more_tfidf.transform(texts))
        for y in both_labels.T
    ],
    axis=1,
)
DATA[id(shifted_notes)] = to_tensors(shifted_notes)
for name in ("BiLSTM", "rotary"):
    torch.manual_seed(SEED)
    model = adapted(learners[name])
    SHIFTED[f"{name} + 1,000 notes"] = (predict_logits(model, shifted_notes) > 0).numpy()


# %%
def both_kinds_accuracy(
    predictions: np.ndarray, labels: np.ndarray, mentioned: np.ndarray
) -> float:
    return metrics.assertion_accuracy(predictions, labels, mentioned)["both_kinds"]


rows = []
for name, predictions in SHIFTED.items():
    arrays = (predictions, shifted_notes.labels, shifted_notes.mentioned)
    low, high = metrics.bootstrap_interval(both_kinds_accuracy, *arrays, n_boot=300)
    rows.append(
        {
            "reader": name,
            "micro-F1": f1_score(shifted_notes.labels, predictions, average="micro"),
            "both kinds": both_kinds_accuracy(*arrays),
            "low": low,
            "high": high,
        }
    )
out_of_grammar = pd.DataFrame(rows).set_index("reader")
display(out_of_grammar.round(3))
shown = out_of_grammar["both kinds"]
ax = plots.bars(
    list(out_of_grammar.index),
    shown,
    low=out_of_grammar.low,
    high=out_of_grammar.high,
    xlabel="accuracy, notes of both kinds, other grammar",
    xlim=(0, 1.15),
)
plots.mark_guess(ax, shift_guess, axis="y")
plt.show()
shift_guess.reveal(max(shift_guess.options, key=lambda name: shown[name]))

# %% [markdown]
# *Accuracy on notes of both kinds in the other grammar, with 95 % intervals over notes: unchanged readers above, adapted ones below.*

# %%
once = np.full(shifted_notes.labels.shape, -1)  # kind of the mention, where there is exactly one
form = once.copy()
for c in range(len(CLASS_NAMES)):
    of_class = shifted_notes.mention_class == c
    single = of_class.sum(1) == 1
    once[single, c] = shifted_notes.mention_kind[single][of_class[single]]
    form[single, c] = shifted_notes.mention_form[single][of_class[single]]
kind_names = shifted_notes.kind_names
groups = {name: once == k for k, name in enumerate(kind_names)}
groups |= {name: (form == k) & (once >= 0) for k, name in enumerate(FORMS) if k}
by_group = np.array(
    [
        [(predictions == shifted_notes.labels)[where].mean() for where in groups.values()]
        for predictions in SHIFTED.values()
    ]
)
plots.heat_map(
    by_group,
    rows=list(SHIFTED),
    columns=list(groups),
    xlabel="kind of mention; last two: form of the finding, any kind",
    colorbar="accuracy",
    annotate=True,
    vmin=0,
    vmax=1,
    ax=plt.subplots(figsize=(11, 4.8))[1],
)
plt.gca().tick_params(axis="x", rotation=30)
plt.show()
# %% [markdown]
# *Accuracy by kind of mention in the other grammar, and for findings that are paraphrased or misspelled.*

# %%
score = out_of_grammar["both kinds"]
for key, name in {
    "shifted_rule_clause": "rule (whole clause)",
    "shifted_rule_wider": "rule (wider lists)",
    "shifted_bilstm": "BiLSTM",
    "shifted_rotary": "rotary",
}.items():
    claims.claim("01_self_attention", key, score[name])
_ = claims.claim(
    "01_self_attention",
    "shifted_rotary_adapted",
    score["rotary + 1,000 notes"],
    control=score["rotary"],
)
_ = claims.claim(
    "01_self_attention",
    "shifted_learning_minus_rule",
    score["BiLSTM + 1,000 notes"] - score["rule (wider lists)"],
)

# %% [markdown]
# The rule that was perfect is now not far from guessing. It breaks where a scope ends without a terminator (*denies X, reports Y*: its cue reaches on), and where a new phrase only looks like a cue. The learned readers fall less there, but take
# a relative's finding for the patient's: nothing in their notes was ever about anybody else.
#
# Then both adapt. The wider lists mend exactly what their author thought of, uncertainty and relatives without a single error, and leave the rest as it was. (Their author has read the new grammar: this is the rule at its best; lists written without that
# knowledge would mend less.) A thousand labelled notes mend nearly everything at once for the readers that see order, the ends of scopes too, and little for the bag, which cannot bind a cue to a finding however much
# it sees. **That is what learning has and a rule has not: it needs examples, not somebody who finds the phrases.** What it has not: a reason that you could read, and any protection in a third hospital. And labels have a price as well.


# %% [markdown]
# ## 19 How widely does it look?
#
# An attention row can sit on one word or spread over the whole note. Entropy says which, in one number: 0 for a single word, ln S for S words alike.
# $e^H$ reads as "as if it looked at this many words evenly".
#
# $$H = -\sum_s w_s \ln w_s, \qquad 0 \cdot \ln 0 = 0$$
#
# > **Exercise `attention_entropy`** · 3 points · 5 minutes · difficulty 1 of 5
#
# Write a function from `weights (..., T, S)` to `(..., T)`:
#
# - in nats (natural logarithm), summed over the last dimension, any number of leading dimensions;
# - a weight of exactly 0 contributes 0, and a row of zeros has entropy 0;
# - rows are taken as they are: do not renormalise them. The dtype is kept (bfloat16 too);
# - values are checked to 1e-5, so an epsilon of 1e-9 goes unseen, and one of 1e-6 does not. NumPy will do;
#   an answer that keeps torch's gradient must give the right one.


# %% nbgrader={"grade": false, "grade_id": "attention_entropy", "locked": false, "schema_version": 3, "solution": true, "task": false}
def attention_entropy(weights: torch.Tensor) -> torch.Tensor:
    """Entropy of every attention row in nats.  weights (..., T, S) -> (..., T)."""
    ### BEGIN SOLUTION
    return -torch.xlogy(weights, weights).sum(dim=-1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "attention_entropy_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
checks.self_attention.attention_entropy(attention_entropy)
### BEGIN HIDDEN TESTS
with checks.hidden("attention_entropy"):
    look = checks.self_attention
    for dtype in (torch.float32, torch.float64):
        for seed, shape in enumerate(
            ((5, 7), (1, 1), (3, 1), (2, 3, 4, 5), (1, 2, 2, 3, 6), (4, 50))
        ):
            weights = look.draw(*shape, seed=801 + seed, dtype=dtype).mul(2).softmax(-1)
            look.compare_entropy(attention_entropy, weights)
            some = torch.rand(*shape, generator=look.numbers(810)) < 0.6
            look.compare_entropy(attention_entropy, weights * some)
            look.compare_entropy(attention_entropy, weights * 1.8)
            look.compare_entropy(attention_entropy, torch.zeros_like(weights))
            look.compare_entropy(attention_entropy, torch.full_like(weights, 1 / shape[-1]))
        look.compare_entropy(attention_entropy, torch.eye(6, dtype=dtype).expand(2, 6, 6).clone())
        look.compare_entropy(
            attention_entropy, torch.tensor([[1e-12, 1 - 1e-6, 0, 1e-30]], dtype=dtype)
        )
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# `weights * weights.log()` is nearly right, but the logarithm of 0 is minus infinity, and 0 · (−∞) is NaN for a computer.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# PyTorch has a function that knows the convention: look up `torch.xlogy`. Or make the argument of the logarithm harmless where the weight is 0, with `torch.where` or `clamp`.
#
# </details>
#
# <details><summary>Hint 3: nearly all of it</summary>
#
# `torch.xlogy(a, b)` is a·ln(b), and 0 where a is 0. Hand it the weights twice, sum over `dim=-1`, mind the sign.
#
# </details>

# %% [markdown]
# **Your function at work.** How widely does each trained head look? Entropy as a share of its maximum, `log(length)`: 1 is "everywhere alike", 0 is "one word".

# %% tags=["needs-answer"]
tokens, _, lengths = DATA[id(test_notes)]
shares = {"usual start": [], "encoder": []}
with torch.no_grad():
    for name, model in zip(shares, (usual_model, encoder), strict=True):
        for i in range(60):
            attention = model(tokens[i : i + 1, : lengths[i]], need_weights=True)[1][:NUM_BLOCKS]
            shares[name].append(
                torch.stack([attention_entropy(w.cpu())[0].mean(-1) for w in attention])
                / math.log(lengths[i])
            )
fig, axes = plt.subplots(1, 2, figsize=(9, 2.6))
for ax, (name, values) in zip(axes, shares.items(), strict=True):
    plots.heat_map(
        torch.stack(values).mean(0).numpy(),
        rows=["block 1", "block 2"],
        columns=[f"head {h + 1}" for h in range(NUM_HEADS)],
        colorbar="entropy / log(length)",
        annotate=True,
        vmin=0,
        vmax=1,
        title=name,
        ax=ax,
    )
plt.show()

# %% [markdown]
# *Mean entropy of every head's attention on 60 test notes, relative to looking everywhere alike.*
#
# With the usual start the first block's heads are still closed after training, each on a single word; its second block reads normalised vectors and is open. The healed encoder
# looks at several words in both. How wide is *right* nobody can say: entropy describes a map, it does not judge one.


# %% [markdown]
# ## 20 Why divide by the square root of $d_k$? Predict first
#
# Every attention score is a dot product of $d_k$ pairs of numbers. In the next section you will train the same attention with and without the factor
# $1/\sqrt{d_k}$, for a small and a large $d_k$.
#
# > **Question 1** · 2 points · 5 minutes
# >
# > Before you run anything: assume the entries of query and key are independent with mean 0 and variance 1. **What grows with `head_dim`, and why?**
# > What do you expect the softmax and its gradient to do? Two or three sentences; a wrong prediction with a clear reason earns the points too.

# %% [markdown] nbgrader={"grade": true, "grade_id": "written_1", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# **Model answer.** A score is a sum of $d_k$ independent products, each with mean 0 and variance 1, so its variance is $d_k$ and its standard deviation
# $\sqrt{d_k}$. Unscaled scores therefore spread more and more as `head_dim` grows; the largest one wins almost all of the softmax, whose derivative
# $w_i(\delta_{ij} - w_j)$ is then close to zero everywhere, so training starts slowly or gets stuck on whatever was attended to by chance.
#
# **Rubric.** 1 point: the spread (variance or standard deviation) of the scores grows with `head_dim`, because more terms are added. 1 point: a stated
# consequence for softmax or gradient that follows from the reason given (sharper softmax, small gradient, slower learning). A prediction that turns out
# wrong keeps its points if it follows from its reason.


# %% [markdown]
# ## 21 The experiment
#
# Your prediction is written down; now test it. An **ablation** changes one thing and keeps all others: the same data, the same steps, and the same random numbers for both
# runs of a pair, or you would measure the luck of the draw. Here the one thing is the factor $s$ of the scores:
#
# $$w = \operatorname{softmax}\big(s \cdot q K^\top\big), \qquad s = \tfrac{1}{\sqrt{d_k}} \;\text{ or }\; s = 1$$
#
# > **Exercise `scaling_ablation`** · 3 points · 10 minutes · difficulty 1 of 5
#
# Write a function of `train_fn`, `head_dims` and `seeds` that returns a tidy `DataFrame`:
#
# - `train_fn(head_dim, scaled, seed)` trains once and returns a list of `(step, accuracy)`. Call it **once** for every combination, with `scaled` as the
#   bool `True` or `False`, and with the same seed for both runs of a pair;
# - `head_dims` and `seeds` are any iterables, perhaps generators, which can be gone through once only;
# - one row for each `(step, accuracy)`, values unchanged; two equal measurements are two rows;
# - columns `head_dim`, `scaled`, `seed`, `step`, `accuracy`. The order of rows and the index are up to you.


# %% nbgrader={"grade": false, "grade_id": "scaling_ablation", "locked": false, "schema_version": 3, "solution": true, "task": false}
def scaling_ablation(
    train_fn: Callable[[int, bool, int], list[tuple[int, float]]],
    head_dims: Iterable[int],
    seeds: Iterable[int],
) -> pd.DataFrame:
    """Run every head dimension, scaled and not, with every seed; one row per measurement."""
    ### BEGIN SOLUTION
    columns = ["head_dim", "scaled", "seed", "step", "accuracy"]
    seeds = list(seeds)  # gone through once per head dimension
    rows = [
        (head_dim, scaled, seed, step, accuracy)
        for head_dim in head_dims
        for seed in seeds
        for scaled in (True, False)
        for step, accuracy in train_fn(head_dim, scaled, seed)
    ]
    return pd.DataFrame(rows, columns=columns)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "scaling_ablation_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
checks.self_attention.scaling_ablation(scaling_ablation)
### BEGIN HIDDEN TESTS
with checks.hidden("scaling_ablation"):
    look = checks.self_attention
    look.examine_ablation(scaling_ablation, [64, 16], [5, 1, 9], longest=7)
    look.examine_ablation(scaling_ablation, (128,), range(4), longest=1)
    look.examine_ablation(scaling_ablation, range(2, 6), [17], longest=3)
    look.examine_ablation(scaling_ablation, [2, 4, 8, 16, 32], (1000, 0, 3), longest=5)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Three nested loops, over head dimensions, seeds and `(True, False)`, and a fourth over what `train_fn` returns. Collect the rows in a list.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Append one tuple `(head_dim, scaled, seed, step, accuracy)` per measurement. Nothing is averaged or rounded here: that is for the plot, later.
#
# </details>
#
# <details><summary>Hint 3: nearly all of it</summary>
#
# ```python
# rows, seeds = [], list(seeds)                # gone through once for each head_dim
# for head_dim in head_dims:
#     for seed in seeds:
#         for scaled in (True, False):
#             for step, accuracy in train_fn(head_dim, scaled, seed):
#                 rows.append(...)
# return pd.DataFrame(rows, columns=["head_dim", "scaled", "seed", "step", "accuracy"])
# ```
#
# </details>

# %% [markdown]
# **A task that shows it.** A chart lists 20 drugs, each with one of ten doses. You ask for one drug; the answer is its dose. One attention head can do that:
# the query is the drug you ask for, the keys are the drugs listed, the values are the doses. Query and key maps start as $N(0, 1/d)$, so that queries and keys
# have entries of variance about 1, which is what the theory of question 1 assumes.

# %%
NUM_DRUGS, NUM_DOSES = 20, 10


class Lookup(nn.Module):
    """One head that looks up the dose of a drug: drugs and doses (B, 20), asked (B,) -> logits (B, 10)."""

    def __init__(self, head_dim: int, scale: float, generator: torch.Generator) -> None:
        super().__init__()
        shapes = {
            "drug": (NUM_DRUGS, head_dim),
            "dose": (NUM_DOSES, head_dim),
            "query": (head_dim, head_dim),
            "key": (head_dim, head_dim),
            "value": (head_dim, head_dim),
            "out": (head_dim, NUM_DOSES),
        }
        for name, shape in shapes.items():
            entries = torch.randn(shape, generator=generator)
            std = 1.0 if name in ("drug", "dose") else 1 / math.sqrt(head_dim)
            setattr(self, name, nn.Parameter(std * entries))
        self.scale = scale

    def forward(
        self, drugs: torch.Tensor, doses: torch.Tensor, asked: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        listed = self.drug[drugs] + self.dose[doses]  # (B, 20, d)
        scores = (self.drug[asked] @ self.query)[:, None] @ (listed @ self.key).transpose(
            1, 2
        )  # (B, 1, 20)
        weights = (self.scale * scores).softmax(-1)
        return (weights @ (listed @ self.value))[:, 0] @ self.out, weights[:, 0]


# %%
def make_charts(n: int, generator: torch.Generator) -> tuple[torch.Tensor, ...]:
    """Drugs and doses (n, 20), the drug asked for (n,) and its dose (n,)."""
    drugs = torch.rand(n, NUM_DRUGS, generator=generator).argsort(1)
    doses = torch.randint(NUM_DOSES, (n, NUM_DRUGS), generator=generator)
    rows, place = torch.arange(n), torch.randint(NUM_DRUGS, (n,), generator=generator)
    return drugs, doses, drugs[rows, place], doses[rows, place]


# %%
def train_fn(head_dim: int, scaled: bool, seed: int, steps: int = 200) -> list[tuple[int, float]]:
    """Train the lookup and return (step, accuracy on 500 fresh charts) every 25 steps."""
    generator = torch.Generator().manual_seed(
        seed
    )  # weights, then batches: the same for both of a pair
    model = Lookup(head_dim, 1 / math.sqrt(head_dim) if scaled else 1.0, generator)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    history = []
    for step in range(1, steps + 1):
        *chart, dose = make_charts(64, generator)
        loss = F.cross_entropy(model(*chart)[0], dose)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 25 == 0:
            *chart, dose = make_charts(500, torch.Generator().manual_seed(1_000_000 + seed))
            with torch.no_grad():
                history.append((step, (model(*chart)[0].argmax(1) == dose).float().mean().item()))
    return history


# %% [markdown]
# First look at the start, before any training: how sharp is the attention, and how much gradient reaches the key map?

# %%
head_dims = [16, 32, 64, 128, 256, 512]
start = {"scaled": [], "unscaled": []}
for head_dim in head_dims:
    for name, scale in (("scaled", 1 / math.sqrt(head_dim)), ("unscaled", 1.0)):
        generator = torch.Generator().manual_seed(SEED)
        model = Lookup(head_dim, scale, generator)
        weights = model(*make_charts(500, generator)[:3])[1]
        slope = (weights * (1 - weights)).mean().item()  # diagonal of the softmax's derivative
        start[name].append(
            (torch.special.entr(weights).sum(-1).mean().item() / math.log(NUM_DRUGS), slope)
        )
fig, axes = plt.subplots(1, 2, figsize=(9, 3))
for name, values in start.items():
    for ax, column in zip(axes, zip(*values, strict=True), strict=True):
        ax.plot(head_dims, column, marker="o", label=name)
for ax, label in zip(axes, ("entropy / log(20)", "mean derivative w (1 - w)"), strict=True):
    ax.set_xscale("log", base=2)
    ax.set_xticks(head_dims, head_dims)
    ax.set(xlabel="head_dim", ylabel=label, ylim=(0, None))
axes[0].legend()
plt.show()
claims.claim("01_self_attention", "scaled_start_entropy_512", start["scaled"][-1][0])
_ = claims.claim("01_self_attention", "unscaled_start_entropy_512", start["unscaled"][-1][0])

# %% [markdown]
# *Untrained attention over 20 drugs by head_dim. Left: entropy relative to its maximum. Right: mean derivative of a weight with respect to its own score.*
#
# With the scale nothing much changes with `head_dim`; without it the softmax closes, as $\operatorname{Var}(q \cdot k) = d_k$ says it must. Now let your ablation train both.

# %%
lookup_guess = checks.guess("accuracy without the scale after 200 steps, head_dim 64", ...)

# %% tags=["needs-answer", "train"]
seeds = tuple(3 * SEED + i for i in range(3))
ablation = scaling_ablation(train_fn, (16, 64), seeds)
fig, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True)
for ax, head_dim in zip(axes, (16, 64), strict=True):
    for scaled, color in ((True, "C0"), (False, "C1")):
        part = ablation[(ablation.head_dim == head_dim) & (ablation.scaled == scaled)]
        for i, seed in enumerate(seeds):
            line = part[part.seed == seed].sort_values("step")
            ax.plot(
                line.step,
                line.accuracy,
                color=color,
                alpha=0.8,
                label=("scaled" if scaled else "unscaled") if i == 0 else None,
            )
    ax.axhline(1 / NUM_DOSES, color="black", linestyle="--", linewidth=1)
    ax.set(title=f"head_dim = {head_dim}", xlabel="training step", ylim=(0, 1.03))
axes[0].set_ylabel("accuracy on fresh charts")
axes[0].legend()
plots.mark_guess(axes[1], lookup_guess, axis="y")
plt.show()
last = (
    ablation[(ablation.step == ablation.step.max()) & (ablation.head_dim == 64)]
    .groupby("scaled")
    .accuracy.mean()
)
lookup_guess.reveal(last[False])
_ = claims.claim("01_self_attention", "lookup_scaled", last[True], control=last[False])

# %% [markdown]
# *Accuracy while training, three seeds per line colour; dashed: guessing.* How does this compare with your prediction?
#
# At `head_dim` 16, where the factor is 4, both are slow, and the scaled runs are ahead. At 64 the scaled ones are done within 100 steps, and the unscaled lag, each by another margin: how long it takes
# depends on what a closed softmax happened to look at.
# And on the notes? You have seen it: the third and the fifth run of section 13 differ in nothing but a factor on the first scores, and there the model never learned. An ablation can only
# show as much as the part it removes decides; before you believe a small difference, ask whether a large one could have shown.


# %% [markdown]
# ## 22 Does attention explain the prediction?
#
# Attention maps are pretty, and they are often sold as an explanation. You can test that here, because you know which words decide. First the maps of one
# note in which a scope ends: the finding in orange, the words that decide in blue.


# %%
def find_note(kind: str, longest: int = 20) -> tuple[int, int]:
    """A short test note, and the place of its mention of this kind, that the encoder gets right."""
    right = (RESULTS["encoder"]["predictions"] == test_notes.labels).all(1)
    rows, places = np.nonzero(
        (test_notes.mention_kind == KINDS.index(kind))
        & (right & (test_notes.lengths <= longest))[:, None]
    )
    return int(rows[0]), int(places[0])


def spans(note: int, place: int) -> tuple[list[int], list[int]]:
    """Positions of the words of a mention and of the words that decide its status."""
    start, cue = test_notes.mention_positions[note, place], test_notes.cue_positions[note, place]
    return (
        list(range(start, start + test_notes.mention_lengths[note, place])),
        list(range(cue, cue + test_notes.cue_lengths[note, place])),
    )


def note_tokens(note: int) -> torch.Tensor:
    """Token ids (1, T) of one test note, without padding."""
    tokens, _, lengths = DATA[id(test_notes)]
    return tokens[note : note + 1, : lengths[note]]


@torch.no_grad()
def attention_of(note: int) -> list[torch.Tensor]:
    """Attention of both blocks (H, T, T) and of the pooling (H, C, T) for one test note."""
    return [w[0].cpu() for w in encoder(note_tokens(note), need_weights=True)[1]]


# %%
note, place = find_note("ended")
finding, cue = spans(note, place)
words = test_notes.words(note)
colors = dict.fromkeys(finding, "C3") | dict.fromkeys(cue, "C0")
maps = attention_of(note)
fig, axes = plt.subplots(1, 2, figsize=(11, 5.5))
for block, ax in enumerate(axes):
    head = int(maps[block][:, finding][:, :, cue].sum(-1).mean(1).argmax())
    plots.attention_map(
        maps[block][head],
        words,
        highlight=colors,
        fontsize=11,
        title=f"block {block + 1}, head {head + 1}",
        ax=ax,
    )
plt.show()

# %% [markdown]
# *One head of each block, the one that looks most from the finding (orange) to the deciding words (blue); each map has a scale of its own.*
#
# Now all heads: choose one, then a word (hover, tap, or arrow keys) to see where it looks.

# %%
plots.attention_explorer(
    words, torch.stack(maps[:NUM_BLOCKS]), query=finding[0], title="All heads of both blocks"
)

# %% [markdown]
# *The darkness of a word is how much the chosen word looks at it, white 0 and full blue 1, in every head. Which of the eight look at the same words as the two above?*

# %%
fig, ax = plt.subplots(figsize=(11, 3))
plots.attention_map(
    maps[2].mean(0),
    words,
    CLASS_NAMES,
    highlight=colors,
    fontsize=11,
    title="pooling: what every group reads (mean of the heads)",
    ax=ax,
)
for label in ax.get_yticklabels():
    label.set(color="black", fontweight="normal")
ax.set_ylabel("problem group")
plt.show()
print(test_notes.texts([note])[0])

# %% [markdown]
# *Attention of the four learned queries, which decides what each logit is made of.*
#
# Convincing? You have just seen the head that fits best out of four, in one note out of 2,000. So count, over many notes and all heads, with three measures of a word's weight:
#
# - **attention** from the finding to the word, mean of all heads;
# - **value-weighted attention**: a large weight on a word whose value vector is short sends little. $w_{ts} \lVert v_s W_O^h \rVert$ is the length of what is really sent (Kobayashi et al., 2020);
# - **occlusion**: hide the word and see how far the logit moves.


# %%
@torch.no_grad()
def looks(note: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention, and value-weighted attention, of both blocks: (blocks, H, T, T) each."""
    tokens = note_tokens(note)
    with probes.record(encoder.blocks[0]) as seen:
        weights = encoder(tokens, need_weights=True)[1][:NUM_BLOCKS]
    inputs = (sum(encoder.summands(tokens)), seen[0])
    sent = [
        probes.value_weighted(block.attention, x, w)
        for block, x, w in zip(encoder.blocks, inputs, weights, strict=True)
    ]
    return torch.cat(weights).cpu(), torch.cat(sent).cpu()


@torch.no_grad()
def occlusion(note: int, c: int) -> np.ndarray:
    """How far the logit of group c moves when each word (T,) is hidden in turn."""
    whole = note_tokens(note)
    hidden = whole.repeat(whole.shape[1], 1)
    hidden.fill_diagonal_(0)  # the padding id: nobody may attend to it
    return (encoder(whole)[0][0, c] - encoder(hidden)[0][:, c]).abs().cpu().numpy()


chosen = []
for kind in ("before", "after", "ended", "pseudo"):
    rows, places = np.nonzero(test_notes.mention_kind == KINDS.index(kind))
    classes = test_notes.mention_class[rows, places]
    alone = (test_notes.mention_class[rows] == classes[:, None]).sum(1) == 1
    right = RESULTS["encoder"]["predictions"][rows, classes] == test_notes.labels[rows, classes]
    usable = np.flatnonzero(alone & right)[:60]
    chosen += [(kind, int(rows[i]), int(places[i]), int(classes[i])) for i in usable]
print(len(chosen), "mentions that the encoder gets right")

# %%
rows = []
to_cue = np.zeros((NUM_BLOCKS, NUM_HEADS))
for kind, note, place, c in chosen:
    finding, cue = spans(note, place)
    weights, sent = (w[:, :, finding].mean(2).numpy() for w in looks(note))  # (blocks, H, T)
    to_cue += weights[:, :, cue].sum(-1) / len(chosen)
    measures = {
        "attention": weights.mean((0, 1)),
        "value-weighted": sent.mean((0, 1)),
        "occlusion": occlusion(note, c),
    }
    others = [i for i in range(weights.shape[-1]) if i not in finding]  # the finding matters anyway
    row = {"kind": kind, "chance": len(cue) / len(others)}
    row |= {name: others[int(m[others].argmax())] in cue for name, m in measures.items()}
    ranks = {name: pd.Series(m[others]) for name, m in measures.items()}
    row["correlation"] = ranks["attention"].corr(ranks["occlusion"], method="spearman")
    rows.append(row)
found = pd.DataFrame(rows)

# %%
measured = ["attention", "value-weighted", "occlusion"]
ax = (
    found.groupby("kind", sort=False)[["chance", *measured]]
    .mean()
    .plot.bar(rot=0, figsize=(8, 3.2))
)
ax.set(ylabel="top word is a deciding word (share)", xlabel="kind of mention", ylim=(0, 1))
ax.legend(ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0))
plt.show()
for name in measured:
    low, high = metrics.wilson_interval(int(found[name].sum()), len(found))
    print(f"{name}: {found[name].mean():.2f} (95 % interval {low:.2f} to {high:.2f})")
for name in measured:
    key = f"{name.replace('-', '_')}_top_word_is_cue"
    claims.claim("01_self_attention", key, found[name].mean())
_ = claims.claim("01_self_attention", "attention_occlusion_correlation", found.correlation.mean())

# %% [markdown]
# *How often the top word outside the finding is one of the deciding words, by kind of mention: for three measures, and for a random word.*
#
# All three beat chance, none finds the deciding word always, and attention does not do better than occlusion. This count cannot settle what attention explains. And one group of bars is odd: where
# a scope ends (*denies A **but** reports B*), hiding a word finds the deciding *but* rarely. Does the model not use it?
#
# ### Two words that say the same
# Both *but* and *reports* tell that the scope is over. Hide one, and the other still says so. So hide both. The sentences are "denies A but reports B" with 100 pairs of findings of different
# groups; shown is how far the logit of B falls.

# %%
rng = np.random.default_rng(SEED)
PAIRS = []
for _ in range(100):
    one, two = rng.choice(len(CLASS_NAMES), 2, replace=False)
    a, b = (rng.choice(FINDINGS[CLASS_NAMES[c]]) for c in (one, two))
    PAIRS.append((int(one), str(a), int(two), str(b)))


def sentence(first: str, a: str, second: str, b: str) -> tuple[torch.Tensor, dict[str, list[int]]]:
    """Token ids (1, T) of "first A but second B", and the positions of its pieces."""
    pieces = {"start": "64 year old woman admitted from home .", "first": first, "A": a}
    pieces |= {"but": "but", "second": second, "B": b, "end": "."}
    places, at = {}, 0
    for name, text in pieces.items():
        places[name] = list(range(at, at + len(text.split())))
        at += len(text.split())
    token_ids, _ = encode([" ".join(pieces.values())])
    return torch.from_numpy(token_ids).to(DEVICE), places


def mean_with_interval(values: list[float] | np.ndarray) -> tuple[float, float, float]:
    """Mean over pairs and its 95 % bootstrap interval."""
    return float(np.mean(values)), *metrics.bootstrap_interval(np.mean, np.asarray(values))


# %%
falls: dict[str, list[float]] = {"but": [], "reports": [], "both": [], "sum of the two": []}
for _, a, two, b in PAIRS:
    tokens, places = sentence("denies", a, "reports", b)
    hide = {"but": places["but"], "reports": places["second"]}
    hide["both"] = hide["but"] + hide["reports"]
    with torch.no_grad():
        whole = encoder(tokens)[0][0, two]
        for name, where in hide.items():
            hidden = tokens.clone()
            hidden[0, where] = 0
            falls[name].append((whole - encoder(hidden)[0][0, two]).item())
    falls["sum of the two"].append(falls["but"][-1] + falls["reports"][-1])
summary = np.array([mean_with_interval(values) for values in falls.values()])
names = ["hide but", "hide reports", "hide both", "the two alone, added"]
plots.bars(
    names,
    summary[:, 0],
    low=summary[:, 1],
    high=summary[:, 2],
    xlabel="fall of the logit of B (mean of 100 pairs)",
    digits=2,
)
plt.show()
both, added = summary[2, 0], summary[3, 0]
_ = claims.claim("01_self_attention", "two_words_hidden", both, control=added)

# %% [markdown]
# *Fall of the logit of B in "denies A but reports B" when words are hidden, with 95 % intervals over pairs.*
#
# Hiding *but* alone moves little, and you might call it unimportant. But once *reports* is hidden, it costs more to lose *but* as well: together they are worth more than the two alone, added, because each covers for the other. No ranking of single words can show that.
#
# ### Silence a head
# If a head's map explains the prediction, the model must suffer without that head. **Knock out** each head in turn: its contribution is set to zero. Beside it stands how much
# it looks from findings to deciding words.

# %%
knock_guess = checks.guess(
    "accuracy on notes of both kinds without the head that looks most at the deciding words", ...
)


# %%
def right_on_both(model: nn.Module) -> np.ndarray:
    """Share of mentioned groups that are right, for each test note of both kinds."""
    asserted = test_notes.mentioned & (test_notes.labels == 1)
    denied = test_notes.mentioned & (test_notes.labels == 0)
    both = asserted.any(1) & denied.any(1)
    right = (predict_logits(model, test_notes) > 0).numpy() == test_notes.labels
    return (right & test_notes.mentioned)[both].sum(1) / test_notes.mentioned[both].sum(1)


whole = right_on_both(encoder)
losses = np.zeros((NUM_BLOCKS, NUM_HEADS, 3))
for block, head in np.ndindex(NUM_BLOCKS, NUM_HEADS):
    with probes.knock_out(encoder.blocks[block].attention, head):
        losses[block, head] = mean_with_interval(whole - right_on_both(encoder))
fig, ax = plt.subplots(figsize=(8, 3.6))
for block, color in enumerate(("C0", "C1")):
    loss, low, high = losses[block].T
    ax.errorbar(
        to_cue[block], loss, yerr=[loss - low, high - loss], fmt="o", color=color, capsize=3,
        label=f"block {block + 1}",
    )  # fmt: skip
    for head in range(NUM_HEADS):
        ax.annotate(f" {head + 1}", (to_cue[block, head], loss[head]), fontsize=11)
ax.set(xlabel="attention from finding to deciding words", ylabel="accuracy lost")
ax.legend()
plt.show()
most = np.unravel_index(to_cue.argmax(), to_cue.shape)
knock_guess.reveal(whole.mean() - losses[most][0])
others = (losses[..., 0].sum() - losses[most][0]) / (losses[..., 0].size - 1)
_ = claims.claim("01_self_attention", "knock_out_most", losses[most][0], control=others)

# %% [markdown]
# *Each of the eight heads (its number beside it): how much it looks from findings to deciding words, and how much accuracy on notes of both kinds is lost without it, with 95 % intervals over notes.*
#
# One head of the first block does most of this work, and it is the one whose map points at the deciding words. The others could go one by one and hardly be missed. Here, then, the map named the
# right head; but only the knock-out shows that the others, whose maps look as busy, are not needed. Nor is it always so clear: of five seeds, one lost a fifth as much with that head, because others did the same work.
#
# ### Move an activation
# The strongest test follows the message itself. Take "denies A but reports B" and its mirror "reports A but denies B": the same findings at the same places, the opposite answer. Run the mirror and
# keep its activations. Run the first sentence, but at *one* place put in what the mirror had there (**activation patching**). If the logit of A moves all the way to the mirror's, that place at that depth
# carried the message.


# %%
@torch.no_grad()
def patched_moves(one: int, a: str, b: str) -> tuple[np.ndarray, float]:
    """How far the logit of A moves for each depth and place, (3, 6), and how far the mirror's is."""
    tokens, places = sentence("denies", a, "reports", b)
    mirror, _ = sentence("reports", a, "denies", b)
    depths = [encoder.embedding, *encoder.blocks]
    with contextlib.ExitStack() as stack:
        stored = [stack.enter_context(probes.record(module)) for module in depths]
        there = encoder(mirror)[0][0, one].item()
    here = encoder(tokens)[0][0, one].item()
    moves = np.zeros((len(depths), len(PLACES)))
    for depth, module in enumerate(depths):
        for i, names in enumerate(PLACES.values()):
            where = [position for name in names for position in places[name]]
            with probes.patch(module, stored[depth][0], where):
                moves[depth, i] = encoder(tokens)[0][0, one].item() - here
    return moves, there - here


PLACES = {
    "first verb": ["first"],
    "A": ["A"],
    "but": ["but"],
    "second verb": ["second"],
    "B": ["B"],
    "the rest": ["start", "end"],
}
results = [patched_moves(one, a, b) for one, a, _, b in PAIRS]
moves, whole_way = (np.array(part) for part in zip(*results, strict=True))  # (100, 3, 6), (100,)

# %%
plots.heat_map(
    moves.mean(0) / whole_way.mean(),
    rows=["words", "after block 1", "after block 2"],
    columns=list(PLACES),
    colorbar="share of the way",
    annotate=True,
    vmin=0,
    vmax=1,
    title="Where does the message about A sit?",
    ax=plt.subplots(figsize=(8, 2.8))[1],
)
plt.show()


def share(moved: np.ndarray, way: np.ndarray) -> float:
    """Mean move over mean way: a pair with a short way does not count more than others."""
    return moved.mean() / way.mean()


for depth, name in enumerate(("words", "after block 1", "after block 2")):
    for place in (0, 1):
        low, high = metrics.bootstrap_interval(share, moves[:, depth, place], whole_way)
        found = share(moves[:, depth, place], whole_way)
        print(f"{name}, {list(PLACES)[place]}: {found:.2f} (95 % interval {low:.2f} to {high:.2f})")
verb, at_a, at_b = (share(moves[:, d, p], whole_way) for d, p in ((0, 0), (2, 1), (2, 4)))
claims.claim("01_self_attention", "patched_verb_words", verb)
_ = claims.claim("01_self_attention", "patched_finding_at_the_end", at_a, control=at_b)

# %% [markdown]
# *Share of the way from "denies A" to "reports A" that the logit of A goes when one place is taken from the mirror, at three depths; mean of 100 pairs.*
#
# There is the message on its way. At the words it sits in the verb before A, of course: only the two verbs differ. (More than the whole way, because "reports A but reports B" denies nothing at all; and the other verb alone, "denies A but
# denies B", pulls in the other direction.) After the first block most of it sits at the words of A, a part still at B; after the second nearly all of it at A, where the pooling picks it up, and as good as nothing at B. That is what "*pneumonia* gets to know about
# the *no*" of section 4 looks like in a trained model, and this time it is not a picture that suggests it, but an intervention that shows it.
#
# So, does attention explain? As a ranking of words, the averaged map is a weak witness: fewer than half of its top words are deciding ones, no more than occlusion finds. As a route it can be right: the head that looks at the deciding words carries the
# message, and the message arrives where the map says. But that took three interventions to know. A map is a hypothesis; knocking out and patching are its tests; occlusion is one too, though it asks with sentences nobody would write, and underrates what is said twice.
#
# > **Question 2** · 5 points · 15 minutes
# >
# > (a) Why does the softmax saturate without the scale, and why does that slow learning? Use the numbers you measured in section 21, and say where your prediction was off.
# > (b) Does attention explain this model's predictions? Take a position and support it with at least two numbers from this section. Name one thing that none
# > of its methods shows.

# %% [markdown] nbgrader={"grade": true, "grade_id": "written_2", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
# **Model answer.** (a) Unscaled scores have a standard deviation near $\sqrt{d_k}$, so the largest of 20 scores leads by several units and takes nearly all the weight:
# at `head_dim` 512 the entropy is close to zero, with the scale it stays near its maximum. The softmax's derivative is made of products $w_i(\delta_{ij} - w_j)$, which vanish
# when one weight is 1, so hardly any gradient reaches the query and key maps and the wrong drug stays chosen. In the training curves the scaled head of width 64
# solves the task within 200 steps, the unscaled ones lag by a wide and uneven margin.
# (b) Only partly. The deciding word is on top of the averaged attention more often than chance, but far from always, and value weights or occlusion find it no better. Heads that look at
# the deciding words are not all needed: without the one that looks most the model loses a third of its accuracy, without most others nothing. Patching shows that the message does travel from verb to finding, so the route exists;
# but it is the intervention that proves it, not the map. None of the methods shows what the model would do with another phrase for the same thing, and all of them describe one model and one seed.
#
# **Rubric.** (a) 1 point: spread of the scores grows like $\sqrt{d_k}$ and one weight approaches 1. 1 point: small derivative, hence small gradient for query and key.
# (b) 1 point: a clear position. 1 point: two numbers of the section used correctly. 1 point: a real limit named (other wordings, unnatural inputs,
# interactions beyond two words, one model and seed).


# %% [markdown]
# ## 23 Where you stand

# %%
checks.self_attention.summary(globals())

# %% [markdown]
# ### What you have learned
#
# - Attention is a weighted mean whose weights come from dot products; masks decide who may take part, and a query with nobody to attend to gets zero.
# - Without positions, attention sees a bag of words; with positions that are drowned, too; with closed scores it cannot learn from positions it could hear. Four runs told the causes apart, a fifth showed which part of
#   one cause matters. An explanation that sounds right is a hypothesis.
# - Micro-F1 can look fine while every negated finding is wrong. Evaluate the cases that matter apart, and beside what needs no model.
# - A rule whose author knows the grammar is perfect in it. Out of grammar each reader breaks in its own way, and adapts in its own way: the rule by a person's hours, the learner by labels.
# - Rotary positions turn order into distance; here they learn faster and carry further than sums of sines.
# - $1/\sqrt{d_k}$ keeps the spread of the scores independent of the width.
# - Attention maps are a hypothesis about the route of information. Knocking out and patching are tests.
#
# A last part with real notes is missing on purpose: real clinical text may not be shared. With access to such notes, the readers of section 16 are the baselines to start from.
#
# ### Where to read on
#
# - Vaswani et al. (2017), *Attention Is All You Need*: the transformer; section 3.2 has the scaling argument, 3.5 the positions.
# - Xiong et al. (2020), *On Layer Normalization in the Transformer Architecture*: pre-norm and post-norm.
# - Su et al. (2021), *RoFormer*: rotary positions; Press et al. (2022), *Train Short, Test Long*: ALiBi; Dao et al. (2022), *FlashAttention*.
# - Chapman et al. (2001), *A Simple Algorithm for Identifying Negated Findings and Diseases in Discharge Summaries*: NegEx.
# - Harkema et al. (2009), *ConText*: negation, experiencer and time by rules.
# - Kobayashi et al. (2020), *Attention is Not Only a Weight*; Vig et al. (2020), *Causal Mediation Analysis*: value weights, and moving activations.
# - Jain and Wallace (2019), *Attention is not Explanation*; Wiegreffe and Pinter (2019), *Attention is not not Explanation*: read both.
# - Mullenbach et al. (2018), *Explainable Prediction of Medical Codes from Clinical Text*: one learned query per code, on real notes.
#
# Notebook 02 lets text attend to images.
