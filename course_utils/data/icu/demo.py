"""The open demo of MIMIC-IV: a hundred real patients, fetched from PhysioNet."""

from __future__ import annotations

import gzip
import http.client
import os
import urllib.error
import urllib.request
import zlib
from pathlib import Path

from course_utils.data.icu.mimic import SCHEMA

__all__ = ["DEMO_URL", "fetch_mimic_demo"]

DEMO_URL = "https://physionet.org/files/mimic-iv-demo/2.2"
"""Version 2.2 of the demo; open to everyone under the Open Database License."""


def fetch_mimic_demo(
    folder: str | os.PathLike[str] = "mimic-iv-demo",
    *,
    url: str = DEMO_URL,
    timeout_s: float = 20.0,
) -> Path:
    """Download the tables that :func:`connect_mimic` reads, those that are there already excepted.

    Parameters
    ----------
    folder : where they go, as `hosp/*.csv.gz` and `icu/*.csv.gz`; it is made when missing.
    url : http or https address of the folder that holds `hosp/` and `icu/`.
    timeout_s : longest silence of the server.

    Returns
    -------
    Path
        The folder. A file is there whole or not at all.

    Raises
    ------
    ConnectionError
        In one line with the file's address: no network, no such file, something else than a packed
        table, or half of one.

    References
    ----------
    Johnson et al., "MIMIC-IV Clinical Database Demo" (version 2.2), PhysioNet, 2023,
    doi 10.13026/dp1f-ex47.
    """
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"url={url!r}: wanted an address with http:// or https://")
    root = Path(folder).expanduser()
    for path in SCHEMA:
        name = f"{path}.csv.gz"
        file = root / name
        if not file.is_file():
            table = _fetch(f"{url.rstrip('/')}/{name}", timeout_s)
            file.parent.mkdir(parents=True, exist_ok=True)
            part = file.with_name(f"{file.name}.part")
            part.write_bytes(table)
            part.replace(file)
    return root


def _fetch(address: str, timeout_s: float) -> bytes:
    """Bytes of a packed table."""
    try:
        with urllib.request.urlopen(address, timeout=timeout_s) as answer:
            table: bytes = answer.read()
        gzip.decompress(table)
    except urllib.error.HTTPError as error:
        why = f"the server answers {error.code} ({error.reason})"
    except (EOFError, zlib.error, gzip.BadGzipFile, http.client.IncompleteRead):
        why = "what came is no whole packed table"
    except (OSError, http.client.HTTPException) as error:
        why = str(getattr(error, "reason", error)) or type(error).__name__
    else:
        return table
    raise ConnectionError(f"{address} cannot be fetched: {why}")
