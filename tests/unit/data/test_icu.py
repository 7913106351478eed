"""Synthetic ICU stays, the loader for MIMIC-IV exports, event sequences, explanation helpers."""

from __future__ import annotations

import gzip
import hashlib

import duckdb
import numpy as np
import pandas as pd
import pytest
import torch

from course_utils import explain
from course_utils.data.icu import IcuStays, make_icu_stays
from course_utils.data.icu.catalogue import EFFECTS
from course_utils.data.icu.mimic import SCHEMA, connect_mimic
from course_utils.data.icu.sequences import (
    STATIC_NAMES,
    count_table,
    lab_numbers,
    lab_values,
    make_sequences,
)
from course_utils.icu_model import IcuRiskModel, IcuStepModel, risk_logits, train_risk_model

CHECKSUM = "054ab65cf4011f8e"  # of stay_id, subject_id and outcome
TABLES = [path.split("/")[1] for path in SCHEMA]


@pytest.fixture(scope="module")
def stays(tmp_path_factory: pytest.TempPathFactory) -> IcuStays:
    folder = tmp_path_factory.mktemp("mimic")
    made = make_icu_stays(400, random_state=1, events_per_stay=60, folder=folder)
    object.__setattr__(made, "folder", folder)
    return made


def rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[tuple]:
    return connection.sql(query).fetchall()


def test_tables_have_the_columns_of_mimic(stays: IcuStays) -> None:
    for path, columns in SCHEMA.items():
        names = [row[0] for row in rows(stays.connection, f"DESCRIBE {path.split('/')[1]}")]
        assert names == list(columns)
    with gzip.open(stays.folder / "hosp/labevents.csv.gz", "rt") as file:
        assert file.readline().strip().split(",") == list(SCHEMA["hosp/labevents"])


def test_eligible_stays_and_outcomes(stays: IcuStays) -> None:
    found = stays.connection.sql("""
        SELECT stay_id, subject_id, i.hadm_id, hospital_expire_flag
        FROM icustays i JOIN admissions USING (subject_id, hadm_id)
        WHERE outtime >= intime + INTERVAL 48 HOUR ORDER BY stay_id
    """).df()
    order = np.argsort(stays.stay_id)
    assert len(found) == 400
    assert (found["stay_id"] == stays.stay_id[order]).all()
    assert (found["subject_id"] == stays.subject_id[order]).all()
    assert (found["hadm_id"] == stays.hadm_id[order]).all()
    assert (found["hospital_expire_flag"] == stays.outcome[order]).all()
    assert rows(stays.connection, "SELECT count(*) FROM icustays")[0][0] == 520
    assert len(np.unique(stays.subject_id)) < 400


def test_deaths_are_consistent(stays: IcuStays) -> None:
    for query in (
        "SELECT count(*) FROM admissions WHERE (deathtime IS NULL) != (hospital_expire_flag = 0)",
        "SELECT count(*) FROM admissions"
        " WHERE (discharge_location = 'DIED') != (hospital_expire_flag = 1)",
        "SELECT count(*) FROM admissions JOIN patients USING (subject_id)"
        " WHERE hospital_expire_flag = 1 AND dod IS DISTINCT FROM deathtime::DATE",
        "SELECT count(*) FROM icustays JOIN admissions USING (hadm_id) WHERE outtime > dischtime",
        "SELECT count(*) FROM icustays JOIN admissions USING (hadm_id) WHERE intime < admittime",
    ):
        assert rows(stays.connection, query)[0][0] == 0, query
    after = "SELECT count(*) FROM patients p WHERE dod IS NOT NULL AND NOT EXISTS"
    after += (
        " (SELECT 1 FROM admissions a WHERE a.subject_id = p.subject_id AND deathtime IS NOT NULL)"
    )
    assert rows(stays.connection, after)[0][0] > 0


def test_the_data_have_the_difficulties_of_real_ones(stays: IcuStays) -> None:
    for query in (
        "SELECT count(*) FROM prescriptions WHERE stoptime < starttime",
        "SELECT count(*) FROM labevents WHERE storetime IS NULL",
        "SELECT count(*) FROM labevents WHERE hadm_id IS NULL",
        "SELECT count(*) FROM labevents WHERE value IS NULL",
        "SELECT count(*) FROM labevents LEFT JOIN d_labitems d USING (itemid) WHERE label IS NULL",
        "SELECT count(*) FROM icustays WHERE outtime IS NULL",
        "SELECT count(*) FROM prescriptions WHERE dose_unit_rx IS NULL",
        "SELECT count(*) FROM labevents JOIN admissions USING (subject_id)"
        " WHERE storetime > deathtime",
    ):
        assert rows(stays.connection, query)[0][0] > 0, query
    events = stays.events()
    same_time = events.groupby("stay_id")["event_time"].diff() == pd.Timedelta(0)
    assert 0.4 < same_time.mean() < 0.8
    hours = "SELECT median(epoch(storetime - charttime) / 3600) FROM microbiologyevents"
    assert 50 < rows(stays.connection, hours)[0][0] < 100


def test_mortality_and_ceiling() -> None:
    from sklearn.metrics import roc_auc_score

    made = make_icu_stays(6000, random_state=3, events_per_stay=10, short_fraction=0)
    assert 0.12 < made.outcome.mean() < 0.18
    assert abs(made.risk.mean() - made.outcome.mean()) < 0.015
    assert roc_auc_score(made.outcome, made.risk) > 0.88


def test_causes_explain_the_risk(stays: IcuStays) -> None:
    causes, events = stays.causes, stays.events()
    with_event = causes[causes["event_text"].notna()]
    keys = ["stay_id", "event_type", "event_text", "minutes_since_admission"]
    assert len(with_event.merge(events.drop_duplicates(keys), on=keys)) == len(with_event)
    simple = with_event[with_event["cause"].isin(["dialysis", "late ventilation"])]
    assert (simple["effect"] == simple["cause"].map(EFFECTS)).all()
    late = with_event[with_event["cause"] == "late ventilation"]
    assert (late["minutes_since_admission"] > 1440).all()
    lactate = events[events["event_text"].str.startswith("Lactate")]
    value = lactate["event_text"].str.extract(r"([\d.]+)")[0].astype(float)
    assert (value >= 4).sum() == (causes["cause"] == "high lactate").sum()
    # Without an interaction the log-odds are the intercept and the effects.
    joint = {"high lactate", "norepinephrine", "resistant culture"}
    plain = causes.groupby("stay_id").filter(lambda g: not joint & set(g["cause"]))
    total = plain.groupby("stay_id")["effect"].sum()
    rest = pd.Series(stays.logit, index=stays.stay_id)[total.index] - total
    assert np.ptp(rest) < 1e-9


def test_same_seed_same_stays(stays: IcuStays) -> None:
    again = make_icu_stays(400, random_state=1, events_per_stay=60)
    assert (again.stay_id == stays.stay_id).all()
    assert (again.outcome == stays.outcome).all()
    np.testing.assert_allclose(again.risk, stays.risk, atol=1e-6)
    for table in TABLES:
        query = f"FROM {table} ORDER BY ALL"
        assert rows(again.connection, query) == rows(stays.connection, query)
    assert (make_icu_stays(400, random_state=2).outcome != stays.outcome).any()


def test_integers_do_not_drift() -> None:
    made = make_icu_stays(50, random_state=7)
    text = repr([made.stay_id.tolist(), made.subject_id.tolist(), made.outcome.tolist()])
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == CHECKSUM


def test_global_random_state_is_left_alone() -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    make_icu_stays(5, random_state=0)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


@pytest.mark.parametrize("n_stays", [0, 1, 2])
def test_few_stays(n_stays: int) -> None:
    made = make_icu_stays(n_stays, random_state=0)
    assert len(made.stay_id) == n_stays == made.events()["stay_id"].nunique()


@pytest.mark.parametrize(
    "bad", [{"n_stays": -1}, {"events_per_stay": 2}, {"short_fraction": -0.1}, {"n_stays": 1.5}]
)
def test_bad_arguments(bad: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        make_icu_stays(**({"n_stays": 5, "random_state": 0} | bad))


def test_round_trip_through_files(stays: IcuStays) -> None:
    opened = connect_mimic(stays.folder)
    for table in TABLES:
        query = f"FROM {table} ORDER BY ALL"
        assert rows(opened, query) == rows(stays.connection, query), table


# ------------------------------------------------------------------------- sequences and models


def small_sequences():
    events = pd.DataFrame(
        {
            "stay_id": [9, 9, 9, 4],
            "event_type": ["lab", "lab", "procedure", "lab"],
            "event_text": ["a", "b", "c", "a"],
            "minutes_since_admission": [1.0, 5, 5, 2880],
        }
    )
    one = dict.fromkeys([n.split("=")[0] for n in STATIC_NAMES], "?")
    static = pd.DataFrame(
        [
            one | {"age": 80, "gender": "F", "outcome": 1},
            one | {"age": 65, "outcome": 0},
            one | {"age": 20, "outcome": 0},
        ],
        index=[9, 4, 6],
    )
    return make_sequences(
        events, static, {k: np.full(2, i) for i, k in enumerate("abc")}, max_events=2
    )


def test_sequences_keep_the_last_events() -> None:
    sequences = small_sequences()
    assert sequences.lengths.tolist() == [2, 1, 0]
    assert sequences.event_texts(0) == ["b", "c"]
    batch = sequences.batch([2, 0])
    assert batch["is_event"].tolist() == [[False, False], [True, True]]
    assert batch["events"].shape == (2, 2, len(sequences.event_names))
    assert (batch["events"][0] == 0).all()
    assert batch["static"].shape[1] == len(STATIC_NAMES)
    assert batch["static"][1, :3].tolist() == [1.0, 1.0, 0.0]
    with pytest.raises(ValueError, match="no vector"):
        make_sequences(
            pd.DataFrame(
                {
                    "stay_id": [9],
                    "event_type": ["lab"],
                    "event_text": ["new"],
                    "minutes_since_admission": [1.0],
                }
            ),
            pd.DataFrame({"age": [1]}, index=[9]),
            {},
        )


def some_events() -> pd.DataFrame:
    texts = [
        "Lactate 1.0 mmol/L",
        "Lactate 3.0 mmol/L abnormal",
        "Lactate >4.0 mmol/L abnormal",
        "Calculated pCO2 41 mm Hg",
        "52999 7",
        "Insulin 2-10 UNIT SC",
        "Lactate 8.0 mmol/L abnormal",
    ]
    kinds = ["lab"] * 5 + ["prescription", "lab"]
    return pd.DataFrame(
        {"stay_id": [1, 1, 1, 1, 1, 1, 2], "event_type": kinds, "event_text": texts},
        index=range(10, 17),
    )


def test_laboratory_numbers() -> None:
    found = lab_numbers(some_events())
    assert found["item"].tolist()[:2] == ["Lactate", "Lactate"]
    assert found["item"].tolist()[3:5] == ["Calculated pCO2", "52999"]
    assert found["number"].tolist()[:2] == [1.0, 3.0]
    assert found["number"].tolist()[3:5] == [41.0, 7.0]
    assert found.loc[[12, 15]].isna().all(axis=None)


def test_laboratory_values_are_scaled_on_the_given_stays() -> None:
    events = some_events()
    values = lab_values(events, [1])
    np.testing.assert_allclose(values[[10, 11]], [-(0.5**0.5), 0.5**0.5])
    np.testing.assert_allclose(values[16], 6 / 2**0.5)  # of mean 2 and deviation √2
    assert (values[[12, 13, 14, 15]] == 0).all()
    changed = events.assign(event_text=events["event_text"].str.replace("8.0", "80.0"))
    assert lab_values(changed, [1])[10] == values[10]
    assert lab_values(changed, [1])[16] == 8  # cut


def test_count_table() -> None:
    table = count_table(some_events(), pd.Index([2, 1, 3]))
    assert table.index.tolist() == [2, 1, 3]
    assert table["Lactate mmol/L abnormal"].tolist() == [1, 1, 0]
    assert table["Lactate >4.0 mmol/L abnormal"].tolist() == [0, 1, 0]
    assert table["Insulin 2-10 UNIT SC"].tolist() == [0, 1, 0]
    assert table.loc[1, "Lactate: mean"] == 2.0
    assert table.loc[1, "Lactate: last"] == table.loc[1, "Lactate: max"] == 3.0
    assert table.loc[2, "Lactate: min"] == 8.0
    assert table.loc[3, ["Lactate: mean", "52999: last"]].isna().all()


def test_training_finds_the_event_that_kills() -> None:
    rng = np.random.default_rng(0)
    outcome = rng.integers(0, 2, 120)
    events = pd.DataFrame(
        {
            "stay_id": np.repeat(np.arange(120), 4),
            "event_type": "lab",
            "event_text": np.where(
                np.tile(np.arange(4) == 2, 120) & np.repeat(outcome, 4), "b", "a"
            ),
            "minutes_since_admission": np.tile([1.0, 2, 3, 4], 120),
        }
    )
    static = pd.DataFrame(dict.fromkeys([n.split("=")[0] for n in STATIC_NAMES], "?"), range(120))
    static = static.assign(age=60, outcome=outcome)
    sequences = make_sequences(events, static, {"a": np.zeros(2), "b": np.ones(2)})
    torch.manual_seed(0)
    one = sequences.batch([0])
    sizes = (one["events"].shape[-1], one["static"].shape[-1])
    model = IcuRiskModel(*sizes, d_model=8, num_layers=1, num_heads=2, d_ff=8, dropout=0.0)
    train, rest = torch.arange(80), torch.arange(80, 120)
    history = train_risk_model(
        model, sequences, train, rest, epochs=8, seed=0, lr=2e-2, show_progress=False
    )
    assert history["val_auroc"].iloc[-1] > 0.95
    backwards = risk_logits(model, sequences, rest.flip(0))
    np.testing.assert_allclose(risk_logits(model, sequences, rest), backwards[::-1], atol=1e-5)


def test_models_ignore_padding_and_the_future() -> None:
    torch.manual_seed(0)
    events, static = torch.randn(2, 6, 5), torch.randn(2, 3)
    is_event = torch.arange(6) < torch.tensor([[4], [0]])
    risk = IcuRiskModel(5, 3, d_model=16, d_ff=16).eval()
    changed = torch.where(is_event[..., None], events, 7.0)
    logits, weights = risk(events, static, is_event, need_weights=True)
    torch.testing.assert_close(risk(changed, static, is_event), logits)
    assert len(weights["layers"]) == 4
    assert weights["pooling"].shape == (2, 4, 6)
    assert logits.isfinite().all()
    assert (weights["pooling"][1] == 0).all()
    step = IcuStepModel(5, 3, d_model=16, d_ff=16).eval()
    minutes = torch.tensor([[5.0, 5.0, 9.0, 40.0, 0.0, 0.0]]).expand(2, -1)
    known = (minutes[:, None] <= minutes[..., None]) & is_event[:, None] & is_event[..., None]
    logits = step(events, static, known[:, None])
    assert logits.isfinite().all()
    torch.testing.assert_close(logits[0, 0], logits[0, 1])  # one instant, one risk
    later = events.clone()
    later[:, 3:] = 0
    torch.testing.assert_close(step(later, static, known[:, None])[0, :3], logits[0, :3])


def test_rollout_follows_attention_through_the_layers() -> None:
    torch.manual_seed(2)
    model = IcuRiskModel(5, 3, d_model=16, d_ff=16, num_layers=2).eval()
    batch = {
        "events": torch.randn(1, 4, 5),
        "static": torch.randn(1, 3),
        "is_event": torch.tensor([[True, True, True, False]]),
    }
    scores = explain.rollout_scores(model, batch)
    with torch.no_grad():
        _, weights = model(*batch.values(), need_weights=True)
    first, second = ((w[0].mean(0) + torch.eye(4)) / 2 for w in weights["layers"])
    want = weights["pooling"][0].mean(0) @ second @ first
    np.testing.assert_allclose(scores[0, :3], want[:3], atol=1e-6)
    assert scores[0, 3] == 0


def test_explanations_of_a_linear_model() -> None:
    class Linear(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.map = torch.nn.Linear(3, 1, bias=False)

        def forward(self, events, static, is_event, need_weights=False):
            return (self.map(events)[..., 0] * is_event).sum(1) + static.sum(1)

    torch.manual_seed(1)
    model = Linear().eval()
    batch = {
        "events": torch.randn(1, 5, 3),
        "static": torch.randn(1, 2),
        "is_event": torch.arange(5)[None] < 3,
    }
    want = model.map(batch["events"])[0, :, 0].detach().numpy() * batch["is_event"][0].numpy()
    np.testing.assert_allclose(explain.ablation_scores(model, batch), want, atol=1e-6)
    np.testing.assert_allclose(explain.layer_scores(model, model.map, batch), want, atol=1e-6)
    twin = explain.randomised(model, torch.Generator().manual_seed(0))
    assert sorted(twin.map.weight[0].tolist()) == sorted(model.map.weight[0].tolist())


def test_precision_at_causes() -> None:
    effects = np.array([0.0, 2.0, 0.0, -1.0])
    assert explain.precision_at_causes(np.array([0.1, -3, 0, 2, 99]), effects) == 1.0
    assert explain.precision_at_causes(np.array([9.0, 3, 0, 2]), effects) == 0.5
    assert np.isnan(explain.precision_at_causes(np.ones(2), np.zeros(2)))
