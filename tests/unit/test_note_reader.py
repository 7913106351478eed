"""The finished reader of notes ships with weights that read its grammar, and can be broken."""

import pytest
import torch

from course_utils import note_reader
from course_utils.assets.make_note_reader import scores
from course_utils.data.notes import CLASS_NAMES, make_clinical_notes


def test_the_shipped_weights_read_fresh_notes():
    notes = make_clinical_notes(400, random_state=77, max_statements=2, remarks=0.1)
    found = scores(note_reader.load(), notes)
    assert found["micro"] > 0.97
    assert found["both_kinds"] > 0.95


def test_it_tells_a_sentence_from_its_mirror():
    opening = "71-year-old woman admitted from home. "
    sentences = (
        "Denies chest pain but reports wheezing.",
        "Denies wheezing but reports chest pain.",
    )
    table = note_reader.read([opening + sentence for sentence in sentences])
    assert list(table.columns) == [*CLASS_NAMES, "unknown words"]
    one, two = table.Cardiac - table.Respiratory
    assert one < -0.5 < 0.5 < two


def test_padding_does_not_matter_and_unknown_words_are_counted():
    long = "Denies chest pain but reports wheezing and has a stethoscope in the glovebox."
    alone, beside = note_reader.read("No pneumonia."), note_reader.read(["No pneumonia.", long])
    assert alone.Respiratory.iloc[0] == pytest.approx(beside.Respiratory.iloc[0], abs=0.011)
    assert alone["unknown words"].iloc[0] == 0
    assert beside["unknown words"].iloc[1] > 0


@pytest.mark.parametrize("texts", [[], [""], ["Denies pain.", "..!?" * 0]])
def test_nothing_to_read(texts):
    with pytest.raises(ValueError, match="at least one word"):
        note_reader.read(texts)


def test_the_reader_is_in_evaluation_mode_and_small():
    reader = note_reader.load()
    assert not reader.training
    assert sum(p.numel() for p in reader.parameters()) < 100_000
    assert all(torch.isfinite(p).all() for p in reader.parameters())
