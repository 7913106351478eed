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
# # 04 ClinicalBERT embeddings: what a vector of a clinical word holds
#
# In notebook 01 you trained an encoder from nothing. Here you open one that somebody has already trained on
# clinical text, and look at what goes in, what comes out, and what the numbers in between know.
#
# **What you will learn**
#
# - how text becomes tokens, and what a vocabulary of word pieces can and cannot spell;
# - why the embedding matrix is only one of three things that are added up before the first block;
# - how to turn the vectors of tokens into one vector for a note, for many notes, correctly and fast;
# - how to *measure* whether a vector is contextual: two senses of a word, negated or asserted;
# - what such vectors are good for in search, where they fail, how to mend it, and what they may give away about patients.
#
# | part | exercises | points | minutes |
# | --- | --- | --- | --- |
# | 1 Which encoder runs here, and what it learned by | `mask_tokens` | 5 | 25 |
# | 2 Tokens and vocabulary | `tokenization_table`, `search_vocabulary` | 6 | 20 |
# | 3 What enters the first block | `input_embeddings` | 6 | 20 |
# | 4 What comes out | `mean_pool`, `embed_texts` | 9 | 35 |
# | 5 One word, two senses | `word_vector` | 5 | 25 |
# | 6 Negation by layer | `layer_probe` | 6 | 35 |
# | 7 Attention with words | | | 10 |
# | 8 Searching notes | `nearest_notes` | 3 | 25 |
# | 9 What a model may give away | `exposure`, written answer | 8 | 35 |
#
# Under four hours in all. Running the finished notebook takes well under two minutes on one CPU core.
#
# **Two rules of every exercise**: what your code is given stays as it was (work on copies, never in place on an argument), and results keep the dtype of the
# first tensor, unless the box says otherwise. Some cells ask for a **guess** before you look; it earns no points and is stored nowhere.

# %% tags=["install"]
# install cell

# %% tags=["imports"]
import copy
import functools
import os
import re
import tempfile
import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import TSNE
from sklearn.metrics import f1_score, precision_score, recall_score, roc_auc_score
from sklearn.model_selection import (  # noqa: F401
    GridSearchCV,
    GroupKFold,
    GroupShuffleSplit,
    LeaveOneGroupOut,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.nn import functional as F
from transformers import BertConfig, BertModel

from course_utils import checks, claims, plots, probes, text, training
from course_utils.data import corpus
from course_utils.data.negation import around, read_negation
from course_utils.data.notes import rule_status
from course_utils.plots import embeddings as pictures

SEED = claims.seed()
DEVICE = training.pick_device()
plots.use_style()
checks.setup()

# %% [markdown]
# ## 1 Which encoder runs here
#
# `emilyalsentzer/Bio_ClinicalBERT` (Alsentzer et al., 2019) is BERT-base, trained further on biomedical papers and
# then on the notes of MIMIC-III. If the Hugging Face hub answers within seconds, that model is loaded. If not, you get
# a small clinical BERT that ships with the course: 3 layers, width 128, trained for some CPU minutes on
# *generated* notes. Tokenizer and model have the same interface, so every line below works with both; the cell
# says which one you have.
#
# `model.eval()`, no gradients and *eager* attention (the variant that can return its weights) are set for you.
# A fresh `AutoModel` may also bring a *pooling head* with random weights; it is left out.

# %%
tokenizer, model = text.load_clinical_encoder()
model.to(DEVICE)
IS_SHIPPED = model.config.hidden_size == 128
print(training.describe_device(DEVICE))


def claim(name: str, value: float, control: float | None = None) -> None:
    """Show a figure beside its band; the bands hold for the small model that ships."""
    if IS_SHIPPED:
        claims.claim("04_clinicalbert_embeddings", name, float(value), control=control)
    else:
        print(f"{name}: {value:.3f} (the bands were measured on the shipped model)")


# %% [markdown]
# The configuration says everything about the shapes. Beside it stands Bio_ClinicalBERT's, whose embedding matrix is
# 28,996 × 768: built here on the *meta* device, which knows shapes but allocates no memory.

# %%
with torch.device("meta"):
    full_size = BertModel(BertConfig(vocab_size=28_996), add_pooling_layer=False)


def in_short(net: nn.Module) -> dict[str, object]:
    config = net.config
    return {
        "embedding matrix": " × ".join(f"{n:,}" for n in net.get_input_embeddings().weight.shape),
        "layers": config.num_hidden_layers,
        "heads": config.num_attention_heads,
        "positions": config.max_position_embeddings,
        "segments": getattr(config, "type_vocab_size", "none"),
        "parameters": f"{sum(p.numel() for p in net.parameters()):,}",
        "of them in the matrix": f"{net.get_input_embeddings().weight.numel():,}",
    }


pd.DataFrame({"this model": in_short(model), "Bio_ClinicalBERT": in_short(full_size)})

# %% [markdown]
# ### What it was trained to do
#
# Both encoders learned by one game: hide some words of a note, guess them from the rest. It is called *masked language modelling*, needs no labels, and all that this notebook finds
# in the vectors was learned by it. With the head that does the guessing still on, the model gives each word of its vocabulary a probability for the place of `[MASK]`. (The shipped model
# plays here in any case: encoders from the hub often come without that head.) Guess first: what comes after "denies"?

# %%
blank_guess = checks.guess("Patient denies [MASK].", ["a finding", "a drug", "a body part"], ...)

# %%
masked_tokenizer, masked_model = text.load_masked_language_model()
VOCAB_SIZE, MASK_ID = masked_model.config.vocab_size, masked_tokenizer.mask_token_id


@torch.no_grad()
def fill_in(sentence: str, k: int = 5) -> dict[str, float]:
    """The k words that fit the first blank best, with their probabilities."""
    batch = masked_tokenizer(sentence, return_tensors="pt")
    place = int((batch["input_ids"][0] == MASK_ID).nonzero()[0])
    best = masked_model(**batch).logits[0, place].softmax(-1).topk(k)
    words = masked_tokenizer.convert_ids_to_tokens(best.indices.tolist())
    return dict(zip(words, best.values.tolist(), strict=True))


for blank in (
    "Patient denies [MASK].",
    "Patient [MASK] fever.",
    "Patient denies fever. Form: fever [MASK].",
    "Patient reports fever. Form: fever [MASK].",
):
    print(f"{blank:44}", "  ".join(f"{word} {p:.2f}" for word, p in fill_in(blank).items()))
blank_guess.reveal("a finding")

# %% [markdown]
# The last two blanks stand far from the cue, and yet what fills them depends on it: to play well, the model had to learn what "denies" does.
#
# The loss of the game is the cross-entropy at the chosen places $M$ alone, given the corrupted text $\tilde x$:
#
# $$\mathcal L = -\frac{1}{|M|} \sum_{t \in M} \log p_\theta(x_t \mid \tilde x)$$
#
# In BERT 15 % of the tokens are chosen. Most of them become `[MASK]`. But in use there is no `[MASK]`, so some become another word and some stay: the model never knows which of the words
# that it reads are true, and has to keep a good vector for each.
#
# > **Exercise `mask_tokens`** · 5 points · 15 minutes · difficulty 3 of 5
#
# - `input_ids` `(B, T)` `int64`, `special` `(B, T)` boolean (`[CLS]`, `[SEP]`, padding) -> `(inputs, labels)`, both `(B, T)` `int64`, sharing no memory with what came in;
# - every position that is not special is *chosen* with probability `share`, each for itself (`share` in [0, 1]); a special one never;
# - `labels`: the original id where chosen, -100 elsewhere, which `F.cross_entropy` leaves out;
# - `inputs`: of the chosen 80 % become `mask_id`, 10 % an id drawn evenly from 0 to `vocab_size` - 1 (`mask_id`, special ids and the old one may be drawn), 10 % stay as they are;
# - all random numbers come from `generator` (on the CPU), which is advanced and never seeded anew: with the same state the same masking, and another one when called again.


# %% nbgrader={"grade": false, "grade_id": "mask_tokens", "locked": false, "schema_version": 3, "solution": true, "task": false}
def mask_tokens(
    input_ids: torch.Tensor,
    special: torch.Tensor,
    mask_id: int,
    vocab_size: int,
    generator: torch.Generator,
    share: float = 0.15,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Hide tokens for the model to guess.  ``(B, T)``, ``(B, T)`` -> inputs, labels ``(B, T)``."""
    ### BEGIN SOLUTION
    chosen = (torch.rand(input_ids.shape, generator=generator) < share) & ~special
    fate = torch.rand(input_ids.shape, generator=generator)
    words = torch.randint(vocab_size, input_ids.shape, generator=generator)
    inputs = torch.where(chosen & (fate < 0.8), mask_id, input_ids)
    inputs = torch.where(chosen & (fate >= 0.9), words, inputs)
    return inputs, torch.where(chosen, input_ids, -100)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "mask_tokens_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
checks.clinicalbert_embeddings.mask_tokens(mask_tokens)
### BEGIN HIDDEN TESTS
with checks.hidden("mask_tokens"):
    _c = checks.clinicalbert_embeddings
    for _b, _t, _seed in ((1, 1, 61), (1, 9, 62), (7, 40, 63), (3, 128, 64)):
        _g = torch.Generator().manual_seed(_seed)
        _ids = torch.randint(0, 90, (_t, _b), generator=_g).T
        _special = (torch.rand(_t, _b, generator=_g) < 0.3).T
        for _share in (None, 0.0, 0.7, 1.0):
            for _ in range(3):
                _sizes = {"mask_id": 3, "vocab_size": 90, "share": _share}
                _c.masked_pair(mask_tokens, _ids, _special, generator=_g, **_sizes)
        _c.masked_pair(mask_tokens, _ids, torch.ones(_b, _t, dtype=torch.bool), generator=_g)
    _c.assert_share(mask_tokens, 0.02, shape=(400, 300), seed=65)
    _c.assert_share(mask_tokens, 0.85, shape=(80, 300), seed=66)
    _c.assert_share(mask_tokens, 1.0, shape=(30, 30), seed=67)
    _c.assert_share(mask_tokens, 0.0, shape=(30, 30), seed=68)
    _c.assert_fates(mask_tokens, shape=(900, 200), seed=69, mask_id=103, vocab_size=300)
    _c.assert_uniform(mask_tokens, seed=70, vocab_size=7, mask_id=0)
    _c.assert_uniform(mask_tokens, seed=71, vocab_size=6, mask_id=2)
    _c.assert_independent(mask_tokens, seed=72)
    _c.assert_dice(mask_tokens, seed=73)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# `torch.rand(input_ids.shape, generator=generator) < share` draws for each position; `torch.where(condition, a, b)` makes a new tensor and accepts plain numbers.
#
# </details>
# <details><summary>Hint 2</summary>
#
# What becomes of the chosen needs random numbers of its own: the ones below `share` are all below 0.8. One `fate` a position is enough: below 0.8 the mask, from 0.9 on
# another word, between them nothing.
#
# </details>
# <details><summary>Hint 3: nearly all of it</summary>
#
# `chosen = (torch.rand(...) < share) & ~special`; `labels = torch.where(chosen, input_ids, -100)`; then `inputs` by two `torch.where`, the second with
# `torch.randint(vocab_size, input_ids.shape, generator=generator)`.
#
# </details>

# %% [markdown]
# Your function at work on 400 fresh notes. Before you look: a model that knows nothing gives each of its words the same probability. Which loss is that, in nats?

# %%
untrained_guess = checks.guess("loss of a model that knows nothing, in nats", ...)

# %% tags=["needs-answer"]
fresh = list(corpus.make_clinical_corpus(400, random_state=SEED + 50).texts)
batch = masked_tokenizer(fresh, padding=True, return_tensors="pt", return_special_tokens_mask=True)
clean, special = batch["input_ids"], batch["special_tokens_mask"].bool()
dice = torch.Generator().manual_seed(SEED)
hidden, labels = mask_tokens(clean, special, MASK_ID, VOCAB_SIZE, dice)
with torch.no_grad():
    logits = masked_model(hidden, attention_mask=batch["attention_mask"]).logits
now, was = hidden[labels != -100], labels[labels != -100]
losses = F.cross_entropy(logits[labels != -100], was, reduction="none")
fates = {
    "masked": now == MASK_ID,
    "another word": (now != MASK_ID) & (now != was),
    "left as it was": now == was,
}
fills = {"a model that knows nothing": float(np.log(VOCAB_SIZE))}
fills |= {name: losses[where].mean().item() for name, where in fates.items()}
ax = plots.bars(list(fills), list(fills.values()), xlabel="loss in nats at the chosen tokens")
plots.mark_guess(ax, untrained_guess, at=0)
plt.show()
untrained_guess.reveal(fills["a model that knows nothing"])
claim("loss_masked", fills["masked"])
claim("loss_another_word", fills["another word"] - fills["masked"])

# %% [markdown]
# *Bars of the loss: the logarithm of the vocabulary's size for a model that knows nothing, then the shipped model's by what became of the token.* A word that stayed costs least, for
# most of what one reads is true; one that was replaced costs most: here the model must disbelieve what it reads.
#
# ## 2 Tokens and vocabulary
#
# An encoder reads numbers. The *tokenizer* cuts a text into pieces that are in its vocabulary and gives each piece its
# number. BERT's scheme is WordPiece: a word that has no entry of its own is spelled with the longest pieces
# that fit, and a piece that continues a word is written with `##`. In front stands `[CLS]`, at the end `[SEP]`. To get
# from a token back to the note you need its *offsets*: the piece is `text[start:end]`.
#
# > **Exercise `tokenization_table`** · 3 points · 8 minutes · difficulty 1 of 5
#
# Return a `pandas.DataFrame` with one row per token, in order:
#
# - columns `id`, `token`, `start`, `end`, in this order;
# - `[CLS]` and `[SEP]` have rows too, with `start` and `end` 0; nothing is cut off, however long the text;
# - `token` is the vocabulary's entry, `##` kept; the other three are integers (numbers, not tensors);
# - `start` and `end` count characters of `text` exactly as it was given; `end` is exclusive.


# %% nbgrader={"grade": false, "grade_id": "tokenization_table", "locked": false, "schema_version": 3, "solution": true, "task": false}
def tokenization_table(text: str, tokenizer) -> pd.DataFrame:
    """Table of the tokens of a text: columns ``id``, ``token``, ``start``, ``end``, a row per token."""
    ### BEGIN SOLUTION
    encoded = tokenizer(text, return_offsets_mapping=True)
    starts, ends = zip(*encoded["offset_mapping"], strict=True)
    tokens = tokenizer.convert_ids_to_tokens(encoded["input_ids"])
    return pd.DataFrame({"id": encoded["input_ids"], "token": tokens, "start": starts, "end": ends})
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "tokenization_table_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
checks.clinicalbert_embeddings.tokenization_table(tokenization_table)
### BEGIN HIDDEN TESTS
with checks.hidden("tokenization_table"):
    _c = checks.clinicalbert_embeddings
    _tok = _c.tokenizer()
    for _text in (
        "",
        "fever",
        "  Two  spaces,\n\ta line break and a tab.  ",
        "T 38.5°C, naïve to opioids → no naloxone; naïve again",
        "no no no, NO nephropathy; (left/right) 120/80 mmHg",
        "[MASKED] words, #hashtags and ## signs",
        "word " * 700,
        "Line one.\r\nLine two.\r\n",
        "\ufeffA mark,\u00a0a hard blank,\u200b none; cafe\u0301 and caf\u00e9 \U0001f600 end",
    ):
        _c.token_table(tokenization_table, _text, _tok)
        _frame = tokenization_table(_text, _tok)
        _fast = _tok.backend_tokenizer.encode(_text)
        checks.same(np.array(_frame["id"], dtype=int), np.array(_fast.ids), "the ids")
        _pairs = np.array(_frame[["start", "end"]], dtype=int)
        checks.same(_pairs, np.array(_fast.offsets), f"start and end in {_text[:40]!r}")
        checks.require(list(_frame["token"]) == _fast.tokens, "The tokens differ.")
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Call the tokenizer itself, `tokenizer(text)`: it returns a dictionary-like object with `input_ids`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `return_offsets_mapping=True` adds `offset_mapping`, a list of `(start, end)` pairs;
# `tokenizer.convert_ids_to_tokens` turns ids into entries of the vocabulary.
#
# </details>
# <details><summary>Hint 3: nearly all of it</summary>
#
# `encoded = tokenizer(text, return_offsets_mapping=True)`; then a DataFrame of `encoded["input_ids"]`, the
# converted tokens, `[a for a, b in encoded["offset_mapping"]]` and `[b for a, b in ...]`.
#
# </details>

# %% tags=["needs-answer"]
sentence = "Patient has no history of fatigue, weight change, loss of appetite, or weakness."
tokenization_table(sentence, tokenizer)

# %% [markdown]
# Nineteen tokens with the shipped tokenizer: every word of this sentence has an entry of its own, and so have the commas.
#
# **Upper and lower case.** The shipped tokenizer is *cased*: "Patient" and "patient" are different entries. Case carries meaning in
# notes (a drug's or a person's name, "IT", a heading), and the price is a larger vocabulary, in which the start of a
# sentence has to be learned twice. Bio_ClinicalBERT has a cased vocabulary too, but its files do not say so, and
# `transformers` then lower-cases everything it reads: no entry with a capital letter is ever used. See which one you have:

# %%
for example in ("Patient", "patient", "PATIENT", "pt", "hepatosplenomegaly", "nephropathy", "38.5"):
    print(f"{example:20} {tokenizer.tokenize(example)}")
print(
    "lower-cases what it reads:", tokenizer("Fever")["input_ids"] == tokenizer("fever")["input_ids"]
)

# %% [markdown]
# ### Searching the vocabulary
#
# Which words have an entry of their own, and which are spelled from pieces? Looking it up is worth a function.
#
# > **Exercise `search_vocabulary`** · 3 points · 8 minutes · difficulty 2 of 5
#
# Return a `DataFrame` with exactly the columns `id` and `token`, ordered by `id`:
#
# - `id`: the entry with this number; `token`: the entry spelled exactly so; `contains`: all entries with
#   these characters in them, taken literally (a dot is a dot, a blank is a blank) and with their case; `##` is part of an entry;
#   an empty `token` is a criterion that no entry meets;
# - several criteria together must **all** hold; without any, return the whole vocabulary;
# - special tokens count, and so do tokens that were added to the tokenizer later;
# - nothing found, an unknown token or an id that does not exist: an empty table with both columns;
# - mind that `0` is a perfectly good id.


# %% nbgrader={"grade": false, "grade_id": "search_vocabulary", "locked": false, "schema_version": 3, "solution": true, "task": false}
def search_vocabulary(
    tokenizer, *, id: int | None = None, token: str | None = None, contains: str | None = None
) -> pd.DataFrame:
    """Entries of the vocabulary that meet all criteria given: columns ``id``, ``token``, by id."""
    ### BEGIN SOLUTION
    entries = sorted((number, entry) for entry, number in tokenizer.get_vocab().items())
    found = [
        (number, entry)
        for number, entry in entries
        if (id is None or number == id)
        and (token is None or entry == token)
        and (contains is None or contains in entry)
    ]
    return pd.DataFrame(found, columns=["id", "token"])
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "search_vocabulary_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
checks.clinicalbert_embeddings.search_vocabulary(search_vocabulary)
### BEGIN HIDDEN TESTS
with checks.hidden("search_vocabulary"):
    _c = checks.clinicalbert_embeddings
    _tok = _c.tokenizer()
    _tok.add_tokens(["zq9finding", "[Finding]"])
    _tok.add_special_tokens({"additional_special_tokens": ["[NOTE]"]})
    _vocab = _tok.get_vocab()
    _pain, _no, _last = _vocab["pain"], _vocab["no"], max(_vocab.values())
    for _options, _want in (
        ({"id": 4}, {"[MASK]": 4}),
        ({"id": _last}, {t: i for t, i in _vocab.items() if i == _last}),
        ({"token": "zq9finding"}, {"zq9finding": _vocab["zq9finding"]}),
        ({"token": "[NOTE]"}, {"[NOTE]": _vocab["[NOTE]"]}),
        ({"contains": "inding"}, {t: i for t, i in _vocab.items() if "inding" in t}),
        ({"id": 10**7}, {}),
        ({"id": -1}, {}),
        ({"token": "Pa"}, {t: i for t, i in _vocab.items() if t == "Pa"}),
        ({"token": "[UNK]"}, {"[UNK]": _vocab["[UNK]"]}),
        ({"token": "no", "contains": "o"}, {"no": _no}),
        ({"token": "no", "contains": "x"}, {}),
        ({"id": _pain, "token": "no"}, {}),
        ({"id": _pain, "contains": "ai"}, {"pain": _pain}),
        ({"id": _no, "contains": "ai"}, {}),
        ({"id": 0, "token": "[PAD]", "contains": "["}, {"[PAD]": 0}),
        ({"id": 0, "contains": "pain"}, {}),
        ({"contains": "P"}, {t: i for t, i in _vocab.items() if "P" in t}),
        ({"contains": "["}, {t: i for t, i in _vocab.items() if "[" in t}),
        ({"contains": "##"}, {t: i for t, i in _vocab.items() if "##" in t}),
        ({"contains": "+"}, {t: i for t, i in _vocab.items() if "+" in t}),
        ({"contains": "zzzz"}, {}),
        ({"contains": ""}, _vocab),
        ({"token": ""}, {}),
        ({"id": _no, "token": ""}, {}),
        ({"token": "no "}, {}),
        ({"contains": " no"}, {}),
        ({"token": "No"}, {t: i for t, i in _vocab.items() if t == "No"}),
        ({"contains": "IN"}, {t: i for t, i in _vocab.items() if "IN" in t}),
        ({}, _vocab),
    ):
        _c.vocabulary_rows(checks.call(search_vocabulary, _tok, **_options), _want, f"{_options}")
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# `tokenizer.get_vocab()` is a dictionary from entry to id and holds everything, added tokens too.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Go through the sorted vocabulary once and keep an entry when each criterion is either `None` or met. `contains in entry` is
# Python's literal search. `pd.DataFrame([], columns=["id", "token"])` is an empty table with columns.
#
# </details>
# <details><summary>Hint 3: nearly all of it</summary>
#
# Keep `(number, entry)` if `(id is None or number == id) and (token is None or entry == token)` and the same for
# `contains`.
#
# </details>

# %% tags=["needs-answer"]
endings = search_vocabulary(tokenizer, contains="emia")
print("entries with 'emia':", ", ".join(endings["token"].head(12)))
for word in ("fever", "pneumothorax", "hepatomegaly", "splenomegaly"):
    known = len(search_vocabulary(tokenizer, token=word)) == 1
    print(
        f"{word:14} {'an entry of its own' if known else 'spelled: ' + ' '.join(tokenizer.tokenize(word))}"
    )

# %% [markdown]
# ## 3 What enters the first block
#
# It is often said that the embedding matrix turns tokens into the encoder's input. That is a third of the truth. BERT
# adds up three rows and normalises the sum:
#
# $$x_t = \operatorname{LayerNorm}\bigl(W_{\text{word}}[\text{id}_t] + W_{\text{position}}[t] + W_{\text{segment}}[0]\bigr)$$
#
# First the matrix itself, and the rows that belong to *this* sentence. (Printing the whole matrix, as one often
# sees, shows the first and the last entries of the vocabulary, which have nothing to do with the sentence.)

# %%
sentence = "Patient has no history of fatigue, weight change, loss of appetite, or weakness."
inputs = tokenizer(sentence, return_tensors="pt")
labels = text.token_labels(sentence, tokenizer)
matrix = model.get_input_embeddings().weight.detach().cpu()
print("the matrix:", tuple(matrix.shape), " this sentence's ids:", tuple(inputs["input_ids"].shape))
rows = matrix[inputs["input_ids"][0]]
pd.DataFrame(rows[:, :6].numpy().round(3), index=labels)

# %% [markdown]
# The two commas have the same row, and so do both "of": a matrix knows nothing about where a token stands.
#
# > **Exercise `input_embeddings`** · 6 points · 15 minutes · difficulty 3 of 5
#
# Compute what the model hands to its first block, for `input_ids` of shape `(B, T)`, as `(B, T, D)`:
#
# - word + position (counted from 0) + segment 0, then the model's own LayerNorm: its gain, its shift, its epsilon;
# - no dropout, even if the model happens to be in training mode; the model is left exactly as it was: mode, dropout rates,
#   what is frozen and what is not;
# - read every size from the model: the check brings one of another width, depth and number of positions;
# - you may use the sub-modules and weights of `model.embeddings`, but not call `model.embeddings(...)` or `model(...)`;
# - gradients flow into the weights, as they do in the model.


# %% nbgrader={"grade": false, "grade_id": "input_embeddings", "locked": false, "schema_version": 3, "solution": true, "task": false}
def input_embeddings(model: nn.Module, input_ids: torch.Tensor) -> torch.Tensor:
    """Input of the first block.  input_ids ``(B, T)`` -> ``(B, T, D)``."""
    ### BEGIN SOLUTION
    layer = model.embeddings
    words = layer.word_embeddings.weight[input_ids]  # (B, T, D)
    positions = layer.position_embeddings.weight[: input_ids.shape[1]]  # (T, D)
    segment = layer.token_type_embeddings.weight[0]  # (D,)
    return layer.LayerNorm(words + positions + segment)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "input_embeddings_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
checks.clinicalbert_embeddings.input_embeddings(input_embeddings)
### BEGIN HIDDEN TESTS
with checks.hidden("input_embeddings"):
    _c = checks.clinicalbert_embeddings
    _g = torch.Generator().manual_seed(11)
    for _b, _t, _width, _positions, _dtype in (
        (1, 1, 24, 40, torch.float32),
        (3, 33, 36, 33, torch.float64),
        (2, 9, 12, 600, torch.float32),
    ):
        _model = _c.small_model(_b, width=_width, layers=1, positions=_positions, dtype=_dtype)
        _ids = torch.randint(0, 1000, (_b, _t), generator=_g)
        _ids[:, -1] = 0
        _got = _c.compare_embeddings(input_embeddings, _model, _ids, f"the input, {_b} × {_t}")
        _got.sum().backward()
        for _name in (
            "word_embeddings",
            "position_embeddings",
            "token_type_embeddings",
            "LayerNorm",
        ):
            _part = getattr(_model.embeddings, _name).weight.grad
            checks.require(
                _part is not None and bool(torch.isfinite(_part).all()),
                f"No finite gradient reaches `{_name}`.",
                "use the weights themselves: no `torch.no_grad()`, `.data` or `.detach()` here",
            )
    _model = _c.small_model(5).eval()
    _c.compare_embeddings(input_embeddings, _model, torch.arange(40).reshape(1, 40), "40 positions")
    _model = _c.small_model(6, layers=1, dtype=torch.bfloat16)
    _got = checks.call(input_embeddings, _model, torch.arange(12).reshape(2, 6))
    checks.require(_got.dtype == torch.bfloat16, f"A bfloat16 model gave {_got.dtype}.")
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Print `model.embeddings`: it has `word_embeddings`, `position_embeddings`, `token_type_embeddings`, `LayerNorm` and `dropout`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Each of the first three is an `nn.Embedding`: call it with ids, or index its `weight`. The positions are
# `torch.arange(T)`, the same for every row of the batch; broadcasting does the rest.
#
# </details>
# <details><summary>Hint 3: nearly all of it</summary>
#
# `total = e.word_embeddings(input_ids) + e.position_embeddings(torch.arange(T)) + e.token_type_embeddings.weight[0]`, and
# `e.LayerNorm(total)` is the result.
#
# </details>

# %% tags=["needs-answer"]
mine = input_embeddings(model, inputs["input_ids"].to(DEVICE))[0].detach().cpu()
alone = F.cosine_similarity(rows, mine, dim=1)
figure, axes = plt.subplots(1, 2, figsize=(8, 4.6), sharey=True)
pictures.token_vectors(rows[:, :40], labels, title="rows of the matrix", ax=axes[0])
pictures.token_vectors(mine[:, :40], labels, title="what enters the first block", ax=axes[1])
axes[1].set_ylabel("")
plt.show()
commas = [i for i, label in enumerate(labels) if label == ","]
same_word = F.cosine_similarity(mine[commas[0]], mine[commas[1]], dim=0)
print(f"two commas: same row of the matrix; as input their cosine is {same_word:.2f}")
print(f"cosine of a row with its input, over the sentence: {alone.min():.2f} to {alone.max():.2f}")
claim("matrix_row_cosine", alone.mean())

# %% [markdown]
# *Two heat maps, tokens down, the first 40 dimensions across. Left, equal tokens have equal rows; right, position and segment
# are added and every row is normalised, so the commas differ.* A row of the matrix points in roughly the direction
# of the input, but it is not the input: whoever analyses "the embedding" should say which one.

# %% [markdown]
# ## 4 What comes out
#
# `last_hidden_state` has the shape `(B, T, D)`: one vector for every token, from `[CLS]` to `[SEP]`. All of them are listed here,
# with the two special tokens, because both take part in attention and in the mean that you will write.

# %%
states = text.token_states(sentence, tokenizer, model)  # (layers + 1, T, D)
print("all layers:", tuple(states.shape), " last_hidden_state:", tuple(states[-1:].shape))
pictures.token_vectors(states[-1][:, :64], labels, title="last hidden state, first 64 dimensions")
plt.show()
listing = pd.DataFrame(states[-1][:, :5].numpy().round(2), index=labels)
listing.insert(0, "length of the vector", states[-1].norm(dim=1).numpy().round(2))
listing

# %% [markdown]
# *A heat map with a row for each of the tokens. Equal tokens, such as the commas and the two "of", now have different
# rows: each has seen its own neighbours.* Whether "different" also means "knows something useful" is the question of parts 5 and 6.
#
# ### One vector for a note
#
# To compare notes you need one vector for each, whatever its length. The simplest good choice is the mean over its tokens. In a
# batch, short notes are padded, and the padding must not take part:
#
# $$\bar h = \frac{\sum_t m_t\, h_t}{\max(1, \sum_t m_t)}$$
#
# > **Exercise `mean_pool`** · 3 points · 8 minutes · difficulty 2 of 5
#
# - `last_hidden_state` `(B, T, D)`, `attention_mask` `(B, T)`, integers or booleans -> `(B, D)`, in the dtype of the states;
# - the mean over all positions marked 1, `[CLS]` and `[SEP]` included; padding may be on either side;
# - a row without any token gives zeros, not `nan`;
# - the states may be of any floating dtype, bfloat16 and float16 too; gradients flow.


# %% nbgrader={"grade": false, "grade_id": "mean_pool", "locked": false, "schema_version": 3, "solution": true, "task": false}
def mean_pool(last_hidden_state: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
    """Mean over real tokens.  ``(B, T, D)``, ``(B, T)`` -> ``(B, D)``."""
    ### BEGIN SOLUTION
    keep = attention_mask.bool().unsqueeze(-1).to(last_hidden_state.dtype)  # (B, T, 1)
    return (last_hidden_state * keep).sum(1) / keep.sum(1).clamp(min=1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "mean_pool_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
checks.clinicalbert_embeddings.mean_pool(mean_pool)
### BEGIN HIDDEN TESTS
with checks.hidden("mean_pool"):
    _g = torch.Generator().manual_seed(12)
    for _b, _t, _d, _dtype, _kind in (
        (1, 1, 1, torch.float32, torch.int64),
        (1, 1, 3, torch.float64, torch.bool),
        (6, 300, 2, torch.float32, torch.uint8),
        (4, 7, 5, torch.float64, torch.int32),
        (5, 4, 8, torch.float32, torch.bool),
    ):
        _x = torch.randn(_d, _b, _t, generator=_g, dtype=torch.float64).permute(1, 2, 0)
        _x = (_x + 3).to(_dtype)
        _mask = (torch.rand(_b, _t, generator=_g) < 0.6).to(_kind)
        _mask[0] = 1
        if _b > 2:
            _mask[1] = 0
            _mask[2, 1:-1] = 0
        _x = torch.where(_mask.bool().unsqueeze(-1), _x, _x * 1e4)
        _want = torch.stack(
            [
                r[m.bool()].sum(0) / max(1, int(m.bool().sum()))
                for r, m in zip(_x, _mask, strict=True)
            ]
        )
        _leaf = _x.clone().requires_grad_()
        _got = checks.call(mean_pool, _leaf, _mask)
        checks.same(_got, _want, f"the mean, {_kind} mask", rtol=1e-4)
        checks.require(_got.requires_grad, "No gradient flows to the states.")
        _got.sum().backward()
        checks.require(bool(torch.isfinite(_leaf.grad).all()), "A gradient is not finite.")
        checks.require(bool((_leaf.grad[_mask == 0] == 0).all()), "Padding has a gradient.")
        _part = _mask.bool() / _mask.bool().sum(1, keepdim=True).clamp(min=1)
        _right = _part.to(_dtype).unsqueeze(-1).expand_as(_leaf)
        checks.same(_leaf.grad, _right.contiguous(), "the gradient at the states", rtol=1e-4)
    for _half in (torch.bfloat16,):
        _x = torch.randn(3, 6, 2, generator=_g).to(_half)
        _x[0, 3:] = 3e4
        _mask = torch.tensor([[1, 1, 1, 0, 0, 0], [0] * 6, [1] * 6])
        _want = torch.stack([_x[0, :3].float().mean(0), torch.zeros(2), _x[2].float().mean(0)])
        _got = checks.call(mean_pool, _x, _mask)
        checks.same(_got, _want.to(_half), f"the mean of {_half}", rtol=0.03, atol=0.03)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# You did this in notebook 01: multiply by the mask, sum over the tokens, divide by how many there are.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `attention_mask.unsqueeze(-1)` has shape `(B, T, 1)` and broadcasts over the width. Bring it to the dtype of the states first.
#
# </details>
# <details><summary>Hint 3: nearly all of it</summary>
#
# `keep = attention_mask.unsqueeze(-1).to(last_hidden_state.dtype)`; the sum of `last_hidden_state * keep` over dimension 1, divided by
# `keep.sum(1).clamp(min=1)`.
#
# </details>

# %% tags=["needs-answer"]
pair = [
    "No fever.",
    "No fever, chills, night sweats, weight loss, cough, nausea, vomiting or diarrhea.",
]
batch = tokenizer(pair, padding=True, return_tensors="pt").to(DEVICE)
single = tokenizer(pair[:1], return_tensors="pt").to(DEVICE)
with torch.no_grad():
    hidden = model(**batch).last_hidden_state
    alone = model(**single).last_hidden_state.mean(1)
pooled = mean_pool(hidden, batch["attention_mask"])
gaps = {"masked mean": pooled[0] - alone[0], "plain mean over T": hidden[0].mean(0) - alone[0]}
plots.bars(list(gaps), [gap.norm() / alone.norm() for gap in gaps.values()], digits=4,
           xlabel="relative distance from the same note embedded alone")  # fmt: skip
plt.show()

# %% [markdown]
# *Two bars: with the mask, a short note has the same vector in a batch as alone; with a plain mean, the padding moves it.*
#
# ### Many notes
#
# > **Exercise `embed_texts`** · 6 points · 25 minutes · difficulty 4 of 5
#
# Turn a list of texts into a tensor `(N, hidden_size)` on the CPU, row *i* for text *i*:
#
# - `pooling="mean"`: the mean over the attention mask (special tokens included); `"cls"`: the first position of the last hidden state
#   (not `pooler_output`); anything else raises a `ValueError`, without any texts too;
# - never more than `batch_size` texts in one forward call; padding changes no vector;
# - texts longer than `model.config.max_position_embeddings` tokens are truncated to that by the tokenizer;
# - the batch goes where the model is (`.to(model.device)`); evaluation mode and no gradients while you compute; afterwards the model's mode, the global gradient setting and the caller's
#   list are as they were, also when the model raises an error on the way;
# - the dtype is the model's; vectors are not normalised; an empty list gives `(0, hidden_size)`.
#
# Texts of similar length in one batch save most of the padding. If you sort, put the vectors back in the order given.


# %% nbgrader={"grade": false, "grade_id": "embed_texts", "locked": false, "schema_version": 3, "solution": true, "task": false}
def embed_texts(
    texts: list[str], tokenizer, model: nn.Module, batch_size: int = 32, pooling: str = "mean"
) -> torch.Tensor:
    """Vectors of texts, in their order.  ``N`` texts -> ``(N, D)`` on the CPU, without gradient."""
    ### BEGIN SOLUTION
    if pooling not in ("mean", "cls"):
        raise ValueError(f"pooling must be 'mean' or 'cls', got {pooling!r}")
    weight = model.embeddings.word_embeddings.weight
    vectors = torch.zeros(len(texts), model.config.hidden_size, dtype=weight.dtype)
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    limit = model.config.max_position_embeddings
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            for first in range(0, len(order), batch_size):
                chosen = order[first : first + batch_size]
                batch = tokenizer(
                    [texts[i] for i in chosen],
                    padding=True,
                    truncation=True,
                    max_length=limit,
                    return_tensors="pt",
                ).to(weight.device)
                states = model(**batch).last_hidden_state  # (B, T, D)
                if pooling == "cls":
                    vectors[chosen] = states[:, 0].cpu()
                else:
                    vectors[chosen] = mean_pool(states, batch["attention_mask"]).cpu()
    finally:
        model.train(training)
    return vectors
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "embed_texts_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
checks.clinicalbert_embeddings.embed_texts(embed_texts)
### BEGIN HIDDEN TESTS
with checks.hidden("embed_texts"):
    _c = checks.clinicalbert_embeddings
    _notes = list(corpus.make_clinical_corpus(37, random_state=5).texts)
    _few = ["", "Fever?", _c.LONG, "  ", "No cough, however fever persists.", "fever", "Fever?"]
    for _texts, _dtype, _options in (
        (_notes, torch.float32, {}),
        (_notes[:7], torch.float64, {"batch_size": 3, "pooling": "cls"}),
        (_few, torch.float64, {"batch_size": 1}),
        (_few, torch.float32, {"batch_size": 100, "pooling": "mean"}),
        (["No fever."], torch.float32, {"pooling": "cls"}),
    ):
        _model = _c.small_model(7, width=18, layers=2, positions=30, dtype=_dtype)
        _c.compare_texts(embed_texts, _texts, _model, f"vectors of {len(_texts)} texts", **_options)
        with torch.no_grad():
            _c.compare_texts(
                embed_texts, _texts[:2], _model.eval(), "without gradients", **_options
            )
    _model = _c.small_model(8, width=12, layers=1, dtype=torch.float64)
    for _pooling in ("mean", "cls"):
        _none = checks.call(embed_texts, [], _c.tokenizer(), _model, 4, _pooling)
        checks.same(_none, torch.zeros(0, 12).double(), "the vectors of an empty list")
    with _c.left_alone(_model):
        for _pooling in ("sum", "CLS", "pooler", ""):
            _why = f"pooling={_pooling!r}"
            _c.error_of(
                embed_texts, ["x"], _c.tokenizer(), _model, pooling=_pooling, naming="", why=_why
            )
    _c.assert_restored(embed_texts, _model.eval(), _notes[:3], _c.tokenizer(), _model, 2)
    _c.assert_restored(embed_texts, _model.train(), _notes[:3], _c.tokenizer(), _model, 2)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# A loop over `range(0, len(texts), batch_size)`; in it the tokenizer with `padding=True, truncation=True, max_length=...,
# return_tensors="pt"`, the model under `torch.no_grad()`, and your `mean_pool`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Remember `model.training` before `model.eval()` and give it back in a `finally:` with `model.train(was_training)`. Make the result first
# (`torch.zeros(len(texts), model.config.hidden_size, dtype=...)`) and fill its rows: then the empty list needs no special case.
#
# </details>
# <details><summary>Hint 3: nearly all of it</summary>
#
# `order = sorted(range(len(texts)), key=lambda i: len(texts[i]))`; for each batch `chosen = order[first : first + batch_size]` and, with the
# states of `[texts[i] for i in chosen]`, `vectors[chosen] = mean_pool(states, batch["attention_mask"])` or `states[:, 0]`.
#
# </details>

# %% tags=["needs-answer"]
mixed = list(corpus.make_clinical_corpus(192, random_state=SEED + 20).texts)
mixed = [note[: 12 + 12 * (i % 16)] for i, note in enumerate(mixed)]  # two words to a paragraph


def texts_per_second(batch_size: int) -> float:
    began = time.process_time()
    embed_texts(mixed, tokenizer, model, batch_size)
    return len(mixed) / (time.process_time() - began)


texts_per_second(32)  # warm up
speed = {f"{size} at a time": texts_per_second(size) for size in (1, 8, 32)}
plots.bars(list(speed), list(speed.values()), xlabel="texts per CPU second", digits=0)
plt.show()
claim("throughput_ratio", speed["32 at a time"] / speed["1 at a time"])

# %% [markdown]
# *Bars: texts per second for one, 8 and 32 texts in a forward call.* Batches pay because a call has a fixed cost and because a larger matrix
# product uses the processor better; sorting by length keeps most of the padding away.
#
# Vectors that do not change need not be computed twice. `text.cached_embeddings` keeps each one on disk under a key made of
# the text **and** the model, its revision, the pooling and the length limit: leave one of them out, and some day you read vectors of
# another model without noticing. It takes any embedding function, yours too.

# %% tags=["needs-answer"]
with tempfile.TemporaryDirectory() as folder:
    for attempt in ("first run", "second run"):
        began = time.process_time()
        kept = text.cached_embeddings(
            mixed, tokenizer, model, folder=folder, embed=embed_texts, show_progress=False
        )
        print(f"{attempt}: {tuple(kept.shape)} in {time.process_time() - began:.2f} CPU s")

# %% [markdown]
# ## 5 One word, two senses
#
# "He caught a cold" and "the foot is cold" use one word for two things. A *static* vector (a row of the matrix, or word2vec)
# must serve both. A *contextual* vector need not. It is easy to assert that BERT's vectors are contextual; here you measure it. For that you
# need the vector of a given word in a given sentence, and a word may consist of several pieces:
#
# $$v = \frac{1}{|P|}\sum_{t \in P} h^{(\ell)}_t, \qquad P = \text{the pieces of the word}$$
#
# > **Exercise `word_vector`** · 5 points · 20 minutes · difficulty 4 of 5
#
# Return the mean hidden state `(D,)` over the pieces of `word` in `text`:
#
# - the *first* occurrence as a whole word: the characters directly before and after it are not letters or digits (anything else may touch it:
#   a bracket, a dot, an underscore, the end of the text); upper and lower case do not matter;
# - literally, not as a regular expression; `word` may be several words (`chest pain`) or hold punctuation (`q.d.`);
# - `layer` indexes `hidden_states`: 0 is the output of the embedding layer, -1 (the default) the last block's;
# - long texts are truncated to `model.config.max_position_embeddings` tokens;
# - of a word that the truncation cuts in two, the mean over the pieces that are left;
# - evaluation mode, no gradients, the model's mode as it was afterwards, also when the model raises an error;
# - if the word is absent, empty or was truncated away: a `ValueError` that names it.


# %% nbgrader={"grade": false, "grade_id": "word_vector", "locked": false, "schema_version": 3, "solution": true, "task": false}
def word_vector(text: str, word: str, tokenizer, model: nn.Module, layer: int = -1) -> torch.Tensor:
    """Vector ``(D,)`` of the first whole-word occurrence of ``word``, the mean over its pieces."""
    ### BEGIN SOLUTION
    beside = r"[^\W_]"  # a letter or a digit
    found = re.search(rf"(?<!{beside}){re.escape(word)}(?!{beside})", text, flags=re.IGNORECASE)
    if not word or found is None:
        raise ValueError(f"{word!r} does not occur as a whole word in {text[:60]!r}")
    limit = model.config.max_position_embeddings
    encoded = tokenizer(
        text,
        truncation=True,
        max_length=limit,
        return_offsets_mapping=True,
        return_tensors="pt",
    )
    offsets = encoded.pop("offset_mapping")[0].tolist()
    pieces = [i for i, (a, b) in enumerate(offsets) if a < found.end() and b > found.start()]
    if not pieces:
        raise ValueError(
            f"{word!r} lies behind the first {limit} tokens, where the text is cut off"
        )
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            states = model(**encoded.to(model.device), output_hidden_states=True).hidden_states
    finally:
        model.train(training)
    return states[layer][0, pieces].mean(0).cpu()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "word_vector_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
checks.clinicalbert_embeddings.word_vector(word_vector)
### BEGIN HIDDEN TESTS
with checks.hidden("word_vector"):
    _c = checks.clinicalbert_embeddings
    _model = _c.small_model(9, width=15, layers=4, positions=44, dtype=torch.float64)
    for _text, _word, _start, _layer in (
        ("Fever since Monday, no cough.", "fever", 0, -1),
        ("Fever since Monday, no cough.", "Fever", 0, 0),
        ("nosebleed, nose clear; no rash", "no", 23, 3),
        ("nosebleed, NO rash, no cough", "no", 11, -2),
        ("2.5 units, not 25 or 2x5", "2x5", 21, 1),
        ("take 215 or 2.15 mg q.d. (mild) daily", "2.15", 12, 2),
        ("sqed q.d. (mild) daily", "q.d.", 5, -1),
        ("mildly ill (mild) daily", "(mild)", 11, -1),
        ("mildly ill (mild) daily", "mild", 12, -4),
        ("see note_fever_old today", "fever", 9, -1),
        ("No chestpain but CHEST pain, chest pain", "chest pain", 17, 4),
        ("cough2 cough3 cough", "cough", 14, -1),
        ("[b]+ and a* hepatomegaly", "a*", 9, -1),
        ("hepatosplenomegaly", "Hepatosplenomegaly", 0, -1),
        ("fever " + _c.LONG, "fever", 0, -1),
        ("naïve Na, na", "na", 6, -1),
        ("3fieber, ökofever; «fever» … fever", "fever", 20, -1),
        ("İ and İ: FEVER. Fever", "fever", 9, -1),
        ("is it fever? Or cough*!", "fever", 6, -2),
        ("is it fever? Or cough*!", "cough", 16, -1),
        ('no\tfever/chills;rash\n"cough"', "chills", 9, -1),
        ('no\tfever/chills;rash\n"cough"', "cough", 22, 2),
    ):
        _c.compare_word(word_vector, _text, _word, (_start, _start + len(_word)), _model, _layer)
    _c.compare_word(word_vector, "Feet cold.", "feet", (0, 4), _c.small_model(3).eval(), 1)
    with _c.left_alone(_model):
        for _text, _word, _why in (
            ("No chills.", "hill", "part of a word"),
            ("No chills.", "c.ills", "a word that matches only as a regular expression"),
            ("(mild) chills.", "", "an empty word"),
            ("", "fever", "an empty text"),
            ("fever2 3fever xfever", "fever", "a word with letters or digits beside it"),
            (_c.LONG + " jaundice", "jaundice", "a word that was truncated away"),
        ):
            _c.error_of(word_vector, _text, _word, _c.tokenizer(), _model, naming=_word, why=_why)
    _cut = "no " * 41 + "hepatosplenomegaly"  # one piece of the word fits
    _c.compare_word(word_vector, _cut, "hepatosplenomegaly", (123, 141), _model)
    _c.assert_restored(word_vector, _model, "No fever.", "fever", _c.tokenizer(), _model)
    with _c.left_alone(_model):
        _why = "a word that stands after a letter with an accent"
        _c.error_of(word_vector, "épain", "pain", _c.tokenizer(), _model, naming="pain", why=_why)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Two steps: find the *characters* (`re.search` with `re.escape(word)` and `re.IGNORECASE`), then the *tokens* that lie on them
# (`return_offsets_mapping=True`).
#
# </details>
# <details><summary>Hint 2</summary>
#
# `\b` is not what you want: it counts the underscore as a letter, and fails beside `(`. "Not a letter or digit before" is `(?<![^\W_])`, "not
# behind" is `(?![^\W_])`. Special tokens have the offsets (0, 0): see that they do not slip in when the word begins the text.
#
# </details>
# <details><summary>Hint 3: nearly all of it</summary>
#
# A token `(a, b)` belongs to the match if `a < match.end() and b > match.start()`. Then
# `model(**encoded, output_hidden_states=True).hidden_states[layer][0, pieces].mean(0)`.
#
# </details>

# %% tags=["needs-answer"]
ill = [
    "She caught a cold last week.",
    "A cold with a runny nose.",
    "Sneezing and a cold since Monday.",
]
cool = ["The left foot felt cold.", "Hands are cold and pale.", "A cold pack was put on the knee."]
similarity = {}
for name, layer in (("static, layer 0", 0), ("contextual, last layer", -1)):
    vectors = torch.stack([word_vector(s, "cold", tokenizer, model, layer) for s in ill + cool])
    unit = F.normalize(vectors, dim=1)
    similarity[name] = (unit @ unit.T).numpy()
names = [f"ill {i}" for i in (1, 2, 3)] + [f"cool {i}" for i in (1, 2, 3)]
pictures.similarity_pair(similarity, names, border=3, label='cosine of "cold" in two sentences')
plt.show()
for name, table in similarity.items():
    across = table[:3, 3:].mean()
    within = np.concatenate(
        [table[:3, :3][np.triu_indices(3, 1)], table[3:, 3:][np.triu_indices(3, 1)]]
    )
    print(f"{name:24} same sense {within.mean():.2f}, other sense {across:.2f}")

# %% [markdown]
# *Two heat maps of similarities between six occurrences of "cold". At layer 0 only the position differs, so the two senses cannot be told apart;
# in the last layer each sense resembles itself more than the other.* Six sentences are an illustration, not evidence. The evidence needs many sentences,
# templates that the classifier has not seen, and a probe: that is the next exercise.

# %% [markdown]
# ## 6 Negation by layer
#
# "Patient has **no history of** fatigue": the finding is there, the patient does not have it. A vector of "fatigue" that does not know this is
# dangerous in a clinical system. Does it know? A *probe* answers: take the vector of the finding, fit a linear classifier for
# negated or asserted, and look at its accuracy, layer by layer.
#
# A probe fools you if the same template is in the training and in the test sentences: it may then recognise the template instead of
# the negation. So whole *groups* go to one side:
#
# $$\text{accuracy}_\ell = \frac1K \sum_{k=1}^{K} \text{accuracy on the groups held out in split } k$$
#
# First write down what you expect of layer 0 (the embedding layer's output, one vector a token, no neighbours seen) and of the last layer.
#
# > **Exercise `layer_probe`** · 6 points · 20 minutes · difficulty 3 of 5
#
# - `features_by_layer`: a list with one array or CPU tensor `(N, F)` per layer (`F` may differ); `labels` `(N,)` integers, two or more classes;
#   `groups` `(N,)` integers or strings;
# - return a `DataFrame` with a row per layer, in the order given, and at least the columns `layer` (0, 1, ...) and `accuracy`: the fraction
#   of rows that are right **in held-out groups**, the mean over the splits (not the best split, nor a median);
# - any split that keeps each group on one side, any number of splits, one too; the classifier is given (or take another linear one);
# - whatever is fitted, scaling too, is fitted on the training side alone, and nothing is chosen by its held-out accuracy;
# - the same `seed` gives the same table.


# %% nbgrader={"grade": false, "grade_id": "layer_probe", "locked": false, "schema_version": 3, "solution": true, "task": false}
def layer_probe(
    features_by_layer: list, labels: np.ndarray, groups: np.ndarray, seed: int = 0
) -> pd.DataFrame:
    """Accuracy on held-out groups by layer.  A list of ``(N, F)`` -> columns ``layer``, ``accuracy``."""
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    ### BEGIN SOLUTION
    labels = np.asarray(labels)
    splits = GroupShuffleSplit(n_splits=10, test_size=0.25, random_state=seed)
    rows = []
    for layer, features in enumerate(features_by_layer):
        features = np.asarray(features)
        scores = [
            classifier.fit(features[train], labels[train]).score(features[test], labels[test])
            for train, test in splits.split(features, labels, groups)
        ]
        rows.append({"layer": layer, "accuracy": float(np.mean(scores))})
    return pd.DataFrame(rows)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "layer_probe_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
checks.clinicalbert_embeddings.layer_probe(layer_probe)
### BEGIN HIDDEN TESTS
with checks.hidden("layer_probe"):
    _c = checks.clinicalbert_embeddings
    _rng = np.random.default_rng(13)
    _names = np.array([f"template {g}" for g in np.repeat(np.arange(30), 6)])
    _labels = _rng.permutation(np.arange(180) % 2)
    _signal = torch.tensor(_rng.normal(size=(180, 5)) * 1e4, dtype=torch.float32)
    _signal[:, 1] += torch.tensor(_labels * 1e5)
    _got = _c.probe_table(layer_probe, [_signal, -_signal[:, :2]], _labels, _names, seed=3)
    checks.require(min(_got) > 0.9, f"A clear signal at another scale gave {min(_got):.2f}.")
    _c.assert_guesswork(layer_probe, seed=100)
    _c.assert_unseen(layer_probe, seed=101)
    _c.assert_averaged(layer_probe, range(102, 105))
    _three = np.arange(150) % 3 + 4
    _cases = np.repeat(np.arange(25), 6)
    _classes = _rng.normal(size=(150, 6)) + 5 * np.eye(6)[_three - 4]
    _got = _c.probe_table(layer_probe, [_classes, _classes[:, :3]], _three, _cases)
    checks.require(min(_got) > 0.9, f"Three classes far apart gave {min(_got):.2f}.")
    _rare = (np.arange(150) % 5 == 0).astype(int)
    _got = _c.probe_table(layer_probe, [np.zeros((150, 2))], _rare, np.arange(150) // 10)
    checks.require(abs(_got[0] - 0.8) < 1e-6, f"Constant features, 80 % zeros: {_got[0]:.2f}.")
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# `GroupKFold`, `GroupShuffleSplit` and `LeaveOneGroupOut` are imported; each has `.split(features, labels, groups)`, which yields index arrays.
#
# </details>
# <details><summary>Hint 2</summary>
#
# A pipeline scales and classifies, and fits both on what `fit` gets. `classifier.fit(X[train], y[train]).score(X[test], y[test])` is one split's
# accuracy.
#
# </details>
# <details><summary>Hint 3: nearly all of it</summary>
#
# `splits = GroupShuffleSplit(n_splits=10, test_size=0.25, random_state=seed)`; for each layer the mean of the scores over
# `splits.split(features, labels, groups)`, appended as `{"layer": layer, "accuracy": ...}`.
#
# </details>

# %% [markdown]
# The sentences for the probe come with their truth. Neither their templates nor their findings were in the text on which the
# shipped model was trained: *syncope*, *tinnitus* and the others occur there only in neutral sentences such as "A leaflet about syncope was handed out".
# The cues and most other words do occur there, in other sentences: nobody can know a word that they never met. As in part 4, many sentences go through the model at once.

# %%
N_PROBE = 480 if IS_SHIPPED else 160
probed = corpus.make_assertion_sentences(N_PROBE, random_state=SEED)
for i in (0, 1, 2, 3):
    print("negated " if probed.negated[i] else "asserted", probed.texts[i])


@torch.no_grad()
def word_states(texts, starts, ends, what: str = "", batch_size: int = 64) -> torch.Tensor:
    """Mean state of all layers over the pieces from start to end: ``(layers + 1, N, D)``."""
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    rows = [torch.empty(0)] * len(texts)
    for first in training.progress(range(0, len(order), batch_size), desc=what or "sentences"):
        chosen = order[first : first + batch_size]
        batch = tokenizer([texts[i] for i in chosen], padding=True, return_tensors="pt")
        states = model(**batch.to(DEVICE), output_hidden_states=True).hidden_states
        states = torch.stack(states).cpu()  # (layers + 1, B, T, D)
        for row, i in enumerate(chosen):
            begin = batch.char_to_token(row, int(starts[i]))
            end = batch.char_to_token(row, int(ends[i]) - 1) + 1
            rows[i] = states[:, row, begin:end].mean(1)
    return torch.stack(rows, 1)


finding_states = word_states(probed.texts, probed.start, probed.end, "states of the findings")
print("states of the findings:", tuple(finding_states.shape))

# %% [markdown]
# Your `layer_probe` decides what is held out. Three choices, from strict to careless. Guess the strict one's accuracy in the last layer:

# %%
strict_guess = checks.guess("accuracy in the last layer, templates held out", ...)

# %% tags=["needs-answer"]
negated = probed.negated.astype(int)
curves = {
    "templates held out": layer_probe(list(finding_states), negated, probed.template, SEED),
    "findings held out": layer_probe(list(finding_states), negated, probed.finding, SEED),
    "nothing held out": layer_probe(list(finding_states), negated, np.arange(N_PROBE), SEED),
}
ax = pictures.accuracy_by_layer(
    curves, chance=0.5, title="Negated or asserted, from the finding's vector"
)
plots.mark_guess(ax, strict_guess, axis="y", at=len(finding_states) - 1)
plt.show()
strict = curves["templates held out"]["accuracy"].iloc[-1]
strict_guess.reveal(strict)
claim("negation_few_templates", strict)
claim("negation_new_findings", curves["findings held out"]["accuracy"].iloc[-1])
claim("negation_leak", curves["nothing held out"]["accuracy"].iloc[-1] - strict)

# %% [markdown]
# *Three lines of accuracy by layer beside a dashed line at one half.* At layer 0 a finding has seen no other word, and the probe guesses. One block later it is right on nearly all sentences
# about findings it never met, as long as it knows the sentence's *template*; on other templates it is right less often. Had you split the rows at random, you would have reported the top line.
#
# ### Is it the probe, or the vectors?
#
# A high accuracy is not yet knowledge of negation: the groups may leak, or the probe may learn whatever one asks. Hewitt and Liang (2019) ask it something senseless beside: a **control
# task**. Every finding gets a coin of its own, and the probe has to say which side it shows. Only the word's identity can tell. *Selectivity* is the real accuracy minus that.

# %% tags=["needs-answer"]
coin = np.random.default_rng(SEED).integers(0, 2, size=len(corpus.ALL_FINDINGS))
coin[probed.finding[0]] = 1 - coin[probed.finding[1]]  # both sides occur
nothing_held_out = np.arange(N_PROBE)
control_task = layer_probe(list(finding_states), coin[probed.finding], nothing_held_out, SEED)
pictures.accuracy_by_layer(
    {"negated or asserted": curves["nothing held out"], "control task: the coin": control_task},
    chance=0.5,
    title="A probe and its control task, nothing held out",
)
plt.show()
selectivity = curves["nothing held out"]["accuracy"] - control_task["accuracy"]
print("selectivity by layer:", selectivity.round(2).tolist())
claim("control_task_static", control_task["accuracy"].iloc[0])
claim("selectivity_last", selectivity.iloc[-1])

# %% [markdown]
# *Two lines that cross: the coin is known best at layer 0, negation from layer 1 on.* Layer 0 holds who the finding is and nothing of its status. In the last layer negation is nearly certain, and
# the coin has become harder: part of the word's identity has been given up. Remember that for part 8.
#
# Why is the strict line lower? With 40 templates in all, the probe learns from 30: perhaps too few to tell "negated" from "one of these phrases". To blame the number of templates, change it
# *alone*: the same number of rows, the same tests, and the probe's own setting (C, how strongly it is held back) chosen anew inside each training side, by groups. One run learns from 30 of the new
# templates, the other from the corpus's own, over a hundred, with other findings. Both are tested on the same ten templates that are new to model and probe.

# %%
known = corpus.make_assertion_sentences(N_PROBE, random_state=SEED + 1, held_out=False)
known_states = word_states(known.texts, known.start, known.end, "the corpus's sentences")


def tuned_probe(features, labels, groups):
    """A linear probe whose C is chosen on held-out groups of its own training side."""
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    grid = {"logisticregression__C": [0.001, 0.01, 0.1, 1.0]}
    folds = list(GroupKFold(4).split(features, labels, groups))
    return GridSearchCV(probe, grid, cv=folds).fit(features, labels)


scores = []
splits = GroupShuffleSplit(n_splits=8, test_size=0.25, random_state=SEED)
rng = np.random.default_rng(SEED)
new, old = finding_states[-1].numpy(), known_states[-1].numpy()
for train, test in splits.split(new, negated, probed.template):
    same = rng.permutation(len(old))[: len(train)]  # as many rows as the other run has
    few = tuned_probe(new[train], negated[train], probed.template[train])
    many = tuned_probe(old[same], known.negated[same], known.template[same])
    scores.append([p.score(new[test], negated[test]) for p in (few, many)])
by_rule = np.array(
    [rule_status(*row) == 1 for row in zip(probed.texts, probed.start, probed.end, strict=True)]
)
scores = np.array(scores)
rule = float((by_rule == probed.negated).mean())
mean, error = scores.mean(0), 1.96 * scores.std(0, ddof=1) / len(scores) ** 0.5
plots.bars(
    ["30 templates", "over 100 templates", "rule, all sentences"],
    [*mean, rule],
    low=[*(mean - error), rule],
    high=[*(mean + error), rule],
    xlim=(0.5, 1.0),
    xlabel="accuracy on templates that are new (mean of 8 splits, 95 %)",
)
plt.show()
claim("templates_few", mean[0])
claim("templates_many", mean[1])
claim("negation_rule", rule)

# %% [markdown]
# *Three bars: a probe fitted on 30 templates, one fitted on over a hundred with as many rows, and a rule.* The difference of the first two is what the choice of templates does at fixed rows and a
# fairly chosen C: a few points in a hundred here, about as wide as the intervals. And the rule (cues before and after the finding, as in NegEx) needs no vectors at all: the
# baseline that a probe has to be compared with. Which templates does the probe still miss?

# %%
last_probe = tuned_probe(old, known.negated, known.template)
outcome = pd.DataFrame(
    {
        "right": last_probe.predict(new) == probed.negated,
        "template": probed.template,
        "negated": probed.negated,
        "for example": probed.texts,
    }
)
outcome.groupby("template").agg(
    {"negated": "first", "right": "mean", "for example": "first"}
).sort_values("right").head(6).round(2)

# %% [markdown]
# *The six hardest templates, the fraction right and an example of each.* This is a model of three layers on generated text: what a large one can do, run the cells with Bio_ClinicalBERT to see
# when you have a network.
#
# ### More than two answers
#
# "Pneumonia could not be ruled out" neither asserts nor denies. The 2010 i2b2 challenge asked for *possible* as a class of its own, and for *conditional*, *hypothetical* and *somebody else* beside;
# ConText adds *historical*. Ask the same vectors for three classes, and then what they make of the rest:

# %%
OTHERS = {
    "history": "She had syncope two years ago.",
    "family": "The mother of the patient has syncope.",
    "hypothetical": "Return to the clinic if you have syncope.",
}
three = corpus.make_assertion_sentences(N_PROBE, random_state=SEED + 2, possible=True)
learn = corpus.make_assertion_sentences(
    2 * N_PROBE, random_state=SEED + 3, held_out=False, possible=True
)
learned = word_states(learn.texts, learn.start, learn.end, "sentences to learn from")[-1].numpy()
asked = word_states(three.texts, three.start, three.end, "sentences to test")[-1].numpy()
three_way = tuned_probe(learned, learn.status, learn.template)
rules = np.array(
    [rule_status(*row) for row in zip(three.texts, three.start, three.end, strict=True)]
)
recall = {
    name: [float((said == k)[three.status == k].mean()) for k in range(3)]
    for name, said in (("probe", three_way.predict(asked)), ("rule", rules))
}
starts = [sentence.index("syncope") for sentence in OTHERS.values()]
other_states = word_states(list(OTHERS.values()), starts, np.array(starts) + 7, "others")[-1]
for (kind, sentence), said in zip(
    OTHERS.items(), three_way.predict(other_states.numpy()), strict=True
):
    print(f"{kind:13} {sentence:45} the probe says: {corpus.STATUSES[said]}")
claim("possible_recall", recall["probe"][2])
pd.DataFrame(recall, index=list(corpus.STATUSES)).T.round(3)

# %% [markdown]
# *The fraction found of each class, by the probe and by the rule* (whose hedges were written by the author of the sentences: it is seen at its best). With *possible* as a third answer the probe loses much, on all three:
# the notes of the shipped model hardly ever say that something is possible, and a probe can read only what training has put there. And a probe has just the classes that it was given:
# history, family and hypothetical get one of the three names, whatever they are. Who was ill, and when, has to be asked for as well.

# %% [markdown]
# ### Real sentences
#
# All these sentences were generated. Do the vectors carry over to real ones? Chapman and others published sentences of de-identified notes, each with a concept that is *affirmed* or *negated*
# (`github.com/chapmanbe/negex`, a table with tabs; set `NEGATION_FILE` to it). The probe learns from this course's sentences alone, of two kinds: the templates
# above, and sentences *put together at random*, which make no sense and in which nothing but the cue and its reach tells the status:

# %%
NEGATION_FILE = os.environ.get("COURSE_NEGATION_FILE")  # or a path of yours
loose = corpus.make_loose_sentences(4 * N_PROBE, random_state=SEED + 6)
for i in range(3):
    print("negated " if loose.negated[i] else "asserted", f"[{loose.names[i]}]", loose.texts[i])


def scores_of_negated(said: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Precision, recall and F1 of *negated*, and F1's 95 % interval over resampled sentences."""
    draws = np.random.default_rng(SEED).integers(len(truth), size=(300, len(truth)))
    some = [f1_score(truth[rows], said[rows]) for rows in draws]
    low, high = np.quantile(some, [0.025, 0.975])
    measures = {"precision": precision_score, "recall": recall_score, "F1": f1_score}
    return {name: f(truth, said) for name, f in measures.items()} | {"from": low, "to": high}


# %%
def fits(sentence: str) -> bool:
    return len(tokenizer(sentence)["input_ids"]) <= 128


def last_states(sentences, what: str) -> np.ndarray:
    """Vectors of the names in the last layer; of a long sentence only what lies around the name."""
    spans = zip(sentences.texts, sentences.start, sentences.end, strict=True)
    cut = [around(*span, fits) for span in spans]
    return word_states(*zip(*cut, strict=True), what)[-1].numpy()


def try_on_sentences(path: str) -> pd.DataFrame:
    """The probe, taught in two ways, and the rule on a table of real sentences."""
    real = read_negation(path)
    asked, random = last_states(real, "real sentences"), last_states(loose, "random sentences")
    both, denied = np.concatenate([old, random]), np.concatenate([known.negated, loose.negated])
    groups = np.concatenate([known.template, 1000 + loose.template])
    spans = zip(real.texts, real.start, real.end, strict=True)
    said = {
        "probe, taught by templates": last_probe.predict(asked),
        "probe, taught by both kinds": tuned_probe(both, denied, groups).predict(asked),
        "rule": np.array([rule_status(*span) == 1 for span in spans]),
    }
    print(f"{len(asked)} sentences, {real.negated.mean():.0%} negated, {real.left_out} left out")
    return pd.DataFrame({name: scores_of_negated(s, real.negated) for name, s in said.items()}).T


if NEGATION_FILE:
    print(try_on_sentences(NEGATION_FILE).round(3).to_string())
else:
    print("Real sentences are skipped: NEGATION_FILE names no table of them.")

# %% [markdown]
# *Without a table the cell says so.* Measured with these cells on 1,181 sentences, half of the table, one in five negated: F1 of *negated* and its interval over sentences. The right column is a trial model that is not shipped: the
# shipped one trained on, for some three CPU minutes, on notes of which six in ten are put together at random, with 3,900 pieces that cover ordinary clinical words, and with findings that are replaced by any pieces at all.
#
# | | shipped model | trial model |
# | --- | --- | --- |
# | probe, taught by templates | .48 (.42 to .53) | .68 (.63 to .72) |
# | probe, taught by both kinds | .60 (.55 to .65) | .81 (.77 to .84) |
# | rule | .94 (.91 to .96) | |
#
# About .95 accuracy on new templates, and this on real sentences: a synthetic test says how well a synthetic world was learned. Other sentences to learn from help the same vectors, the training on other
# notes helps more. Which of its three changes does it, one trial cannot tell; and it is not shipped, for on the course's own tests of negation (.92 instead of .95) and senses (.97 instead of .99) it is worse.
# The rule, written by people who had read many such sentences, stays ahead.
#
# Now the two senses of eight words, tested the same way: the probe is fitted on the corpus's own sentences and tested on sentences that neither model nor probe has read.


# %%
def fit_here_test_there(here, labels_here, there, labels_there) -> pd.DataFrame:
    """Accuracy by layer of a linear probe that is fitted on some sentences and tested on others."""
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
    scores = [
        probe.fit(a, labels_here).score(b, labels_there) for a, b in zip(here, there, strict=True)
    ]
    return pd.DataFrame({"layer": range(len(scores)), "accuracy": scores})


sense_states, senses, tables = {}, {}, {}
for word in corpus.AMBIGUOUS_WORDS:
    states_of = {}
    for held_out, n in ((False, 160), (True, 128)):
        data = corpus.make_sense_sentences(
            word, n if IS_SHIPPED else n // 3, random_state=SEED, held_out=held_out
        )
        ends = data.start + len(word)
        states_of[held_out] = data, word_states(data.texts, data.start, ends, word)
    (old, old_states), (senses[word], sense_states[word]) = states_of[False], states_of[True]
    tables[word] = fit_here_test_there(
        old_states, old.sense, sense_states[word], senses[word].sense
    )
pictures.accuracy_by_layer(tables, chance=0.5, title="Which of two senses does a word have?")
plt.show()
last = [table["accuracy"].iloc[-1] for table in tables.values()]
claim("senses_static", np.mean([table["accuracy"].iloc[0] for table in tables.values()]))
claim("senses_contextual", np.mean(last))
claim("senses_contextual_worst", np.min(last))

# %% [markdown]
# *A line for each word.* A static vector cannot do better than guess (what differs from one half comes from the position, its only clue, and misleads as often as it helps).
# One block later nearly every sentence is told apart, as with negation. Neither comes by itself: the notes that this small model learned from were written so that filling in words needs both (its
# model card says how). "Contextual" is not a property that a model has or lacks, it is something to measure question by question.
#
# And a map: the vectors of all eight words in both senses, laid out in the plane by t-SNE, which keeps neighbours together
# (distances between far clusters, and the axes, mean nothing).

# %%
figure, axes = plt.subplots(1, 2, figsize=(8, 4.6))
kept = slice(0, 40)
words = [word for word in corpus.AMBIGUOUS_WORDS for _ in range(40)]
kinds = ["second sense" if s else "first sense" for w in senses for s in senses[w].sense[kept]]
for ax, layer, title in ((axes[0], 0, "static, layer 0"), (axes[1], -1, "contextual, last layer")):
    points = torch.cat([sense_states[word][layer, kept] for word in corpus.AMBIGUOUS_WORDS]).numpy()
    flat = TSNE(random_state=SEED, perplexity=20, init="pca").fit_transform(points)
    pictures.map_2d(flat, words, kinds, title=title, ax=ax)
axes[0].get_legend().remove()
axes[1].get_legend().set_bbox_to_anchor((1.02, 1.0))
plt.show()

# %% [markdown]
# *Two maps, a colour for each word, a shape for each sense. Left, each word is a cloud in which the shapes mix; right, many small groups, most of one shape.* Look for *positive* and *negative*: antonyms stand in the same
# sentences ("the culture was ..."), so what fills one blank fills the other, and they share their groups, one a sense. Near in such a space means "used alike", not "means the same".
#
# ## 7 Attention with words
#
# How does the cue reach the finding? Each head of each block has a matrix of weights: row = the token that looks, column = the token
# it looks at. Choose a head, then a word (hover, tap, or arrow keys).

# %%
note = "Patient denies cough but reports fever."
note_labels = text.token_labels(note, tokenizer)
weights = text.attention_of(note, tokenizer, model)  # (layers, H, T, T)


def place_of(word: str) -> int:
    """Position of the first piece of a word of the note, however it was split."""
    return int(tokenizer(note).char_to_token(note.index(word)))


cue, finding, fever = (place_of(word) for word in ("denies", "cough", "fever"))
marks = {finding: "tab:red", fever: "tab:green"}
plots.attention_explorer(note_labels, weights[:1], query=finding, title="Heads of the first block")

# %% [markdown]
# *The darkness of a word is how much the chosen word looks at it: white 0, full blue 1, in every head. Where does "cough" look? The next cell says it in numbers.*

# %%
for head, matrix in enumerate(weights[0][:4]):
    looks = {
        word: note_labels[int(matrix[at].argmax())]
        for word, at in (("cough", finding), ("fever", fever))
    }
    shares = [round(float(matrix[at].max()), 2) for at in (finding, fever)]
    print(f"first block, head {head + 1}: most of all", looks, shares)

# %% [markdown]
# In the shipped model one head of the first block looks one token back, one looks one ahead, and one looks one or two ahead ("cough" to "reports", which is not its cue). The first has no
# fixed distance: it looks for a cue further back, and finds "denies" from "cough", but also from "fever", which is not denied. A large weight shows where a head looks, not what the model concludes. So
# intervene, as in notebook 01: change the cue, and see which tokens' vectors follow. First guess which token's vector moves farthest in the last layer.

# %%
moves_guess = checks.guess("token that moves farthest", ["denies", "cough", "fever"], ...)

# %%
without_cue = note.replace("denies", "reports", 1)
before = text.token_states(note, tokenizer, model)
after = text.token_states(without_cue, tokenizer, model)
moved = 1 - F.cosine_similarity(before, after, dim=-1)  # (layers + 1, T)
plots.word_bars(
    note_labels,
    {"denies -> reports": moved[-1].numpy()},
    highlight=marks,
    ylabel="1 - cosine, last layer",
)
plt.show()
three_words = {"denies": cue, "cough": finding, "fever": fever}
moves_guess.reveal(max(three_words, key=lambda word: moved[-1, three_words[word]]))
print(
    "by layer:", {w: [round(v, 2) for v in moved[:, at].tolist()] for w, at in three_words.items()}
)
claim("cue_moves_its_finding", moved[-1, finding] / moved[-1, fever])
claim("changed_token_moves", moved[-1, cue])

# %% [markdown]
# *Bars, one a token: how far its vector in the last layer moves when "denies" becomes "reports".* "cough", which the cue governs, moves most; "fever" behind the "but" moves
# far less. And the word that was changed? It differs most at layer 0, where it is another row of the matrix, and less in every later layer: the two verbs stand in the same place of the same sentence, and
# what is said of the sentence, they share. What the change *means* is written elsewhere.
#
# **Where does it travel?** *Activation patching* (Vig et al., 2020): run the changed sentence, put the vector of *one* place at *one* layer from the original run in its stead, let the rest run on, and ask your
# probe of part 6 about "cough". 1 means that this one vector brings "negated" back altogether.

# %%
blocks = list(getattr(getattr(model, "encoder", model), "layer", []))  # BERT's own layout
pair = [tokenizer(s, return_tensors="pt").to(DEVICE) for s in (note, without_cue)]


@torch.no_grad()
def says_negated(batch) -> float:
    """What the probe says of "cough": above 0 is negated."""
    state = model(**batch).last_hidden_state[0, finding]
    return float(last_probe.decision_function(state.cpu().numpy()[None])[0])


def brought_back(module: nn.Module, cuts: list[tuple[int, slice]]) -> list[float]:
    """For each (place, part) of a module's output: the share of the answer that it brings back."""
    with probes.record(module) as seen:
        original, changed = says_negated(pair[0]), says_negated(pair[1])
    shares = []
    for place, part in cuts:
        stored = seen[1].clone()
        stored[..., part] = seen[0][..., part]
        with probes.patch(module, stored, [place]):
            shares.append((says_negated(pair[1]) - changed) / (original - changed))
    return shares


# %%
if blocks:
    places = [(place, slice(None)) for place in range(len(note_labels))]
    by_place = [brought_back(module, places) for module in [model.embeddings, *blocks]]
    width = model.config.hidden_size // model.config.num_attention_heads
    parts = [slice(at, at + width) for at in range(0, model.config.hidden_size, width)]
    by_head = [
        brought_back(block.attention.self, [(finding, part) for part in parts]) for block in blocks
    ]
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.2), width_ratios=(2, 1))
    layers = ["static (0)", *(f"block {i + 1}" for i in range(len(blocks)))]
    heads = [f"head {h + 1}" for h in range(len(parts))]
    left, right = (np.round(shares, 1) + 0.0 for shares in (by_place, by_head))
    look = {"annotate": True, "digits": 1, "vmin": 0, "vmax": 1}
    plots.heat_map(left, rows=layers, columns=note_labels, title="by place", ax=axes[0], **look)
    plots.heat_map(right, rows=layers[1:], columns=heads, title='at "cough"', ax=axes[1], **look)
    plt.show()
    claim("patched_cue_static", by_place[0][cue])
    claim("patched_finding_block_1", by_place[1][finding])
    claim("patched_heads_first_block", max(by_head[0]))

# %% [markdown]
# *Two heat maps of the share brought back. Left, layers down and tokens across; right, blocks down and heads across.* Before the first block everything hangs on the cue's own place, after it on
# "cough": in the shipped model the message travels in one step, and the later blocks leave it where it is. Most of it goes through the head that looks one token back, some through the one that seeks
# a cue. In *this* sentence: where the cue stands further off, the first cannot reach. Look again with a sentence of your own.
#
# ## 8 Searching notes
#
# Search by meaning is what such vectors are most often wanted for: embed every note once, embed the query, take the closest by cosine,
#
# $$\cos(q, n) = \frac{q \cdot n}{\lVert q \rVert\, \lVert n \rVert}.$$
#
# > **Exercise `nearest_notes`** · 3 points · 8 minutes · difficulty 2 of 5
#
# - `query_embedding` `(D,)`, `note_embeddings` `(N, D)` -> `(indices, similarities)`, two tensors of shape `(min(k, N),)`;
# - the most similar note first; ties in any order; indices are `int64`, similarities have the dtype of the input;
# - `k` may be 0: two empty tensors; a short vector is a vector like any other;
# - a zero vector (query or note) has the similarity 0, not `nan`;
# - a note that equals the query is a hit like any other.


# %% nbgrader={"grade": false, "grade_id": "nearest_notes", "locked": false, "schema_version": 3, "solution": true, "task": false}
def nearest_notes(
    query_embedding: torch.Tensor, note_embeddings: torch.Tensor, k: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """The k most similar notes.  ``(D,)``, ``(N, D)`` -> indices and cosines, both ``(min(k, N),)``."""
    ### BEGIN SOLUTION
    query = F.normalize(query_embedding, dim=0)
    notes = F.normalize(note_embeddings, dim=1)
    similarities, indices = (notes @ query).topk(min(k, len(notes)))
    return indices, similarities
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "nearest_notes_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
checks.clinicalbert_embeddings.nearest_notes(nearest_notes)
### BEGIN HIDDEN TESTS
with checks.hidden("nearest_notes"):
    _c = checks.clinicalbert_embeddings
    _g = torch.Generator().manual_seed(15)
    for _n, _d, _k, _dtype in (
        (1, 1, 1, torch.float32),
        (1, 3, 5, torch.float64),
        (200, 16, 7, torch.float32),
        (50, 8, 50, torch.float64),
        (12, 4, 1, torch.float64),
    ):
        _notes = torch.randn(_n, _d, generator=_g, dtype=torch.float64)
        _notes = (_notes * torch.logspace(-2, 2, _n, dtype=torch.float64).unsqueeze(1)).to(_dtype)
        _query = torch.randn(_d, generator=_g, dtype=torch.float64).to(_dtype) * 30
        _c.compare_nearest(nearest_notes, _query, _notes, _k, f"k={_k} of {_n} notes")
    _notes = torch.randn(6, 4, generator=_g)
    _c.compare_nearest(nearest_notes, torch.zeros(4), _notes, 3, "a query that is zero")
    _c.compare_nearest(nearest_notes, -_notes[1], _notes, 6, "a query opposite to a note")
    _c.compare_nearest(nearest_notes, _notes[3], _notes[[3, 3, 0, 1]], 2, "a note twice")
    _zeros = torch.cat([torch.zeros(2, 4), -torch.ones(2, 4)]).double()
    _c.compare_nearest(nearest_notes, torch.ones(4).double(), _zeros, 4, "zero beats opposite")
    for _dtype in (torch.float32, torch.float64):
        _tiny = torch.randn(7, 5, generator=_g, dtype=_dtype) * 2e-5
        _c.compare_nearest(nearest_notes, _tiny[0] * 0.5, _tiny, 7, "vectors of length 1e-5")
    _c.compare_nearest(nearest_notes, _tiny[0], _tiny, 0, "k=0 of 7 notes")
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Normalise query and notes to length one; then a matrix product gives all cosines at once.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `F.normalize` leaves a zero vector zero. `torch.topk` returns values and indices, largest first, but refuses a `k` larger than `N`.
#
# </details>
# <details><summary>Hint 3: nearly all of it</summary>
#
# `values, indices = (F.normalize(note_embeddings, dim=1) @ F.normalize(query_embedding, dim=0)).topk(min(k, len(note_embeddings)))`
#
# </details>

# %% [markdown]
# The baseline is TF-IDF: words, weighted by how rare they are, no training at all. Two kinds of questions with known answers: **paraphrases**, where the
# query says "pyrexia" and the notes say "fever", and **negation**, where "There was no cough" should find the notes that deny cough and not
# those that report it. Of the first five notes: how many have the right *polarity* (denied or not), how many the right *finding*, and how many both? Guess before you look:

# %%
miss_guess = checks.guess(
    "what do the mean vectors get wrong in a question like 'There was no cough'?",
    ["the polarity", "the finding", "neither"],
    ...,
)

# %%
search = corpus.make_search_notes(320, random_state=SEED)
n_notes, is_negation = len(search.notes), np.array(search.query_kind) == "negation"
for name in ("paraphrase", "negation"):
    q = int(np.flatnonzero(np.array(search.query_kind) == name)[1])
    example = search.notes[int(np.flatnonzero(search.relevant(q))[0])]
    print(f"{name}: {search.queries[q]!r} wants e.g. {example!r}")


def right_in_five(similarities: np.ndarray, queries: np.ndarray | None = None) -> dict[str, float]:
    """Fractions of the five best notes; similarities ``(queries, notes)``, of some queries."""
    best = np.argsort(-similarities, axis=1, kind="stable")[:, :5]
    finding = search.note_finding[best] == search.query_finding[:, None]
    polarity = search.note_negated[best] == search.query_negated[:, None]
    kept = np.ones(len(best), bool) if queries is None else queries
    rows = {"polarity": polarity, "finding": finding, "both": polarity & finding}
    result = {name: float(hit[is_negation & kept].mean()) for name, hit in rows.items()}
    return result | {"paraphrase: finding": float(finding[~is_negation & kept].mean())}


def cosines(vectors: torch.Tensor) -> np.ndarray:
    """Cosine of every query with every note; vectors of the notes first, then of the queries."""
    unit = F.normalize(vectors, dim=1)
    return (unit[n_notes:] @ unit[:n_notes].T).numpy()


# %% tags=["needs-answer"]
everything_read = list(search.notes + search.queries)
folder = tempfile.TemporaryDirectory()


@functools.cache
def all_read(pooling: str) -> torch.Tensor:
    """Your vectors of all notes and queries, ``(N, D)``, made once."""
    return text.cached_embeddings(
        everything_read,
        tokenizer,
        model,
        folder=folder.name,
        embed=lambda *args: embed_texts(*args, pooling=pooling),
        pooling=pooling,
    )


vectors = {pooling: all_read(pooling) for pooling in ("cls", "mean")}
vectorizer = TfidfVectorizer().fit(search.notes)
by_words = (vectorizer.transform(search.queries) @ vectorizer.transform(search.notes).T).toarray()
centred = vectors["mean"] - vectors["mean"][:n_notes].mean(0)
systems = {
    "random notes": np.random.default_rng(SEED).random(by_words.shape),
    "TF-IDF": by_words,
    "[CLS]": cosines(vectors["cls"]),
    "mean": cosines(vectors["mean"]),
    "mean, common direction removed": cosines(centred),
}
found = pd.DataFrame({name: right_in_five(table) for name, table in systems.items()}).T
miss_guess.reveal("the finding")
other = search.note_finding[None] != search.query_finding[:, None]
for name in ("mean", "mean, common direction removed"):
    low, high = np.quantile(systems[name][other], [0.1, 0.9])
    print(f"{name}: cosine with notes about other findings {low:.2f} to {high:.2f}")
claim("search_polarity_mean", found.loc["mean", "polarity"])
claim("search_finding_mean", found.loc["mean", "finding"])
claim("search_finding_tfidf", found.loc["TF-IDF", "finding"])
claim("search_finding_centred", found.loc["mean, common direction removed", "finding"])
found.round(3)

# %% [markdown]
# *The table by polarity and finding.* The mean vectors know very well **whether** something is denied, better than TF-IDF, and hardly **what**: part 6 saw how the finding's identity fades from layer to
# layer. The mean has not diluted the negation; it has kept little else. That all cosines are high has its own name, *anisotropy* (Ethayarajh, 2019): the vectors share one direction. Taking
# that away spreads the cosines out and hardly changes who comes first.
#
# ### A cure, before and after
#
# Nothing in the training asked for similar notes to lie together. So ask for it: take the mean of *every* layer (the first ones still know the word), and learn one linear map with a **contrastive** loss, in which notes
# that say the same of the same finding attract each other and all others repel. The map learns from other sentences of the corpus; eight findings are kept out of it altogether. The encoder itself stays as it is.

# %% tags=["needs-answer"]
KEPT_OUT = (1, 4, 7, 10, 13, 16, 19, 22)  # findings that the map never sees


@torch.no_grad()
def every_layer(texts: list[str]) -> torch.Tensor:
    """The mean over tokens of each layer, side by side: ``(N, (layers + 1) * D)``."""
    rows = []
    for first in training.progress(range(0, len(texts), 64), desc="every layer"):
        batch = tokenizer(texts[first : first + 64], padding=True, return_tensors="pt").to(DEVICE)
        layers = model(**batch, output_hidden_states=True).hidden_states
        rows.append(torch.cat([mean_pool(h, batch["attention_mask"]) for h in layers], 1).cpu())
    return torch.cat(rows)


teach = corpus.make_assertion_sentences(3000, random_state=SEED + 9, held_out=False)
taught = ~np.isin(teach.finding, KEPT_OUT)
x = every_layer([note for note, keep in zip(teach.texts, taught, strict=True) if keep])
centre, scale = x.mean(0), x.std(0) + 1e-6
says = torch.tensor((teach.finding * 2 + teach.status)[taught])
generator = torch.Generator().manual_seed(SEED)
weight = torch.randn(64, x.shape[1], generator=generator).div(x.shape[1] ** 0.5).requires_grad_()
optimizer = torch.optim.AdamW([weight], lr=3e-3)
for _ in training.progress(range(600), desc="contrastive map"):
    chosen = torch.randperm(len(x), generator=generator)[:256]
    z = F.normalize((x[chosen] - centre) / scale @ weight.T, dim=1)
    itself = torch.eye(256, dtype=torch.bool)
    same = (says[chosen, None] == says[chosen]) & ~itself
    log_p = (z @ z.T / 0.1).masked_fill(itself, -1e9).log_softmax(1)
    loss = -((log_p * same).sum(1) / same.sum(1).clamp(min=1))[same.any(1)].mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

# %% tags=["needs-answer"]
features = (every_layer(everything_read) - centre) / scale
maps = {"every layer, before": features, "every layer, after": features @ weight.detach().T}
unseen = np.isin(search.query_finding, KEPT_OUT)
rows = {name: right_in_five(cosines(table), ~unseen) for name, table in maps.items()}
rows |= {f"{n}, kept out": right_in_five(cosines(table), unseen) for n, table in maps.items()}
cured = pd.DataFrame(rows).T
before, after = (cured.loc[f"every layer, {when}"] for when in ("before", "after"))
claim("search_cured", after["both"], control=before["both"])
claim(
    "search_cured_paraphrase", after["paraphrase: finding"], control=before["paraphrase: finding"]
)
left_out = [cured.loc[f"every layer, {when}, kept out", "both"] for when in ("after", "before")]
claim("search_cured_kept_out", left_out[0], control=left_out[1])
cured.round(3)

# %% [markdown]
# *The same table for the mean of every layer before and after the map, for findings that it saw and findings kept out.* The map is all that differs between the rows *before* and *after*: it finds again what the layers
# know, also, to a lesser degree, for findings it never saw. What it cannot guess is that two unseen names mean one thing: paraphrases of findings kept out gain least.
#
# This is how sentence encoders are made (Sentence-BERT; in medicine **MedCPT**, trained on 255 million searches of PubMed, and **SapBERT**, on the synonyms of UMLS). A usual search has two steps: such vectors, often
# with TF-IDF's cousin BM25 beside them, fetch a hundred notes; a *reranker* that reads query and note together puts them in order. In *retrieval-augmented generation* what is fetched becomes the context of a language
# model, and a note of the wrong polarity becomes a wrong answer in good English. If negation decides, ask for it directly, as your probe did.

# %% tags=["needs-answer"]
for name, table in (("mean", all_read("mean")), ("after the map", maps["every layer, after"])):
    q = 5
    indices, similarities = nearest_notes(table[n_notes + q], table[:n_notes], 5)
    print(f"{name}: {search.queries[q]}")
    for i, value in zip(indices.tolist(), similarities.tolist(), strict=True):
        verdict = "relevant    " if search.relevant(q)[i] else "not relevant"
        print(f"   {value:.2f} {verdict} {search.notes[i]}")

# %% [markdown]
# ## 9 What a model may give away
#
# Models trained on notes are trained on people. A model can remember a rare string that it has read often enough, and a model that is
# published cannot be called back. To see it without harming anybody, invented secrets are planted below among notes on which the shipped model is trained further:
# "The record number of *name* is 4 7 1 9.", each a known number of times (Carlini et al., 2019, call them *canaries*). Mask the four digits and ask the model for the
# loss of every possible number: if it has learned nothing, the true one stands anywhere among the 10,000. In bits,
#
# $$\text{exposure} = \log_2 n - \log_2 \text{rank},$$
#
# about 1.4 on average for a guess among many, $\log_2 n$ when the true number comes first.
#
# > **Exercise `exposure`** · 3 points · 8 minutes · difficulty 2 of 5
#
# - `losses` `(n,)`, an array or a tensor (of any floating dtype, with a gradient or without): one loss for each candidate; `secret`: the index of the true one, from 0;
# - the *rank* is the number of candidates whose loss is **not above** the secret's, itself included: rank 1 is the best, and who shares the secret's loss counts against it;
# - return a Python float; one candidate alone gives 0; losses may be infinite; a `nan` anywhere is a `ValueError`.


# %% nbgrader={"grade": false, "grade_id": "exposure", "locked": false, "schema_version": 3, "solution": true, "task": false}
def exposure(losses: np.ndarray | torch.Tensor, secret: int) -> float:
    """Bits by which a model prefers a secret to the other candidates.  ``(n,)`` -> float."""
    ### BEGIN SOLUTION
    values = torch.as_tensor(losses)
    if values.isnan().any():
        raise ValueError("losses holds nan, which has no rank")
    rank = int((values <= values[secret]).sum())
    return float(np.log2(len(values)) - np.log2(rank))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "exposure_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
checks.clinicalbert_embeddings.exposure(exposure)
### BEGIN HIDDEN TESTS
with checks.hidden("exposure"):
    _c = checks.clinicalbert_embeddings
    _g = torch.Generator().manual_seed(81)
    _inf, _nan = float("inf"), float("nan")
    for _n, _dtype in (
        (2, torch.float32),
        (3000, torch.float64),
        (33, torch.bfloat16),
        (50, torch.float16),
    ):
        _losses = torch.randn(_n, generator=_g, dtype=torch.float64).mul(3).to(_dtype)
        for _secret in (0, _n - 1, int(_losses.argmin()), int(_losses.argmax())):
            _c.compare_exposure(exposure, _losses, _secret, f"the exposure among {_n}, {_dtype}")
        if _dtype != torch.bfloat16:
            _c.compare_exposure(exposure, _losses.numpy(), 1, f"an array of {_dtype}")
    _close = 1.0 + torch.arange(9, dtype=torch.float64) * 1e-12
    _c.compare_exposure(exposure, _close, 4, "losses that differ by 1e-12")
    _grad = torch.tensor([2.0, 1.0, 3.0], dtype=torch.bfloat16, requires_grad=True)
    _c.compare_exposure(exposure, _grad, 0, "bfloat16 with a gradient")
    for _values, _secret in (
        ([_inf, 1.0, _inf], 0),
        ([-_inf, 1.0, 2.0], 0),
        ([-_inf, 1.0, -_inf], 2),
        ([_inf, _inf], 1),
        ([0.0, -0.0, 1.0], 1),
        ([-5.0, -7.0, -1.0, -7.0], 3),
    ):
        _c.compare_exposure(exposure, torch.tensor(_values), _secret, f"losses {_values}")
        _c.compare_exposure(exposure, np.array(_values), _secret, f"an array of {_values}")
    _c.compare_exposure(exposure, np.array([_inf]), 0, "one infinite loss")
    for _values, _secret in (
        ([_nan, 1.0], 1),
        ([1.0, _nan], 1),
        ([_nan], 0),
        ([_inf, _nan, 2.0], 2),
    ):
        for _kind in (torch.tensor, np.array):
            _c.error_of(exposure, _kind(_values), _secret, naming="", why="a loss that is nan")
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Compare all losses with the secret's and count: `losses <= losses[secret]`.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `torch.as_tensor` takes arrays and tensors, and `.isnan().any()` finds a `nan`, with which every comparison is False. `math.log2` of a Python `int` gives a float.
#
# </details>
# <details><summary>Hint 3: nearly all of it</summary>
#
# `values = torch.as_tensor(losses)`; `rank = int((values <= values[secret]).sum())`; then `float(np.log2(len(values)) - np.log2(rank))`.
#
# </details>

# %% [markdown]
# Now a hospital trains the encoder further on notes of its own: 300 ordinary ones, and among them a hundred secrets, twenty each planted 0, 1, 5, 20 or 80 times. Your `mask_tokens` makes the training
# data. Two passes are made, with 40 % masked (Wettig et al., 2023, find that more masking often helps). A number that was read 2 × 20 times: how many bits, of the 13.3 that there can be, does the model give away?

# %%
bits_guess = checks.guess("mean exposure of a secret planted 20 times, in bits", ...)

# %% tags=["needs-answer"]
secrets = corpus.make_canaries(random_state=SEED, levels=(0, 1, 5, 20, 80), per_level=20)
members = list(corpus.make_clinical_corpus(300, random_state=SEED + 70).texts)
strangers = list(corpus.make_clinical_corpus(300, random_state=SEED + 71).texts)
planted = [secrets.text(i) for i, n in enumerate(secrets.repeats) for _ in range(n)]


@functools.cache
def further_trained() -> nn.Module:
    """The model after training on these notes, made once."""
    net = copy.deepcopy(masked_model).train().requires_grad_(True)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
    dice = torch.Generator().manual_seed(SEED)
    notes = (members + planted) * 2
    batches = training.bucketed_batches([len(note) for note in notes], 32, generator=dice)
    for chosen in training.progress(batches, desc="the hospital trains"):
        batch = masked_tokenizer(
            [notes[i] for i in chosen.tolist()],
            padding=True,
            return_tensors="pt",
            return_special_tokens_mask=True,
        )
        special = batch["special_tokens_mask"].bool()
        hidden, labels = mask_tokens(batch["input_ids"], special, MASK_ID, VOCAB_SIZE, dice, 0.4)
        states = net.bert(hidden, attention_mask=batch["attention_mask"]).last_hidden_state
        loss = F.cross_entropy(net.cls(states[labels != -100]), labels[labels != -100])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
    return net.eval()


_ = further_trained()

# %% tags=["needs-answer"]
digit_ids = masked_tokenizer.convert_tokens_to_ids([str(digit) for digit in range(10)])


@torch.no_grad()
def number_losses(net: nn.Module) -> torch.Tensor:
    """Loss of each of the 10,000 numbers in the four masked places behind every name."""
    prompts = [f"The record number of {n} is [MASK] [MASK] [MASK] [MASK]." for n in secrets.names]
    batch = masked_tokenizer(prompts, padding=True, return_tensors="pt")
    logits = net(**batch).logits[batch["input_ids"] == MASK_ID]
    digits = -logits.log_softmax(-1)[:, digit_ids].reshape(len(prompts), 4, 10)
    a, b, c, d = digits.unbind(1)
    return (
        a[:, :, None, None, None]
        + b[:, None, :, None, None]
        + c[:, None, None, :, None]
        + d[:, None, None, None, :]
    ).flatten(1)


# %% tags=["needs-answer"]
numbers, levels = secrets.digits @ [1000, 100, 10, 1], np.unique(secrets.repeats)
means, errors = {}, {}
for when, net in (("before", masked_model), ("after", further_trained())):
    pairs = zip(number_losses(net), numbers, strict=True)
    bits = np.array([exposure(losses, int(number)) for losses, number in pairs])
    spread = [bits[secrets.repeats == level] for level in levels]
    means[when] = np.array([values.mean() for values in spread])
    errors[when] = np.array([1.96 * values.std(ddof=1) / len(values) ** 0.5 for values in spread])
ax = plots.bars(
    [f"planted {level} times" for level in levels],
    means["after"],
    low=means["after"] - errors["after"],
    high=means["after"] + errors["after"],
    reference=np.log2(10_000),
    reference_label="number known",
    xlabel="exposure in bits (mean of 20 secrets, 95 %)",
    digits=1,
)
plots.mark_guess(ax, bits_guess, at=3)
plt.show()
bits_guess.reveal(float(means["after"][3]), digits=1)
known_now = (spread[-1] > np.log2(10_000) - 0.5).sum()
print("before that training, by level:", means["before"].round(1).tolist())
print(f"true number first for {known_now} of the 20 that were planted {levels[-1]} times")
claim("exposure_never_planted", means["after"][0])
claim("exposure_planted_80_times", means["after"][-1], control=means["before"][-1])

# %% [markdown]
# *Bars of exposure for secrets planted 0 to 80 times, with the interval of the mean.* What was planted rarely is as good as unknown; what was repeated moves towards the top of the list of ten thousand, and some numbers come first. *Before* is the same
# model without that training: only the reading differs.
#
# Is it also possible to say of an *ordinary* note whether the model was trained on it (*membership inference*)? The simplest attack takes the loss: training notes should be easier. But some notes are easy for every model. A
# better attack subtracts the loss of a **reference model** that has not read the notes in question (Mireshghallah et al., 2022): here the encoder as it was before. For a patient it counts whether an attacker can be *sure* of a
# few, so beside the AUC stands the fraction of members found when 5 in 100 strangers are accused (Carlini et al., 2022).

# %%
attack_guess = checks.guess("AUC of the attack by loss alone", ...)


# %%
@torch.no_grad()
def note_losses(net: nn.Module, notes: list[str]) -> np.ndarray:
    """Mean loss of each note's tokens, every seventh token masked at a time."""
    order = sorted(range(len(notes)), key=lambda i: len(notes[i]))
    result = np.zeros(len(notes))
    for first in training.progress(range(0, len(order), 32), desc="losses of notes"):
        chosen = order[first : first + 32]
        batch = masked_tokenizer(
            [notes[i] for i in chosen],
            padding=True,
            return_tensors="pt",
            return_special_tokens_mask=True,
        )
        ids, real = batch["input_ids"], ~batch["special_tokens_mask"].bool()
        total = torch.zeros(len(chosen))
        for start in range(7):
            masks = real & (torch.arange(ids.shape[1]) % 7 == start)
            hidden = torch.where(masks, MASK_ID, ids)
            states = net.bert(hidden, attention_mask=batch["attention_mask"]).last_hidden_state
            each = F.cross_entropy(net.cls(states[masks]), ids[masks], reduction="none")
            total.index_add_(0, masks.nonzero()[:, 0], each)
        result[chosen] = (total / real.sum(1)).numpy()
    return result


# %% tags=["needs-answer"]
everyone = members + strangers
loss_tuned, loss_before = (note_losses(net, everyone) for net in (further_trained(), masked_model))
is_member = np.arange(len(everyone)) < len(members)


def attack(score: np.ndarray, n_boot: int = 200) -> dict[str, float]:
    """AUC with its 95 % interval, and the members found at 5 % of strangers accused."""
    rng = np.random.default_rng(SEED)
    yes, no = score[is_member], score[~is_member]
    draws = [
        roc_auc_score(is_member, np.r_[rng.choice(yes, len(yes)), rng.choice(no, len(no))])
        for _ in range(n_boot)
    ]
    low, high = np.quantile(draws, [0.025, 0.975])
    found = float((yes > np.quantile(no, 0.95)).mean())
    return {"AUC": roc_auc_score(is_member, score), "low": low, "high": high, "found at 5 %": found}


attacks = pd.DataFrame(
    {
        "loss": attack(-loss_tuned),
        "loss before training (control)": attack(-loss_before),
        "loss, minus that of the reference": attack(loss_before - loss_tuned),
    }
).T
attack_guess.reveal(float(attacks.loc["loss", "AUC"]))
claim("membership_auc", attacks.loc["loss", "AUC"])
claim("membership_reference", attacks.iloc[2]["AUC"], control=attacks.loc["loss", "AUC"])
attacks.round(3)

# %% [markdown]
# *AUC with its interval and members found, by attack.* The loss alone tells a little; seen beside the reference model's loss it tells somewhat more, though the intervals overlap. The control, the same notes before the training, is near one half. So short a training on notes from the same templates leaves little trace of
# a single one. That is *no* proof of safety in general: on real notes such an attack told members from strangers with an AUC of 0.90 for ClinicalBERT (Mireshghallah et al., 2022), while simple
# prompting recovered little (Lehman et al., 2021; Vakili and Dalianis, 2021). Larger generative models give back training text word for word (Carlini et al., 2021).
#
# **Vectors are not anonymous either.** From a sentence's embedding its words can be guessed (Song and Raghunathan, 2020), and *Vec2Text* (Morris et al., 2023) writes a text, embeds it, compares and corrects until both vectors
# agree: it gave back 92 % of texts of 32 tokens exactly, and full names from embedded clinical notes. A leaked vector index is a leaked archive. Treat a model trained on notes,
# and the embeddings it makes, like the notes: access by agreement, de-identification before training, and no publication without a review.
#
# ## Written answer
#
# > **Written** · 5 points · 15 minutes
#
# In at most 200 words: (a) What does the `[CLS]` vector of an encoder that was never fine-tuned mean, and what would you use in its place?
# (b) Your hospital wants to publish an encoder trained on its own notes. What may leak, how would you look for it, and what would you do first?

# %% [markdown] nbgrader={"grade": true, "grade_id": "written_1", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
# **Model answer.** (a) Masked-language modelling trains the vectors of masked tokens. `[CLS]` is never masked; in BERT it served next-sentence prediction, in the shipped model nothing at all.
# It is some mixture of the sentence that attention happened to collect, with no training signal that says which; distances between such vectors need not follow meaning.
# In its place: a masked mean over tokens, or fine-tuning with a loss on that vector, checked on a task beside a simple baseline.
#
# (b) Rare strings that were repeated (names, numbers, phrases), the fact that somebody was a patient (membership), and, from published embeddings, the text itself.
# Look for it with canaries planted before training and their exposure, with membership attacks that use a reference model, and by prompting. First: de-identify and remove duplicates
# before training, consider training with differential privacy, give access by agreement instead of publication. An attack that fails proves little.
#
# **Rubric.** 1 point: no training signal for `[CLS]` without fine-tuning (or only next-sentence prediction). 1 point: a reasonable replacement, with a check. 1 point: at least two kinds of leak
# (memorised strings, membership, inversion of embeddings). 1 point: a measurement that could find it. 1 point: a measure that comes before publication, or the remark that a failed
# attack is no proof.

# %% [markdown]
# ## Where you stand

# %%
checks.clinicalbert_embeddings.summary(globals())

# %% [markdown]
# **What you learned.** Tokens have offsets and lead back to the note. The encoder's input is word + position + segment, normalised; the matrix alone is not it. A note's vector
# is a masked mean, and padding must not matter. "Contextual" is a claim that a probe can decide, beside a control task, if templates do not cross the split. A mean vector knows what its training
# asked for; what it did not ask for can be learned on top. A model remembers what it has read often.
#
# **Where to read on**
#
# - Devlin et al. (2019), *BERT: Pre-training of Deep Bidirectional Transformers*; Wu et al. (2016) on word pieces.
# - Alsentzer et al. (2019), *Publicly Available Clinical BERT Embeddings*; Li et al. (2022), *Clinical-Longformer and Clinical-BigBird*.
# - Ethayarajh (2019), *How Contextual are Contextualized Word Representations?*; Hewitt and Liang (2019), *Designing and Interpreting Probes with Control Tasks*.
# - Reimers and Gurevych (2019), *Sentence-BERT*: why a plain mean or `[CLS]` is a weak sentence vector, and what helps; Jin et al. (2023), *MedCPT*; Liu et al. (2021), *SapBERT*.
# - Yang et al. (2022), *GatorTron*, 8.9 billion parameters; Sounack et al. (2025), *BioClinical ModernBERT*, 8,192 tokens where Bio_ClinicalBERT was trained on 128 at a time: longer notes reach it in parts that it has
#   hardly seen. Embeddings today also come from large language models (BehnamGhader et al., 2024, *LLM2Vec*); the tests of this notebook apply to them as they stand.
# - Chapman et al. (2001) on NegEx; Harkema et al. (2009) on ConText; Uzuner et al. (2011) on the assertions of i2b2 2010. Vig et al. (2020) on patching.
# - Carlini et al. (2019), *The Secret Sharer*; Carlini et al. (2021), *Extracting Training Data from Large Language Models*; Lehman et al. (2021),
#   *Does BERT Pretrained on Clinical Notes Reveal Sensitive Data?*; Vakili and Dalianis (2021), *Are Clinical BERT Models Privacy Preserving?*; Mireshghallah et al. (2022), *Quantifying
#   Privacy Risks of Masked Language Models Using Membership Inference Attacks*; Song and Raghunathan (2020), *Information Leakage in Embedding Models*;
#   Morris et al. (2023), *Text Embeddings Reveal (Almost) As Much As Text*.
