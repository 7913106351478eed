"""Worked MIMIC-IV tables for the check of the event query: every row is there for a reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from course_utils.checks.core import fail, require

TABLES = (
    "icustays",
    "prescriptions",
    "procedureevents",
    "labevents",
    "microbiologyevents",
    "ingredientevents",
    "d_items",
    "d_labitems",
)
COLUMNS = {
    "stay_id": "BIGINT",
    "event_time": "TIMESTAMP",
    "event_type": "VARCHAR",
    "event_text": "VARCHAR",
    "minutes_since_admission": "DOUBLE",
}
ORDER = list(COLUMNS)[:4]
A = pd.Timestamp("2150-03-01 22:30:15")  # admission of stay 71
B = pd.Timestamp("2151-07-09 04:00:50")  # admission of stay 33, the same patient a year later
C = pd.Timestamp("2149-01-31 12:00:00")  # admission of stays 52 to 54, other patients
_DAY2 = pd.Timedelta(hours=48)
EMPTY = "only NULL is skipped: an empty string is a piece like any other"
NO_LABEL = "an itemid whose label is NULL gives the number, as one that is not in its dictionary"

STAYS = [
    {"subject_id": 1, "hadm_id": 11, "stay_id": 71, "intime": A, "outtime": A + _DAY2},
    {"subject_id": 1, "hadm_id": 12, "stay_id": 33, "intime": B, "outtime": B + 2 * _DAY2},
    {
        "subject_id": 2,
        "hadm_id": 13,
        "stay_id": 52,
        "intime": C,
        "outtime": C + _DAY2 - pd.Timedelta(seconds=1),
    },
    {"subject_id": 3, "hadm_id": 14, "stay_id": 53, "intime": C, "outtime": None},
]
D_ITEMS = [
    (501, "EKG"),
    (502, "Arterial Line"),
    (503, "Water (ingr)"),
    (900, "a procedure"),
    (904, None),
    (906, ""),
]
D_LABITEMS = [
    (900, "Sodium"),
    (901, "Lactate"),
    (502, "a laboratory item"),
    (905, None),
    (906, ""),
]


def _t(start: pd.Timestamp, minutes: float, seconds: float = 0) -> pd.Timestamp:
    return start + pd.Timedelta(minutes=minutes, seconds=seconds)


def _source_rows() -> list[tuple[str, dict[str, Any], int | None, str, str]]:
    """Table, row, the stay that it belongs to (or None), its text, what it is there for."""
    rows: list[tuple[str, dict[str, Any], int | None, str, str]] = []

    def add(table: str, stay: int | None, text: str, why: str, **row: Any) -> None:
        rows.append((table, row, stay, text, why))

    def drug(
        name: str | None, stay: int | None, why: str, start: Any, text: str = "", **row: Any
    ) -> None:
        row = {"subject_id": 1, "hadm_id": 11, "drug": name, "starttime": start} | row
        add("prescriptions", stay, text or str(name), why, **row)

    drug("Atfirst", 71, "an event at `intime` itself counts (>=)", A)
    drug("Before", None, "an event before `intime` does not count", _t(A, 0, -1))
    drug("Lastsecond", 71, "an event in the last second of the 48 h counts", _t(A, 2879, 59))
    drug("Attheend", None, "an event exactly at 48 h no longer counts (<)", A + _DAY2)
    drug("Nostart", None, "without `starttime` a row is left out", None, stoptime=_t(A, 30))
    drug("Stopsfirst", 71, "`stoptime` is not used", _t(A, 100), stoptime=_t(A, 40))
    drug(
        "Elsewhere", 71, "prescriptions join by subject_id, whatever hadm_id", _t(A, 60), hadm_id=99
    )
    drug(
        "Nohadm", 71, "prescriptions join by subject_id, whatever hadm_id", _t(A, 61), hadm_id=None
    )
    full = {"dose_val_rx": "0.5-1", "dose_unit_rx": "mg", "route": "IV"}
    drug("Full", 71, "drug, dose, unit, route in this order", _t(A, 70), "Full 0.5-1 mg IV", **full)
    full = full | {"dose_unit_rx": None}
    drug("Gap", 71, "a NULL piece is skipped, with one space", _t(A, 71), "Gap 0.5-1 IV", **full)
    twin = "identical rows stay: UNION ALL, no DISTINCT"
    drug("Twin", 71, twin, _t(A, 80, 5))
    drug("Twin", 71, twin, _t(A, 80, 5))
    one_row = "one row per source row: without a drug the other pieces are the text"
    drug(None, 71, one_row, _t(A, 81), "5 ml", dose_val_rx="5", dose_unit_rx="ml")
    drug("Empty", 71, EMPTY, _t(A, 82), "Empty  PO", dose_unit_rx="", route="PO")
    drug("Nextyear", 33, "an event belongs to the stay whose window holds it", _t(B, 10))
    drug("Short", None, "a stay shorter than 48 h is left out", _t(C, 5), subject_id=2)
    drug("Open", None, "a stay without `outtime` is left out", _t(C, 5), subject_id=3)

    def lab(
        value: str | None, stay: int | None, text: str, why: str, chart: Any, store: Any, **r: Any
    ):
        row = {"subject_id": 1, "hadm_id": 11, "itemid": 901, "charttime": chart}
        add("labevents", stay, text, why, **(row | {"storetime": store, "value": value} | r))

    lab("1.11", 71, "Lactate 1.11", "taken before, known inside: it counts", _t(A, -50), _t(A, 9))
    lab(
        "1.12",
        None,
        "Lactate 1.12",
        "taken inside, known later: it does not count; `charttime` knows the future",
        _t(A, 2800),
        _t(A, 2999),
    )
    lab("1.13", None, "Lactate 1.13", "without `storetime` a row is left out", _t(A, 90), None)
    lab(
        "1.14",
        71,
        "Lactate 1.14",
        "laboratory rows join by subject_id, whatever hadm_id",
        _t(A, 200),
        _t(A, 230),
        hadm_id=None,
    )
    lab(
        ">4.0",
        71,
        "Lactate >4.0 mmol/L abnormal",
        "label, value, unit, flag (not `valuenum`)",
        None,
        _t(A, 240),
        valuenum=4.0,
        valueuom="mmol/L",
        flag="abnormal",
    )
    lab(
        None,
        71,
        "Lactate mmol/L",
        "a NULL piece is skipped, with one space",
        _t(A, 1),
        _t(A, 241),
        valueuom="mmol/L",
        comments="hemolysed",
    )
    lab(
        "140",
        71,
        "Sodium 140",
        "laboratory labels are in d_labitems",
        _t(A, 1),
        _t(A, 242),
        itemid=900,
    )
    lab(
        "7",
        71,
        "777 7",
        "an itemid that is not in its dictionary gives the number",
        _t(A, 1),
        _t(A, 243),
        itemid=777,
    )
    lab("8", 71, "905 8", NO_LABEL, _t(A, 1), _t(A, 244), itemid=905)
    lab("", 71, "Lactate  delta", EMPTY, _t(A, 1), _t(A, 245), flag="delta")
    lab("9", 71, " 9", EMPTY, _t(A, 1), _t(A, 246), itemid=906)
    for _ in range(2):
        lab("1.2", 71, "Lactate 1.2", twin, _t(A, 1), _t(A, 247))

    def culture(test: str, stay: int | None, text: str, why: str, store: Any, **r: Any) -> None:
        row = {"subject_id": 1, "spec_type_desc": "URINE", "test_name": test, "storetime": store}
        add("microbiologyevents", stay, text, why, **(row | r))

    culture(
        "C1",
        71,
        "URINE C1",
        "microbiology rows join by subject_id, whatever hadm_id",
        _t(A, 300),
        chartdate=A.normalize() - _DAY2,
    )
    culture(
        "C2",
        None,
        "URINE C2",
        "a culture counts when its result is stored, not when it is taken",
        _t(A, 4000),
        charttime=_t(A, 20),
        chartdate=A.normalize(),
        hadm_id=11,
    )
    culture(
        "C3",
        None,
        "URINE C3",
        "without `storetime` a row is left out; `storedate` is not used",
        None,
        charttime=_t(A, 20),
        storedate=A.normalize() + _DAY2 / 2,
        hadm_id=11,
    )
    named = {"org_name": "E. COLI", "ab_name": "CEFTRIAXONE", "interpretation": "S", "hadm_id": 11}
    culture(
        "C4",
        71,
        "URINE C4 E. COLI CEFTRIAXONE S",
        "specimen, test, organism, antibiotic, interpretation",
        _t(A, 310),
        **named,
    )

    for _ in range(2):
        culture("C5", 71, "URINE C5", twin, _t(A, 311))

    def bedside(table: str, item: int, stay: int | None, text: str, why: str, start: Any, **r: Any):
        row = {"subject_id": 1, "hadm_id": 11, "stay_id": 71, "itemid": item, "starttime": start}
        add(table, stay, text, why, **(row | r))

    bedside(
        "procedureevents",
        501,
        71,
        "EKG",
        "procedures join by stay_id",
        _t(A, 400),
        subject_id=None,
        hadm_id=None,
        storetime=_t(A, 5000),
    )
    bedside(
        "procedureevents",
        502,
        None,
        "Arterial Line",
        "procedures count by `starttime`",
        _t(A, -5),
        endtime=_t(A, 50),
        storetime=_t(A, 60),
    )
    bedside(
        "procedureevents",
        902,
        71,
        "902",
        "an itemid that is not in its dictionary gives the number",
        _t(A, 401),
        statusdescription="Rewritten",
        value=3.0,
    )
    bedside(
        "procedureevents",
        900,
        None,
        "a procedure",
        "procedures join by stay_id, not by subject_id",
        _t(A, 402),
        stay_id=33,
    )
    bedside(
        "ingredientevents",
        503,
        71,
        "Water (ingr)",
        "ingredients join by stay_id; amounts are not part of the text",
        _t(A, 80, 5),
        amount=100.0,
        amountuom="ml",
        subject_id=None,
    )
    bedside(
        "ingredientevents",
        903,
        71,
        "903",
        "an itemid that is not in its dictionary gives the number",
        _t(A, 403),
        statusdescription="Stopped",
        endtime=None,
    )
    bedside("procedureevents", 904, 71, "904", NO_LABEL, _t(A, 404))
    bedside("ingredientevents", 904, 71, "904", NO_LABEL, _t(A, 405))
    for table in 2 * ("procedureevents", "ingredientevents"):
        bedside(table, 907, 71, "907", twin, _t(A, 408))
    bedside("procedureevents", 906, 71, "", EMPTY, _t(A, 406))
    bedside("ingredientevents", 906, 71, "", EMPTY, _t(A, 407))
    bedside(
        "ingredientevents",
        503,
        None,
        "Water (ingr)",
        "without `starttime` a row is left out",
        None,
        endtime=_t(A, 50),
        storetime=_t(A, 50),
    )
    return rows


_TYPES = {
    "prescriptions": "prescription",
    "procedureevents": "procedure",
    "labevents": "lab",
    "microbiologyevents": "microbiology",
    "ingredientevents": "ingredient",
}


def worked_example() -> tuple[dict[str, list[dict[str, Any]]], pd.DataFrame, dict[tuple, str]]:
    """Tables, the rows that are wanted from them, and what each source row is there for."""
    tables: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    tables["icustays"] = STAYS
    tables["d_items"] = [{"itemid": i, "label": label} for i, label in D_ITEMS]
    tables["d_labitems"] = [{"itemid": i, "label": label} for i, label in D_LABITEMS]
    wanted, reasons = [], {}
    for table, row, stay, text, why in _source_rows():
        tables[table].append(row)
        reasons.setdefault((_TYPES[table], text.split()[-1] if table == "labevents" else text), why)
        if stay is not None:
            known = row.get("starttime", row.get("storetime"))
            minutes = (known - (A if stay == 71 else B)).total_seconds() / 60
            wanted.append((stay, known, _TYPES[table], text, minutes))
    frame = pd.DataFrame(wanted, columns=list(COLUMNS))
    return tables, frame.sort_values(ORDER, ignore_index=True), reasons


def open_tables(tables: dict[str, list[dict[str, Any]]]):
    """Open a DuckDB with the eight tables of the exercise and these rows in them."""
    import duckdb

    from course_utils.data.icu.mimic import SCHEMA

    connection = duckdb.connect(":memory:")
    for path, columns in SCHEMA.items():
        table = path.split("/")[1]
        if table in TABLES:
            body = ", ".join(f"{name} {kind}" for name, kind in columns.items())
            connection.execute(f"CREATE TABLE {table} ({body})")
            for row in tables.get(table, []):
                marks = ", ".join("?" * len(row))
                values = [None if v is None or v is pd.NaT else v for v in row.values()]
                values = [v.to_pydatetime() if isinstance(v, pd.Timestamp) else v for v in values]
                connection.execute(
                    f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", values
                )
    return connection


def run_query(connection: Any, query: Any) -> pd.DataFrame:
    """Run an answer's query; its rows, with names and types looked at."""
    import duckdb

    require(isinstance(query, str), f"Expected a str with one query, got {type(query).__name__}.")
    try:
        statements = duckdb.extract_statements(query)
    except duckdb.Error as error:
        fail(f"DuckDB cannot read the query: {str(error).splitlines()[0]}")
    require(
        len(statements) == 1 and statements[0].type == duckdb.StatementType.SELECT,
        f"Expected one SELECT (WITH may stand before it), got {len(statements)} statements.",
    )
    try:
        relation = connection.sql(query)
        names, types = relation.columns, [str(kind) for kind in relation.types]
        rows = relation.df()
    except duckdb.Error as error:
        fail(f"DuckDB: {' '.join(str(error).split())}")
    require(
        names == list(COLUMNS),
        f"Expected the columns {', '.join(COLUMNS)}.\nGot {', '.join(names)}.",
    )
    for name, kind in zip(names, types, strict=True):
        require(
            kind == COLUMNS[name],
            f"Expected {name} as {COLUMNS[name]}, got {kind}.",
            "minutes are a fraction: divide by a DOUBLE"
            if kind.startswith(("DEC", "BIG"))
            else None,
        )
    return rows


def compare_rows(got: pd.DataFrame, want: pd.DataFrame, reasons: dict[tuple, str]) -> None:
    """Fail unless both hold the same rows in the same order; say why a row is one too many."""
    keys = ["stay_id", "event_time", "event_type", "event_text"]
    seen = _counts(got, keys)
    expected = _counts(want, keys)
    extra = [key for key in seen if seen[key] > expected.get(key, 0)]
    lost = [key for key in expected if expected[key] > seen.get(key, 0)]
    for stay, time, kind, text in extra:
        near = [k[3] for k in lost if k[:3] == (stay, time, kind)]
        if near:
            fail(f"Expected the text {near[0]!r} ({kind}), got {text!r}.", TEXTS[kind])
    known = {key[2:] for key in expected}
    order = list(reasons)
    extra.sort(key=lambda key: (key[2:] in known, _place(order, key)))
    lost.sort(key=lambda key: _place(order, key))
    for rows, words in ((extra, "Not expected"), (lost, "Missing")):
        if rows:
            stay, time, kind, text = rows[0]
            fail(
                f"{len(got)} rows, expected {len(want)}.\n"
                f"{words}: {kind} {text!r} of stay {stay} at {time}.",
                _all_lost(kind, got, rows) or _reason(reasons, kind, text),
            )
    gap = np.abs(got["minutes_since_admission"].to_numpy(float) - want["minutes_since_admission"])
    same_order = all((got[k].to_numpy() == want[k].to_numpy()).all() for k in keys)
    require(
        same_order,
        "The rows are right but not in order.",
        "ORDER BY stay_id, event_time, event_type, event_text at the very end",
    )
    if len(gap) and not bool((gap < 1e-6).all()):
        worst = int(gap.fillna(np.inf).argmax())
        here, there = (f["minutes_since_admission"].iloc[worst] for f in (want, got))
        fail(
            f"Expected minutes_since_admission {here:.6g}, got {there:.6g}.",
            "minutes since `icustays.intime`, with their fraction (whole minutes lose the seconds)",
        )


#: What the text of each kind of event is made of.
TEXTS = {
    "prescription": "drug, dose_val_rx, dose_unit_rx, route in this order; only NULL is skipped",
    "procedure": "label in d_items as it is, or the itemid as text where it is NULL",
    "ingredient": "label in d_items as it is, or the itemid where it is NULL; no amounts",
    "lab": "label in d_labitems, value (not valuenum), valueuom, flag; only NULL is skipped",
    "microbiology": "specimen, test, organism, antibiotic, interpretation; only NULL is skipped",
}


def _place(order: list[tuple], key: tuple) -> int:
    """Where in the worked example a row with this kind and text first stands."""
    for i, (kind, mark) in enumerate(order):
        if kind == key[2] and (mark == key[3] or mark in str(key[3]).split()):
            return i
    return len(order)


def _counts(frame: pd.DataFrame, keys: list[str]) -> dict[tuple, int]:
    rows = zip(*(frame[key].tolist() for key in keys), strict=True)
    counts: dict[tuple, int] = {}
    for row in rows:
        row = tuple(None if isinstance(v, float) and np.isnan(v) else v for v in row)
        counts[row] = counts.get(row, 0) + 1
    return counts


def _all_lost(kind: str, got: pd.DataFrame, rows: list[tuple]) -> str | None:
    """When all of many rows of a kind are lost, the reason of the first says little."""
    lost = sum(row[2] == kind for row in rows)
    if lost < 6 or (got["event_type"] == kind).any():
        return None
    return "a join or a filter loses all rows of this kind"


def _reason(reasons: dict[tuple, str], kind: str, text: object) -> str | None:
    text = str(text)
    for (wanted_kind, mark), why in reasons.items():
        if wanted_kind == kind and (mark == text or mark in text.split()):
            return why
    return None
