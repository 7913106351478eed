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
# # 02 Grounded cross-attention: reports that point at the film
#
# A radiologist who writes *small nodule in the right upper zone* can put a finger on it. In this
# notebook you build a small model that reads a chest film, writes the report word by word, and shows
# for every word where it looked. Then you ask what that picture is worth.
#
# You will be able to
#
# * let text look at an image: queries from words, keys and values from patches;
# * find a missing causal mask **without reading the code**;
# * supervise attention (*grounding*), with the right row for the right word;
# * decode, with a cache too, and judge reports by finding, beside a writer without eyes;
# * test what a heat map proves, against controls, and make a model lie with a beautiful one.
#
# | part | sections | minutes | points |
# | --- | --- | --- | --- |
# | films, reports, patches | 1-3 | 25 | 4 |
# | the model: cross-attention, causal mask, leak test | 4-7 | 55 | 14 |
# | the loss and the training | 8-9 | 40 | 10 |
# | decoding, and the cache | 10-11 | 40 | 11 |
# | judging reports | 12 | 10 | |
# | pointing and overlap | 13-14 | 30 | 9 |
# | occlusion, a fair control, sinks, lies | 15-18 | 25 | |
# | your verdict | 19 | 15 | 5 |
#
# Four hours, in two sittings: section 9 ends the first. Everything together computes for about three minutes on one CPU core; the cells that train say so. **Your own parts**, once their checks are right, are what is trained
# and what scores; until then the course's stand in. **Guesses**: before some figures a cell asks what you expect. Write it in place of the dots and the figure shows it; a guess earns no points and is stored nowhere.
#
# The films are drawn by a program. They teach the method; nothing here is a medical device.
#
# **Two rules of every exercise**: what your code is given stays as it was (work on copies, never in place on an argument), and results keep the dtype of the
# first tensor, unless the box says otherwise.

# %% tags=["install"]
# install cell

# %% tags=["imports"]
import copy
import functools
import math
import os
import timeit
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from sklearn.metrics import f1_score
from torch import nn

from course_utils import checks, claims, layers, metrics, plots, training
from course_utils.data import radiology
from course_utils.plots import films as film_plots

NOTEBOOK = "02_grounded_cross_attention"
SEED = claims.seed()
DEVICE = training.pick_device()
PATCH = 8  # pixels; a film of 64 x 64 has N = 64 patches
plots.use_style()
checks.setup()

# %% [markdown]
# ## 1 The films
#
# `make_chest_films` draws films with zero, one or two findings and returns the truth about them: which
# finding, on which side, in which zone, how large, and **every pixel that belongs to it**.
#
# | finding | how it looks |
# | --- | --- |
# | nodule | a round spot, denser than lung; small or large, in the upper, middle or lower zone |
# | effusion | fluid at the base, bright, its edge climbs along the chest wall (the *meniscus*) |
# | pneumothorax | free air at the apex, dark, without vessels, bordered by a thin pleural line |
# | cardiomegaly | a heart wider than half of the chest; mild or marked |
#
# The *dome* is the top of the diaphragm; the *zones* are the upper, middle and lower third of a lung. Some medicine behind the drawing, since a report is only as good as its
# film: the width of the heart may be judged on a film taken from behind (PA, standing); on a bedside film from the front it looks wider. Free air rises to the apex
# only in somebody upright. And if this chest is 29 cm wide, a "large nodule" is 4 to 5 cm across: radiologists call what exceeds 3 cm a *mass*.
#
# **Left and right.** You look at a film as if the patient faced you. The left of the picture is the
# patient's *right*, and the radiographer's "R" says so. Reports, and every array here, speak of the
# patient's sides.

# %%
train_films = radiology.make_chest_films(3000, random_state=10 * SEED + 1)
val_films = radiology.make_chest_films(400, random_state=10 * SEED + 2)
print(
    len(train_films),
    "films to learn from,",
    len(val_films),
    "held out;",
    train_films.images.shape[1:],
)
for text in val_films.texts()[:4]:
    print("-", text)

# %%
shown_films = radiology.make_chest_films(400, image_size=128, random_state=10 * SEED + 2)
film_plots.finding_gallery(shown_films)
plt.show()

# %% [markdown]
# *Held-out films, drawn here with 128 x 128 pixels for your eyes; the model gets the same patients with 64 x 64. Two without a finding, then each finding in both sizes. The outline is the
# truth; R and L are the patient's sides. The dark spot under the left dome is air in the stomach,
# the white letter is the marker: neither is a finding.*
#
# How often does each finding occur, and how many does a film have? And which never meet?

# %%
fig, axes = plt.subplots(1, 2, figsize=(8, 2.8))
counts = train_films.present.sum(axis=1)
plots.bars(
    ["none", "one", "two"],
    np.bincount(counts, minlength=3),
    xlabel="films",
    xlim=(0, 2000),
    digits=0,
    title="Findings in a film",
    ax=axes[0],
)
plots.bars(
    radiology.KINDS,
    train_films.present.sum(axis=0),
    xlabel="films",
    xlim=(0, 1300),
    digits=0,
    title="Films with the finding",
    ax=axes[1],
)
plt.show()
share = [
    train_films.masks[train_films.present[:, k], k].mean() for k in range(len(radiology.KINDS))
]
print(
    "share of the film that a finding covers:",
    {kind: f"{part:.1%}" for kind, part in zip(radiology.KINDS, share, strict=True)},
)
nodule, effusion, air, heart = train_films.side.T
low = train_films.zone[:, 0] > 1
print(
    f"effusion and pneumothorax on one side: {((effusion > 0) & (effusion == air)).sum()}; "
    f"nodule and pneumothorax on one side: {((nodule > 0) & (nodule == air)).sum()}; nodule below the "
    f"upper zone with cardiomegaly: right {(low & train_films.present[:, 3] & (nodule == 1)).sum()}, "
    f"left {(low & train_films.present[:, 3] & (nodule == 2)).sum()}"
)

# %% [markdown]
# *Training films by number and kind of findings. The kinds are about equally
# frequent, so nothing is won by naming the commonest one.*
#
# The last line shows how the program keeps findings from hiding each other: effusion and pneumothorax never share a side, nor do nodule and pneumothorax; a nodule never lies in the lower
# zone behind fluid, and below the upper zone of a film with a large heart it always lies on the right. Real patients keep to no such rule, and a model may learn these instead of seeing.
#
# ## 2 Every word counts
#
# A report is a row of token ids: `<bos>`, the words, `<eos>`, then `<pad>` to equal length. A word that
# the vocabulary does not hold becomes `<unk>`. Why not simply `<pad>`? Because the loss ignores padding:
# whatever is mapped to it can never be learned and never be written. Watch what happens to hyphenated
# words if a tokenizer drops them that way.

# %%
print(dict(enumerate(radiology.VOCABULARY)))
print(radiology.encode_report("Small left-sided effusion, no fracture."))

complete, dropped = set(), set()
for text in train_films.texts():
    words = text.replace(".", " .").split()
    complete.add(" ".join(words))
    dropped.add(" ".join(word for word in words if "-" not in word))
print(
    f"different reports: {len(complete)}; when hyphenated words turn into padding: {len(dropped)}"
)
sided = np.mean(["-sided" in text for text in train_films.texts()])
print(f"films whose report loses a side: {sided:.0%}")
print("<unk> in the reports:", int((train_films.token_ids == radiology.UNK_ID).sum()))

# %% [markdown]
# Without `left-sided` and `right-sided`, reports about different patients become the same report:
# the side of every effusion and pneumothorax is gone, and no amount of training brings it back. The
# loss would even look *better*, since the hard words are left out of it. (The comma in the line above
# sticks to its word and makes it unknown, `fracture` is unknown as well: id 3.)
#
# ## 3 Patches
#
# A transformer wants a sequence. A film becomes one by cutting it into squares of $P \times P$ pixels, each
# flattened to a vector; with $N = \frac{H}{P} \cdot \frac{W}{P}$ squares the image is a sequence of $N$
# "words". The order has to be known, because the model is told *where* a patch was by its position alone.
#
# > **Exercise `patchify`** · 4 points · 15 minutes · difficulty 2 of 5
#
# * Input: `images` `(B, C, H, W)`, floating point, and `patch_size` $P$. Output: `(B, N, C*P*P)`.
# * Patches run from left to right, then from top to bottom (row-major).
# * Inside a patch the order is channel, row, column.
# * $H$ and $W$ may differ. The images may be non-contiguous in memory.
# * When $H$ or $W$ is not a multiple of $P$: a `ValueError` whose message names $H$, $W$ and the patch size.
# * Any torch function is allowed. Keep the dtype.


# %% nbgrader={"grade": false, "grade_id": "patchify", "locked": false, "schema_version": 3, "solution": true, "task": false}
def patchify(images: torch.Tensor, patch_size: int) -> torch.Tensor:
    """Cut images into flattened square patches, row by row.

    Shapes: images (B, C, H, W) -> (B, N, C * P * P) with N = (H / P) * (W / P).
    Raises ValueError, naming H, W and patch_size, when a side is not a multiple of patch_size.
    """
    ### BEGIN SOLUTION
    batch, channels, height, width = images.shape
    if height % patch_size or width % patch_size:
        raise ValueError(f"H={height} and W={width} must be multiples of patch_size={patch_size}")
    rows, columns = height // patch_size, width // patch_size
    grid = images.reshape(batch, channels, rows, patch_size, columns, patch_size)
    grid = grid.permute(0, 2, 4, 1, 3, 5)  # (B, rows, columns, C, P, P)
    return grid.reshape(batch, rows * columns, channels * patch_size**2)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "patchify_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
checks.grounded_cross_attention.patchify(patchify)
### BEGIN HIDDEN TESTS
with checks.hidden("patchify"):
    generator = torch.Generator().manual_seed(5)
    cases = [(1, 1, 6, 4, 2), (3, 2, 9, 3, 3), (2, 4, 4, 20, 4), (1, 3, 2, 5, 1), (2, 1, 64, 64, 8)]
    for dtype in (torch.float32, torch.float64):
        for *shape, patch in cases:
            images = torch.rand(*shape, generator=generator, dtype=dtype)
            want = [
                images[:, :, top : top + patch, left : left + patch].flatten(1)
                for top in range(0, shape[2], patch)
                for left in range(0, shape[3], patch)
            ]
            got = checks.call(patchify, images, patch)
            checks.same(got, torch.stack(want, dim=1), f"patches of {tuple(shape)}")
            flipped = images.permute(0, 1, 3, 2)  # not contiguous
            want = F.unfold(flipped, patch, stride=patch).mT
            checks.same(
                checks.call(patchify, flipped, patch), want, "patches of a transposed image"
            )
    for height, width, patch in [
        (6, 8, 4),
        (8, 6, 4),
        (9, 9, 2),
        (4, 4, 8),
        (7, 12, 3),
        (12, 7, 3),
    ]:
        checks.grounded_cross_attention.refuses_image(patchify, height, width, patch)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
# Split both sides into "which patch" and "which pixel inside": `(B, C, H/P, P, W/P, P)`.
# </details>
# <details><summary>Hint 2</summary>
# The two "which patch" axes must come right after the batch, the channel right after them.
# </details>
# <details><summary>Hint 3: nearly all of it</summary>
#
# `images.reshape(B, C, H // P, P, W // P, P).permute(0, 2, 4, 1, 3, 5)`, then one more `reshape`. Check the
# remainders first and raise the error there.
# </details>
#
# Here is what your function makes of a film: the patches in the order in which the model reads them.

# %% tags=["needs-answer"]
film_plots.patch_strip(
    val_films.images[0, 0], patchify(torch.from_numpy(val_films.images[:1]), PATCH)[0], PATCH
)
plt.show()

# %% [markdown]
# *Left: the film with the patch grid. Right: your 64 patches, numbered 0 to 63 in reading order. If the
# right panel, read row by row, gives the film again, the order is right.*
#
# The truth about each word is turned into patches too: `token_patch_masks` marks for every word of a report the
# patches its finding covers. Words that point at nothing (*in*, *the*, everything about what is absent) have an
# empty row.

# %% [markdown]
# ## 4 Cross-attention: words ask, patches answer
#
# In self-attention a sequence asks itself. In **cross-attention** the queries come from one sequence, keys and
# values from another: every word asks the film. For one head with $d_k = D / H$ channels
#
# $$A = \mathrm{softmax}\!\left(\frac{(X_{text} W_q)(X_{image} W_k)^\top}{\sqrt{d_k}}\right), \qquad
# \mathrm{out} = \mathrm{concat}_h\,(A_h\, X_{image} W_v)\, W_o .$$
#
# Row $t$ of $A$ is a distribution over the patches: where word $t$ looked. That row is all there is behind the
# coloured overlays of this notebook.
#
# > **Exercise `CrossAttention`** · 6 points · 25 minutes · difficulty 3 of 5
#
# * `forward(text (B, T, D), image (B, N, D), attn_mask=None)` returns `(out (B, T, D), weights (B, H, T, N))`.
# * One projection each for query (from `text`), key and value (both from `image`) and output, all with bias. How you name
#   them and whether you fuse some is up to you. No residual, no norm, no dropout.
# * The scores are scaled by $1/\sqrt{D/H}$.
# * `attn_mask` is boolean, **True = may attend**, any shape that broadcasts to `(B, H, T, N)`.
# * A query whose patches are all masked gets weights 0, and its output is the bias of the output projection. Its gradients stay finite.
# * The weights are those of every head, not their average. Gradients flow from the output to all four projections, through the weights too, and from the
#   returned weights to query and key: section 8 trains them.
# * float32, float64 and bfloat16 are kept. Two modules, of any sizes, know nothing of each other.
# * `ValueError` naming both numbers when `num_heads` does not divide `d_model`.
# * `F.scaled_dot_product_attention` and `nn.MultiheadAttention` (mind its mask: there True means *masked*) are allowed; `course_utils.layers` is not.


# %% nbgrader={"grade": false, "grade_id": "CrossAttention", "locked": false, "schema_version": 3, "solution": true, "task": false}
class CrossAttention(nn.Module):
    """Multi-head attention from text to image.

    Shapes: text (B, T, D), image (B, N, D), attn_mask bool broadcastable to (B, H, T, N), True = may
    attend -> out (B, T, D), weights (B, H, T, N).
    """

    def __init__(self, d_model: int, num_heads: int):
        super().__init__()
        ### BEGIN SOLUTION
        if d_model % num_heads:
            raise ValueError(f"d_model={d_model} is not divisible by num_heads={num_heads}")
        self.num_heads = num_heads
        self.query = nn.Linear(d_model, d_model)
        self.key = nn.Linear(d_model, d_model)
        self.value = nn.Linear(d_model, d_model)
        self.output = nn.Linear(d_model, d_model)
        ### END SOLUTION

    def forward(
        self, text: torch.Tensor, image: torch.Tensor, attn_mask: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Let every word attend to the patches; return the output and the weights of every head."""
        ### BEGIN SOLUTION
        q = self._split(self.query(text))  # (B, H, T, d_k)
        k = self._split(self.key(image))  # (B, H, N, d_k)
        v = self._split(self.value(image))  # (B, H, N, d_k)
        scores = q @ k.mT / math.sqrt(q.shape[-1])  # (B, H, T, N)
        if attn_mask is None:
            weights = scores.softmax(-1)
        else:
            lowest = torch.finfo(scores.dtype).min
            weights = (
                scores.masked_fill(~attn_mask, lowest).softmax(-1).masked_fill(~attn_mask, 0.0)
            )
        context = (weights @ v).transpose(1, 2).flatten(2)  # (B, T, D)
        return self.output(context), weights

    def _split(self, x: torch.Tensor) -> torch.Tensor:
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "CrossAttention_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
checks.grounded_cross_attention.CrossAttention(CrossAttention)
### BEGIN HIDDEN TESTS
with checks.hidden("CrossAttention"):
    inspect = checks.grounded_cross_attention
    inspect.exact_attention(CrossAttention, 24, 4, dtype=torch.float64, seed=11)
    inspect.exact_attention(CrossAttention, 8, 1, dtype=torch.float32, seed=12)
    generator = torch.Generator().manual_seed(13)
    sizes = [(1, 1, 1, 8, 2), (3, 5, 2, 6, 3), (2, 4, 7, 4, 4), (1, 6, 6, 10, 1)]
    for dtype in (torch.float32, torch.float64):
        for batch, length, patches, d_model, heads in sizes:
            module = checks.call(CrossAttention, d_model, heads).to(dtype)
            inspect.redraw(module, seed=d_model)
            text = torch.randn(batch, length, d_model, generator=generator, dtype=dtype)
            image = torch.randn(batch, patches, d_model, generator=generator, dtype=dtype)
            inspect.attention_by_hand(module, text, image, heads)
            full = (batch, heads, length, patches)
            for shape in [
                full[2:],
                (batch, 1, 1, patches),
                (1, heads, 1, 1),
                full,
                full[3:],
                full[1:],
                (length, 1),
            ]:
                mask = torch.rand(shape, generator=generator) > 0.5
                inspect.attention_by_hand(module, text, image, heads, mask)
            out, weights = checks.call(module, text, image, torch.ones(1, 1, dtype=torch.bool))
            plain_out, plain_weights = checks.call(module, text, image)
            checks.same(weights, plain_weights, "the weights with a mask that allows everything")
            checks.same(out, plain_out, "the output with a mask that allows everything")
            none = torch.zeros(length, patches, dtype=torch.bool)
            out = checks.call(module, text, image, none)[0]
            other = checks.call(module, text + 1, image * 2, none)[0]
            checks.same(out, other, "the output of fully masked queries, which is a bias alone")
            inspect.gradients_arrive(module, text, image, none.clone().fill_diagonal_(True))
    module = checks.call(CrossAttention, 12, 3)
    inspect.redraw(module, seed=5)
    text, image = (torch.randn(2, n, 12, generator=generator) for n in (150, 70))
    inspect.attention_by_hand(
        module, text, image, 3, torch.rand(150, 70, generator=generator) > 0.3
    )
    inspect.stays_in_bfloat16(module, text[:, :6], image, 3)
    for d_model, heads in [(12, 5), (7, 2), (4, 8)]:
        inspect.refuses_heads(CrossAttention, d_model, heads)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
# Four `nn.Linear(d_model, d_model)`. After projecting, split the last axis: `(B, T, D)` → `(B, T, H, d_k)` → `(B, H, T, d_k)`.
# </details>
# <details><summary>Hint 2</summary>
# Fill the scores of forbidden patches with the smallest finite number (`torch.finfo(dtype).min`), take the softmax, then set the
# forbidden weights to zero. With `-inf` a fully masked row becomes nan in between, and whatever is computed from that row before you overwrite it is nan as well.
# </details>
# <details><summary>Hint 3: nearly all of it</summary>
#
# ```
# q, k, v = (split(self.query(text)), split(self.key(image)), split(self.value(image)))
# scores = q @ k.transpose(-2, -1) / math.sqrt(d_k)
# weights = scores.masked_fill(~attn_mask, lowest).softmax(-1).masked_fill(~attn_mask, 0.0)
# out = self.output((weights @ v).transpose(1, 2).flatten(2))
# ```
# </details>
#
# Fresh from the initialisation your layer already draws "heat maps". Look at what four heads make of a film they have never
# been trained on, and remember the picture when somebody shows you a beautiful one.

# %% tags=["needs-answer"]
torch.manual_seed(SEED)
untrained = CrossAttention(64, 4)
pixels = F.unfold(
    torch.from_numpy(val_films.images[:1]), PATCH, stride=PATCH
).mT  # (1, 64 patches, 64 pixels)
_, weights = untrained(torch.randn(1, 1, 64), (pixels - 0.4) / 0.25)
film_plots.heads_over_film(shown_films.images[0, 0], weights[0, :, 0].detach())
plt.show()
print(f"even attention would be 1/64 = {1 / 64:.4f}")

# %% [markdown]
# *Attention of one random query over the film, four untrained heads on one scale, darker orange is more; above each its smallest and largest weight. The differences are small,
# but the edges of body and lungs show through, since the patches differ there, and yet nothing was learned.*
#
# ## 5 The model
#
# Patches and their positions go through one encoder block; the report so far goes through two decoder blocks, each with self-attention among the words, **your** cross-attention to the
# patches, and a feed-forward network. The model returns the logits for every position and the cross-attention of every decoder block. Row $t$ of
# the logits is the model's guess for word $t + 1$, and row $t$ of the attention is where it looked for that guess. While a part of yours is not right yet, the course's stands in for it,
# and one line says so.


# %%
class WriterBlock(nn.Module):
    """Words look at words, then at the film, then each works alone (pre-norm)."""

    def __init__(self, d_model, num_heads, parts):
        super().__init__()
        self.self_attention = layers.MultiHeadAttention(d_model, num_heads)
        self.cross_attention = parts.CrossAttention(d_model, num_heads)
        for p in self.cross_attention.parameters():  # however yours begins, here all begin alike
            nn.init.xavier_uniform_(p) if p.dim() > 1 else nn.init.zeros_(p)
        self.feed_forward = nn.Sequential(
            nn.Linear(d_model, 2 * d_model), nn.GELU(), nn.Linear(2 * d_model, d_model)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(d_model) for _ in range(3))

    def forward(self, x, film, attn_mask):
        """x (B, T, D), film (B, N, D) -> x (B, T, D), cross-attention (B, H, T, N)."""
        x = x + self.self_attention(self.norms[0](x), attn_mask=attn_mask)[0]
        seen, weights = self.cross_attention(self.norms[1](x), film)
        x = x + seen
        return x + self.feed_forward(self.norms[2](x)), weights


# %%
class ReportWriter(nn.Module):
    """Film and report so far -> logits of the next word, and cross-attention of every decoder block."""

    def __init__(self, parts, *, causal=True, null_patch=False, d_model=64, num_heads=4):
        super().__init__()
        self.causal_mask = parts.causal_mask if causal else None
        vocab_size, self.n_patches = len(radiology.VOCABULARY), (64 // PATCH) ** 2
        self.patches = layers.PatchEmbedding(64, PATCH, 1, d_model)
        self.where = nn.Parameter(torch.randn(1, self.n_patches, d_model) * 0.02)
        self.encoder = layers.EncoderBlock(d_model, num_heads, 2 * d_model)
        self.norm_image = nn.LayerNorm(d_model)
        self.null = nn.Parameter(torch.randn(1, 1, d_model)) if null_patch else None
        self.words = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.words.weight, std=0.7)  # as long as the position code
        self.position = layers.SinusoidalPositionalEncoding(d_model, 64)
        self.decoder = nn.ModuleList(WriterBlock(d_model, num_heads, parts) for _ in range(2))
        self.norm = nn.LayerNorm(d_model)
        self.head = nn.Linear(d_model, vocab_size)

    def see(self, images):
        """Images (B, 1, 64, 64) -> the film as the words meet it, (B, N, D)."""
        film, _ = self.encoder(self.patches((images - 0.4) / 0.25) + self.where)
        film = self.norm_image(film)
        return (
            film if self.null is None else torch.cat([film, self.null.expand(len(film), 1, -1)], 1)
        )

    def say(self, token_ids, film):
        """token_ids (B, T), film (B, N, D) -> logits (B, T, V), list of (B, H, T, N)."""
        x, attention, mask = self.position(self.words(token_ids)), [], None
        if self.causal_mask is not None:
            mask = self.causal_mask(token_ids.shape[1], token_ids.device)
        for block in self.decoder:
            x, weights = block(x, film, mask)
            attention.append(weights[..., : self.n_patches])
        return self.head(self.norm(x)), attention

    def forward(self, token_ids, images):
        """token_ids (B, T), images (B, 1, 64, 64) -> logits (B, T, V), list of (B, H, T, N)."""
        return self.say(token_ids, self.see(images))


# %%
def film_tensors(films):
    """Images, reports and patch masks of all films as tensors on the device."""
    masks = radiology.token_patch_masks(films, PATCH)
    return [torch.from_numpy(x).to(DEVICE) for x in (films.images, films.token_ids, masks)]


# %% [markdown]
# ## 6 The causal mask
#
# All positions of a report are trained at once: position $t$ predicts word $t + 1$. That is only a prediction if position
# $t$ cannot see word $t + 1$. In self-attention every position sees every other, unless a mask forbids it:
#
# $$M_{ts} = [\,s \le t\,], \qquad \text{True = may attend.}$$
#
# > **Exercise `causal_mask`** · 2 points · 5 minutes · difficulty 1 of 5
#
# * `causal_mask(length, device=None)` returns a boolean tensor `(1, 1, T, T)` with $T$ = `length` $\ge 1$; True on and below the diagonal.
# * It lies on `device`, on the CPU when that is `None`.
# * Write it; importing the one of `course_utils` does not count.


# %% nbgrader={"grade": false, "grade_id": "causal_mask", "locked": false, "schema_version": 3, "solution": true, "task": false}
def causal_mask(length: int, device: torch.device | str | None = None) -> torch.Tensor:
    """Return the mask (1, 1, T, T), bool, in which position t may attend to positions 0..t."""
    ### BEGIN SOLUTION
    position = torch.arange(length, device=device)
    return (position[None, :] <= position[:, None])[None, None]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "causal_mask_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
checks.grounded_cross_attention.causal_mask(causal_mask)
### BEGIN HIDDEN TESTS
with checks.hidden("causal_mask"):
    for length in (1, 2, 3, 7, 24, 300, 1025):
        want = torch.ones(1, 1, length, length).tril().bool()
        checks.same(checks.call(causal_mask, length), want, f"the mask for length {length}")
        checks.same(checks.call(causal_mask, length, "cpu"), want, "the mask with device='cpu'")
        checks.same(checks.call(causal_mask, length, device=torch.device("cpu")), want, "the mask")
    try:
        causal_mask(3, "no such device")
    except Exception:
        pass
    else:
        checks.fail(
            "With device='no such device' nothing was raised.",
            "`device` is ignored; pass it on to the function that makes the tensor",
        )
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
# Compare a column of positions with a row of positions, or take the lower triangle of ones.
# </details>
# <details><summary>Hint 2</summary>
# `torch.ones(..., dtype=torch.bool, device=device).tril()` keeps the diagonal.
# </details>
# <details><summary>Hint 3: nearly all of it</summary>
#
# `torch.ones(1, 1, length, length, dtype=torch.bool, device=device).tril()`
# </details>

# %% tags=["needs-answer"]
words = ["<bos>", *val_films.texts()[0].replace(".", " .").split()[:6]]
plots.heat_map(
    causal_mask(len(words))[0, 0].float(),
    rows=words,
    columns=words,
    ylabel="position that looks",
    xlabel="position that is seen",
    title="Who may see whom",
)
plt.show()

# %% [markdown]
# *Your mask, True or False: dark is allowed. The first row sees `<bos>` alone.*
#
# ## 7 Finding a missing mask without reading the model
#
# A missing causal mask does not crash. The loss falls faster than ever, the curves look splendid, and the model has learned to copy the
# next word instead of predicting it. You can find out by experiment, on any model, before a single training step: **change a later word and see
# whether an earlier position notices.**
#
# > **Exercise `label_leak`** · 6 points · 20 minutes · difficulty 3 of 5
#
# * `label_leak(model, tokens (B, T) int64, images) -> bool`. The model is called as `model(tokens, images)` and returns `(logits (B, T, V), attention)`.
# * True when, for **any** report of the batch, **any** position $t$ and **any** single later position $s > t$, replacing token $s$ by another word
#   changes the logits at $t$ by more than $10^{-5}$ times the largest absolute logit.
# * Replacements stay within $0 \dots V - 1$. With $T = 1$ there is no later token: False.
# * Run the model in evaluation mode and without gradients, and leave it in the mode in which it came, also when it raises.
# * The logits may be of any size and sign. Return a Python `bool`.


# %% nbgrader={"grade": false, "grade_id": "label_leak", "locked": false, "schema_version": 3, "solution": true, "task": false}
def label_leak(model: nn.Module, tokens: torch.Tensor, images: torch.Tensor) -> bool:
    """Does the output at some position t change when a single later token changes?

    Shapes: tokens (B, T) int64, images (B, C, H, W); model(tokens, images) -> (logits (B, T, V), list).
    """
    ### BEGIN SOLUTION
    training_before = model.training
    model.eval()
    try:
        with torch.no_grad():
            logits = model(tokens, images)[0]
            limit = 1e-5 * logits.abs().max()
            for s in range(1, tokens.shape[1]):
                changed = tokens.clone()
                changed[:, s] = (changed[:, s] + 1) % logits.shape[-1]  # surely another word
                before = (model(changed, images)[0] - logits)[:, :s]  # positions t < s
                if (before.abs() > limit).any():
                    return True
        return False
    finally:
        model.train(training_before)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "label_leak_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
checks.grounded_cross_attention.label_leak(label_leak)
### BEGIN HIDDEN TESTS
with checks.hidden("label_leak"):
    toy, judge = (
        checks.grounded_cross_attention.ToyReader,
        checks.grounded_cross_attention.leak_case,
    )
    late = "A model that looks ahead at one place"
    for t in range(5):
        for s in range(t + 1, 6):
            judge(label_leak, toy({(t, s): 0.3}, seed=t).train(), True, late, "try all pairs t < s")
    ends = torch.tensor([[6, 6, 6, 0, 0, 0]])
    for tokens in (ends, ends.flip(1), torch.zeros_like(ends), torch.full_like(ends, 6)):
        for pair in [(0, 1), (4, 5), (1, 3), (0, 5)]:
            judge(
                label_leak,
                toy({pair: 0.5}),
                True,
                late,
                "the new word must differ from the old one and stay within 0..V-1",
                tokens=tokens,
            )
        judge(
            label_leak,
            toy(dropout=0.3).train(),
            False,
            "A causal model",
            "token s itself may change what happens at s and later",
            tokens=tokens,
        )
    two = torch.tensor([[0, 1, 1, 0, 1, 0, 0, 1]])
    for pair in [(0, 1), (1, 2), (2, 3), (3, 4), (0, 6), (6, 7)]:
        judge(
            label_leak,
            toy({pair: 0.5}, vocab_size=2),
            True,
            "A leak with two words",
            "with random replacements make sure that the word changes",
            tokens=two,
        )
    for scale in (1e-4, 1.0, 1e4):
        judge(
            label_leak,
            toy({(1, 4): 2e-3}, scale=scale).eval(),
            True,
            f"Logits of size {scale}, a leak of 1 in 1000",
            "the limit is relative to the largest logit; arg max is too coarse",
        )
        judge(
            label_leak,
            toy({(1, 4): 1e-8}, scale=scale).eval(),
            False,
            f"Logits of size {scale}, a change of 1 in 100 million",
            "rounding is no leak: the limit is relative, 1e-5",
        )
    for shift in (-0.5, -1000.0, 1000.0):
        tiny = 2e-6 * max(1.0, abs(shift))  # of the largest absolute logit
        barely = f"Logits shifted by {shift}, a change of two in a million"
        judge(label_leak, toy({(1, 4): tiny}, shift=shift), False, barely, "the limit is 1e-5")
        judge(label_leak, toy({(1, 4): 30 * tiny}, shift=shift), True, barely, "of 60 in a million")
    for report in (0.0, 0.5, 1.0):
        model = toy({(0, 2): 0.5}, only_report=report, dtype=torch.float32)
        judge(label_leak, model.train(), True, "A leak in one report", "look at every report")
    judge(
        label_leak, toy({(0, 1): 1.0}).train(), False, "One token", "", tokens=torch.tensor([[6]])
    )
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
# One forward pass as it is, then one for each $s$ from 1 to $T - 1$ with token $s$ replaced. Compare only the positions before $s$.
# </details>
# <details><summary>Hint 2</summary>
# `(token + 1) % V` is always another word and always in the vocabulary. $V$ is the last size of the logits.
# </details>
# <details><summary>Hint 3: nearly all of it</summary>
#
# ```
# changed = tokens.clone()
# changed[:, s] = (changed[:, s] + 1) % V
# leak = ((model(changed, images)[0] - logits)[:, :s].abs() > 1e-5 * logits.abs().max()).any()
# ```
# Around it: `model.eval()`, `torch.no_grad()`, and `model.train(before)` at the end.
# </details>
#
# Use it at once, on two fresh models that differ in one argument.

# %% tags=["needs-answer"]
PARTS = checks.grounded_cross_attention.parts(globals(), "CrossAttention", "causal_mask")
for causal in (True, False):
    torch.manual_seed(SEED)
    model = ReportWriter(PARTS, causal=causal)
    tokens = torch.from_numpy(val_films.token_ids[:4, :12])
    leak = label_leak(model, tokens, torch.from_numpy(val_films.images[:4]))
    print(f"causal={causal}: the model {'sees the word it should predict' if leak else 'is clean'}")
    assert leak is not causal

# %% [markdown]
# ## 8 The loss
#
# The loss has three terms. Write $t$ for a target, a word that must be predicted; its guess stands in **row $t - 1$** of the logits, and the attention
# behind that guess in row $t - 1$ of the attention $\bar A$ (last decoder block, averaged over its heads).
#
# $$L = \underbrace{-\frac{1}{|R|} \sum_{t \in R} \ln p_{t-1}(\mathrm{word}_t)}_{\text{cross-entropy}}
# + \lambda_g \underbrace{\frac{1}{|M|} \sum_{t \in M} \mathrm{BCE}\big(\bar A_{t-1}, \tfrac{m_t}{\sum m_t}\big)}_{\text{grounding}}
# + \lambda_e \underbrace{\frac{1}{|R|} \sum_{t \in R} H(\bar A_{t-1})}_{\text{entropy}}$$
#
# $R$ holds all real targets of the batch: positions $t \ge 1$ that are not padding. $M$ holds those whose mask has an entry above zero. Shifting the attention by one row is what is most
# often forgotten: the row of token $t$ already belongs to the *next* word, so without the shift one teaches *right* to look where *upper* is.
#
# > **Exercise `compute_loss`** · 10 points (cross-entropy 3, grounding 4, entropy 2, total 1) · 30 minutes · difficulty 4 of 5
#
# * Returns `(total, ce, ground, entropy)`, four 0-d tensors in the dtype of `logits`; all in nats. Gradients flow through each of the four; they are compared behind the softmax that
#   made the attention, so `torch.distributions.Categorical(probs=...).entropy()` is as good as the formula.
# * `ce`: mean over all real targets **of the batch**, not per report. Targets equal to `pad_id` do not count.
# * `ground`: attention clamped to $[10^{-6}, 1 - 10^{-6}]$; target is the mask of token $t$ divided by its sum; binary cross-entropy averaged over the $N$ patches, then over
#   $M$. `finding_masks` is boolean or float. The mask of token 0 is ignored, since no row predicts it. Padding never has a mask.
# * `entropy`: $-\sum_n a_n \ln a_n$ of each row, not clamped, $0 \ln 0 = 0$ (to $10^{-4}$), with finite gradients, mean over $R$.
# * A term with nothing to average is 0, never nan.
# * `F.cross_entropy` and `F.binary_cross_entropy` are allowed. Each term is graded for itself.


# %% nbgrader={"grade": false, "grade_id": "compute_loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def compute_loss(
    logits: torch.Tensor,
    token_ids: torch.Tensor,
    attn_weights: list[torch.Tensor],
    finding_masks: torch.Tensor,
    lambda_ground: float = 0.1,
    lambda_entropy: float = 0.01,
    pad_id: int = 0,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Next-word loss, grounding and entropy: (total, ce, ground, entropy), four 0-d tensors.

    Shapes: logits (B, T, V), token_ids (B, T), attn_weights list of (B, H, T, N), finding_masks (B, T, N).
    """
    ### BEGIN SOLUTION
    targets = token_ids[:, 1:]  # (B, T-1)
    is_word = targets != pad_id
    rows = attn_weights[-1].mean(dim=1)[:, :-1]  # (B, T-1, N): row t-1 predicts token t
    masks = finding_masks[:, 1:].to(logits.dtype)
    has_mask = (masks > 0).any(-1)
    nothing = logits.new_zeros(())

    ce, entropy, ground = nothing, nothing, nothing
    if is_word.any():
        ce = F.cross_entropy(logits[:, :-1][is_word], targets[is_word])
        words = rows[is_word]
        entropy = -(words * words.clamp_min(1e-12).log()).sum(-1).mean()
    if has_mask.any():
        share = masks[has_mask] / masks[has_mask].sum(-1, keepdim=True)
        ground = F.binary_cross_entropy(rows[has_mask].clamp(1e-6, 1 - 1e-6), share)
    total = ce + lambda_ground * ground + lambda_entropy * entropy
    return total, ce, ground, entropy
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "compute_loss_check_cross_entropy", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
checks.grounded_cross_attention.compute_loss(compute_loss, part="cross_entropy")
### BEGIN HIDDEN TESTS
with checks.hidden("compute_loss"):
    parts, case, compare = (
        checks.grounded_cross_attention.loss_parts,
        checks.grounded_cross_attention.loss_case,
        checks.grounded_cross_attention.compare_part,
    )
    for pad_id in (0, 3):
        for seed, dtype in [(1, torch.float32), (2, torch.float64), (3, torch.float64)]:
            compare(compute_loss, "cross_entropy", seed=seed, dtype=dtype, pad_id=pad_id)
    for length in (1, 4):  # no target at all, and reports that hold nothing but padding
        batch = case(4, torch.float64, length=length)
        batch[1][:, 1:] = 0
        batch[3][:] = 0
        ce = parts(checks.call(compute_loss, *batch), torch.float64)[1]
        checks.same(
            ce, torch.zeros((), dtype=torch.float64), "the cross-entropy without any target"
        )
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "compute_loss_check_grounding", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
checks.grounded_cross_attention.compute_loss(compute_loss, part="grounding")
### BEGIN HIDDEN TESTS
with checks.hidden("compute_loss"):
    parts, case, compare = (
        checks.grounded_cross_attention.loss_parts,
        checks.grounded_cross_attention.loss_case,
        checks.grounded_cross_attention.compare_part,
    )
    variants = [
        {},
        {"kind": "float"},
        {"kind": "soft"},
        {"kind": "faint"},
        {"sharp": True},
        {"heads": 1},
        {"n_layers": 3},
    ]
    for seed, options in enumerate(variants):
        for dtype in (torch.float32, torch.float64):
            compare(compute_loss, "grounding", seed=seed, dtype=dtype, **options)
    for length, first in [(5, False), (5, True), (1, True)]:  # no mask at all, or only on token 0
        batch = case(9, torch.float32, length=length)
        batch[3][:] = 0
        batch[3][:, 0, 0] = first
        losses = parts(checks.call(compute_loss, *batch, lambda_ground=1.0), torch.float32)
        checks.same(losses[2], torch.zeros(()), "the grounding term when no target has a mask")
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "compute_loss_check_entropy", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
checks.grounded_cross_attention.compute_loss(compute_loss, part="entropy")
### BEGIN HIDDEN TESTS
with checks.hidden("compute_loss"):
    parts, case, compare = (
        checks.grounded_cross_attention.loss_parts,
        checks.grounded_cross_attention.loss_case,
        checks.grounded_cross_attention.compare_part,
    )
    for pad_id in (0, 4):
        for seed, options in enumerate(
            [{}, {"heads": 1}, {"n_layers": 3}, {"sharp": True}, {"sharp": True, "patches": 64}]
        ):
            for dtype in (torch.float32, torch.float64):
                compare(
                    compute_loss, "entropy", seed=seed + 20, dtype=dtype, pad_id=pad_id, **options
                )
    for length in (1, 4):
        batch = case(30, torch.float64, length=length)
        batch[1][:, 1:] = 0
        batch[3][:] = 0
        entropy = parts(checks.call(compute_loss, *batch), torch.float64)[3]
        checks.same(entropy, torch.zeros((), dtype=torch.float64), "the entropy without any target")
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "compute_loss_check_total", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
checks.grounded_cross_attention.compute_loss(compute_loss, part="total")
### BEGIN HIDDEN TESTS
with checks.hidden("compute_loss"):
    compare = checks.grounded_cross_attention.compare_part
    for seed, dtype in [(40, torch.float32), (41, torch.float64), (42, torch.float64)]:
        for lambdas in [(0.1, 0.01), (1.0, 1.0), (10.0, 0.0), (0.0, 2.0)]:
            compare(compute_loss, "total", seed=seed, dtype=dtype, lambdas=lambdas)
    batch = checks.grounded_cross_attention.loss_case(43, torch.float64)
    batch[3][:] = 0
    losses = checks.call(compute_loss, *batch, 1.0, 1.0)
    total, ce, _, entropy = checks.grounded_cross_attention.loss_parts(losses, torch.float64)
    checks.same(total, ce + entropy, "the total when no target has a mask", rtol=1e-4, atol=1e-5)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
# Shift once, at the top: `logits[:, :-1]`, `token_ids[:, 1:]`, `attention[:, :-1]`, `finding_masks[:, 1:]`. From there on everything is aligned.
# </details>
# <details><summary>Hint 2</summary>
# Boolean indexing flattens reports and positions into one axis: `logits[:, :-1][is_word]` is `(words, V)`. A mean over that axis is a mean over the batch. Ask
# `is_word.any()` before you average.
# </details>
# <details><summary>Hint 3: nearly all of it</summary>
#
# ```
# rows = attn_weights[-1].mean(1)[:, :-1]
# ce = F.cross_entropy(logits[:, :-1][is_word], targets[is_word])
# ground = F.binary_cross_entropy(rows[has_mask].clamp(1e-6, 1 - 1e-6), masks[has_mask] / masks[has_mask].sum(-1, keepdim=True))
# entropy = -(rows * rows.clamp_min(1e-12).log()).sum(-1)[is_word].mean()
# ```
# </details>
#
# Try the loss on the fresh model, and predict two of its numbers first: what is the cross-entropy of a model that knows nothing about $V$ words, and the entropy
# of attention spread evenly over 64 patches?

# %% tags=["needs-answer"]
fresh = ReportWriter(checks.grounded_cross_attention.course_parts()).to(DEVICE)
images, tokens, masks = film_tensors(val_films)
with torch.no_grad():
    logits, attention = fresh(tokens, images)
    total, ce, ground, entropy = compute_loss(logits, tokens, attention, masks)
print(
    f"cross-entropy {ce:.2f} (ln V = {math.log(len(radiology.VOCABULARY)):.2f}), "
    f"entropy {entropy:.2f} (ln 64 = {math.log(64):.2f}), grounding {ground:.3f}"
)

# %% [markdown]
# ### The floor of the grounding term
#
# A softmax row sums to one, so over $k$ patches it can give each no more than $1/k$, and that is also the target. Binary cross-entropy of $1/k$ against $1/k$ is not
# zero. The term has a **floor**, which depends on the size of the finding, and a value of 0.04 may be perfect. A *likelihood* form does not have this: with
# $p = \sum_{n \in mask} \bar A_n$, the attention inside the mask,
#
# $$L_{likelihood} = -\ln p .$$
#
# It is zero when all attention lies inside, in whatever way it is spread.


# %%
def bce_of_row(inside, k, n=64):
    """Mean BCE over n patches when a share `inside` lies evenly on the k patches of the mask."""
    inside = np.asarray(inside)
    on, off = inside / k, (1 - inside) / (n - k)
    on_term = np.log(on) / k + (1 - 1 / k) * np.log1p(-on) if k > 1 else np.log(on)
    return -(k * on_term + (n - k) * np.log1p(-off)) / n


inside = np.linspace(0.002, 0.999, 400)
fig, axes = plt.subplots(1, 2, figsize=(8, 3))
for k in (1, 2, 5, 15):
    axes[0].plot(inside, bce_of_row(inside, k), label=f"{k} patch{'es' * (k > 1)}")
    print(f"{k:2d} of 64 patches: floor of the BCE {bce_of_row(1 - 1e-9, k):.4f}")
axes[0].set(
    xlabel="attention inside the mask",
    ylabel="loss (nats)",
    title="Binary cross-entropy, mean of 64",
)
axes[1].plot(inside, -np.log(inside), color="black")
axes[1].set(xlabel="attention inside the mask", ylabel="loss (nats)", title="Likelihood")
axes[0].legend(title="size of the finding", fontsize=8, title_fontsize=8, frameon=True)
axes[0].set_ylim(0, 0.2)
plt.show()

# %% [markdown]
# *Both forms fall as attention moves into the mask. The binary form ends at a floor that grows with the finding, and its scale is small, because it is a mean over 64
# patches: with the signature's default weight of 0.1 it would be a few thousandths beside the cross-entropy. This notebook trains with $\lambda_g = 10$, and section 16 compares.*
#
# ## 9 Training, with and without the mask
#
# In training every position gets the *true* words before it, whatever the model would have written there: **teacher forcing**. It makes all positions of a report trainable at once.
#
# `trained(name)` trains a run the first time it is asked for and remembers it, so that later cells can simply ask again. The parts are **yours** as soon as their checks are right.
# After changing one of your functions run the next cell again: it forgets everything that was made with the old ones.


# %% tags=["train"]
MEMORY = {}


def remembered(function):
    """Compute once for each argument and keep the result in `MEMORY`."""

    @functools.wraps(function)
    def ask(*args):
        key = (function.__name__, *args)
        if key not in MEMORY:
            MEMORY[key] = function(*args)
        return MEMORY[key]

    return ask


# %% tags=["train"]
PARTS = checks.grounded_cross_attention.parts(globals())
MEMORY.clear()


def use(name: str, *derived: str) -> None:
    """Take a part of yours as soon as it is right; forget what was `derived` with the one before."""
    setattr(PARTS, name, getattr(checks.grounded_cross_attention.parts(globals(), name), name))
    for key in [key for key in MEMORY if key[0] in derived]:
        del MEMORY[key]


# %%
@dataclass
class Run:
    """A trained model and the history of its training."""

    model: nn.Module
    history: pd.DataFrame


FULL = {"n_films": 3000, "epochs": 5}
SHORT = {"n_films": 1500, "epochs": 4, "lambda_ground": 10.0}
SETTINGS = {
    "lambda 10": {**FULL, "lambda_ground": 10.0},
    "lambda 1": {**FULL, "lambda_ground": 1.0},
    "lambda 0": {**FULL, "lambda_ground": 0.0},
    "null patch": {**FULL, "lambda_ground": 10.0, "null_patch": True},
    "no entropy term": {**FULL, "lambda_ground": 10.0, "lambda_entropy": 0.0},
    "short": SHORT,
    "short, no causal mask": {**SHORT, "causal": False},
}


@remembered
@torch.enable_grad()
def trained(name: str) -> Run:
    """Return the run of that name; train it when it is asked for the first time."""
    return train_run(name, **SETTINGS[name])


# %%
def train_run(name, n_films, epochs, lambda_ground, lambda_entropy=0.01, **options) -> Run:
    """Train a ReportWriter with `compute_loss` on the first films of the training set."""
    images, tokens, masks = film_tensors(train_films)
    lengths = (tokens != radiology.PAD_ID).sum(1).cpu()
    held_out = film_tensors(val_films)
    torch.manual_seed(SEED)
    model = ReportWriter(PARTS, **options).to(DEVICE)

    def batches(epoch):
        shuffle = torch.Generator().manual_seed(1000 * SEED + epoch)
        return torch.randperm(n_films, generator=shuffle).split(32)

    def losses(model, images, tokens, masks):
        logits, attention = model(tokens, images)
        return PARTS.compute_loss(logits, tokens, attention, masks, lambda_ground, lambda_entropy)

    def step_loss(model, batch):
        length, batch = int(lengths[batch].max()), batch.to(DEVICE)  # no column of padding alone
        total, ce, ground, _ = losses(
            model, images[batch], tokens[batch, :length], masks[batch, :length]
        )
        return {"loss": total, "ce": ce, "ground": ground}

    def validate(model):
        total, ce, ground, _ = losses(model, *held_out)
        return {"val_loss": total, "val_ce": ce, "val_ground": ground}

    history = training.fit(
        model, batches, step_loss, epochs=epochs, lr=4e-3, validate=validate, label=name
    )
    return Run(model.eval(), history)


# %% [markdown]
# The main run takes about twenty seconds on one CPU core, each of the two short ones seven. The short ones differ in the causal mask alone. What do you expect of them?

# %%
leak_guess = checks.guess(
    "lower cross-entropy on held-out films", ["with the causal mask", "without it"], ...
)

# %% tags=["train"]
run = trained("lambda 10")
sizes = radiology.token_patch_masks(val_films, PATCH).sum(-1)
floor = np.mean([bce_of_row(1 - 1e-9, k) for k in sizes[sizes > 0].tolist()])
leaky = {
    "with the causal mask": trained("short").history,
    "without it": trained("short, no causal mask").history,
}
fig, axes = plt.subplots(1, 3, figsize=(10, 3.2))
for ax, what, ylabel in zip(axes, ("ce", "ground"), ("cross-entropy", "grounding"), strict=False):
    columns = [what, f"val_{what}"]
    plots.curves(
        run.history, columns, labels=["training", "held out"], ylabel=f"{ylabel} (nats)", ax=ax
    )
axes[0].set_title("Main run: next word")
axes[1].set_title("Main run: grounding")
axes[1].axhline(floor, color="black", linestyle="--", linewidth=1, label="floor")
axes[1].legend()
plots.curves(
    leaky, "val_ce", ylabel="cross-entropy (nats)", title="Short runs, held out", ax=axes[2]
)
for ax in axes:
    ax.set_yscale("log")
    ax.set_ylim(None, ax.get_ylim()[1] * 1.6)
    ax.yaxis.set_minor_formatter(plt.NullFormatter())
    ax.xaxis.set_major_locator(plt.MaxNLocator(integer=True))
axes[2].set_ylim(axes[2].get_ylim()[0] / 4)
axes[2].legend(loc="lower left")
plots.mark_guess(axes[2], leak_guess)
plt.show()
print(f"parameters of the model: {sum(p.numel() for p in run.model.parameters()):,}")
last = {name: history.val_ce.iloc[-1] for name, history in leaky.items()}
leak_guess.reveal(min(last, key=last.get))

# %% [markdown]
# *Logarithmic axes. Left and middle: the main run, training and held-out films. Right: two shorter runs that differ in the causal mask alone.*

# %% tags=["train"]
claims.claim(NOTEBOOK, "no_mask_ce", last["without it"], control=last["with the causal mask"])
claims.claim(NOTEBOOK, "grounded_ce", run.history.val_ce.iloc[-1])
print(f"grounding term, held out: {run.history.val_ground.iloc[-1]:.4f}; its floor: {floor:.4f}")

# %% [markdown]
# By its loss, the model **without** the mask is by far the better one. And this is the *held-out* loss: no split of the data reveals the leak, because the answer
# stands in the input of every film, training or not.
#
# %% [markdown]
# ## 10 Writing a report
#
# The test of a report model is not its loss but its reports. **Greedy decoding** starts with `<bos>`, asks for the most probable next word, appends it, and
# asks again with the longer prefix:
#
# $$w_{t+1} = \arg\max_v\; p_t(v \mid w_0 \dots w_t, \mathrm{film}).$$
#
# Now the model really does not know the next word, and a leak can no longer help. And it reads its own words, its own mistakes included, which in training it never did. That gap is called
# **exposure bias**; section 18 shows what a wrong word in the prefix can do.
#
# > **Exercise `greedy_decode`** · 6 points · 20 minutes · difficulty 3 of 5
#
# * `greedy_decode(model, images, bos_id, eos_id, max_len)` returns token ids `(B, L)`, int64, $L \le$ `max_len`, on the device of the images.
# * Column 0 holds `bos_id` and counts as one of the `max_len` columns.
# * Each next column is the arg max of the logits **at the last position**, given the whole prefix so far and nothing behind it.
# * `eos_id` is kept; everything after it in that row is 0 (`<pad>`). Each row ends for itself; a begin token that equals `eos_id` does not end its row.
# * A row that never says `eos_id` has exactly `max_len` columns. Columns that are padding in every row may be left out at the end.
# * Evaluation mode, no gradients, and the model is left in the mode in which it came, also when it raises.


# %% nbgrader={"grade": false, "grade_id": "greedy_decode", "locked": false, "schema_version": 3, "solution": true, "task": false}
def greedy_decode(
    model: nn.Module, images: torch.Tensor, bos_id: int, eos_id: int, max_len: int
) -> torch.Tensor:
    """Write a report for every image, always taking the most probable next word.

    Shapes: images (B, C, H, W) -> token ids (B, L) int64, L <= max_len; after eos_id only 0.
    """
    ### BEGIN SOLUTION
    training_before = model.training
    model.eval()
    tokens = torch.full((len(images), 1), bos_id, dtype=torch.int64, device=images.device)
    ended = torch.zeros(len(images), dtype=torch.bool, device=images.device)
    try:
        with torch.no_grad():
            while tokens.shape[1] < max_len and not ended.all():
                logits, _ = model(tokens, images)
                following = logits[:, -1].argmax(-1).masked_fill(ended, 0)
                tokens = torch.cat([tokens, following[:, None]], dim=1)
                ended = ended | (following == eos_id)
    finally:
        model.train(training_before)
    return tokens
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "greedy_decode_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
checks.grounded_cross_attention.greedy_decode(greedy_decode)
### BEGIN HIDDEN TESTS
with checks.hidden("greedy_decode"):
    toy, judge = (
        checks.grounded_cross_attention.ScriptedReader,
        checks.grounded_cross_attention.same_reports,
    )
    for dtype in (torch.float32, torch.float64):
        script = [[3, 8, 7, 6, 5, 5, 8, 8], [3, 5, 8, 8, 8, 8, 8, 8], [3, 3, 6, 6, 6, 5, 8, 8]]
        want = [[3, 8, 7, 6, 5], [3, 5], [3, 3, 6, 6, 6, 5]]
        ids = {"bos_id": 3, "eos_id": 5, "dtype": dtype}
        for training_mode in (True, False):
            judge(greedy_decode, toy(dropout=0.3).train(training_mode), script, want, 7, **ids)
        judge(greedy_decode, toy(), script[1:2], want[1:2], 7, **ids)
        judge(greedy_decode, toy(), script, [row[:4] for row in want], 4, **ids)
        judge(greedy_decode, toy(), script, [row[:2] for row in want], 2, **ids)
    same = [[2, 6, 7, 2, 9, 9, 9], [2, 2, 9, 9, 9, 9, 9], [2, 4, 4, 4, 4, 4, 4]]  # bos is eos
    want = [[2, 6, 7, 2], [2, 2], [2, 4, 4, 4, 4, 4]]
    judge(greedy_decode, toy().eval(), same, want, 6, bos_id=2, eos_id=2)
    zeros = [[1, 4, 0, 5, 2, 9, 9, 9]]  # <pad> said in the middle of a report does not end it
    judge(greedy_decode, toy().eval(), zeros, [[1, 4, 0, 5, 2]], 7)
    long = [[1, *[3 + k % 7 for k in range(30)]], [1, 2, *[9] * 29], [1, *[4] * 20, 2, *[9] * 9]]
    want = [long[0][:29], [1, 2], long[2][:22]]
    judge(greedy_decode, toy().train(), long, want, 29)
    zero = [[1, 4, 5, 0, 9, 9], [1, 0, 9, 9, 9, 9], [1, 2, 3, 4, 5, 6]]  # eos is 0, like <pad>
    judge(greedy_decode, toy().eval(), zero, [[1, 4, 5, 0], [1, 0], [1, 2, 3, 4, 5]], 5, eos_id=0)
    model = toy().train()
    checks.call(greedy_decode, model, model.write(script), 3, 5, 7)
    checks.require(all(p.grad is None for p in model.parameters()), "Parameters have gradients.")
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
# Keep two things: `tokens`, which grows by a column per round, and `ended`, a boolean per row.
# </details>
# <details><summary>Hint 2</summary>
# Overwrite the next word of ended rows by 0 *before* you append it, then mark the rows whose next word is `eos_id`.
# </details>
# <details><summary>Hint 3: nearly all of it</summary>
#
# ```
# following = model(tokens, images)[0][:, -1].argmax(-1).masked_fill(ended, 0)
# tokens = torch.cat([tokens, following[:, None]], dim=1)
# ended = ended | (following == eos_id)
# ```
# in a loop that stops when `tokens` has `max_len` columns or every row has ended.
# </details>
#
# Let the models write. The film does not change from word to word, so it is seen once and `greedy_decode` gets a model that only *says*; your function cannot tell the difference.


# %% tags=["train"]
use("greedy_decode", "reports", "look")


class Speaker(nn.Module):
    """What is left of a writer when the film has been seen: (tokens, seen films) -> logits, attention."""

    def __init__(self, writer):
        super().__init__()
        self.writer = writer

    def forward(self, token_ids, seen):
        return self.writer.say(token_ids, seen[:, 0])


@torch.no_grad()
def write(model: nn.Module, images: np.ndarray) -> np.ndarray:
    """Reports (n, 24) that a model writes about films (n, 1, 64, 64), decoded greedily."""
    ids = radiology.BOS_ID, radiology.EOS_ID, radiology.MAX_REPORT_LENGTH
    parts = torch.from_numpy(images).split(100)
    written = np.zeros((len(images), radiology.MAX_REPORT_LENGTH), dtype=np.int64)
    with training.progress(desc="writing", total=len(images), disable=len(images) < 200) as bar:
        for i, part in enumerate(parts):
            seen = model.see(part.to(DEVICE))[:, None]  # (B, 1, N, D), "images" of the speaker
            tokens = PARTS.greedy_decode(Speaker(model).eval(), seen, *ids).cpu().numpy()
            written[100 * i : 100 * i + len(part), : tokens.shape[1]] = tokens
            bar.update(len(part))
    return written


@remembered
def reports(name: str) -> np.ndarray:
    """Reports of a run about all held-out films."""
    return write(trained(name).model, val_films.images)


# %% tags=["train"]
truth = val_films.texts()
wrong = [
    i for i, row in enumerate(reports("lambda 10")) if radiology.decode_report(row) != truth[i]
]
for i in (0, 1, wrong[0]):
    print("truth         :", truth[i])
    for name, run_name in (("main run", "lambda 10"), ("no causal mask", "short, no causal mask")):
        text = radiology.decode_report(reports(run_name)[i])
        print(f"{name:14}: {text}{'' if text == truth[i] else '   <- not the truth'}")
    print()

# %% [markdown]
# ### How sure is it?
#
# The model gives a probability with every word; their product is the probability of the whole report, its **confidence**. Beam search would keep several
# half-written reports and look for the one of highest probability; sampling would draw words by chance, to see what else the model might say. Here a greedy report keeps its confidence, and you see what that is worth.


# %% tags=["train"]
@torch.no_grad()
def confidence(name: str) -> np.ndarray:
    """Probability of each greedy report of a run, given its film."""
    images, tokens = (torch.from_numpy(x).to(DEVICE) for x in (val_films.images, reports(name)))
    log_p = trained(name).model(tokens, images)[0][:, :-1].log_softmax(-1)
    log_p = log_p.gather(-1, tokens[:, 1:, None])[..., 0]  # (B, T-1)
    return log_p.masked_fill(tokens[:, 1:] == radiology.PAD_ID, 0.0).sum(1).exp().cpu().numpy()


sure = confidence("lambda 10")
exactly = np.isin(np.arange(len(truth)), wrong, invert=True)
groups = np.array_split(np.argsort(sure), 4)
names = [f"{sure[g].min():.2f} to {sure[g].max():.2f}" for g in groups]
intervals = [metrics.wilson_interval(int(exactly[g].sum()), len(g)) for g in groups]
plots.bars(
    names,
    [exactly[g].mean() for g in groups],
    low=[low for low, _ in intervals],
    high=[high for _, high in intervals],
    xlabel="share of reports that are exactly right",
    xlim=(0, 1.2),
    title="Four quarters of 100 films by the model's confidence",
)
plt.show()
least, most = exactly[groups[0]].mean(), exactly[groups[-1]].mean()
_ = claims.claim(NOTEBOOK, "exact_most_minus_least_sure", most - least)

# %% [markdown]
# *Held-out films in order of confidence, with 95 % intervals.* The unsure reports are wrong far more often; among the sure ones confidence says no more. Whether any of this holds on films of another hospital, nobody has measured.
#
# ## 11 Decoding as in 2026: the cache
#
# Your `greedy_decode` computes every word anew for each next word. But with a causal mask the keys and values of earlier words never change: what they are does not depend on what comes later. So
# every serious implementation keeps them, the **KV cache**, and computes only the newest word.
#
# > **Exercise `attend_with_cache`** · 5 points · 15 minutes · difficulty 2 of 5
#
# * `attend_with_cache(query, key, value, cache=None)`: `query`, `key`, `value` of **one** new word, each `(B, H, 1, d)`; `cache` is `None` for the first word, else the pair
#   `(keys (B, H, t, d), values (B, H, t, d))` of the $t \ge 1$ words before it.
# * Returns `(context (B, H, 1, d), (keys (B, H, t+1, d), values (B, H, t+1, d)))`.
# * The context is what causal attention over the whole sequence gives at this word: it looks at all before it and at itself. Scores are scaled by $1/\sqrt{d}$.
# * New entries go last. Keys and values are kept as they come.
# * The cache that came in is not written to: two continuations may share it. Nothing is remembered between calls.
# * Gradients flow, to the cached words too. float32 and float64 are kept. `F.scaled_dot_product_attention` is allowed.


# %% nbgrader={"grade": false, "grade_id": "attend_with_cache", "locked": false, "schema_version": 3, "solution": true, "task": false}
def attend_with_cache(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    cache: tuple[torch.Tensor, torch.Tensor] | None = None,
) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
    """Attend from one new word to all words so far; return its context and the grown cache.

    Shapes: query, key, value (B, H, 1, d), cache None or two tensors (B, H, t, d)
    -> context (B, H, 1, d), (keys (B, H, t+1, d), values (B, H, t+1, d)).
    """
    ### BEGIN SOLUTION
    if cache is not None:
        key = torch.cat([cache[0], key], dim=2)
        value = torch.cat([cache[1], value], dim=2)
    scores = query @ key.mT / math.sqrt(query.shape[-1])  # (B, H, 1, t+1)
    return scores.softmax(-1) @ value, (key, value)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "attend_with_cache_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
checks.grounded_cross_attention.attend_with_cache(attend_with_cache)
### BEGIN HIDDEN TESTS
with checks.hidden("attend_with_cache"):
    look = checks.grounded_cross_attention
    for dtype in (torch.float32, torch.float64):
        sizes = [(1, 1, 6, 1), (3, 2, 5, 4), (1, 4, 9, 2), (2, 1, 2, 8)]
        for seed, (batch, heads, length, width) in enumerate(sizes):
            look.word_by_word(
                attend_with_cache, batch, heads, length, width, dtype=dtype, seed=40 + seed
            )
        look.share_a_cache(attend_with_cache, dtype=dtype, seed=60)
    look.cached_gradients(attend_with_cache, seed=80)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
# Two steps: append the new key and value to the cached ones, then attend from the one query to all of them.
# </details>
# <details><summary>Hint 2</summary>
# `torch.cat([old, new], dim=2)` makes a new tensor, so the old cache stays as it was. A causal mask is not needed: everything in the cache is past.
# </details>
# <details><summary>Hint 3: nearly all of it</summary>
#
# ```
# if cache is not None:
#     key, value = torch.cat([cache[0], key], dim=2), ...
# scores = query @ key.mT / math.sqrt(query.shape[-1])
# return scores.softmax(-1) @ value, (key, value)
# ```
# </details>
#
# **Your function at work**: one word at a time through the trained model. Its cross-attention can save work too: the film's keys and values depend on no word, so once per film is enough.


# %%
def heads_of(x, num_heads):
    """(B, T, D) -> (B, H, T, d)."""
    return x.unflatten(-1, (num_heads, -1)).transpose(1, 2)


def look_at(block, x, film):
    """Cross-attention of one word: `film` is (B, N, D), or a pair of ready keys and values."""
    if not isinstance(film, tuple):
        return block.cross_attention(x, film)[0]
    ready = block.cross_attention.attention  # of the course's part, whose projections have names
    context = F.scaled_dot_product_attention(heads_of(ready.query(x), ready.num_heads), *film)
    return ready.output(context.transpose(1, 2).flatten(2))


def say_one(model, word, place, films, caches, attend):
    """Word (B, 1) at `place`, its films by block, caches -> logits (B, V), grown caches."""
    x, grown = model.words(word) + model.position.code[place], []
    for block, film, cache in zip(model.decoder, films, caches, strict=True):
        own, y = block.self_attention, block.norms[0](x)
        q, k, v = (heads_of(f(y), own.num_heads) for f in (own.query, own.key, own.value))
        context, cache = attend(q, k, v, cache)
        x = x + own.output(context.transpose(1, 2).flatten(2))
        x = x + look_at(block, block.norms[1](x), film)
        x = x + block.feed_forward(block.norms[2](x))
        grown.append(cache)
    return model.head(model.norm(x))[:, 0], grown


# %% tags=["train"]
use("attend_with_cache")
with torch.no_grad():
    exact_model = copy.deepcopy(trained("lambda 10").model).cpu().double()
    images, tokens = (torch.from_numpy(x[:20]) for x in (val_films.images, val_films.token_ids))
    film = exact_model.see(images.double())
    whole = exact_model.say(tokens, film)[0]  # (B, T, V), all words at once
    caches, largest = [None, None], 0.0
    for t in range(tokens.shape[1]):
        logits, caches = say_one(
            exact_model, tokens[:, t : t + 1], t, [film, film], caches, PARTS.attend_with_cache
        )
        largest = max(largest, (logits - whole[:, t]).abs().max().item())
_ = claims.claim(NOTEBOOK, "cached_minus_uncached", largest)

# %% [markdown]
# The same numbers. And the time? For one next word after $T$ words, in a wider model of the course's parts (untrained: time does not depend on what was learned), eight films:


# %% tags=["train"]
@torch.no_grad()
def milliseconds_per_word(length: int) -> dict[str, float]:
    """Time of one next word after `length` words: nothing kept, then more and more."""
    torch.manual_seed(SEED)
    model = ReportWriter(
        checks.grounded_cross_attention.course_parts(), d_model=128, num_heads=4
    ).eval()
    model.position = layers.SinusoidalPositionalEncoding(128, 1024)
    images = torch.from_numpy(val_films.images[:8])
    tokens = torch.randint(4, 27, (8, length + 1))
    film, past = model.see(images), torch.randn(2, 8, 4, length, 32)
    caches = [(past[0], past[1])] * 2
    ready = []
    for block in model.decoder:
        a = block.cross_attention.attention
        ready.append((heads_of(a.key(film), 4), heads_of(a.value(film), 4)))
    word = tokens[:, -1:]
    ways = {
        "nothing kept": lambda: model(tokens, images),
        "the film": lambda: model.say(tokens, film),
        "film and words": lambda: say_one(model, word, length, [film] * 2, caches, attend),
        "and the film's keys": lambda: say_one(model, word, length, ready, caches, attend),
    }
    attend = PARTS.attend_with_cache
    return {name: 1000 * min(timeit.repeat(way, number=1, repeat=3)) for name, way in ways.items()}


lengths = (8, 64, 128, 256)
clock = pd.DataFrame([milliseconds_per_word(n) for n in lengths], index=lengths)
ax = clock.plot(marker="o", figsize=(7, 3.2), logy=True)
ax.set(xlabel="words so far", ylabel="milliseconds per word", xlim=(0, 265))
ax.legend(title="kept", bbox_to_anchor=(1.02, 1), loc="upper left")
plt.show()
print(clock.round(1).to_string())
speed = clock["the film"] / clock["and the film's keys"]
_ = claims.claim(NOTEBOOK, "cache_speed_up_256", speed[256])

# %% [markdown]
# *Time for one next word by the number of words before it (logarithmic axis). Without the cache it grows with the report; with it hardly, and the price is memory: two tensors a block that grow word by word.*
#
# ### Two ways to give a language model a picture
#
# This decoder has cross-attention in every block. Many large models of today (LLaVA, 2023, and its kin) have none: a projection turns the patches into "words", these stand **before** the
# text, and one causal self-attention does it all. Which pairs of query and key does each compute?

# %%
n_text, n_film = 6, 12
causal = np.tril(np.ones((n_text, n_text)))
fig, axes = plt.subplots(1, 2, figsize=(9, 3.4), width_ratios=[1, 1])
cross = np.hstack([np.full((n_text, n_film), 2.0), causal])
prefix = np.tril(np.ones((n_film + n_text,) * 2))
prefix[:, :n_film] *= 2
titles = ("cross-attention: two attentions a block", "prefix of patches: one attention a block")
for ax, pairs, title in zip(axes, (cross, prefix), titles, strict=True):
    ax.imshow(pairs, cmap="Blues", vmin=0, vmax=3)
    ax.axvline(n_film - 0.5, color="black", linewidth=1)
    ax.set(xlabel="12 patches | 6 words", ylabel="query", title=title, xticks=[], yticks=[])
    ax.grid(visible=False)
plt.show()
for n, t in ((64, 24), (576, 200)):
    print(
        f"{n} patches, {t} words: {t * n + t * (t + 1) // 2:,} pairs with cross-attention, "
        f"{(n + t) * (n + t + 1) // 2:,} with a prefix"
    )

# %% [markdown]
# *Left: words (rows) look at all patches (dark) and at earlier words (light). Right: patches and words are one sequence with one causal mask; the upper rows are patches looking at patches.*
#
# The prefix needs no new kind of layer, so a ready language model can be used as it is, and it costs more pairs; its cache holds the patches' keys once per film, as yours can. Where it looks is read off the rows of the words at the
# columns of the patches: the same kind of map, with the same doubts.
#
# ## 12 Judging reports
#
# Whether a report is *exactly* right is strict and clear, but says little about what is wrong. So the report is also read back: which findings does it assert, and
# does it get side, zone and size right? A finding that is missed counts as wrong in all three. The zone is scored for nodules, the only finding with a choice. Beside each score stands what
# a report writer without eyes would get: the commonest report, the commonest side, zone and size, and no finding at all. All scores are over the same 400 films.

# %% tags=["train"]
scores = pd.DataFrame(
    {
        "main run": radiology.report_scores(reports("lambda 10"), val_films),
        "short run": radiology.report_scores(reports("short"), val_films),
        "no causal mask": radiology.report_scores(reports("short, no causal mask"), val_films),
        "without eyes": radiology.blind_scores(train_films, val_films),
    }
)
print(scores.round(3).to_string(), end="\n\n")
for what, value in scores["main run"].items():
    claims.claim(NOTEBOOK, f"grounded_{what}", value)
claims.claim(
    NOTEBOOK,
    "no_mask_exact",
    scores.loc["exact", "no causal mask"],
    control=scores.loc["exact", "short run"],
)
_ = claims.claim(NOTEBOOK, "blind_exact", scores.loc["exact", "without eyes"])

# %% [markdown]
# The model with the splendid loss cannot write a report. It never learned to predict, because it never had to.
#
# ### Which errors?
#
# An accuracy over all findings, most of them absent, hides who is missed. So count by finding and size: of those that are there, how many are reported (*sensitivity*), and of films without it, how many
# are rightly silent (*specificity*)?


# %%
def asserted(written: np.ndarray) -> np.ndarray:
    """Which findings each report asserts: bool (n, 4)."""
    found = [radiology.parse_report(row) for row in written]
    return np.array([[kind in report for kind in radiology.KINDS] for report in found])


def detection(written: np.ndarray, films: radiology.ChestFilms) -> pd.DataFrame:
    """Share of films judged rightly, by finding and size, with Wilson's 95 % interval."""
    rows, said = [], asserted(written)
    for k, kind in enumerate(radiology.KINDS):
        words = ("mild", "marked") if kind == "cardiomegaly" else ("small", "large")
        for size, word in enumerate(("absent", *words)):
            chosen = films.size[: len(said), k] == size
            right = int((said[chosen, k] == (size > 0)).sum())
            low, high = metrics.wilson_interval(right, int(chosen.sum()))
            share = right / chosen.sum()
            rows.append((kind, word, int(chosen.sum()), share, low, high))
    return pd.DataFrame(rows, columns=["finding", "size", "films", "right", "low", "high"])


# %% tags=["train"]
errors = detection(reports("lambda 10"), val_films)
here = errors[errors["size"] != "absent"]
plots.bars(
    [
        f"{row.size_} {row.finding} (n = {row.films})"
        for row in here.rename(columns={"size": "size_"}).itertuples()
    ],
    here["right"],
    low=here["low"],
    high=here["high"],
    xlabel="sensitivity: share of them that the report mentions",
    xlim=(0, 1.2),
)
plt.show()
print(errors[errors["size"] == "absent"].drop(columns="size").round(3).to_string(index=False))
small = errors.set_index(["finding", "size"])["right"]
claims.claim(NOTEBOOK, "sensitivity_small_nodule", small["nodule", "small"])
_ = claims.claim(NOTEBOOK, "sensitivity_large_nodule", small["nodule", "large"])

# %% [markdown]
# *Held-out films, 95 % intervals. Below: specificity.* What it misses are nodules, small ones above all: the finding for which a second reader is wanted most.
#
# ### Scores of the field, and why words mislead
#
# Nobody can demand exact match of real reports, which say the same thing in many ways. Early papers counted shared word sequences (**BLEU**: the geometric mean of the shares of written 1- to 4-word pieces
# that occur in the true report). Then came scores that read the report: **CheXbert** (Smit et al., 2020) labels 14 findings, and reports are compared by the F1 of these labels; **RadGraph** (Jain et al., 2021)
# compares entities and relations, so that the *right* of a nodule counts. For pointing there are films with boxes drawn by radiologists for phrases: **MS-CXR** (Boecking et al., 2022; 1,162 pairs) and
# **PadChest-GR** (Castro et al., 2025; whole reports, sentence by sentence). The course's grammar makes the label F1 easy. Watch what BLEU thinks of a writer who confuses left and right:


# %%
def bleu(written: list[str], truth: list[str], longest: int = 4) -> float:
    """BLEU of a set of texts: shares of shared 1- to 4-word pieces, with the penalty for brevity."""
    pairs = [
        [text.replace(".", " .").split() for text in pair]
        for pair in zip(written, truth, strict=True)
    ]
    logs = 0.0
    for n in range(1, longest + 1):
        shared = total = 0
        for pair in pairs:
            ours, theirs = (
                Counter(zip(*(words[i:] for i in range(n)), strict=False)) for words in pair
            )
            shared, total = shared + (ours & theirs).total(), total + ours.total()
        logs += math.log(max(shared, 1e-9) / total) / longest
    ours, theirs = (sum(len(pair[i]) for pair in pairs) for i in (0, 1))
    return math.exp(logs + min(0.0, 1 - theirs / ours))


# %% tags=["train"]
swap = np.arange(len(radiology.VOCABULARY))
for a, b in (("right", "left"), ("right-sided", "left-sided")):
    i, j = radiology.VOCABULARY.index(a), radiology.VOCABULARY.index(b)
    swap[i], swap[j] = j, i
common = Counter(train_films.texts()).most_common(1)[0][0]
ids = np.array(
    [[radiology.BOS_ID, *radiology.encode_report(common), radiology.EOS_ID]] * len(val_films)
)
writers = {
    "main run": reports("lambda 10"),
    "truth, left and right swapped": swap[val_films.token_ids],
    "always the commonest report": ids,
}
table = {}
for name, written in writers.items():
    table[name] = {
        "BLEU": bleu([radiology.decode_report(row) for row in written], truth),
        "label F1": f1_score(
            val_films.present, asserted(written), average="micro", zero_division=0
        ),
        "side": radiology.report_scores(written, val_films)["side"],
        "exact": radiology.report_scores(written, val_films)["exact"],
    }
print(pd.DataFrame(table).T.round(3).to_string(), end="\n\n")
claims.claim(NOTEBOOK, "bleu_swapped_sides", table["truth, left and right swapped"]["BLEU"])
claims.claim(NOTEBOOK, "bleu_commonest", table["always the commonest report"]["BLEU"])
_ = claims.claim(NOTEBOOK, "label_f1", table["main run"]["label F1"])

# %% [markdown]
# Every side wrong, and BLEU is still high: most words of a report are the same for everybody. The label F1 sees the writer without eyes at once and cannot see the sides at all. No single score will do; say which error each one sees.
#
# ## 13 The pointing game
#
# Does attention lie on the finding? The **pointing game** asks the simplest question: is the *most attended* patch inside the mask?
#
# $$\mathrm{pointing} = \frac{1}{|M|} \sum_{t \in M} \big[\, m_{t,\, \arg\max_n a_{t n}} > 0 \,\big]$$
#
# > **Exercise `pointing_game`** · 4 points · 10 minutes · difficulty 2 of 5
#
# * `pointing_game(weights (B, T, N), masks (B, T, N)) -> float`. Row $t$ of the weights belongs to row $t$ of the masks: the caller shifts. Do not shift inside.
# * A token counts when its mask (boolean or float) has an entry above 0. It is a hit when its most attended patch has a mask above 0.
# * One mean over all such tokens of the batch; `nan` when there is none. A Python float.
# * Rows need not sum to one and may be negative, so that "how bright is the patch", or minus that, can stand in for attention.


# %% nbgrader={"grade": false, "grade_id": "pointing_game", "locked": false, "schema_version": 3, "solution": true, "task": false}
def pointing_game(weights: torch.Tensor, masks: torch.Tensor) -> float:
    """Share of the tokens with a mask whose most attended patch lies in it.

    Shapes: weights (B, T, N), masks (B, T, N) bool or float -> float, nan without any mask.
    """
    ### BEGIN SOLUTION
    inside = masks > 0  # (B, T, N)
    counts = inside.any(-1)  # (B, T)
    if not counts.any():
        return float("nan")
    hit = inside.gather(-1, weights.argmax(-1, keepdim=True)).squeeze(-1)
    return hit[counts].double().mean().item()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "pointing_game_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
checks.grounded_cross_attention.pointing_game(pointing_game)
### BEGIN HIDDEN TESTS
with checks.hidden("pointing_game"):
    generator = torch.Generator().manual_seed(3)
    sizes = [(1, 1, 5), (4, 6, 16), (3, 2, 64), (2, 9, 2), (5, 3, 1), (1, 4, 5), (3, 1, 4)]
    for batch, length, patches in sizes:
        for dtype in (torch.float32, torch.float64):
            weights = torch.rand(batch, length, patches, generator=generator, dtype=dtype) * 3 - 1
            masks = torch.rand(batch, length, patches, generator=generator) > 0.6
            masks[0, : length // 2] = False
            masks[-1, -1, 0] = True
            hits = []
            for b in range(batch):
                for t in range(length):
                    if masks[b, t].any():
                        row = weights[b, t].tolist()
                        hits.append(bool(masks[b, t, row.index(max(row))]))
            want = sum(hits) / len(hits)
            for kind in (
                masks,
                masks.to(dtype),
                masks.to(dtype) * 0.01,
                masks.to(dtype) * weights.abs(),
            ):
                got = checks.grounded_cross_attention.python_float(
                    checks.call(pointing_game, weights, kind), "the score"
                )
                checks.same(got, want, "the score", rtol=1e-5)
            got = checks.call(pointing_game, weights, torch.zeros_like(weights))
            checks.same(
                checks.grounded_cross_attention.python_float(got, "the score"),
                float("nan"),
                "the score without masks",
            )
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
# `(masks > 0).any(-1)` says which tokens count, `weights.argmax(-1)` which patch is most attended.
# </details>
# <details><summary>Hint 2</summary>
# `torch.gather` picks one entry per row: `inside.gather(-1, best[..., None])`.
# </details>
# <details><summary>Hint 3: nearly all of it</summary>
#
# `(masks > 0).gather(-1, weights.argmax(-1, keepdim=True))[..., 0][counts]`, its mean as a float, and `nan` first if nothing counts.
# </details>
#
# A metric needs its trivial baseline. In many made-up data sets the finding is simply the brightest spot, and "point at the brightest patch" scores 1.0 with no model at all.
# Here it is set beside the model, together with the darkest and with random patches.

# %%
bright_guess = checks.guess("pointing game of the brightest patch", ...)


# %%
@remembered
@torch.no_grad()
def gaze(name: str) -> torch.Tensor:
    """Attention (B, T-1, N) of a run behind tokens 1, 2, ... of the held-out reports."""
    images, tokens, _ = film_tensors(val_films)
    return trained(name).model(tokens, images)[1][-1].mean(1)[:, :-1].cpu()  # row t-1 for token t


word_masks = torch.from_numpy(radiology.token_patch_masks(val_films, PATCH))[:, 1:]
brightness = F.avg_pool2d(torch.from_numpy(val_films.images), PATCH).flatten(1)  # (B, N)
rivals = {
    "brightest patch": brightness,
    "darkest patch": -brightness,
    "random patch": torch.rand(brightness.shape, generator=torch.Generator().manual_seed(SEED)),
}

# %% tags=["train"]
use("pointing_game")
pointing = {"grounded model": PARTS.pointing_game(gaze("lambda 10"), word_masks)}
for name, values in rivals.items():
    pointing[name] = PARTS.pointing_game(values[:, None, :].expand(word_masks.shape), word_masks)
ax = plots.bars(list(pointing), list(pointing.values()), xlabel="pointing game", xlim=(0, 1.1))
plots.mark_guess(ax, bright_guess, at=1)
plt.show()
bright_guess.reveal(pointing["brightest patch"])
for name, value in pointing.items():
    claims.claim(NOTEBOOK, f"pointing_{name.split()[0]}", value)

# %% [markdown]
# *Pointing game on held-out films: the model's attention, and three ways of pointing that need no model.*
#
# Other parts of a film are brighter or darker than its findings (the marker, bone, the air around the neck). The trivial rules fail here, so the model's score means something.
#
# ## 14 How much of the finding?
#
# Pointing looks at one patch. **Intersection over union** asks how well the attended *region* matches the finding. The region is the smallest set $S$ of patches that holds a share `keep`
# of the attention:
#
# $$\mathrm{IoU}_t = \frac{|S_t \cap m_t|}{|S_t \cup m_t|}.$$
#
# > **Exercise `grounding_iou`** · 5 points · 20 minutes · difficulty 3 of 5
#
# * `grounding_iou(weights (B, T, N), masks (B, T, N), keep=0.9) -> float`, aligned as before; mean of the IoU over all tokens with a mask, `nan` when there is none.
# * $S$: take patches from the most attended downwards, as few as needed, until they hold at least `keep` × the row's own sum, with a tolerance of $10^{-6}$ for rounding. $0 <$ `keep` $\le 1$.
# * Patches without attention are never needed. A row without any attention scores 0.
# * A Python float.


# %% nbgrader={"grade": false, "grade_id": "grounding_iou", "locked": false, "schema_version": 3, "solution": true, "task": false}
def grounding_iou(weights: torch.Tensor, masks: torch.Tensor, keep: float = 0.9) -> float:
    """Mean IoU of each token's mask with the fewest patches that hold `keep` of its attention.

    Shapes: weights (B, T, N), masks (B, T, N) bool or float -> float, nan without any mask.
    """
    ### BEGIN SOLUTION
    inside = masks > 0
    counts = inside.any(-1)
    if not counts.any():
        return float("nan")
    rows, inside = weights[counts].double(), inside[counts]  # (M, N)
    ordered, order = rows.sort(dim=-1, descending=True)
    before = ordered.cumsum(-1) - ordered  # what the patches above this one hold already
    needed = (before < keep * rows.sum(-1, keepdim=True) - 1e-6) & (ordered > 0)
    region = torch.zeros_like(inside).scatter(-1, order, needed)
    iou = (region & inside).sum(-1) / (region | inside).sum(-1)
    return iou.double().mean().item()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "grounding_iou_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
checks.grounded_cross_attention.grounding_iou(grounding_iou)
### BEGIN HIDDEN TESTS
with checks.hidden("grounding_iou"):
    generator = torch.Generator().manual_seed(8)

    def slow_iou(weights, masks, keep):
        scores = []
        for row, mask in zip(
            weights.flatten(0, 1).tolist(), masks.flatten(0, 1).tolist(), strict=True
        ):
            true, region = {n for n, m in enumerate(mask) if m > 0}, set()
            for n in sorted(range(len(row)), key=lambda n: -row[n]):
                if sum(row[m] for m in region) < keep * sum(row) - 1e-6 and row[n] > 0:
                    region.add(n)
            if true:
                scores.append(len(true & region) / len(true | region))
        return sum(scores) / len(scores)

    for batch, length, patches in [(1, 1, 3), (3, 4, 16), (2, 5, 64), (4, 2, 1), (2, 3, 7)]:
        for dtype in (torch.float32, torch.float64):
            weights = (
                torch.randn(batch, length, patches, generator=generator, dtype=dtype)
                .mul(2)
                .softmax(-1)
            )
            weights[0, 0, patches // 2 + 1 :] = 0
            masks = torch.rand(batch, length, patches, generator=generator) > 0.7
            masks[-1, -1, 0] = True
            masks[0, length // 2 :] = masks[0, length // 2 :] & (batch == 1)
            for keep, scale in [(0.9, 1.0), (0.5, 1.0), (0.3, 4.0), (0.97, 0.25), (0.9, 7.0)]:
                want = slow_iou(weights * scale, masks, keep)
                for kind in (masks, masks.to(dtype) * 0.3):
                    got = checks.call(grounding_iou, weights * scale, kind, keep)
                    got = checks.grounded_cross_attention.python_float(got, "the score")
                    checks.same(got, want, f"the score with keep {keep}", rtol=1e-4, atol=1e-6)
    exact = torch.tensor([[[0.5, 0.25, 0.125, 0.125, 0.0]]])
    for keep, want in [(1.0, 0.25), (0.75, 0.5), (0.5, 1.0), (0.01, 1.0)]:
        got = checks.call(grounding_iou, exact, exact == 0.5, keep=keep)
        checks.same(got, want, f"the score with keep {keep}", rtol=1e-5)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
# Sort each row downwards and look at the running sum. A patch belongs to the set when the patches *above* it do not hold enough yet.
# </details>
# <details><summary>Hint 2</summary>
# `cumsum - ordered` is what the patches above hold. The patch that crosses the threshold is still needed.
# </details>
# <details><summary>Hint 3: nearly all of it</summary>
#
# ```
# ordered, order = rows.sort(dim=-1, descending=True)
# needed = (ordered.cumsum(-1) - ordered < keep * rows.sum(-1, keepdim=True) - 1e-6) & (ordered > 0)
# region = torch.zeros_like(inside).scatter(-1, order, needed)
# ```
# </details>
#
# Two things to set beside it: attention spread evenly over the film, and the share of the film that the finding covers, which is what the whole film as a region would score.

# %% tags=["train"]
use("grounding_iou")
even = torch.full(word_masks.shape, 1 / 64)
covered = word_masks[word_masks.any(-1)].double().mean().item()
main_gaze = gaze("lambda 10")
claims.claim(NOTEBOOK, "iou_grounded", PARTS.grounding_iou(main_gaze, word_masks))
print(
    f"IoU of even attention: {PARTS.grounding_iou(even, word_masks):.3f}; "
    f"share of the film covered: {covered:.3f}"
)
keeps = (0.5, 0.7, 0.8, 0.9, 0.95)
by_keep = [PARTS.grounding_iou(main_gaze, word_masks, keep) for keep in keeps]
print("IoU by keep:", dict(zip(keeps, np.round(by_keep, 3).tolist(), strict=True)))

# %% [markdown]
# The last line is a warning about thresholds: the same maps score quite differently for another `keep`, so an IoU without its threshold says little.
#
# %% [markdown]
# ## 15 Does the model use what it points at?
#
# A map that was *trained* to lie on the finding will lie on the finding. That alone does not show that the word was chosen **because** of these patches. So test it: blank patches, run the
# model again, and see how far the probability of the true word falls. "Blank" means the average training film at that place, so that no hole appears. If a finding covers $k$ patches, we blank, each time $k$ of them:
#
# * the $k$ most attended patches,
# * the finding itself (the true mask),
# * a region of the same shape in the other half of the film,
# * $k$ patches drawn at random from all 64.


# %%
def regions(attention: torch.Tensor, masks: torch.Tensor) -> dict[str, torch.Tensor]:
    """What to blank for each word: attention (words, N), masks (words, N) -> bool (words, N)."""
    size = masks.sum(-1, keepdim=True)

    def strongest(values):
        return values.argsort(-1, descending=True).argsort(-1) < size

    generator = torch.Generator().manual_seed(SEED)
    lottery = torch.rand(masks.shape, generator=generator).to(masks.device)
    elsewhere = masks.unflatten(-1, (8, 8)).roll(4, -1).flatten(-2) & ~masks
    return {
        "nothing": torch.zeros_like(masks),
        "attended": strongest(attention),
        "finding": masks,
        "elsewhere": elsewhere,
        "random": strongest(lottery),
    }


# %%
@remembered
@torch.no_grad()
def occlusion(name: str, n_films: int = 100) -> pd.DataFrame:
    """Probability of every grounded word of the true reports, with each region blanked."""
    model = trained(name).model
    images, tokens, masks = (x[:n_films] for x in film_tensors(val_films))
    report, target = (
        torch.from_numpy(i) for i in np.nonzero(val_films.word_finding[:n_films] >= 0)
    )
    attention = model(tokens, images)[1][-1].mean(1)[report, target - 1]  # (words, N)
    average = torch.from_numpy(train_films.images.mean(0)).to(DEVICE)  # (1, 64, 64)
    table = {"film": report, "word": [radiology.VOCABULARY[w] for w in tokens[report, target]]}
    for where, blank in regions(attention, masks[report, target]).items():
        found = []
        for i in torch.arange(len(report)).split(256):
            hole = blank[i].float().unflatten(1, (1, 8, 8)).repeat_interleave(PATCH, 2)
            hole = hole.repeat_interleave(PATCH, 3)
            seen = images[report[i]] * (1 - hole) + average * hole
            p = model(tokens[report[i], :-1], seen)[0][torch.arange(len(i)), target[i] - 1]
            found.append(p.softmax(-1).gather(1, tokens[report[i], target[i]][:, None])[:, 0])
        table[where] = torch.cat(found).cpu().numpy()
    return pd.DataFrame(table)


ROLE = {
    **dict.fromkeys(("small", "large", "mild", "marked"), "size"),
    **dict.fromkeys(("right", "left", "right-sided", "left-sided"), "side"),
    **dict.fromkeys(("upper", "middle", "lower"), "zone of a nodule"),
    **dict.fromkeys(radiology.KINDS, "finding's own word"),
}

# %%
word_guess = checks.guess(
    "depends least on the blanked finding",
    ["size", "side", "zone of a nodule", "finding's own word"],
    ...,
)

# %% tags=["train"]
effect = occlusion("lambda 10").assign(role=lambda t: t["word"].map(ROLE)).dropna()
roles = ["size", "side", "zone of a nodule", "finding's own word"]
fig, ax = plt.subplots(figsize=(8, 3.6))
falls = {}
for place, where in enumerate(("attended", "finding", "elsewhere", "random")):
    fall = {r: (g["nothing"] - g[where]).to_numpy() for r, g in effect.groupby("role")}
    falls[where] = {role: fall[role].mean() for role in roles}
    bounds = np.array([metrics.bootstrap_interval(np.mean, fall[r], n_boot=300) for r in roles]).T
    middle = np.array([falls[where][r] for r in roles])
    y = np.arange(len(roles)) + 0.2 * (place - 1.5)
    ax.errorbar(middle, y, xerr=np.abs(bounds - middle), fmt="osD^"[place], capsize=3, label=where)
counts = effect["role"].value_counts()
ax.set_yticks(range(len(roles)), [f"{role} (n = {counts[role]})" for role in roles])
ax.set(xlabel="fall of the probability of the true word")
ax.invert_yaxis()
ax.legend(title="blanked", bbox_to_anchor=(1.02, 1), loc="upper left")
plots.mark_guess(ax, word_guess, axis="y")
plt.show()
word_guess.reveal(min(roles, key=falls["finding"].get))
for role, key in zip(roles, ("size", "side", "zone", "finding"), strict=True):
    claims.claim(
        NOTEBOOK, f"occlusion_{key}", falls["attended"][role], control=falls["random"][role]
    )

# %% [markdown]
# *Words of the first 100 held-out films, 95 % intervals over words. A point at 0: blanking changed nothing.*
#
# * *Size* is the first word about a finding, so it also decides whether the finding is mentioned at all; the *side* says where it is. Both need the attended patches, and they need the finding: the two regions are nearly the
#   same. Equally many patches elsewhere, or at random, cost much less. For the *zone* there are few words: look at its interval before you say anything.
# * The *finding's own word* hardly falls, whatever is blanked. Its map is just as neat, and it is no reason for the word. Occlusion can tell the two apart; the picture cannot. What does decide that word comes in section 18.
#
# The test has limits of its own: a blanked film is a film that never occurs, and patches talk to each other in the encoder, so what is needed may lie elsewhere too.
#
# ## 16 How much grounding? A fair control
#
# What did the grounding term buy? Only a run without it can tell, and only one that was trained **as long**, on the same films in the same order: three runs that differ in $\lambda_g$ alone,
# judged on reports, maps and occlusion, with the writer without eyes beside them.

# %%
fair_guess = checks.guess("exact reports without any grounding, trained as long", ...)


# %% tags=["train"]
def judged(name: str) -> dict[str, float]:
    """Reports, maps and occlusion of one run, as a row of the table."""
    written = reports(name)
    score = radiology.report_scores(written, val_films)
    found = detection(written, val_films)
    there = found[found["size"] != "absent"]
    hits = (there["right"] * there["films"]).groupby(there["finding"]).sum()
    row = {"exact": score["exact"], "side": score["side"], "zone": score["zone"]}
    row |= (hits / there.groupby("finding")["films"].sum()).loc[list(radiology.KINDS)].to_dict()
    row["pointing"] = PARTS.pointing_game(gaze(name), word_masks)
    row["IoU"] = PARTS.grounding_iou(gaze(name), word_masks)
    size = occlusion(name)[lambda t: t["word"].map(ROLE) == "size"]
    row["fall, attended"] = (size["nothing"] - size["attended"]).mean()
    row["fall, finding"] = (size["nothing"] - size["finding"]).mean()
    return row


fair = {f"λ = {weight}": judged(f"lambda {weight}") for weight in (0, 1, 10)}
blind = radiology.blind_scores(train_films, val_films)
fair["without eyes"] = {what: blind[what] for what in ("exact", "side", "zone")}
fair = pd.DataFrame(fair)
fig, axes = plt.subplots(1, 3, figsize=(10, 2.7))
rows = [
    ("exact", "reports exactly right"),
    ("nodule", "sensitivity, nodules"),
    ("pointing", "pointing game"),
]
for ax, (what, xlabel) in zip(axes, rows, strict=True):
    shown = fair.loc[what].dropna()
    plots.bars(list(shown.index), shown, xlabel=xlabel, xlim=(0, 1.3), digits=2, ax=ax)
plots.mark_guess(axes[0], fair_guess, at=0)
plt.show()
print(fair.round(2).fillna("").to_string())

# %% [markdown]
# *Held-out films, n = 400 (occlusion: size words of 100). "fall": by how much the probability of the true size word falls when attended patches, or the finding, are blanked.*

# %% tags=["train"]
fair_guess.reveal(fair.loc["exact", "λ = 0"])
for what, key in (("exact", "exact"), ("nodule", "nodule"), ("pointing", "pointing")):
    claims.claim(NOTEBOOK, f"fair_{key}", fair.loc[what, "λ = 10"], control=fair.loc[what, "λ = 0"])
claims.claim(NOTEBOOK, "fair_effusion_without", fair.loc["effusion", "λ = 0"])
_ = claims.claim(
    NOTEBOOK,
    "ungrounded_size_needs_finding",
    fair.loc["fall, finding", "λ = 0"],
    control=fair.loc["fall, attended", "λ = 0"],
)

# %% [markdown]
# Trained as long, the run without the term is not blind: it finds most effusions and large hearts, and beats the writer without eyes on whole reports. But it has not found the nodules, the smallest finding, and its attention points hardly better than the brightest patch. With $\lambda_g = 1$
# the maps lie on most findings, and the nodules are still missing. With 10 both are there. So at this length of training the term does two things: it puts the maps on the findings, which is its very purpose, and it teaches the model to see small things, which the cross-entropy alone had not done yet. The price is pixel masks, which a person has to draw. Whether a much longer training would close the gap is not
# tested here.
#
# The last two rows hold a warning. Without grounding, blanking the finding costs the size word far more than blanking what the model "looks at": it does use the finding, and its map shows another place. The encoder has carried the news to other patches.
#
# ## 17 Where each word looked
#
# One held-out film per kind of finding: the report that the model wrote, and the attention behind the word that names the finding.


# %%
@remembered
@torch.no_grad()
def look(name: str, index: int) -> tuple[list[str], np.ndarray]:
    """Write one held-out report; return its words and the attention (words, N) behind each of them."""
    model, image = trained(name).model, val_films.images[index : index + 1]
    written = torch.from_numpy(write(model, image)).to(DEVICE)
    attention = model(written, torch.from_numpy(image).to(DEVICE))[1][-1]
    words = [radiology.VOCABULARY[token] for token in written[0, 1:] if token != radiology.PAD_ID]
    return words, attention.mean(1)[0, : len(words)].cpu().numpy()  # row t-1 chose token t


def one_of_each(films: radiology.ChestFilms) -> list[int]:
    """First film that has this finding and no other, for every kind."""
    alone = films.present & (films.present.sum(1, keepdims=True) == 1)
    return [int(np.flatnonzero(alone[:, kind])[0]) for kind in range(len(radiology.KINDS))]


# %% tags=["train"]
fig, axes = plt.subplots(1, 4, figsize=(10, 3.1))
for kind, (ax, index) in enumerate(zip(axes, one_of_each(val_films), strict=True)):
    words, attention = look("lambda 10", index)
    name = radiology.KINDS[kind]
    row = attention[words.index(name)] if name in words else attention.mean(0)
    film_plots.attention_over_film(
        shown_films.images[index, 0], row, mask=shown_films.masks[index, kind], ax=ax
    )
    ax.set_title(name if name in words else f"{name}: not written")
    print(f"{name:13}", " ".join(words).replace(" .", "."))
plt.show()

# %% [markdown]
# *The attention behind the finding's word (orange; darker is more) over the film, and the truth (blue outline).*
#
# A film with two findings shows best that every word has its own row. Choose a word (hover, tap, or arrow keys).

# %% tags=["train"]
pairs = val_films.present[:, 0] & (val_films.present[:, 1] | val_films.present[:, 2])
index = int(np.flatnonzero(pairs & exactly)[0])
words, attention = look("lambda 10", index)
plots.film_explorer(
    shown_films.images[index, 0],
    words,
    attention,
    query=words.index("nodule"),
    still=[i for i, word in enumerate(words) if word in ROLE][:8],
)

# %% [markdown]
# *Attention behind every word; each has its own scale, its largest weight is said in words. The words of a finding gather on it.*
#
# ### And the words that point at nothing?
#
# A softmax row sums to one. A word like "." or "normal" has nothing to look at, and must put its attention somewhere all the same. Where? Count over 400 films.

# %%
sink_guess = checks.guess(
    "of all full stops, the share whose most attended patch is one and the same", ...
)


# %% tags=["train"]
def sinks(name: str) -> pd.DataFrame:
    """For words that point at nothing: the patch on which most rows peak, and how strongly."""
    targets, rows = torch.from_numpy(val_films.token_ids[:, 1:]), []
    idle = ~word_masks.any(-1)
    for word in (".", "lungs", "clear", "no", "heart", "size", "normal", "in", "the", "at"):
        row = gaze(name)[(targets == radiology.VOCABULARY.index(word)) & idle]  # (n, N)
        peaks = row.argmax(-1).bincount(minlength=row.shape[-1])
        rows.append(
            {
                "word": word,
                "patch": int(peaks.argmax()),
                "share of rows": (peaks.max() / len(row)).item(),
                "mean largest weight": row.amax(-1).mean().item(),
                "weight on the film": row.sum(-1).mean().item(),
            }
        )
    return pd.DataFrame(rows).set_index("word")


before = sinks("lambda 10")
print(before.round(2).to_string())
share = before.loc[".", "share of rows"]
sink_guess.reveal(share)
_ = claims.claim(NOTEBOOK, "sink_of_full_stops", share)

# %% [markdown]
# In this run nearly all full stops, and most of "normal" and "at", peak on one and the same patch, whatever the film shows: an **attention sink**. Whoever opens the map of "normal" sees a glowing spot at the right apex, where a pneumothorax could lie, and it means nothing. Where the sinks lie depends on the run:
# in four others one patch took a fifth to a third of the full stops, and still such words put about half of their weight on a single patch.
#
# Two suspects. The softmax must put its weight somewhere: then a place *meant* for nothing, a **register**, should take it. Language models put it on their first token (Xiao et al., 2024), vision transformers on empty patches until they get registers (Darcet et al., 2024). Here it is a 65th patch,
# learned and without a place on the film. Or our own loss: its entropy term rewards every row for being sharp, those of words that have nothing to look at too. Two more runs, each of which differs from the main run in that one thing.

# %% tags=["train"]
SINK_RUNS = {
    "main run": "lambda 10",
    "with a null patch": "null patch",
    "no entropy term": "no entropy term",
}
idle_words = [".", "clear", "size", "normal", "at"]
rows = torch.from_numpy(val_films.token_ids[:, 1:])
fig, axes = plt.subplots(3, len(idle_words) + 1, figsize=(10, 6))
for line, (title, name) in zip(axes, SINK_RUNS.items(), strict=True):
    for ax, word in zip(line, [*idle_words, "nodule"], strict=True):
        found = word == "nodule"
        chosen = (rows == radiology.VOCABULARY.index(word)) & (word_masks.any(-1) == found)
        mean = gaze(name)[chosen].mean(0).numpy()
        film_plots.attention_over_film(
            shown_films.images.mean(0)[0],
            mean,
            top=mean.max() if found else 0.5,
            sides=False,
            ax=ax,
        )
        ax.set_title(f"{word}\nlargest {mean.max():.2f}", fontsize=9)
    line[0].set_ylabel(title, fontsize=9)
plt.show()

# %% [markdown]
# *Mean attention over 400 films, over the mean film: five words that point at nothing (full colour is weight 0.5), and "nodule" for comparison (a scale of its own). Under each word the largest mean weight of a patch.*

# %% tags=["train"]
compare = {}
for title, name in SINK_RUNS.items():
    table = sinks(name).loc[idle_words]
    compare[title] = {
        "idle words: one patch takes, share of rows": table["share of rows"].mean(),
        "idle words: mean largest weight": table["mean largest weight"].mean(),
        "idle words: weight on the film": table["weight on the film"].mean(),
        "pointing game": PARTS.pointing_game(gaze(name), word_masks),
        "IoU": PARTS.grounding_iou(gaze(name), word_masks),
        "reports exactly right": radiology.report_scores(reports(name), val_films)["exact"],
    }
compare = pd.DataFrame(compare)
print(compare.round(3).to_string())
sharp, on_film, pointing_of, exact_of = (compare.iloc[i] for i in (1, 2, 3, 5))
main, null, even = SINK_RUNS
claims.claim(NOTEBOOK, "sink_without_entropy_term", sharp[even], control=sharp[main])
claims.claim(NOTEBOOK, "null_weight_on_film", on_film[null], control=on_film[main])
for what, row in (("pointing", pointing_of), ("exact", exact_of)):
    claims.claim(NOTEBOOK, f"null_{what}", row[null], control=row[main])
    claims.claim(NOTEBOOK, f"no_entropy_{what}", row[even], control=row[main])

# %% [markdown]
# Both are part of it. With a null patch about half of these words' weight leaves the film; without the entropy term it stays there, spread thinly, and no spot glows. Pointing and reports stay as they were in both runs, within what seeds differ. So the sink was no use to the model: it was how our loss asked it to do nothing. Before you read a map, ask what the loss rewards.
#
# ## 18 Make it lie
#
# A normal film. But we write the beginning of the report, and the model goes on. What will it see?


# %%
@torch.no_grad()
def next_word(name: str, image: np.ndarray, prefix: str) -> tuple[pd.Series, np.ndarray]:
    """Probability of every next word after a prefix, and the attention (N,) behind it."""
    tokens = torch.tensor([[radiology.BOS_ID, *radiology.encode_report(prefix)]], device=DEVICE)
    logits, attention = trained(name).model(tokens, torch.from_numpy(image[None]).to(DEVICE))
    p = logits[0, -1].softmax(-1).cpu().numpy()
    return pd.Series(p, radiology.VOCABULARY), attention[-1].mean(1)[0, -1].cpu().numpy()


# %% tags=["train"]
healthy = int(np.flatnonzero(~val_films.present.any(1))[0])
prefixes = ("", "large", "lungs clear. no effusion. large right-sided")
fig, axes = plt.subplots(2, 3, figsize=(10, 5.2), height_ratios=[2, 1.1])
lies = {}
for (above, below), prefix in zip(axes.T, prefixes, strict=True):
    p, row = next_word("lambda 10", val_films.images[healthy], prefix)
    lies[prefix] = p
    top = p.nlargest(3)
    film_plots.attention_over_film(shown_films.images[healthy, 0], row, ax=above)
    said = f"“{prefix}” …".replace(". large", ".\nlarge") if prefix else "nothing written yet"
    above.set_title(said, fontsize=9)
    plots.bars(list(top.index), top, xlabel="probability of the next word", xlim=(0, 1.4), ax=below)
plt.show()
claims.claim(NOTEBOOK, "lie_nodule", lies["large"]["nodule"], control=lies[""]["nodule"])
_ = claims.claim(
    NOTEBOOK,
    "lie_pneumothorax",
    lies[prefixes[2]]["pneumothorax"],
    control=lies["large"]["pneumothorax"],
)

# %% [markdown]
# *A film without any finding. Above: where the model looks for the next word. Below: the three most probable next words.*
#
# After "large" it writes *nodule* on a healthy film, and after the second lie *pneumothorax*, each with a map that looks like any other. The size word alone does not choose the finding: the **slot** does. Reports have a fixed order, so after the sentences about lungs and effusion, "large right-sided" can only be a
# pneumothorax. The finding's own word is read off the text, as section 15 suggested, and here you see it by changing the text alone. This is also what exposure bias can cost: one wrong word of its own, and the rest of the sentence follows.
#
# ### Mirrored films
#
# Now turn every film over, left to right. The marker "R" turns over too, so a careful reader would notice that it is mirrored and on the wrong side.

# %%
mirror_guess = checks.guess("share of reports in which every side changes with the mirror", ...)

# %% tags=["train"]
parsed = [radiology.parse_report(row) for row in reports("lambda 10")[:150]]
sided = [
    (i, found)
    for i, found in enumerate(parsed)
    if any(side != "none" for side, _, _ in found.values())
]
mirrored = write(
    trained("lambda 10").model, val_films.images[[i for i, _ in sided], :, :, ::-1].copy()
)
other = {"right": "left", "left": "right", "none": "none"}
flipped = np.array(
    [
        all(kind in new and new[kind][0] == other[side] for kind, (side, _, _) in old.items())
        for (_, old), new in zip(sided, map(radiology.parse_report, mirrored), strict=True)
    ]
)
kept = sum(
    any(new.get(kind, ("",))[0] == side != "none" for kind, (side, _, _) in old.items())
    for (_, old), new in zip(sided, map(radiology.parse_report, mirrored), strict=True)
)
low, high = metrics.wilson_interval(int(flipped.sum()), len(flipped))
mirror_guess.reveal(flipped.mean())
print(
    f"{flipped.sum()} of {len(flipped)} reports with a side change all sides (95 % interval "
    f"{low:.2f} to {high:.2f}); {kept} keep one; the others lose the finding"
)
claims.claim(NOTEBOOK, "mirrored_sides_flip", flipped.mean())
print("as it is:", radiology.decode_report(reports("lambda 10")[sided[0][0]]))
print("mirrored:", radiology.decode_report(mirrored[0]))

# %% [markdown]
# In most reports every side goes with the picture's half, whatever the "R" says; in the others a finding is lost or a side stays, and this run does not say why. In training nothing ever asked for the marker. So a film hung the wrong way round gives a fluent, confident report about the wrong side. For the
# same reason nobody should augment chest films by flipping them: a flipped film with its old report teaches that sides do not matter, and with the sides exchanged it puts the heart on the right.
#
# ### A slightly worse film
#
# Same patients, same model; more grain, or another exposure.


# %% tags=["train"]
def exact_on(images: np.ndarray, n: int = 150) -> float:
    """Share of exactly right reports about changed films."""
    return radiology.report_scores(write(trained("lambda 10").model, images[:n]), val_films)[
        "exact"
    ]


grain = np.random.default_rng(SEED).standard_normal(val_films.images[:150].shape, dtype=np.float32)
noises, exposures = (0.0, 0.04, 0.08), (0.5, 0.7, 1.0, 1.15)
changed = {
    "added noise (standard deviation)": {
        x: exact_on((val_films.images[:150] + x * grain).clip(0, 1)) for x in noises
    },
    "exposure (grey values times)": {
        x: exact_on((val_films.images[:150] * np.float32(x)).clip(0, 1)) for x in exposures
    },
}
fig, axes = plt.subplots(1, 2, figsize=(9, 3), sharey=True)
for ax, (xlabel, curve) in zip(axes, changed.items(), strict=True):
    shares = np.array(list(curve.values()))
    bounds = np.array([metrics.wilson_interval(round(150 * s), 150) for s in shares]).T
    ax.errorbar(list(curve), shares, yerr=np.abs(bounds - shares), marker="o", capsize=3)
    ax.set(xlabel=xlabel, ylim=(0, 1))
axes[0].set_ylabel("reports exactly right")
plt.show()
noise, exposure = changed.values()
claims.claim(NOTEBOOK, "exact_with_noise", noise[0.08], control=noise[0.0])
_ = claims.claim(NOTEBOOK, "exact_underexposed", exposure[0.7], control=exposure[1.0])

# %% [markdown]
# *150 held-out films, 95 % intervals. The training films have noise between 0.015 and 0.035 and exposures between 0.85 and 1.10 of their own; what is added here comes on top.*
#
# A person still reads such films. The model never met them, and no word of its reports warns you.
#
# ### A real film
#
# Put a frontal film (PNG, JPEG, or DICOM if you have pydicom) beside this notebook as `film.png`, or name it in the environment variable `COURSE_FILM`. `read_film` takes the middle square, shrinks it to 64 x 64 and scales its greys. Use no film of a patient that you may not use.

# %% tags=["train"]
path = Path(os.environ.get("COURSE_FILM", "film.png"))
if path.is_file():
    film = radiology.read_film(path)
    film_plots.show_film(film[0], title="what the model sees")
    plt.show()
    print(radiology.decode_report(write(trained("lambda 10").model, film[None])[0]))
else:
    print(f"there is no {path}: this part waits for a film of yours")

# %% [markdown]
# *The film as the model gets it.* Whatever the report says, do not believe it. The model has seen drawings by one program: no rotated patient, tube, scar or breast shadow, nothing at all of a real lung's texture. It cannot say "I do not know this", so it writes one of its sentences, with a map. A report that happens to be right
# proves as little: 1 film in 5 of its own world is normal.
#
# ## 19 Is a heat map evidence?
#
# It is tempting to close a project like this with "the attention maps make the system explainable, as the regulator demands". Nothing in this notebook supports such a sentence. No regulator accepts a mechanism in
# place of evidence about a device: its intended use, its performance on the patients it is meant for, and how people work with it.
#
# What they do ask: the IMDRF's *Good machine learning practice for medical device development: Guiding principles* (N88, 2025; before it the FDA, Health Canada and the MHRA, 2021) wants training data that represent the intended patients, independent test sets, a focus on human and model together, and monitoring. The EU's AI Act
# (Regulation 2024/1689, articles 13 and 14) wants high-risk systems transparent enough for those who use them to interpret the output, and overseen by people who can. The FDA's, Health Canada's and the MHRA's *Transparency for Machine Learning-Enabled Medical Devices* (2024) asks for the logic of an output *where that is available and understood*. None of them says that an attention map
# is required or that one is enough. Which rules bind a product depends on its intended use and country; ask a regulatory specialist, not a notebook.
#
# What could be said about this model, honestly? That on drawn films its attention lies on the finding, that some words depend on the attended patches and others on the text before them, that it misses small nodules, follows a false prefix and takes the sides of most mirrored films from the picture's half (all measured), and that nothing at all is known about real films.
#
# > **Written answer** · 5 points · 15 minutes
#
# A vendor shows you attention maps of a report-writing model and says: "You see where the model looks, so you can trust the report, and the regulator's demand for explainability is met." Answer in about 200 words: is such a map evidence, and of what? Which experiments of this
# notebook would you ask for, with which comparison? What would a regulator need to see beyond them?

# %% [markdown] nbgrader={"grade": true, "grade_id": "written_1", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
# **Model answer.** A map shows where attention weights lie, nothing more. In this notebook an untrained layer drew maps as well, and a model that was *taught* to point has neat maps by construction, also for words that it takes from the text. So the map alone is no evidence that the report is right, nor that the
# word depends on the region. I would ask for (1) the accuracy of the reports by finding, side, zone and size on films the model has never seen, beside what a writer without eyes would score, with the spread over seeds or films; (2) pointing and IoU beside trivial rules such as the brightest patch; (3) occlusion of the attended region against equally many random patches, per kind of word;
# (4) proof that no label leaks (change a later word; decode instead of teacher forcing). A regulator needs evidence on the device in its intended use: real and representative patients, subgroups, sites and scanners, an independent test set, reference standard, comparison with and effect on the readers who use it, known failures and limits told to the users, a plan for monitoring and changes. A map may help to tell users
# something; it neither satisfies a requirement by itself nor replaces clinical performance.
#
# **Rubric** (1 point each). 1: attention is not by itself evidence that the report is right; says why. 2: distinguishes "lies on the finding" (pointing, IoU) from "was needed" (occlusion or another intervention). 3: names a comparison for each experiment asked for (trivial rule, random patches, untrained or blind model). 4: names evidence
# beyond the map that a regulator needs: at least two of representative patients, independent test set, subgroups, human and model together, intended use, monitoring. 5: does not claim that a map satisfies or is demanded by a regulation, or rebuts that claim.

# %% [markdown]
# ## 20 Your exercises

# %%
checks.grounded_cross_attention.summary(globals())

# %% [markdown]
# ### What you have learned
#
# * Cross-attention: words ask, patches answer; row $t - 1$ holds the look behind word $t$.
# * A missing causal mask gives the best loss and the worst reports. Changing a later word reveals it at once.
# * Keys and values of the past never change, so they are kept.
# * Grounding needs the right row, the right words and a weight that fits its scale; its binary form has a floor.
# * A control must be trained as long. Scores stand beside the brightest patch, even attention, the writer without eyes, and are split by finding and size.
# * A map shows where attention lies; an intervention shows what was needed. A sink, a forced prefix and a mirrored film have neat maps too.
#
# ### Where to read on
#
# * Vaswani et al., *Attention Is All You Need*, 2017: cross-attention as it was first drawn.
# * Dosovitskiy et al., *An Image Is Worth 16x16 Words*, 2021: images as patches. Liu et al., *Visual Instruction Tuning* (LLaVA), 2023: patches as a prefix.
# * Zhang et al., *Top-down Neural Attention by Excitation Backprop*, 2016: the pointing game.
# * Xiao et al., *Efficient Streaming Language Models with Attention Sinks*, 2024; Darcet et al., *Vision Transformers Need Registers*, 2024.
# * Smit et al., *CheXbert*, 2020; Jain et al., *RadGraph*, 2021; Yu et al., *Evaluating Progress in Automatic Chest X-Ray Radiology Report Generation*, 2023: scores of reports beside radiologists' judgement.
# * Boecking et al., *Making the Most of Text Semantics to Improve Biomedical Vision-Language Processing* (MS-CXR), 2022; Castro et al., *PadChest-GR*, 2025.
# * Jain and Wallace, *Attention is not Explanation*, 2019; Wiegreffe and Pinter, *Attention is not not Explanation*, 2019.
# * Adebayo et al., *Sanity Checks for Saliency Maps*, 2018; Saporta et al., *Benchmarking saliency methods for chest X-ray interpretation*, 2022.
# * Bannur et al., *MAIRA-2: Grounded Radiology Report Generation*, 2024: the task of this notebook on real films.
# * Good Machine Learning Practice for Medical Device Development: Guiding Principles, 2021, and Transparency for Machine Learning-Enabled Medical Devices: Guiding Principles, 2024 (FDA, Health Canada, MHRA).
