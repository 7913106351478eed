"""What the checks of notebook 04 ask of a probe."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

import numpy as np

from course_utils.checks.calls import call
from course_utils.checks.clinicalbert_embeddings.outcomes import table, whole_numbers
from course_utils.checks.core import require

__all__ = ["fits_below", "group_trap", "probe_table"]


def probe_table(answer: Any, features: list[Any], labels: Any, groups: Any, **options: Any) -> Any:
    """Call an answer and return its accuracies, one a layer."""
    got = call(answer, features, labels, groups, **options)
    table(got, ["layer", "accuracy"], exact=False)
    layers = whole_numbers(got, "layer")
    require(
        layers == list(range(len(features))),
        f"Expected the layers {list(range(len(features)))} in order, got {layers}.",
    )
    accuracy = np.asarray(got["accuracy"], dtype=float)
    require(
        bool(((accuracy >= 0) & (accuracy <= 1)).all()),
        f"Accuracies are fractions between 0 and 1; got {np.round(accuracy, 3).tolist()}.",
    )
    return accuracy


def group_trap(seed: int, n_groups: int = 40, each: int = 5) -> tuple[Any, Any, Any]:
    """Features that name the group, labels that depend on the group alone: nothing to learn."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n_groups), each)
    labels = rng.permutation(np.arange(n_groups) % 2)[groups]
    features = rng.normal(size=(n_groups, 60))[groups] + 0.1 * rng.normal(size=(len(groups), 60))
    order = rng.permutation(len(groups))
    return features[order], labels[order], groups[order]


@contextlib.contextmanager
def fits_below(n_rows: int) -> Iterator[None]:
    """Fail when a scaler or classifier of scikit-learn is fitted on all rows."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    seen: list[str] = []

    def watch(kind: Any) -> Any:
        original = kind.fit

        def fit(self: Any, X: Any, *args: Any, **kwargs: Any) -> Any:
            if len(X) >= n_rows:
                seen.append(kind.__name__)
            return original(self, X, *args, **kwargs)

        return mock.patch.object(kind, "fit", fit)

    with watch(StandardScaler), watch(LogisticRegression):
        yield
    require(
        not seen,
        f"A {seen[0] if seen else ''} was fitted on all {n_rows} rows.",
        "fit it on the training side of each split alone: held-out rows stay unseen",
    )
