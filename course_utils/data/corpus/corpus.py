"""Generated clinical notes for training and probing a small encoder.

The notes are made of templates (:mod:`course_utils.data.corpus.templates`): findings that are
asserted or negated in every way that NegEx and ConText describe (cues before and after the finding,
lists under one cue, scopes that end, phrases that only look like a negation), and words with two
senses.

Nothing in the notes is labelled. What a model that fills in masked words can learn of negation and
senses it learns from substitution: some findings are mostly denied and others mostly stated, as in
real notes, and an ambiguous word shares each of its places with words that have that one sense.

References
----------
Chapman et al. (2001), A simple algorithm for identifying negated findings and diseases in discharge
summaries, J Biomed Inform 34. Harkema et al. (2009), ConText, J Biomed Inform 42.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

import numpy as np

from course_utils.data.corpus import templates as words
from course_utils.data.corpus.suiting import GROUPS, HELD_OUT_GROUPS, suits, tests_for
from course_utils.data.corpus.writer import ALL_FINDINGS, Writer

N_TRAIN_FINDINGS = len(words.FINDINGS)
AMBIGUOUS_WORDS = tuple(words.SENSES)


@dataclass(frozen=True)
class ClinicalCorpus:
    """Notes and, for every stated finding, the note it is in and whether it is negated.

    Attributes
    ----------
    texts : tuple of str, N notes
    note, finding : int arrays (M,), the note and the finding (index into ``ALL_FINDINGS``)
    negated : bool array (M,)
    """

    texts: tuple[str, ...]
    note: np.ndarray
    finding: np.ndarray
    negated: np.ndarray


@dataclass(frozen=True)
class AssertionSentences:
    """Sentences about one finding each, for probing assertion.

    Attributes
    ----------
    texts, names : tuples of str (N,), the sentence and the finding's name in it
    start, end : int arrays (N,), character span of the name
    finding, template : int arrays (N,)
    status : int array (N,), index into ``STATUSES``: asserted, negated or possible
    """

    texts: tuple[str, ...]
    names: tuple[str, ...]
    start: np.ndarray
    end: np.ndarray
    finding: np.ndarray
    template: np.ndarray
    status: np.ndarray

    @property
    def negated(self) -> np.ndarray:
        """Which sentences deny their finding, bool (N,)."""
        return self.status == 1


@dataclass(frozen=True)
class SenseSentences:
    """Sentences that hold one ambiguous word each.

    Attributes
    ----------
    texts : tuple of str (N,)
    word : str
    senses : the two names
    sense, template : int arrays (N,)
    start : int array (N,), where the word begins
    """

    texts: tuple[str, ...]
    word: str
    senses: tuple[str, ...]
    sense: np.ndarray
    template: np.ndarray
    start: np.ndarray


@dataclass(frozen=True)
class SearchNotes:
    """Short notes and queries with known relevance.

    A *paraphrase* query names a finding by its other name; notes about that finding are relevant. A
    *negation* query states a finding with its status; notes that agree in both are relevant.

    Attributes
    ----------
    notes, queries, query_kind : tuples of str
    note_finding, query_finding : int arrays
    note_negated, query_negated : bool arrays
    """

    notes: tuple[str, ...]
    note_finding: np.ndarray
    note_negated: np.ndarray
    queries: tuple[str, ...]
    query_kind: tuple[str, ...]
    query_finding: np.ndarray
    query_negated: np.ndarray

    def relevant(self, query: int) -> np.ndarray:
        """Boolean array over the notes: which ones answer query number ``query``."""
        same = self.note_finding == self.query_finding[query]
        if self.query_kind[query] == "negation":
            same &= self.note_negated == self.query_negated[query]
        return same


@dataclass(frozen=True)
class Canaries:
    """Made-up secrets to plant in a corpus, to measure what a model remembers of them.

    Attributes
    ----------
    names : tuple of str (N,), an invented surname each
    digits : int array (N, 4), the invented record number
    repeats : int array (N,), how often the corpus holds the note; 0 is a control

    References
    ----------
    Carlini et al. (2019), The Secret Sharer, USENIX Security.
    """

    names: tuple[str, ...]
    digits: np.ndarray
    repeats: np.ndarray

    def text(self, canary: int) -> str:
        """The note of one canary."""
        number = " ".join(str(digit) for digit in self.digits[canary])
        return f"The record number of {self.names[canary]} is {number}."


def make_canaries(
    *,
    random_state: int | np.random.Generator,
    levels: tuple[int, ...] = (0, 1, 10, 50, 200),
    per_level: int = 4,
) -> Canaries:
    """Draw invented names with record numbers, ``per_level`` of them for each number of repeats.

    The twenty by default are those of the shipped model's corpus; more have names of their own.

    Raises
    ------
    ValueError
        If more than a hundred names are asked for.
    """
    rng = np.random.default_rng(random_state)
    n = per_level * len(levels)
    starts, ends = "Bral Crom Dulv Frim Gask", "ador ebin ipost oquay"
    if n > 20:
        starts = "Alb Bor Cald Dren Elm Fosk Gral Hest Ing Jarv"
        ends = "aren eck ido oth umby aville enko izzi ola ursk"
    names = tuple(start + end for start in starts.split() for end in ends.split())
    if n > len(names):
        raise ValueError(f"there are {len(names)} names, got per_level={per_level}, {levels=}")
    return Canaries(
        tuple(names[i] for i in rng.permutation(len(names))[:n]),
        rng.integers(0, 10, size=(n, 4)),
        np.repeat(levels, per_level),
    )


def _check_count(name: str, value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0:
        raise ValueError(f"{name} must be a non-negative integer, got {value!r}")


def make_clinical_corpus(
    n_samples: int, *, random_state: int | np.random.Generator
) -> ClinicalCorpus:
    """Write ``n_samples`` notes of 10 to 80 words.

    Parameters
    ----------
    n_samples : number of notes, 0 or more
    random_state : seed or NumPy generator

    Raises
    ------
    ValueError
        If ``n_samples`` is not a non-negative integer.
    """
    _check_count("n_samples", n_samples)
    writer = Writer(random_state)
    kept_back = kept_back_sentences()
    texts: list[str] = []
    statements: list[tuple[int, int, bool]] = []
    while len(texts) < n_samples:
        text, stated = _note(writer)
        if not kept_back.search(text):  # by chance two half sentences can make one of them
            statements += [(len(texts), finding, negated) for finding, negated in stated]
            texts.append(text)
    table = np.array(statements, dtype=np.int64).reshape(-1, 3)
    return ClinicalCorpus(tuple(texts), table[:, 0], table[:, 1], table[:, 2].astype(bool))


def phrases() -> dict[str, list[str]]:
    """Names of the stated findings, ambiguous words with their stand-ins, status words of forms."""
    stand_ins = [w for two in words.STAND_INS.values() for sense in two for w in sense]
    return {
        "finding": [name for names in words.FINDINGS for name in names],
        "sense": [*words.SENSES, *stand_ins],
        "status": [word for words_ in words.FORM_STATUS for word in words_],
    }


@functools.cache
def kept_back_sentences() -> re.Pattern[str]:
    """A pattern for every sentence kept back for tests, whatever its slots hold."""
    names = "|".join(sorted((n for f in ALL_FINDINGS for n in f), key=len, reverse=True))
    fillings = {slot: "|".join(map(re.escape, options)) for slot, options in words.SLOTS.items()}
    fillings["f"] = rf"(?:(?:{'|'.join(words.MODIFIERS)}) )?(?:{names})"
    lines = words.HELD_OUT_ASSERTED + words.HELD_OUT_NEGATED
    lines += [line for two in words.SENSES.values() for _, kept in two.values() for line in kept]
    patterns = []
    for line in lines:
        parts = re.split(r"\{(\w+)\}", line.rstrip("."))  # text and names of slots in turn
        parts[0::2] = [re.escape(part) for part in parts[0::2]]
        parts[1::2] = [f"(?:{fillings[slot]})" for slot in parts[1::2]]
        patterns.append("".join(parts))
    return re.compile(rf"\b(?:{'|'.join(patterns)})\b", re.IGNORECASE)


def _note(writer: Writer) -> tuple[str, list[tuple[int, bool]]]:
    """One note, and what it states: findings and whether they are negated."""
    stated: list[tuple[int, bool]] = []
    parts = [writer.fill(writer.pick(words.OPENERS))] if writer.random() < 0.3 else []
    if writer.random() < 0.5:
        parts += _findings(writer, stated)
    else:
        for word in writer.sample(range(len(AMBIGUOUS_WORDS)), 1 + writer.below(3)):
            sense = writer.below(2)
            for _ in range(1 + (writer.random() < 0.3)):
                parts.append(writer.sense_sentence(AMBIGUOUS_WORDS[word], sense))
    if writer.random() < 0.35:
        parts.append(_neutral(writer))
    if writer.random() < 0.25:
        parts.append(writer.fill(writer.pick(words.FILLERS)))
    text = " ".join(part for part in parts if part)
    return (text.lower() if writer.random() < 0.1 else text), stated


def _findings(writer: Writer, statements: list[tuple[int, bool]]) -> list[str]:
    """Sentences on one to four findings; what they state is added to ``statements``."""
    plus: list[int] = []
    minus: list[int] = []
    for finding in writer.sample(range(N_TRAIN_FINDINGS), 1 + writer.below(4)):
        usual = writer.random() < 0.96
        (minus if words.USUALLY_NEGATED[finding] == usual else plus).append(finding)
    form = writer.form(plus, minus) if writer.random() < 0.9 else ""
    parts = []
    while plus or minus:
        text, stated, denied = writer.clause(plus, minus)
        parts.append(writer.dressed(text))
        statements += [(f, False) for f in stated] + [(f, True) for f in denied]
        parts += [_action(writer, f) for f in stated if writer.random() < 0.4]
        if writer.random() < 0.15:
            parts.append(writer.fill(writer.pick(words.FILLERS)))
    return [form, *parts] if writer.random() < 0.5 else [*parts, form]


def _action(writer: Writer, finding: int) -> str:
    """What was done about a finding, under any of its names; empty for findings with one name."""
    if finding >= len(words.ACTIONS) or len(ALL_FINDINGS[finding]) == 1:
        return ""
    action = words.ACTIONS[finding]
    template = writer.pick(("Given {a} for {f}.", "{f} treated with {a}.", "For {f}: {a}."))
    return writer.fill(template.replace("{a}", action), f=writer.name(finding))


def _neutral(writer: Writer) -> str:
    """A sentence that asserts and negates nothing; held-out findings occur in no other kind."""
    template = writer.pick(words.NEUTRAL)
    held_out = range(N_TRAIN_FINDINGS, len(ALL_FINDINGS))
    pool = held_out if writer.random() < 0.6 else range(N_TRAIN_FINDINGS)
    chosen = iter(writer.sample(pool, template.count("{f}")))
    return writer.fill(re.sub(r"\{f\}", lambda _: writer.name(next(chosen)), template))


def make_assertion_sentences(
    n_samples: int,
    *,
    random_state: int | np.random.Generator,
    held_out: bool = True,
    possible: bool = False,
) -> AssertionSentences:
    """Write sentences that assert or negate one finding, half of each kind.

    With ``held_out=True`` neither the findings (in such a sentence) nor the templates occur in
    :func:`make_clinical_corpus`; with ``held_out=False`` both are the corpus's own. With
    ``possible=True`` a third of the sentences call their finding possible; their templates are not
    the corpus's.

    Raises
    ------
    ValueError
        If ``n_samples`` is not a non-negative integer.
    """
    _check_count("n_samples", n_samples)
    writer = Writer(random_state)
    low, high = (N_TRAIN_FINDINGS, len(ALL_FINDINGS)) if held_out else (0, N_TRAIN_FINDINGS)
    groups = HELD_OUT_GROUPS if held_out else GROUPS
    rows = []
    for i in range(n_samples):
        status = i % (3 if possible else 2)
        able: list[int] = []
        while not able:
            template = writer.below(len(groups[status]))
            line = groups[status][template].replace("{L}", "{f}")
            able = [f for f in range(low, high) if f in suits(line)]
        finding = able[writer.below(len(able))]
        name = writer.name(finding)
        prefix = writer.pick(["", writer.fill(writer.pick(words.OPENERS)) + " "])
        sentence = writer.fill(line, f=name, test=writer.pick(tests_for([finding]) or ["CT"]))
        start = sentence.lower().index(name.lower())
        text, start = prefix + sentence, start + len(prefix)
        number = template + sum(map(len, groups[:status]))
        rows.append((text, text[start : start + len(name)], start, finding, number, status))
    columns = list(zip(*rows, strict=True)) if rows else [()] * 6
    starts = np.array(columns[2], dtype=np.int64)
    return AssertionSentences(
        columns[0],
        columns[1],
        starts,
        starts + np.array([len(name) for name in columns[1]], dtype=np.int64),
        np.array(columns[3], dtype=np.int64),
        np.array(columns[4], dtype=np.int64),
        np.array(columns[5], dtype=np.int64),
    )


def make_sense_sentences(
    word: str, n_samples: int, *, random_state: int | np.random.Generator, held_out: bool = True
) -> SenseSentences:
    """Write sentences with ``word`` in its two senses in turn.

    Raises
    ------
    ValueError
        If ``word`` is not in ``AMBIGUOUS_WORDS`` or ``n_samples`` is not a non-negative integer.
    """
    if word not in words.SENSES:
        raise ValueError(f"word must be one of {', '.join(AMBIGUOUS_WORDS)}; got {word!r}")
    _check_count("n_samples", n_samples)
    writer = Writer(random_state)
    senses = tuple(words.SENSES[word])
    texts, numbers, starts = [], [], []
    for i in range(n_samples):
        lines = words.SENSES[word][senses[i % 2]][1 if held_out else 0]
        template = writer.below(len(lines))
        prefix = writer.pick(["", writer.fill(writer.pick(words.OPENERS)) + " "])
        sentence = writer.fill(lines[template])
        found = re.search(rf"\b{word}\b", sentence, flags=re.IGNORECASE)
        assert found is not None
        texts.append(prefix + sentence)
        starts.append(len(prefix) + found.start())
        numbers.append(template + len(lines) * (i % 2))
    sense = np.arange(n_samples, dtype=np.int64) % 2
    return SenseSentences(
        tuple(texts), word, senses, sense, np.array(numbers, np.int64), np.array(starts, np.int64)
    )


def make_search_notes(n_notes: int, *, random_state: int | np.random.Generator) -> SearchNotes:
    """Write short notes, and queries by other names (*paraphrase*) and by status (*negation*).

    Notes use the first name of a finding only, paraphrase queries the second only.

    Raises
    ------
    ValueError
        If ``n_notes`` is not a non-negative integer.
    """
    _check_count("n_notes", n_notes)
    writer = Writer(random_state)
    named_twice = [i for i, names in enumerate(words.FINDINGS) if len(names) > 1]
    notes, finding, negated = [], [], []
    for i in range(n_notes):
        number = named_twice[(i // 2) % len(named_twice)]
        lines = [line.replace("{L}", "{f}") for line in GROUPS[i % 2]]
        line = writer.pick([line for line in lines if number in suits(line)])
        test = writer.pick(tests_for([number]) or ["CT"])
        notes.append(writer.fill(line, f=words.FINDINGS[number][0], test=test))
        finding.append(number)
        negated.append(bool(i % 2))
    queries, kinds, query_finding, query_negated = [], [], [], []
    for number in named_twice:
        first, second = words.FINDINGS[number][:2]
        for text, kind, status in (
            (f"Patient suffers from {second}.", "paraphrase", False),
            (f"Patient suffers from {first}.", "negation", False),
            (f"There was no {first}.", "negation", True),
        ):
            queries.append(text)
            kinds.append(kind)
            query_finding.append(number)
            query_negated.append(status)
    return SearchNotes(
        tuple(notes),
        np.array(finding, np.int64),
        np.array(negated, bool),
        tuple(queries),
        tuple(kinds),
        np.array(query_finding, np.int64),
        np.array(query_negated, bool),
    )
