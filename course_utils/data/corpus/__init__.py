"""A generated clinical corpus: notes, sentences with senses and assertions, secrets."""

from course_utils.data.corpus.corpus import (
    AMBIGUOUS_WORDS,
    N_TRAIN_FINDINGS,
    AssertionSentences,
    Canaries,
    ClinicalCorpus,
    SearchNotes,
    SenseSentences,
    kept_back_sentences,
    make_assertion_sentences,
    make_canaries,
    make_clinical_corpus,
    make_search_notes,
    make_sense_sentences,
    phrases,
)
from course_utils.data.corpus.loose import make_loose_sentences
from course_utils.data.corpus.suiting import STATUSES
from course_utils.data.corpus.writer import ALL_FINDINGS

__all__ = [
    "ALL_FINDINGS",
    "AMBIGUOUS_WORDS",
    "N_TRAIN_FINDINGS",
    "STATUSES",
    "AssertionSentences",
    "Canaries",
    "ClinicalCorpus",
    "SearchNotes",
    "SenseSentences",
    "kept_back_sentences",
    "make_assertion_sentences",
    "make_canaries",
    "make_clinical_corpus",
    "make_loose_sentences",
    "make_search_notes",
    "make_sense_sentences",
    "phrases",
]
