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
# You will learn
#
# * how text looks at an image: queries from words, keys and values from patches;
# * why a decoder needs a causal mask, and how to find a missing one **without reading the code**;
# * how to supervise attention (*grounding*), and which row of the attention belongs to which word;
# * how to decode, and how to score reports and heat maps beside their trivial baselines;
# * what a heat map proves, and what it does not.
#
# | part | sections | minutes | points |
# | --- | --- | --- | --- |
# | films, reports, patches | 1-3 | 25 | 4 |
# | the model: cross-attention, causal mask, leak test | 4-7 | 55 | 14 |
# | the loss and the training | 8-9 | 40 | 10 |
# | decoding and scoring | 10-12 | 50 | 15 |
# | the sweep, the pictures, the occlusion test, your verdict | 13-16 | 40 | 5 |
#
# About three and a half hours of your time. The whole notebook needs one to two minutes of computing on one CPU core; the cells that train say so.
# The films are drawn by a program. They teach the method; nothing here is a medical device.
#
# **Two rules of every exercise**: what your code is given stays as it was (work on copies, never in place on an argument), and results keep the dtype of the
# first tensor, unless the box says otherwise.

# %% tags=["install"]
# install cell

# %% tags=["imports"]
import functools
import math
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import checks, claims, layers, plots, training
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
film_plots.finding_gallery(val_films)
plt.show()

# %% [markdown]
# *Held-out films: one without a finding, then each finding in both sizes. The outline is the
# truth; R and L are the patient's sides. The dark spot under the left dome is air in the stomach,
# the white letter is the marker: neither is a finding.*
#
# How often does each finding occur, and how many does a film have?

# %%
fig, axes = plt.subplots(1, 2, figsize=(8, 2.8))
counts = train_films.present.sum(axis=1)
plots.bars(
    ["none", "one", "two"],
    np.bincount(counts, minlength=3),
    xlabel="films",
    digits=0,
    title="Findings in a film",
    ax=axes[0],
)
plots.bars(
    radiology.KINDS,
    train_films.present.sum(axis=0),
    xlabel="films",
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

# %% [markdown]
# *Training films by number and kind of findings. The kinds are about equally
# frequent, so nothing is won by naming the commonest one.*
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
# forbidden weights to zero. `-inf` would make a fully masked row nan, and its gradient too.
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
_, weights = untrained(torch.randn(1, 1, 64), 8 * pixels)
film_plots.heads_over_film(val_films.images[0, 0], weights[0, :, 0].detach())
plt.show()

# %% [markdown]
# *Attention of one random query over the film, four untrained heads; brighter is more. The edges of body and lungs
# show through, since the patches differ there, and yet nothing was learned.*
#
# ## 5 The model
#
# From here on the notebook uses the course's own blocks, so that it works whatever you have solved so far. Patches and their positions go
# through one encoder block; the report so far goes through two decoder blocks, each with self-attention among the words, cross-attention to the
# patches, and a feed-forward network. The model returns the logits for every position and the cross-attention of every decoder block. Row $t$ of
# the logits is the model's guess for word $t + 1$, and row $t$ of the attention is where it looked for that guess.


# %%
class ReportWriter(nn.Module):
    """Film and report so far -> logits of the next word, and cross-attention of every decoder block."""

    def __init__(self, *, d_model: int = 64, num_heads: int = 4, causal: bool = True):
        super().__init__()
        self.causal = causal
        vocab_size, n_patches = len(radiology.VOCABULARY), (64 // PATCH) ** 2
        self.patches = layers.PatchEmbedding(64, PATCH, 1, d_model)
        self.where = nn.Parameter(torch.randn(1, n_patches, d_model) * 0.02)
        self.encoder = layers.EncoderBlock(d_model, num_heads, 2 * d_model)
        self.norm_image = nn.LayerNorm(d_model)
        self.words = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.words.weight, std=0.7)  # as long as the position code
        self.position = layers.SinusoidalPositionalEncoding(d_model, 64)
        self.decoder = nn.ModuleList(
            layers.DecoderBlock(d_model, num_heads, 2 * d_model) for _ in range(2)
        )
        self.norm = nn.LayerNorm(d_model)
        self.head = nn.Linear(d_model, vocab_size)

    def forward(self, token_ids, images):
        """token_ids (B, T), images (B, 1, 64, 64) -> logits (B, T, V), list of (B, H, T, N)."""
        image, _ = self.encoder(self.patches((images - 0.4) / 0.25) + self.where)
        image = self.norm_image(image)  # (B, N, D)
        x = self.position(self.words(token_ids))  # (B, T, D)
        attention = []
        for block in self.decoder:
            x, weights = block(x, image, is_causal=self.causal, need_weights=True)
            attention.append(weights)  # (B, H, T, N)
        return self.head(self.norm(x)), attention


# %%
def film_tensors(films):
    """Images, reports and patch masks of all films as tensors on the device."""
    masks = radiology.token_patch_masks(films, PATCH)
    return [torch.from_numpy(x).to(DEVICE) for x in (films.images, films.token_ids, masks)]


n_parameters = sum(p.numel() for p in ReportWriter().parameters())
_ = claims.claim(NOTEBOOK, "parameters", n_parameters)

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
ax = plt.subplots(figsize=(5, 4))[1]
plots.attention_map(causal_mask(len(words))[0, 0].float(), words, title="Who may see whom", ax=ax)
plt.show()

# %% [markdown]
# *Your mask: each row is a position, dark is allowed. The first row sees `<bos>` alone.*
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
for causal in (True, False):
    torch.manual_seed(SEED)
    model = ReportWriter(causal=causal)
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
fresh = ReportWriter().to(DEVICE)
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
# patches: with the signature's default weight of 0.1 it would be a few thousandths beside the cross-entropy. This notebook trains with $\lambda_g = 10$, and section 13 compares.*
#
# ## 9 Training, with and without the mask
#
# Now train. `trained(name)` trains a run the first time it is asked for and remembers it, so that later cells can simply ask again. It uses **your** `compute_loss`;
# after changing that, run the next cell again, which forgets the old runs.


# %%
@dataclass
class Run:
    """A trained model and the history of its training."""

    model: nn.Module
    history: pd.DataFrame


SHORT = {"n_films": 1500, "epochs": 4}
SETTINGS = {
    "grounded": {"n_films": 3000, "epochs": 8, "lambda_ground": 10.0},
    "no causal mask": {**SHORT, "lambda_ground": 10.0, "causal": False},
    "short, lambda 0": {**SHORT, "lambda_ground": 0.0},
    "short, lambda 1": {**SHORT, "lambda_ground": 1.0},
    "short, lambda 10": {**SHORT, "lambda_ground": 10.0},
}


@functools.cache
def trained(name: str) -> Run:
    """Return the run of that name; train it when it is asked for the first time."""
    return train_run(name, **SETTINGS[name])


# %%
def train_run(
    name: str, n_films: int, epochs: int, lambda_ground: float, causal: bool = True
) -> Run:
    """Train a ReportWriter with `compute_loss` on the first films of the training set."""
    images, tokens, masks = film_tensors(train_films)
    lengths = (tokens != radiology.PAD_ID).sum(1).cpu()
    held_out = film_tensors(val_films)
    torch.manual_seed(SEED)
    model = ReportWriter(causal=causal).to(DEVICE)

    def batches(epoch):
        shuffle = torch.Generator().manual_seed(1000 * SEED + epoch)
        return torch.randperm(n_films, generator=shuffle).split(32)

    def losses(model, images, tokens, masks):
        logits, attention = model(tokens, images)
        return compute_loss(logits, tokens, attention, masks, lambda_ground=lambda_ground)

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
# The main run takes about a minute on one CPU core, the run without the mask a quarter of that.

# %% tags=["train", "needs-answer"]
fig, axes = plt.subplots(1, 3, figsize=(9, 3))
run = trained("grounded")
plots.curves(
    run.history,
    ["ce", "val_ce"],
    labels=["training", "held out"],
    ylabel="cross-entropy (nats)",
    title="Next word",
    ax=axes[0],
)
plots.curves(
    run.history,
    ["ground", "val_ground"],
    labels=["training", "held out"],
    ylabel="grounding (nats)",
    title="Grounding",
    ax=axes[1],
)
leaky = {
    "causal mask": trained("short, lambda 10").history,
    "no mask": trained("no causal mask").history,
}
plots.curves(
    leaky, "val_ce", ylabel="cross-entropy (nats)", title="Held out, short runs", ax=axes[2]
)
for ax in axes:
    ax.set_yscale("log")
plt.show()

# %% [markdown]
# *Left and middle: the main run, training and held-out films (logarithmic axes). Right: two shorter runs that differ in the causal mask alone.*
#
# By its loss, the model **without** the mask is by far the better one. And this is the *held-out* loss: no split of the data reveals the leak, because the answer
# stands in the input of every film, training or not.

# %% tags=["train", "needs-answer"]
claims.claim(NOTEBOOK, "no_mask_ce", trained("no causal mask").history.val_ce.iloc[-1])
claims.claim(NOTEBOOK, "grounded_ce", trained("grounded").history.val_ce.iloc[-1])
sizes = radiology.token_patch_masks(val_films, PATCH).sum(-1)
floors = {k: bce_of_row(1 - 1e-9, k) for k in set(sizes[sizes > 0].tolist())}
floor = np.mean([floors[k] for k in sizes[sizes > 0].tolist()])
print(
    f"grounding term, held out: {trained('grounded').history.val_ground.iloc[-1]:.4f}; its floor: {floor:.4f}"
)

# %% [markdown]
# ## 10 Writing a report
#
# The test of a report model is not its loss but its reports. **Greedy decoding** starts with `<bos>`, asks for the most probable next word, appends it, and
# asks again with the longer prefix:
#
# $$w_{t+1} = \arg\max_v\; p_t(v \mid w_0 \dots w_t, \mathrm{film}).$$
#
# Now the model really does not know the next word, and a leak can no longer help.
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
# Let both models write.


# %%
def write(model: nn.Module, images: np.ndarray) -> np.ndarray:
    """Reports (n, L) that a model writes about films (n, 1, 64, 64), decoded greedily."""
    images = torch.from_numpy(images).to(DEVICE)
    reports = greedy_decode(
        model, images, radiology.BOS_ID, radiology.EOS_ID, radiology.MAX_REPORT_LENGTH
    )
    return reports.cpu().numpy()


@functools.cache
def reports(name: str, n_films: int = 200) -> np.ndarray:
    """Reports of a run about the first held-out films."""
    return write(trained(name).model, val_films.images[:n_films])


# %% tags=["train", "needs-answer"]
truth = val_films.texts()
for i in range(3):
    print("truth         :", truth[i])
    print("grounded      :", radiology.decode_report(reports("grounded", 400)[i]))
    print("no causal mask:", radiology.decode_report(reports("no causal mask")[i]))
    print()

# %% [markdown]
# ### Scoring reports
#
# Whether a report is *exactly* right is strict and clear, but says little about what is wrong. So the report is also read back: which findings does it assert, and
# does it get side, zone and size right? A finding that is missed counts as wrong in all three. The zone is scored for nodules, the only finding with a choice. Beside each score stands what
# a report writer without eyes would get: the commonest report, the commonest side, zone and size, and no finding at all.

# %% tags=["train", "needs-answer"]
scores = pd.DataFrame(
    {
        "grounded model": radiology.report_scores(reports("grounded", 400), val_films),
        "no causal mask": radiology.report_scores(reports("no causal mask"), val_films),
        "without eyes": radiology.blind_scores(train_films, val_films),
    }
)
print(scores.round(3).to_string(), end="\n\n")
for what, value in scores["grounded model"].items():
    claims.claim(NOTEBOOK, f"grounded_{what}", value)
claims.claim(NOTEBOOK, "no_mask_exact", scores.loc["exact", "no causal mask"])
_ = claims.claim(NOTEBOOK, "blind_exact", scores.loc["exact", "without eyes"])

# %% [markdown]
# The model with the splendid loss cannot write a report. It never learned to predict, because it never had to.
#
# ## 11 The pointing game
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
@functools.cache
@torch.no_grad()
def gaze(name: str) -> torch.Tensor:
    """Attention (B, T-1, N) of a run behind tokens 1, 2, ... of the held-out reports."""
    images, tokens, _ = film_tensors(val_films)
    return trained(name).model(tokens, images)[1][-1].mean(1)[:, :-1].cpu()  # row t-1 for token t


word_masks = torch.from_numpy(radiology.token_patch_masks(val_films, PATCH))[
    :, 1:
]  # tokens 1, 2, ...


brightness = F.avg_pool2d(torch.from_numpy(val_films.images), PATCH).flatten(1)  # (B, N)
rivals = {
    "brightest patch": brightness,
    "darkest patch": -brightness,
    "random patch": torch.rand(brightness.shape, generator=torch.Generator().manual_seed(SEED)),
}

# %% tags=["train", "needs-answer"]
pointing = {"grounded model": pointing_game(gaze("grounded"), word_masks)}
for name, values in rivals.items():
    pointing[name] = pointing_game(values[:, None, :].expand(word_masks.shape), word_masks)
plots.bars(list(pointing), list(pointing.values()), xlabel="pointing game", xlim=(0, 1.1))
plt.show()
for name, value in pointing.items():
    claims.claim(NOTEBOOK, f"pointing_{name.split()[0]}", value)

# %% [markdown]
# *Pointing game on held-out films: the model's attention, and three ways of pointing that need no model.*
#
# Other parts of a film are brighter or darker than its findings (the marker, bone, the air around the neck). The trivial rules fail here, so the model's score means something.
#
# ## 12 How much of the finding?
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

# %% tags=["train", "needs-answer"]
even = torch.full(word_masks.shape, 1 / 64)
covered = word_masks[word_masks.any(-1)].double().mean().item()
claims.claim(NOTEBOOK, "iou_grounded", grounding_iou(gaze("grounded"), word_masks))
print(
    f"IoU of even attention: {grounding_iou(even, word_masks):.3f}; share of the film covered: {covered:.3f}"
)
by_keep = {
    keep: grounding_iou(gaze("grounded"), word_masks, keep) for keep in (0.5, 0.7, 0.8, 0.9, 0.95)
}
print("IoU by keep:", {keep: round(value, 3) for keep, value in by_keep.items()})

# %% [markdown]
# ## 13 How much grounding?
#
# A shortened sweep: three runs that differ in $\lambda_g$ alone (1,500 films, 4 epochs each, about 15 seconds a run). What do you expect of the reports, if the attention is told where to look?


# %%
@functools.cache
def sweep() -> pd.DataFrame:
    """Train with three weights of the grounding term; score reports and attention of each."""
    table = []
    for weight in (0, 1, 10):
        name = f"short, lambda {weight}"
        written = radiology.report_scores(reports(name), val_films)
        table.append(
            {
                "lambda_ground": weight,
                "held-out cross-entropy": trained(name).history.val_ce.iloc[-1],
                "exact match": written["exact"],
                "finding": written["finding"],
                "pointing": pointing_game(gaze(name), word_masks),
                "IoU": grounding_iou(gaze(name), word_masks),
            }
        )
    return pd.DataFrame(table).set_index("lambda_ground")


# %% tags=["train", "needs-answer"]
table = sweep()
fig, axes = plt.subplots(1, 2, figsize=(8, 2.6))
names = [f"lambda {weight}" for weight in table.index]
plots.bars(
    names,
    table["pointing"],
    xlabel="pointing game",
    xlim=(0, 1.15),
    title="Where it looks",
    ax=axes[0],
)
plots.bars(
    names,
    table["exact match"],
    xlabel="reports exactly right",
    xlim=(0, 1.15),
    title="What it writes",
    ax=axes[1],
)
plt.show()
print(table.round(3).to_string(), end="\n\n")
claims.claim(NOTEBOOK, "sweep_pointing_0", table.loc[0, "pointing"])
claims.claim(NOTEBOOK, "sweep_pointing_gain", table.loc[10, "pointing"] - table.loc[0, "pointing"])
_ = claims.claim(
    NOTEBOOK, "sweep_exact_gain", table.loc[10, "exact match"] - table.loc[0, "exact match"]
)

# %% [markdown]
# *Held-out films after a short training. Left: pointing game. Right: exact match.*
#
# Without the term, attention of the last block has no reason to lie on the finding, and mostly it does not. With it the reports are also better after the same training: being told where to look is help,
# at the price of needing pixel masks, which a person has to draw. Whether a longer training would close the gap is not tested here.
#
# ## 14 Where each word looked
#
# One held-out film per kind of finding: the report that the model wrote, and the attention behind the word that names the finding.


# %%
@functools.cache
@torch.no_grad()
def look(name: str, index: int) -> tuple[list[str], np.ndarray]:
    """Write one held-out report; return its words and the attention (words, N) behind each of them."""
    model, image = trained(name).model, val_films.images[index : index + 1]
    written = write(model, image)
    attention = model(torch.from_numpy(written).to(DEVICE), torch.from_numpy(image).to(DEVICE))[1][
        -1
    ]
    words = [radiology.VOCABULARY[token] for token in written[0, 1:]]
    return words, attention.mean(1)[0, :-1].cpu().numpy()  # row t-1 chose token t


def one_of_each(films: radiology.ChestFilms) -> list[int]:
    """First film that has this finding and no other, for every kind."""
    alone = films.present & (films.present.sum(1, keepdims=True) == 1)
    return [int(np.flatnonzero(alone[:, kind])[0]) for kind in range(len(radiology.KINDS))]


# %% tags=["train", "needs-answer"]
fig, axes = plt.subplots(1, 4, figsize=(10, 3.1))
for kind, (ax, index) in enumerate(zip(axes, one_of_each(val_films), strict=True)):
    words, attention = look("grounded", index)
    name = radiology.KINDS[kind]
    row = attention[words.index(name)] if name in words else attention.mean(0)
    film_plots.attention_over_film(
        val_films.images[index, 0], row, mask=val_films.masks[index, kind], ax=ax
    )
    ax.set_title(name if name in words else f"{name}: not written")
    print(f"{name:13}", " ".join(words).replace(" .", "."))
plt.show()

# %% [markdown]
# *The attention behind the finding's word (orange; darker is more) over the film, and the truth (blue outline).*
#
# A film with two findings shows best that every word has its own row. Each panel is one word of the report, in the order in which it was written.

# %% tags=["train", "needs-answer"]
pairs = val_films.present[:, 0] & (val_films.present[:, 1] | val_films.present[:, 2])
index = int(np.flatnonzero(pairs)[0])
words, attention = look("grounded", index)
film_plots.word_maps(val_films.images[index, 0], words, attention, val_films.masks[index].any(0))
plt.show()

# %% [markdown]
# *Attention behind every word, each panel on its own scale; the number is its largest weight. The words of a finding gather on it. For words that point at nothing ("in", "the", "no") the map is whatever it is: nobody taught it, and nobody should read it.*
#
# ## 15 Does the model use what it points at?
#
# A map that was *trained* to lie on the finding will lie on the finding. That alone does not show that the word was chosen **because** of these patches. So test it: blank the eight most attended patches, run the
# model again, and see whether the probability of the word falls. Eight other patches, drawn at random, are the comparison. "Blank" means the average training film at that place, so that no hole appears.


# %%
@torch.no_grad()
def occlusion(
    model: nn.Module, films: radiology.ChestFilms, n_films: int, n_blank: int = 8
) -> pd.DataFrame:
    """Probability of each grounded word: intact, attended patches blanked, random others blanked."""
    images = torch.from_numpy(films.images[:n_films]).to(DEVICE)
    tokens = torch.from_numpy(films.token_ids[:n_films]).to(DEVICE)
    report, target = np.nonzero(films.word_finding[:n_films] >= 0)
    report, row = torch.from_numpy(report).to(DEVICE), torch.from_numpy(target - 1).to(DEVICE)
    word = tokens[report, row + 1]
    attention = model(tokens, images)[1][-1].mean(1)[report, row]  # (words, N)
    generator = torch.Generator().manual_seed(SEED)
    attended = torch.zeros_like(attention, dtype=torch.bool)
    attended.scatter_(1, attention.topk(n_blank).indices, True)
    lottery = torch.rand(attention.shape, generator=generator).to(DEVICE).masked_fill(attended, -1)
    others = torch.zeros_like(attended).scatter_(1, lottery.topk(n_blank).indices, True)
    average = torch.from_numpy(train_films.images.mean(0)).to(DEVICE)  # (1, 64, 64)

    def probability(blank):
        result = []
        for i in torch.arange(len(report), device=DEVICE).split(256):
            hole = blank[i].float().unflatten(1, (1, 64 // PATCH, -1))
            hole = hole.repeat_interleave(PATCH, 2).repeat_interleave(PATCH, 3)
            seen = images[report[i]] * (1 - hole) + average * hole
            logits = model(tokens[report[i], :-1], seen)[0]
            result.append(
                logits[torch.arange(len(i)), row[i]].softmax(-1).gather(1, word[i][:, None])[:, 0]
            )
        return torch.cat(result).cpu().numpy()

    return pd.DataFrame(
        {
            "word": [radiology.VOCABULARY[w] for w in word.tolist()],
            "intact": probability(torch.zeros_like(attended)),
            "attended blanked": probability(attended),
            "random blanked": probability(others),
        }
    )


# %%
ROLE = {
    "small": "size",
    "large": "size",
    "mild": "size",
    "marked": "size",
    "right": "side",
    "left": "side",
    "right-sided": "side",
    "left-sided": "side",
    "upper": "zone",
    "middle": "zone",
    "lower": "zone",
    **dict.fromkeys(radiology.KINDS, "finding"),
}

# %% tags=["train", "needs-answer"]
effect = occlusion(trained("grounded").model, val_films, 150)
effect["role"] = effect["word"].map(ROLE).fillna("base, apex, zone")
by_role = effect.drop(columns="word").groupby("role").mean()
ax = by_role.plot.barh(figsize=(7, 3.4), width=0.75)
ax.set(xlabel="probability of the written word", ylabel="", xlim=(0, 1.05))
ax.invert_yaxis()
ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=3)
plt.show()
print(by_role.round(3).to_string(), end="\n\n")
drop = by_role["random blanked"] - by_role["attended blanked"]
for role in ("size", "side", "zone", "finding"):
    claims.claim(NOTEBOOK, f"occlusion_{role}", drop[role])

# %% [markdown]
# *Mean probability of the true word on held-out films, by what kind of word it is.*
#
# Read the rows one by one.
#
# * *Size*, the first word about a finding, decides whether the finding is mentioned at all; *side* and *zone* say where it is. Their probability falls when the attended patches are gone and much less for random ones: here the map
#   shows patches that the model needs.
# * The *finding's own word* hardly falls. After "small ... in the right upper zone" or "large left-sided" there is little left to guess: the model takes the word from the **text**. Its map is just as neat, and it is no reason for the word. Occlusion can tell
#   the two apart; the picture cannot.
#
# The test has limits of its own: a blanked film is a film that never occurs, and patches talk to each other in the encoder, so what is needed may lie elsewhere too.
#
# ## 16 Is a heat map evidence?
#
# It is tempting to close a project like this with "the attention maps make the system explainable, as the regulator demands". Nothing in this notebook supports such a sentence. No regulator accepts a mechanism in
# place of evidence about a device: its intended use, its performance on the patients it is meant for, and how people work with it.
#
# Two short documents say what regulators look for, both issued jointly by the US FDA, Health Canada and the UK MHRA. *Good Machine Learning Practice for Medical Device Development: Guiding Principles* (2021) names ten principles, among them: training data that represent
# the intended patients, test sets independent of training sets, a focus on the performance of the human and the model together, testing under clinically relevant conditions, clear information for users, and monitoring after release.
# *Transparency for Machine Learning-Enabled Medical Devices: Guiding Principles* (2024) asks that people get what they need to use a device well: what it is for, how well it performs and for whom, its known limits, and the
# logic of its output *where that is available and understood*. These are principles, not a checklist, and none of them says that a saliency or attention map is required or that one is enough.
# Which rules bind a product depends on its intended use and country; ask a regulatory specialist, not a notebook.
#
# What could be said about this model, honestly? That on drawn films its attention lies on the finding (measured), that some words depend on the attended patches and others do not (measured), and that nothing at all is known about real films.
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
# ## 17 Your exercises

# %%
checks.grounded_cross_attention.summary(globals())

# %% [markdown]
# ### What you have learned
#
# * Cross-attention: words ask, patches answer; row $t - 1$ holds the look behind word $t$.
# * A missing causal mask gives the best loss and the worst reports. Changing a later word reveals it at once.
# * What is mapped to padding cannot be learned; what is unknown is not padding.
# * Grounding needs the right row, the right words and a weight that fits its scale; its binary form has a floor.
# * Scores stand beside the brightest patch, even attention, the writer without eyes. A map shows where attention lies; an intervention shows what was needed.
#
# ### Where to read on
#
# * Vaswani et al., *Attention Is All You Need*, 2017: cross-attention as it was first drawn.
# * Dosovitskiy et al., *An Image Is Worth 16x16 Words*, 2021: images as patches.
# * Zhang et al., *Top-down Neural Attention by Excitation Backprop*, 2016: the pointing game.
# * Jain and Wallace, *Attention is not Explanation*, 2019; Wiegreffe and Pinter, *Attention is not not Explanation*, 2019.
# * Adebayo et al., *Sanity Checks for Saliency Maps*, 2018; Saporta et al., *Benchmarking saliency methods for chest X-ray interpretation*, 2022.
# * Bannur et al., *MAIRA-2: Grounded Radiology Report Generation*, 2024: the task of this notebook on real films.
# * Good Machine Learning Practice for Medical Device Development: Guiding Principles, 2021, and Transparency for Machine Learning-Enabled Medical Devices: Guiding Principles, 2024 (FDA, Health Canada, MHRA).
