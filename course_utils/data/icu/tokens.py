"""Records as a language: events, values and waiting times become tokens of one vocabulary."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from course_utils.data.icu.sequences import lab_numbers

__all__ = ["event_tokens"]

_GAPS = (0, 15, 60, 240)  # minutes; a longer wait has the last token
_GAP_NAMES = ("<wait 15 min>", "<wait 1 h>", "<wait 4 h>", "<wait longer>")


def event_tokens(
    events: pd.DataFrame, fit_on: Sequence[int], *, quantiles: int = 5
) -> pd.DataFrame:
    """Write each stay as tokens: a token of waiting between instants, then one per event.

    A laboratory number becomes the fifth (of ``quantiles``) of its item's values in the stays
    ``fit_on``: ``Lactate 6.1 mmol/L abnormal`` is ``Lactate Q5``. Other events keep their text.

    Parameters
    ----------
    events
        ``stay_id, event_type, event_text, minutes_since_admission``, in order.
    fit_on
        Stays from which the limits of the quantiles are learned.

    Returns
    -------
    DataFrame
        ``stay_id, token, minutes_since_admission``, one row a token, in order; an item without
        values in ``fit_on`` has ``Q?``.

    Raises
    ------
    ValueError
        If ``quantiles`` is below 2.

    References
    ----------
    Renc et al., Zero shot health trajectory prediction using transformer (ETHOS), 2024.
    """
    if quantiles < 2:
        raise ValueError(f"quantiles={quantiles} must be 2 or more")
    labs = lab_numbers(events)
    token = events["event_text"].astype(object).copy()
    known = events["stay_id"].isin(fit_on)
    for item, values in labs["number"].groupby(labs["item"]):
        own = values[known[values.index]]
        if own.empty:
            token[values.index] = f"{item} Q?"
            continue
        limits = np.quantile(own, np.arange(1, quantiles) / quantiles)
        place = np.searchsorted(limits, values, side="right") + 1
        token[values.index] = [f"{item} Q{p}" for p in place]
    minutes, stay = events["minutes_since_admission"], events["stay_id"]
    wait = minutes - minutes.groupby(stay).shift(fill_value=0.0)
    bins = np.searchsorted(_GAPS, wait, side="left")  # 0: the same instant
    written = pd.DataFrame(
        {"stay_id": stay, "token": token, "minutes_since_admission": minutes, "place": 1}
    )
    waits = written[bins > 0].assign(
        token=np.array(_GAP_NAMES, dtype=object)[bins[bins > 0] - 1], place=0
    )
    both = pd.concat([waits, written]).reset_index(names="row")
    return both.sort_values(["row", "place"], ignore_index=True)[
        ["stay_id", "token", "minutes_since_admission"]
    ]
