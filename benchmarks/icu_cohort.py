"""The risk model of the ICU notebook on its full cohort, beside its peers and the true risk.

The notebook trains on some 1,600 stays, so that it fits its time. Here are 16,000, of which every
fourth patient is for testing. Peers and transformer read the same events, values included.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from course_utils import metrics, text
from course_utils.data.icu import IcuStays, make_icu_stays
from course_utils.data.icu.sequences import EventSequences, count_table, lab_values, make_sequences
from course_utils.icu_model import (
    IcuRiskModel,
    first_and_last,
    risk_logits,
    train_risk_model,
)

N_STAYS, EVENTS_PER_STAY, EPOCHS, SEED = 16_000, 50, 8, 0

STATIC_SQL = """
    SELECT i.stay_id, i.subject_id, p.anchor_age + year(i.intime) - p.anchor_year AS age, p.gender,
           a.race, a.marital_status, a.language, a.admission_type, a.admission_location,
           a.insurance, i.first_careunit, a.hospital_expire_flag AS outcome
    FROM icustays i JOIN patients p USING (subject_id) JOIN admissions a USING (hadm_id)
    WHERE i.outtime >= i.intime + INTERVAL 48 HOUR
    ORDER BY i.stay_id
"""


def split(static: pd.DataFrame, seed: int) -> dict[str, np.ndarray]:
    """Rows of ``train``, ``validation`` and ``test``, by patient; one stay each but in training."""
    people = np.random.default_rng(seed).permutation(static["subject_id"].unique())
    n_test, n_validation = round(0.25 * len(people)), round(0.08 * len(people))
    tested = static["subject_id"].isin(people[:n_test])
    validated = static["subject_id"].isin(people[n_test : n_test + n_validation])
    first = ~static["subject_id"].duplicated()
    parts = {"train": ~tested & ~validated, "validation": validated & first, "test": tested & first}
    return {name: np.flatnonzero(chosen) for name, chosen in parts.items()}


def read_sequences(events: pd.DataFrame, static: pd.DataFrame, train: np.ndarray) -> EventSequences:
    """Event texts embedded and scaled as in the notebook, on training stays alone."""
    tokenizer, encoder = text.load_clinical_encoder()
    train_ids = static.index[train]
    texts = sorted(events["event_text"].unique())
    with tempfile.TemporaryDirectory() as folder:
        vectors = text.cached_embeddings(
            texts,
            tokenizer,
            encoder.eval(),
            folder=Path(folder),
            embed=first_and_last,
            pooling="first and last layer",
            show_progress=False,
        )
    known = np.isin(texts, events.loc[events["stay_id"].isin(train_ids), "event_text"].unique())
    mean, spread = vectors[known].mean(0), vectors[known].std(0).clamp(min=1e-6)
    by_text = dict(zip(texts, ((vectors - mean) / spread).numpy(), strict=True))
    events = events.assign(lab_value=lab_values(events, train_ids))
    return make_sequences(events, static, by_text, max_events=128, extra=["lab_value"])


def peer_risks(
    table: np.ndarray, outcome: np.ndarray, train: np.ndarray, test: np.ndarray
) -> dict[str, np.ndarray]:
    """Risks of the test stays by scikit-learn, from counts, laboratory values and statics."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    peers = {
        "logistic regression": make_pipeline(
            SimpleImputer(), StandardScaler(), LogisticRegression(C=0.05, max_iter=3000)
        ),
        "gradient boosting": HistGradientBoostingClassifier(
            learning_rate=0.1, max_iter=200, max_leaf_nodes=3, random_state=SEED
        ),
    }
    return {
        name: peer.fit(table[train], outcome[train]).predict_proba(table[test])[:, 1]
        for name, peer in peers.items()
    }


def all_risks(stays: IcuStays) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Outcome and risks of the test stays: transformer, both peers, and the truth."""
    events = stays.events()
    static = stays.connection.sql(STATIC_SQL).df().set_index("stay_id")
    rows = split(static, SEED)
    sequences = read_sequences(events, static, rows["train"])
    outcome = static["outcome"].to_numpy()
    counts = count_table(events.groupby("stay_id").tail(128), static.index)
    table = np.hstack([counts, sequences.static.numpy()])
    risks = peer_risks(table, outcome, rows["train"], rows["test"])
    one = sequences.batch([0])
    torch.manual_seed(SEED)
    model = IcuRiskModel(one["events"].shape[-1], one["static"].shape[-1])
    index = {name: torch.as_tensor(chosen) for name, chosen in rows.items()}
    train_risk_model(
        model,
        sequences,
        index["train"],
        index["validation"],
        epochs=EPOCHS,
        seed=SEED,
        keep_best=True,
        label="risk model, full cohort",
    )
    risks["transformer"] = risk_logits(model, sequences, index["test"])  # AUROC needs the order
    true = pd.Series(stays.risk, index=stays.stay_id)
    risks["true risk"] = true[static.index[rows["test"]]].to_numpy()
    return outcome[rows["test"]], risks


def measure() -> dict[str, float]:
    """AUROC of transformer, peers and true risk on test patients; paired differences."""
    from sklearn.metrics import roc_auc_score

    torch.set_num_threads(1)
    start = time.process_time()
    outcome, risks = all_risks(
        make_icu_stays(N_STAYS, random_state=SEED, events_per_stay=EVENTS_PER_STAY)
    )
    values: dict[str, float] = {"test stays": len(outcome), "deaths among them": outcome.sum()}
    values |= {f"AUROC, {name}": roc_auc_score(outcome, risk) for name, risk in risks.items()}

    def difference(y: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
        return roc_auc_score(y, a) - roc_auc_score(y, b)

    for peer in ("logistic regression", "gradient boosting"):
        pair = (outcome, risks["transformer"], risks[peer])  # one stay a patient: rows are patients
        low, high = metrics.bootstrap_interval(difference, *pair, n_boot=1000, random_state=SEED)
        name = f"AUROC, transformer minus {peer}"
        values |= {name: difference(*pair), f"{name}, 95 % from": low, f"{name}, 95 % to": high}
    values["CPU seconds"] = time.process_time() - start
    return {name: float(value) for name, value in values.items()}


if __name__ == "__main__":
    for name, value in measure().items():
        print(f"{value:10.4f}  {name}")
