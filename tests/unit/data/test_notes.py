"""Clinical notes: truth against an independent parser of the text, checksums, bad input."""

from __future__ import annotations

import re
import time
import zlib

import numpy as np
import pytest

from course_utils.data.notes import (
    CLASS_NAMES,
    FINDINGS,
    FORMS,
    KINDS,
    SHIFTED_KINDS,
    encode,
    make_clinical_notes,
    phrases,
    rule_labels,
    shifted,
)

PSEUDO = (
    "no increase in",
    "no interval change in",
    "no change in",
    "not only",
    "without difficulty",
    "gram negative",
    "not improved",
    "not resolve",
)
PRE = ("denies", "no evidence of", "no signs of", "negative for", "without", "free of")
PRE += ("fails to reveal", "never had", "testing ruled out", "no")
POST = ("was ruled out", "were ruled out", "unlikely", "excluded", "not seen", "not present")
POST += ("came back negative",)
ENDS = ("but", "however", "although", "except")


def words_in(phrases) -> str:
    return r"\b(?:" + "|".join(phrases) + r")\b"


def parse(text: str) -> list[tuple[str, str, bool]]:
    """Read (diagnosis, finding, asserted) of every mention from the text alone, slowly."""
    mentions = []
    for clause in re.split(r"\.|" + words_in(ENDS), text.lower()):
        clause = re.sub(words_in(PSEUDO), lambda m: "_" * len(m[0]), clause)
        for name, findings in FINDINGS.items():
            for finding in findings:
                for match in re.finditer(rf"\b{finding}\b", clause):
                    before, after = clause[: match.start()], clause[match.end() :]
                    negated = re.search(words_in(PRE), before) or re.search(words_in(POST), after)
                    mentions.append((name, finding, not negated))
    return sorted(mentions)


@pytest.fixture(scope="module")
def notes():
    return make_clinical_notes(3000, random_state=7)


def test_truth_agrees_with_an_independent_parser_of_the_text(notes):
    for i, text in enumerate(notes.texts()):
        real = np.flatnonzero(notes.mention_class[i] >= 0)
        truth = []
        for j in real:
            name = CLASS_NAMES[notes.mention_class[i, j]]
            finding = FINDINGS[name][notes.mention_finding[i, j]]
            truth.append((name, finding, bool(notes.mention_asserted[i, j])))
        read = parse(text)
        assert read == sorted(truth), text
        labels = [any(a for n, _, a in read if n == name) for name in CLASS_NAMES]
        assert notes.labels[i].tolist() == labels


def test_positions_point_at_finding_and_cue(notes):
    cues = {kind: set() for kind in KINDS}
    for i in range(500):
        words = notes.words(i)
        assert len(words) == notes.lengths[i]
        assert not notes.token_ids[i, notes.lengths[i] :].any()
        for j in np.flatnonzero(notes.mention_class[i] >= 0):
            name = CLASS_NAMES[notes.mention_class[i, j]]
            start = notes.mention_positions[i, j]
            found = words[start : start + notes.mention_lengths[i, j]]
            assert " ".join(found) == FINDINGS[name][notes.mention_finding[i, j]]
            cue = notes.cue_positions[i, j]
            kind = KINDS[notes.mention_kind[i, j]]
            assert (cue < 0) == (kind == "plain") == (notes.cue_lengths[i, j] == 0)
            cues[kind].add(" ".join(words[cue : cue + notes.cue_lengths[i, j]]))
            if kind == "before":
                assert cue < start
            if kind == "after":
                assert cue > start
    assert cues["ended"] <= set(ENDS)
    assert cues["pseudo"] <= set(PSEUDO)
    assert "denies" in cues["before"]
    assert "ruled out" in cues["before"] & cues["after"]


def test_unused_places_are_marked(notes):
    unused = notes.mention_class < 0
    assert (notes.mention_positions[unused] == -1).all()
    assert (notes.mention_kind[unused] == -1).all()
    assert (notes.cue_positions[unused] == -1).all()
    assert not notes.mention_lengths[unused].any()
    assert not notes.mention_asserted[unused].any()


def test_no_finding_twice_in_a_note(notes):
    key = notes.mention_class.astype(int) * 100 + notes.mention_finding
    for row, used in zip(key, notes.mention_class >= 0, strict=True):
        assert len(set(row[used])) == used.sum()


def test_the_mix_is_hard_for_words_alone(notes):
    mentioned, asserted = notes.mentioned, notes.labels.astype(bool)
    negated = mentioned & ~asserted
    assert 0.40 <= negated.sum() / mentioned.sum() <= 0.50
    assert (asserted.any(1) & negated.any(1)).mean() > 0.4
    assert 0.1 < 1 - asserted.any(1).mean() < 0.3
    assert np.ptp(asserted.mean(0)) < 0.05
    shares = np.bincount(notes.mention_kind[notes.mention_class >= 0], minlength=len(KINDS))
    assert (shares / shares.sum() > 0.05).all()


def test_same_seed_same_integers_everywhere():
    notes = make_clinical_notes(500, random_state=0)
    names = ("token_ids", "lengths", "labels", "mention_class", "mention_positions")
    names += ("mention_kind", "mention_asserted", "cue_positions", "cue_lengths")
    data = b"".join(getattr(notes, name).astype("<i8").tobytes() for name in names)
    assert zlib.crc32(data) == CHECKSUM
    again = make_clinical_notes(500, random_state=0)
    assert (again.token_ids == notes.token_ids).all()
    other = make_clinical_notes(500, random_state=1)
    assert not np.array_equal(other.lengths, notes.lengths)


CHECKSUM = 2016823451


def test_global_random_state_is_left_alone():
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    make_clinical_notes(10, random_state=3)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_many_notes_come_in_blocks_and_fast():
    start = time.process_time()
    notes = make_clinical_notes(20_000, random_state=0)
    seconds = time.process_time() - start
    assert len(notes) == 20_000
    assert notes.token_ids.shape[1] == notes.lengths.max()
    assert seconds < 1.0  # about 0.05 s on an idle core


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_notes(n):
    notes = make_clinical_notes(n, random_state=0)
    assert len(notes) == n == len(notes.texts())
    assert notes.labels.shape == (n, 4)
    assert notes.mentioned.shape == (n, 4)


def test_kinds_and_remarks_can_be_chosen():
    notes = make_clinical_notes(300, random_state=0, kinds={"before": 1, "plain": 2}, remarks=0.0)
    used = notes.mention_class >= 0
    assert set(np.unique(notes.mention_kind[used])) == {KINDS.index("plain"), KINDS.index("before")}
    assert "allergies" not in " ".join(notes.texts())
    many = make_clinical_notes(200, random_state=0, max_statements=6)
    assert many.mention_class.shape[1] == 18


def test_texts_read_like_notes_and_encode_back(notes):
    texts = notes.texts(range(20))
    assert all(t[0].isdigit() and t.endswith(".") and " ." not in t for t in texts)
    token_ids, lengths = encode(texts)
    assert (lengths == notes.lengths[:20]).all()
    assert (token_ids == notes.token_ids[:20, : token_ids.shape[1]]).all()
    unknown, _ = encode(["Denies zebras."])
    assert notes.vocabulary[unknown[0, 0]] == "denies"
    assert unknown[0, 1] == 1
    assert encode([])[0].shape == (0, 0)


def test_take(notes):
    mask = notes.labels[:, 0] == 1
    some = notes.take(mask)
    assert len(some) == mask.sum()
    assert some.vocabulary == notes.vocabulary
    assert notes.take([3, 1]).texts() == notes.texts([3, 1])
    assert len(notes.take(slice(5))) == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_samples": -1}, "n_samples"),
        ({"max_statements": 0}, "max_statements"),
        ({"max_statements": 7}, "max_statements"),
        ({"remarks": 1.5}, "remarks"),
        ({"kinds": {"maybe": 1.0}}, "maybe"),
        ({"kinds": {}}, "kinds"),
        ({"kinds": {"plain": -1.0}}, "kinds"),
        ({"kinds": {"family": 1.0}}, "family"),
        ({"grammar": "latin"}, "latin"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_clinical_notes(**{"n_samples": 5, "random_state": 0} | arguments)


def test_a_finding_stands_only_where_it_makes_sense(notes):
    """Patients deny symptoms, not laboratory values; diagnoses are ruled out, not symptoms."""
    sorts = {finding: phrases.SORTS.get(finding, "D") for finding in sum(FINDINGS.values(), ())}
    assert set(phrases.SORTS) <= set(sorts) >= phrases.GRADED
    for text in notes.texts():
        for finding in re.findall(words_in(sorts), " ".join(re.findall(r"enies ([^.,]*)", text))):
            assert "S" in sorts[finding] or "but" in text or "although" in text, text
        for finding in re.findall(rf"({words_in(sorts)}) (?:was|were) ruled out", text):
            assert "D" in sorts[finding], text
        assert not re.search(r"[Mm]ild (elevated|low|acute|chronic|type)", text), text
        if "on review of systems" in text:
            sentence = next(s for s in text.split(". ") if "on review of systems" in s).lower()
            assert all("S" in sorts[f] for f in re.findall(words_in(sorts), sentence)), text


# ------------------------------------------------------------------------- the shifted grammar


@pytest.fixture(scope="module")
def others():
    return make_clinical_notes(3000, random_state=7, grammar="shifted")


def forms_of(finding):
    return ((finding,), *shifted.FORMS[finding])


def test_shifted_findings_stand_where_the_truth_says(others):
    for i in range(1000):
        words = others.words(i)
        for j in np.flatnonzero(others.mention_class[i] >= 0):
            finding = FINDINGS[CLASS_NAMES[others.mention_class[i, j]]][
                others.mention_finding[i, j]
            ]
            start = others.mention_positions[i, j]
            found = " ".join(words[start : start + others.mention_lengths[i, j]])
            assert found in forms_of(finding)[others.mention_form[i, j]]


def test_shifted_labels_follow_the_cue(others):
    """Every statement is read on its own: which words stand at the cue decides the status."""
    asserting = {"plain", "ended", "pseudo", "history"}
    cues = {kind: set() for kind in SHIFTED_KINDS}
    for i in range(1500):
        words = others.words(i)
        for j in np.flatnonzero(others.mention_class[i] >= 0):
            kind = SHIFTED_KINDS[others.mention_kind[i, j]]
            cue = others.cue_positions[i, j]
            assert others.mention_asserted[i, j] == (kind in asserting)
            cues[kind].add(
                " ".join(words[cue : cue + others.cue_lengths[i, j]]) if cue >= 0 else ""
            )
        of_class = [any(others.mention_asserted[i][others.mention_class[i] == c]) for c in range(4)]
        assert others.labels[i].tolist() == of_class
    assert cues["plain"] == {""}
    assert {"possible", "cannot exclude", "cannot be excluded"} <= cues["uncertain"]
    assert {"family history of", "mother", "father", "brother"} == cues["family"]
    assert {"history of", "known"} <= cues["history"]
    assert {"absence of", "denies", "no"} <= cues["list"] | cues["before"]
    assert cues["ended"] - {"but", "however", "although", "except"}
    assert len(set().union(*cues.values())) > 40


def test_shifted_statements_are_new():
    old = {text for group in phrases.STATEMENTS.values() for text in group}
    new = [text for group in shifted.STATEMENTS.values() for text in group]
    assert len(new) == len(set(new)) > 60
    assert not old & set(new)
    assert set(shifted.FORMS) == {f for group in FINDINGS.values() for f in group}
    known = set(make_clinical_notes(0, random_state=0).vocabulary)
    for finding, (paraphrases, misspellings) in shifted.FORMS.items():
        assert finding not in paraphrases + misspellings
        assert all(not set(text.split()) <= known for text in misspellings), finding


def test_shifted_notes_are_longer_and_hold_everything(others, notes):
    used = others.mention_class >= 0
    assert others.lengths.mean() > 1.05 * notes.lengths.mean()
    assert others.mention_class.shape == (3000, 15)
    assert others.kind_names == (*KINDS, "uncertain", "family", "history")
    assert (np.bincount(others.mention_kind[used], minlength=9) / used.sum() > 0.02).all()
    shares = np.bincount(others.mention_form[used], minlength=len(FORMS)) / used.sum()
    assert shares == pytest.approx([0.6, 0.25, 0.15], abs=0.02)
    assert np.ptp(others.labels.mean(0)) < 0.06
    key = others.mention_class.astype(int) * 100 + others.mention_finding
    for row, real in zip(key, used, strict=True):
        assert len(set(row[real])) == real.sum()


def test_shared_words_have_one_id_and_new_ones_are_unknown_to_old_models(others, notes):
    size = len(notes.vocabulary)
    assert others.vocabulary[:size] == notes.vocabulary
    ids = others.ids_in(notes.vocabulary)
    assert ids.max() < size
    old = others.token_ids < size
    assert (ids[old] == others.token_ids[old]).all()
    assert (ids[~old] == 1).all()
    assert 0.05 < (ids == 1).sum() / others.lengths.sum() < 0.3
    assert (notes.ids_in(notes.vocabulary) == notes.token_ids).all()


def test_shifted_notes_are_the_same_everywhere_and_may_be_many():
    made = make_clinical_notes(500, random_state=0, grammar="shifted")
    names = ("token_ids", "labels", "mention_form", "mention_positions", "cue_positions")
    data = b"".join(getattr(made, name).astype("<i8").tobytes() for name in names)
    assert zlib.crc32(data) == SHIFTED_CHECKSUM
    most = make_clinical_notes(100, random_state=0, grammar="shifted", max_statements=6)
    assert most.mention_class.shape[1] == 30
    assert len(make_clinical_notes(0, random_state=0, grammar="shifted")) == 0
    family = make_clinical_notes(50, random_state=0, grammar="shifted", kinds={"family": 1})
    assert not family.labels.any()


SHIFTED_CHECKSUM = 2152908530


# ------------------------------------------------------------------------------------- the rule


@pytest.mark.parametrize(
    ("text", "near", "far"),
    [
        ("Denies chest pain but reports wheezing.", "0100", "0100"),
        ("No chest pain, wheezing, low urine output or increased thirst.", "0001", "0000"),
        ("Pneumonia, proteinuria, flank pain and heart failure were all excluded.", "0110", "0000"),
        ("No increase in pedal edema. Pneumonia was ruled out.", "1000", "1000"),
        ("Nothing to report.", "0000", "0000"),
    ],
)
def test_a_rule_reaches_five_words_or_until_a_terminator(text, near, far):
    assert "".join(map(str, rule_labels(text, 5))) == near
    assert "".join(map(str, rule_labels(text))) == far


def test_wider_lists_know_the_published_cues():
    assert rule_labels("Family history of pneumonia. Absence of wheezing.").tolist() == [0, 1, 0, 0]
    text = "Family history of pneumonia. Absence of wheezing. Possible heart failure."
    assert not rule_labels(text, wider=True).any()
    assert rule_labels("No doubt about pneumonia.", wider=True).tolist() == [0, 1, 0, 0]


def test_the_rule_solves_the_ordinary_grammar_and_not_the_shifted(notes, others):
    def right(some, **options):
        read = np.stack([rule_labels(text, **options) for text in some.texts(range(800))])
        return (read == some.labels[:800]).all(1).mean()

    assert right(notes) == 1.0
    assert right(notes, reach=5) < 0.97
    assert right(others) < right(others, wider=True) < 0.8
