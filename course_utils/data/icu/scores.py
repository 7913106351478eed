"""A severity score in the manner of SOFA, from what the event tables of the ICU notebook hold."""

from __future__ import annotations

import numpy as np
import pandas as pd

from course_utils.data.icu.sequences import lab_numbers

__all__ = ["sofa_like"]

_PLATELETS = (150, 100, 50, 20)  # K/uL: below each of them one point more
_CREATININE = (1.2, 2.0, 3.5, 5.0)  # mg/dL: from each of them on one point more


def sofa_like(events: pd.DataFrame, stay_ids: pd.Index) -> pd.DataFrame:
    """Points of four of SOFA's six organs, by the worst value of the window; one row a stay.

    Columns ``coagulation`` (platelets, 0-4), ``kidney`` (creatinine 0-4; dialysis counts 4),
    ``circulation`` (3 with norepinephrine: its dose is not in the tables), ``lung`` (3 with
    invasive ventilation, a stand-in: the oxygen fraction is not in the tables) and ``points``,
    their sum. Liver (bilirubin), brain (Glasgow coma scale) and urine are missing; a value that
    was not measured counts as normal, as is usual.

    Parameters
    ----------
    events
        ``stay_id, event_type, event_text`` of the window.
    stay_ids
        Stays, and their order, of the result.

    References
    ----------
    Vincent et al., The SOFA score to describe organ dysfunction, Intensive Care Medicine, 1996.
    """
    labs = lab_numbers(events)

    def worst(item: str, how: str) -> np.ndarray:
        here = labs["item"] == item
        values = labs["number"][here].groupby(events["stay_id"][here]).agg(how)
        return values.reindex(stay_ids).to_numpy(dtype=float)

    def given(words: str) -> np.ndarray:
        here = events["event_text"].str.startswith(words)
        return np.isin(stay_ids, events.loc[here, "stay_id"].unique())

    platelets, creatinine = worst("Platelet Count", "min"), worst("Creatinine", "max")
    kidney = np.sum([creatinine >= limit for limit in _CREATININE], axis=0)
    points = pd.DataFrame(
        {
            "coagulation": np.sum([platelets < limit for limit in _PLATELETS], axis=0),
            "kidney": np.where(given("Dialysis"), 4, kidney),
            "circulation": 3 * given("NORepinephrine"),
            "lung": 3 * given("Invasive Ventilation"),
        },
        index=stay_ids,
    )
    return points.assign(points=points.sum(axis=1))
