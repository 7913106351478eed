"""The drawn ICU stays as MIMIC-IV tables, as a sequence of events, and the truth about causes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from course_utils.data.icu.catalogue import (
    CULTURES,
    DRUGS,
    EFFECTS,
    EVENT_TYPES,
    INGREDIENTS,
    LABS,
    PLANTED_ITEMS,
    PROCEDURES,
    STATIC_CATEGORIES,
    UNKNOWN_VALUE,
    WINDOW_MINUTES,
)
from course_utils.data.icu.mimic import SCHEMA, create_empty_tables
from course_utils.data.icu.timeline import Timeline, planted_effects

if TYPE_CHECKING:
    import duckdb

_WINDOW = np.timedelta64(WINDOW_MINUTES, "m")
_MISSING_STORETIME = 0.02  # of the results
_NEVER = np.datetime64("NaT", "s")
Rows = dict[str, np.ndarray]


def known_at(timeline: Timeline, rows: Rows) -> np.ndarray:
    """When each row became known, (R,) datetime64[s], at whole minutes of the clock."""
    start = timeline.intime[rows["stay"]].astype("datetime64[m]").astype("datetime64[s]")
    return start + rows["minutes"].astype("timedelta64[m]")


def _gap(rows: Rows) -> np.ndarray:
    """Which piece of a row's text is missing: 0 none, 1 and 2 the first and second optional."""
    gap = np.digitize(rows["missing"], [0.02, 0.04, 0.06]) % 3
    return np.where(rows["planted"], 0, gap)


def _without_storetime(rows: Rows) -> np.ndarray:
    result = (rows["type"] == 2) | (rows["type"] == 3)
    return result & ~rows["planted"] & (rows["missing"] < _MISSING_STORETIME)


def row_pieces(kind: int, item: int, tick: int, gap: int) -> tuple[str | None, ...]:
    """The pieces of one event's text, as they stand in its tables."""
    if kind == 0:
        drug, dose, unit, route = DRUGS[item]
        return drug, dose, None if gap == 1 else unit, None if gap == 2 else route
    if kind == 3:
        return CULTURES[item]
    if kind != 2:
        itemid, label = (PROCEDURES if kind == 1 else INGREDIENTS)[item]
        return (label or str(itemid),)
    labid, name, in_units, decimals, low, high, _, _ = LABS[item]
    if tick == UNKNOWN_VALUE:
        return name or str(labid), None, in_units, None
    value = tick / 10**decimals
    flag = None if low <= value <= high else "abnormal"
    return name or str(labid), f"{value:.{decimals}f}", in_units, flag


def _texts(rows: Rows) -> np.ndarray:
    """Event texts, (R,): put together once for every different one."""
    tick = np.where(rows["type"] == 2, rows["tick"], 0)
    keys = np.stack([rows["type"], rows["item"], tick, _gap(rows)])
    frame = pd.DataFrame(keys.T)
    number = frame.groupby([0, 1, 2, 3], sort=False).ngroup().to_numpy()
    unique = frame.drop_duplicates().to_numpy()
    texts = [" ".join(piece for piece in row_pieces(*key) if piece) for key in unique.tolist()]
    return np.array(texts, dtype=object)[number] if texts else np.zeros(0, dtype=object)


def window_events(timeline: Timeline, rows: Rows) -> pd.DataFrame:
    """One row per event known in the first 48 hours of an eligible stay, in order."""
    keep = (rows["stay"] < timeline.n_eligible) & ~_without_storetime(rows)
    rows = {name: values[keep] for name, values in rows.items()}
    time, start = known_at(timeline, rows), timeline.intime[rows["stay"]]
    keep = (time >= start) & (time < start + _WINDOW)
    rows = {name: values[keep] for name, values in rows.items()}
    frame = pd.DataFrame(
        {
            "stay_id": timeline.ids["stay_id"][rows["stay"]],
            "event_time": time[keep],
            "event_type": np.array(EVENT_TYPES, dtype=object)[rows["type"]],
            "event_text": _texts(rows),
            "minutes_since_admission": (time - start)[keep].astype(np.int64) / 60,
        }
    )
    order = ["stay_id", "event_time", "event_type", "event_text"]
    return frame.sort_values(order, ignore_index=True)


def causes_table(timeline: Timeline, planted: dict[str, np.ndarray], rows: Rows) -> pd.DataFrame:
    """The planted causes of the eligible stays, see :class:`course_utils.data.icu.IcuStays`."""
    inside = rows["planted"] & (rows["minutes"] < WINDOW_MINUTES)
    parts: list[tuple] = []
    first = np.flatnonzero(inside)
    texts = _texts({name: values[first] for name, values in rows.items()})
    times = known_at(timeline, rows)[first] - timeline.intime[rows["stay"][first]]
    where = {
        (stay, kind, minutes, item): (text, minute)
        for stay, kind, minutes, item, text, minute in zip(
            *(rows[k][first].tolist() for k in ("stay", "type", "minutes", "item")),
            texts,
            (times.astype(np.int64) / 60).tolist(),
            strict=True,
        )
    }
    for cause, effect in planted_effects(planted).items():
        kind, item = PLANTED_ITEMS[cause]
        for stay in np.flatnonzero(effect).tolist():
            text, minute = where[stay, kind, int(planted[cause][stay]), item]
            parts.append((stay, cause, EVENT_TYPES[kind], text, minute, float(effect[stay])))
    for stay, years in enumerate((timeline.age[: timeline.n_eligible] - 65).tolist()):
        parts.append((stay, "age", None, None, np.nan, EFFECTS["age"] * years))
    names = ["stay_id", "cause", "event_type", "event_text", "minutes_since_admission", "effect"]
    frame = pd.DataFrame(parts, columns=names)
    frame["stay_id"] = timeline.ids["stay_id"][frame["stay_id"].to_numpy(dtype=np.int64)]
    return frame.sort_values(["stay_id", "minutes_since_admission"], ignore_index=True)


def write_tables(
    timeline: Timeline,
    rows: Rows,
    rng: np.random.Generator,
    *,
    database: str | Path = ":memory:",
    folder: str | Path | None = None,
) -> duckdb.DuckDBPyConnection:
    """Fill the ten MIMIC-IV tables, and write them as ``csv.gz`` where ``folder`` is given."""
    import duckdb

    connection = duckdb.connect(str(database))
    create_empty_tables(connection)
    order = rng.permutation(len(rows["stay"]))
    rows = {name: values[order] for name, values in rows.items()}
    frames = {**_stay_frames(timeline, rng), **_event_frames(timeline, rows, rng)}
    frames["d_labitems"] = pd.DataFrame(
        [(lab[0], lab[1], "Blood", "Chemistry") for lab in LABS if lab[1]],
        columns=["itemid", "label", "fluid", "category"],
    )
    frames["d_items"] = pd.DataFrame(
        [(i, label, label, "procedureevents") for i, label in PROCEDURES if label]
        + [(i, label, label, "ingredientevents") for i, label in INGREDIENTS],
        columns=["itemid", "label", "abbreviation", "linksto"],
    )
    for table, frame in frames.items():
        if len(frame):
            connection.register("incoming", frame)
            connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM incoming")
            connection.unregister("incoming")
    if folder is not None:
        for path in SCHEMA:
            target = Path(folder) / f"{path}.csv.gz"
            target.parent.mkdir(parents=True, exist_ok=True)
            name = str(target).replace("'", "''")
            connection.execute(
                f"COPY {path.split('/')[1]} TO '{name}' (FORMAT csv, HEADER, COMPRESSION gzip,"
                " TIMESTAMPFORMAT '%Y-%m-%d %H:%M:%S')"
            )
    return connection


def _or_none(values: np.ndarray, keep: np.ndarray) -> np.ndarray:
    return np.where(keep, values.astype(object), np.array(None, dtype=object))


def _stay_frames(timeline: Timeline, rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    """patients, admissions, icustays."""
    n_admissions = int(timeline.admission.max(initial=-1)) + 1
    n_patients = int(timeline.patient.max(initial=-1)) + 1
    m = len(timeline.patient)
    first = np.full(n_admissions, m)
    np.minimum.at(first, timeline.admission, np.arange(m))  # the admission's first stay
    outtime = timeline.intime + timeline.minutes.astype("timedelta64[m]")
    death = timeline.intime + timeline.minutes_to_death.astype("timedelta64[m]")
    left = outtime[first].copy()
    np.maximum.at(left, timeline.admission, outtime)
    left = left + rng.integers(60, 6 * 1440, n_admissions).astype("timedelta64[m]")
    died = timeline.died[first]
    left = np.where(died, death[first], left)
    came = timeline.intime[first] - rng.integers(5, 2880, n_admissions).astype("timedelta64[m]")
    static = {}
    for name, (values, _) in STATIC_CATEGORIES.items():
        by = timeline.patient[first] if name in ("gender", "race") else first
        static[name] = np.array(values, dtype=object)[timeline.static[name][by]]
    homes = np.array(["HOME", "HOME HEALTH CARE", "SKILLED NURSING FACILITY", "REHAB"], object)
    goes = np.where(died, "DIED", homes[rng.integers(0, 4, n_admissions)])
    emergency = static["admission_location"] == "EMERGENCY ROOM"
    subject = timeline.ids["subject_id"][timeline.patient[first]]
    admissions = pd.DataFrame(
        {
            "subject_id": subject,
            "hadm_id": timeline.ids["hadm_id"],
            "admittime": came,
            "dischtime": left,
            "deathtime": np.where(died, left, _NEVER),
            "discharge_location": goes,
            "hospital_expire_flag": died.astype(np.int64),
            "edregtime": np.where(emergency, came - np.timedelta64(300, "m"), _NEVER),
            "edouttime": np.where(emergency, came + np.timedelta64(30, "m"), _NEVER),
            **{k: v for k, v in static.items() if k not in ("gender", "first_careunit")},
        }
    )
    by_patient = np.full(n_patients, m)
    np.minimum.at(by_patient, timeline.patient, np.arange(m))
    last = np.zeros(n_patients, np.int64)
    np.maximum.at(last, timeline.patient[first], np.arange(n_admissions))
    year = timeline.intime[by_patient].astype("datetime64[Y]").astype(np.int64) + 1970
    later = rng.integers(5, 900, n_patients).astype("timedelta64[D]")
    dead = died[last]
    day = np.where(dead, left[last], left[last] + later).astype("datetime64[s]")
    known = dead | (rng.random(n_patients) < 0.1)
    genders = np.array(STATIC_CATEGORIES["gender"][0], object)
    patients = pd.DataFrame(
        {
            "subject_id": timeline.ids["subject_id"],
            "gender": genders[timeline.static["gender"]],
            "anchor_age": timeline.age[by_patient],
            "anchor_year": year,
            "anchor_year_group": "2014 - 2016",
            "dod": pd.Series(np.where(known, day, _NEVER)).dt.normalize(),
        }
    )
    units = np.array(STATIC_CATEGORIES["first_careunit"][0], object)
    unit = units[timeline.static["first_careunit"]]
    stays = pd.DataFrame(
        {
            "subject_id": timeline.ids["subject_id"][timeline.patient],
            "hadm_id": timeline.ids["hadm_id"][timeline.admission],
            "stay_id": timeline.ids["stay_id"],
            "first_careunit": unit,
            "last_careunit": unit,
            "intime": timeline.intime,
            "outtime": np.where(timeline.open, _NEVER, outtime),
            "los": np.where(timeline.open, np.nan, timeline.minutes / 1440),
        }
    )
    return {"patients": patients, "admissions": admissions, "icustays": stays}


def _event_frames(
    timeline: Timeline, rows: Rows, rng: np.random.Generator
) -> dict[str, pd.DataFrame]:
    """The five event tables."""
    time = known_at(timeline, rows)
    frame = pd.DataFrame(
        {
            "subject_id": timeline.ids["subject_id"][timeline.patient[rows["stay"]]],
            "hadm_id": timeline.ids["hadm_id"][timeline.admission[rows["stay"]]],
            "stay_id": timeline.ids["stay_id"][rows["stay"]],
            "known": time,
            "taken": time - rows["lag"].astype("timedelta64[m]"),
            "ended": time + rng.integers(-60, 1440, len(time)).astype("timedelta64[m]"),
            "lost": _without_storetime(rows),
            "type": rows["type"],
            "key": pd.MultiIndex.from_arrays(
                [
                    rows["type"],
                    rows["item"],
                    np.where(rows["type"] == 2, rows["tick"], 0),
                    _gap(rows),
                ]
            ).to_flat_index(),
        }
    )
    result = {}
    for kind, (table, build) in enumerate(_BUILDERS.items()):
        part = frame[frame["type"] == kind].reset_index(drop=True)
        codes, keys = pd.factorize(part["key"])
        pieces = pd.DataFrame([build(*key) for key in keys]).iloc[codes].reset_index(drop=True)
        result[table] = pd.concat([_times(part, table), pieces], axis=1)
    return result


def _times(part: pd.DataFrame, table: str) -> pd.DataFrame:
    """Identifiers and times of one event table."""
    number = np.arange(len(part))
    out = part[["subject_id", "hadm_id"]].copy()
    if table in ("labevents", "microbiologyevents"):
        out["hadm_id"] = out["hadm_id"].astype("Int64").mask(number % 5 == 0)
        out["labevent_id" if table == "labevents" else "microevent_id"] = number + 1
        out["charttime"], out["storetime"] = part["taken"], part["known"].mask(part["lost"])
        if table == "microbiologyevents":
            out["chartdate"] = part["taken"].dt.normalize()
        return out
    out["starttime"] = part["known"]
    out["stoptime" if table == "prescriptions" else "endtime"] = part["ended"]
    if table == "prescriptions":
        out["pharmacy_id"] = number + 1
        return out
    out["stay_id"], out["orderid"] = part["stay_id"], number + 1
    out["endtime"] = part["ended"].where(part["ended"] > part["known"], part["known"])
    out["storetime"] = part["ended"]
    out["statusdescription"] = "FinishedRunning"
    return out


def _prescription(kind: int, item: int, tick: int, gap: int) -> dict[str, object]:
    names = ("drug", "dose_val_rx", "dose_unit_rx", "route")
    row: dict[str, object] = dict(zip(names, row_pieces(kind, item, tick, gap), strict=True))
    return row | {"drug_type": "MAIN"}


def _procedure(kind: int, item: int, tick: int, gap: int) -> dict[str, object]:
    return {"itemid": PROCEDURES[item][0], "value": 1.0}


def _lab(kind: int, item: int, tick: int, gap: int) -> dict[str, object]:
    _, value, unit, flag = row_pieces(kind, item, tick, gap)
    low, high = LABS[item][4:6]
    return {
        "itemid": LABS[item][0],
        "value": value,
        "valuenum": None if value is None else float(value),
        "valueuom": unit,
        "flag": flag,
        "ref_range_lower": low,
        "ref_range_upper": high,
        "priority": "ROUTINE",
        "comments": "___" if value is None else None,
    }


def _culture(kind: int, item: int, tick: int, gap: int) -> dict[str, object]:
    names = ("spec_type_desc", "test_name", "org_name", "ab_name", "interpretation")
    return dict(zip(names, CULTURES[item], strict=True))


def _ingredient(kind: int, item: int, tick: int, gap: int) -> dict[str, object]:
    return {"itemid": INGREDIENTS[item][0], "amount": 100.0, "amountuom": "ml"}


_BUILDERS = {
    "prescriptions": _prescription,
    "procedureevents": _procedure,
    "labevents": _lab,
    "microbiologyevents": _culture,
    "ingredientevents": _ingredient,
}
