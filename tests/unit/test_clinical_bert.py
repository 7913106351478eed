"""How the small clinical BERT is made, and what the one that ships knows."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from course_utils import text
from course_utils.assets import make_clinical_bert as maker
from course_utils.assets import measure_clinical_bert as measure
from course_utils.data import corpus
from course_utils.data.corpus import templates as words

HELD_OUT = [name for names in words.HELD_OUT_FINDINGS for name in names]


@pytest.fixture(scope="module")
def shipped():
    return text.load_masked_language_model()


@pytest.fixture(scope="module")
def rows(shipped):
    notes = corpus.make_clinical_corpus(200, random_state=8).texts
    return shipped[0](list(notes))["input_ids"]


def corrupted(shipped, rows, seed=0):
    corrupt = maker.Corrupter(shipped[0], corpus.phrases(), HELD_OUT, seed)
    clean = maker.pad(rows)
    phrases = [corrupt.find(row) for row in rows]
    return clean, phrases, *corrupt(clean, phrases)


def test_phrases_are_found_whole(shipped):
    tokenizer = shipped[0]
    corrupt = maker.Corrupter(tokenizer, corpus.phrases(), HELD_OUT, 0)
    row = tokenizer("Chest pain, no cold feet, no fever. Form: fever no. Syncope.")["input_ids"]
    found = [(tokenizer.decode(row[a:b]), kind[0]) for a, b, kind in corrupt.find(row)]
    assert found == [
        ("Chest pain", "finding"),
        ("cold", "sense"),
        ("fever", "finding"),
        ("fever", "finding"),
        ("no", "status"),
    ]


def test_only_chosen_real_tokens_change(shipped, rows):
    clean, _phrases, ids, chosen = corrupted(shipped, rows)
    assert torch.equal(ids[~chosen], clean[~chosen])
    assert not chosen[clean < len(maker.SPECIAL)].any()
    assert 0.12 < chosen.sum() / (clean >= len(maker.SPECIAL)).sum() < 0.3


def test_phrases_are_chosen_whole_and_replaced_by_their_kind(shipped, rows):
    clean, phrases, ids, chosen = corrupted(shipped, rows * 5)
    corrupt = maker.Corrupter(shipped[0], corpus.phrases(), HELD_OUT, 0)
    fates = {
        kind: dict.fromkeys(("not chosen", "masked", "replaced", "kept"), 0) for kind in maker.FATES
    }
    for row, spans in enumerate(phrases):
        for start, end, kind in spans:
            assert len(set(chosen[row, start:end].tolist())) == 1
            now = ids[row, start:end].tolist()
            if not chosen[row, start]:
                fate = "not chosen"
            elif set(now) == {shipped[0].mask_token_id}:
                fate = "masked"
            elif now == clean[row, start:end].tolist():
                fate = "kept"
            else:
                fate = "replaced"
                assert corrupt.find([*now, 0]) == [(0, end - start, kind)]
            fates[kind[0]][fate] += 1
    for kind, (share, masked, replaced) in maker.FATES.items():  # some replace themselves by chance
        found = np.array([*fates[kind].values()]) / sum(fates[kind].values())
        kept = 1 - masked - replaced
        wanted = [1 - share, share * masked, share * replaced, share * kept]
        np.testing.assert_allclose(found, wanted, atol=0.06, err_msg=kind)


def test_findings_kept_back_never_replace_a_word(shipped, rows):
    clean, _phrases, ids, _chosen = corrupted(shipped, rows * 5)
    kept_back = {i for name in HELD_OUT for i in shipped[0](name)["input_ids"][1:-1]}
    trained = {i for n in corpus.phrases()["finding"] for i in shipped[0](n)["input_ids"]}
    only = torch.tensor(sorted(kept_back - trained))
    assert not torch.isin(ids[ids != clean], only).any()


def test_same_seed_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(maker, "write_card", lambda *_, **__: None)
    for name in ("a", "b"):
        options = ["--notes", "150", "--epochs", "1", "--output", str(tmp_path / name)]
        monkeypatch.setattr("sys.argv", ["make_clinical_bert", *options])
        maker.main()
    torch.use_deterministic_algorithms(False)
    for file in ("model.safetensors", "tokenizer.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_the_shipped_model_knows_negation_in_new_sentences(shipped):
    tokenizer, model = shipped
    old = corpus.make_assertion_sentences(500, random_state=11, held_out=False)
    new = corpus.make_assertion_sentences(240, random_state=12)
    states = [
        measure.word_states(model, tokenizer, data.texts, data.start, data.end)
        for data in (old, new)
    ]
    accuracy = [
        measure.classifier().fit(a, old.negated).score(b, new.negated)
        for a, b in zip(*states, strict=True)
    ]
    assert accuracy[0] < 0.62
    assert accuracy[-1] > 0.83  # 0.95 on more sentences


def test_the_card_holds_the_figures():
    folder = Path(text.SHIPPED)
    figures = json.loads((folder / "figures.json").read_text(encoding="utf-8"))
    card = (folder / "README.md").read_text(encoding="utf-8")
    last = figures["negation"]["known_to_new"][-1]
    assert f"{last:.2f} |" in card
    assert f"{figures['notes']:,}" in card
    assert set(figures["senses"]) == set(corpus.AMBIGUOUS_WORDS)
