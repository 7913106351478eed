"""Pictures that all notebooks share, and two that answer when a word is chosen.

Functions of ``figures`` draw into ``ax`` (a new axes when None), label it and return it; nothing is
shown or saved. Domain pictures live in modules of their own beside this one.
"""

from course_utils.plots.explorers import attention_explorer, film_explorer
from course_utils.plots.figures import (
    GUESS_COLOR,
    PALETTE,
    attention_map,
    bars,
    curves,
    heat_map,
    mark_guess,
    use_style,
    word_bars,
)

__all__ = [
    "GUESS_COLOR",
    "PALETTE",
    "attention_explorer",
    "attention_map",
    "bars",
    "curves",
    "film_explorer",
    "heat_map",
    "mark_guess",
    "use_style",
    "word_bars",
]
