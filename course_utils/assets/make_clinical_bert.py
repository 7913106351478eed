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
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from transformers import BertConfig, BertForMaskedLM, BertTokenizer

from course_utils.assets.measure_clinical_bert import write_card
from course_utils.data import corpus
from course_utils.data.corpus import templates as templates
from course_utils.training import bucketed_batches, progress

FOLDER = Path(__file__).parent / "clinical_bert"
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
MAX_POSITIONS = 128
OTHERS = 0.1  # share of the tokens outside phrases that are to be predicted
# By kind of phrase: the share to be predicted, and how much of it is masked and replaced.
FATES = {"finding": (0.5, 0.2, 0.7), "sense": (0.5, 0.5, 0.4), "status": (0.8, 1.0, 0.0)}


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


Phrase = tuple[int, int, tuple[Any, ...]]  # first token, token behind the last, kind


class Corrupter:
    """Chooses what to predict: half of the phrases, and of all other tokens one in ten.

    A phrase is the name of a finding, or a word that has two senses or can stand for one that has.
    Many of the phrases chosen become another phrase of the same kind and length. So a plausible
    phrase is no evidence that it is the right one: the model has to ask the context which findings
    are denied here, and which sense fits. (With random words in its place, as in BERT, a phrase
    that fits the place at all can be believed.) In forms, most words that say *present* or *absent*
    become ``[MASK]``: they can be told only from the sentence that speaks of the same finding. No
    label of status or sense is used.

    Parameters
    ----------
    phrases : phrases to choose, by kind
    kept_back : phrases whose pieces never replace anything

    References
    ----------
    Devlin et al. (2019), BERT; Clark et al. (2020), ELECTRA (plausible replacements).
    """

    def __init__(
        self,
        tokenizer: BertTokenizer,
        phrases: Mapping[str, Sequence[str]],
        kept_back: Sequence[str],
        seed: int,
    ) -> None:
        self.mask_id = tokenizer.mask_token_id
        self._rng = np.random.default_rng(seed)
        self._kind: dict[tuple[int, ...], tuple[Any, ...]] = {}
        self._others: dict[tuple[Any, ...], list[tuple[int, ...]]] = {}
        for kind, names in phrases.items():
            for name in names:
                for form in (name, name[0].upper() + name[1:]):
                    ids = tuple(tokenizer(form, add_special_tokens=False)["input_ids"])
                    key = (kind, form[0].isupper(), len(ids))
                    self._kind[ids] = key
                    self._others.setdefault(key, []).append(ids)
        self._ends = {tokenizer.convert_tokens_to_ids(end) for end in ",."}
        self._longest = max(map(len, self._kind))
        self._barred = {i for name in kept_back for i in tokenizer(name)["input_ids"]}

    def find(self, row: Sequence[int]) -> list[Phrase]:
        """Phrases of a row of token ids, the longest where several begin."""
        found, i = [], 0
        while i < len(row):
            for length in range(self._longest, 0, -1):
                kind = self._kind.get(tuple(row[i : i + length]))
                if kind is None or i + length >= len(row):
                    continue
                if kind[0] != "status" or row[i + length] in self._ends:  # a form's, or like it
                    found.append((i, i + length, kind))
                    i += length - 1
                    break
            i += 1
        return found

    def __call__(
        self, clean: torch.Tensor, phrases: list[list[Phrase]]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Token ids ``(B, T)`` and their phrases -> corrupted ids, chosen bool, both ``(B, T)``."""
        ids = clean.numpy()
        result = ids.copy()
        real = ids >= len(SPECIAL)
        pool = ids[real & ~np.isin(ids, list(self._barred))]
        chosen = real & (self._rng.random(ids.shape) < OTHERS)
        fate = self._rng.random(ids.shape)
        result[chosen & (fate < 0.7)] = self.mask_id
        other = pool[self._rng.integers(len(pool), size=ids.shape)]
        result[chosen & (fate >= 0.9)] = other[chosen & (fate >= 0.9)]
        for row, spans in enumerate(phrases):
            for start, end, kind in spans:
                span = (row, slice(start, end))
                result[span] = ids[span]
                share, masked, replaced = FATES[kind[0]]
                chosen[span] = self._rng.random() < share
                if not chosen[row, start]:
                    continue
                fate_here = self._rng.random()
                if fate_here < masked:
                    result[span] = self.mask_id
                elif fate_here < masked + replaced:
                    options = self._others[kind]
                    result[span] = options[self._rng.integers(len(options))]
        return torch.from_numpy(result), torch.from_numpy(chosen)


def masked_loss(
    model: BertForMaskedLM,
    ids: torch.Tensor,
    chosen: torch.Tensor,
    clean: torch.Tensor,
) -> torch.Tensor:
    """Mean cross-entropy at the chosen positions; the vocabulary is scored only there."""
    hidden = model.bert(input_ids=ids, attention_mask=clean.ne(0).long()).last_hidden_state
    return F.cross_entropy(model.cls(hidden[chosen]), clean[chosen])


def pad(rows: list[list[int]]) -> torch.Tensor:
    """Stack token ids of different lengths, zeros (``[PAD]``) behind."""
    return nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True)


def configuration(vocab_size: int, layers: int) -> BertConfig:
    """Size and initialisation of the model."""
    return BertConfig(
        vocab_size=vocab_size,
        hidden_size=128,
        num_hidden_layers=layers,
        num_attention_heads=4,
        intermediate_size=512,
        max_position_embeddings=MAX_POSITIONS,
        initializer_range=0.08,  # with the usual 0.02 so small a model stays on a plateau
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )


@torch.no_grad()
def start_with_waves(table: torch.Tensor, scale: float = 0.12) -> None:
    """Fill ``(positions, D)`` with sines and cosines, so that equal distances look alike."""
    place = torch.arange(len(table)).unsqueeze(1)
    rate = 10_000.0 ** (-torch.arange(0, table.shape[1], 2) / table.shape[1])
    table[:, 0::2] = torch.sin(place * rate) * scale
    table[:, 1::2] = torch.cos(place * rate) * scale


def optimizers(model: BertForMaskedLM) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the blocks, which halves the steps needed; AdamW for the rest."""
    inner = [w for w in model.bert.encoder.parameters() if w.ndim == 2]
    known = {id(w) for w in inner}
    rest = [w for w in model.parameters() if id(w) not in known]
    return [
        torch.optim.AdamW(rest, lr=2e-3, weight_decay=0.01),
        torch.optim.Muon(inner, lr=0.01, weight_decay=0.01),
    ]


def train(
    rows: list[list[int]], config: BertConfig, corrupt: Corrupter, *, seed: int, epochs: int
) -> BertForMaskedLM:
    """Masked-language modelling from scratch, with one cycle of the learning rate."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = BertForMaskedLM(config).train()
    start_with_waves(model.bert.embeddings.position_embeddings.weight)
    generator = torch.Generator().manual_seed(seed)
    phrases = [corrupt.find(row) for row in rows]
    lengths = [len(row) for row in rows]
    plan = [b for _ in range(epochs) for b in bucketed_batches(lengths, 32, generator=generator)]
    parts = optimizers(model)
    schedules = [
        torch.optim.lr_scheduler.OneCycleLR(
            part, part.param_groups[0]["lr"], len(plan), pct_start=0.1, cycle_momentum=False
        )
        for part in parts
    ]
    bar = progress(plan, desc="masked words")
    for step, batch in enumerate(bar):
        chosen = batch.tolist()
        clean = pad([rows[i] for i in chosen])
        ids, places = corrupt(clean, [phrases[i] for i in chosen])
        loss = masked_loss(model, ids, places, clean)
        model.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for part in parts:
            part.step()
        for schedule in schedules:
            schedule.step()
        if step % 100 == 0:
            bar.set_postfix(loss=f"{loss.item():.3f}")
    return model.eval()


def main() -> None:
    """Make tokenizer, model, figures and model card."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=FOLDER)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--notes", type=int, default=24_000)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--layers", type=int, default=3)
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
    rows = [row[:MAX_POSITIONS] for row in tokenizer(notes)["input_ids"]]
    print(f"{len(notes)} notes, {len(tokenizer)} pieces, {np.mean([*map(len, rows)]):.0f} a note")
    held_out = [name for names in templates.HELD_OUT_FINDINGS for name in names]
    corrupt = Corrupter(tokenizer, corpus.phrases(), held_out, options.seed)
    config = configuration(len(tokenizer), options.layers)
    model = train(rows, config, corrupt, seed=options.seed, epochs=options.epochs)
    seconds = time.process_time() - began
    options.output.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(options.output)
    model.save_pretrained(options.output)
    (options.output / "model.safetensors").chmod(0o644)
    print(f"{seconds:.0f} CPU s")
    write_card(options.output, seed=options.seed, notes=len(notes), epochs=options.epochs)


if __name__ == "__main__":
    main()
