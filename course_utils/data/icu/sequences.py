"""ICU stays as padded event sequences and as tables: what the models of the ICU notebook read.

Categories and scales are written down in advance, so no split can leak through them. What is
learned from data (the scale of a laboratory item) is learned from the stays that are named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import torch

from course_utils.data.icu.catalogue import EVENT_TYPES, STATIC_CATEGORIES, WINDOW_MINUTES

__all__ = [
    "STATIC_NAMES",
    "TIME_NAMES",
    "EventSequences",
    "count_table",
    "encode_static",
    "lab_numbers",
    "lab_values",
    "make_sequences",
]

TIME_NAMES = ("window_share", *(f"{f}_{k}" for k in (1, 2, 4) for f in ("sin", "cos")))
STATIC_NAMES = (
    "age",
    *(f"{name}={value}" for name, (values, _) in STATIC_CATEGORIES.items() for value in values),
)


@dataclass(frozen=True)
class EventSequences:
    """Padded event sequences of N stays, at most T events each.

    Attributes
    ----------
    stay_id : ndarray, (N,)
    text_id : Tensor of int64, (N, T)
        Row of ``text_vectors`` of each event.
    text_vectors : Tensor, (U, E)
        One vector for each different event text.
    texts : ndarray of str, (U,)
    type_id : Tensor of int64, (N, T)
        Place in ``EVENT_TYPES``.
    minutes : Tensor, (N, T)
        Minutes since admission to the ICU.
    lengths : Tensor of int64, (N,)
    static : Tensor, (N, S)
    outcome : Tensor, (N,)
    extra : Tensor, (N, T, X)
        Further numbers of each event (none by default), named by ``extra_names``.
    """

    stay_id: np.ndarray
    text_id: torch.Tensor
    text_vectors: torch.Tensor
    texts: np.ndarray
    type_id: torch.Tensor
    minutes: torch.Tensor
    lengths: torch.Tensor
    static: torch.Tensor
    outcome: torch.Tensor
    extra: torch.Tensor = field(default_factory=lambda: torch.zeros(0))
    extra_names: tuple[str, ...] = ()

    @property
    def event_names(self) -> list[str]:
        """Names of the D numbers of one event."""
        text = [f"text_{i}" for i in range(self.text_vectors.shape[1])]
        return [*(f"type={t}" for t in EVENT_TYPES), *text, *TIME_NAMES, *self.extra_names]

    def __len__(self) -> int:
        return len(self.stay_id)

    def batch(
        self, index: torch.Tensor | Sequence[int], device: torch.device | str = "cpu"
    ) -> dict[str, torch.Tensor]:
        """Return the stays ``index`` as a batch, as wide as the longest of them."""
        index = torch.as_tensor(index, dtype=torch.int64)
        lengths = self.lengths[index]
        width = int(lengths.max()) if len(index) else 0
        minutes = self.minutes[index, :width]
        is_event = torch.arange(width) < lengths[:, None]
        kinds = torch.nn.functional.one_hot(self.type_id[index, :width], len(EVENT_TYPES))
        parts = [kinds.float(), self.text_vectors[self.text_id[index, :width]], _clock(minutes)]
        if self.extra.dim() == 3:
            parts.append(self.extra[index, :width])
        events = torch.cat(parts, -1) * is_event[..., None]
        batch = {
            "stay_id": torch.as_tensor(self.stay_id[index.numpy()]).reshape(-1),
            "events": events,
            "minutes_since_admission": minutes,
            "is_event": is_event,
            "lengths": lengths,
            "static": self.static[index],
            "outcome": self.outcome[index],
        }
        return {name: value.to(device) for name, value in batch.items()}

    def event_texts(self, row: int) -> list[str]:
        """Return the event texts of one stay, in order."""
        return self.texts[self.text_id[row, : int(self.lengths[row])].numpy()].tolist()


def _clock(minutes: torch.Tensor) -> torch.Tensor:
    """Time since admission as seven numbers: the share of the window, and three waves."""
    share = minutes / WINDOW_MINUTES
    waves = [f(torch.pi * k * share) for k in (1, 2, 4) for f in (torch.sin, torch.cos)]
    return torch.stack([2 * share - 1, *waves], -1)


def encode_static(static: pd.DataFrame) -> torch.Tensor:
    """Age and categories as numbers, (N, S), in the order of ``STATIC_NAMES``.

    Age is (age − 65) / 15; a category that is not in the list is all zeros.
    """
    parts = [(static["age"].to_numpy(dtype=np.float64, na_value=65.0)[:, None] - 65) / 15]
    for name, (values, _) in STATIC_CATEGORIES.items():
        column = static[name].astype(object).where(static[name].notna(), None).to_numpy()
        parts.append(
            np.stack([column == value for value in values], axis=1).reshape(-1, len(values))
        )
    return torch.as_tensor(np.concatenate(parts, axis=1), dtype=torch.float32)


def make_sequences(
    events: pd.DataFrame,
    static: pd.DataFrame,
    text_vectors: dict[str, np.ndarray],
    *,
    max_events: int = 128,
    extra: Sequence[str] = (),
) -> EventSequences:
    """Pad the events of each stay in ``static`` to one length.

    Parameters
    ----------
    events : DataFrame
        One row per event, in order: ``stay_id, event_type, event_text,
        minutes_since_admission``, and the columns named in ``extra``.
    static : DataFrame
        Indexed by ``stay_id``: ``age``, the categories, ``outcome``.
    text_vectors : dict
        A vector (E,) for each event text.
    max_events : int
        Of a longer stay the last ``max_events`` events are kept.

    Raises
    ------
    ValueError
        When an event text has no vector.
    """
    if max_events < 1:
        raise ValueError(f"max_events={max_events} must be at least 1")
    events = events[events["stay_id"].isin(static.index)]
    events = events.groupby("stay_id", sort=False).tail(max_events)
    row = static.index.get_indexer(events["stay_id"])
    place = events.groupby("stay_id", sort=False).cumcount().to_numpy()
    codes, texts = pd.factorize(events["event_text"], sort=True)
    unknown = [text for text in texts if text not in text_vectors]
    if unknown:
        raise ValueError(f"text_vectors has no vector for {len(unknown)} texts: {unknown[:2]}")
    lengths = np.bincount(row, minlength=len(static))
    shape = (len(static), int(lengths.max(initial=0)))

    def padded(values: np.ndarray, dtype: torch.dtype, *tail: int) -> torch.Tensor:
        out = torch.zeros(*shape, *tail, dtype=dtype)
        out[torch.as_tensor(row), torch.as_tensor(place)] = torch.as_tensor(values, dtype=dtype)
        return out

    types = pd.Categorical(events["event_type"], categories=EVENT_TYPES).codes.astype(np.int64)
    vectors = np.stack([text_vectors[t] for t in texts]) if len(texts) else np.zeros((0, 1))
    numbers = events[list(extra)].to_numpy(dtype=np.float32)
    return EventSequences(
        stay_id=static.index.to_numpy(dtype=np.int64),
        text_id=padded(codes.astype(np.int64), torch.int64),
        text_vectors=torch.as_tensor(vectors, dtype=torch.float32),
        texts=np.asarray(texts, dtype=object),
        type_id=padded(types, torch.int64),
        minutes=padded(events["minutes_since_admission"].to_numpy(), torch.float32),
        lengths=torch.as_tensor(lengths),
        static=encode_static(static),
        outcome=torch.as_tensor(static["outcome"].to_numpy(dtype=np.float32)),
        extra=padded(numbers, torch.float32, len(extra)) if extra else torch.zeros(0),
        extra_names=tuple(extra),
    )


def lab_numbers(events: pd.DataFrame) -> pd.DataFrame:
    """Item and number of each laboratory event, read from its text; missing for all others.

    ``Lactate 6.1 mmol/L abnormal`` gives ``Lactate`` and 6.1. A result without a number in it
    (``>4.0``, ``NEG``) has neither.
    """
    is_lab = events["event_type"] == "lab"
    parts = events["event_text"].where(is_lab).str.extract(r"^(.+?) (-?\d+(?:\.\d+)?)(?= |$)")
    number = pd.to_numeric(parts[1])
    return pd.DataFrame({"item": parts[0], "number": number}, index=events.index)


def lab_values(events: pd.DataFrame, fit_on: Sequence[int]) -> pd.Series:
    """Laboratory values in deviations from their item's mean over the stays ``fit_on``.

    0 for events that are no number, and for items that ``fit_on`` does not have twice. Values are
    cut at ±8 deviations.
    """
    labs = lab_numbers(events)
    known = events["stay_id"].isin(fit_on)
    scale = labs[known].groupby("item")["number"].agg(["mean", "std"])
    centred = labs["number"] - labs["item"].map(scale["mean"])
    deviation = labs["item"].map(scale["std"]).clip(lower=1e-6)
    return (centred / deviation).clip(-8, 8).fillna(0.0)


def count_table(events: pd.DataFrame, stay_ids: pd.Index) -> pd.DataFrame:
    """One row per stay: how often each kind of event came, and what the laboratory found.

    A laboratory result counts by its item and flag. Of its numbers there are, by item, the last,
    mean, lowest and highest (missing where there is none).
    """
    labs = lab_numbers(events)
    kind = events["event_text"].str.replace(r" -?\d+(?:\.\d+)?(?= |$)", "", n=1, regex=True)
    kind = kind.where(labs["number"].notna(), events["event_text"])
    counts = pd.crosstab(events["stay_id"], kind).reindex(stay_ids, fill_value=0)
    numbers = labs["number"].groupby([events["stay_id"], labs["item"]])
    values = numbers.agg(["last", "mean", "min", "max"]).unstack()
    values.columns = [f"{item}: {how}" for how, item in values.columns]
    return pd.concat([counts, values.reindex(stay_ids)], axis=1)
