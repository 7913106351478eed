"""What the checks of notebook 04 ask of a probe: properties of the table that it gives.

An answer may take any linear classifier, any split that keeps groups whole and any number of
splits. So nothing is compared with a fixed number, and nothing is asked of a single lucky split:
accuracies that should be guesswork are averaged over fresh data until the average has settled.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from course_utils.checks.calls import call
from course_utils.checks.clinicalbert_embeddings.outcomes import table, whole_numbers
from course_utils.checks.core import fail, require

__all__ = [
    "assert_averaged",
    "assert_guesswork",
    "assert_unseen",
    "group_trap",
    "guesswork",
    "inverted_thirds",
    "own_scales",
    "probe_table",
]


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
        "per cent, or a sum over the splits instead of their mean",
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


def guesswork(seed: int) -> tuple[list[NDArray[Any]], NDArray[Any], NDArray[Any]]:
    """Three layers on whose held-out groups a linear probe can only guess.

    A trap (features name the group), noise, and two features whose signs agree for one class and
    differ for the other, so that no straight line separates them.
    """
    rng = np.random.default_rng(seed)
    trap, labels, groups = group_trap(seed, n_groups=24, each=3)
    noise = rng.normal(size=(len(labels), 60))
    first = rng.integers(0, 2, len(labels))
    corners = np.stack([2 * first - 1, 2 * (first ^ labels) - 1], axis=1)
    crossed = 2.0 * corners + 0.5 * rng.normal(size=corners.shape)
    return [trap, noise, crossed], labels, groups


def assert_guesswork(answer: Any, seed: int = 0) -> None:
    """On average over fresh data, guesswork is right about half of the time.

    One split may be lucky, so data are drawn until the averages are at most 0.55 (right), or stay
    above it (wrong); an answer that is far off needs eight draws.
    """
    rounds: list[NDArray[np.float64]] = []
    for i in range(24):
        features, labels, groups = guesswork(seed + i)
        rounds.append(probe_table(answer, features, labels, groups, seed=seed + i))
        mean = np.mean(rounds, axis=0)
        if i >= 2 and mean.max() <= 0.55:
            return
        if i >= 7 and mean.max() > 0.9:
            break
    trap, noise, crossed = np.mean(rounds, axis=0)
    where = f"on average over {len(rounds)} sets of data"
    if noise > 0.8:
        fail(
            f"A layer of noise gives {noise:.2f} {where}; about 0.5 is possible on held-out rows.",
            "the rows that the classifier (or a choice of features) was fitted on are among those "
            "that it is tested on",
        )
    require(
        trap <= 0.85 or trap - noise <= 0.25,
        f"Labels depend on the group alone, so held-out groups are guesswork; got {trap:.2f} "
        f"{where}.",
        "rows of one group are on both sides of the split: split by `groups`",
    )
    require(
        crossed <= 0.85 or crossed - noise <= 0.25,
        f"A layer that no straight line separates gives {crossed:.2f} {where}.",
        "the classifier is not a linear one",
    )
    fail(
        f"Three layers without anything to learn give {trap:.2f}, {noise:.2f} and {crossed:.2f} "
        f"{where}; about 0.5 is possible on held-out rows.",
        "the best of several splits or settings was reported, or features were chosen with the "
        "labels of all rows",
    )


def own_scales(
    seed: int, n_groups: int = 25, each: int = 8
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Every feature tells the class, and in one group each its values are enormous.

    Scaled by the training side alone, the features of held-out groups are of ordinary size and
    tell the class at once. Scaled by all rows, every feature is next to 0 but in its own group.
    """
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n_groups), each)
    labels = np.tile((np.arange(each) < round(0.35 * each)).astype(int), n_groups)
    sign = (2 * labels - 1)[:, None]
    small = sign * (1 + 0.2 * rng.normal(size=(len(groups), 2 * n_groups)))
    own = np.repeat(np.eye(n_groups, dtype=bool), 2, axis=1)[groups]
    features = np.where(own, sign * 1e20 * (1 + 0.2 * rng.random(small.shape)), small)
    order = rng.permutation(len(groups))
    return features[order], labels[order], groups[order]


def assert_unseen(answer: Any, seed: int = 0) -> None:
    """Whatever is fitted, a scaler too, has not seen the held-out rows."""
    features, labels, groups = own_scales(seed)
    got = probe_table(answer, [features], labels, groups, seed=seed)[0]
    require(
        got >= 0.9,
        f"Held-out groups bring values that the training side has not seen; a probe fitted on the "
        f"training side alone gets 1.00, got {got:.2f}.",
        "a scaler (or PCA) was fitted on all rows: fit it on the training side of each split alone",
    )


def _thirds(
    seed: int, n_groups: int, each: int
) -> tuple[np.random.Generator, NDArray[Any], NDArray[Any], NDArray[Any]]:
    """A generator, and for every row its group, its label and the third that its group is in."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n_groups), each)
    labels = np.tile(np.arange(each) % 2, n_groups)
    return rng, groups, labels, rng.permutation(np.arange(n_groups) % 3)[groups]


def inverted_thirds(
    seed: int, n_groups: int = 24, each: int = 6
) -> tuple[list[NDArray[Any]], NDArray[Any], NDArray[Any]]:
    """Three layers, each with the feature inverted in another third of the groups.

    A linear probe follows the two thirds that agree, so every held-out row is predicted rightly
    in exactly two layers of three, and the three mean accuracies add up to 2 on any splits.
    """
    rng, groups, labels, third = _thirds(seed, n_groups, each)
    layers = []
    for m in range(3):
        sign = np.where(third == m, -1, 1) * (2 * labels - 1)
        layers.append((sign * (3 + 0.1 * rng.normal(size=len(groups))))[:, None])
    return layers, labels, groups


def two_voices(
    seed: int, n_groups: int = 24, each: int = 6, weak: float = 0.3
) -> tuple[list[NDArray[Any]], NDArray[Any], NDArray[Any]]:
    """Three layers: a loud and a ``weak`` feature, each inverted in another third of the groups.

    A strong penalty makes a probe follow the loud one, a light penalty the one that errs less in
    training, which errs more in the rest. So the three accuracies add up to 2 at most, on any
    splits, unless a setting is chosen by what the held-out rows say.
    """
    rng, groups, labels, third = _thirds(seed, n_groups, each)
    layers = []
    for m in range(3):
        noise = 3 + 0.1 * rng.normal(size=(2, len(groups)))
        loud, quiet = (
            (2 * labels - 1) * np.where(third == (m + i) % 3, -1, 1) * noise[i] for i in range(2)
        )
        layers.append(np.stack([loud + weak * quiet, loud - weak * quiet], axis=1))
    return layers, labels, groups


def assert_averaged(answer: Any, seeds: range = range(5)) -> None:
    """The accuracy is a mean over the splits, not the best one or the middle one."""
    excess, alike, same_splits = [], True, True
    for seed in seeds:
        layers, labels, groups = inverted_thirds(seed)
        got = probe_table(answer, layers, labels, groups, seed=seed)
        if not excess:  # an answer may split anew for every layer: then the sum is 2 on average
            twice = probe_table(answer, layers[:1] * 2, labels, groups, seed=seed)
            same_splits = abs(twice[0] - twice[1]) < 1e-9
        excess.append(float(got.sum()) - 2.0)
        alike = alike and float(np.ptp(got)) < 1e-9
        if same_splits and not alike and len(excess) == 2 and max(excess) <= 1e-6:
            break
    most, mean = max(excess), float(np.mean(excess))
    if alike:
        hint = "the layers do not differ: each accuracy is that of one layer's own features"
    elif mean > 0.4:
        hint = "the best split was reported: take the mean over the splits"
    else:
        hint = "a median over the splits, or some splits left out: take the mean over all of them"
    require(
        mean <= 0.4 and (most <= 1e-6 or not same_splits),
        "Every row is predicted rightly in two of three layers, so the three accuracies add up to "
        f"2 on any splits; got {2 + (most if same_splits else mean):.3f}.",
        hint,
    )
    if same_splits:
        _assert_nothing_chosen(answer, seeds[0])


def _assert_nothing_chosen(answer: Any, seed: int) -> None:
    """No setting is chosen by its held-out accuracy on each split: see :func:`two_voices`.

    One setting for all splits, chosen by its mean over them, gains too little to be told from
    luck at a price that a check may have, and is not seen.
    """
    layers, labels, groups = two_voices(seed)
    total = float(probe_table(answer, layers, labels, groups, seed=seed).sum())
    require(
        total <= 2 + 1e-6,
        "Of two features, each wrong in another third of the groups, the one that does better in "
        f"training does worse held out; the three accuracies add up to {total:.3f}, at most 2 is "
        "possible.",
        "a setting (C, the classifier, a split) was chosen by its held-out accuracy",
    )
