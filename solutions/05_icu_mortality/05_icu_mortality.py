# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 05 ICU mortality: from SQL to explanation
#
# Someone lies in intensive care, and 48 hours after admission a ward asks: how likely is it that this patient dies in
# hospital? You build the answer from the database up: five tables become one sequence of events, a transformer with attention
# pooling reads it, and then you ask the model *why*. The stays here are synthetic and what predicts death was planted, so an
# explanation is not a story about a picture: it can be right or wrong, and you score it.
#
# | part | what you build | points |
# | --- | --- | --- |
# | 1 The data | `EVENT_UNION_SQL` | 8 |
# | 2 What the features must not know | `find_leaks` | 8 |
# | 3 From rows to numbers | `fit_preprocessor`, `collate_stays` | 10 |
# | 4 The model | `AttentionPooling` | 6 |
# | 5 Training, checkpoints, attention while it trains | | |
# | 6 Risk while it unfolds | `recency_weighted_loss`, `causal_by_time_mask` | 9 |
# | 7 How good is it? | `evaluate_risk` | 6 |
# | 8 Why? | `explain_stay`, `attention_rollout`, `deletion_curve` | 18 |
# | 9 A record as a language | | |
# | 10 In words | a written answer | 5 |
#
# **Guesses.** Before some figures a cell asks what you expect. Write a number or a choice in place of the dots: the figure then shows it
# beside what was measured. A guess earns no points and is stored nowhere; who skips it sees the figure without it.
#
# **Two rules of every exercise**: what your code is given stays as it was (work on copies, never in place on an argument), and results keep
# the dtype of the first tensor, unless the box says otherwise. Whatever is not forbidden is allowed.
#
# About four and a half hours of your time. The computer works for two to four minutes on one core of a laptop, all cells together. Every
# exercise stands alone: cells further down use the library's version of a piece, or say in one line which exercise they wait for.

# %% tags=["install"]
# install cell

# %% tags=["imports"]
import functools
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from captum.attr import FeatureAblation, IntegratedGradients, ShapleyValues
from IPython.display import display
from safetensors.torch import save_file
from scipy.special import expit, logit
from scipy.stats import rankdata, spearmanr, zscore
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from torch import nn

from course_utils import checks, claims, explain, icu_model, metrics, plots, text, training
from course_utils.data import icu as icu_data
from course_utils.layers import EncoderBlock, SinusoidalPositionalEncoding, causal_mask
from course_utils.plots import icu as icu_plots

SEED = claims.seed()
DEVICE = training.pick_device()
NOTEBOOK = "05_icu_mortality"
plots.use_style()
pd.set_option("display.max_colwidth", 60)
checks.setup()

# %% [markdown]
# ## 1 The data
#
# ### 1.1 Tables of a hospital
#
# MIMIC-IV holds what happened in the intensive care units of one Boston hospital, in some thirty tables. We use ten of them,
# with exactly its columns, in a DuckDB database: `patients`, `admissions`, `icustays`, the five event tables and two
# dictionaries that translate item numbers. The stays are drawn by `make_icu_stays`: realistic in counts, ties, late
# results and missing values, invented in everything else. Do not learn medicine from them.
#
# If you have access to MIMIC-IV, put the folder that holds `hosp/` and `icu/` into `MIMIC_FOLDER`; the notebook then runs on
# real patients with your query (the planted predictors, and all scores of explanations, are then missing).
#
# The *demo* of MIMIC-IV, a hundred real patients of the same hospital, is open to everyone: with a network,
# `MIMIC_FOLDER = icu_data.fetch_mimic_demo("mimic-iv-demo")` downloads its tables from PhysioNet, once. A quarter of a hundred patients are
# then the test, with a handful of deaths: such scores say next to nothing.

# %%
COHORT = {
    "n_stays": 2400,
    "events_per_stay": 50,
}  # the full one: {"n_stays": 10_000, "events_per_stay": 80}
MIMIC_FOLDER = None

print(training.describe_device(DEVICE))
stays = icu_data.make_icu_stays(**COHORT, random_state=SEED)
connection = stays.connection if MIMIC_FOLDER is None else icu_data.connect_mimic(MIMIC_FOLDER)
causes = stays.causes if MIMIC_FOLDER is None else stays.causes.head(0)  # of real stays: unknown
tables = [
    "patients",
    "admissions",
    "icustays",
    "prescriptions",
    "procedureevents",
    "labevents",
    "microbiologyevents",
    "ingredientevents",
    "d_items",
    "d_labitems",
]
pd.DataFrame(
    {"rows": [connection.sql(f"SELECT count(*) FROM {t}").fetchall()[0][0] for t in tables]},
    index=tables,
).T

# %% [markdown]
# Three rows of the laboratory table show what has to be decided. `charttime` is when blood was drawn, `storetime` when the
# result could be read; `value` is text (it may say `>4.0` or nothing at all); `hadm_id` may be missing although the patient is known.

# %%
connection.sql("""
    SELECT subject_id, hadm_id, itemid, charttime, storetime, value, valueuom, flag
    FROM labevents ORDER BY hadm_id NULLS FIRST, charttime LIMIT 3
""").df()

# %% [markdown]
# How late are results? The picture shows hours from sample to result. Guess first: how many hours pass from taking a culture to its
# result, in the median?

# %%
culture_guess = checks.guess("median hours from culture to result", ...)

# %%
late = (
    connection.sql("""
    SELECT 'laboratory' AS kind, epoch(storetime - charttime) / 3600 AS hours FROM labevents
    UNION ALL SELECT 'microbiology', epoch(storetime - charttime) / 3600 FROM microbiologyevents
""")
    .df()
    .dropna()
)
figure, ax = plt.subplots(figsize=(8, 2.8))
for kind, part in late.groupby("kind"):
    even = np.full(len(part), 1 / len(part))
    ax.hist(part["hours"], bins=np.geomspace(0.05, 999, 80), weights=even, alpha=0.7, label=kind)
    print(f"{kind}: median {part['hours'].median():.1f} hours from sample to result")
ax.set_xscale("log")
ax.set_xticks([0.1, 1, 10, 100], ["6 min", "1 h", "10 h", "100 h"])
ax.set_xlabel("time from sample to result (logarithmic)")
ax.set_ylabel("share of results")
ax.legend(loc="upper right")
plots.mark_guess(ax, culture_guess)
plt.show()
culture_guess.reveal(late.loc[late["kind"] == "microbiology", "hours"].median(), digits=0)
for name in ("procedureevents", "ingredientevents"):
    hours = connection.sql(f"SELECT epoch(storetime - starttime) / 3600 AS h FROM {name}").df()["h"]
    print(f"{name}: storetime lies a median of {hours.median():.0f} hours after starttime")

# %% [markdown]
# *Distribution of the delay between sample and result. Laboratory values arrive after about an hour, cultures after about
# three days: whoever puts a culture at its `charttime` lets the model read the paper of the day after tomorrow.*

# %% [markdown]
# ### 1.2 Five tables, one sequence
#
# A transformer reads one sequence, a hospital writes five tables. Joining them is where most studies go wrong, and
# quietly: what matters is not when a sample was *taken* but when its result was *known*. A row belongs to the input at
# prediction time $t_p$ only if
#
# $$ t_{\text{admission}} \;\le\; t_{\text{known}} \;<\; t_p = t_{\text{admission}} + 48\ \text{h}. $$
#
# One rule for all five tables: the earliest time at which *the text that we use* was surely known.
#
# | table | known at | because | not used |
# | --- | --- | --- | --- |
# | prescriptions | `starttime` | from then on the order counts; the table has no time of entry | `stoptime`: later |
# | procedureevents, ingredientevents | `starttime` | someone at the bed begins it, and we read its *name* alone | `storetime`: the row's last saving, mostly at the end, with the amounts |
# | labevents | `storetime` | the result can be read | `charttime`: the needle |
# | microbiologyevents | `storetime` | the report's last change: later than the first word on the ward, never earlier | `charttime`: the swab |
#
# It is not perfect: a procedure charted an hour late stands an hour before the record knew of it. Where that matters, the audit trail of the
# record has to say; these tables cannot.
#
# > **Exercise `EVENT_UNION_SQL`** · 8 points · 30 minutes · difficulty 4 of 5
#
# Write one DuckDB `SELECT` (a `WITH` may stand before it) as a Python string. It reads the tables `icustays`,
# `prescriptions`, `procedureevents`, `labevents`, `microbiologyevents`, `ingredientevents`, `d_items`, `d_labitems`; each
# may be empty, and every column but the ids and times that you join by may hold NULL.
#
# * **Which stays.** Those with `outtime >= intime + 48 h`. A stay without `outtime` is left out. Admission is
#   `icustays.intime`, and an event counts when `intime <= event_time < intime + 48 h`.
# * **Which time.** `starttime` of prescriptions, procedureevents and ingredientevents; `storetime` of labevents and
#   microbiologyevents. A row without that time is left out. Other times, and statuses, are not used.
# * **Which stay.** procedureevents and ingredientevents join by `stay_id`. The other three join by `subject_id` and the
#   window, whatever their `hadm_id` says (results from the emergency room often have none).
# * **How many rows.** One per source row; identical rows stay.
# * **Columns, in this order.** `stay_id` BIGINT, `event_time` TIMESTAMP, `event_type` VARCHAR, `event_text` VARCHAR,
#   `minutes_since_admission` DOUBLE (with its fraction: seconds count).
# * **Texts.** Pieces joined by one space, NULL pieces skipped (an empty string is a piece like any other):
#
# | `event_type` | pieces of `event_text` |
# | --- | --- |
# | `prescription` | drug, dose_val_rx, dose_unit_rx, route |
# | `procedure` | label in `d_items` |
# | `ingredient` | label in `d_items` |
# | `lab` | label in `d_labitems`, value, valueuom, flag |
# | `microbiology` | spec_type_desc, test_name, org_name, ab_name, interpretation |
#
# * An `itemid` that its dictionary does not have, or has with a NULL label, gives the number itself.
# * **Order.** By stay_id, event_time, event_type, event_text.

# %% nbgrader={"grade": false, "grade_id": "EVENT_UNION_SQL", "locked": false, "schema_version": 3, "solution": true, "task": false}
EVENT_UNION_SQL = None
### BEGIN SOLUTION
EVENT_UNION_SQL = """
WITH stays AS (
    SELECT stay_id, subject_id, intime, intime + INTERVAL 48 HOUR AS window_end
    FROM icustays
    WHERE outtime >= intime + INTERVAL 48 HOUR
), everything AS (
    SELECT s.*, p.starttime AS event_time, 'prescription' AS event_type,
           concat_ws(' ', p.drug, p.dose_val_rx, p.dose_unit_rx, p.route) AS event_text
    FROM stays s JOIN prescriptions p USING (subject_id)
    UNION ALL
    SELECT s.*, p.starttime, 'procedure', coalesce(d.label, p.itemid::VARCHAR)
    FROM stays s JOIN procedureevents p USING (stay_id) LEFT JOIN d_items d USING (itemid)
    UNION ALL
    SELECT s.*, l.storetime, 'lab',
           concat_ws(' ', coalesce(d.label, l.itemid::VARCHAR), l.value, l.valueuom, l.flag)
    FROM stays s JOIN labevents l USING (subject_id) LEFT JOIN d_labitems d USING (itemid)
    UNION ALL
    SELECT s.*, m.storetime, 'microbiology',
           concat_ws(' ', m.spec_type_desc, m.test_name, m.org_name, m.ab_name, m.interpretation)
    FROM stays s JOIN microbiologyevents m USING (subject_id)
    UNION ALL
    SELECT s.*, i.starttime, 'ingredient', coalesce(d.label, i.itemid::VARCHAR)
    FROM stays s JOIN ingredientevents i USING (stay_id) LEFT JOIN d_items d USING (itemid)
)
SELECT stay_id, event_time, event_type, event_text,
       (epoch_us(event_time) - epoch_us(intime)) / 6e7 AS minutes_since_admission
FROM everything
WHERE event_time >= intime AND event_time < window_end
ORDER BY stay_id, event_time, event_type, event_text
"""
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "EVENT_UNION_SQL_check", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}
checks.icu_mortality.EVENT_UNION_SQL(EVENT_UNION_SQL)
### BEGIN HIDDEN TESTS
with checks.hidden("EVENT_UNION_SQL"):

    def hidden_cases() -> None:
        from course_utils.checks.icu_mortality import tables as sql

        checks.require(
            sql.run_query(sql.open_tables({}), EVENT_UNION_SQL).empty, "Empty tables gave rows."
        )
        rng, start = np.random.default_rng(17), pd.Timestamp("2160-02-28 23:59:07")
        names = [
            "prescriptions",
            "procedureevents",
            "labevents",
            "microbiologyevents",
            "ingredientevents",
        ]
        tables = {name: [] for name in sql.TABLES}
        tables |= {
            "d_items": [{"itemid": 1, "label": "one"}],
            "d_labitems": [{"itemid": 1, "label": "uno"}],
        }
        wanted = []
        for k in range(8):
            person, begin = (
                k // 2,
                start + pd.Timedelta(days=50 * int(k % 2), seconds=int(rng.integers(1e5))),
            )
            hours = [48, 47.99, 480, 48][k % 4]
            ids = {"subject_id": person, "hadm_id": 90 + k, "stay_id": 800 - k}
            tables["icustays"].append(
                {
                    **ids,
                    "intime": begin,
                    "outtime": None if k == 7 else begin + pd.Timedelta(hours=hours),
                }
            )
            inside = k != 7 and hours >= 48
            for _ in range(40):
                at = begin + pd.Timedelta(seconds=int(rng.integers(-20000, 190000)))
                lost, other = rng.random() < 0.1, at + pd.Timedelta(hours=float(rng.normal(0, 30)))
                item, kind = int(rng.integers(1, 3)), int(rng.integers(5))
                word = [None, "a", "b 2"][rng.integers(3)]
                name = {1: "one", 2: "2"}[item] if kind != 2 else {1: "uno", 2: "2"}[item]
                far = {"subject_id": person, "hadm_id": [None, 5, 90 + k][rng.integers(3)]}
                near = {"stay_id": 800 - k, "subject_id": None, "itemid": item, "storetime": other}
                row, pieces = [
                    (far | {"drug": "D", "route": word, "stoptime": other}, ["D", word]),
                    (near, [name]),
                    (
                        far
                        | {
                            "itemid": item,
                            "valueuom": word,
                            "flag": "abnormal",
                            "charttime": other,
                        },
                        [name, word, "abnormal"],
                    ),
                    (
                        far
                        | {
                            "test_name": "T",
                            "ab_name": word,
                            "interpretation": "R",
                            "charttime": other,
                            "storedate": other.normalize(),
                        },
                        ["T", word, "R"],
                    ),
                    (near | {"endtime": other, "amount": 5.0}, [name]),
                ][kind]
                tables[names[kind]].append(
                    row | {"storetime" if kind in (2, 3) else "starttime": None if lost else at}
                )
                minutes = (at - begin).total_seconds() / 60
                if inside and not lost and 0 <= minutes < 2880:
                    text = " ".join(p for p in pieces if p)
                    wanted.append(
                        (
                            800 - k,
                            at,
                            ["prescription", "procedure", "lab", "microbiology", "ingredient"][
                                kind
                            ],
                            text,
                            minutes,
                        )
                    )
        want = pd.DataFrame(wanted, columns=list(sql.COLUMNS)).sort_values(
            sql.ORDER, ignore_index=True
        )
        sql.compare_rows(sql.run_query(sql.open_tables(tables), EVENT_UNION_SQL), want, {})

    hidden_cases()
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Start with the eligible stays in a `WITH` part, then write one `SELECT` per table with the same columns and put them
# together with `UNION ALL`. Cut the window and sort once, at the end.
# </details>
#
# <details><summary>Hint 2</summary>
#
# `concat_ws(' ', a, b, c)` joins with a space and skips NULL. `LEFT JOIN d_items USING (itemid)` keeps rows whose item the
# dictionary does not have; `coalesce(label, itemid::VARCHAR)` then gives the number. NULL never satisfies a comparison, so
# rows without a time leave by themselves.
# </details>
#
# <details><summary>Hint 3: nearly all of it</summary>
#
# ```sql
# WITH stays AS (SELECT stay_id, subject_id, intime FROM icustays
#                WHERE outtime >= intime + INTERVAL 48 HOUR),
# everything AS (
#     SELECT s.*, p.starttime AS event_time, 'prescription' AS event_type, concat_ws(' ', ...) AS event_text
#     FROM stays s JOIN prescriptions p USING (subject_id)
#     UNION ALL
#     SELECT s.*, p.starttime, 'procedure', coalesce(...)
#     FROM stays s JOIN procedureevents p USING (stay_id) LEFT JOIN d_items USING (itemid)
#     UNION ALL ...)
# SELECT stay_id, event_time, event_type, event_text,
#        (epoch_us(event_time) - epoch_us(intime)) / 6e7 AS minutes_since_admission
# FROM everything WHERE ... ORDER BY ...
# ```
# </details>
# %% [markdown]
# Your query on the whole database, and one stay as a picture: each mark is an event, circles are the planted predictors.

# %% tags=["needs-answer"]
if EVENT_UNION_SQL is None:
    raise NotImplementedError("EVENT_UNION_SQL: not written yet")
by_query = connection.sql(EVENT_UNION_SQL).df()
print(f"{len(by_query):,} events of {by_query['stay_id'].nunique():,} stays")
planted = causes.dropna(subset="event_text")
stay_id = (by_query if planted.empty else planted)["stay_id"].value_counts().index[0]
here = planted[planted["stay_id"] == stay_id]
named = here.set_index(["event_text", "minutes_since_admission"])["cause"].to_dict()
_ = icu_plots.stay_timeline(
    by_query[by_query["stay_id"] == stay_id],
    highlight=named,
    title=f"The first 48 hours of stay {stay_id}",
)

# %% [markdown]
# *All events of one stay by type and time. Many share one moment (a blood sample gives several values); the planted predictors
# are few among many.*
#
# ### 1.3 The cohort
#
# The rest of the notebook needs the events whether your query is ready or not. The synthetic data can list its own events; on
# real data there is only your query. The static features come from a plain join. Everything here is known when the stay
# begins, except for the two columns at the end, which we keep for the next part.

# %%
events = stays.events() if MIMIC_FOLDER is None else connection.sql(EVENT_UNION_SQL).df()
static = (
    connection.sql("""
    SELECT i.stay_id, i.subject_id, p.anchor_age + year(i.intime) - p.anchor_year AS age, p.gender, a.race,
           a.marital_status, a.language, a.admission_type, a.admission_location, a.insurance, i.first_careunit,
           a.hospital_expire_flag AS outcome, i.intime, i.los, epoch(i.outtime - i.intime) / 60 AS minutes_in_unit
    FROM icustays i JOIN patients p USING (subject_id) JOIN admissions a USING (hadm_id)
    WHERE i.outtime >= i.intime + INTERVAL 48 HOUR
    ORDER BY i.stay_id
""")
    .df()
    .set_index("stay_id")
)
print(
    f"{len(static):,} stays of {static['subject_id'].nunique():,} patients, {static['outcome'].mean():.1%} die in hospital"
)
print(
    f"{len(events) / len(static):.0f} events a stay, {events['event_text'].nunique():,} different texts"
)
static.head(3)

# %% [markdown]
# What we leave out, and why:
#
# * *reference ranges* (`ref_range_lower`, `ref_range_upper`): what they say about a value is in its `flag` already;
# * *ends and statuses* of procedures and infusions, and *amounts given*: they are only known when the procedure has ended,
#   often after prediction time;
# * `discharge_location`, `deathtime`, `dod`, `los`, `outtime`: they *are* the outcome, or know it.
#
# Patients come back. If one stay of a patient is in training and another in the test, the test is not a test of new patients; so
# the split is by `subject_id`, and the evaluation keeps one stay per patient, the first. (Training keeps all of them: few deaths
# are worth more than a tidy unit. It has a price in calibration, part 7.2.)

# %%
people = np.random.default_rng(SEED).permutation(static["subject_id"].unique())
n_test, n_val = round(0.25 * len(people)), round(0.08 * len(people))
part_of = dict.fromkeys(people[:n_test], "test") | dict.fromkeys(
    people[n_test : n_test + n_val], "validation"
)
static["part"] = static["subject_id"].map(part_of).fillna("train")
later = static.sort_values("intime")["subject_id"].duplicated().reindex(static.index)
static.loc[later & static["part"].ne("train"), "part"] = "left out"  # the first stay is kept
train_ids = static.index[static["part"] == "train"].tolist()
static.groupby("part").agg(
    stays=("outcome", "size"), patients=("subject_id", "nunique"), mortality=("outcome", "mean")
).round(3)

# %%
counts = events.groupby("stay_id").size().reindex(static.index, fill_value=0)
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3))
left.hist(counts, bins=40)
left.axvline(128, color="black", ls="--", lw=1, label="at most 128 are read")
left.set(xlabel="events in the first 48 h", ylabel="stays")
left.legend()
groups = static.groupby(pd.cut(static["age"], [17, 45, 55, 65, 75, 85, 120]), observed=True)[
    "outcome"
].agg(["mean", "sum", "size"])
spans = np.array(
    [
        metrics.wilson_interval(int(s), int(n))
        for s, n in zip(groups["sum"], groups["size"], strict=True)
    ]
)
names = ["18-45", "46-55", "56-65", "66-75", "76-85", "86+"]
right.errorbar(
    names,
    groups["mean"],
    [groups["mean"] - spans[:, 0], spans[:, 1] - groups["mean"]],
    fmt="o",
    capsize=3,
)
_ = right.set(xlabel="age (years)", ylabel="hospital mortality", ylim=(0, None))

# %% [markdown]
# *Left: events per stay; longer sequences are cut to the last 128 events. Right: mortality by age with 95 % intervals. Age is
# one of the planted predictors.*

# %% [markdown]
# ## 2 What the features must not know
#
# A feature *knows the future* when it changes although nothing before prediction time has changed. It *knows the split*
# when the numbers of a training stay change because other people's stays are there. Both make a model look better than it
# will ever be at the bedside, and neither can be seen by reading column names. It can be measured, by building the same
# table twice. With $E$ the events, $S$ the static table and $\phi_c$ the column $c$,
#
# $$ \phi_c(E, S) \ne \phi_c(E_{<48\,\text{h}},\, S_{\text{known}}) \Rightarrow \text{future}, \qquad
#    \phi_c(E, S) \ne \phi_c(E_{\text{train}}, S_{\text{train}}) \text{ on a training stay} \Rightarrow \text{split}. $$
#
# > **Exercise `find_leaks`** · 8 points · 30 minutes · difficulty 4 of 5
#
# Write `find_leaks(build_features, events, static, train_ids, *, window_minutes=2880, known_late=())`.
#
# * `build_features(events, static, train_ids)` returns a table with one row per stay, indexed by `stay_id`; it is
#   deterministic, but the order of its rows may differ from call to call. `events` has `stay_id`,
#   `minutes_since_admission` and more; `static` is indexed by `stay_id`; `train_ids` lists the training stays.
# * **future**: a column in which *any* stay changes when the events at or after `window_minutes` are dropped and the
#   `known_late` columns of `static` are set to missing.
# * **split**: a column in which *any training stay* changes when all other stays are dropped from `events` and `static`.
# * *Changed* means: differs by more than 1e-9 relative, or missing against present, or a column that appears or
#   disappears. Missing equals missing.
# * Return a `DataFrame` with the columns `column` and `knows` (`"future"` or `"split"`), in the feature table's column order,
#   `"future"` first; a column may have both, and one that the first table does not have may stand anywhere. Nothing found: an
#   empty table with these two columns.
# * Your inputs stay as they are, also when `build_features` changes the tables that it is given: give it copies. `train_ids`
#   and `known_late` are iterables that can perhaps be read only once.


# %% nbgrader={"grade": false, "grade_id": "find_leaks", "locked": false, "schema_version": 3, "solution": true, "task": false}
def find_leaks(
    build_features: Callable,
    events: pd.DataFrame,
    static: pd.DataFrame,
    train_ids: Iterable,
    *,
    window_minutes: float = 2880,
    known_late: Iterable = (),
) -> pd.DataFrame:
    """Audit a feature builder by experiment: which columns know the future, which the split?

    events: one row per event, with stay_id and minutes_since_admission; static: indexed by stay_id.
    Returns a DataFrame with the columns column and knows ("future" or "split").
    """

    ### BEGIN SOLUTION
    def changed(before: pd.Series, after: pd.Series) -> bool:
        a, b = (column.to_numpy(dtype=float, na_value=np.nan) for column in (before, after))
        return not np.isclose(a, b, rtol=1e-9, atol=0, equal_nan=True).all()

    train_ids, known_late = list(train_ids), list(known_late)
    past = events[events["minutes_since_admission"] < window_minutes]
    known = static.assign(**dict.fromkeys(known_late, np.nan))
    own, own_static = events["stay_id"].isin(train_ids), static.index.isin(train_ids)
    full, then, alone = (
        build_features(e.copy(), s.copy(), train_ids.copy())
        for e, s in ((events, static), (past, known), (events[own], static[own_static]))
    )
    rows = []
    for column in dict.fromkeys([*full, *then, *alone]):
        for knows, other, stays in (("future", then, full.index), ("split", alone, train_ids)):
            pair = [table[column].reindex(stays) for table in (full, other) if column in table]
            if len(pair) == 1 or (pair and changed(*pair)):
                rows.append((column, knows))
    return pd.DataFrame(rows, columns=["column", "knows"])
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "find_leaks_check", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}
checks.icu_mortality.find_leaks(find_leaks)
### BEGIN HIDDEN TESTS
with checks.hidden("find_leaks"):

    def hidden_cases() -> None:
        from course_utils.checks.icu_mortality import audit as audit

        for seed in (11, 12):
            audit.audit_checks(find_leaks, seed)
        events, static, train = audit.audit_data(13, 30)
        late_last = {"discharge": np.where(static["los"] > 5, "DIED", "HOME")}
        static = static.assign(**late_last)

        def builder(events, static, train_ids):
            now = audit.past(events)
            target = static["days_to_discharge"].astype(float)
            known = static["discharge"].astype(object).where(static["discharge"].notna(), None)
            out = pd.DataFrame(index=static.index)
            out["died"] = (known == "DIED").astype(int)
            mean = now["value"].mean()
            out["above_all"] = audit.by_stay(
                (now["value"] > mean).astype(float), now["stay_id"], static, "sum"
            )
            own = now[now["stay_id"].isin(list(train_ids))]
            out["above_train"] = (now["value"] - own["value"].mean()).groupby(now["stay_id"]).sum()
            share = now["event_type"].value_counts(normalize=True)["lab"]
            out["lab_share_of_all"] = share
            other = ~static.index.isin(list(train_ids))
            out["only_others"] = np.where(other, len(static), 0.0)
            out["rank_of_age"] = static["age"].rank(pct=True)
            out["target_mean"] = static["insurance"].map(target.groupby(static["insurance"]).mean())
            return out.sample(frac=1, random_state=len(events))

        found = checks.call(
            find_leaks, builder, events, static, np.array(train), known_late=["discharge"]
        )
        want = [
            ("died", "future"),
            ("above_all", "split"),
            ("lab_share_of_all", "split"),
            ("rank_of_age", "split"),
            ("target_mean", "split"),
        ]
        audit.expect(found, want, "another builder")
        found = checks.call(find_leaks, builder, events, static, train)
        audit.expect(found, want[1:], "another builder, known_late left empty")
        found = checks.call(
            find_leaks, builder, events, static, list(static.index), known_late=["discharge"]
        )
        audit.expect(found, want[:1], "everyone is a training stay")

    hidden_cases()
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Call `build_features` three times: with everything, with the past alone, with the training stays alone. Then compare the
# second and the third table with the first.
# </details>
#
# <details><summary>Hint 2</summary>
#
# Align before comparing: `other[column].reindex(full.index)`. For the split, align both on the training stays. A stay is
# unchanged when `np.isclose(a, b, rtol=1e-9, atol=0, equal_nan=True)` says so; without `atol=0` an absolute tolerance comes on
# top, and small numbers never change.
# </details>
#
# <details><summary>Hint 3: nearly all of it</summary>
#
# ```python
# train_ids = list(train_ids)
# full = build_features(events.copy(), static.copy(), train_ids.copy())
# past = events[events["minutes_since_admission"] < window_minutes]
# then = build_features(past.copy(), static.assign(**dict.fromkeys(known_late, np.nan)), train_ids.copy())
# mine = events["stay_id"].isin(train_ids)
# alone = build_features(events[mine].copy(), static[static.index.isin(train_ids)].copy(), train_ids.copy())
# for column in full.columns:
#     for knows, other, stays in (("future", then, full.index), ("split", alone, train_ids)):
#         if column not in other or changed(full[column].reindex(stays), other[column].reindex(stays)):
#             rows.append((column, knows))
# # ... and the columns that only the second or third table has
# ```
# </details>
# %% [markdown]
# Now use it on the features of an earlier, published notebook on these tables (called *the earlier notebook* from here on). They hold the mean time to the final event of the stay, its length of stay, and
# an age scaled on all patients. Your audit should find all three, and pass the two honest ones.


# %%
leak_guess = checks.guess(
    "best single column",
    [
        "n_events",
        "relative_time_to_final_event",
        "length_of_stay",
        "age_scaled_on_everyone",
        "age_scaled_on_training",
    ],
    ...,
)


# %% tags=["needs-answer"]
def earlier_features(
    events: pd.DataFrame, static: pd.DataFrame, train_ids: Iterable
) -> pd.DataFrame:
    now = events[events["minutes_since_admission"] < 2880]
    to_end = now["stay_id"].map(static["minutes_in_unit"]) - now["minutes_since_admission"]
    train_age = static.loc[static.index.isin(list(train_ids)), "age"]
    return pd.DataFrame(
        {
            "n_events": now.groupby("stay_id").size(),
            "relative_time_to_final_event": to_end.groupby(now["stay_id"]).mean(),
            "length_of_stay": static["los"],
            "age_scaled_on_everyone": (static["age"] - static["age"].mean()) / static["age"].std(),
            "age_scaled_on_training": (static["age"] - train_age.mean()) / train_age.std(),
        },
        index=static.index,
    )


features = earlier_features(events, static, train_ids)
auroc = {
    name: roc_auc_score(static["outcome"], -column.fillna(0)) for name, column in features.items()
}
audit = find_leaks(
    earlier_features, events, static, train_ids, known_late=["los", "minutes_in_unit"]
)
alone = {name: max(a, 1 - a) for name, a in auroc.items()}
ax = plots.bars(
    list(alone), list(alone.values()), xlabel="AUROC of this column alone", xlim=(0.45, 1.0)
)
ax.axvline(0.5, color="black", lw=1, ls="--")
plots.mark_guess(ax, leak_guess, axis="y")
plt.show()
leak_guess.reveal(max(alone, key=alone.get))
audit

# %% [markdown]
# *What each column alone says about the outcome (0.5 is chance). The two that know the future are among the best, for
# a bad reason. The scaling fitted on everyone says nothing more than the honest one: a leak of the split is a habit to
# avoid, even where it does not show.*

# %% [markdown]
# ## 3 From rows to numbers
#
# Scaling and one-hot coding learn something too: a mean, a deviation, a list of categories. They may learn it from training
# patients alone, and must then be able to code a category that they have never seen:
#
# $$ z = \frac{x - \mu_{\text{train}}}{\sigma_{\text{train}}}, \qquad \text{one-hot}(c)_k = [c = k],\; k \in \text{categories of train}. $$
#
# > **Exercise `fit_preprocessor`** · 6 points · 20 minutes · difficulty 2 of 5
#
# Write `fit_preprocessor(train_static, train_events)` with scikit-learn. It returns an object whose
# `transform(static, events)` gives `(static_features, event_features)`.
#
# * `train_static` has one row per stay, indexed by `stay_id`. Columns of a numeric dtype are numbers, all others categories.
# * Of `train_events` only `minutes_since_admission` (a number) and `event_type` (a category) are used.
# * Both results are dense float32 arrays, rows in the order given: first the numbers, standardised with the *population*
#   deviation, then a one-hot block per category column: numbers and blocks in the order of the columns, each block with the
#   values that occur in training, sorted.
# * A column that is constant in training gives 0 (what another value in it would give is up to you).
# * A category that was not in training gives all zeros. `transform` never fits again, and two fitted objects are independent.
# * There are no missing values, and at least one row.


# %% nbgrader={"grade": false, "grade_id": "fit_preprocessor", "locked": false, "schema_version": 3, "solution": true, "task": false}
def fit_preprocessor(train_static: pd.DataFrame, train_events: pd.DataFrame) -> object:
    """Fit scaling and one-hot coding on training patients.

    Returns an object with transform(static, events) -> (float32 (N, S), float32 (M, E)).
    """

    ### BEGIN SOLUTION
    def columns(numbers: list[str], categories: list[str]) -> ColumnTransformer:
        onehot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
        parts = [("numbers", StandardScaler(), numbers), ("categories", onehot, categories)]
        return ColumnTransformer(parts, sparse_threshold=0)

    numbers = train_static.select_dtypes("number").columns.tolist()
    categories = [c for c in train_static.columns if c not in numbers]

    class Preprocessor:
        static = columns(numbers, categories).fit(train_static)
        events = columns(["minutes_since_admission"], ["event_type"]).fit(train_events)

        def transform(self, static: pd.DataFrame, events: pd.DataFrame) -> tuple:
            parts = self.static.transform(static), self.events.transform(events)
            return tuple(np.asarray(part, dtype=np.float32) for part in parts)

    return Preprocessor()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "fit_preprocessor_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
checks.icu_mortality.fit_preprocessor(fit_preprocessor)
### BEGIN HIDDEN TESTS
with checks.hidden("fit_preprocessor"):

    def hidden_cases() -> None:
        from course_utils.checks.icu_mortality import features

        rng = np.random.default_rng(5)

        def draw(n, m, more=()):
            static = pd.DataFrame(
                {
                    "z_unit": rng.choice(["b", "a", "c", *more], n),
                    "age": rng.integers(20, 90, n),
                    "fixed": 7,
                    "race": pd.Categorical(rng.choice(["Y", "X"], n), ["W", "Y", "X"]),
                    "weight": rng.normal(80, 9, n).astype("float32"),
                    "a_count": rng.integers(0, 250, n).astype("uint8"),
                },
                index=pd.Index(rng.permutation(n) + 500, name="stay_id"),
            )
            events = pd.DataFrame(
                {
                    "event_type": rng.choice(["procedure", "lab", *more], m),
                    "value": rng.normal(size=m),
                    "stay_id": rng.choice(static.index, m),
                    "minutes_since_admission": rng.uniform(0, 2880, m),
                },
                index=rng.integers(0, 9, m),
            )
            return static, events

        def coded(frame, train, numbers, categories):
            parts = []
            for name in numbers:
                x, mean, spread = (f[name].to_numpy(float) for f in (frame, train, train))
                deviation = spread.std()
                parts.append(((x - mean.mean()) / (deviation if deviation > 0 else 1))[:, None])
            for name in categories:
                known = sorted(set(train[name].tolist()))
                parts.append(
                    np.array([[float(v == k) for k in known] for v in frame[name].tolist()])
                )
            return np.concatenate(parts, axis=1)

        for n, m in ((40, 200), (1, 1), (2, 7)):
            train = draw(n, m)
            fitted = checks.call(fit_preprocessor, *train)
            constant = train[0].loc[:, train[0].nunique() == 1].select_dtypes("number").iloc[0]
            still = train[1]["minutes_since_admission"].iloc[0]
            for who, frames in (
                ("new stays", draw(9, 30, ["new"])),
                ("one new stay", draw(1, 1, ["new"])),
                ("training stays", train),
            ):
                frames = (  # numbers that are constant in training stay what they were
                    frames[0].assign(**constant),
                    frames[1].assign(minutes_since_admission=still) if m == 1 else frames[1],
                )
                want = [
                    coded(
                        frames[0],
                        train[0],
                        ["age", "fixed", "weight", "a_count"],
                        ["z_unit", "race"],
                    ),
                    coded(frames[1], train[1], ["minutes_since_admission"], ["event_type"]),
                ]
                features(fitted, *frames, *want, who)

    hidden_cases()
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# `ColumnTransformer` applies `StandardScaler` to some columns and `OneHotEncoder` to others, in the order in which you name
# them. You need two of them: one for stays, one for events.
# </details>
#
# <details><summary>Hint 2</summary>
#
# `OneHotEncoder(handle_unknown="ignore", sparse_output=False)`; `train_static.select_dtypes("number").columns`. A small
# class that keeps both fitted transformers has the `transform` that is asked for.
# </details>
#
# <details><summary>Hint 3: nearly all of it</summary>
#
# ```python
# static_coder = ColumnTransformer(
#     [("n", StandardScaler(), numbers), ("c", OneHotEncoder(...), categories)], sparse_threshold=0
# ).fit(train_static)
# event_coder = ...                                  # ["minutes_since_admission"], ["event_type"]
# class Preprocessor:
#     def transform(self, static, events):
#         return (static_coder.transform(static).astype("float32"), ...)
# ```
# </details>
# %% [markdown]
# What your preprocessor makes of one stay, and of a category that it has never seen:

# %% tags=["needs-answer"]
columns = ["age", "gender", "race", "insurance", "first_careunit"]
known = static.loc[train_ids, columns].dropna()
coder = fit_preprocessor(known, events[events["stay_id"].isin(train_ids)])
visitor = known.iloc[:2].assign(insurance=["Medicare", "Travel insurance"])
shown, _ = coder.transform(visitor, events.head(3))
blocks = ["age", *(f"{c}: {v}"[:34] for c in columns[1:] for v in sorted(known[c].unique()))]
ax = plots.heat_map(
    shown,
    rows=["Medicare", "Travel insurance"],
    columns=blocks,
    colorbar="value",
    cmap="PuOr",
    vmin=-2,
    vmax=2,
    title="Two stays after preprocessing",
    ax=plt.subplots(figsize=(8, 4.4))[1],
)
ax.tick_params(axis="y", rotation=0)

# %% [markdown]
# *Static features of two stays. The insurance of the second one was not in training: its block is all zeros.*
#
# The model below uses a plainer coding, so that this notebook runs without your answer: age as (age − 65) / 15 and categories
# listed in advance. Nothing in it is fitted, so nothing in it can leak.
#
# ### 3.1 Event texts become vectors, once
#
# `Lactate 6.1 mmol/L abnormal` has to become numbers. A clinical BERT does that; it is frozen, so each *different* text is
# embedded once and kept on disk. (Embedding each event again, one at a time, would take some sixty times as long.) One vector is
# the mean over the text's word pieces, of the first and of the last layer side by side (`first_and_last`): the last knows
# context, the first still knows the digits.

# %%
tokenizer, encoder = text.load_clinical_encoder()
encoder = encoder.to(DEVICE).eval()
WORK = Path(tempfile.mkdtemp(prefix="icu_"))
texts = sorted(events["event_text"].unique())
embedding = {
    "folder": WORK / "embeddings",
    "embed": icu_model.first_and_last,
    "pooling": "first and last layer",
}
raw_vectors = text.cached_embeddings(texts, tokenizer, encoder, **embedding, show_progress=False)
again = text.cached_embeddings(texts, tokenizer, encoder, **embedding, show_progress=False)
print(
    f"{len(texts):,} different texts for {len(events):,} events; {raw_vectors.shape[1]} numbers each; "
    f"read back equal: {torch.equal(raw_vectors, again)}"
)

# %% [markdown]
# BERT's vectors all point roughly the same way: most of each vector is the same for every text. We subtract that mean and
# divide by the deviation, both taken over the texts of *training* stays.


# %%
def scaled(vectors: torch.Tensor, fit_on: np.ndarray) -> dict[str, np.ndarray]:
    """Standardise text vectors by the mean and deviation of those in ``fit_on``."""
    mean, spread = vectors[fit_on].mean(0), vectors[fit_on].std(0)
    return dict(zip(texts, ((vectors - mean) / spread.clamp(min=1e-6)).numpy(), strict=True))


in_training = np.isin(texts, events.loc[events["stay_id"].isin(train_ids), "event_text"].unique())
text_vectors = scaled(raw_vectors, in_training)
words = [
    "Lactate 1.1 mmol/L",
    "Lactate 6.1 mmol/L abnormal",
    "Lactate 6.3 mmol/L abnormal",
    "Hemoglobin 9.1 g/dL abnormal",
    "Invasive Ventilation",
    "NORepinephrine 8 mg IV DRIP",
]
words = [w for w in words if w in text_vectors]
similar = {}
for name, rows in (
    ("raw", dict(zip(texts, raw_vectors.numpy(), strict=True))),
    ("standardised", text_vectors),
):
    some = np.stack([rows[w] for w in words])
    some = some / np.linalg.norm(some, axis=1, keepdims=True)
    similar[name] = some @ some.T
figure, axes = plt.subplots(1, 2, figsize=(10, 4))
for ax, (name, matrix) in zip(axes, similar.items(), strict=True):
    short = [w.replace(" abnormal", "*") for w in words]
    plots.heat_map(
        matrix,
        rows=short if ax is axes[0] else [""] * len(words),
        columns=short,
        annotate=True,
        vmin=-1,
        vmax=1,
        cmap="PuOr",
        title=name,
        ax=ax,
    )

# %% [markdown]
# *Cosine similarity of event texts (an asterisk stands for "abnormal"), before and after standardising. Raw vectors are all
# alike; standardised, the two high lactates are close to each other and the others apart.*
#
# To BERT a number is a string of pieces: that 6.1 lies between 6.0 and 6.2 it can hardly know. So a laboratory value also goes in as
# a *number*, in deviations from the mean of its item over training stays, and 0 for every other event.

# %%
events["lab_value"] = icu_data.lab_values(events, train_ids)
examples = events["event_text"].isin(words) & events["lab_value"].ne(0)
events.loc[examples, ["event_text", "lab_value"]].drop_duplicates().sort_values("event_text")

# %% [markdown]
# ### 3.2 The sequence of one stay, put together
#
# One event is a row of numbers: its type (one of five), its text vector, its time, as a share of the 48 hours and as three waves, and
# its laboratory value.
# The time since *admission* is known; the time to the *end* is not, and stays out.

# %%
sequences = icu_data.make_sequences(
    events, static, text_vectors, max_events=128, extra=["lab_value"]
)
rows = {
    part: torch.as_tensor(np.flatnonzero(static["part"] == part))
    for part in ("train", "validation", "test")
}
one = sequences.batch(rows["train"][:1])
for name, value in one.items():
    print(f"{name:24} {str(value.dtype).removeprefix('torch.'):8} {tuple(value.shape)}")
names = sequences.event_names
keep = [i for i, n in enumerate(names) if not n.startswith("text_")] + [
    names.index(f"text_{i}") for i in range(12)
]
shown = one["events"][0, :25, keep].numpy()
_ = plots.heat_map(
    shown,
    rows=[icu_plots.short_text(t) for t in sequences.event_texts(int(rows["train"][0]))[:25]],
    columns=[names[i] for i in keep],
    cmap="PuOr",
    vmin=-2,
    vmax=2,
    colorbar="value",
    title="The first 25 events of one stay, as the model reads them",
    ax=plt.subplots(figsize=(9, 6))[1],
)

# %% [markdown]
# *Each row is an event: type, time, laboratory value, and the first 12 of the text vector's numbers.*

# %% [markdown]
# ### 3.3 Stays of different length in one batch
#
# Stays have different numbers of events $T_i$, a tensor has one. So the shorter ones are padded, and a mask says what is
# real: $\text{is\_event}_{bt} = [t < T_b]$. Every later layer depends on this mask being right.
#
# > **Exercise `collate_stays`** · 4 points · 10 minutes · difficulty 2 of 5
#
# Write `collate_stays(stays)`. A *stay* is a dict: `stay_id` int, `events` float tensor `(T_i, D)`, `minutes_since_admission`
# float tensor `(T_i,)`, `static` float tensor `(S,)`, `outcome` 0 or 1. Return a *batch*, a dict with
#
# * `stay_id` `(B,)` int64, `lengths` `(B,)` int64, `outcome` `(B,)` float32, `static` `(B, S)`;
# * `events` `(B, T, D)` and `minutes_since_admission` `(B, T)`, padded *behind* with zeros to the longest stay of this batch,
#   with order and dtype kept;
# * `is_event` `(B, T)` bool, True = a real event.
#
# A stay with $T_i = 0$ may stand beside others. A real event whose numbers are all zero is still an event.


# %% nbgrader={"grade": false, "grade_id": "collate_stays", "locked": false, "schema_version": 3, "solution": true, "task": false}
def collate_stays(stays: list[dict]) -> dict[str, torch.Tensor]:
    """Pad stays to one batch.  events (T_i, D), static (S,) -> events (B, T, D), is_event (B, T), ..."""
    ### BEGIN SOLUTION
    pad = nn.utils.rnn.pad_sequence
    lengths = torch.tensor([len(stay["events"]) for stay in stays])
    events = pad([stay["events"] for stay in stays], batch_first=True)
    return {
        "stay_id": torch.tensor([stay["stay_id"] for stay in stays]),
        "events": events,
        "minutes_since_admission": pad(
            [stay["minutes_since_admission"] for stay in stays], batch_first=True
        ),
        "is_event": torch.arange(events.shape[1]) < lengths[:, None],
        "lengths": lengths,
        "static": torch.stack([stay["static"] for stay in stays]),
        "outcome": torch.tensor([float(stay["outcome"]) for stay in stays], dtype=torch.float32),
    }
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "collate_stays_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
checks.icu_mortality.collate_stays(collate_stays)
### BEGIN HIDDEN TESTS
with checks.hidden("collate_stays"):

    def hidden_cases() -> None:
        from course_utils.checks.icu_mortality import batch_matches
        from course_utils.checks.icu_mortality import models as small

        for dtype in (torch.float32, torch.float64):
            for lengths in ((1,), (5, 1), (0, 3), (3, 0, 3), (2, 2, 2), (1, 9, 4, 0, 7)):
                stays = [
                    small.stay(30_000_000 - 7 * i, n, 2 + len(lengths), i + 20, dtype)
                    for i, n in enumerate(lengths)
                ]
                for stay in stays:
                    stay["minutes_since_admission"] = stay["minutes_since_admission"].double()
                longest = max(stays, key=lambda s: len(s["events"]))
                longest["events"][-1] = 0
                longest["events"][0, 0] = torch.inf
                longest["minutes_since_admission"][0] = 0
                batch_matches(checks.call(collate_stays, stays), stays)

    hidden_cases()
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# `torch.nn.utils.rnn.pad_sequence` pads a list of tensors behind with zeros.
# </details>
#
# <details><summary>Hint 2</summary>
#
# Do not guess the mask from the numbers. Compare positions with lengths: `torch.arange(T) < lengths[:, None]`.
# </details>
#
# <details><summary>Hint 3: nearly all of it</summary>
#
# ```python
# lengths = torch.tensor([len(stay["events"]) for stay in stays])
# events = nn.utils.rnn.pad_sequence([stay["events"] for stay in stays], batch_first=True)
# is_event = torch.arange(events.shape[1]) < lengths[:, None]
# # ... the same for the minutes; torch.stack for static; torch.tensor for stay_id and outcome (float32)
# ```
# </details>
# %% [markdown]
# Three stays of different length in one batch, by your function:


# %% tags=["needs-answer"]
def as_stay(row: int) -> dict:
    batch = sequences.batch([row])
    keys = ("events", "minutes_since_admission", "static", "outcome")
    return {"stay_id": int(batch["stay_id"]), **{k: batch[k][0] for k in keys}}


three = collate_stays([as_stay(int(row)) for row in rows["train"][:3]])
_ = plots.heat_map(
    three["is_event"].float().numpy(),
    rows=[str(int(i)) for i in three["stay_id"]],
    columns=[str(t) if t % 10 == 0 else "" for t in range(three["is_event"].shape[1])],
    xlabel="place in the sequence",
    title="Real events (dark) and padding (light)",
    ax=plt.subplots(figsize=(8, 2))[1],
)

# %% [markdown]
# *The mask of a batch of three stays.*

# %% [markdown]
# ## 4 A query that learns what to look for
#
# The encoder gives one vector per event, the classifier wants one per stay. A learned query $q$ per head scores each event
# and takes the weighted mean of the values:
#
# $$ \alpha_{ht} = \operatorname{softmax}_t \frac{q_h \cdot k_{ht}}{\sqrt{d_h}}, \qquad
#    \text{pooled} = W_o \,[\ldots;\; \textstyle\sum_t \alpha_{ht} v_{ht};\; \ldots]. $$
#
# The softmax must run over real events alone. The earlier notebook forgot that, and a short stay then attends mostly
# to padding.
#
# > **Exercise `AttentionPooling`** · 6 points · 20 minutes · difficulty 3 of 5
#
# Write the module `AttentionPooling(d_model, num_heads)` with `forward(x, is_event) -> (pooled, weights)`.
#
# * `x` `(B, T, d_model)`, `is_event` `(B, T)` bool; `pooled` `(B, d_model)`, `weights` `(B, num_heads, T)`, for any B and T and
#   in the dtype of `x`, half precision (`bfloat16`) too.
# * The query is learned (`nn.Parameter`), through `pooled` and through `weights`: nothing is detached. Every head has its own weights, which sum to one over real events and are 0
#   elsewhere. Projections of keys and values are up to you. There is no dropout.
# * A stay without events gives weights 0 and a finite `pooled` that does not depend on `x`; gradients stay finite.
# * Permuting the events together with their mask, adding padding (whatever finite numbers stand there), or other stays in the
#   batch change nothing in `pooled`. Scores may be large: weights still sum to one.
# * `ValueError` when `num_heads` does not divide `d_model`.
# * `nn.MultiheadAttention` is allowed here, with two traps: its mask is the other way round, and it averages heads by default.


# %% nbgrader={"grade": false, "grade_id": "AttentionPooling", "locked": false, "schema_version": 3, "solution": true, "task": false}
class AttentionPooling(nn.Module):
    """Pool a sequence by a learned query.  (B, T, d_model), (B, T) -> (B, d_model), (B, num_heads, T)."""

    def __init__(self, d_model: int, num_heads: int) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        if d_model % num_heads:
            raise ValueError(f"d_model={d_model} is not divisible by num_heads={num_heads}")
        self.num_heads = num_heads
        self.query = nn.Parameter(torch.randn(num_heads, d_model // num_heads))  # (H, d)
        self.key, self.value, self.out = (nn.Linear(d_model, d_model) for _ in range(3))
        ### END SOLUTION

    def forward(self, x: torch.Tensor, is_event: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """x (B, T, d_model), is_event (B, T) bool -> pooled (B, d_model), weights (B, H, T)."""
        ### BEGIN SOLUTION
        batch, length, d_model = x.shape
        heads = (batch, length, self.num_heads, -1)
        key, value = self.key(x).view(heads), self.value(x).view(heads)  # (B, T, H, d)
        scores = torch.einsum("hd,bthd->bht", self.query, key) / key.shape[-1] ** 0.5
        keep = is_event[:, None]  # (B, 1, T)
        scores = scores.masked_fill(~keep, torch.finfo(x.dtype).min)
        weights = scores.softmax(-1) * keep  # a row without events becomes zeros
        pooled = torch.einsum("bht,bthd->bhd", weights, value).reshape(batch, d_model)
        return self.out(pooled), weights
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "AttentionPooling_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
checks.icu_mortality.AttentionPooling(AttentionPooling)
### BEGIN HIDDEN TESTS
with checks.hidden("AttentionPooling"):

    def hidden_cases() -> None:
        from course_utils.checks.icu_mortality.pooling import build, pooled_of, pooling_checks

        pooling_checks(AttentionPooling, 21, 12, 3, (4, 7))
        pooling_checks(AttentionPooling, 22, 6, 1, (3, 3))
        pooling_checks(AttentionPooling, 23, 8, 8, (2, 2))
        pooling_checks(AttentionPooling, 24, 4, 2, (2, 300))
        module = build(AttentionPooling, 8, 2, 3, torch.float32)
        x, one = torch.randn(1, 1, 8), torch.ones(1, 1, dtype=torch.bool)
        _, weights = pooled_of(module, x, one, 2)
        checks.same(weights, torch.ones(1, 2, 1), "the weights of a stay with one event")
        first, zero = pooled_of(module, x.expand(1, 4, 8), torch.zeros(1, 4, dtype=torch.bool), 2)
        checks.same(zero, torch.zeros(1, 2, 4), "the weights of a batch with no event at all")
        second, _ = pooled_of(module, torch.randn(1, 4, 8), torch.zeros(1, 4, dtype=torch.bool), 2)
        checks.same(second, first, "pooled of a stay without events, for other x")
        far = torch.tensor([[True, False, False, True]])
        _, weights = pooled_of(module, torch.randn(1, 4, 8) * 300, far, 2)
        checks.same(weights.sum(-1), torch.ones(1, 2), "the sum of the weights at large scores")

    hidden_cases()
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Scores are a product of the query with every key: `(B, H, T)`. Fill those of padding with a very small number, then take the
# softmax over the last dimension.
# </details>
#
# <details><summary>Hint 2</summary>
#
# A row that is all `-inf` gives NaN. Use `torch.finfo(dtype).min` instead of `-inf`, and multiply the weights by the mask
# afterwards: rows without events become zero.
# </details>
#
# <details><summary>Hint 3: nearly all of it</summary>
#
# ```python
# # __init__: check divisibility; self.query = nn.Parameter(torch.randn(num_heads, d_head)); key, value, out = nn.Linear ...
# key = self.key(x).view(B, T, H, d_head)                 # value likewise
# scores = torch.einsum("hd,bthd->bht", self.query, key) / d_head ** 0.5
# scores = scores.masked_fill(~is_event[:, None], torch.finfo(x.dtype).min)
# weights = scores.softmax(-1) * is_event[:, None]
# pooled = torch.einsum("bht,bthd->bhd", weights, value).reshape(B, H * d_head)
# ```
# </details>
# %% [markdown]
# Your pooling on a stay with and without padding: untrained, so the weights mean nothing yet, but they must not move.

# %% tags=["needs-answer"]
torch.manual_seed(SEED)
pooling = AttentionPooling(16, 4)
x = torch.randn(1, 12, 16)
padded = torch.cat([x, torch.full((1, 6, 16), 3.0)], dim=1)
real = torch.arange(18)[None] < 12
with torch.no_grad():
    _, short = pooling(x, torch.ones(1, 12, dtype=torch.bool))
    _, long = pooling(padded, real)
print(f"largest change of a weight by padding: {(long[..., :12] - short).abs().max():.1e}")
_ = icu_plots.head_bars(
    long[0].numpy(),
    np.arange(18),
    is_event=real[0].numpy(),
    title="Weights of four heads; places 12-17 are padding",
)[-1].set(xlabel="place in the sequence", xticks=range(0, 18, 2))

# %% [markdown]
# *Each head has its own weights; padding gets none. The dotted line is 1/T over the 12 real events.*
#
# ### 4.1 The whole model
#
# Numbers of an event → linear map → four encoder blocks → attention pooling → joined with the static features → classifier → one
# *logit*. No sigmoid at the end: the loss wants logits, and so does an honest attribution (a sigmoid near 0 or 1 has hardly any gradient).
# Attention weights are returned when asked for and never kept inside the module, where they would go stale.


# %%
def new_model(sequences: object, seed: int = SEED, **options: int) -> icu_model.IcuRiskModel:
    torch.manual_seed(seed)
    one = sequences.batch([0])
    return icu_model.IcuRiskModel(
        one["events"].shape[-1], one["static"].shape[-1], d_model=48, d_ff=96, **options
    ).to(DEVICE)


model = new_model(sequences)
print(f"{sum(p.numel() for p in model.parameters()):,} parameters")
batch = sequences.batch(rows["train"][:8], DEVICE)
logits, weights = model(batch["events"], batch["static"], batch["is_event"], need_weights=True)
print(
    "logits",
    tuple(logits.shape),
    "| layers",
    [tuple(w.shape) for w in weights["layers"]],
    "| pooling",
    tuple(weights["pooling"].shape),
)

# %% [markdown]
# ## 5 Training
#
# `train_risk_model` is a short function around `training.fit`, the loop of the other notebooks: batches of 32 stays of similar
# length, cross-entropy on logits, and after every epoch the loss and the AUROC on validation patients. The best and the latest state
# are kept on disk. We give it the patients, and the same number of epochs for every model of this notebook.


# %%
EPOCHS = 6


def fit_risk_model(model: nn.Module, sequences: object, index: torch.Tensor, **options: object):
    """Train on the stays ``index``, validate on validation patients; returns the history."""
    return icu_model.train_risk_model(
        model, sequences, index, rows["validation"], **{"epochs": EPOCHS, "seed": SEED, **options}
    )


# %% [markdown]
# While it trains we look at its attention: every 50 batches the weights of one fixed validation stay are saved, in half precision
# (the attention of one stay of 5,000 events in full precision, all layers and heads, would be gigabytes), and the heat map is
# drawn again.

# %% tags=["train"]
watched = sequences.batch(rows["validation"][:1], DEVICE)
figure, axes = plt.subplots(1, 4, figsize=(9, 2.6))
live = display(figure, display_id=True)


def save_attention(step: int, model: nn.Module, _: object) -> None:
    """Every 50 batches: attention of the watched stay to disk, and the picture anew."""
    if step % 50 and step != 1:
        return
    was_training = model.training
    with torch.no_grad():
        _, weights = model.eval()(
            watched["events"], watched["static"], watched["is_event"], need_weights=True
        )
    model.train(was_training)
    half = {f"layer_{i + 1}": w[0].half().cpu().numpy() for i, w in enumerate(weights["layers"])}
    pooled = weights["pooling"][0].half().cpu().numpy()
    np.savez_compressed(WORK / f"attention_{step:05d}.npz", pooling=pooled, **half)
    for ax, (name, matrix) in zip(axes, half.items(), strict=True):
        ax.clear()
        ax.imshow(matrix.mean(0).astype(np.float32), cmap="Blues", aspect="auto")
        ax.set(title=name.replace("_", " "), xticks=[], yticks=[], xlabel="attended event")
    axes[0].set_ylabel("event")
    figure.suptitle(f"attention after {step} batches", fontsize="medium")
    live.update(figure)


history = fit_risk_model(
    model,
    sequences,
    rows["train"],
    folder=WORK / "run",
    on_batch=save_attention,
    keep_best=True,
    label="risk model",
)
plt.close(figure)
history.round(3)

# %% [markdown]
# *The heat maps above were redrawn while the model trained: mean over heads, one panel a layer. What you see is the last one.*

# %% tags=["train"]
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2))
plots.curves(
    history,
    ["loss", "val_loss"],
    labels=["training", "validation"],
    ylabel="cross-entropy (nats)",
    ax=left,
)
_ = plots.curves(history, "val_auroc", labels=["validation"], ylabel="AUROC", ax=right)

# %% [markdown]
# *Loss and validation AUROC by epoch. The state with the lowest validation loss is kept. Fewer than thirty deaths choose it, which is few, and the
# number of epochs is what your time allows, not an optimum: another start ends elsewhere (part 7.5).*
#
# The saved weights, opened again: how the pooling of the watched stay changed during training.

# %% tags=["train"]
files = sorted(WORK.glob("attention_*.npz"))
snapshots = np.stack([np.load(file)["pooling"].astype(np.float32).mean(0) for file in files])
labels = [f"batch {int(file.stem.split('_')[1])}" for file in files]
size = sum(file.stat().st_size for file in files) / 1e6
print(f"{len(files)} snapshots, {size:.1f} MB together")
columns = [icu_plots.short_text(t, 28) for t in sequences.event_texts(int(rows["validation"][0]))]
_ = plots.heat_map(
    snapshots[:, : len(columns)],
    rows=labels,
    columns=columns,
    colorbar="weight",
    title="Pooling weights (mean over heads) while training",
    ax=plt.subplots(figsize=(10, 4))[1],
)

# %% [markdown]
# *One row a snapshot. The weights move while the model trains, from chance to something learned; whether they end on the events that
# mattered is a question for part 8.*
#
# ### 5.1 An interrupted run goes on as if nothing had happened
#
# On Colab a session may end at any time. The checkpoint holds the weights, the optimiser, the schedule and the random state, so a
# resumed run gives the same curve. Here a small run is stopped in its second epoch and resumed; the other one is left alone.


# %% tags=["train"]
def small_run(folder: Path, stop_at: int | None = None, resume: bool = False) -> pd.DataFrame:
    def stop(step: int, model: nn.Module, _: object) -> None:
        if step == stop_at:
            raise KeyboardInterrupt

    small = new_model(sequences, num_layers=1)
    return fit_risk_model(
        small,
        sequences,
        rows["train"][:160],
        epochs=3,
        folder=folder,
        on_batch=stop,
        resume=resume,
        show_progress=False,
    )


whole = small_run(WORK / "whole")
try:
    small_run(WORK / "broken", stop_at=8)
except KeyboardInterrupt:
    print("interrupted in the second epoch")
resumed = small_run(WORK / "broken", resume=True)
difference = (whole["loss"] - resumed["loss"]).abs().max()
claims.claim(NOTEBOOK, "resume_difference", difference)
pd.DataFrame({"epoch": whole["epoch"], "uninterrupted": whole["loss"], "resumed": resumed["loss"]})

# %% [markdown]
# ## 6 Risk while it unfolds
#
# ### 6.1 A loss that weighs recent events more
#
# The model so far gives one number at 48 h. A ward wants one whenever something new is known. Such a model reads the past alone
# and gives a logit $z_t$ at every event. There are no labels per event, only the outcome $y$ of the stay; but the later the event,
# the more can be asked of its prediction:
#
# $$ L = \frac1{|\{b\}|}\sum_b \frac{\sum_t w_{bt}\, \text{BCE}(z_{bt}, y_b)}{\sum_t w_{bt}}, \qquad
#    w_{bt} = 2^{-m_{bt} / \text{half-life}}, $$
#
# with $m_{bt}$ the minutes from event $t$ to the end of the window: half a weight less for each half-life.
#
# > **Exercise `recency_weighted_loss`** · 5 points · 20 minutes · difficulty 3 of 5
#
# Write `recency_weighted_loss(step_logits, outcome, minutes_to_window_end, is_event, half_life)`.
#
# * `step_logits`, `minutes_to_window_end`, `is_event` `(B, T)`; `outcome` `(B,)` of any dtype; `half_life` in minutes, > 0.
# * The mean is over stays that have an event; within a stay it is the weighted mean over its real events.
# * Finite at logits of ±1000 and when every weight of a stay underflows to 0.
# * Padding has no influence, whatever stands there, and gradient exactly 0. Without any event the loss is a 0 that can be
#   differentiated.
# * Returns a 0-d tensor in the dtype of the logits, half precision too, whatever the dtypes of the others (minutes may be
#   integers). `F.binary_cross_entropy_with_logits` is allowed.


# %% nbgrader={"grade": false, "grade_id": "recency_weighted_loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def recency_weighted_loss(
    step_logits: torch.Tensor,
    outcome: torch.Tensor,
    minutes_to_window_end: torch.Tensor,
    is_event: torch.Tensor,
    half_life: float,
) -> torch.Tensor:
    """Mean over stays of the recency-weighted cross-entropy.  (B, T), (B,), (B, T), (B, T) -> ()."""
    ### BEGIN SOLUTION
    dtype = step_logits.dtype
    logits = step_logits.masked_fill(~is_event, 0)
    target = outcome.to(dtype)[:, None].expand_as(logits)
    losses = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    power = (minutes_to_window_end / -half_life).masked_fill(~is_event, -torch.inf)
    top = power.max(dim=1, keepdim=True).values  # weights relative to the latest event
    weights = torch.exp2(power - top.masked_fill(top == -torch.inf, 0)).to(dtype)
    has_event = is_event.any(1)
    total = weights.sum(1).masked_fill(~has_event, 1)
    return ((weights * losses).sum(1) / total).sum() / has_event.sum().clamp(min=1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "recency_weighted_loss_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
checks.icu_mortality.recency_weighted_loss(recency_weighted_loss)
### BEGIN HIDDEN TESTS
with checks.hidden("recency_weighted_loss"):

    def hidden_cases() -> None:
        from course_utils.checks.icu_mortality import loss_edges

        loss_edges(recency_weighted_loss, torch.float64)
        g = torch.Generator().manual_seed(9)
        for b, t, half, kind, dtype in (
            (4, 6, 300.0, torch.int64, torch.float32),
            (1, 1, 1.5, torch.bool, torch.float64),
            (7, 3, 1440, torch.float64, torch.float32),
            (3, 9, 60, torch.float32, torch.float64),
        ):
            z = torch.randn(b, t, generator=g, dtype=dtype).requires_grad_()
            y = (torch.rand(b, generator=g) < 0.5).to(kind)
            minutes = (torch.rand(b, t, generator=g) * 2000).to(dtype)
            real = torch.rand(b, t, generator=g) < 0.7
            real[0, 0] = True
            means = []
            for i in range(b):
                rows = [
                    (2.0 ** (-float(minutes[i, j]) / half), z[i, j]) for j in range(t) if real[i, j]
                ]
                if rows:
                    losses = [w * F.softplus(-v if bool(y[i]) else v) for w, v in rows]
                    means.append(sum(losses) / sum(w for w, _ in rows))
            want = sum(means) / len(means)
            got = checks.call(recency_weighted_loss, z, y, minutes, real, half)
            checks.same(got, want.detach(), "the loss", rtol=1e-4, atol=1e-6)
            pair = [torch.autograd.grad(v, z, retain_graph=True)[0] for v in (got, want)]
            checks.same(pair[0], pair[1], "its gradient", rtol=1e-3, atol=1e-6)

    hidden_cases()
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Make two `(B, T)` tensors, losses and weights, with zeros at padding; divide sums over `T`; then average over the stays that
# have an event.
# </details>
#
# <details><summary>Hint 2</summary>
#
# If the latest event lies 20 half-lives back, its weight is $2^{-20}$; after 200 it underflows. Only ratios matter: subtract
# the smallest number of minutes of the stay first. Use `masked_fill` before you sum: `0 * inf` is NaN.
# </details>
#
# <details><summary>Hint 3: nearly all of it</summary>
#
# ```python
# losses = F.binary_cross_entropy_with_logits(logits, target, reduction="none")     # logits masked_fill(~is_event, 0)
# power = (-minutes / half_life).masked_fill(~is_event, -torch.inf)
# top = power.max(1, keepdim=True).values                                            # -inf where there is no event
# weights = torch.exp2(power - top.masked_fill(top == -torch.inf, 0))
# per_stay = (weights * losses).sum(1) / weights.sum(1).masked_fill(~has_event, 1)
# ```
# </details>
# %% [markdown]
# The weights of your loss, for one stay: half a weight less for every six hours before the end of the window.

# %% tags=["needs-answer"]
minutes_left = torch.arange(2880.0, -1, -120)[None]
flat = torch.zeros_like(minutes_left).requires_grad_()
everything = torch.ones_like(minutes_left, dtype=torch.bool)
loss = recency_weighted_loss(flat, torch.ones(1), minutes_left, everything, half_life=360.0)
(pull,) = torch.autograd.grad(loss, flat)
figure, ax = plt.subplots(figsize=(8, 2.6))
ax.bar(48 - minutes_left[0] / 60, -pull[0] / -pull.sum(), width=1.6)
_ = ax.set(xlabel="hours since admission to the ICU", ylabel="share of the gradient")

# %% [markdown]
# *How strongly each of 25 events, two hours apart, pulls at the model: the share of the loss's gradient that it gets.*
#
# ### 6.2 What is known at an instant
#
# In notebooks 01 and 02 "earlier" was a place in the sequence. Here it is a *time*: a blood sample gives six values in the same
# minute, and their order in the table is the alphabet's. A mask by place lets the lactate see the bilirubin but not the other way
# round, and the risk moves within one minute although nothing new was learned. The honest mask asks for minutes:
#
# $$ \text{mask}_{b,t,s} = [t \text{ and } s \text{ are events}] \cdot [m_{bs} \le m_{bt}]. $$
#
# > **Exercise `causal_by_time_mask`** · 4 points · 10 minutes · difficulty 2 of 5
#
# Write `causal_by_time_mask(minutes, is_event)`.
#
# * `minutes` `(B, T)` of any real dtype, `is_event` `(B, T)` bool; returns `(B, 1, T, T)` bool on their device, one mask for all
#   heads: rows are queries, columns keys, True = may attend.
# * True where query and key are both events and the key's minute is not later than the query's: an event sees itself, events of
#   the same minute see each other.
# * Times need not be sorted and may be negative; they are compared exactly as they come, without a conversion that rounds.
# * At padding anything may stand, nan included: it neither attends nor is attended to.


# %% nbgrader={"grade": false, "grade_id": "causal_by_time_mask", "locked": false, "schema_version": 3, "solution": true, "task": false}
def causal_by_time_mask(minutes: torch.Tensor, is_event: torch.Tensor) -> torch.Tensor:
    """Which key is known at the time of which query.  (B, T), (B, T) bool -> (B, 1, T, T) bool."""
    ### BEGIN SOLUTION
    known = minutes[:, None, :] <= minutes[:, :, None]  # (B, query, key)
    return (known & is_event[:, None, :] & is_event[:, :, None])[:, None]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "causal_by_time_mask_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
checks.icu_mortality.causal_by_time_mask(causal_by_time_mask)
### BEGIN HIDDEN TESTS
with checks.hidden("causal_by_time_mask"):

    def hidden_cases() -> None:
        from course_utils.checks.icu_mortality import flow

        g = torch.Generator().manual_seed(31)
        for b, t, kind in ((3, 7, torch.float32), (1, 12, torch.int32), (4, 2, torch.float64)):
            minutes = torch.randint(-5, 5, (b, t), generator=g).to(kind)
            real = torch.rand(b, t, generator=g) < 0.7
            flow.time_mask_case(causal_by_time_mask, minutes, real, f"B={b}, T={t}")
        minutes = torch.full((1, 3), 2880.0)
        real = torch.ones(1, 3, dtype=torch.bool)
        flow.time_mask_case(causal_by_time_mask, minutes, real, "one instant")
        long = (torch.rand(1, 60, generator=g) * 9).round().to(torch.bfloat16)
        real = torch.rand(1, 60, generator=g) < 0.9
        flow.time_mask_case(causal_by_time_mask, long, real, "T=60")

    hidden_cases()
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Compare every key's minute with every query's: broadcasting `(B, 1, T)` against `(B, T, 1)` gives `(B, T, T)`.
# </details>
#
# <details><summary>Hint 2</summary>
#
# Which is which? Rows are queries: a query's own minute stands in `minutes[:, :, None]`, the keys' in `minutes[:, None, :]`. Then
# combine with `is_event` twice, once along each of them. A comparison with nan is False by itself.
# </details>
#
# <details><summary>Hint 3: nearly all of it</summary>
#
# ```python
# known = minutes[:, None, :] <= ...                     # (B, query, key)
# known = known & is_event[:, None, :] & ...
# return known[:, None]                                  # (B, 1, T, T)
# ```
# </details>
# %% [markdown]
# Your mask on the first 24 events of a stay, beside a mask by place. Blocks on the diagonal are instants: blood samples with
# several values.

# %% tags=["needs-answer"]
clock = one["minutes_since_admission"][:1, :24]
by_time = causal_by_time_mask(clock, one["is_event"][:1, :24])[0, 0]
by_place = torch.ones_like(by_time).tril()
figure, axes = plt.subplots(1, 2, figsize=(8, 3.6), sharey=True)
for ax, (title, matrix) in zip(axes, (("by place", by_place), ("by time", by_time)), strict=True):
    ax.imshow(matrix, cmap="Blues", vmin=0, vmax=1)
    ax.set(title=title, xlabel="key (event)", xticks=range(0, 24, 4), yticks=range(0, 24, 4))
    ax.grid(False)
axes[0].set_ylabel("query (event)")
shared = int((by_time & ~by_place).sum())
print(
    f"{len(clock[0].unique())} instants in 24 events; {shared} pairs that the mask by place hides"
)

# %% [markdown]
# *Dark: the query may attend to the key. The mask by time adds what became known in the same minute and stood further down in the
# table.*
#
# Now a model that reads the past alone, trained with your loss and your mask: two encoder blocks, and one logit for each *instant* (the
# vectors of its events are averaged first). The picture shows how the risk of one patient who died and one who did not unfolds; the
# table, how well the risk ranks patients after 12, 24, 36 and 48 hours.


# %% tags=["train", "needs-answer"]
def step_logits(step_model: nn.Module, batch: dict) -> torch.Tensor:
    known = causal_by_time_mask(batch["minutes_since_admission"], batch["is_event"])
    return step_model(batch["events"], batch["static"], known)  # (B, T)


def step_loss(step_model: nn.Module, chosen: torch.Tensor) -> torch.Tensor:
    batch = sequences.batch(chosen, DEVICE)
    left = 2880 - batch["minutes_since_admission"]
    return recency_weighted_loss(
        step_logits(step_model, batch), batch["outcome"], left, batch["is_event"], half_life=360.0
    )


torch.manual_seed(SEED)
step_model = icu_model.IcuStepModel(
    one["events"].shape[-1], one["static"].shape[-1], d_model=48, dropout=0.0
).to(DEVICE)
training.fit(
    step_model,
    lambda epoch: icu_model.shuffled_batches(
        sequences, rows["train"], 32, seed=1000 * SEED + epoch
    ),
    step_loss,
    epochs=6,
    lr=4e-3,
    label="risk per event",
)
_ = step_model.eval()


# %% tags=["train", "needs-answer"]
@functools.cache
@torch.no_grad()
def unfolding() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the test stays: risk at every event, its hour, whether it is real, (N, T); made once."""
    batch = sequences.batch(rows["test"], DEVICE)
    risk = torch.sigmoid(step_logits(step_model, batch))
    parts = risk, batch["minutes_since_admission"] / 60, batch["is_event"]
    return tuple(part.cpu().numpy() for part in parts)


died = sequences.outcome[rows["test"]].numpy() == 1
risk, hours, real = unfolding()
final = np.array([r[k][-1] if k.any() else 0 for r, k in zip(risk, real, strict=True)])
figure, ax = plt.subplots(figsize=(8, 3.2))
for label, patient in (
    ("died", np.argmax(final * died)),
    ("survived", np.flatnonzero(~died)[np.argsort(final[~died])[len(final) // 3]]),
):
    ax.step(hours[patient][real[patient]], risk[patient][real[patient]], where="post", label=label)
    if label == "died":  # name the three largest steps up
        when, how = hours[patient][real[patient]], risk[patient][real[patient]]
        words = sequences.event_texts(int(rows["test"][patient]))
        for i in sorted(np.argsort(np.diff(how))[-3:] + 1):
            others = int((when == when[i]).sum()) - 1
            name = icu_plots.short_text(words[i]) + (f" and {others} more" if others else "")
            print(f"{when[i]:5.1f} h: {how[i - 1]:.2f} to {how[i]:.2f} with {name}")
            ax.plot(when[i], how[i], "v", color="black", ms=5)
ax.set(
    xlabel="hours since admission to the ICU", ylabel="predicted risk", ylim=(0, 1), xlim=(0, 48)
)
_ = ax.legend()

# %% [markdown]
# *Risk at every instant, for two test patients; triangles are the three largest steps up, named above. A step belongs to what became
# known in that minute: this is a picture a clinician can question.*

# %% tags=["train", "needs-answer"]
risk, hours, real = unfolding()
so_far = {
    h: [
        r[k & (t <= h)][-1] if (k & (t <= h)).any() else died.mean()  # no event yet: the base rate
        for r, t, k in zip(risk, hours, real, strict=True)
    ]
    for h in (12, 24, 36, 48)
}
pd.DataFrame(
    {"hours": list(so_far), "AUROC": [roc_auc_score(died, so_far[h]) for h in so_far]}
).round(3)

# %% [markdown]
# *How well the risk known by then ranks patients: more is known later, up to the noise of a few hundred patients. The model of part 5
# ranks better at 48 h (part 7).* Why? In three cohorts one thing was changed at a time (`benchmarks/icu_step.py`, in the course's repository).
# Asked at the end alone, the step model did worse in each of them: many questions about a stay are many lessons. Four layers instead of two
# and pooling over all that is known moved it in either direction, by less than the cohorts differ. So none of the three alone explains the
# gap of 0.01 to 0.09; what remains is the recipe (dropout, a slower rate, the best epoch kept), and that was not taken apart.

# %% [markdown]
# ## 7 How good is it, and how sure are we?
#
# One number is not an evaluation. AUROC asks whether those who die are ranked above those who do not; average precision
# (AUPRC) asks the same of the alarms, and must be read beside the base rate; the Brier score
# $\frac1N \sum_i (p_i - y_i)^2$ punishes wrong confidence; and the calibration slope $b$ of
#
# $$ \operatorname{logit} P(y = 1) = a + b \cdot \operatorname{logit}(p) $$
#
# is 1 when risks mean what they say and below 1 when they are too extreme. The O/E ratio, observed deaths over the sum of the
# risks, says whether there are as many deaths as predicted: above 1 the model underpredicts. Each needs an interval: draw $N$ rows with
# replacement, many times, and look at the spread.
#
# > **Exercise `evaluate_risk`** · 6 points · 25 minutes · difficulty 3 of 5
#
# Write `evaluate_risk(outcome, risk, n_boot=1000, seed=0)`, returning a dict.
#
# * Keys `auroc`, `auprc` (average precision), `brier`, `calibration_slope`, `o_e_ratio`; each a tuple of three floats, `(estimate, low,
#   high)`: the 2.5 and 97.5 percentiles of the values in `n_boot` resamples of all rows.
# * The slope comes from an *unpenalised* logistic regression with intercept on logit(risk), the risk clipped to
#   [1e-6, 1 − 1e-6], and is the fitted number however large. It is nan where no finite fit exists: one class, a risk that is
#   constant after clipping, or an outcome that is separable by it, also when the classes share the value at the border (survivors
#   up to 0.4, deaths from 0.4).
# * `o_e_ratio` is deaths / sum of the risks, not clipped; nan when that sum is 0. AUROC and AUPRC are nan with one class; an AUROC
#   below 0.5 stays below.
# * A resample in which a measure is undefined is left out (or drawn again) for that measure alone.
# * Lists and arrays work; the same seed gives the same result; the global random state stays as it is.
# * The row is the unit here, so pass one stay per patient.


# %% nbgrader={"grade": false, "grade_id": "evaluate_risk", "locked": false, "schema_version": 3, "solution": true, "task": false}
def evaluate_risk(
    outcome: Sequence, risk: Sequence, n_boot: int = 1000, seed: int = 0
) -> dict[str, tuple]:
    """AUROC, AUPRC, Brier score and calibration slope with 95 % bootstrap intervals.  (N,), (N,) -> dict."""
    ### BEGIN SOLUTION
    outcome, risk = np.asarray(outcome).astype(int), np.asarray(risk, dtype=float)

    def auroc(y: np.ndarray, p: np.ndarray) -> float:
        n, n_ones = len(y), y.sum()
        right = rankdata(p)[y == 1].sum() - n_ones * (n_ones + 1) / 2  # pairs in the right order
        return right / (n_ones * (n - n_ones)) if 0 < n_ones < n else np.nan

    def auprc(y: np.ndarray, p: np.ndarray) -> float:
        return average_precision_score(y, p) if 0 < y.sum() < len(y) else np.nan

    def slope(y: np.ndarray, p: np.ndarray) -> float:
        x = logit(np.clip(p, 1e-6, 1 - 1e-6))
        ones, zeros = x[y == 1], x[y == 0]
        if not len(ones) or not len(zeros):
            return np.nan
        if ones.min() >= zeros.max() or ones.max() <= zeros.min():  # constant or separable
            return np.nan
        fit = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-8)
        return fit.fit(zscore(x)[:, None], y).coef_[0, 0] / x.std()

    measures = {
        "auroc": auroc,
        "auprc": auprc,
        "brier": lambda y, p: np.mean((p - y) ** 2),
        "calibration_slope": slope,
        "o_e_ratio": lambda y, p: y.sum() / p.sum() if p.sum() > 0 else np.nan,
    }
    draws = np.random.default_rng(seed).integers(0, len(outcome), (n_boot, len(outcome)))
    result = {}
    for name, f in measures.items():
        values = [v for v in (f(outcome[row], risk[row]) for row in draws) if not np.isnan(v)]
        interval = np.percentile(values, [2.5, 97.5]) if values else (np.nan, np.nan)
        result[name] = tuple(float(v) for v in (f(outcome, risk), *interval))
    return result
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "evaluate_risk_check", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
checks.icu_mortality.evaluate_risk(evaluate_risk)
### BEGIN HIDDEN TESTS
with checks.hidden("evaluate_risk"):

    def hidden_cases() -> None:
        from course_utils.checks.icu_mortality import risk as risks

        outcome, risk = risks.drawn(23, 220, slope=0.6, shift=-0.5, width=2.0)
        risks.risk_matches(evaluate_risk, outcome, risk)
        risk = risk.round(1)  # many ties, and risks of exactly 0 and 1
        risks.risk_matches(evaluate_risk, outcome, risk)
        risks.risk_matches(evaluate_risk, outcome.astype("uint8"), risk.astype("float32"))
        risks.risk_matches(evaluate_risk, outcome.astype(bool), risk)
        for shift, width in ((-6, 0.02), (4, 3), (0, 0.005)):
            data = risks.drawn(24, 400, slope=-1 / width, width=width)
            moved = expit(logit(data[1]) + shift)
            risks.slope_is(evaluate_risk, data[0], moved, f"logits near {shift}")
        risks.percentiles_of_two(evaluate_risk, n=250, share=0.5)
        few = checks.call(evaluate_risk, outcome, risk, 20, 4)
        more = checks.call(evaluate_risk, outcome, risk, n_boot=20, seed=4)
        checks.require(few == more, "Positional and named arguments give different results.")
        one = checks.call(evaluate_risk, [1, 1, 1], [0.2, 0.9, 0.5], n_boot=10)
        checks.same(one["brier"][0], (0.64 + 0.01 + 0.25) / 3, "the Brier score of three deaths")
        for name in ("auroc", "auprc", "calibration_slope"):
            checks.require(
                bool(np.isnan(one[name]).all()),
                f"With one class {name} is {one[name]}, expected nan.",
            )
        tiny = checks.call(evaluate_risk, [0, 1, 0, 1], [0.2, 0.1, 0.3, 0.4], n_boot=40)
        checks.require(
            bool(np.isfinite(tiny["auroc"]).all()),
            "Resamples of one class were not left out of the interval.",
        )
        checks.require(tiny["auroc"][2] <= 1, "An AUROC above 1.")

    hidden_cases()
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# `roc_auc_score`, `average_precision_score` and `brier_score_loss` of scikit-learn give three of the four. For intervals,
# `rng = np.random.default_rng(seed)` and `rows = rng.integers(0, N, N)`, `n_boot` times.
# </details>
#
# <details><summary>Hint 2</summary>
#
# `LogisticRegression(C=np.inf)` is unpenalised; standardise the logits before the fit and divide the slope by their deviation
# afterwards, so that it converges wherever they lie. Before you fit, return nan when there is one class, or when the smallest
# logit of one class is at least as large as the largest of the other (a constant risk is such a case).
# </details>
#
# <details><summary>Hint 3: nearly all of it</summary>
#
# ```python
# measures = {"auroc": ..., "auprc": ..., "brier": ..., "calibration_slope": slope}    # each (y, p) -> float, maybe nan
# draws = np.random.default_rng(seed).integers(0, len(y), (n_boot, len(y)))
# for name, measure in measures.items():
#     values = np.array([measure(y[row], p[row]) for row in draws])
#     values = values[~np.isnan(values)]
#     low, high = np.percentile(values, [2.5, 97.5]) if len(values) else (np.nan, np.nan)
#     result[name] = (float(measure(y, p)), float(low), float(high))
# ```
# </details>
# %% [markdown]
# ### 7.1 Peers and a ceiling
#
# A transformer that beats nothing proves nothing. Two peers, logistic regression and gradient boosting, read a table of the same
# events: how often each kind came (a laboratory result by its name and flag), the last, mean, lowest and highest value of each laboratory
# item, and the same static features. The third is what wards use: a *SOFA-like* score, points for each failing organ. Of SOFA's six organs
# the tables know platelets, creatinine and dialysis, norepinephrine and the ventilator; bilirubin, consciousness, oxygen fraction and urine
# would be in `chartevents` and `outputevents`, which these ten tables leave out. All train on the same patients. And because the data are
# synthetic we know the ceiling: the AUROC of the true risk, which no model can beat except by luck.

# %%
peer_guess = checks.guess(
    "highest AUROC",
    ["transformer", "logistic regression", "gradient boosting", "SOFA-like score"],
    ...,
)

# %% tags=["train"]
recent = events.groupby("stay_id").tail(128)  # what the transformer reads, too
counted = icu_data.count_table(recent, static.index)
table = np.hstack([counted, sequences.static.numpy()])
outcome = static["outcome"].to_numpy()
train, test = rows["train"].numpy(), rows["test"].numpy()
peers = {
    "logistic regression": make_pipeline(
        SimpleImputer(), StandardScaler(), LogisticRegression(C=0.05, max_iter=3000)
    ),
    "gradient boosting": HistGradientBoostingClassifier(
        learning_rate=0.1, max_iter=200, max_leaf_nodes=3, random_state=SEED
    ),
}
peers["SOFA-like score"] = LogisticRegression()
reads = dict.fromkeys(peers, table)
reads["SOFA-like score"] = icu_data.sofa_like(recent, static.index)[["points"]].to_numpy()
risks = {"transformer": expit(icu_model.risk_logits(model, sequences, rows["test"]))}
for name, peer in peers.items():
    x = reads[name]
    risks[name] = peer.fit(x[train], outcome[train]).predict_proba(x[test])[:, 1]
if MIMIC_FOLDER is None:
    true_risk = pd.Series(stays.risk, index=stays.stay_id)
    risks["true risk (ceiling)"] = true_risk[static.index[test]].to_numpy()
print(f"{table.shape[1]} columns: {counted.shape[1]} from events, the others static")

# %% tags=["train"]
y = outcome[test]
measures = {"AUROC": roc_auc_score, "AUPRC": average_precision_score, "Brier": brier_score_loss}
scores = pd.DataFrame(
    {
        name: {
            m: (f(y, r), *metrics.bootstrap_interval(f, y, r, n_boot=200, random_state=SEED))
            for m, f in measures.items()
        }
        for name, r in risks.items()
    }
).T
figure, axes = plt.subplots(1, 3, figsize=(11, 2.8), sharey=True)
base = {"AUROC": 0.5, "AUPRC": y.mean(), "Brier": y.mean() * (1 - y.mean())}
for ax, m in zip(axes, measures, strict=True):
    values, low, high = zip(*scores[m], strict=True)
    plots.bars(
        list(scores.index),
        values,
        low=low,
        high=high,
        xlabel=m,
        reference=base[m],
        xlim=(0, 1.15) if m != "Brier" else (0, 0.16),
        ax=ax,
    )
    ax.set_xticks([0, 0.5, 1] if m != "Brier" else [0, 0.05, 0.1, 0.15])
plots.mark_guess(axes[0], peer_guess, axis="y", label="guess")
plt.show()
peer_guess.reveal(scores["AUROC"].str[0].drop("true risk (ceiling)", errors="ignore").idxmax())
for name in risks:
    print(
        f"{name:22}",
        *(
            f"{m} {scores.loc[name, m][0]:.3f} ({scores.loc[name, m][1]:.3f}-{scores.loc[name, m][2]:.3f})"
            for m in measures
        ),
    )
print(f"{len(y)} test patients, base rate {y.mean():.3f}")

# %% [markdown]
# *Three measures with 95 % intervals over resampled test patients; the dashed line is what a constant prediction gets. Lower is better
# for the Brier score.*
#
# Intervals of two models overlap easily, although both were tested on the *same* patients. The paired comparison resamples
# patients and looks at the difference:

# %% tags=["train"]
for name in peers:

    def difference(y: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
        return roc_auc_score(y, a) - roc_auc_score(y, b)

    low, high = metrics.bootstrap_interval(
        difference, y, risks["transformer"], risks[name], n_boot=200, random_state=SEED
    )
    value = difference(y, risks["transformer"], risks[name])
    verdict = "better" if low > 0 else "worse" if high < 0 else "not told apart"
    print(f"AUROC, transformer minus {name}: {value:+.3f} ({low:+.3f} to {high:+.3f}): {verdict}")
found = scores["AUROC"].str[0]
claims.claim(NOTEBOOK, "transformer_auroc", found["transformer"])
claims.claim(NOTEBOOK, "boosting_auroc", found["gradient boosting"])
claims.claim(NOTEBOOK, "sofa_auroc", found["SOFA-like score"])
_ = claims.claim(NOTEBOOK, "margin_over_best_peer", found["transformer"] - found[list(peers)].max())

# %% [markdown]
# Both tables know that a lactate of 6.1 was measured and that a ventilator was used. Only the sequence model can see that the ventilator
# came on the *second day*; but it has to learn everything, what a lactate is included, from some two hundred deaths. A table made by
# someone who knows what to count is a strong peer with so few, and the comparison is worth more than the name of the model. `make bench`
# repeats it with 16,000 stays, and `docs/performance.md` keeps what came out (both are in the course's repository, not in the
# student's package).

# %% [markdown]
# ### 7.2 Calibration

# %% tags=["train", "needs-answer"]
evaluation = pd.DataFrame({name: evaluate_risk(y, r, n_boot=200) for name, r in risks.items()}).T
icu_plots.calibration(
    y,
    {name: risks[name] for name in ("transformer", "gradient boosting")},
    title="Does a risk of 30 % mean 30 %?",
)
evaluation.map(lambda v: f"{v[0]:.2f} ({v[1]:.2f}-{v[2]:.2f})")

# %% [markdown]
# *Six groups of equal size by predicted risk: mean prediction against observed mortality, and (table) five measures with 95 %
# intervals. A slope below 1 means risks that are too extreme; an O/E ratio above 1 means more deaths than predicted.*
#
# How a cohort is cut moves calibration as much as a model does. Below, the same risks three times: one stay of each test patient by its
# random number, as the earlier notebook chose; the *first* stay, as here; and the first stay after *recalibration*, a logistic regression on
# the logit, fitted on validation patients.

# %% tags=["train", "needs-answer"]
of_test = static[static["subject_id"].isin(people[:n_test])]
chosen_by = {"any stay": of_test.sort_index(), "first stay": of_test.sort_values("intime")}
lines = {}
for name, ordered in chosen_by.items():
    one_each = static.index.get_indexer(ordered.drop_duplicates("subject_id").index)
    logits = icu_model.risk_logits(model, sequences, torch.as_tensor(one_each))
    lines[name] = outcome[one_each], expit(logits)
known_logits = icu_model.risk_logits(model, sequences, rows["validation"])
again = LogisticRegression(C=np.inf).fit(known_logits[:, None], outcome[rows["validation"]])
lines["first stay, recalibrated"] = outcome[one_each], again.predict_proba(logits[:, None])[:, 1]
table_of = {}
for name, (truth_here, risk_here) in lines.items():
    found = evaluate_risk(truth_here, risk_here, n_boot=200)
    table_of[name] = {
        "mean risk": f"{risk_here.mean():.3f}",
        "mortality": f"{truth_here.mean():.3f}",
    }
    table_of[name] |= {
        m: f"{found[m][0]:.2f} ({found[m][1]:.2f}-{found[m][2]:.2f})"
        for m in ("o_e_ratio", "calibration_slope", "brier")
    }
pd.DataFrame(table_of).T

# %% [markdown]
# *Calibration before and after. A patient who comes back has survived the stay before, so the fatal stay is never the first of several: taking
# first stays leaves out deaths, and the O/E ratio falls towards 1 without any change of the model. Recalibration brings the mean risk to that of
# the validation patients. What it cannot mend is chance: even the true risk does not have exactly 1 here.*
#
# ### 7.3 As a clinician reads it
#
# Nobody on a ward sees an AUROC. They see alarms. If four of five deaths are to be found, how many alarms sound for each of them? And
# is acting on the model worth more than treating everyone, or no one? The *net benefit* counts true alarms and takes off false ones at
# the rate that the threshold itself names: who acts from a risk of 10 % on accepts nine false alarms for a true one.

# %%
alarm_guess = checks.guess("alarms for one death found, transformer, 80 % sensitivity", ...)

# %% tags=["train"]
alarms = pd.DataFrame({name: metrics.alarms_at_sensitivity(y, r) for name, r in risks.items()}).T
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.8), width_ratios=[3, 2])
acted_on = ("transformer", "gradient boosting", "SOFA-like score")
icu_plots.decision_curve(y, {name: risks[name] for name in acted_on}, ax=left)
plots.bars(
    list(risks),
    alarms["alarms_per_true"],
    xlabel="alarms for one death found (of 80 %)",
    digits=1,
    ax=right,
)
plots.mark_guess(right, alarm_guess, at=0)
plt.show()
alarm_guess.reveal(alarms.loc["transformer", "alarms_per_true"], digits=1)
claims.claim(NOTEBOOK, "alarms_per_true", alarms.loc["transformer", "alarms_per_true"])
alarms.round(2)

# %% [markdown]
# *Left: net benefit by the risk from which on one acts. Right, and in the table: alarms at the threshold that finds 80 % of the deaths. A model is worth
# acting on where its curve lies above both "everyone" and "no one".*
#
# ### 7.4 For whom is it wrong?
#
# One number for all hides who pays. The same measures by group, with the number of deaths beside them: most differences in small
# groups are noise, and the intervals say so. Every group is shown; one with fewer than five deaths is named and not judged.

# %% tags=["train"]
who = static.iloc[test].assign(
    risk=risks["transformer"],
    age_group=np.where(static["age"].iloc[test] >= 70, "70 and older", "under 70"),
)
lines = []
for column in ("gender", "age_group", "race", "insurance", "first_careunit"):
    for value, group in who.groupby(column):
        truth_here, risk_here = group["outcome"].to_numpy(), group["risk"].to_numpy()
        line = {"kind": column, "group": value, "patients": len(group)}
        line |= {"deaths": truth_here.sum(), "value": np.nan, "low": np.nan, "high": np.nan}
        line |= {"mean risk": risk_here.mean(), "mortality": truth_here.mean()}
        if 5 <= line["deaths"] < len(group):
            line["value"] = roc_auc_score(truth_here, risk_here)
            line["low"], line["high"] = metrics.bootstrap_interval(
                roc_auc_score, truth_here, risk_here, n_boot=100
            )
        lines.append(line)
groups = pd.DataFrame(lines)
icu_plots.subgroups(
    groups.assign(group=groups["group"].str.replace(r"^.*\((.*)\)$", r"\1", regex=True)),
    by="kind",
    reference=scores.loc["transformer", "AUROC"][0],
    xlabel="AUROC (patients and deaths in brackets)",
)
groups.round(2)

# %% [markdown]
# *AUROC by subgroup with 95 % intervals, a colour for each kind of group; the dashed line is that of all test patients. Mean risk beside
# mortality shows over- and underestimation.*
#
# **Should race and insurance be inputs at all?** They stand for care, not for biology: a model that reads them may write yesterday's unequal
# care into tomorrow's alarms. TRIPOD+AI (Collins et al., 2024), the checklist for papers on prediction models, asks authors to name such
# predictors, give the reason for them and report performance by group. The first question is what they bring. Boosting once more,
# without the two:

# %% tags=["train"]
named = [*counted.columns, *icu_data.STATIC_NAMES]
kept = np.array([not n.startswith(("race=", "insurance=")) for n in named])
without = peers["gradient boosting"].fit(table[train][:, kept], outcome[train])
pair = y, risks["gradient boosting"], without.predict_proba(table[test][:, kept])[:, 1]
low, high = metrics.bootstrap_interval(difference, *pair, n_boot=200, random_state=SEED)
print(
    f"AUROC with race and insurance minus without: {difference(*pair):+.3f} ({low:+.3f} to {high:+.3f})"
)
_ = claims.claim(NOTEBOOK, "race_and_insurance", difference(*pair))

# %% [markdown]
# *Here they bring nothing, and cannot: the planted risk does not know them. In a real record they may bring something, and then the question
# is not whether the AUROC rises but what the model is for.*
#
# ### 7.5 The same model with two leaks
#
# Now the earlier notebook's mistakes, on purpose, everything else equal: one model also reads `relative_time_to_final_event` at every
# event; another has its text vectors and laboratory values scaled on *everyone*, test patients included. A third has no leak
# but other random numbers, in its start and in the order of its batches: so much does training move a score by itself.

# %% tags=["train"]
to_end = events["stay_id"].map(static["minutes_in_unit"]) - events["minutes_since_admission"]
leaky_events = events.assign(relative_time_to_final_event=to_end / 2880 - 1.5)
with_time = icu_data.make_sequences(
    leaky_events,
    static,
    text_vectors,
    max_events=128,
    extra=["lab_value", "relative_time_to_final_event"],
)
on_everyone = icu_data.make_sequences(
    events.assign(lab_value=icu_data.lab_values(events, static.index)),
    static,
    scaled(raw_vectors, np.ones(len(texts), bool)),
    max_events=128,
    extra=["lab_value"],
)
leaks = {"no leak": risks["transformer"]}
for name, leaky, seed in (
    ("knows the time to the end", with_time, SEED),
    ("scaled on everyone", on_everyone, SEED),
    ("no leak, another start", sequences, SEED + 100),
):
    other = new_model(leaky, seed)
    fit_risk_model(
        other,
        leaky,
        rows["train"],
        seed=seed,
        keep_best=True,
        folder=WORK / name.replace(" ", "_"),
        label=name,
    )
    leaks[name] = expit(icu_model.risk_logits(other, leaky, rows["test"]))
twin = other.eval()  # the same data and recipe, another start: part 8.2 compares its heads

# %% tags=["train"]
values = [roc_auc_score(y, r) for r in leaks.values()]
spans = [
    metrics.bootstrap_interval(roc_auc_score, y, r, n_boot=200, random_state=SEED)
    for r in leaks.values()
]
plots.bars(
    list(leaks),
    values,
    low=[s[0] for s in spans],
    high=[s[1] for s in spans],
    xlabel="AUROC on test patients",
    xlim=(0.5, 1.05),
    reference=scores.loc["true risk (ceiling)", "AUROC"][0] if MIMIC_FOLDER is None else None,
)
claims.claim(NOTEBOOK, "leak_gain", values[1], control=values[0])
claims.claim(NOTEBOOK, "split_leak_change", abs(values[2] - values[0]))
_ = claims.claim(NOTEBOOK, "restart_change", abs(values[3] - values[0]))

# %% [markdown]
# *The dashed line is the true risk. The time to the final event lifts the AUROC, and at the bedside nobody can compute it: the model has
# learned that stays of the dying end soon. Scaling on everyone moves it about as little as another start does. Both leaks are found by
# `find_leaks`, only one by looking at the score.*

# %% [markdown]
# ## 8 Why?
#
# ### 8.1 Attention, layer by layer and head by head
#
# What does one patient's risk rest on? Of the test patients who died with at least three planted predictors we take the one whom the
# model gave the highest risk. First the encoder's attention, and what the earlier notebook calls *local* attention: the share that an event
# keeps for itself. (Its *global* attention, the mean of all entries, is 1/T in every layer of every model: rows sum to one.)

# %% tags=["train"]
model.eval()
planted_here = (
    causes.dropna(subset="event_text")
    .groupby("stay_id")
    .size()
    .reindex(static.index, fill_value=0)
    .to_numpy()
)
length = sequences.lengths[rows["test"]].numpy()
enough = planted_here[test] >= (0 if causes.empty else 3)
candidate = (outcome[test] == 1) & (length < 60) & enough
chosen = int(test[np.argmax(np.where(candidate, risks["transformer"], -1))])
stay = sequences.batch([chosen], DEVICE)
names = sequences.event_texts(chosen)
hours = stay["minutes_since_admission"][0].cpu().numpy() / 60
effects = explain.causes_of(causes, int(sequences.stay_id[chosen]), names, hours * 60)
with torch.no_grad():
    stay_logit, weights = model(stay["events"], stay["static"], stay["is_event"], need_weights=True)
print(
    f"stay {sequences.stay_id[chosen]}: predicted risk {torch.sigmoid(stay_logit)[0]:.2f}, {len(names)} events, {np.count_nonzero(effects)} planted predictors"
)
layers = torch.stack([layer[0] for layer in weights["layers"]]).cpu()  # (layers, H, T, T)
for i, own in enumerate(layers.diagonal(dim1=-2, dim2=-1).mean((1, 2)).tolist()):
    print(
        f"layer {i + 1}: an event keeps {own:.3f} for itself; all alike would be {1 / len(names):.3f}"
    )
words = [icu_plots.short_text(n, 28) + " ▲" * bool(e) for n, e in zip(names, effects, strict=True)]
plots.attention_explorer(
    words, layers, query=int(np.argmax(effects != 0)), title="Attention between events"
)

# %% [markdown]
# *Attention of the four layers and four heads: choose a head, then point at an event or walk with the arrow keys; dark events are those that it
# attends to. Triangles mark planted predictors, an asterisk stands for "abnormal". Where pages cannot answer you see the last layer, mean over heads.*
#
# ### 8.2 The pooling: heads, time, and the query
#
# The pooling has four heads. The earlier notebook says which is for time, features, relations and severity. Look before you believe it:

# %% tags=["train"]
pooled = weights["pooling"][0].cpu().numpy()  # (H, T)
axes = icu_plots.head_bars(pooled, hours, title="Pooling weights by head")
for ax, row in zip(axes, pooled, strict=True):
    ax.plot(hours[effects != 0], row[effects != 0], "v", color="black", ms=5)

# %% [markdown]
# *Weights of each head for the events of this stay over time; black triangles are planted predictors, the dotted line is 1/T.*

# %% tags=["train"]
combined = pooled.mean(0)
order = np.argsort(-combined)[:12]
_ = icu_plots.event_bars(
    [f"{icu_plots.short_text(names[i])}  ({hours[i]:.0f} h)" for i in order],
    combined[order],
    is_cause=effects[order] != 0,
    xlabel="pooling weight, mean over heads",
    title="Heads combined: the twelve most attended events",
)

# %% [markdown]
# *The twelve events with the largest combined weight. A weight has no sign: attention does not say whether an event raised or
# lowered the risk.*
#
# Do heads differ in kind? Over all test stays, how much of each head's weight goes to each type of event, beside the share of that type
# among the events; and the same for the twin of part 7.5, which differs in its start and the order of its batches alone.


# %% tags=["train"]
def pooling_of(net: nn.Module, index: torch.Tensor) -> list[np.ndarray]:
    """Pooling weights (H, T_i) of each stay."""
    found = []
    for part in index.split(100):
        weights = explain.pooling_weights(net, sequences.batch(part, DEVICE))
        found += [w[:, : int(n)] for w, n in zip(weights, sequences.lengths[part], strict=True)]
    return found


all_weights = pooling_of(model, rows["test"])
stacked = np.concatenate(all_weights, axis=1)  # (H, all events)
kinds = np.concatenate([sequences.type_id[i, : int(sequences.lengths[i])].numpy() for i in test])
heads = [f"head {h + 1}" for h in range(len(stacked))]
figure, axes = plt.subplots(1, 2, figsize=(11, 3.2), sharey=True)
for ax, (title, of_net) in zip(
    axes,
    (("this model", stacked), ("its twin", np.concatenate(pooling_of(twin, rows["test"]), axis=1))),
    strict=True,
):
    profile = [[w[kinds == k].sum() / w.sum() for k in range(5)] for w in of_net]
    plots.heat_map(
        np.array([*profile, [(kinds == k).mean() for k in range(5)]]),
        rows=[*heads, "all events"],
        columns=icu_data.EVENT_TYPES,
        annotate=True,
        vmin=0,
        vmax=1,
        title=f"Share of the weight by type: {title}",
        ax=ax,
    )
alike = np.nanmean([spearmanr(w.T).statistic for w in all_weights if w.shape[1] > 5], axis=0)
pairs = alike[np.triu_indices(len(heads), 1)]
print(f"rank correlation of two heads within a stay: {pairs.min():.2f} to {pairs.max():.2f}")

# %% [markdown]
# *Where each head's weight goes, beside what there is (last row). A head may give much more to microbiology than its share of the events,
# which looks like a role. But compare the twin: the heads that do so, and how much they do, are others. Swap two heads with their slices of
# the projections and the function is the same, so what a head does is the outcome of one training run.*
#
# Which hours matter? The weight of each four-hour window, divided by its share of the events (1 = no more than its share), and
# the same for the planted predictors: how much of the true effect falls there.

# %% tags=["train"]
when = (
    np.concatenate([sequences.minutes[i, : int(sequences.lengths[i])].numpy() for i in test]) / 60
)
true_effect = np.concatenate(
    [
        explain.causes_of(
            causes,
            int(sequences.stay_id[i]),
            sequences.event_texts(int(i)),
            sequences.minutes[i, : int(sequences.lengths[i])],
        )
        for i in test
    ]
)
edges = np.arange(0, 49, 4)
share = np.histogram(when, edges)[0] / len(when)
weight_of = {"pooling weight": stacked.mean(0), "true effect": np.abs(true_effect)}
lift = {
    name: np.histogram(when, edges, weights=weight)[0] / weight.sum() / share
    for name, weight in weight_of.items()
    if weight.any()
}
figure, ax = plt.subplots(figsize=(8, 3))
for name, values in lift.items():
    ax.plot(edges[:-1] + 2, values, marker="o", label=name)
ax.axhline(1, color="0.4", lw=1, ls=":")
ax.set(
    xlabel="hours since admission to the ICU",
    ylabel="share, relative to events",
    ylim=(0, None),
    xticks=edges[::2],
)
_ = ax.legend()

# %% [markdown]
# *Critical windows. Ventilation counts only when it starts in the second day, so true effects weigh more there; the pooling
# weights stay near 1 throughout: which hours attention favours says little about which hours mattered.*
#
# And the learned query itself? It is a point in the space of keys. Its scores tell what it looks for: the kinds of events with the
# largest mean weight, relative to 1/T.

# %% tags=["train"]
relative = np.concatenate([w.mean(0) * w.shape[1] for w in all_weights])
flat = [t for i in test for t in sequences.event_texts(int(i))]
flat_kind = np.array(icu_data.EVENT_TYPES)[kinds]
kind_name = pd.Series(flat).where(
    flat_kind != "lab", pd.Series(flat).str.replace(r" [\d.]+(?= |$)", "", regex=True)
)
kind_name = kind_name.map(lambda text: icu_plots.short_text(text, 48))
lactate = pd.Series(flat).str.extract(r"^Lactate ([\d.]+)")[0].astype(float)
kind_name = kind_name.mask(lactate >= 4, "Lactate of 4.0 and more").mask(
    lactate < 4, "Lactate below 4.0"
)
sought = (
    pd.DataFrame({"kind": kind_name, "weight": relative, "cause": true_effect != 0})
    .groupby("kind")
    .agg(weight=("weight", "mean"), n=("weight", "size"), cause=("cause", "mean"))
    .query("n >= 15")
    .sort_values("weight", ascending=False)
    .head(14)
)
icu_plots.event_bars(
    [f"{k} (n={n})" for k, n in zip(sought.index, sought["n"], strict=True)],
    sought["weight"],
    is_cause=sought["cause"] > 0.1,
    xlabel="mean pooling weight × T (1 = average)",
    title="What the query looks for",
)
similarity = F.normalize(model.pooling.queries.detach(), dim=-1)
print(
    f"the query: {similarity.shape[1]} numbers, split over {len(heads)} heads; kinds of events seen at least 15 times"
)

# %% [markdown]
# *Kinds of events by mean pooling weight over all test stays. Hatched kinds are, at least sometimes, planted
# predictors; S is a sensitive germ, R a resistant one.*

# %% [markdown]
# ### 8.3 Attribution that adds up
#
# Integrated Gradients walks from an empty baseline $x'$ to the input $x$ and adds up gradients on the way:
#
# $$ \text{IG}_i = (x_i - x'_i) \int_0^1 \frac{\partial f(x' + a(x - x'))}{\partial x_i}\, da,
#    \qquad \sum_i \text{IG}_i = f(x) - f(x'). $$
#
# The second equation is *completeness*: attributions share out exactly the logit's move. On a computer the integral is a sum
# over `n_steps` points, so there is a gap, and a careful analyst reports it. What the baseline means matters as much: zero
# static features are a patient of 65 years (age is coded as (age − 65)/15) and unknown categories, and zero events are empty events.
#
# > **Exercise `explain_stay`** · 8 points · 25 minutes · difficulty 4 of 5
#
# Write `explain_stay(model, stay_batch, n_steps)` for a *stay_batch*, a batch of one stay, possibly padded.
#
# * `model(events, static, is_event)` returns the logits `(B,)`. Use Captum's `IntegratedGradients` with its default method,
#   on the logit, over the *pair* `(events, static)`, with zero baselines for both and the mask passed on as it is.
# * Return a `DataFrame` with at least the columns `kind` (`"event"` or `"static"`), `position` (index on the time axis, gaps in
#   the mask counted too, or index of the static column), `attribution` (an event's is the signed sum over its features) and `completeness_gap`;
#   numbers, not tensors, stand in the last three.
# * The gap is $|\sum \text{attributions} - (f(x) - f(x'))|$, the same in every row.
# * Real events in order, then the static features; padding has no row.
# * The model is explained in evaluation mode. Afterwards its mode, all gradients and the batch are as they were; its mode also
#   when the model raises an error.


# %% nbgrader={"grade": false, "grade_id": "explain_stay", "locked": false, "schema_version": 3, "solution": true, "task": false}
def explain_stay(
    model: nn.Module, stay_batch: dict[str, torch.Tensor], n_steps: int
) -> pd.DataFrame:
    """Attribute a stay's logit to its events and static features by Integrated Gradients.

    Returns a DataFrame with kind, position, attribution and completeness_gap.
    """
    ### BEGIN SOLUTION
    events, static, is_event = (stay_batch[k] for k in ("events", "static", "is_event"))
    inputs = (events.detach().clone(), static.detach().clone())
    zeros = tuple(torch.zeros_like(x) for x in inputs)
    was_training = [module.training for module in model.modules()]
    model.eval()
    try:
        by_event, by_static = IntegratedGradients(model).attribute(
            inputs, zeros, additional_forward_args=(is_event,), n_steps=n_steps
        )
        with torch.no_grad():
            moved = model(*inputs, is_event) - model(*zeros, is_event)
    finally:
        for module, training_mode in zip(model.modules(), was_training, strict=True):
            module.training = training_mode
    real = is_event[0].nonzero()[:, 0]
    event_part, static_part = by_event[0].sum(-1)[real].detach(), by_static[0].detach()
    gap = (by_event.sum() + by_static.sum() - moved[0]).abs().item()
    return pd.DataFrame(
        {
            "kind": ["event"] * len(real) + ["static"] * len(static_part),
            "position": [*real.tolist(), *range(len(static_part))],
            "attribution": [*event_part.tolist(), *static_part.tolist()],
            "completeness_gap": gap,
        }
    )
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "explain_stay_check", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}
checks.icu_mortality.explain_stay(explain_stay)
### BEGIN HIDDEN TESTS
with checks.hidden("explain_stay"):

    def hidden_cases() -> None:
        from captum.attr import IntegratedGradients as Reference

        from course_utils.checks.icu_mortality import explaining as why
        from course_utils.checks.icu_mortality import models as small

        why.explain_linear(explain_stay, 11, 1, 0, torch.float64)
        why.explain_linear(explain_stay, 15, 0, 3)
        why.explain_product(explain_stay, 12, 5, 4, torch.float64)
        why.explain_power(explain_stay, 13, 3)
        why.explain_dropout(explain_stay, 14)
        why.explain_hole(explain_stay, 16)

        class Tiny(nn.Module):
            def __init__(self):
                super().__init__()
                self.one, self.two, self.drop = nn.Linear(3, 6), nn.Linear(8, 1), nn.Dropout(0.4)

            def forward(self, events, static, is_event, need_weights=False):
                assert is_event.dtype == torch.bool
                x = torch.tanh(self.one(events)) * is_event[..., None]
                x = self.drop(x.sum(1) / is_event.sum(1, keepdim=True).clamp(min=1))
                logits = self.two(torch.relu(torch.cat([x, static], -1)) ** 2)[:, 0]
                return (logits, {}) if need_weights else logits

        for seed, n, padding, steps in ((1, 6, 5, 8), (2, 2, 0, 3)):
            batch = small.stay_batch(seed, n, padding)
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                model = Tiny().train(seed == 1)
            table = why.explained(explain_stay, model, batch, steps)
            was, _ = model.training, model.eval()
            pair, mask = (batch["events"], batch["static"]), batch["is_event"]
            want = Reference(model).attribute(pair, additional_forward_args=(mask,), n_steps=steps)
            model.train(was)
            why.table_is(table, want[0][0, :n].sum(-1), want[1][0])
            why.gap_is(table, model, batch)

    hidden_cases()
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# `IntegratedGradients(model).attribute((events, static), baselines=..., additional_forward_args=(is_event,), n_steps=n_steps)`
# returns a pair of tensors of the inputs' shapes. There is one output per stay: no `target`.
# </details>
#
# <details><summary>Hint 2</summary>
#
# `model.eval()` before, the old mode afterwards. The gap compares the sum of *all* attributions with
# `model(events, static, is_event) - model(zeros, zeros, is_event)`, without gradients.
# </details>
#
# <details><summary>Hint 3: nearly all of it</summary>
#
# ```python
# was_training = model.training
# model.eval()
# try:
#     by_event, by_static = IntegratedGradients(model).attribute(
#         (events, static), additional_forward_args=(is_event,), n_steps=n_steps)
#     with torch.no_grad():
#         moved = model(events, static, is_event) - model(zeros_like(events), zeros_like(static), is_event)
# finally:
#     model.train(was_training)
# gap = abs(by_event.sum() + by_static.sum() - moved).item()
# real = is_event[0].nonzero()[:, 0]      # then a DataFrame: by_event[0].sum(-1)[real], by_static[0]
# ```
# </details>
# %% [markdown]
# Your explanation of the chosen stay: signed, and adding up to the logit.

# %% tags=["train", "needs-answer"]
with torch.no_grad():
    empty = [torch.zeros_like(stay[k]) for k in ("events", "static")]
    move = (stay_logit - model(*empty, stay["is_event"])).item()
for n_steps in (16, 50, 200):
    explained = explain_stay(model, stay, n_steps)
    gap = explained["completeness_gap"].iloc[0]
    print(f"{n_steps:3} steps: gap {gap:.4f} of a move of {move:+.2f} in the logit")
by_event = explained[explained["kind"] == "event"]
score = by_event["attribution"].to_numpy()
order = np.argsort(-np.abs(score))[:12]
icu_plots.event_bars(
    [f"{icu_plots.short_text(names[i])}  ({hours[i]:.0f} h)" for i in order],
    score[order],
    is_cause=effects[order] != 0,
    xlabel="attribution (log-odds)",
    title="Integrated Gradients: what moved the risk",
)
explained[explained["kind"] == "static"].assign(
    name=[n.split("=")[0] for n in icu_data.STATIC_NAMES]
).groupby("name")["attribution"].sum().round(2).to_frame().T

# %% [markdown]
# *Attributions of the twelve most important events, and (table) of the static features, with 200 steps. Read the gap before the bars:
# with too few steps a part of the logit's move is missing from them, and nothing in the picture would tell.*

# %% [markdown]
# ### 8.4 Attention, followed through the layers
#
# The pooling's weights say from which *places* the summary was taken. But after four layers the vector at a place holds what other
# events wrote there. *Rollout* (Abnar and Zuidema, 2020) follows the flow back: in each layer half of a place's vector came over the
# residual path from the place itself, and half came through attention from others. With $\bar A_l$ and $\bar p$ the means over heads,
#
# $$ \hat A_l = \tfrac12 (\bar A_l + I), \qquad R = \hat A_L \cdots \hat A_1, \qquad \text{score}_t = \sum_s \bar p_s R_{st}. $$
#
# > **Exercise `attention_rollout`** · 5 points · 15 minutes · difficulty 3 of 5
#
# Write `attention_rollout(attentions, pooling, is_event)`.
#
# * `attentions` is a list of one or more `(B, H, T, T)` tensors, the first layer first; rows attend, columns are attended to, and H
#   may differ between layers. `pooling` `(B, H, T)`, `is_event` `(B, T)` bool. Returns the score, `(B, T)`, in their dtype.
# * The mean over heads is taken in every layer and in the pooling. Nothing is renormalised: rows need not sum to one.
# * At padding the score is 0. Padding is set to zero there alone, not inside the product.
# * The inputs stay as they are.


# %% nbgrader={"grade": false, "grade_id": "attention_rollout", "locked": false, "schema_version": 3, "solution": true, "task": false}
def attention_rollout(
    attentions: list[torch.Tensor], pooling: torch.Tensor, is_event: torch.Tensor
) -> torch.Tensor:
    """Follow the pooling back to the events.  L × (B, H, T, T), (B, H, T), (B, T) -> (B, T)."""
    ### BEGIN SOLUTION
    score = pooling.mean(1)[:, None]  # (B, 1, T): where the summary was taken from
    for attention in reversed(attentions):  # the last layer wrote what was pooled
        score = (score @ attention.mean(1) + score) / 2
    return score[:, 0].masked_fill(~is_event, 0)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "attention_rollout_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
checks.icu_mortality.attention_rollout(attention_rollout)
### BEGIN HIDDEN TESTS
with checks.hidden("attention_rollout"):

    def hidden_cases() -> None:
        from course_utils.checks.icu_mortality import flow

        for seed, b, t, heads, dtype in (
            (21, 4, 7, (3, 1, 2, 4), torch.float64),
            (22, 1, 90, (2,) * 6, torch.float32),
            (23, 2, 3, (1,), torch.float64),
            (24, 3, 1, (2, 5), torch.float32),
            (25, 2, 5, (2, 3), torch.float16),
        ):
            flow.rollout_case(attention_rollout, seed, b, t, heads, dtype)

    hidden_cases()
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Start at the end: the pooling is a row of T numbers. Multiplied from the right by the last layer's matrix it says where the last
# layer had it from; go on to the first layer.
# </details>
#
# <details><summary>Hint 2</summary>
#
# `row @ (A + I) / 2` is `(row @ A + row) / 2`, so no identity matrix is needed. `pooling.mean(1)[:, None]` is `(B, 1, T)`, which
# `@` multiplies with `(B, T, T)`.
# </details>
#
# <details><summary>Hint 3: nearly all of it</summary>
#
# ```python
# score = pooling.mean(1)[:, None]
# for attention in reversed(attentions):
#     score = ...
# return score[:, 0].masked_fill(~is_event, 0)
# ```
# </details>
# %% [markdown]
# The chosen stay once more: where the pooling looks, and what your rollout makes of it.

# %% tags=["train", "needs-answer"]
flow = attention_rollout(weights["layers"], weights["pooling"], stay["is_event"])[0].cpu().numpy()
figure, axes = plt.subplots(1, 2, figsize=(11, 4))
for ax, (title, values) in zip(
    axes,
    (("Pooling alone", pooled.mean(0)), ("Rollout through four layers", flow)),
    strict=True,
):
    order = np.argsort(-values)[:10]
    icu_plots.event_bars(
        [f"{icu_plots.short_text(names[i], 26)} ({hours[i]:.0f} h)" for i in order],
        values[order],
        is_cause=effects[order] != 0,
        xlabel="weight, mean over heads",
        title=title,
        ax=ax,
    )
print(f"rank correlation of both: {spearmanr(pooled.mean(0), flow).statistic:.2f}")

# %% [markdown]
# *The ten events with the largest weight, hatched where planted. Left: places from which the summary was read. Right: events from
# which what was read had come. Neither has a sign.*

# %% [markdown]
# ### 8.5 Explanations, scored
#
# First, what can be right here. Planted are *predictors* of death: a high lactate, norepinephrine, dialysis, ventilation late in the
# stay. (The table `causes` is named for the program that drew the deaths.) On a ward such treatments go to those who are already dying. An explanation that finds norepinephrine has found what the
# model used, a marker of severity, and not a cause of death: nobody lives longer because the pump was stopped. Epidemiologists call
# it *confounding by indication*, and no attribution method looks through it.
#
# Now the question that pictures cannot answer: are they right? For every test stay with planted predictors we rank its events by the size
# of their score and ask how many of the planted ones stand on top (as many places as there are planted events). Beside attention, at the
# pooling and rolled out, stand *attention × gradient* (Chefer, Gur and Wolf, 2021: rollout in which each weight is multiplied by the
# logit's gradient with respect to it, and only what is positive counts), *layer attribution* (activation times gradient, at the input
# projection and behind the last block) and real *feature ablation* (one event's numbers set to zero, the risk computed again). The earlier
# notebook's "ablation" was Integrated Gradients under another name.

# %%
pooling_guess = checks.guess(
    "share of planted predictors that the pooling's weights rank first", ...
)

# %% tags=["train"]
rng = np.random.default_rng(SEED)
some = [int(i) for i in test if planted_here[i] > 0 or causes.empty][:60]
METHODS = {
    "attention (mean of heads)": lambda batch: explain.pooling_weights(model, batch)[0].mean(0),
    "attention rollout": lambda batch: explain.rollout_scores(model, batch)[0],
    "attention × gradient": lambda batch: explain.attention_gradient_scores(model, batch),
    "layer: input projection": lambda batch: explain.layer_scores(
        model, model.input_projection, batch
    ),
    "layer: last norm": lambda batch: explain.layer_scores(model, model.norm, batch),
    "feature ablation": lambda batch: explain.ablation_scores(model, batch),
    "random": lambda batch: rng.random(batch["events"].shape[1]),
}
batches = {i: sequences.batch([i], DEVICE) for i in some}
truth = {
    i: explain.causes_of(
        causes,
        int(sequences.stay_id[i]),
        sequences.event_texts(i),
        sequences.minutes[i, : int(sequences.lengths[i])],
    )
    for i in some
}
method_scores = {
    name: {i: method(batches[i]) for i in some}
    for name, method in training.progress(METHODS.items(), desc="explaining")
}
precision = pd.DataFrame(
    {
        name: [explain.precision_at_causes(s[i], truth[i]) for i in some]
        for name, s in method_scores.items()
    }
).dropna()

# %% tags=["train"]
if precision.empty:
    raise NotImplementedError("explanations are scored where causes are planted: not on MIMIC-IV")
spans = [
    metrics.bootstrap_interval(np.mean, precision[c].to_numpy(), n_boot=200) for c in precision
]
ax = plots.bars(
    list(precision),
    precision.mean(),
    low=[s[0] for s in spans],
    high=[s[1] for s in spans],
    xlim=(0, 1),
    xlabel="planted predictors among the top-ranked events (precision)",
)
plots.mark_guess(ax, pooling_guess, at=0)
plt.show()
mean = precision.mean()
pooled_alone = mean["attention (mean of heads)"]
pooling_guess.reveal(pooled_alone)
claims.claim(NOTEBOOK, "precision_attention", pooled_alone)
claims.claim(NOTEBOOK, "precision_random", mean["random"])
claims.claim(NOTEBOOK, "precision_ablation", mean["feature ablation"], control=mean["random"])
claims.claim(NOTEBOOK, "precision_rollout", mean["attention rollout"], control=pooled_alone)
_ = claims.claim(
    NOTEBOOK, "precision_gradient", mean["attention × gradient"], control=mean["attention rollout"]
)

# %% [markdown]
# *Mean precision over stays with 95 % intervals. The pooling's weights, which draw the prettiest pictures, find far fewer of the planted
# events than ablation: after four layers the vector at an event's place holds what other events told it, so a weight on that place says little
# about that event. The* same *attention, followed through the layers, finds more; how many more depends on the training run, as you will
# see. "Attention is no explanation" would be the wrong lesson; "a weight belongs to a place" is the better one.*
#
# Add your Integrated Gradients on the same stays. Every method explained the same stays, so differences are *paired*: the interval
# is that of the mean difference within a stay.

# %% tags=["train", "needs-answer"]
tables = {
    i: explain_stay(model, batches[i], 64)
    for i in training.progress(some, desc="Integrated Gradients")
}
gaps = sum(t["completeness_gap"].iloc[0] for t in tables.values())
moves = sum(abs(t["attribution"].sum()) for t in tables.values())
integrated = {i: t.loc[t["kind"] == "event", "attribution"].to_numpy() for i, t in tables.items()}
precision["Integrated Gradients"] = [
    explain.precision_at_causes(integrated[i], truth[i]) for i in some if truth[i].any()
]
signs = [
    np.sign(integrated[i][k]) == np.sign(truth[i][k])
    for i in some
    for k in np.flatnonzero(truth[i])
]
claims.claim(NOTEBOOK, "completeness_gap", gaps / moves)
print(f"sign of Integrated Gradients right for {np.mean(signs):.0%} of the planted events")
_ = claims.claim(
    NOTEBOOK,
    "precision_integrated",
    precision["Integrated Gradients"].mean(),
    control=precision["feature ablation"].mean(),
)

# %% tags=["train", "needs-answer"]
pairs = [
    ("attention rollout", "attention (mean of heads)"),
    ("attention × gradient", "attention rollout"),
    ("feature ablation", "attention rollout"),
    ("Integrated Gradients", "feature ablation"),
    ("Integrated Gradients", "attention rollout"),
]
pairs = [pair for pair in pairs if pair[0] in precision]  # fewer without your explain_stay
paired = []
for one_method, other_method in pairs:
    gain = (precision[one_method] - precision[other_method]).to_numpy()
    low, high = metrics.bootstrap_interval(np.mean, gain, n_boot=2000, random_state=SEED)
    paired.append((gain.mean(), low, high))
    print(f"{one_method} minus {other_method}: {gain.mean():+.3f} ({low:+.3f} to {high:+.3f})")
_ = plots.bars(
    [f"{a}\nminus {b}" for a, b in pairs],
    [v[0] for v in paired],
    low=[v[1] for v in paired],
    high=[v[2] for v in paired],
    reference=0,
    xlim=(-0.9, 1.0),
    xlabel=f"paired difference of the precision, {len(precision)} stays",
    ax=plt.subplots(figsize=(8, 4))[1],
)

# %% [markdown]
# *Paired differences with 95 % intervals: two methods are told apart where the interval does not hold 0. How they rank depends on the training
# run. In one in which the transformer had learned the planted events well (AUROC 0.84), rollout, ablation and Integrated Gradients found
# about 0.72 each; in one with 0.80 ablation found 0.61, rollout 0.37 and Integrated Gradients 0.39. They differ in what else they offer: ablation
# and Integrated Gradients have a sign, and Integrated Gradients adds up. Completeness says that nothing is lost, not that it is put in the
# right place.*
#
# ### 8.6 Two events that say the same
#
# The planted rule is *any* lactate of 4.0 and more: a second one says what the first has said. Take one away and the other still speaks, so
# ablation, one event at a time, finds that neither matters. *Shapley values* share out fairly: what an event adds, averaged over all
# orders in which the events could have come. With two events,
#
# $$ \phi_1 = \tfrac12 [f(\{1\}) - f(\varnothing)] + \tfrac12 [f(\{1, 2\}) - f(\{2\})]. $$
#
# First the rule itself, whose answer is known: 2.4 in the log-odds, said twice.

# %%
guess_of_two = checks.guess("of two lactates, what ablation of one finds of removing both", ...)


# %%
def rule(high: torch.Tensor) -> torch.Tensor:
    """Log-odds from two lactates (B, 2), 1 = high: any high one counts, and once."""
    return icu_data.EFFECTS["high lactate"] * high.amax(1)


by_method = {
    method.__name__: method(rule).attribute(torch.ones(1, 2))[0].tolist()
    for method in (FeatureAblation, ShapleyValues, IntegratedGradients)
}
pd.DataFrame(by_method, index=["first lactate", "second lactate"]).T.round(2)

# %% [markdown]
# Now the trained model, on test stays with one planted lactate, in which the same result is written down a second time.


# %% tags=["train"]
def two_lactates(i: int, place: int) -> list[float]:
    """Logit lost without one of two, without both; Integrated Gradients of the first."""
    batch = sequences.batch([i], DEVICE)
    events, is_event = (
        torch.cat([batch[k], batch[k][:, place : place + 1]], 1) for k in ("events", "is_event")
    )
    cases = events.repeat(3, 1, 1)  # both, the first alone, neither
    cases[1:, -1] = 0
    cases[2, place] = 0
    with torch.no_grad():
        both, single, none = model(cases, batch["static"].repeat(3, 1), is_event.repeat(3, 1))
    shares, _ = IntegratedGradients(model).attribute(
        (events, batch["static"]), additional_forward_args=(is_event,), n_steps=32
    )
    return [float(both - single), float(both - none), float(shares[0, place].sum())]


lactates = causes[causes["cause"] == "high lactate"]
found = []
for i in training.progress(some, desc="two lactates"):
    at = sequences.minutes[i, : int(sequences.lengths[i])]
    high = explain.causes_of(lactates, int(sequences.stay_id[i]), sequences.event_texts(i), at)
    found += [two_lactates(i, int(k)) for k in np.flatnonzero(high)]
found = np.array(found).reshape(-1, 3)

# %% tags=["train"]
if not len(found):
    raise NotImplementedError("two lactates: not shown where nothing is planted")
shown = {
    "ablation of one of two": found[:, 0],
    "Shapley value of one": found[:, 1] / 2,  # the two are alike, so each has half
    "Integrated Gradients of one": found[:, 2],
    "both removed": found[:, 1],
}
spans = [metrics.bootstrap_interval(np.mean, v, n_boot=200) for v in shown.values()]
plots.bars(
    list(shown),
    [v.mean() for v in shown.values()],
    low=[s[0] for s in spans],
    high=[s[1] for s in spans],
    xlabel=f"loss of the logit, mean over {len(found)} stays",
    digits=2,
)
plt.show()
guess_of_two.reveal(found[:, 0].mean() / found[:, 1].mean())
_ = claims.claim(NOTEBOOK, "redundant_ablation", found[:, 0].mean(), control=found[:, 1].mean() / 2)

# %% [markdown]
# *Of two lactates that say the same, ablation of one loses a small part of what both are worth: the model has learned nearly what the rule says,
# that one is enough. The Shapley value gives each a half by its definition, and Integrated Gradients come near it, since they walk past
# the region in which neither is there yet. "Removing it changed nothing" is therefore no proof that an event did not matter.*
#
# ### 8.7 A sanity check
#
# An explanation that looks the same for a model that has learned nothing explains the data at best, not the model.
# We shuffle all weights of the trained model and compare the rankings of events before and after.

# %% tags=["train"]
shuffled = explain.randomised(model, torch.Generator().manual_seed(SEED))
checks_of = {
    "attention": lambda net, batch: explain.pooling_weights(net, batch)[0].mean(0),
    "attention rollout": lambda net, batch: explain.rollout_scores(net, batch)[0],
    "layer: last norm": lambda net, batch: np.abs(explain.layer_scores(net, net.norm, batch)),
    "feature ablation": lambda net, batch: np.abs(explain.ablation_scores(net, batch)),
}
sane = {
    name: [
        spearmanr(method(model, batches[i]), method(shuffled, batches[i])).statistic
        for i in some[:25]
    ]
    for name, method in training.progress(checks_of.items(), desc="shuffled model")
}
plots.bars(
    list(sane),
    [np.mean(v) for v in sane.values()],
    low=[np.percentile(v, 2.5) for v in sane.values()],
    high=[np.percentile(v, 97.5) for v in sane.values()],
    xlim=(-1, 1),
    xlabel="rank correlation, trained against shuffled model",
)
_ = claims.claim(NOTEBOOK, "randomised_correlation", np.mean(sane["feature ablation"]))

# %% [markdown]
# *Rank correlation of the scores with those of the shuffled model, mean and the range of 95 % of the stays. Near zero is what an
# explanation of the model should give, and what the last layer and ablation give on average. The pooling's weights keep more: a part of that
# picture belongs to the data, whatever the model has learned.*

# %% [markdown]
# ### 8.8 Does removing what mattered change the risk?
#
# A ranking of events claims: *these made the risk*. Take them away, most important first, and watch. If the claim is right the
# risk moves faster than when events go at random:
#
# $$ r_k = \sigma\big(f(x \text{ without the top } k \text{ events})\big). $$
#
# > **Exercise `deletion_curve`** · 5 points · 20 minutes · difficulty 2 of 5
#
# Write `deletion_curve(model, stay_batch, ranking, steps)`.
#
# * `ranking` is a list, array or tensor of all $n$ positions of real events on the time axis, most important first; empty for a
#   stay without events.
# * Return a `DataFrame` with the columns `n_removed`, `risk`, `risk_random`: rows $k = 0 \ldots$ `steps`, with
#   `n_removed = k * n // steps`.
# * *Removed* means `is_event` False; the features stay as they are, and removals add up. You may ask the model about several
#   masks at once, but then give it one row of events and static features for each.
# * `risk` is the sigmoid of the logit; `risk_random` is the mean risk (not the risk of a mean logit) over one or more random
#   rankings of the same positions, from a local generator with a fixed seed.
# * Evaluation mode, no gradients; mode and batch are afterwards as they were, the mode also when the model raises an error.


# %% nbgrader={"grade": false, "grade_id": "deletion_curve", "locked": false, "schema_version": 3, "solution": true, "task": false}
def deletion_curve(
    model: nn.Module, stay_batch: dict[str, torch.Tensor], ranking: Sequence[int], steps: int
) -> pd.DataFrame:
    """Risk as the top-ranked events are removed.  Returns n_removed, risk, risk_random."""
    ### BEGIN SOLUTION
    ranking = torch.tensor([int(place) for place in ranking], dtype=torch.int64)
    n = len(ranking)
    counts = [k * n // steps for k in range(steps + 1)]

    def risks(order: torch.Tensor) -> np.ndarray:
        masks = stay_batch["is_event"].repeat(steps + 1, 1)  # (steps + 1, T)
        for row, count in enumerate(counts):
            masks[row, order[:count]] = False
        events = stay_batch["events"].expand(steps + 1, -1, -1)
        static = stay_batch["static"].expand(steps + 1, -1)
        return torch.sigmoid(model(events, static, masks)).cpu().double().numpy()

    generator = torch.Generator().manual_seed(0)
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            risk = risks(ranking)
            drawn = [risks(ranking[torch.randperm(n, generator=generator)]) for _ in range(5)]
    finally:
        model.train(was_training)
    return pd.DataFrame({"n_removed": counts, "risk": risk, "risk_random": np.mean(drawn, axis=0)})
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "deletion_curve_check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
checks.icu_mortality.deletion_curve(deletion_curve)
### BEGIN HIDDEN TESTS
with checks.hidden("deletion_curve"):

    def hidden_cases() -> None:
        from course_utils.checks.icu_mortality import deletion as removal
        from course_utils.checks.icu_mortality import models as small

        removal.deletion_known(deletion_curve, 31, 1, 4, 1)
        removal.deletion_known(deletion_curve, 32, 7, 3, 7, torch.float64)
        removal.deletion_known(deletion_curve, 33, 10, 0, 4)
        removal.deletion_known(deletion_curve, 34, 4, 1, 9, torch.float64)
        removal.deletion_random(deletion_curve, 35)
        batch = small.stay_batch(36, 5, 2)
        w, v = small.weights_for(batch, 86)
        model = small.DropoutRisk(w, v).train()
        table = checks.call(deletion_curve, model, batch, [4, 2, 0, 1, 3], 5)
        checks.require(
            model.training, "The model came in training mode and was left in evaluation mode."
        )
        share = batch["events"][0, :5] @ w
        left = [share.sum(), *(share[[4, 2, 0, 1, 3][k:]].sum() for k in range(1, 6))]
        want = torch.sigmoid(torch.stack(left) + batch["static"][0] @ v + model.bias)
        checks.same(
            torch.as_tensor(table["risk"].to_numpy(dtype=float)),
            want.detach().double(),
            "the risk",
            rtol=1e-4,
            atol=1e-5,
        )
        ends = table["risk_random"].iloc[[0, -1]].to_numpy(dtype=float)
        checks.same(
            ends,
            want[[0, -1]].detach().double().numpy(),
            "risk_random before and after all removals",
            rtol=1e-4,
            atol=1e-5,
        )

    hidden_cases()
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Clone `is_event`, set the positions `ranking[:n_removed]` to False, and call the model with the same events and static
# features. `[int(place) for place in ranking]` makes a list of any ranking.
# </details>
#
# <details><summary>Hint 2</summary>
#
# The random curve is the same function with another ranking: `torch.randperm(n, generator=torch.Generator().manual_seed(0))`
# picks from the given positions.
# </details>
#
# <details><summary>Hint 3: nearly all of it</summary>
#
# ```python
# def risk_after(order, count):
#     mask = stay_batch["is_event"].clone()
#     mask[0, order[:count]] = False
#     return torch.sigmoid(model(stay_batch["events"], stay_batch["static"], mask)).item()
# ...
# model.eval()
# try:
#     with torch.no_grad():
#         rows = [(k * n // steps, risk_after(ranking, k * n // steps), np.mean([...])) for k in range(steps + 1)]
# finally:
#     model.train(was_training)
# ```
# </details>
# %% [markdown]
# The curves of your function, averaged over the fifteen stays of highest risk: four rankings against chance. Guess first: by how much does the
# mean risk fall when the first twentieth of the events goes, in ablation's order?

# %%
fall_guess = checks.guess("fall of the mean risk when ablation's top 5 % are removed", ...)

# %% tags=["train", "needs-answer"]
risk_of = dict(zip(test.tolist(), risks["transformer"], strict=True))
high_risk = sorted(some, key=risk_of.get)[-15:]
rankings = {
    "feature ablation": lambda i: method_scores["feature ablation"][i],
    "attention": lambda i: method_scores["attention (mean of heads)"][i],
    "attention rollout": lambda i: method_scores["attention rollout"][i],
    "true effect": lambda i: truth[i],
}
figure, ax = plt.subplots(figsize=(8, 3.6))
share_removed = np.arange(20) * 5  # up to 95 %
for name, score_of in training.progress(rankings.items(), desc="removing events"):
    found = [
        deletion_curve(
            model, batches[i], np.argsort(-score_of(i)[: len(truth[i])], kind="stable"), 20
        )
        for i in high_risk
    ]
    curve = np.array([f["risk"][:20] for f in found])  # (stays, steps)
    spans = [metrics.bootstrap_interval(np.mean, step, n_boot=200) for step in curve.T]
    (line,) = ax.plot(share_removed, curve.mean(0), marker=".", label=name)
    ax.fill_between(share_removed, *np.transpose(spans), alpha=0.15, color=line.get_color())
    if name == "feature ablation":
        fall = curve.mean(0)[0] - curve.mean(0)[1]
chance = np.mean([f["risk_random"][:20] for f in found], axis=0)
ax.plot(share_removed, chance, color="0.5", ls="--", label="random")
ax.set(xlabel="events removed (%)", ylabel="predicted risk", ylim=(0, 1))
ax.legend()
plt.show()
fall_guess.reveal(fall)

# %% [markdown]
# *Mean predicted risk as events are removed, most important first. The faster a curve falls, the more of the risk stood on its first
# events. "True effect" is the ranking that a perfect explanation of the data would give; where ablation falls even faster, it
# tells more about the model than about the data. Where the curve of the pooling's weights ("attention") lies depends on the training run: we have seen it beside the dashed line of chance, and
# we have seen it fall almost as fast as ablation's. Bands are 95 % intervals over the stays. The last point is left out: of a stay without any
# event the model has hardly seen one, and its answer means nothing. Removing is a test with a price: what is left is less and less like a
# patient.*
#
# ### 8.9 In a fresh process
#
# An explanation that can only be made in the session that trained the model cannot be audited. Here another Python process loads the
# saved checkpoint and one stay, and must come to the same scores.

# %% tags=["train"]
(WORK / "config.json").write_text(json.dumps(model.config))
save_file({k: v.cpu().contiguous() for k, v in stay.items()}, WORK / "stay.safetensors")
script = """
import json, sys
from pathlib import Path
from safetensors.torch import load_file
from course_utils import explain
from course_utils.icu_model import load_risk_model
work = Path(sys.argv[1])
model = load_risk_model(work / "run" / "best.safetensors", json.loads((work / "config.json").read_text()))
print(json.dumps(explain.ablation_scores(model, load_file(work / "stay.safetensors")).tolist()))
"""
answer = subprocess.run(
    [sys.executable, "-c", script, str(WORK)], capture_output=True, text=True, check=True
)
elsewhere = np.array(json.loads(answer.stdout))
here = explain.ablation_scores(model, stay)
print(f"{len(elsewhere)} scores, largest difference {np.abs(elsewhere - here).max():.1e}")
_ = claims.claim(NOTEBOOK, "fresh_process_difference", np.abs(elsewhere - here).max())

# %% [markdown]
# ## 9 A record as a language
#
# One outcome, a few hundred deaths: that is little to learn from. *Foundation models of records* learn first from every event and ask
# for an outcome later. BEHRT (2020) reads diagnoses visit by visit and fills in hidden ones; STraTS (2022) reads triplets of time, variable
# and value, as here, and forecasts values; ETHOS (2024) turns everything into tokens, values into quantiles and waiting into tokens of its
# own, and learns to say the *next* token, so that a prognosis is a story continued. MEDS is the common format beneath many of them:
# subject, time, code, number, which is what your query makes. One small such model, from the events at hand:

# %%
tokens = icu_data.event_tokens(events, train_ids)
in_train = tokens["stay_id"].isin(train_ids)
vocabulary = ["<pad>", "<unknown>", *sorted(tokens.loc[in_train, "token"].unique())]
number = {token: i for i, token in enumerate(vocabulary)}
tokens["id"] = tokens["token"].map(number).fillna(1).astype(int)
paper = torch.zeros(len(static), 128, dtype=torch.int64)
for row, written in enumerate(tokens.groupby("stay_id")["id"].agg(list).reindex(static.index)):
    if isinstance(written, list):
        paper[row, : len(written)] = torch.tensor(written[:128])
print(f"{len(vocabulary)} tokens; one stay begins:")
print(" | ".join(vocabulary[i] for i in paper[rows["train"][0], :14]))

# %% [markdown]
# How surprised is a model by the next token? Its *perplexity* is the number of equally likely tokens between which it would hesitate as much.
# Counting pairs of neighbours is the baseline.


# %% tags=["train"]
class NextEvent(nn.Module):
    """Token ids (B, T) -> logits of the next token (B, T, V)."""

    def __init__(self, size: int, d_model: int = 48) -> None:
        super().__init__()
        self.embedding = nn.Embedding(size, d_model)
        self.position = SinusoidalPositionalEncoding(d_model, 128)
        self.block = EncoderBlock(d_model, 4, 96)
        self.head = nn.Linear(d_model, size)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.position(self.embedding(ids))
        return self.head(self.block(x, attn_mask=causal_mask(ids.shape[1], ids.device))[0])


def surprise(net: nn.Module, chosen: torch.Tensor) -> torch.Tensor:
    ids = paper[chosen].to(DEVICE)
    ids = ids[:, : int((ids > 0).sum(1).max())]
    return F.cross_entropy(net(ids[:, :-1]).transpose(1, 2), ids[:, 1:], ignore_index=0)


torch.manual_seed(SEED)
net = NextEvent(len(vocabulary)).to(DEVICE)
training.fit(
    net,
    lambda epoch: icu_model.shuffled_batches(sequences, rows["train"], 32, seed=epoch),
    surprise,
    epochs=6,
    lr=8e-3,
    label="next event",
)
_ = net.eval()

# %% tags=["train"]
size = len(vocabulary)
pairs = torch.stack([paper[:, :-1], paper[:, 1:]])  # (2, N, T - 1)
before, after = pairs[:, rows["train"]].flatten(1)[:, paper[rows["train"], 1:].flatten() > 0]
counts_of = torch.bincount(before * size + after, minlength=size * size).view(size, size).double()
single = (counts_of.sum(0) + 1) / (counts_of.sum() + size)
double = (counts_of + 10 * single) / (counts_of.sum(1, keepdim=True) + 10)
before, after = pairs[:, rows["test"]].flatten(1)[:, paper[rows["test"], 1:].flatten() > 0]
with torch.no_grad():
    own = surprise(net, rows["test"]).exp().item()
perplexity = {
    "all tokens alike": size,
    "how often each comes": single[after].log().mean().neg().exp().item(),
    "pairs of neighbours": double[before, after].log().mean().neg().exp().item(),
    "transformer, one block": own,
}
plots.bars(list(perplexity), list(perplexity.values()), xlabel="perplexity", digits=1)
_ = claims.claim(NOTEBOOK, "next_event_perplexity", own, control=perplexity["pairs of neighbours"])

# %% [markdown]
# *Perplexity of the next token on test stays: lower is better. Most of what can be known is which laboratory
# value comes next in its panel, and pairs of neighbours know that; the transformer is about as good. These events were drawn independently of each
# other, so there is no course of disease to learn: on real records that is where such models earn their size.*

# %% [markdown]
# ## 10 In words
#
# **Question (5 points).** A paper about this model writes: *"Of the four heads of the pooling, the first attends to time, the second to
# features, the third to relations between events and the fourth to severity."* What would have to be measured to show it? Name at
# least two experiments with what each would have to give, say what speaks against such roles in this architecture, and what the
# claim would be worth to a clinician.

# %% [markdown] nbgrader={"grade": true, "grade_id": "written_1", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
# **Model answer.** Heads start at random and nothing in the loss tells them apart: swapping two heads with their slices of the
# projections gives the same function, so a role can only be found after training, for one trained model. To show it: (1) *stability*:
# train with several seeds, match heads by their weights and see whether four such profiles return each time; (2) *selectivity against a
# baseline*: the weight of a head by type, time and value of the event, beside the share of these events and beside an untrained model;
# for "severity", compare the same laboratory item with a mild and a severe value; (3) *intervention*: remove one head, or change only the
# times, only the values, only the order of events, and see that only "its" head's weights and the predictions that need this
# information change; (4) for "relations", show that its weight on an event depends on another event being there, as for the planted pair of
# lactate and norepinephrine. A weight is not an effect: each claim needs the logit to move. In the figures of this notebook no profile is
# pure, and the twin that started elsewhere has others. To a clinician a stable, tested role could point to the part of a record that was used; an asserted one
# is a caption and may cause misplaced trust.
#
# **Rubric.** 1 point: heads are exchangeable, nothing assigns roles. 1 point each for two experiments, with the outcome that would
# support the claim. 1 point: a baseline or several seeds are named. 1 point: attention is told apart from effect, or the clinical
# consequence is discussed.

# %% [markdown]
# ## Where you stand

# %%
checks.icu_mortality.summary(globals())

# %% [markdown]
# **What was learned.** Prediction starts with the question *when was it known*. A leak is found by building features twice, not by reading
# their names. Pooling needs a mask, a loss needs its extremes, a metric needs its interval, its baseline and its peers. Attention,
# followed or not through the layers, and ablation tell different stories; only planted predictors can say which is right, and in real patients
# nobody has planted them.
#
# **Where to read on.** Johnson et al., *MIMIC-IV* (Scientific Data, 2023). Li, Wehbe, Ahmad, Wang and Luo, *Clinical-Longformer and
# Clinical-BigBird* (2022). Sundararajan, Taly and Yan, *Axiomatic Attribution for Deep Networks* (2017). Jain and Wallace,
# *Attention is not Explanation* (2019), with Wiegreffe and Pinter's answer (2019). Adebayo et al., *Sanity Checks for Saliency Maps*
# (2018). Van Calster et al., *Calibration: the Achilles heel of predictive analytics* (2019). Kapoor and Narayanan, *Leakage and the
# reproducibility crisis in machine-learning-based science* (2023).
