"""Synthetic chest films with reports, and the truth about both.

A film is drawn, not photographed: body, lungs, heart, ribs, clavicles, diaphragm, stomach bubble,
the radiographer's "R" and noise. Zero, one or two findings are painted into it and every pixel that
belongs to a finding is known. The report names each finding with its size, side and zone and says
what is absent.

**Left and right.** A chest film is looked at as if the patient faced you: the left of the picture
is the patient's *right*. Sides in arrays and reports are always the patient's.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from course_utils.data.radiology.painting import draw_anatomy, paint_films

__all__ = [
    "BOS_ID",
    "EOS_ID",
    "KINDS",
    "MAX_REPORT_LENGTH",
    "PAD_ID",
    "SIDES",
    "SIZES",
    "UNK_ID",
    "VOCABULARY",
    "ZONES",
    "ChestFilms",
    "blind_scores",
    "decode_report",
    "encode_report",
    "make_chest_films",
    "parse_report",
    "report_scores",
    "token_patch_masks",
]

KINDS = ("nodule", "effusion", "pneumothorax", "cardiomegaly")
SIDES = ("none", "right", "left")  # the patient's, indexed by ChestFilms.side
ZONES = ("none", "upper", "middle", "lower")  # indexed by ChestFilms.zone
SIZES = ("none", "small", "large")  # indexed by ChestFilms.size
NODULE, EFFUSION, PNEUMOTHORAX, CARDIOMEGALY = range(4)

VOCABULARY = (
    *("<pad>", "<bos>", "<eos>", "<unk>", "."),
    *("lungs", "clear", "no", "heart", "size", "normal", "in", "the", "at", "zone"),
    *("nodule", "effusion", "pneumothorax", "cardiomegaly", "small", "large", "mild", "marked"),
    *("right", "left", "right-sided", "left-sided", "upper", "middle", "lower", "base", "apex"),
)
PAD_ID, BOS_ID, EOS_ID, UNK_ID = 0, 1, 2, 3
MAX_REPORT_LENGTH = 24  # tokens of the longest report, <bos> and <eos> included
_WORD_TO_ID = {word: index for index, word in enumerate(VOCABULARY)}
_ATTRIBUTES = {"side": SIDES, "zone": ZONES, "size": SIZES}
_NOT_GROUNDED = frozenset({".", "in", "the", "at"})


@dataclass(frozen=True)
class ChestFilms:
    """Films, reports and their ground truth. ``K`` is the kind of finding, in the order of `KINDS`.

    Attributes
    ----------
    images : float32 (n, 1, image_size, image_size)
        Grey values between 0 (black, air) and 1 (white).
    token_ids : int64 (n, MAX_REPORT_LENGTH)
        Reports, padded behind with `PAD_ID`.
    word_finding : int8 (n, MAX_REPORT_LENGTH)
        The kind of finding a word speaks of; -1 for words that point at nothing in the film
        (function words, punctuation, and everything said about what is absent or normal).
    present : bool (n, K)
    side, zone, size : int8 (n, K)
        Indices into `SIDES`, `ZONES`, `SIZES`; 0 where the finding is absent, and for the side and
        zone of cardiomegaly.
    masks : bool (n, K, image_size, image_size)
        The pixels of each finding.
    """

    images: np.ndarray
    token_ids: np.ndarray
    word_finding: np.ndarray
    present: np.ndarray
    side: np.ndarray
    zone: np.ndarray
    size: np.ndarray
    masks: np.ndarray

    def __len__(self) -> int:
        return len(self.images)

    def texts(self) -> list[str]:
        """Return the reports as text."""
        return [decode_report(row) for row in self.token_ids]


def make_chest_films(
    n_samples: int,
    *,
    image_size: int = 64,
    random_state: int | np.random.Generator | None,
) -> ChestFilms:
    """Draw chest films with zero (20 %), one (50 %) or two (30 %) findings, and their reports.

    Nodules lie in any zone of either lung; an effusion collects at the base, a pneumothorax at the
    apex; cardiomegaly widens the heart to more than half the chest. Fluid and nodules are brighter
    than lung, free air is darker, and neither is reliably the brightest or darkest part of a film.

    Parameters
    ----------
    n_samples : int
        Number of films, 0 or more.
    image_size : int
        Side of the square film in pixels, at least 32.
    random_state : int, Generator or None
        Same seed, same integers everywhere; grey values agree within 1e-6.

    Raises
    ------
    ValueError
        For a negative ``n_samples`` or an ``image_size`` below 32.

    Examples
    --------
    >>> films = make_chest_films(2, random_state=0)
    >>> films.images.shape
    (2, 1, 64, 64)
    """
    if isinstance(n_samples, bool) or int(n_samples) != n_samples or n_samples < 0:
        raise ValueError(f"n_samples={n_samples!r}: a whole number of 0 or more is wanted")
    if isinstance(image_size, bool) or int(image_size) != image_size or image_size < 32:
        raise ValueError(f"image_size={image_size!r}: a whole number of 32 or more is wanted")
    n_samples, image_size = int(n_samples), int(image_size)
    rng = np.random.default_rng(random_state)
    present, side, zone, size = _draw_findings(n_samples, rng)
    token_ids, word_finding = _write_reports(present, side, zone, size)
    anatomy = draw_anatomy(side, zone, size, rng)
    images, masks = paint_films(present, side, size, anatomy, image_size, rng)
    return ChestFilms(images, token_ids, word_finding, present, side, zone, size, masks)


# ------------------------------------------------------------------------------------ the findings


def _draw_findings(
    n: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Draw which findings a film has, and where; keep apart what would hide each other."""
    n_findings = np.searchsorted(np.array([0.2, 0.7]), rng.random(n), side="right")
    order = np.argsort(rng.random((n, len(KINDS))), axis=1, kind="stable")
    present = np.argsort(order, axis=1, kind="stable") < n_findings[:, None]
    side = rng.integers(1, 3, size=(n, len(KINDS)), dtype=np.int8)
    size = rng.integers(1, 3, size=(n, len(KINDS)), dtype=np.int8)
    nodule_zone = rng.integers(1, 4, size=n, dtype=np.int8)
    above_fluid = rng.integers(1, 3, size=n, dtype=np.int8)  # upper or middle

    def opposite(kind: int, other: int) -> None:
        both = present[:, kind] & present[:, other]
        side[both, kind] = 3 - side[both, other]

    opposite(EFFUSION, PNEUMOTHORAX)  # together on one side they would make a level, not a meniscus
    opposite(NODULE, PNEUMOTHORAX)
    behind_fluid = (
        present[:, NODULE] & present[:, EFFUSION] & (side[:, NODULE] == side[:, EFFUSION])
    )
    nodule_zone = np.where(behind_fluid & (nodule_zone == 3), above_fluid, nodule_zone)
    behind_heart = present[:, NODULE] & present[:, CARDIOMEGALY] & (nodule_zone > 1)
    side[behind_heart, NODULE] = 1

    zone = np.empty_like(side)
    zone[:, NODULE] = nodule_zone
    zone[:, EFFUSION] = 3
    zone[:, PNEUMOTHORAX] = 1
    zone[:, CARDIOMEGALY] = side[:, CARDIOMEGALY] = 0
    return present, side * present, zone * present, size * present


def _sentences() -> list[list[str]]:
    """Return what may be said of each kind: first that it is absent, then by (side, zone, size)."""
    lateral = list(product(SIDES[1:], SIZES[1:]))
    nodules = product(SIDES[1:], ZONES[1:], SIZES[1:])
    return [
        [
            "lungs clear .",
            *(f"{size} nodule in the {side} {zone} zone ." for side, zone, size in nodules),
        ],
        [
            "no effusion .",
            *(f"{size} {side}-sided effusion at the base ." for side, size in lateral),
        ],
        [
            "no pneumothorax .",
            *(f"{size} {side}-sided pneumothorax at the apex ." for side, size in lateral),
        ],
        ["heart size normal .", "mild cardiomegaly .", "marked cardiomegaly ."],
    ]


def _write_reports(
    present: np.ndarray, side: np.ndarray, zone: np.ndarray, size: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Write all reports at once: look each sentence up, join them, close the gaps."""
    n = len(present)
    variant = np.empty((n, len(KINDS)), dtype=np.int64)
    variant[:, NODULE] = (
        1 + (side[:, NODULE] - 1) * 6 + (zone[:, NODULE] - 1) * 2 + size[:, NODULE] - 1
    )
    for kind in (EFFUSION, PNEUMOTHORAX):
        variant[:, kind] = 1 + (side[:, kind] - 1) * 2 + size[:, kind] - 1
    variant[:, CARDIOMEGALY] = size[:, CARDIOMEGALY]
    variant *= present

    pieces = [np.full((n, 1), BOS_ID)]
    links = [np.full((n, 1), -1)]
    for kind, sentences in enumerate(_sentences()):
        rows = [encode_report(sentence) for sentence in sentences]
        width = max(map(len, rows))
        ids = np.array([row + [PAD_ID] * (width - len(row)) for row in rows])
        silent = [_WORD_TO_ID[word] for word in _NOT_GROUNDED] + [PAD_ID]
        link = np.where(np.isin(ids, silent), -1, kind)
        link[0] = -1  # what is absent has no place in the film
        pieces.append(ids[variant[:, kind]])
        links.append(link[variant[:, kind]])
    pieces.append(np.full((n, 1), EOS_ID))
    links.append(np.full((n, 1), -1))
    token_ids, word_finding = np.concatenate(pieces, axis=1), np.concatenate(links, axis=1)
    order = np.argsort(token_ids == PAD_ID, axis=1, kind="stable")[:, :MAX_REPORT_LENGTH]
    token_ids = np.take_along_axis(token_ids, order, axis=1)
    word_finding = np.take_along_axis(word_finding, order, axis=1)
    return token_ids.astype(np.int64), word_finding.astype(np.int8)


# ----------------------------------------------------------------------------------------- reports


def encode_report(text: str) -> list[int]:
    """Turn a report into token ids: lower case, words at spaces, full stops apart, hyphens kept.

    A word that is not in the vocabulary becomes ``<unk>``, never ``<pad>``: a model ignores
    padding, but it should learn that something unknown stood there.
    """
    words = text.lower().replace(".", " . ").split()
    return [_WORD_TO_ID.get(word, UNK_ID) for word in words]


def decode_report(token_ids: np.ndarray | list[int]) -> str:
    """Turn token ids back into text: up to ``<eos>``, without ``<bos>`` and ``<pad>``."""
    words = []
    for token in np.asarray(token_ids).tolist():
        if token == EOS_ID:
            break
        if token not in (PAD_ID, BOS_ID):
            words.append(VOCABULARY[token])
    return " ".join(words).replace(" .", ".")


def parse_report(token_ids: np.ndarray | list[int]) -> dict[str, tuple[str, str, str]]:
    """Read a report: the findings it asserts, each as ``kind: (side, zone, size)``.

    Sentences that name no finding, or deny it, assert nothing.
    """
    words = {"right-sided": "right", "left-sided": "left", "base": "lower", "apex": "upper"}
    words |= {"mild": "small", "marked": "large"}
    asserted = {}
    for sentence in decode_report(token_ids).split("."):
        tokens = [words.get(word, word) for word in sentence.split()]
        kind = next((word for word in tokens if word in KINDS), None)
        if kind is None or "no" in tokens:
            continue
        side, zone, size = (
            next((word for word in tokens if word in names[1:]), "none")
            for names in (SIDES, ZONES, SIZES)
        )
        asserted[kind] = (side, zone, size)
    return asserted


def token_patch_masks(films: ChestFilms, patch_size: int, *, min_share: float = 0.15) -> np.ndarray:
    """Return for every token the patches it speaks of: bool ``(n, T, N)``, row-major.

    A patch belongs to a finding that covers at least ``min_share`` of it; the patch with the
    largest share always belongs.

    Raises
    ------
    ValueError
        When ``patch_size`` does not divide the film.
    """
    n, kinds, height, width = films.masks.shape
    if patch_size < 1 or height % patch_size or width % patch_size:
        raise ValueError(
            f"patch_size={patch_size} does not divide a film of {height} x {width} pixels"
        )
    rows, columns = height // patch_size, width // patch_size
    blocks = films.masks.reshape(n, kinds, rows, patch_size, columns, patch_size)
    share = blocks.mean(axis=(3, 5), dtype=np.float32).reshape(n, kinds, rows * columns)
    largest = share.max(axis=-1, keepdims=True)
    belongs = (share > 0) & (share >= np.minimum(largest, min_share))
    nothing = np.zeros((n, 1, rows * columns), dtype=bool)
    belongs = np.concatenate([belongs, nothing], axis=1)  # the link -1 picks the last, empty row
    return np.take_along_axis(
        belongs, films.word_finding[:, :, None].astype(np.int64) % (kinds + 1), axis=1
    )


# ------------------------------------------------------------------------------------------ scores


def report_scores(token_ids: np.ndarray, films: ChestFilms) -> dict[str, float]:
    """Score written reports ``(n, L)`` against the first ``n`` films.

    Returns
    -------
    dict
        ``exact``: share of reports that equal the true one. ``finding``: accuracy over films and
        kinds of finding, present or not. ``side``, ``zone``, ``size``: share of the true findings
        for which the report names the right one (a missed finding is wrong); the zone over nodules
        alone, since only they have a choice.
    """
    reports = [decode_report(row) for row in token_ids]
    exact = [ours == theirs for ours, theirs in zip(reports, films.texts(), strict=False)]
    asserted = [parse_report(row) for row in token_ids]
    said = np.array([[kind in found for kind in KINDS] for found in asserted]).reshape(
        -1, len(KINDS)
    )
    scores = {"exact": np.mean(exact), "finding": np.mean(said == films.present[: len(said)])}
    for place, (name, names) in enumerate(_ATTRIBUTES.items()):
        codes = getattr(films, name)[: len(said)]
        right = [
            names.index(asserted[i].get(KINDS[kind], ("",) * 3)[place] or "none") == codes[i, kind]
            for i, kind in np.argwhere(codes > 0)
            if name != "zone" or kind == NODULE
        ]
        scores[name] = np.mean(right) if right else np.nan
    return {name: float(value) for name, value in scores.items()}


def blind_scores(train_films: ChestFilms, films: ChestFilms) -> dict[str, float]:
    """Score a writer without eyes, who always gives the commonest answer in training."""
    texts = train_films.texts()
    commonest = max(set(texts), key=texts.count)
    majority = train_films.present.mean(axis=0) > 0.5
    scores = {
        "exact": np.mean([text == commonest for text in films.texts()]),
        "finding": np.mean(films.present == majority),
    }
    for name in _ATTRIBUTES:
        kinds = [NODULE] if name == "zone" else range(len(KINDS))
        ours, theirs = (
            np.concatenate([getattr(f, name)[f.present[:, k], k] for k in kinds])
            for f in (train_films, films)
        )
        ours, theirs = ours[ours > 0], theirs[theirs > 0]
        scores[name] = np.mean(theirs == np.bincount(ours).argmax())
    return {name: float(value) for name, value in scores.items()}
