"""Read a real chest film into what the models of the course take."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

__all__ = ["read_film"]

SMALLEST = 64  # pixels of the shorter side; below that nothing is left to see


def read_film(path: str | Path, *, image_size: int = 64, inverted: bool = False) -> np.ndarray:
    """Read a frontal chest film: PNG, JPEG, or DICOM where pydicom is installed.

    Grey as it is (8 or 16 bit), turned upright where the file says how, the middle square cut out,
    averaged down, and scaled so that the 1st and 99th percentile become 0 and 1. Nothing is
    guessed: a picture file does not say whether its greys are inverted, so you do.

    Parameters
    ----------
    path
        The file. DICOM is known by its content.
    image_size
        Side of the result in pixels.
    inverted
        Whether air is white in the file. DICOM says so itself (MONOCHROME1).

    Returns
    -------
    numpy.ndarray
        float32 ``(1, image_size, image_size)`` between 0 (black, air) and 1 (white).

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ImportError
        For DICOM without pydicom.
    ValueError
        If it is no picture, is in colour, has several frames, is not a frontal view, is smaller
        than 64 pixels, or has one grey value only.

    References
    ----------
    DICOM PS3.3 (2024), C.7.6.3.1.2 photometric interpretation; C.7.6.1.1.1 patient orientation.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    with path.open("rb") as file:
        dicom = file.read(132)[128:] == b"DICM"
    film = _from_dicom(path) if dicom else _from_picture(path)
    if min(film.shape) < SMALLEST:
        raise ValueError(f"{path}: {film.shape[0]} x {film.shape[1]} pixels are too few")
    low, high = np.percentile(film, (1, 99))
    if not high > low:
        raise ValueError(
            f"{path}: nearly all pixels have one grey value, so there is no film in it"
        )
    side = min(film.shape)
    top, left = ((n - side) // 2 for n in film.shape)
    square = Image.fromarray(film[top : top + side, left : left + side])
    small = np.asarray(square.resize((image_size, image_size), Image.Resampling.BOX))
    scaled = np.clip((small - low) / (high - low), 0, 1).astype(np.float32)
    return (1 - scaled if inverted else scaled)[None]


def _from_picture(path: Path) -> np.ndarray:
    """Grey values (H, W) of a PNG or JPEG as float32."""
    try:
        with Image.open(path) as picture:
            upright = ImageOps.exif_transpose(picture)
            if upright.mode in ("P", "RGBA", "LA", "CMYK", "YCbCr", "1"):
                upright = upright.convert("L" if upright.mode in ("LA", "1") else "RGB")
            pixels = np.asarray(upright).astype(np.float32)
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise ValueError(f"{path}: not a picture that can be read ({error})") from None
    if pixels.ndim == 3:
        if np.ptp(pixels, axis=2).max() > 8:  # a JPEG of a grey film differs by a few
            raise ValueError(f"{path}: in colour; a chest film is grey")
        pixels = pixels.mean(axis=2)
    return pixels


def _from_dicom(path: Path) -> np.ndarray:
    """Grey values (H, W) of a DICOM file as float32, air dark, the patient's right on the left."""
    try:
        import pydicom  # type: ignore[import-not-found]
    except ImportError:
        raise ImportError(f"{path}: DICOM needs pydicom; pip install pydicom") from None
    data = pydicom.dcmread(path)
    kind = data.get("PhotometricInterpretation", "")
    if kind not in ("MONOCHROME1", "MONOCHROME2"):
        raise ValueError(f"{path}: photometric interpretation {kind or 'missing'}, grey is wanted")
    view = data.get("ViewPosition", "")
    if view and view not in ("PA", "AP"):
        raise ValueError(f"{path}: view {view}, a frontal one (PA or AP) is wanted")
    pixels = data.pixel_array.astype(np.float32)
    if pixels.ndim != 2:
        raise ValueError(f"{path}: {pixels.shape[0]} frames, one is wanted")
    rows = str((data.get("PatientOrientation") or ["L"])[0])
    pixels = pixels[:, ::-1] if rows.startswith("R") else pixels  # columns run to the right side
    return np.ascontiguousarray(-pixels if kind == "MONOCHROME1" else pixels)
