"""A MIMIC-IV export is opened whatever its files look like, or an error says where it cannot be."""

import gzip
from pathlib import Path

import duckdb
import pytest

from course_utils.data.icu.mimic import SCHEMA, connect_mimic

LABS = "hosp/labevents.csv"


def rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[tuple]:
    return connection.sql(query).fetchall()


def write(folder, name: str, text: str, *, packed: bool = False) -> None:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    if packed:
        file.write_bytes(gzip.compress(text.encode()))
    else:
        file.write_bytes(text.encode())


def test_both_date_forms_types_and_missing_tables(tmp_path, capsys) -> None:
    write(
        tmp_path,
        "hosp/patients.csv",
        "subject_id,gender,anchor_age,anchor_year,anchor_year_group,dod\r\n"
        "1,F,50,2180,2008 - 2010,2180-05-06\r\n2,M,60,2180,x,\r\n3,M,60,2180,x,5/6/2180 0:00\r\n"
        "4,M,60,2180,x,12/31/2180\r\n",
    )
    write(
        tmp_path,
        "icu/icustays.csv.gz",
        "subject_id,hadm_id,stay_id,first_careunit,last_careunit,intime,outtime,los\n"
        "1,2,3,a,b,5/6/2180 1:02,2180-05-09 01:02:03,3.1\n1,,4,a,b,12/31/2180 23:59,,\n",
        packed=True,
    )
    write(
        tmp_path,
        "hosp/labevents.csv",
        "labevent_id,subject_id,value,comments,extra\n"
        '1,1,0012,"two\nlines, and a ""quote""",x\n2,1,>4.0,,y\n',
    )
    opened = connect_mimic(tmp_path)
    said = capsys.readouterr().out
    assert "prescriptions is empty" in said
    assert "d_items is empty" in said
    assert rows(opened, "SELECT intime::VARCHAR, hadm_id, los FROM icustays ORDER BY stay_id") == [
        ("2180-05-06 01:02:00", 2, 3.1),
        ("2180-12-31 23:59:00", None, None),
    ]
    assert rows(opened, "SELECT dod::VARCHAR FROM patients ORDER BY 1 NULLS LAST") == [
        ("2180-05-06",),
        ("2180-05-06",),
        ("2180-12-31",),
        (None,),
    ]
    assert rows(opened, "SELECT value, comments, itemid FROM labevents ORDER BY labevent_id") == [
        ("0012", 'two\nlines, and a "quote"', None),
        (">4.0", None, None),
    ]
    assert rows(opened, "SELECT count(*) FROM prescriptions") == [(0,)]
    names = dict(row[:2] for row in rows(opened, "DESCRIBE prescriptions"))
    assert names["starttime"] == "TIMESTAMP"
    assert names["subject_id"] == "BIGINT"


@pytest.mark.parametrize(
    "bad",
    [
        "2180-05-06T01:02:03",
        "2180-05-06",
        "25/12/2180 1:00",
        "2180-02-30 00:00:00",
        "6.5.2180 1:00",
        "5/6/80 1:02",
        "2180-5-6 1:02:03",
        "5/6/2180 1:02 PM",
        "soon",
        "7",
    ],
)
def test_other_dates_name_file_and_column(tmp_path, bad: str) -> None:
    write(
        tmp_path,
        "hosp/admissions.csv",
        f"subject_id,hadm_id,admittime\n1,2,2180-05-06 01:02:03\n1,3,{bad}\n",
    )
    with pytest.raises(ValueError, match=r"hosp/admissions\.csv: column admittime"):
        connect_mimic(tmp_path)


def test_numbers_that_are_none(tmp_path) -> None:
    write(tmp_path, "icu/icustays.csv", "subject_id,stay_id,los\n1,x7,2\n")
    with pytest.raises(ValueError, match=r"icu/icustays\.csv: column stay_id"):
        connect_mimic(tmp_path)
    with pytest.raises(FileNotFoundError, match="folder"):
        connect_mimic(tmp_path / "nowhere")


def test_files_without_folders_and_odd_names(tmp_path) -> None:
    folder = tmp_path / "it's [mine]"
    write(folder, "d_items.csv", "itemid,label\n5,EKG\n")
    write(folder, "hosp/d_labitems.csv", "\ufeffITEMID,LABEL\n6.0,Lactate\n")
    opened = connect_mimic(folder)
    assert rows(opened, "SELECT itemid, label FROM d_items") == [(5, "EKG")]
    assert rows(opened, "SELECT itemid, label FROM d_labitems") == [(6, "Lactate")]


def lab_rows(folder: Path, text: str, columns: str, *, packed: bool = False) -> list[tuple]:
    write(folder, LABS + ".gz" * packed, text, packed=packed)
    return rows(connect_mimic(folder), f"SELECT {columns} FROM labevents ORDER BY labevent_id")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("packed", [False, True])
def test_texts_are_kept_as_they_are(tmp_path, end: str, packed: bool) -> None:
    lines = [
        "\ufefflabevent_id,value,comments",
        '1,___,"a' + end + 'b, ""c"""',
        '2,"",',
        "3,>4.0, #x ",
        '4,NULL,5" tube',
        "5,a,b",
    ]
    got = lab_rows(tmp_path, end.join(lines), "value, comments", packed=packed)
    assert got == [
        ("___", f'a{end}b, "c"'),
        (None, None),
        (">4.0", " #x "),
        ("NULL", '5" tube'),
        ("a", "b"),
    ]


def test_columns_in_another_order_more_of_them_and_in_capitals(tmp_path) -> None:
    text = "Extra, VALUE ,labevent_id,storetime,ITEMID,more\nx,7.0,1,12/31/2180 0:05,50813.0,\n"
    got = lab_rows(tmp_path, text, "labevent_id, itemid, value, storetime::VARCHAR")
    assert got == [(1, 50813, "7.0", "2180-12-31 00:05:00")]


def test_large_ids_keep_every_digit(tmp_path) -> None:
    text = "labevent_id,specimen_id\n9007199254740993.0,9007199254740993\n"
    assert lab_rows(tmp_path, text, "labevent_id, specimen_id") == [(9007199254740993,) * 2]


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_header_alone_is_an_empty_table(tmp_path, capsys, end: str) -> None:
    write(tmp_path, "hosp/labevents.csv", ",".join(SCHEMA["hosp/labevents"]) + end)
    assert rows(connect_mimic(tmp_path), "SELECT count(*) FROM labevents") == [(0,)]
    assert "labevents" not in capsys.readouterr().out


def test_missing_columns_are_said_and_null(tmp_path, capsys) -> None:
    assert lab_rows(tmp_path, "labevent_id\n1\n", "itemid, storetime, value") == [(None,) * 3]
    said = capsys.readouterr().out
    assert "hosp/labevents.csv has no column subject_id, hadm_id" in said
    assert "storetime" in said


def test_every_other_table_may_be_missing(tmp_path, capsys) -> None:
    write(tmp_path, "d_items.csv", "itemid\n")
    opened = connect_mimic(tmp_path)
    said = capsys.readouterr().out
    for path, columns in SCHEMA.items():
        if path == "icu/d_items":
            continue
        table = path.split("/")[1]
        assert f"table {table} is empty" in said
        assert dict(row[:2] for row in rows(opened, f"DESCRIBE {table}")) == columns
        assert rows(opened, f"SELECT count(*) FROM {table}") == [(0,)]


def test_the_plain_file_goes_before_the_packed_one_and_both_kinds_mix(tmp_path) -> None:
    write(tmp_path, LABS, "labevent_id,value\n1,plain\n")
    write(tmp_path, LABS + ".gz", "labevent_id,value\n1,packed\n", packed=True)
    write(tmp_path, "d_items.csv.gz", "itemid,label\n5,EKG\n", packed=True)
    before = sorted((p, p.stat().st_mtime_ns) for p in tmp_path.rglob("*"))
    opened = connect_mimic(tmp_path)
    assert rows(opened, "SELECT value FROM labevents") == [("plain",)]
    assert rows(opened, "SELECT label FROM d_items") == [("EKG",)]
    assert sorted((p, p.stat().st_mtime_ns) for p in tmp_path.rglob("*")) == before


def test_a_bad_date_far_down_is_found(tmp_path) -> None:
    good = "".join(f"{i},2180-05-06 01:02:03\n" for i in range(30_000))
    write(tmp_path, LABS, f"labevent_id,storetime\n{good}9,2180-05-06T01:02:03\n")
    with pytest.raises(ValueError, match=r"labevents\.csv: column storetime holds 2180-05-06T"):
        connect_mimic(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "labevent_id;value\n1;2\n",
        "# exported today\nlabevent_id,value\n1,2\n",
        "labevent_id,value\n1,2,3\n",
        "labevent_id,value\n1,2\n3\n",
        'labevent_id,value\n1,"2\n',
    ],
    ids=["nothing", "semicolons", "a line before", "a long row", "a short row", "an open quote"],
)
def test_what_is_no_such_table_is_said(tmp_path, text: str) -> None:
    write(tmp_path, LABS, text)
    with pytest.raises(ValueError, match=r"^hosp/labevents\.csv (cannot|has none)") as caught:
        connect_mimic(tmp_path)
    assert len(str(caught.value).splitlines()) <= 4


def test_files_that_are_not_what_their_name_says(tmp_path) -> None:
    packed = gzip.compress(b"labevent_id,value\n" + b"1,2\n" * 20_000)
    for name, data in (
        (LABS, packed),
        (LABS + ".gz", b"labevent_id,value\n1,2\n"),
        (LABS + ".gz", packed[:-20]),
        (LABS, "labevent_id,value\n1,\u00b5g\n".encode("latin-1")),
    ):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(data)
        with pytest.raises(ValueError, match=r"hosp/labevents\.csv(\.gz)? cannot be read"):
            connect_mimic(tmp_path)
        file.unlink()


# ---- where tables lie, and what dates mean


def test_a_folder_without_tables_says_what_was_looked_for(tmp_path) -> None:
    write(tmp_path, "deeper/readme.csv", "a\n1\n")
    with pytest.raises(FileNotFoundError, match=r"no table of MIMIC-IV") as caught:
        connect_mimic(tmp_path)
    assert all(path in str(caught.value) for path in SCHEMA)
    assert ".parquet" in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "mimic-iv-3.1/icu/d_items.csv.gz",
        "icu/d_items.csv/d_items.csv",
        "icu/d_items/d_items.csv",
        "ICU/D_ITEMS.CSV",
        "icu/D_ITEMS.CSV.GZ",
        "d_items.csv.gz/d_items.csv",
        "physionet.org/files/mimic/icu/d_items.csv",
    ],
)
def test_where_a_table_may_lie(tmp_path, name: str) -> None:
    write(tmp_path, name, "itemid,label\n5,EKG\n", packed=name.lower().endswith(".gz"))
    assert rows(connect_mimic(tmp_path), "SELECT itemid, label FROM d_items") == [(5, "EKG")]


def test_one_of_the_two_folders_may_be_given(tmp_path) -> None:
    write(tmp_path, "icu/d_items.csv", "itemid,label\n5,EKG\n")
    write(tmp_path, "hosp/d_labitems.csv", "itemid,label\n6,Lactate\n")
    opened = connect_mimic(tmp_path / "hosp")
    assert rows(opened, "SELECT label FROM d_items UNION SELECT label FROM d_labitems ORDER BY 1")


def test_two_exports_side_by_side_are_not_mixed(tmp_path) -> None:
    for version in ("2.2", "3.1"):
        write(tmp_path, f"mimic-iv-{version}/icu/d_items.csv", "itemid,label\n5,EKG\n")
    with pytest.raises(ValueError, match=r"icu/d_items is there twice: mimic-iv-2\.2/"):
        connect_mimic(tmp_path)


def test_parquet_is_read(tmp_path) -> None:
    (tmp_path / "icu").mkdir()
    file = tmp_path / "icu" / "icustays.parquet"
    duckdb.sql(
        "SELECT 1 AS subject_id, 2.0::DOUBLE AS HADM_ID, 3 AS stay_id, 'a' AS first_careunit, "
        "'b' AS last_careunit, TIMESTAMP '2180-05-06 01:02:03.25' AS intime, "
        "NULL::TIMESTAMP AS outtime, 1.5 AS los"
    ).write_parquet(str(file))
    query = "SELECT stay_id, hadm_id, intime::VARCHAR, outtime, los FROM icustays"
    assert rows(connect_mimic(tmp_path), query) == [(3, 2, "2180-05-06 01:02:03.25", None, 1.5)]


STAY = "subject_id,hadm_id,stay_id,intime,outtime\n1,2,3,{},{}\n"


def test_fractions_of_a_second_are_kept(tmp_path) -> None:
    write(tmp_path, "icustays.csv", STAY.format("2180-05-06 01:02:03.117", "2180-05-07 01:02:03"))
    got = rows(connect_mimic(tmp_path), "SELECT intime::VARCHAR FROM icustays")
    assert got == [("2180-05-06 01:02:03.117",)]


def test_columns_that_the_notebook_does_not_read_may_hold_anything(tmp_path) -> None:
    text = "stay_id,itemid,starttime,storetime,patientweight\n3,5,2180-05-06 01:02:03,06:00.1,?\n"
    write(tmp_path, "icu/procedureevents.csv", text)
    query = "SELECT stay_id, storetime, patientweight FROM procedureevents"
    assert rows(connect_mimic(tmp_path), query) == [(3, None, None)]


@pytest.mark.parametrize("date", ["03/01/2180 10:00", "3/1/2180 10:00", "12/11/2180 0:00:00"])
def test_a_date_of_either_month_is_refused(tmp_path, date: str) -> None:
    write(tmp_path, "icustays.csv", STAY.format(date, ""))
    with pytest.raises(ValueError, match=r"icustays\.csv: column intime holds .*either month"):
        connect_mimic(tmp_path)


@pytest.mark.parametrize(
    ("date", "other"), [("03/01/2180 10:00", "3/14/2180 0:00"), ("5/5/2180 10:00", "")]
)
def test_a_date_that_the_file_explains_is_read(tmp_path, date: str, other: str) -> None:
    write(tmp_path, "icustays.csv", STAY.format(date, other))
    (got,) = rows(connect_mimic(tmp_path), "SELECT month(intime), day(intime) FROM icustays")
    assert got == ((3, 1) if other else (5, 5))
