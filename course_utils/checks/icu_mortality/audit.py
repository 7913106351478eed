"""Feature builders to audit, and what an audit has to find in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from course_utils.checks.core import require
from course_utils.checks.icu_mortality.alone import call_alone

Builder = Callable[[pd.DataFrame, pd.DataFrame, object], pd.DataFrame]


def audit_data(seed: int = 0, n: int = 24) -> tuple[pd.DataFrame, pd.DataFrame, list[int]]:
    """Draw events (some after 48 h), static features and training stays for an audit."""
    rng = np.random.default_rng(seed)
    stay = rng.permutation(np.arange(100, 100 + n))
    static = pd.DataFrame(
        {
            "age": rng.integers(20, 90, n).astype(float),
            "insurance": rng.choice(["Medicare", "Private", "Other"], n),
            "los": rng.uniform(2, 9, n),
            "days_to_discharge": rng.integers(2, 30, n),
        },
        index=pd.Index(stay, name="stay_id"),
    )
    count = 12 * n
    events = pd.DataFrame(
        {
            "stay_id": rng.choice(stay, count),
            "minutes_since_admission": rng.uniform(0, 2879, count),
            "event_type": rng.choice(["lab", "prescription"], count),
            "value": rng.normal(5, 2, count),
        }
    )
    late = events.iloc[: 2 * n].copy()
    late["stay_id"] = np.repeat(stay, 2)
    late["minutes_since_admission"] = rng.uniform(2880, 9000, 2 * n)
    # One event exactly at the end of the window: it no longer belongs to the past.
    late.iloc[0, late.columns.get_loc("minutes_since_admission")] = 2880.0
    events = pd.concat([events, late]).sample(frac=1, random_state=seed)
    train = sorted(rng.choice(stay, n // 2, replace=False).tolist())
    return events, static, train


def past(events: pd.DataFrame, end: float = 2880) -> pd.DataFrame:
    """Return the events before ``end`` minutes."""
    return events[events["minutes_since_admission"] < end]


def by_stay(values: pd.Series, stays: pd.Series, static: pd.DataFrame, how: str) -> pd.Series:
    """Aggregate event values by stay, one number for each stay of ``static``."""
    return values.groupby(stays.to_numpy()).agg(how).reindex(static.index)


def clean_builder(events: pd.DataFrame, static: pd.DataFrame, train_ids: object) -> pd.DataFrame:
    """Features that know neither future nor split; the order of rows follows the events."""
    now = past(events)
    mean = static["age"][static.index.isin(list(train_ids))].mean()
    table = pd.DataFrame(
        {
            "n_events": by_stay(now["value"], now["stay_id"], static, "size").fillna(0),
            "mean_value": by_stay(now["value"], now["stay_id"], static, "mean"),
            "age_centred": static["age"] - mean,
            "always_missing": np.nan,
        },
        index=static.index,
    )
    return _in_order_of(events, table)


def _in_order_of(events: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Rows in an order that depends on the events: only the index says which stay is which."""
    first = events.drop_duplicates("stay_id")["stay_id"]
    order = first[first.isin(table.index)].iloc[::-1]
    rest = table.index.difference(order.to_list())
    return table.loc[[*order, *rest]]


def leaky_builder(events: pd.DataFrame, static: pd.DataFrame, train_ids: object) -> pd.DataFrame:
    """Leaky features: time to the final event, length of stay, encoders fitted on everyone."""
    last = events.groupby("stay_id")["minutes_since_admission"].max()
    to_end = events["stay_id"].map(last) - events["minutes_since_admission"]
    now = events["minutes_since_admission"] < 2880
    table = clean_builder(events, static, train_ids)
    los = pd.to_numeric(static["los"], errors="coerce")
    table["relative_time_to_final_event"] = by_stay(
        to_end[now], events["stay_id"][now], static, "mean"
    )
    table["los_hours"] = los * 24
    table["los_is_known"] = los.notna()
    table["age_scaled_on_all"] = (static["age"] - static["age"].mean()) / static["age"].std()
    table["late_and_split"] = table["relative_time_to_final_event"] - static["age"].median()
    table["insurance_code"] = static["insurance"].map(static["insurance"].value_counts())
    return _in_order_of(events, table)


def found(result: Any) -> list[tuple[str, str]]:
    """Pairs (column, knows) of an audit's answer, its form looked at."""
    require(isinstance(result, pd.DataFrame), f"Expected a DataFrame, got {type(result).__name__}.")
    require(
        list(result.columns) == ["column", "knows"],
        f"Expected the columns column, knows; got {', '.join(map(str, result.columns))}.",
        "an empty answer has these columns too",
    )
    words = set(result["knows"].tolist())
    require(
        words <= {"future", "split"},
        f"Expected 'future' or 'split' in the column knows, got {', '.join(map(repr, words))}.",
    )
    return list(zip(result["column"].tolist(), result["knows"].tolist(), strict=True))


def expect(
    result: Any,
    wanted: list[tuple[str, str]],
    what: str,
    hints: dict[str, str] | None = None,
    anywhere: Sequence[str] = (),
    alarm: str | None = None,
) -> None:
    """Fail unless the audit found exactly ``wanted``, in either order that the text allows.

    Columns in ``anywhere``, which the first feature table does not have, may stand anywhere;
    ``alarm`` says what a false alarm looks like here.
    """
    got = found(result)
    for pair in got:
        if pair not in wanted or got.count(pair) > 1:
            twice = "twice" if got.count(pair) > 1 else "although it does not"
            require(
                False,
                f"{what}: it says that {pair[0]!r} knows the {pair[1]}, {twice}.",
                alarm or _FALSE_ALARMS.get(pair[0], _FALSE_ALARMS.get(pair[1])),
            )
    for pair in wanted:
        require(
            pair in got,
            f"{what}: it does not say that {pair[0]!r} knows the {pair[1]}.",
            (hints or {}).get(pair[0]),
        )
    got = [pair for pair in got if pair[0] not in anywhere]
    wanted = [pair for pair in wanted if pair[0] not in anywhere]
    by_kind = sorted(wanted, key=lambda pair: pair[1] != "future")
    require(
        got in (wanted, by_kind),
        f"{what}: found in the order {', '.join(c for c, _ in got)}.",
        'the order is that of the feature table\'s columns, "future" before "split"',
    )


_FALSE_ALARMS = {
    "huge": "the difference counts relative to the values, not with a fixed tolerance",
    "just_under": "a difference of less than 1e-9, relative, is rounding",
    "always_missing": "missing in both tables means that nothing changed",
    "future": "align both tables by stay_id before you compare; missing equals missing",
    "split": "compare the training stays alone, by stay_id; train_ids, known_late and the window "
    "stay as they are",
}
_HINTS = {
    "at_end": "an event exactly at window_minutes is already the future",
    "los_hours": "set the known_late columns of static to missing for the second build",
    "los_is_known": "missing is missing: neither 0 nor any other number",
    "relative_time_to_final_event": "build again without the events at or after window_minutes",
    "age_scaled_on_all": "build again with the training stays alone, in events and in static",
    "insurance_code": "build again with the training stays alone, in events and in static",
    "late_and_split": "a column may know both: it gets two rows",
    "tiny": "the difference counts relative to the values, not with a fixed tolerance",
    "huge": "the difference counts relative to the values, not with a fixed tolerance",
    "just_over": "a difference of more than 1e-9, relative, is a change",
    "one_stay": "one changed stay is enough, and so is a change of more than 1e-9, relative",
    "one_other": "future: a change in any stay counts, also in one outside of training",
    "one_train": "split: one changed training stay is enough",
    "nan_for_0": "missing against 0 is a change: do not fill missing values before you compare",
    "0_for_nan": "0 against missing is a change: do not fill missing values before you compare",
    "fades": "a number that becomes missing has changed",
    "appears": "a missing value that becomes a number has changed",
    "gone": "a column that disappears has changed",
    "late_only": "a column that disappears has changed",
    "new_past": "a column that only the second table has appears: that is a change",
    "new_alone": "a column that only the third table has appears: that is a change",
}


def edge_builder(events: pd.DataFrame, static: pd.DataFrame, train_ids: object) -> pd.DataFrame:
    """Changes that are small, rare, missing, or whole columns."""
    late = events["minutes_since_admission"] >= 2880
    n_late = by_stay(late.astype(float), events["stay_id"], static, "sum").fillna(0)
    any_late = float(late.sum() > 0)
    everyone = float(len(static) > len(list(train_ids)))
    first = static.index == sorted(train_ids)[0]
    table = pd.DataFrame(index=static.index)
    table["flag"] = static["age"] > 50
    at_end = events["minutes_since_admission"].to_numpy() == 2880
    table["at_end"] = float(at_end.any())
    table["tiny"] = 1e-12 * (1 + any_late)
    table["just_over"] = 7.0 * (1 + 3e-9 * any_late)
    table["just_under"] = 7.0 * (1 + 3e-10 * any_late)
    table["huge"] = 1e12 * (1 + 1e-12 * any_late) + 0 * static["age"]
    table["one_stay"] = static["age"] + 1e-6 * any_late * first
    table["one_other"] = static["age"] + any_late * (static.index == OTHER)
    table["one_train"] = static["age"] + everyone * (static.index == sorted(train_ids)[-1])
    table["nan_for_0"] = np.where(any_late and first, np.nan, 0.0)
    table["0_for_nan"] = np.where(everyone and first, 0.0, np.nan)
    table["fades"] = np.where(any_late and first, np.nan, 1.0)
    table["appears"] = np.where((any_late == 0) & first, np.nan, 2.0)
    if n_late.sum() > 0:
        table["late_only"] = n_late
    table["share"] = np.where(first, everyone, 0.5)
    if everyone:
        table["gone"] = 1.0
    else:
        table["new_alone"] = 1.0
    if not any_late:
        table["new_past"] = 1.0
    return table


#: A stay that is never in training, added by :func:`with_other`.
OTHER = 99
EDGES = [
    ("at_end", "future"),
    ("tiny", "future"),
    ("just_over", "future"),
    ("one_stay", "future"),
    ("one_other", "future"),
    ("one_train", "split"),
    ("nan_for_0", "future"),
    ("0_for_nan", "split"),
    ("fades", "future"),
    ("appears", "future"),
    ("late_only", "future"),
    ("share", "split"),
    ("gone", "split"),
    ("new_past", "future"),
    ("new_alone", "split"),
]
APPEAR = ("new_past", "new_alone")


def with_other(static: pd.DataFrame) -> pd.DataFrame:
    """Add a stay without events that is in nobody's training set."""
    row = static.iloc[[0]].set_axis(pd.Index([OTHER], name="stay_id"))
    return pd.concat([static, row])


def greedy_builder(events: pd.DataFrame, static: pd.DataFrame, train_ids: Any) -> pd.DataFrame:
    """Build leaky features, and spoil everything that was handed over."""
    table = leaky_builder(events.copy(), static.copy(), list(train_ids))
    events["minutes_since_admission"] = 0.0
    events["mine"] = 1.0
    static["age"] = 50.0
    static["mine"] = 1.0
    if isinstance(train_ids, list):
        train_ids.clear()
    return table


class ReadOnce:
    """An iterable that can be read a single time, as a generator can."""

    def __init__(self, values: Iterable) -> None:
        self.values = iter(values)

    def __iter__(self) -> Iterator:
        return self.values


def audit_checks(answer: Callable, seed: int) -> None:
    """Everything that the audit has to find, and to leave alone, on data of this seed."""
    events, static, train = audit_data(seed)
    late = ("los", "days_to_discharge")
    result = call_alone(answer, clean_builder, events, static, train, known_late=late)
    expect(result, [], "a builder without leaks", _HINTS)
    result = call_alone(answer, leaky_builder, events, static, train, known_late=late)
    wanted = [
        ("relative_time_to_final_event", "future"),
        ("los_hours", "future"),
        ("los_is_known", "future"),
        ("age_scaled_on_all", "split"),
        ("late_and_split", "future"),
        ("late_and_split", "split"),
        ("insurance_code", "split"),
    ]
    expect(result, wanted, "the features of the earlier notebook", _HINTS)
    names = {name: f"f{i}" for i, name in enumerate(leaky_builder(events, static, train).columns)}

    def renamed(events: pd.DataFrame, static: pd.DataFrame, train_ids: object) -> pd.DataFrame:
        return leaky_builder(events, static, train_ids).rename(columns=names)

    result = call_alone(answer, renamed, events, static, np.array(train), known_late=late)
    hints = {names[k]: v for k, v in _HINTS.items() if k in names}
    expect(result, [(names[c], k) for c, k in wanted], "the same under other names", hints)
    result = call_alone(answer, leaky_builder, events, static, train)
    less = [pair for pair in wanted if not pair[0].startswith("los")]
    expect(result, less, "known_late left empty", {"los_hours": "known_late is () by default"})
    result = call_alone(answer, edge_builder, events, with_other(static), train)
    expect(result, EDGES, "small and rare changes", _HINTS, APPEAR)
    windows(answer, events, static, train)
    kinds_of_arguments(answer, events, static, train, wanted)


def kinds_of_arguments(
    answer: Callable,
    events: pd.DataFrame,
    static: pd.DataFrame,
    train: list[int],
    wanted: list[tuple[str, str]],
) -> None:
    """Iterables that can be read once; a builder that changes the tables that it gets."""
    once = dict.fromkeys(_HINTS, "train_ids and known_late may be read only once: make a list")
    late = ("los", "days_to_discharge")
    ids, columns = ReadOnce(train), ReadOnce(late)
    result = call_alone(answer, leaky_builder, events, static, ids, known_late=columns)
    expect(result, wanted, "train_ids and known_late that can be read once", once)
    own = "hand the builder copies, a fresh one each time: it may change what it gets"
    spoilt = dict.fromkeys(_HINTS, own)
    result = call_alone(answer, greedy_builder, events, static, train, known_late=late)
    expect(result, wanted, "a builder that changes its inputs", spoilt, alarm=own)


def windows(answer: Callable, events: pd.DataFrame, static: pd.DataFrame, train: list[int]) -> None:
    """Another window: what counts 48 h knows the future of a 24 h window."""

    def day(events: pd.DataFrame, static: pd.DataFrame, train_ids: object) -> pd.DataFrame:
        columns = {}
        for hours in (12, 24, 48):
            part = past(events, hours * 60)
            columns[f"n_{hours}h"] = by_stay(part["value"], part["stay_id"], static, "size")
        return pd.DataFrame(columns).fillna(0)

    hint = {"n_48h": "use window_minutes, not 2880", "n_24h": "use window_minutes, not 2880"}
    result = call_alone(answer, day, events, static, train, window_minutes=1440)
    expect(result, [("n_48h", "future")], "window_minutes=1440", hint)
