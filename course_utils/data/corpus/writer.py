"""Fills the templates of the generated corpus with random words."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from course_utils.data.corpus import templates as words

__all__ = ["ALL_FINDINGS", "Writer"]

ALL_FINDINGS = words.FINDINGS + words.HELD_OUT_FINDINGS
LOWERED = {"The", "She", "He", "This", "No", "Not", "Exam", "Found", "Known", "Without", "There"}
SLOT = re.compile(r"\{([a-z_+\-]+|L)\}")


class Writer:
    """Fills templates with random words from buffered draws of one generator."""

    def __init__(self, random_state: int | np.random.Generator) -> None:
        self._rng = np.random.default_rng(random_state)
        self._draws: list[float] = []

    def random(self) -> float:
        """A number from [0, 1)."""
        if not self._draws:
            self._draws = self._rng.random(8192).tolist()
        return self._draws.pop()

    def below(self, n: int) -> int:
        """A whole number from 0 to n - 1."""
        return int(self.random() * n)

    def pick(self, options: Sequence[str]) -> str:
        """One of the options."""
        return options[self.below(len(options))]

    def sample(self, options: Sequence[int], k: int) -> list[int]:
        """Draw ``k`` different entries."""
        pool = list(options)
        return [pool.pop(self.below(len(pool))) for _ in range(min(k, len(pool)))]

    def name(self, finding: int) -> str:
        """One of the names of a finding, which is an index into ``ALL_FINDINGS``."""
        return self.pick(ALL_FINDINGS[finding])

    def mention(self, finding: int) -> str:
        """A name, sometimes with a word before it."""
        before = f"{self.pick(words.MODIFIERS)} " if self.random() < 0.2 else ""
        return before + self.name(finding)

    def listing(self, findings: Sequence[int], negated: bool) -> str:
        """Mentions joined by commas and *or* (mostly, under a negation) or *and*."""
        names = [self.mention(f) for f in findings]
        if len(names) == 1:
            return names[0]
        joint = " or " if self.random() < (0.75 if negated else 0.1) else " and "
        comma = "," if len(names) > 2 and self.random() < 0.5 else ""
        return ", ".join(names[:-1]) + comma + joint + names[-1]

    def term(self) -> str:
        """A medical word put together from parts."""
        return self.pick(words.TERM_STEMS) + self.pick(words.TERM_ENDINGS)

    def fill(self, template: str, **given: str) -> str:
        """Fill the slots with ``given`` or random words; ``keep`` keeps a small first letter."""
        given["term"] = self.term() if "{term}" in template else ""
        keep = given.pop("keep", "")
        text = SLOT.sub(
            lambda match: given.get(match[1]) or self.pick(words.SLOTS[match[1]]), template
        )
        return text[0].upper() + text[1:] if text[0].islower() and not keep else text

    def dressed(self, sentence: str) -> str:
        """Sometimes say when or where, before the sentence and at its end."""
        if self.random() < 0.2:
            if sentence.split()[0] in LOWERED:
                sentence = sentence[0].lower() + sentence[1:]
            sentence = f"{self.fill(self.pick(words.BEFORE))} {sentence}"
        if self.random() < 0.2 and sentence.endswith("."):
            sentence = f"{sentence[:-1]} {self.fill(self.pick(words.BEHIND), keep='yes')}."
        return sentence

    def form(self, plus: Sequence[int], minus: Sequence[int]) -> str:
        """State findings and their status once more, in the words of a form."""
        told = [(f, 0) for f in plus] + [(f, 1) for f in minus]
        told = [told[i] for i in self.sample(range(len(told)), 1 + self.below(3))]
        lines = [f"{self.name(f)} {self.pick(words.FORM_STATUS[status])}" for f, status in told]
        return self.pick(words.FORMS).replace("{}", ", ".join(lines))

    def clause(self, plus: list[int], minus: list[int]) -> tuple[str, list[int], list[int]]:
        """Write a sentence on findings to assert and to negate; return it and those it used."""
        if plus and minus and self.random() < 0.4:
            stated = [plus.pop() for _ in range(1 + self.below(min(2, len(plus))))]
            denied = [minus.pop() for _ in range(1 + self.below(min(2, len(minus))))]
            names = {"+": self.listing(stated, False), "-": self.listing(denied, True)}
            return self.fill(self.pick(words.MIXED), **names), stated, denied
        negated = bool(minus) and (not plus or self.random() < 0.5)
        group = words.NEGATED if negated else words.ASSERTED
        template = self.pick(words.PSEUDO if not negated and self.random() < 0.2 else group)
        pool = minus if negated else plus
        count = 1 + self.below(3) if "{L}" in template else max(1, template.count("{f}"))
        chosen = [pool.pop() for _ in range(min(count, len(pool)))]
        if "{L}" in template:
            text = self.fill(template, L=self.listing(chosen, negated))
        else:
            called = [self.mention(f) for f in chosen]
            position = iter(range(template.count("{f}")))
            template = re.sub(r"\{f\}", lambda _: called[next(position) % len(called)], template)
            text = self.fill(template)
        return (text, [], chosen) if negated else (text, chosen, [])

    def sense_sentence(self, word: str, sense: int) -> str:
        """A sentence of the corpus for one sense; sometimes another word stands in for ``word``."""
        lines, _kept_back = words.SENSES[word][tuple(words.SENSES[word])[sense]]
        line = self.pick(lines)
        if self.random() < 0.5:  # the beginning of one line, the end of another
            before, after = (
                re.split(rf"\b{word}\b", text, maxsplit=1, flags=re.IGNORECASE)
                for text in (line, self.pick(lines))
            )
            line = f"{before[0]}{word}{after[1]}"
        sentence = self.telegraphic(self.fill(line), word)
        if self.random() < 0.5:
            other = self.pick(words.STAND_INS[word][sense])
            sentence = re.sub(rf"\b{word}\b", other, sentence)
        return sentence

    def telegraphic(self, sentence: str, keep: str) -> str:
        """Drop a tenth of the words, as hurried notes do, but never the word ``keep``."""
        kept = [w for w in sentence.split() if keep in w.lower() or self.random() > 0.1]
        return " ".join(kept)
