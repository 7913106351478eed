"""The generated clinical corpus: reproducible, true to its ground truth, nothing held out leaks."""

import hashlib
import re

import numpy as np
import pytest

from course_utils.data import corpus
from course_utils.data.corpus import suiting
from course_utils.data.corpus import templates as words


def digest(*arrays):
    joined = b"".join(np.ascontiguousarray(a).astype(np.int64).tobytes() for a in arrays)
    return hashlib.sha256(joined).hexdigest()[:16]


@pytest.fixture(scope="module")
def notes():
    return corpus.make_clinical_corpus(400, random_state=3)


def test_same_seed_same_notes(notes):
    again = corpus.make_clinical_corpus(400, random_state=3)
    assert again.texts == notes.texts
    assert digest(again.note, again.finding, again.negated) == digest(
        notes.note, notes.finding, notes.negated
    )
    assert corpus.make_clinical_corpus(400, random_state=4).texts != notes.texts


def test_checksums_of_the_integers(notes):
    assert digest(notes.note, notes.finding, notes.negated) == "da8365e868a0c7f8"
    data = corpus.make_assertion_sentences(50, random_state=1)
    assert digest(data.start, data.end, data.finding, data.template) == "5f83463f29ae42d4"


def test_words_and_texts_are_those_the_shipped_model_was_trained_on(notes):
    kinds = {k: v for k, v in vars(words).items() if k.isupper() and not k.startswith("_")}
    known = hashlib.sha256(repr(sorted(kinds.items())).encode()).hexdigest()
    assert known.startswith("11bdbda9d84da02b"), "make the shipped model again with the new words"
    texts = hashlib.sha256("\n".join(notes.texts).encode()).hexdigest()
    assert texts.startswith("ff6c11620865d4c3")


def test_statements_are_in_their_note(notes):
    lowered = [text.lower() for text in notes.texts]
    for note, finding in zip(notes.note, notes.finding, strict=True):
        assert any(name in lowered[note] for name in corpus.ALL_FINDINGS[finding])
    assert 0.35 < notes.negated.mean() < 0.6


def test_held_out_findings_are_never_asserted_or_negated(notes):
    assert notes.finding.max() < corpus.N_TRAIN_FINDINGS
    neutral = [re.sub(r"\{[a-z]+\}", ".*", re.escape(t).replace(r"\{", "{").replace(r"\}", "}"))
               for t in words.NEUTRAL]  # fmt: skip
    patterns = [re.compile(p, re.IGNORECASE) for p in neutral]
    for names in words.HELD_OUT_FINDINGS:
        for text in notes.texts:
            for sentence in re.split(r"(?<=[.?])\s+", text):
                if re.search(rf"\b{names[0]}\b", sentence, re.IGNORECASE):
                    assert any(p.search(sentence) for p in patterns), sentence


def test_held_out_sentences_are_not_in_the_corpus():
    assert not set(words.HELD_OUT_ASSERTED) & set(words.ASSERTED + words.PSEUDO)
    assert not set(words.HELD_OUT_NEGATED) & set(words.NEGATED)
    for senses in words.SENSES.values():
        shown = {line for lines, _ in senses.values() for line in lines}
        kept = {line for _, lines in senses.values() for line in lines}
        assert len(senses) == 2
        assert not shown & kept


def test_no_note_holds_a_sentence_kept_back(notes):
    pattern = corpus.kept_back_sentences()
    kept_back = [*corpus.make_assertion_sentences(200, random_state=2).texts]
    for word in corpus.AMBIGUOUS_WORDS:
        kept_back += corpus.make_sense_sentences(word, 40, random_state=2).texts
    assert all(pattern.search(sentence) for sentence in kept_back)
    assert not [text for text in notes.texts if pattern.search(text)]


def test_forms_agree_with_what_the_notes_state(notes):
    checked = 0
    for number, text in enumerate(notes.texts):
        stated = notes.note == number
        for f, negated in zip(notes.finding[stated], notes.negated[stated], strict=True):
            for name in corpus.ALL_FINDINGS[f]:
                for status in re.findall(rf"\b{name} (yes|present|active|no|absent|none)\b", text):
                    checked += 1
                    assert (status in ("no", "absent", "none")) == negated
    assert checked > 50


@pytest.mark.parametrize("held_out", [True, False])
def test_assertion_spans(held_out):
    data = corpus.make_assertion_sentences(60, random_state=0, held_out=held_out)
    for text, name, start, end in zip(data.texts, data.names, data.start, data.end, strict=True):
        assert text[start:end] == name
    assert data.negated.sum() == 30
    assert ((data.finding >= corpus.N_TRAIN_FINDINGS) == held_out).all()


@pytest.mark.parametrize("word", corpus.AMBIGUOUS_WORDS)
def test_sense_spans(word):
    data = corpus.make_sense_sentences(word, 20, random_state=0)
    for text, start in zip(data.texts, data.start, strict=True):
        assert text[start : start + len(word)].lower() == word
    assert data.sense.mean() == 0.5


def test_paraphrase_queries_share_no_name_with_their_notes():
    data = corpus.make_search_notes(120, random_state=0)
    for number, (query, kind) in enumerate(zip(data.queries, data.query_kind, strict=True)):
        relevant = data.relevant(number)
        assert relevant.any()
        name = corpus.ALL_FINDINGS[data.query_finding[number]][0]
        if kind == "paraphrase":
            assert not re.search(rf"\b{name}\b", query)
        else:
            assert (data.note_negated[relevant] == data.query_negated[number]).all()


def test_possible_is_a_third_status_of_its_own():
    for held_out in (True, False):
        data = corpus.make_assertion_sentences(90, random_state=4, held_out=held_out, possible=True)
        assert np.bincount(data.status).tolist() == [30, 30, 30]
        assert (data.negated == (data.status == 1)).all()
    groups = [*suiting.GROUPS, *suiting.HELD_OUT_GROUPS]
    lines = [line for group in groups for line in group]
    assert len(lines) == len(set(lines))
    pattern = corpus.kept_back_sentences()
    assert not any(pattern.search(line) for line in suiting.GROUPS[2])


def test_no_sentence_is_absurd():
    data = corpus.make_assertion_sentences(2000, random_state=5, possible=True)
    texts = [*data.texts, *corpus.make_assertion_sentences(
        2000, random_state=5, held_out=False, possible=True).texts,
        *corpus.make_search_notes(400, random_state=5).notes]  # fmt: skip
    symptoms = "hoarseness|cough|coughing|tinnitus|ear pain|nausea|headache|chills|insomnia"
    tests = "|".join(words.SLOTS["test"])
    absurd = re.compile(
        rf"^({tests})\b.*\b({symptoms})\b|\b({symptoms})\b.* (on|by) ({tests}|exam)\b"
        rf"|woke up with.*(ago|week)|feels (effusion|nodule|pneumothorax)|Neither (.*) nor \5\b",
        re.IGNORECASE,
    )
    assert not [text for text in texts if absurd.search(text)]


def test_canaries():
    many = corpus.make_canaries(random_state=0, levels=(0, 1, 5, 20, 80), per_level=20)
    assert len(set(many.names)) == 100
    assert np.bincount(many.repeats)[[0, 1, 5, 20, 80]].tolist() == [20] * 5
    with pytest.raises(ValueError, match="100 names"):
        corpus.make_canaries(random_state=0, per_level=21)
    data = corpus.make_canaries(random_state=0)
    assert not set(many.names) & set(data.names)
    assert len(set(data.names)) == len(data.names) == len(data.repeats)
    assert re.fullmatch(r"The record number of [A-Z][a-z]+ is \d \d \d \d\.", data.text(0))


def test_empty_and_bad_arguments():
    assert corpus.make_clinical_corpus(0, random_state=0).texts == ()
    assert corpus.make_assertion_sentences(0, random_state=0).texts == ()
    assert corpus.make_sense_sentences("cold", 0, random_state=0).texts == ()
    with pytest.raises(ValueError, match="n_samples"):
        corpus.make_clinical_corpus(-1, random_state=0)
    with pytest.raises(ValueError, match="word must be one of"):
        corpus.make_sense_sentences("warm", 4, random_state=0)


def test_random_sentences_hold_their_names_and_no_finding_kept_back():
    data = corpus.make_loose_sentences(400, random_state=6)
    for text, name, start, end in zip(data.texts, data.names, data.start, data.end, strict=True):
        assert text[start:end] == name
        assert text.lower().count(name.lower()) == 1
    kept_back = [name for names in corpus.ALL_FINDINGS[corpus.N_TRAIN_FINDINGS :] for name in names]
    pattern = re.compile(rf"\b({'|'.join(kept_back)})\b", re.I)
    assert not any(pattern.search(text) for text in data.texts)
    assert 0.35 < data.negated.mean() < 0.65
    assert 0.3 < (data.finding < 0).mean() < 0.7
    assert corpus.make_loose_sentences(400, random_state=6).texts == data.texts
    assert corpus.make_loose_sentences(0, random_state=6).texts == ()
    with pytest.raises(ValueError, match="n_samples"):
        corpus.make_loose_sentences(-1, random_state=6)
