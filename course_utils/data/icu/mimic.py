"""The MIMIC-IV tables of the ICU notebook: their schema, and a loader for a real export.

A MIMIC-IV download is a folder with ``hosp/*.csv.gz`` and ``icu/*.csv.gz``. :func:`connect_mimic`
reads the ten tables that the notebook needs into DuckDB; it never writes into the folder. Columns
that the notebook reads are read strictly: a value that is not understood stops with its place.
"""

from __future__ import annotations

import csv
import gzip
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

_IDS = "subject_id hadm_id stay_id itemid labevent_id specimen_id microevent_id micro_specimen_id"
_IDS += " spec_itemid test_itemid org_itemid ab_itemid pharmacy_id poe_seq caregiver_id orderid"
_IDS += " linkorderid test_seq isolate_num hospital_expire_flag anchor_age anchor_year isopenbag"
_IDS += " continueinnextdept"
_TIMES = "admittime dischtime deathtime edregtime edouttime intime outtime starttime stoptime"
_TIMES += " endtime charttime storetime"
_DAYS = "chartdate storedate"
_NUMBERS = "los doses_per_24_hrs valuenum ref_range_lower ref_range_upper dilution_value"
_NUMBERS += " patientweight originalamount originalrate amount rate lownormalvalue highnormalvalue"

_COLUMNS = {
    "hosp/patients": "subject_id gender anchor_age anchor_year anchor_year_group dod",
    "hosp/admissions": "subject_id hadm_id admittime dischtime deathtime admission_type"
    " admit_provider_id admission_location discharge_location insurance language marital_status"
    " race edregtime edouttime hospital_expire_flag",
    "hosp/prescriptions": "subject_id hadm_id pharmacy_id poe_id poe_seq order_provider_id"
    " starttime stoptime drug_type drug formulary_drug_cd gsn ndc prod_strength form_rx"
    " dose_val_rx dose_unit_rx form_val_disp form_unit_disp doses_per_24_hrs route",
    "hosp/labevents": "labevent_id subject_id hadm_id specimen_id itemid order_provider_id"
    " charttime storetime value valuenum valueuom ref_range_lower ref_range_upper flag priority"
    " comments",
    "hosp/microbiologyevents": "microevent_id subject_id hadm_id micro_specimen_id"
    " order_provider_id chartdate charttime spec_itemid spec_type_desc test_seq storedate"
    " storetime test_itemid test_name org_itemid org_name isolate_num quantity ab_itemid ab_name"
    " dilution_text dilution_comparison dilution_value interpretation comments",
    "hosp/d_labitems": "itemid label fluid category",
    "icu/icustays": "subject_id hadm_id stay_id first_careunit last_careunit intime outtime los",
    "icu/procedureevents": "subject_id hadm_id stay_id caregiver_id starttime endtime storetime"
    " itemid value valueuom location locationcategory orderid linkorderid ordercategoryname"
    " ordercategorydescription patientweight isopenbag continueinnextdept statusdescription"
    " originalamount originalrate",
    "icu/ingredientevents": "subject_id hadm_id stay_id caregiver_id starttime endtime storetime"
    " itemid amount amountuom rate rateuom orderid linkorderid statusdescription originalamount"
    " originalrate",
    "icu/d_items": "itemid label abbreviation linksto category unitname param_type"
    " lownormalvalue highnormalvalue",
}


def _column_type(path: str, column: str) -> str:
    if column in _IDS.split():
        return "BIGINT"
    if column in _TIMES.split() or column in _DAYS.split():
        return "TIMESTAMP"
    if column in _NUMBERS.split() or (path == "icu/procedureevents" and column == "value"):
        return "DOUBLE"
    return "DATE" if column == "dod" else "VARCHAR"


#: ``{"hosp/patients": {"subject_id": "BIGINT", ...}, ...}``: MIMIC-IV's columns, in its order.
SCHEMA: dict[str, dict[str, str]] = {
    path: {column: _column_type(path, column) for column in columns.split()}
    for path, columns in _COLUMNS.items()
}

_READ = {  # numbers and times that the notebook reads; of others a value may be of any form
    "hosp/patients": "subject_id anchor_age anchor_year",
    "hosp/admissions": "subject_id hadm_id admittime dischtime hospital_expire_flag",
    "hosp/prescriptions": "subject_id hadm_id starttime",
    "hosp/labevents": "labevent_id subject_id hadm_id itemid charttime storetime",
    "hosp/microbiologyevents": "subject_id hadm_id charttime storetime",
    "hosp/d_labitems": "itemid",
    "icu/icustays": "subject_id hadm_id stay_id intime outtime los",
    "icu/procedureevents": "subject_id hadm_id stay_id starttime itemid",
    "icu/ingredientevents": "subject_id hadm_id stay_id starttime itemid",
    "icu/d_items": "itemid",
}
_SUFFIXES = (".csv", ".csv.gz", ".parquet")
_DEEPEST = 4  # folders between the one given and a table
_MOST_FOLDERS = 5000

_ISO_DAY, _US_DAY = r"\d{4}-\d{2}-\d{2}", r"\d{1,2}/\d{1,2}/\d{4}"
_ISO_TIME = _ISO_DAY + r" \d{2}:\d{2}:\d{2}(\.\d{1,9})?"
_US_TIME = _US_DAY + r" \d{1,2}:\d{2}(:\d{2})?"
_SURELY_US = r"\d{1,2}/(1[3-9]|2\d|3[01])/\d{4}( .*)?"
_EITHER_WAY = r"0?([1-9]|1[0-2])/0?([1-9]|1[0-2])/\d{4}( .*)?"  # 3/1: of March or of January?


def create_empty_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the ten MIMIC-IV tables, without rows, where they do not exist yet."""
    for path, columns in SCHEMA.items():
        body = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        connection.execute(f"CREATE TABLE IF NOT EXISTS {path.split('/')[1]} ({body})")


def connect_mimic(
    folder: str | Path, *, database: str | Path = ":memory:"
) -> duckdb.DuckDBPyConnection:
    """Open a MIMIC-IV export: the notebook's tables, typed, in a DuckDB connection.

    Parameters
    ----------
    folder : str or Path
        Holds ``hosp/`` and ``icu/``, or the files themselves, or a folder with them in it; tables
        as ``.csv``, ``.csv.gz`` or ``.parquet``, in capitals or not, each also in a folder of its
        own name (``icu/icustays.csv/icustays.csv``). It is only read. A table without a file, or a
        column missing from a file, is replaced by an empty one, and a printed line says so. More
        columns or tables than needed are ignored.
    database : str or Path
        ``":memory:"``, or a new file, for an export that does not fit into memory.

    Returns
    -------
    duckdb.DuckDBPyConnection
        Tables named as in MIMIC-IV. Times are ``TIMESTAMP`` without zone; they may be written
        ``YYYY-MM-DD HH:MM:SS``, with or without fractions of a second, or ``M/D/YYYY H:MM``, if
        some date of the file shows that the month comes first. Columns that hold a day alone
        (``dod``, ``chartdate``, ``storedate``) may leave out the clock time. In columns that the
        notebook does not read, a value of any other form is missing.

    Raises
    ------
    FileNotFoundError
        When ``folder`` is not a folder, or there is no table in it.
    ValueError
        For a date in any other form, or a number that is none, naming file and column; for a date
        like ``03/01/2180`` in a file that does not show which is the month; for a table that is
        there twice; and for a file that is no such table: none of its columns, rows of another
        length, not UTF-8.

    References
    ----------
    Johnson et al., "MIMIC-IV, a freely accessible electronic health record dataset",
    Scientific Data, 2023.
    """
    import duckdb

    root = Path(folder).expanduser()
    if not root.is_dir():
        raise FileNotFoundError(f"folder={str(folder)!r} is not a folder with a MIMIC-IV export")
    if root.name.lower() in ("hosp", "icu"):
        root = root.parent
    files = _find_files(root)
    connection = duckdb.connect(str(database))
    try:
        for path in SCHEMA:
            if path in files:
                _read_table(connection, path, files[path], files[path].relative_to(root).as_posix())
            else:
                print(f"{path}.csv[.gz] is not in {root}: the table {path.split('/')[1]} is empty")
        create_empty_tables(connection)
    except Exception:
        connection.close()
        raise
    return connection


def _find_files(root: Path) -> dict[str, Path]:
    """File of each table: of several the one nearest to ``root``, and plain before packed."""
    stems = {path.split("/")[1]: path for path in SCHEMA}
    found: dict[str, dict[tuple[int, int], list[Path]]] = {}
    seen = 0
    for where, folders, names in os.walk(root, followlinks=True):
        inner = Path(where).relative_to(root).parts
        seen += 1
        deep = len(inner) >= _DEEPEST or seen > _MOST_FOLDERS
        folders[:] = [] if deep else sorted(f for f in folders if not f.startswith("."))
        for name in names:
            stem, dot, suffix = name.lower().partition(".")
            if stem not in stems or dot + suffix not in _SUFFIXES:
                continue
            rank = len(inner), _SUFFIXES.index(dot + suffix)
            found.setdefault(stems[stem], {}).setdefault(rank, []).append(Path(where, name))
    if not found:
        looked = ", ".join(SCHEMA)
        raise FileNotFoundError(
            f"folder={str(root)!r} holds no table of MIMIC-IV. Looked for {looked}, each as .csv, "
            f".csv.gz or .parquet, there and in the folders below it"
        )
    chosen = {}
    for path, ranks in found.items():
        best = sorted(ranks[min(ranks)])
        if len(best) > 1:
            twice = " and ".join(p.relative_to(root).as_posix() for p in best[:2])
            raise ValueError(f"{path} is there twice: {twice}. Give the folder of one export")
        chosen[path] = best[0]
    return chosen


def _read_table(connection: duckdb.DuckDBPyConnection, path: str, file: Path, name: str) -> None:
    """Read one table of ``file``, which messages call ``name``."""
    import duckdb

    pattern = "".join(f"[{c}]" if c in "*?[" else c for c in str(file))  # a path, not a glob
    try:
        if file.suffix.lower() == ".parquet":
            source = f"read_parquet({_quoted(pattern)})"
            header = connection.sql(f"SELECT * FROM {source} LIMIT 0").columns
            texts = [f'CAST("{c.replace(chr(34), chr(34) * 2)}" AS VARCHAR)' for c in header]
        else:
            header = _header(file, name)
            texts = [f"c{i}" for i in range(len(header))]
            source = _csv_source(pattern, len(header), packed=file.suffix.lower() == ".gz")
        present = {
            column.strip().lower(): text
            for column, text in reversed(list(zip(header, texts, strict=True)))
        }
        _say_what_is_missing(path, name, header, present)
        columns = _Columns(path, name, present)
        try:
            connection.execute(columns.query(source))
        except duckdb.Error as error:
            if _AMBIGUOUS not in str(error) or not columns.month_first(connection, source):
                raise
            connection.execute(columns.query(source))
    except duckdb.Error as error:
        message = str(error)
        if "[[" in message and "]]" in message:  # one of ours, from error(...) inside the query
            message = message.split("[[", 1)[1].rsplit("]]", 1)[0]
        else:
            short = message.split("Possible")[0].split("LINE 1:")[0].strip()
            message = f"{name} cannot be read as a table: {short}"
        raise ValueError(message) from None


def _say_what_is_missing(path: str, name: str, header: list[str], present: dict[str, str]) -> None:
    missing = [column for column in SCHEMA[path] if column not in present]
    if len(missing) == len(SCHEMA[path]):
        known, here = ", ".join(SCHEMA[path]), ", ".join(header)[:200]
        raise ValueError(f"{name} has none of the columns {known}: its first line is {here!r}")
    if missing:
        print(f"{name} has no column {', '.join(missing)}: read as missing values")


def _csv_source(pattern: str, width: int, *, packed: bool) -> str:
    """SQL of a csv file: nothing is guessed from the rows."""
    fields = ", ".join(f"c{i}: 'VARCHAR'" for i in range(width))
    return (
        f"read_csv({_quoted(pattern)}, auto_detect=false, header=true, columns={{{fields}}},"
        f" delim=',', quote='\"', escape='\"', comment='',"
        f" max_line_size=16777216, compression='{'gzip' if packed else 'none'}')"
    )


def _header(file: Path, name: str) -> list[str]:
    """Column names of a csv file: its first line, without a byte order mark."""
    opened = gzip.open if file.suffix.lower() == ".gz" else open
    try:
        with opened(file, "rt", encoding="utf-8-sig", newline="") as text:
            return next(csv.reader(text), [])
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ValueError(f"{name} cannot be read as a table: {error}") from None


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


_AMBIGUOUS = "which may be of either month"


class _Columns:
    """SQL that turns the text of a table's columns into their types, or stops with the place."""

    def __init__(self, path: str, name: str, present: dict[str, str]) -> None:
        self.path, self.name, self.present = path, name, present
        self.strict = _READ[path].split()
        self.us_dates = False  # whether the file shows that the month comes first

    def query(self, source: str) -> str:
        """Statement that makes the table."""
        columns = ", ".join(f"{self._typed(c, k)} AS {c}" for c, k in SCHEMA[self.path].items())
        return f"CREATE TABLE {self.path.split('/')[1]} AS SELECT {columns} FROM {source}"

    def month_first(self, connection: duckdb.DuckDBPyConnection, source: str) -> bool:
        """Look for a date whose second number can only be a day."""
        kinds = SCHEMA[self.path].items()
        times = [c for c, k in kinds if k in ("TIMESTAMP", "DATE") and c in self.present]
        shown = " OR ".join(
            f"regexp_full_match(trim({self.present[c]}), {_quoted(_SURELY_US)})" for c in times
        )
        row = connection.execute(f"SELECT coalesce(bool_or({shown}), false) FROM {source}")
        self.us_dates = bool(row.fetchall()[0][0])
        return self.us_dates

    def _typed(self, column: str, kind: str) -> str:
        if column not in self.present:
            return f"CAST(NULL AS {kind})"
        text = f"NULLIF({self.present[column]}, '')"
        if kind == "VARCHAR":
            return text
        text = f"NULLIF(trim({text}), '')"
        if kind in ("TIMESTAMP", "DATE"):
            value = self._time(text, only_a_day=kind == "DATE" or column in _DAYS.split())
            wanted = "YYYY-MM-DD HH:MM:SS or M/D/YYYY H:MM"
        elif kind == "BIGINT":
            value = rf"CASE WHEN regexp_full_match({text}, '[+-]?\d+(\.0*)?') THEN {text} END"
            wanted = "a whole number"
        else:
            value, wanted = text, "a number"
        value = f"TRY_CAST({value} AS {kind})"
        if column in self.strict:
            stop = self._stop(column, text, f", wanted {wanted}", kind)
            value = f"COALESCE({value}, {stop})"
        if kind in ("TIMESTAMP", "DATE") and not self.us_dates:
            why = f", {_AMBIGUOUS}: no date of the file shows it. Write YYYY-MM-DD HH:MM:SS"
            stop = self._stop(column, text, why, kind)
            numbers = [rf"regexp_extract({text}, '0?(\d+)/0?(\d+)/', {k})" for k in (1, 2)]
            unclear = f"regexp_full_match({text}, {_quoted(_EITHER_WAY)})"
            unclear += f" AND {numbers[0]} <> {numbers[1]}"
            value = f"CASE WHEN {unclear} THEN {stop} ELSE {value} END"
        return f"CASE WHEN {text} IS NULL THEN NULL ELSE {value} END"

    def _time(self, text: str, *, only_a_day: bool) -> str:
        forms = [(_ISO_TIME, f"TRY_CAST({text} AS TIMESTAMP)")]
        us = ["%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M"]
        forms += [(_US_TIME, f"try_strptime({text}, {us})")]
        if only_a_day:
            forms += [(_ISO_DAY, f"TRY_CAST({text} AS TIMESTAMP)")]
            forms += [(_US_DAY, f"try_strptime({text}, '%m/%d/%Y')")]
        choices = " ".join(
            f"WHEN regexp_full_match({text}, {_quoted(pattern)}) THEN {value}"
            for pattern, value in forms
        )
        return f"CASE {choices} END"

    def _stop(self, column: str, text: str, why: str, kind: str) -> str:
        message = f"{_quoted(f'[[{self.name}: column {column} holds ')} || {text}"
        return f"CAST(error({message} || {_quoted(f'{why}]]')}) AS {kind})"
