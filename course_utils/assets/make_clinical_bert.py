"""Make the small clinical BERT that ships with the course.

    python -m course_utils.assets.make_clinical_bert            # a few CPU minutes, one thread

writes tokenizer, weights, model card and figures to ``course_utils/assets/clinical_bert``. The same
seed gives the same bytes in one environment.

References
----------
Devlin et al. (2019), BERT, NAACL (masked-language modelling).
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from transformers import BertConfig, BertForMaskedLM, BertTokenizer

from course_utils.data import corpus
from course_utils.training import bucketed_batches, progress

FOLDER = Path(__file__).parent / "clinical_bert"
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
MAX_POSITIONS = 128


def make_tokenizer(texts: list[str], vocab_size: int) -> BertTokenizer:
    """Learn a cased WordPiece vocabulary that can spell every printable ASCII text."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    learner = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    learner.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    learner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    letters = [chr(code) for code in range(33, 127)]
    alphabet = letters + [f"##{letter}" for letter in letters if letter.isalnum()]
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocab_size,
        min_frequency=20,
        # named first, the alphabet has the same numbers in every run, so ties break the same way
        special_tokens=[*SPECIAL, *alphabet],
        show_progress=False,
    )
    learner.train_from_iterator(texts, trainer)
    learned = sorted(set(learner.get_vocab()) - set(SPECIAL))
    vocab = {token: number for number, token in enumerate([*SPECIAL, *learned])}
    return BertTokenizer(vocab=vocab, do_lower_case=False, strip_accents=False)


def mask_tokens(
    ids: torch.Tensor, tokenizer: BertTokenizer, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Choose 20 % of the real tokens to predict.

    60 % of the chosen ones become ``[MASK]``, 30 % another token of the batch, 10 % stay. (BERT has
    80, 10 and 10; more wrong words make the model check every word against its neighbours.)

    Shapes
    ------
    ids ``(B, T)`` -> corrupted ids ``(B, T)``, chosen bool ``(B, T)``
    """
    real = ids >= len(SPECIAL)
    chosen = (torch.rand(ids.shape, generator=generator) < 0.2) & real
    fate = torch.rand(ids.shape, generator=generator)
    pool = ids[real]
    other = pool[torch.randint(len(pool), ids.shape, generator=generator)]
    corrupted = torch.where(chosen & (fate < 0.6), tokenizer.mask_token_id, ids)
    return torch.where(chosen & (fate >= 0.7), other, corrupted), chosen


def masked_loss(
    model: BertForMaskedLM, ids: torch.Tensor, chosen: torch.Tensor, clean: torch.Tensor
) -> torch.Tensor:
    """Mean cross-entropy at the chosen positions; the vocabulary is scored only there."""
    hidden = model.bert(input_ids=ids, attention_mask=clean.ne(0).long()).last_hidden_state
    return F.cross_entropy(model.cls(hidden[chosen]), clean[chosen])


def pad(rows: list[list[int]]) -> torch.Tensor:
    """Stack token ids of different lengths, zeros (``[PAD]``) behind."""
    return nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True)


def train(
    rows: list[list[int]], tokenizer: BertTokenizer, *, seed: int, epochs: int
) -> BertForMaskedLM:
    """Masked-language modelling from scratch with AdamW and one cycle of the learning rate."""
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=512,
        max_position_embeddings=MAX_POSITIONS,
        initializer_range=0.08,  # with the usual 0.02 so small a model stays on a plateau
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = BertForMaskedLM(config).train()
    generator = torch.Generator().manual_seed(seed)
    lengths = [len(row) for row in rows]
    plan = [b for _ in range(epochs) for b in bucketed_batches(lengths, 32, generator=generator)]
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 2e-3, total_steps=len(plan), pct_start=0.1
    )
    bar = progress(plan, desc="masked words")
    for step, batch in enumerate(bar):
        clean = pad([rows[i] for i in batch.tolist()])
        loss = masked_loss(model, *mask_tokens(clean, tokenizer, generator), clean)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            bar.set_postfix(loss=f"{loss.item():.3f}")
    return model.eval()


@torch.no_grad()
def perplexity(
    model: BertForMaskedLM, rows: list[list[int]], tokenizer: BertTokenizer, seed: int = 0
) -> float:
    """Exponential of the mean loss at masked tokens of other notes."""
    generator = torch.Generator().manual_seed(seed)
    total, count = 0.0, 0
    for first in range(0, len(rows), 64):
        clean = pad(rows[first : first + 64])
        ids, chosen = mask_tokens(clean, tokenizer, generator)
        total += masked_loss(model, ids, chosen, clean).item() * int(chosen.sum())
        count += int(chosen.sum())
    return float(np.exp(total / count))


@torch.no_grad()
def first_piece_states(
    model: BertForMaskedLM, tokenizer: BertTokenizer, texts: tuple[str, ...], starts: np.ndarray
) -> list[np.ndarray]:
    """Hidden states of every layer at the first piece of the word that begins at ``starts``."""
    states = []
    for text, start in zip(texts, starts, strict=True):
        batch = tokenizer(text, return_tensors="pt")
        hidden = model.bert(**batch, output_hidden_states=True).hidden_states
        states.append(torch.stack(hidden)[:, 0, batch.char_to_token(int(start))])
    return list(torch.stack(states, 1).numpy())  # one (N, D) a layer


def probe(states: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> float:
    """Accuracy of a logistic regression on groups that it was not fitted on."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    scores = cross_val_score(classifier, states, labels, groups=groups, cv=GroupKFold(4))
    return float(scores.mean())


def figures(model: BertForMaskedLM, tokenizer: BertTokenizer, seed: int) -> dict[str, Any]:
    """Perplexity and probes on notes, findings and templates that training never showed."""
    fresh = corpus.make_clinical_corpus(1000, random_state=seed + 1)
    rows = tokenizer(list(fresh.texts))["input_ids"]
    result: dict[str, Any] = {"perplexity": perplexity(model, rows, tokenizer)}
    data = corpus.make_assertion_sentences(800, random_state=seed + 2)
    layers = first_piece_states(model, tokenizer, data.texts, data.start)
    by_template = [probe(x, data.negated, data.template) for x in layers]
    by_finding = [probe(x, data.negated, data.finding) for x in layers]
    result["negation_by_layer_new_templates"] = by_template
    result["negation_by_layer_new_findings"] = by_finding
    result["senses_by_layer"] = {}
    for word in corpus.AMBIGUOUS_WORDS:
        pairs = corpus.make_sense_sentences(word, 160, random_state=seed + 3)
        layers = first_piece_states(model, tokenizer, pairs.texts, pairs.start)
        result["senses_by_layer"][word] = [probe(x, pairs.sense, pairs.template) for x in layers]
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
`course_utils.data.corpus_templates`; the same seed gives the same bytes in one environment.

**What it is not.** A clinical model. It has read no real note, knows some {words} words, and
must not be used on patients' data or for decisions.

**Cased, and why.** Case carries meaning in notes (names, abbreviations, headings). The price is
two entries for many words. The tokenizer spells any printable ASCII text and does not truncate.

**Training.** Generated notes with findings that are asserted or negated by cues before and
after them, lists, scopes that end and pseudo-negation; and eight words in two senses. No label
is used. The corpus is made so that plain substitution teaches both: some findings are mostly
denied and others mostly stated, and each ambiguous word shares its places with words of that
one sense. AdamW, one cycle to 2e-3, batches of 32, {epochs} epochs, 20 % of the tokens
predicted (60 % masked, 30 % replaced, 10 % kept), initialiser range 0.08, no dropout.

**Planted secrets.** Twenty invented names with record numbers are in the training notes 0 to
200 times each, so that memorisation can be measured. They are no real persons.

**Figures** (seed {seed}; on findings, templates and notes that training never showed)

| | static (layer 0) | last layer |
| --- | --- | --- |
| perplexity at predicted tokens of new notes | | {perplexity:.2f} |
| negated or asserted, probe tested on other templates | {neg_static:.2f} | {neg_last:.2f} |
| negated or asserted, probe tested on other findings | {find_static:.2f} | {find_last:.2f} |
| two senses, mean of eight words, new templates | {sense_static:.2f} | {sense_last:.2f} |
| two senses, the worst word | | {sense_worst:.2f} |

Linear probes at the first piece of the word; one half is guessing. The first block's heads look
mostly at fixed short distances, so what the vectors know holds better in familiar phrases.

**References.** Devlin et al. (2019), BERT. Chapman et al. (2001), NegEx. Harkema et al. (2009),
ConText. Carlini et al. (2019), The Secret Sharer.
"""


def card(model: BertForMaskedLM, result: dict[str, Any], epochs: int) -> str:
    """Model card with the figures measured."""
    config, senses = model.config, list(result["senses_by_layer"].values())
    return CARD.format(
        layers=config.num_hidden_layers,
        heads=config.num_attention_heads,
        width=config.hidden_size,
        parameters=sum(p.numel() for p in model.parameters()),
        pieces=config.vocab_size,
        positions=config.max_position_embeddings,
        notes=result["notes"],
        words="one thousand",
        epochs=epochs,
        seed=result["seed"],
        perplexity=result["perplexity"],
        neg_static=result["negation_by_layer_new_templates"][0],
        neg_last=result["negation_by_layer_new_templates"][-1],
        find_static=result["negation_by_layer_new_findings"][0],
        find_last=result["negation_by_layer_new_findings"][-1],
        sense_static=float(np.mean([layers[0] for layers in senses])),
        sense_last=float(np.mean([layers[-1] for layers in senses])),
        sense_worst=min(layers[-1] for layers in senses),
    )


def main() -> None:
    """Make tokenizer, model, figures and model card."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=FOLDER)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--notes", type=int, default=20_000)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--vocabulary", type=int, default=1700)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    began = time.process_time()
    notes = list(corpus.make_clinical_corpus(options.notes, random_state=options.seed).texts)
    canaries = corpus.make_canaries(random_state=options.seed)
    for number, repeats in enumerate(canaries.repeats):
        notes += [canaries.text(number)] * int(repeats)
    tokenizer = make_tokenizer(notes, options.vocabulary)
    rows = tokenizer(notes)["input_ids"]
    print(
        f"{len(notes)} notes, {len(tokenizer)} pieces, at most {max(map(len, rows))} tokens a note"
    )
    rows = [row[:MAX_POSITIONS] for row in rows]
    model = train(rows, tokenizer, seed=options.seed, epochs=options.epochs)
    seconds = time.process_time() - began
    options.output.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(options.output)
    model.save_pretrained(options.output)
    result = {"seed": options.seed, "notes": len(notes), **figures(model, tokenizer, options.seed)}
    rounded = json.loads(json.dumps(result), parse_float=lambda x: round(float(x), 3))
    text = json.dumps(rounded, indent=1)
    (options.output / "figures.json").write_text(text + "\n", encoding="utf-8")
    words = card(model, result, options.epochs)
    (options.output / "README.md").write_text(words, encoding="utf-8")
    (options.output / "model.safetensors").chmod(0o644)
    print(text, f"\n{seconds:.0f} CPU s of training")


if __name__ == "__main__":
    main()
