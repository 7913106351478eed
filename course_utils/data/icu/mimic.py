"""The MIMIC-IV tables of the ICU notebook: their schema, and a loader for a real export.

A MIMIC-IV download is a folder with ``hosp/*.csv.gz`` and ``icu/*.csv.gz``. :func:`connect_mimic`
reads the ten tables that the notebook needs into DuckDB; it never writes into the folder.
"""

from __future__ import annotations

import csv
import gzip
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

_ISO_DAY, _US_DAY = r"\d{4}-\d{2}-\d{2}", r"\d{1,2}/\d{1,2}/\d{4}"
_FORMATS = (
    (_ISO_DAY + r" \d{2}:\d{2}:\d{2}", "%Y-%m-%d %H:%M:%S"),
    (_US_DAY + r" \d{1,2}:\d{2}", "%m/%d/%Y %H:%M"),
)
_DAY_FORMATS = ((_ISO_DAY, "%Y-%m-%d"), (_US_DAY, "%m/%d/%Y"))


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
        Holds ``hosp/`` and ``icu/`` (or the files themselves), as ``.csv`` or ``.csv.gz``. It is
        only read. A table without a file, or a column missing from a file, is replaced by an
        empty one, and a printed line says so. More columns or tables than needed are ignored.
    database : str or Path
        ``":memory:"``, or a new file, for an export that does not fit into memory.

    Returns
    -------
    duckdb.DuckDBPyConnection
        Tables named as in MIMIC-IV. Times are ``TIMESTAMP`` without zone; they may be written
        ``YYYY-MM-DD HH:MM:SS`` or ``M/D/YYYY H:MM``. Columns that hold a day alone (``dod``,
        ``chartdate``, ``storedate``) may leave out the clock time.

    Raises
    ------
    FileNotFoundError
        When ``folder`` is not a folder.
    ValueError
        For a date in any other form, or a number that is none, naming file and column; and for a
        file that is no such table: none of its columns, rows of another length, not UTF-8.

    References
    ----------
    Johnson et al., "MIMIC-IV, a freely accessible electronic health record dataset",
    Scientific Data, 2023.
    """
    import duckdb

    root = Path(folder).expanduser()
    if not root.is_dir():
        raise FileNotFoundError(f"folder={str(folder)!r} is not a folder with a MIMIC-IV export")
    connection = duckdb.connect(str(database))
    try:
        for path in SCHEMA:
            _read_table(connection, root, path)
        create_empty_tables(connection)
    except Exception:
        connection.close()
        raise
    return connection


def _find_file(root: Path, path: str) -> Path | None:
    for stem in (path, path.split("/")[1]):
        for suffix in (".csv", ".csv.gz"):
            if (root / (stem + suffix)).is_file():
                return root / (stem + suffix)
    return None


def _read_table(connection: duckdb.DuckDBPyConnection, root: Path, path: str) -> None:
    """Read one table, if its file is there."""
    import duckdb

    file, table = _find_file(root, path), path.split("/")[1]
    if file is None:
        print(f"{path}.csv[.gz] is not in {root}: the table {table} is empty")
        return
    name = file.relative_to(root).as_posix()
    header = _header(file, name)
    present = {column.strip().lower(): f"c{i}" for i, column in reversed(list(enumerate(header)))}
    missing = [column for column in SCHEMA[path] if column not in present]
    if len(missing) == len(SCHEMA[path]):
        known, here = ", ".join(SCHEMA[path]), ", ".join(header)[:200]
        raise ValueError(f"{name} has none of the columns {known}: its first line is {here!r}")
    if missing:
        print(f"{name} has no column {', '.join(missing)}: read as missing values")
    pattern = "".join(f"[{c}]" if c in "*?[" else c for c in str(file))  # a path, not a glob
    fields = ", ".join(f"c{i}: 'VARCHAR'" for i in range(len(header)))
    source = (  # nothing is guessed from the rows: an odd one must not change how others are read
        f"read_csv({_quoted(pattern)}, auto_detect=false, header=true, columns={{{fields}}},"
        " delim=',', quote='\"', escape='\"', comment='',"
        " max_line_size=16777216)"
    )
    try:
        columns = [
            f"CAST(NULL AS {kind}) AS {column}"
            if column in missing
            else f"{_typed(name, column, present[column], kind)} AS {column}"
            for column, kind in SCHEMA[path].items()
        ]
        connection.execute(f"CREATE TABLE {table} AS SELECT {', '.join(columns)} FROM {source}")
    except duckdb.Error as error:
        message = str(error)
        if "[[" in message and "]]" in message:  # one of ours, from error(...) inside the query
            message = message.split("[[", 1)[1].rsplit("]]", 1)[0]
        else:
            short = message.split("Possible")[0].split("LINE 1:")[0].strip()
            message = f"{name} cannot be read as a table: {short}"
        raise ValueError(message) from None


def _header(file: Path, name: str) -> list[str]:
    """Column names of a csv file: its first line, without a byte order mark."""
    opened = gzip.open if file.suffix == ".gz" else open
    try:
        with opened(file, "rt", encoding="utf-8-sig", newline="") as text:
            return next(csv.reader(text), [])
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ValueError(f"{name} cannot be read as a table: {error}") from None


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _typed(name: str, column: str, source_column: str, kind: str) -> str:
    """SQL that turns the text of one column into ``kind`` or stops, naming file and column."""
    text = 'NULLIF("' + source_column.replace('"', '""') + "\", '')"
    if kind == "VARCHAR":
        return text
    text = f"NULLIF(trim({text}), '')"
    if kind in ("TIMESTAMP", "DATE"):
        only_a_day = kind == "DATE" or column in _DAYS.split()
        formats = _FORMATS + (_DAY_FORMATS if only_a_day else ())
        choices = " ".join(
            f"WHEN regexp_full_match({text}, {_quoted(pattern)})"
            f" THEN try_strptime({text}, {_quoted(form)})"
            for pattern, form in formats
        )
        value = f"CASE {choices} END"
        wanted = "YYYY-MM-DD HH:MM:SS or M/D/YYYY H:MM"
    elif kind == "BIGINT":
        value = rf"CASE WHEN regexp_full_match({text}, '[+-]?\d+(\.0*)?') THEN {text} END"
        wanted = "a whole number"
    else:
        value, wanted = text, "a number"
    value = f"TRY_CAST({value} AS {kind})"
    message = f"{_quoted(f'[[{name}: column {column} holds ')} || {text} ||"
    message += f" {_quoted(f', wanted {wanted}]]')}"
    stop = f"CAST(error({message}) AS {kind})"
    return f"CASE WHEN {text} IS NULL THEN NULL ELSE COALESCE({value}, {stop}) END"
