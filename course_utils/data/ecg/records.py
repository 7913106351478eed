"""Real electrocardiograms with beat annotations, read by `wfdb` from a folder or from PhysioNet."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from course_utils.data.ecg.ecg import ECG, score_r_peaks

if TYPE_CHECKING:
    from wfdb import Annotation, Record

__all__ = ["BEAT_SYMBOLS", "flutter_episodes", "read_record", "score_records"]

BEAT_SYMBOLS = frozenset("NLRBAaJSVrFejnE/fQ?")
"""Annotation symbols that mark a beat; all others mark rhythm changes, noise and the like.

`wfdb` counts the waves of ventricular flutter ("!") as beats too. Here they are none: they lie in
episodes that the standard leaves out of the count, see :func:`flutter_episodes`.
"""

_MILLIVOLTS = {"mV": 1.0, "uV": 1e-3, "µV": 1e-3, "V": 1e3}


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
    ECG with n = 1: `signals` (1, L, T) in mV, channels of other units left out; `clean` the same,
    true `r_peaks`, `beat_types` 1 for ventricular ectopic beats (V and E). `wave_peaks` knows R
    alone; `rhythm` and `heart_rate` are -1 and nan, for nobody wrote them down.

    Raises
    ------
    ImportError
        When `wfdb` is not installed.
    FileNotFoundError
        When the record or its annotations are not there, or PhysioNet cannot be reached.
    ValueError
        When the part lies outside the record, no channel is a voltage, or samples are missing.

    References
    ----------
    Moody and Mark (2001), The impact of the MIT-BIH Arrhythmia Database, IEEE EMB Magazine 20(3).
    Goldberger et al. (2000), PhysioBank, PhysioToolkit, and PhysioNet, Circulation 101(23).
    """
    import wfdb

    place = name if folder is None else str(Path(folder) / name)
    remote = None if folder is not None else database
    for ending, what in (("hea", "record"), (annotator, "annotations of")):
        if folder is not None and not Path(f"{place}.{ending}").is_file():
            raise FileNotFoundError(
                f"folder={str(folder)!r} holds no {what} {name!r} ({name}.{ending})"
            )
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            header = wfdb.rdheader(place, pn_dir=remote)
            first, last = _part(header, name, start_s, duration_s)
            record = wfdb.rdrecord(place, sampfrom=first, sampto=last, pn_dir=remote)
            notes = wfdb.rdann(
                place, annotator, sampfrom=first, sampto=last, pn_dir=remote, shift_samps=True
            )
        signals, leads = _voltages(record, name)
    except (FileNotFoundError, _UnfitError):
        raise
    except Exception as error:  # wfdb passes on whatever its network layer raises
        raise FileNotFoundError(
            f"record {name!r} cannot be read: {type(error).__name__}"
        ) from error
    symbols = np.array(notes.symbol, dtype=str)
    keep = np.isin(symbols, sorted(BEAT_SYMBOLS)) & (notes.sample < last - first)
    r_peaks = notes.sample[keep].astype(np.int64)[None]
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
        leads=leads,
    )


class _UnfitError(ValueError):
    """A record that can be read and not be used."""


def _part(header: Record, name: str, start_s: float, duration_s: float | None) -> tuple[int, int]:
    """First sample, and the one behind the last."""
    first, last = round(start_s * header.fs), header.sig_len
    if duration_s is not None:
        last = min(last, first + round(duration_s * header.fs))
    if not 0 <= first < last:
        raise _UnfitError(
            f"start_s={start_s:g}, duration_s={duration_s}: record {name!r} lasts "
            f"{header.sig_len / header.fs:.0f} s"
        )
    return first, last


def _voltages(record: Record, name: str) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Channels that are voltages, (1, L, T) in mV, and their names."""
    chosen = [i for i, unit in enumerate(record.units) if unit in _MILLIVOLTS]
    if not chosen:
        units = ", ".join(sorted(set(record.units)))
        raise _UnfitError(f"record {name!r} holds no voltage, its units are {units}")
    scale = np.array([_MILLIVOLTS[record.units[i]] for i in chosen])
    signals = (record.p_signal[:, chosen] * scale).T[None].astype(np.float32)
    for i, lead in zip(chosen, signals[0], strict=True):
        if missing := int(np.isnan(lead).sum()):
            raise _UnfitError(
                f"record {name!r}, lead {record.sig_name[i]}: {missing} samples are missing"
            )
    return signals, tuple(record.sig_name[i] for i in chosen)


def flutter_episodes(
    name: str, folder: str | os.PathLike[str], *, annotator: str = "atr"
) -> NDArray[np.int64]:
    """First and last sample of each episode of ventricular flutter or fibrillation, (n, 2).

    The standard for such tests leaves them out: no single beat can be found there.

    References
    ----------
    ANSI/AAMI EC57 (2012), Testing and reporting performance results of cardiac rhythm and ST
    segment measurement algorithms.
    """
    import wfdb

    notes: Annotation = wfdb.rdann(str(Path(folder) / name), annotator)
    symbols = np.array(notes.symbol, dtype=str)
    start, stop = (notes.sample[symbols == mark] for mark in "[]")
    if len(start) > len(stop):  # it lasts to the end of the record
        stop = np.append(stop, np.iinfo(np.int64).max)
    return np.stack([start, stop], axis=1).astype(np.int64)


def score_records(
    detector: Callable[[NDArray[Any], float], NDArray[np.int64]],
    folder: str | os.PathLike[str],
    *,
    tolerances_ms: Sequence[float] = (50.0, 150.0),
) -> pd.DataFrame:
    """Score a detector on each record of a folder, lead by lead.

    A record that cannot be used costs one printed line: see :func:`read_record`; or its rate is
    not 125-1000 Hz, it lasts less than 5 s, or nobody marked a beat in it.

    Returns
    -------
    DataFrame with a row for each `record`, `channel` (from 1) and `lead` (its index): `beats`, and
    for each tolerance the numbers `missed`, `false`, and `in flutter`, those false ones that lie in
    :func:`flutter_episodes`.
    """
    rows = {}
    for name in sorted(file.stem for file in Path(folder).glob("*.hea")):
        try:
            record = read_record(name, folder=folder, duration_s=None)
            _usable(record, name)
        except (FileNotFoundError, ValueError) as error:
            print(f"{name} is skipped: {error}.")
            continue
        beats, rate, episodes = (
            record.beats(0),
            record.sampling_rate,
            flutter_episodes(name, folder),
        )
        for channel, lead in enumerate(record.leads):
            found = detector(record.signals[0, channel], rate)
            calm = found[
                ~((found[:, None] >= episodes[:, 0]) & (found[:, None] <= episodes[:, 1])).any(
                    axis=1
                )
            ]
            row = {"beats": len(beats)}
            for tolerance in tolerances_ms:
                score = score_r_peaks(beats, found, rate, tolerance_ms=tolerance)
                outside = score_r_peaks(beats, calm, rate, tolerance_ms=tolerance)
                wrong = int(score["found"] - score["matched"])
                row[f"missed, {tolerance:g} ms"] = int(score["true"] - score["matched"])
                row[f"false, {tolerance:g} ms"] = wrong
                row[f"in flutter, {tolerance:g} ms"] = wrong - int(
                    outside["found"] - outside["matched"]
                )
            rows[name, channel + 1, lead] = row
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index = pd.MultiIndex.from_tuples(rows, names=["record", "channel", "lead"])
    return table


def _usable(record: ECG, name: str) -> None:
    rate, seconds = record.sampling_rate, record.signals.shape[-1] / record.sampling_rate
    if not 125.0 <= rate <= 1000.0:
        raise ValueError(f"record {name!r} has {rate:g} Hz, wanted 125 to 1000")
    if seconds < 5.0:
        raise ValueError(f"record {name!r} lasts {seconds:.1f} s, wanted at least 5")
    if not len(record.beats(0)):
        raise ValueError(f"nobody marked a beat in record {name!r}")
