"""What a synthetic clinical note is made of: findings, statements, remarks, and their tokens."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

import numpy as np

CLASS_NAMES = ("Cardiac", "Respiratory", "Renal", "Diabetes")

FINDINGS: dict[str, tuple[str, ...]] = {
    "Cardiac": (
        "chest pain",
        "heart failure",
        "atrial fibrillation",
        "elevated troponin",
        "pericardial effusion",
        "coronary artery disease",
        "elevated blood pressure",
        "pedal edema",
        "heart murmur",
    ),
    "Respiratory": (
        "pneumonia",
        "wheezing",
        "respiratory failure",
        "pleural effusion",
        "chronic bronchitis",
        "low oxygen saturation",
        "obstructive lung disease",
        "chest tightness",
        "productive cough",
    ),
    "Renal": (
        "renal failure",
        "acute kidney injury",
        "chronic kidney disease",
        "elevated creatinine",
        "low urine output",
        "proteinuria",
        "periorbital edema",
        "kidney stone",
        "flank pain",
    ),
    "Diabetes": (
        "type two diabetes",
        "elevated glucose",
        "low blood sugar",
        "diabetic neuropathy",
        "diabetic retinopathy",
        "diabetic foot ulcer",
        "hyperglycemia",
        "increased thirst",
        "insulin resistance",
    ),
}

#: How a mention's status is decided. ``plain``: asserted, no cue. ``before``, ``after``: negated by
#: a cue on that side. ``list``: negated by a cue that already covers another finding. ``ended``:
#: asserted, because a word such as *but* ends the reach of a cue. ``pseudo``: asserted, beside a
#: phrase that only looks like a negation.
KINDS = ("plain", "before", "list", "after", "ended", "pseudo")
ASSERTED = np.array([True, False, False, False, True, True])

# A statement: [cue], {kind} or {kind:number of its cue}. The groups are drawn with these weights.
WEIGHTS = {
    "plain": 0.32,
    "before": 0.16,
    "list": 0.06,
    "after": 0.15,
    "mixed": 0.17,
    "pseudo": 0.14,
}
STATEMENTS: dict[str, tuple[str, ...]] = {
    "plain": (
        "presents with {plain} .",
        "reports {plain} and {plain} .",
        "{plain} noted on examination .",
        "history of {plain} .",
        "history of {plain} and {plain} .",
        "work up showed {plain} .",
        "{plain} confirmed on further testing .",
        "being treated for {plain} .",
        "labs and exam consistent with {plain} .",
        "{plain} is present today .",
        "assessment : {plain} , {plain} and {plain} .",
        "{plain} was diagnosed last week .",
    ),
    "before": (
        "[denies] {before} .",
        "[no] {before} .",
        "[no] {before} at this time .",
        "[no evidence of] {before} .",
        "[negative for] {before} .",
        "currently [without] {before} .",
        "testing [ruled out] {before} .",
        "[no signs of] {before} today .",
        "[free of] {before} since last visit .",
        "work up [fails to reveal] {before} .",
        "[never had] {before} .",
        "seen by the team overnight , [no] {before} .",
    ),
    "list": (
        "[denies] {before} , {list} or {list} .",
        "[denies] {before} or {list} .",
        "[no] {before} , {list} or {list} .",
        "[no evidence of] {before} or {list} .",
        "[negative for] {before} , {list} and {list} .",
        "[without] {before} or {list} on review of systems .",
    ),
    "after": (
        "{after} was [ruled out] .",
        "{after} is [unlikely] .",
        "{after} has been [excluded] .",
        "{after} [not seen] .",
        "{after} is [not present] .",
        "{list} and {after} were [ruled out] .",
        "evaluated for {after} , which was [ruled out] .",
        "initial concern for {after} is now considered [unlikely] .",
        "testing for {after} came back [negative] .",
        "{after} considered and [excluded] by the team .",
    ),
    "mixed": (
        "[denies] {before:0} [but] reports {ended:1} .",
        "[no] {before:0} [but] {ended:1} is present .",
        "[no evidence of] {before:0} , [however] {ended:1} was found .",
        "{after:0} was [ruled out] [but] {ended:1} persists .",
        "{after:0} is [unlikely] , [however] {ended:1} was confirmed .",
        "[negative for] {before:0} and {list:0} [but] positive for {ended:1} .",
        "[without] {before:0} [although] {ended:1} is noted .",
        "[no] {before:0} or {list:0} [except] {ended:1} .",
        "reports {plain} but [denies] {before} .",
        "{plain} confirmed , however {after} is [unlikely] .",
        "{plain} is present but [no] {before} .",
        "being treated for {plain} although {after} was [ruled out] .",
    ),
    "pseudo": (
        "[no increase in] {pseudo} since last visit .",
        "[no interval change in] {pseudo} .",
        "[no change in] {pseudo} .",
        "[not only] {pseudo} but also {pseudo} .",
        "walks [without difficulty] despite {pseudo} .",
        "cultures [gram negative] , being treated for {pseudo} .",
        "{pseudo} has [not improved] .",
        "{pseudo} did [not resolve] with treatment .",
        "[no increase in] {pseudo:0} and [denies] {before:1} .",
    ),
}

# Sentences about nothing that is coded; many hold a cue or a word of some finding.
REMARKS = (
    "no known drug allergies .",
    "denies tobacco use .",
    "denies recent travel .",
    "no acute distress .",
    "no recent falls .",
    "abdomen soft without tenderness .",
    "not on blood thinners .",
    "no change in medications .",
    "fracture was ruled out .",
    "infection is unlikely .",
    "stool test came back negative .",
    "surgery not planned .",
    "lives alone but has family support .",
    "eating well , however sleeping poorly .",
    "not only rested but also cheerful .",
    "vital signs stable .",
    "blood pressure checked twice .",
    "heart sounds normal .",
    "lungs clear to auscultation .",
    "chest film ordered .",
    "kidney function at baseline .",
    "urine sample sent .",
    "glucose checked daily .",
    "alert and oriented .",
)
SETTINGS = (
    "admitted from home .",
    "seen in clinic for follow up .",
    "brought in by family .",
    "transferred from another hospital .",
    "seen in the emergency department .",
    "here for routine visit .",
)
CLOSINGS = (
    "",
    "",
    "follow up in two weeks .",
    "discharged home in stable condition .",
    "continue current medications .",
    "plan discussed with family .",
    "will repeat labs tomorrow .",
)
AGES = ("45", "48", "52", "57", "61", "64", "68", "71", "75", "79", "83", "88")
PATIENTS = ("year old man", "year old woman")
MODIFIERS = (*[""] * 13, "mild", "new", "severe")

SLOTS = 3  # findings per statement, at most
PIECES = 3 * SLOTS + 1  # text, (modifier, finding, text) for every slot


class Tables:
    """Everything a note is made of, as arrays: phrases (rows of tokens) and statements."""

    def __init__(self) -> None:
        self.vocabulary: tuple[str, ...] = ("<pad>", "<unk>")
        self._ids: dict[str, int] = {}
        self._phrases: dict[str, int] = {}
        self.phrase_tokens: list[list[int]] = []
        self.ages, self.patients = self.phrases(AGES), self.phrases(PATIENTS)
        self.settings, self.remarks = self.phrases(SETTINGS), self.phrases(REMARKS)
        self.closings, self.modifiers = self.phrases(CLOSINGS), self.phrases(MODIFIERS)
        self.findings = np.stack([self.phrases(FINDINGS[name]) for name in CLASS_NAMES])
        self.empty = self._phrase("")
        self.groups = tuple(STATEMENTS)
        rows = [self._statement("")]
        sizes = []
        for group in self.groups:
            rows += [self._statement(text) for text in STATEMENTS[group]]
            sizes.append(len(STATEMENTS[group]))
        self.group_size = np.array(sizes)
        self.group_first = 1 + np.cumsum(self.group_size) - self.group_size
        # per statement: text pieces (slots + 1), and per slot: kind, cue's piece, offset, length
        self.texts, self.kind, self.cue_piece, self.cue_offset, self.cue_length = (
            np.array([row[i] for row in rows]) for i in range(5)
        )
        self.phrase_length = np.array([len(p) for p in self.phrase_tokens], dtype=np.int32)
        self.phrase_first = np.cumsum(self.phrase_length, dtype=np.int32) - self.phrase_length
        self.flat = np.array([t for p in self.phrase_tokens for t in p])

    def _phrase(self, text: str) -> int:
        if text not in self._phrases:
            for word in text.split():
                if word not in self._ids:
                    self._ids[word] = len(self.vocabulary)
                    self.vocabulary += (word,)
            self._phrases[text] = len(self.phrase_tokens)
            self.phrase_tokens.append([self._ids[word] for word in text.split()])
        return self._phrases[text]

    def phrases(self, texts: Sequence[str]) -> np.ndarray:
        return np.array([self._phrase(text) for text in texts])

    def _statement(self, text: str) -> tuple[list[int], ...]:
        parts = re.split(r"\{([^}]*)\}", text)
        pieces, slots = parts[::2], parts[1::2]
        cues = []  # (piece, offset in words, words)
        for number, piece in enumerate(pieces):
            for cue in re.finditer(r"\[([^]]*)\]", piece):
                before = re.sub(r"[\[\]]", "", piece[: cue.start()]).split()
                cues.append((number, len(before), len(cue[1].split())))
        kinds, deciding = [-1] * SLOTS, [(0, 0, 0)] * SLOTS
        for i, slot in enumerate(slots):
            name, _, which = slot.partition(":")
            kinds[i] = KINDS.index(name)
            if name != "plain":
                deciding[i] = cues[int(which or 0)]
        texts = [self._phrase(" ".join(re.sub(r"[\[\]]", "", p).split())) for p in pieces]
        texts += [self._phrase("")] * (SLOTS + 1 - len(texts))
        return (texts, kinds, *map(list, zip(*deciding, strict=True)))


@functools.cache
def phrase_tables() -> Tables:
    return Tables()
