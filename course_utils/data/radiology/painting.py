"""How `make_chest_films` paints: grey values and pixel-true masks, many films at a time.

Coordinates are relative to the chest: x from -1 (left of the film, the patient's right) to 1, y
from -1 (top) to 1 (bottom). Shapes are built from sums, products, roots and comparisons alone,
which are exact to the last bit on every machine, so the masks are the same everywhere.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Anatomy = dict[str, np.ndarray]  # one column (n, 1) for each property
CHUNK = 16  # films painted at a time, so that the working arrays stay in the cache
NODULE, EFFUSION, PNEUMOTHORAX, CARDIOMEGALY = range(4)
RIGHT, LEFT = 1, 2  # the patient's sides
_MARKER_R = np.array(
    [[1, 1, 1, 0], [1, 0, 0, 1], [1, 0, 0, 1], [1, 1, 1, 0], [1, 0, 1, 0], [1, 0, 0, 1]],
    dtype=np.float32,
)


def draw_anatomy(
    side: np.ndarray, zone: np.ndarray, size: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Draw one patient and one exposure per film: a dict of float32 arrays ``(n,)``."""
    n = len(side)

    def uniform(low: float, high: float) -> np.ndarray:
        return (low + (high - low) * rng.random(n)).astype(np.float32)

    anatomy = {
        "shift_x": uniform(-0.05, 0.05),
        "shift_y": uniform(-0.05, 0.05),
        "width": uniform(0.94, 1.04),
        "height": uniform(0.95, 1.05),
        "dome_right": uniform(0.42, 0.50),
        "dome_left": uniform(0.47, 0.55),
        "rib_phase": uniform(0.0, 1.0),
        "rib_slope": uniform(0.24, 0.36),
        "clavicle": uniform(-0.66, -0.58),
        "lung_grey": uniform(0.17, 0.26),
        "bubble": uniform(0.05, 0.10),
        "gain": uniform(0.85, 1.10),
        "offset": uniform(-0.04, 0.05),
        "noise": uniform(0.015, 0.035),
        "marker_x": uniform(0.02, 0.07),
        "marker_y": uniform(0.03, 0.16),
    }
    # Cardiothoracic ratio: heart width over the inner width of the chest, up to 0.5 is normal.
    u = uniform(0.0, 1.0)
    heart = size[:, CARDIOMEGALY]
    ratio = np.choose(heart, [0.40 + 0.07 * u, 0.54 + 0.05 * u, 0.66 + 0.05 * u])
    anatomy["heart"] = (ratio * 0.80).astype(np.float32)  # half-width; the chest's is 0.80
    anatomy |= _place_nodule(side[:, NODULE], zone[:, NODULE], size[:, NODULE], uniform)
    u = uniform(0.0, 1.0)
    anatomy["fluid"] = np.where(size[:, EFFUSION] == 2, 0.42 + 0.14 * u, 0.14 + 0.06 * u)
    u = uniform(0.0, 1.0)
    anatomy["air"] = np.where(size[:, PNEUMOTHORAX] == 2, 0.25 + 0.08 * u, 0.10 + 0.04 * u)
    return {name: np.asarray(values, dtype=np.float32) for name, values in anatomy.items()}


def _place_nodule(
    side: np.ndarray,
    zone: np.ndarray,
    size: np.ndarray,
    uniform: Callable[[float, float], np.ndarray],
) -> dict[str, np.ndarray]:
    """Put the nodule into aerated lung: beside the heart, inside the ribs."""
    zone = zone.astype(np.int64)
    top = np.array([0.0, -0.52, -0.17, 0.18], dtype=np.float32)[zone]
    inner = np.array([0.0, 0.24, 0.32, 0.38], dtype=np.float32)[zone]
    outer = np.array([0.0, 0.40, 0.56, 0.60], dtype=np.float32)[zone]
    inner = np.where((side == LEFT) & (zone == 3), np.float32(0.54), inner)
    depth = inner + (outer - inner) * uniform(0.0, 1.0)
    small, large = uniform(0.055, 0.070), uniform(0.115, 0.140)
    return {
        "nodule_x": np.where(side == LEFT, depth, -depth),
        "nodule_y": top + 0.17 * uniform(0.0, 1.0),
        "nodule_radius": np.where(size == 2, large, small),
        "nodule_contrast": uniform(0.20, 0.30),
    }


def paint_films(
    present: np.ndarray,
    side: np.ndarray,
    size: np.ndarray,
    anatomy: dict[str, np.ndarray],
    image_size: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Paint all films: grey values ``(n, 1, S, S)`` and masks ``(n, 4, S, S)``."""
    n = len(present)
    images = np.empty((n, 1, image_size, image_size), dtype=np.float32)
    masks = np.zeros((n, 4, image_size, image_size), dtype=bool)
    for start in range(0, n, CHUNK):
        rows = slice(start, start + CHUNK)
        chunk = {name: values[rows, None] for name, values in anatomy.items()}
        _paint_chunk(images[rows, 0], masks[rows], present[rows], side[rows], chunk, rng)
    return images, masks


def _soft(depth: np.ndarray, sharpness: float) -> np.ndarray:
    """Turn a signed depth (positive inside) into a coverage between 0 and 1, in place."""
    depth *= np.float32(sharpness)
    depth += np.float32(0.5)
    return np.clip(depth, 0, 1, out=depth)


def _blend(image: np.ndarray, cover: np.ndarray, grey: np.ndarray | float) -> None:
    """Move the image towards a grey value where a shape covers it."""
    image += cover * (grey - image)


def _paint_chunk(
    image: np.ndarray,
    masks: np.ndarray,
    present: np.ndarray,
    side: np.ndarray,
    a: Anatomy,
    rng: np.random.Generator,
) -> None:
    """Paint one chunk in place. ``a`` holds the anatomy as ``(n, 1)`` columns."""
    n, size = image.shape[:2]
    grid = ((np.arange(size, dtype=np.float32) + np.float32(0.5)) * np.float32(2 / size)) - 1
    x = (grid - a["shift_x"]) / a["width"]  # (n, S) along columns
    y = (grid - a["shift_y"]) / a["height"]  # (n, S) along rows
    sharp = size / 4.0  # an edge is about two pixels wide
    distance = np.abs(x)[:, None, :]

    shoulders = 0.98 - 0.66 * np.clip((-0.62 - y) * 2.6, 0, 1) ** 2
    np.subtract(shoulders[:, :, None], distance, out=image)
    _soft(image, sharp)
    image *= (0.50 + 0.14 * y)[:, :, None]
    image += np.float32(0.02)

    # Lungs: narrow apex, wide base, cut from below by a dome that falls off towards the ribs.
    wall = 0.80 * np.sqrt(np.clip(1 - ((y - 0.42) / 1.22) ** 2, 0, 1))  # (n, S)
    dome = np.where(x < 0, a["dome_right"], a["dome_left"]) + 0.9 * (np.abs(x) - 0.34) ** 2
    to_wall = wall[:, :, None] - distance
    depth = np.minimum(to_wall, distance - np.float32(0.13))
    np.minimum(depth, dome[:, None, :] - y[:, :, None], out=depth)
    in_lung = depth > 0
    lung = _soft(depth, sharp)

    # Vessels fan out from the hila and fade towards the ribs.
    coarse = rng.random((n, size // 4, size // 4), dtype=np.float32)
    texture = np.zeros_like(image)
    texture[:, : size // 4 * 4, : size // 4 * 4] = coarse.repeat(4, axis=1).repeat(4, axis=2)
    hilum = ((np.abs(x) - 0.20) ** 2 * 4)[:, None, :] + ((y + 0.02) ** 2 * 3)[:, :, None]
    texture *= np.float32(0.07)
    texture += np.clip(1 - hilum, 0, 1, out=hilum) * np.float32(0.14)
    grey = a["lung_grey"][:, :, None] + texture
    _blend(image, lung, grey)

    rows = np.flatnonzero(present[:, PNEUMOTHORAX])
    if len(rows):
        _pneumothorax(image, masks, rows, side, a, x, y, to_wall, in_lung, lung, sharp)

    # Spine, great vessels, aortic knob; the windpipe is a dark stripe in them.
    band = 0.13 + 0.05 * np.clip(y + 0.2, 0, 1) + 0.04 * np.clip(1 - ((y + 0.42) * 7) ** 2, 0, 1)
    cover = _soft(band[:, :, None] - distance, sharp)
    _blend(image, cover, 0.66)
    image -= _soft(0.045 - distance, sharp) * np.clip(-0.30 - y, 0, 0.2)[:, :, None]

    low, middle = size // 4, size // 2  # the heart lies below here, the bubble in the last quarter
    heart = _heart(image[:, low:], a, x, y[:, low:], sharp)
    masks[:, CARDIOMEGALY, low:] = heart & present[:, CARDIOMEGALY, None, None]
    _stomach_bubble(image[:, middle:, middle:], a, x[:, middle:], y[:, middle:], sharp)

    rows = np.flatnonzero(present[:, EFFUSION])
    if len(rows):
        _effusion(image, masks, rows, side, a, x, y, wall, in_lung, sharp)
    rows = np.flatnonzero(present[:, NODULE])
    if len(rows):
        _nodule(image, masks, rows, a, x, y, sharp)

    _ribs(image, a, x, y, to_wall, sharp)
    _clavicles(image[:, :middle], a, x, y[:, :middle])
    _expose(image, a, rng)


def _on_side(side: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return which columns lie on the patient's ``side``: ``(n, S)``."""
    return np.where((side == LEFT)[:, None], x > 0, x < 0)


def _pneumothorax(
    image: np.ndarray,
    masks: np.ndarray,
    rows: np.ndarray,
    side: np.ndarray,
    a: Anatomy,
    x: np.ndarray,
    y: np.ndarray,
    to_wall: np.ndarray,
    in_lung: np.ndarray,
    lung: np.ndarray,
    sharp: float,
) -> None:
    """Free air between chest wall and lung: black, no vessels, a thin pleural line."""
    # The gap is widest at the apex and closes towards the base.
    air = a["air"][rows]
    end = 2.6 * air - 0.18  # how far down it reaches
    gap = (
        air * (0.25 + 1.1 * np.clip(end - y[rows], -0.4, 1))
        + air * np.clip(-0.45 - y[rows], 0, 1) * 4
    )
    inside = gap[:, :, None] - to_wall[rows]
    here = _on_side(side[rows, PNEUMOTHORAX], x[rows])[:, None, :]
    masks[rows, PNEUMOTHORAX] = (inside > 0) & in_lung[rows] & here
    line = np.clip(1 - np.abs(inside) * np.float32(sharp * 1.2), 0, 1)
    cover = _soft(inside, sharp) * lung[rows] * here
    part = image[rows]
    _blend(part, cover, 0.09)
    part += line * lung[rows] * here * np.float32(0.18)
    image[rows] = part


def _heart(image: np.ndarray, a: Anatomy, x: np.ndarray, y: np.ndarray, sharp: float) -> np.ndarray:
    """Paint the heart, two thirds of it left of the midline; return its pixels."""
    half = a["heart"]
    dx = (x - half * 0.28) / half
    dy = (y - 0.24) / (0.22 + 0.36 * half)
    square = (dx**2)[:, None, :] + (dy**2)[:, :, None]
    square -= (dy * np.float32(0.7))[:, :, None] * dx[:, None, :]  # the apex points down and left
    inside = np.minimum(1 - square, ((0.62 - y) * 4)[:, :, None])  # it rests on the diaphragm
    pixels = inside > 0
    inside *= (half * np.float32(0.5))[:, :, None]
    _blend(image, _soft(inside, sharp), 0.66)
    return pixels


def _stomach_bubble(
    image: np.ndarray, a: Anatomy, x: np.ndarray, y: np.ndarray, sharp: float
) -> None:
    """Paint the air in the stomach, under the left dome: dark, and no finding."""
    radius = a["bubble"]
    square = (((x - 0.40) / 1.5) ** 2)[:, None, :] + ((y - a["dome_left"] - 0.19) ** 2)[:, :, None]
    inside = radius[:, :, None] - np.sqrt(square)
    _blend(image, _soft(inside, sharp), 0.12)


def _effusion(
    image: np.ndarray,
    masks: np.ndarray,
    rows: np.ndarray,
    side: np.ndarray,
    a: Anatomy,
    x: np.ndarray,
    y: np.ndarray,
    wall: np.ndarray,
    in_lung: np.ndarray,
    sharp: float,
) -> None:
    """Fluid at the base: as bright as soft tissue, its edge climbs along the chest wall."""
    distance = np.abs(x[rows])
    outwards = distance / 0.7
    level = 0.66 - a["fluid"][rows] - 0.55 * a["fluid"][rows] * outwards * outwards * outwards
    level += 0.30 * np.clip(0.30 - a["fluid"][rows], 0, 1) * np.clip(0.75 - distance, 0, 1) * 3
    inside = y[rows][:, :, None] - level[:, None, :]
    here = _on_side(side[rows, EFFUSION], x[rows])[:, None, :]
    fluid = inside > 0
    masks[rows, EFFUSION] = fluid & in_lung[rows] & here
    walls = np.minimum(wall[rows][:, :, None] - distance[:, None, :], distance[:, None, :] - 0.13)
    walls = np.minimum(walls, (0.95 - y[rows])[:, :, None])
    np.minimum(inside, walls, out=inside)
    part = image[rows]
    _blend(part, _soft(inside, sharp * 0.7) * here, 0.62)
    image[rows] = part


def _nodule(
    image: np.ndarray,
    masks: np.ndarray,
    rows: np.ndarray,
    a: Anatomy,
    x: np.ndarray,
    y: np.ndarray,
    sharp: float,
) -> None:
    """Paint a round spot, denser than lung."""
    square = ((x[rows] - a["nodule_x"][rows]) ** 2)[:, None, :]
    square = square + ((y[rows] - a["nodule_y"][rows]) ** 2)[:, :, None]
    inside = a["nodule_radius"][rows][:, :, None] - np.sqrt(square)
    masks[rows, NODULE] = inside > 0
    part = image[rows]
    part += _soft(inside, sharp * 0.8) * a["nodule_contrast"][rows][:, :, None]
    image[rows] = part


def _ribs(
    image: np.ndarray, a: Anatomy, x: np.ndarray, y: np.ndarray, to_wall: np.ndarray, sharp: float
) -> None:
    """Paint ribs that slope down towards the side."""
    distance = np.abs(x)
    phase = (y * 4.2 + a["rib_phase"])[:, :, None]
    phase = phase - ((distance - 0.1) ** 2 * a["rib_slope"] * 12)[:, None, :]
    phase -= np.floor(phase)
    phase -= np.float32(0.5)
    np.abs(phase, out=phase)
    ribs = np.clip((np.float32(0.17) - phase) * 8, 0, 1)
    ribs *= _soft(to_wall + np.float32(0.03), sharp)
    ribs *= (0.075 * np.clip((0.62 - y) * 4, 0, 1))[:, :, None]
    image += ribs


def _clavicles(image: np.ndarray, a: Anatomy, x: np.ndarray, y: np.ndarray) -> None:
    """Paint the collar bones, which rise towards the shoulders."""
    distance = np.abs(x)
    line = (y - a["clavicle"])[:, :, None] + (0.22 * distance)[:, None, :]
    bar = np.clip(1.6 - np.abs(line, out=line) * np.float32(26), 0, 1)
    ends = np.clip((distance - 0.10) * 12, 0, 1) * np.clip((0.72 - distance) * 12, 0, 1)
    image += bar * (0.13 * ends)[:, None, :]


def _expose(image: np.ndarray, a: Anatomy, rng: np.random.Generator) -> None:
    """Develop the film: the radiographer's R, exposure, grain."""
    n, size = image.shape[:2]
    stamp = np.kron(_MARKER_R, np.ones((size // 64 or 1, size // 64 or 1), dtype=np.float32))
    height, width = stamp.shape
    top = (a["marker_y"][:, 0] * size).astype(np.int64)
    left = (a["marker_x"][:, 0] * size).astype(np.int64)
    film = np.arange(n)[:, None, None]
    at_row = (top[:, None] + np.arange(height))[:, :, None]
    at_column = (left[:, None] + np.arange(width))[:, None, :]
    image *= a["gain"][:, :, None]
    image += a["offset"][:, :, None]
    image[film, at_row, at_column] = np.maximum(image[film, at_row, at_column], stamp * 0.92)
    grain = rng.standard_normal(image.shape, dtype=np.float32)
    grain *= a["noise"][:, :, None]
    image += grain
    np.clip(image, 0, 1, out=image)
