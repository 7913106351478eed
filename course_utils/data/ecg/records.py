"""Real electrocardiograms with beat annotations, read by `wfdb` from a folder or from PhysioNet."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

import numpy as np

from course_utils.data.ecg.ecg import ECG

__all__ = ["BEAT_SYMBOLS", "read_record"]

BEAT_SYMBOLS = frozenset("NLRBAaJSVrFejnE/fQ?")
"""Annotation symbols that mark a beat; all others mark rhythm changes, noise and the like."""


def read_record(
    name: str = "100",
    *,
    folder: str | os.PathLike[str] | None = None,
    database: str = "mitdb",
    start_s: float = 0.0,
    duration_s: float | None = 60.0,
    annotator: str = "atr",
) -> ECG:
    """Read one record with its beats, as :func:`course_utils.data.ecg.make_ecg` would return it.

    Parameters
    ----------
    name : name of the record, without extension.
    folder : folder that holds `name.hea`, `name.dat` and `name.atr`; None asks PhysioNet's
        `database`.
    start_s, duration_s : the part that is read; None reads to the end.
    annotator : extension of the annotation file.

    Returns
    -------
    ECG with n = 1: `signals` (1, L, T) in the record's units, `clean` the same, true `r_peaks`,
    `beat_types` 1 for ventricular ectopic beats (V and E). `wave_peaks` knows R alone; `rhythm` and
    `heart_rate` are -1 and nan, for nobody wrote them down.

    Raises
    ------
    ImportError
        When `wfdb` is not installed.
    FileNotFoundError
        When the record is not there, or PhysioNet cannot be reached.

    References
    ----------
    Moody and Mark (2001), The impact of the MIT-BIH Arrhythmia Database, IEEE EMB Magazine 20(3).
    Goldberger et al. (2000), PhysioBank, PhysioToolkit, and PhysioNet, Circulation 101(23).
    """
    import wfdb

    place = name if folder is None else str(Path(folder) / name)
    remote = None if folder is not None else database
    if folder is not None and not Path(f"{place}.hea").is_file():
        raise FileNotFoundError(f"folder={str(folder)!r} holds no record {name!r} ({name}.hea)")
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            header = wfdb.rdheader(place, pn_dir=remote)
            first = round(start_s * header.fs)
            last = header.sig_len
            if duration_s is not None:
                last = min(last, first + round(duration_s * header.fs))
            record = wfdb.rdrecord(place, sampfrom=first, sampto=last, pn_dir=remote)
            notes = wfdb.rdann(
                place, annotator, sampfrom=first, sampto=last, pn_dir=remote, shift_samps=True
            )
    except FileNotFoundError:
        raise
    except Exception as error:  # wfdb passes on whatever its network layer raises
        raise FileNotFoundError(
            f"record {name!r} cannot be read: {type(error).__name__}"
        ) from error
    symbols = np.array(notes.symbol, dtype=str)
    keep = np.isin(symbols, sorted(BEAT_SYMBOLS)) & (notes.sample < last - first)
    r_peaks = notes.sample[keep].astype(np.int64)[None]
    signals = record.p_signal.T[None].astype(np.float32)
    waves = np.full((*r_peaks.shape, 5), -1, dtype=np.int64)
    waves[..., 2] = r_peaks
    return ECG(
        signals=signals,
        clean=signals,
        r_peaks=r_peaks,
        beat_types=np.isin(symbols[keep], ["V", "E"]).astype(np.int8)[None],
        wave_peaks=waves,
        rhythm=np.array([-1]),
        heart_rate=np.array([np.nan]),
        inverted=np.array([False]),
        sampling_rate=float(record.fs),
        leads=tuple(record.sig_name),
    )
