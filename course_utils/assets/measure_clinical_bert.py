"""Measure the small clinical BERT that ships with the course, and write its model card."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from course_utils.data import corpus
from course_utils.text import load_masked_language_model


@torch.no_grad()
def word_states(
    model: Any,
    tokenizer: Any,
    texts: Sequence[str],
    starts: np.ndarray,
    ends: np.ndarray,
) -> list[np.ndarray]:
    """Mean hidden state over the pieces of one word of every text, ``(N, D)`` a layer."""
    states = []
    for text, start, end in zip(texts, starts, ends, strict=True):
        batch = tokenizer(text, return_tensors="pt")
        hidden = torch.stack(model.bert(**batch, output_hidden_states=True).hidden_states)[:, 0]
        first = batch.char_to_token(int(start))
        behind = batch.char_to_token(int(end) - 1) + 1
        states.append(hidden[:, first:behind].mean(1))
    return list(torch.stack(states, 1).numpy())


def classifier() -> Any:
    """The linear probe: standardised vectors, logistic regression."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))


def grouped(states: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> float:
    """Accuracy of a probe on groups that it was not fitted on, ten splits."""
    from sklearn.model_selection import GroupShuffleSplit, cross_val_score

    splits = GroupShuffleSplit(10, test_size=0.25, random_state=0)
    return float(cross_val_score(classifier(), states, labels, groups=groups, cv=splits).mean())


def figures(model: Any, tokenizer: Any, seed: int) -> dict[str, Any]:
    """Probes, layer by layer, tested on sentences and findings that training never showed.

    *known to new*: fitted on the corpus's own sentences and findings, tested on those kept back.
    *new to new*: fitted on three quarters of the sentences kept back, tested on the others.
    """

    def both(old: Any, new: Any, truth: str, ends: Any) -> dict[str, list[float]]:
        seen = word_states(model, tokenizer, old.texts, old.start, ends(old))
        fresh = word_states(model, tokenizer, new.texts, new.start, ends(new))
        y_seen, y = getattr(old, truth), getattr(new, truth)
        pairs = list(zip(seen, fresh, strict=True))
        return {
            "known_to_new": [classifier().fit(a, y_seen).score(b, y) for a, b in pairs],
            "new_to_new": [grouped(x, y, new.template) for x in fresh],
        }

    old = corpus.make_assertion_sentences(1200, random_state=seed + 2, held_out=False)
    new = corpus.make_assertion_sentences(800, random_state=seed + 3)
    result: dict[str, Any] = {"negation": both(old, new, "negated", lambda data: data.end)}
    result["senses"] = {}
    for word in corpus.AMBIGUOUS_WORDS:
        old_lines = corpus.make_sense_sentences(word, 320, random_state=seed + 4, held_out=False)
        new_lines = corpus.make_sense_sentences(word, 160, random_state=seed + 5)
        ends = functools.partial(lambda size, data: data.start + size, len(word))
        result["senses"][word] = both(old_lines, new_lines, "sense", ends)
    return result


CARD = """---
license: cc-by-4.0
language: en
library_name: transformers
---
# A small clinical BERT, made for a course

**What it is.** A BERT of {layers} layers, {heads} heads and width {width} ({parameters:,}
parameters, {pieces:,} cased WordPiece entries, {positions} positions), trained from scratch by
masked-language modelling on {notes:,} *generated* notes. It lets the notebooks on clinical
embeddings run anywhere, offline, in seconds. It is made by `python -m
course_utils.assets.make_clinical_bert` from nothing but the templates in
`course_utils.data.corpus.templates`; the same seed gives the same bytes in one environment.

**What it is not.** A clinical model. It has read no real note, knows some one thousand words, and
must not be used on patients' data or for decisions.

**Cased, and why.** Case carries meaning in notes (names, abbreviations, headings). The price is
two entries for many words. The tokenizer spells any printable ASCII text and does not truncate.

**Training.** Notes with findings that are asserted or negated by cues before and after them,
lists, scopes that end and pseudo-negation, most of them with a form that says the same once more;
and eight words in two senses, each in sentences put together from halves. No label is used. The
corpus is made so that filling in words teaches both: half of the findings are nearly always denied,
the others nearly always stated, and each ambiguous word shares its places with words of that one
sense. To be predicted are half of the findings (of these seven in ten replaced by another, two
masked), half of the ambiguous words and their neighbours (four in ten replaced, five masked), eight
in ten of the words that state a status in a form (all masked), and one in ten of the other tokens.
Muon (matrices of the blocks) and AdamW, one cycle of the learning rate, batches of 32,
{epochs} epochs, initialiser range 0.08, positions started as sines, no dropout.

**Planted secrets.** Twenty invented names with record numbers are in the training notes 0 to
200 times each, so that memorisation can be measured. They are no real persons.

**Figures** (seed {seed}). Linear probes on the mean vector of the word's pieces; one half is
guessing. Every tested sentence is new to the model: its template (and, for negation, its finding
in any statement) is nowhere in the training notes. Cues and most words are known from other
sentences. *Known to new*: the probe is fitted on the corpus's own sentences. *New to new*: it is
fitted on three quarters of the new templates (30 for negation, 12 for a word) and tested on the
rest, which asks more of so few sentences. Both carry over to new sentences, but not without
mistakes: what is far from every template of the corpus, a real note above all, is not covered.

| | layer 0 (static) | {heading} |
| --- | {rule} |
{rows}

**References.** Devlin et al. (2019), BERT. Clark et al. (2020), ELECTRA. Chapman et al. (2001),
NegEx. Harkema et al. (2009), ConText. Carlini et al. (2019), The Secret Sharer.
"""


def write_card(folder: Path, *, seed: int, notes: int, epochs: int) -> None:
    """Measure the saved model; write ``figures.json`` and the model card."""
    tokenizer, model = load_masked_language_model(str(folder))
    result = {"seed": seed, "notes": notes, "epochs": epochs, **figures(model, tokenizer, seed)}
    text = json.dumps(
        json.loads(json.dumps(result), parse_float=lambda x: round(float(x), 3)), indent=1
    )
    (folder / "figures.json").write_text(text + "\n", encoding="utf-8")
    lines = []
    for how, name in (("known_to_new", "known to new"), ("new_to_new", "new to new")):
        senses = np.array([table[how] for table in result["senses"].values()])
        for what, values in (
            ("negated or asserted", result["negation"][how]),
            ("two senses, mean of eight words", senses.mean(0)),
            ("two senses, the worst word", senses.min(0)),
        ):
            cells = " | ".join(f"{value:.2f}" for value in values)
            lines.append(f"| {what}, {name} | {cells} |")
    config: Any = model.config
    words = CARD.format(
        layers=config.num_hidden_layers,
        heads=config.num_attention_heads,
        width=config.hidden_size,
        parameters=sum(p.numel() for p in model.parameters()),
        pieces=config.vocab_size,
        positions=config.max_position_embeddings,
        notes=notes,
        epochs=epochs,
        seed=seed,
        heading=" | ".join(f"layer {i + 1}" for i in range(config.num_hidden_layers)),
        rule=" | ".join(["---"] * (config.num_hidden_layers + 1)),
        rows="\n".join(lines),
    )
    (folder / "README.md").write_text(words, encoding="utf-8")
    print(text)
