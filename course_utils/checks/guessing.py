"""Guess first, then look: a guess that the figure below it shows.

A guess earns nothing and is stored nowhere: it lives in the cell in which it was written. One that
was left out changes nothing either: the figure is drawn without it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from types import EllipsisType

__all__ = ["Guess", "guess"]


@dataclass(frozen=True)
class Guess:
    """What a student expects before a figure; ``plots.mark_guess`` draws it.

    Attributes
    ----------
    name
        What is guessed, in words.
    value
        The number, or one of ``options``; None when there is no guess.
    options
        What there was to choose from; empty for a number.
    """

    name: str
    value: float | str | None = None
    options: tuple[str, ...] = ()

    @property
    def made(self) -> bool:
        """Whether there is a guess at all."""
        return self.value is not None

    def reveal(self, measured: float | str, digits: int = 2) -> None:
        """Print what was measured, beside the guess when there is one.

        Parameters
        ----------
        measured
            The number that came out, or the option.
        digits
            Decimals of the numbers.
        """
        number = not isinstance(measured, str)
        line = f"{self.name}: measured {_show(measured, digits)}"
        if not self.made:
            print(f"{line} (you made no guess)")
        elif number != isinstance(self.value, float):
            print(f"{line}; you guessed {_show(self.value, digits)}")
        elif isinstance(measured, str):
            print(f"{line}; {'as you guessed' if measured == self.value else _other(self.value)}")
        else:
            gap = float(measured) - float(self.value or 0.0)
            near = abs(gap) < 0.5 * 10.0**-digits
            off = "just as you guessed" if near else f"{abs(gap):.{digits}f} away"
            print(f"{line}; you guessed {_show(self.value, digits)}: {off}")


def guess(
    name: str,
    options: Sequence[str] | float | str | EllipsisType | None = None,
    choice: str | int | EllipsisType | None = None,
) -> Guess:
    """Write down a guess before the figure is drawn; leaving it out is no error.

    ``guess("micro-F1 of the encoder", 0.9)`` guesses a number,
    ``guess("best model", ["rule", "encoder"], "rule")`` one of several options. ``...`` and
    ``None`` mean *no guess*, and so does what cannot be read: then one line says why.

    Parameters
    ----------
    name
        What is guessed, in words.
    options
        The guessed number (``0.9``, also ``"0,9"`` or ``"90 %"``), or the options.
    choice
        With options: one of them, or its number counted from 1.

    Returns
    -------
    Guess
        For ``plots.mark_guess`` and :meth:`Guess.reveal`.
    """
    if isinstance(options, Sequence) and not isinstance(options, str):
        return _one_of(name, tuple(str(option) for option in options), choice)
    if options is None or options is ...:
        return _made(Guess(name))
    number = _number(options)
    if number is None:
        print(f"{name}: {options!r} is not a number, so no guess is shown.")
        return Guess(name)
    return _made(Guess(name, number))


def _one_of(name: str, options: tuple[str, ...], choice: object) -> Guess:
    if choice is None or choice is ...:
        return _made(Guess(name, None, options))
    if isinstance(choice, int) and not isinstance(choice, bool) and 1 <= choice <= len(options):
        return _made(Guess(name, options[choice - 1], options))
    plain = {option.casefold().strip(): option for option in options}
    found = plain.get(str(choice).casefold().strip())
    if found is None:
        print(f"{name}: {choice!r} is none of {', '.join(options)}, so no guess is shown.")
    return _made(Guess(name, found, options)) if found else Guess(name, None, options)


def _made(made: Guess) -> Guess:
    if made.made:
        print(f"{made.name}: your guess is {_show(made.value)}. The figure below will show it.")
    else:
        of = f" Choose from: {', '.join(made.options)}." if made.options else ""
        print(f"{made.name}: no guess yet. Write one in place of the dots and run again.{of}")
    return made


def _number(given: object) -> float | None:
    """A number from what a person writes; None when it is none or not finite."""
    text = str(given).strip().replace(",", ".") if isinstance(given, str) else given
    percent = isinstance(text, str) and text.endswith("%")
    if isinstance(text, str):
        text = re.sub(r"\s*%$", "", text)
    try:
        number = float(text)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return (number / 100 if percent else number) if math.isfinite(number) else None


def _show(value: object, digits: int | None = None) -> str:
    if isinstance(value, str):
        return f"“{value}”"
    return f"{value:g}" if digits is None else f"{value:.{digits}f}"


def _other(value: object) -> str:
    return f"you guessed {_show(value)}"
