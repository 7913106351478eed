"""Measure the claims of the notebooks over seeds, and the speed of the library.

Claims: every notebook is executed with ``COURSE_SEED=0..n-1``; the figures that it claims go, with
date and machine, into ``course_utils/assets/bands``. Speed: ratios within one run, on one thread,
into ``benchmarks/results.json``. Both end in ``docs/performance.md``; ``docs/claims.md`` is the
ledger of the claims, with their controls and verdicts. Finished runs are kept in ``build/bench``
and not repeated while the notebook's source and the library stay the same; bands and results are
replaced at once, after the last seed, so an interrupted run changes none of them.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import importlib
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

from benchmarks import cells, class_scale, ledger
from classroom.authoring.build import execute
from classroom.authoring.source import course_root, notebook_names, read_source
from classroom.files import write_whole
from course_utils import claims

ROOT = course_root()
KEPT = ROOT / "build" / "bench"
RESULTS = Path(__file__).with_name("results.json")
BANDS = ROOT / "course_utils" / "assets" / "bands"
SPEED = (
    "layers",
    "generators",
    "loops",
    "embeddings",
    "checks",
    "library",
    "icu_cohort",
    "icu_step",
)


def stamp() -> dict[str, str]:
    """Date and machine of a measurement."""
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    machine = f"{platform.machine()}, {cores} cores, one thread, torch {torch.__version__}"
    if torch.cuda.is_available():
        machine += f", {torch.cuda.get_device_name()}"
    return {"date": datetime.date.today().isoformat(), "machine": machine}


def state_of(name: str) -> str:
    """Hash of a notebook's code cells and of the library's code; prose changes no figure."""
    cells = read_source(ROOT, name).notebook.cells
    code = "\0".join(cell.source for cell in cells if cell.cell_type == "code")
    digest = hashlib.sha256(code.encode())
    for path in sorted((ROOT / "course_utils").rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def run_seed(name: str, seed: int) -> dict[str, Any]:
    """Execute a notebook with one seed, or take the kept result."""
    kept = KEPT / f"{name}-{seed}-{state_of(name)}.json"
    if kept.exists():
        return json.loads(kept.read_text())
    notebook = read_source(ROOT, name).notebook
    folder = ROOT / "solutions" / name
    run = execute(notebook, f"{name}, seed {seed}", folder=folder, strict=False, seed=seed)
    result = {
        "cpu_seconds": run.cpu_seconds,
        "claims": {claim["name"]: claim["value"] for claim in run.claims},
        "controls": {c["name"]: c["control"] for c in run.claims if "control" in c},
    }
    write_whole(kept, json.dumps(result))
    return result


def measure_claims(name: str, seeds: int, *, narrow: bool = False) -> dict[str, Any]:
    """Run a notebook over seeds, note the figures in its bands; return the CPU seconds.

    With ``narrow``, bands that are wider than the seeds justify are drawn in.
    """
    runs = [run_seed(name, seed) for seed in range(seeds)]
    path = BANDS / f"{name}.json"
    if path.exists():
        bands = json.loads(path.read_text())
        for key, band in bands.items():
            values = [round(run["claims"][key], 4) for run in runs if key in run["claims"]]
            band["measured"] = {"values": values, "seeds": list(range(seeds)), **stamp()}
            controls = [round(r["controls"][key], 4) for r in runs if key in r.get("controls", {})]
            if controls:
                band["measured"]["controls"] = controls
            outside = [v for v in values if not claims.inside(v, band)]
            spread = f"{min(values):.3f} to {max(values):.3f}" if values else "never claimed"
            print(f"  {key}: {spread}{'  OUTSIDE ITS BAND' if outside or not values else ''}")
            limits = ledger.narrowed(band)
            if limits != {"low": band["low"], "high": band["high"]} and not outside:
                print(f"    wider than the seeds justify: {claims.words(limits)} would do")
                if narrow:
                    band.update(limits)
            if "control" in band:
                print(f"    {ledger.causal_row(band)}")
        write_whole(path, json.dumps(bands, indent=2, ensure_ascii=False) + "\n")
    seconds = [round(run["cpu_seconds"], 1) for run in runs]
    return {"cpu_seconds": seconds, **stamp()}


def write_page(results: dict[str, Any]) -> None:
    """Write ``docs/performance.md`` and ``docs/claims.md`` from the results and the bands."""
    lines = [
        "# Performance",
        "",
        "Written by `make bench`. Times are CPU time on one thread; speeds are ratios in one run.",
        "",
    ]
    for name in SPEED:
        if name in results:
            part = results[name]
            title = name.replace("_", " ").capitalize()
            lines += [f"## {title}", "", f"{part['date']}, {part['machine']}.", ""]
            lines += ["| measured | value |", "| --- | ---: |"]
            lines += [f"| {key} | {value:.3f} |" for key, value in part["values"].items()]
            lines.append("")
    if "cells" in results:
        lines += cells.page(results["cells"])
    if class_scale.RESULTS.exists():
        lines += class_scale.table(json.loads(class_scale.RESULTS.read_text()))
    for name in notebook_names(ROOT):
        path = BANDS / f"{name}.json"
        if name not in results.get("notebooks", {}):
            continue
        run = results["notebooks"][name]
        seconds = run["cpu_seconds"]
        lines += [f"## {name}", "", f"{run['date']}, {run['machine']}."]
        lines += [
            f"CPU seconds: {min(seconds):.0f} to {max(seconds):.0f} over {len(seconds)} runs.",
            "",
        ]
        if path.exists():
            lines += [
                "| figure | band | seeds | lowest | highest |",
                "| --- | --- | ---: | ---: | ---: |",
            ]
            lines += [band_row(band) for band in json.loads(path.read_text()).values()]
            lines.append("")
    write_whole(ROOT / "docs" / "performance.md", "\n".join(lines).rstrip() + "\n")
    tables = {path.stem: json.loads(path.read_text()) for path in sorted(BANDS.glob("*.json"))}
    write_whole(ROOT / "docs" / "claims.md", ledger.page(tables))


def band_row(band: dict[str, Any]) -> str:
    """One row of the table of figures."""
    values = band.get("measured", {}).get("values", [])
    ends = f"{min(values):.3f} | {max(values):.3f}" if values else "| "
    return f"| {band['what']} | {claims.words(band)} | {len(values)} | {ends} |"


def main() -> int:
    """Run what was asked for; the exit status is 0."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    choices = [*SPEED, "cells", *notebook_names(ROOT)]
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=choices, help="these parts instead of all")
    parser.add_argument(
        "--page", action="store_true", help="measure nothing, write the page from what is kept"
    )
    parser.add_argument(
        "--narrow", action="store_true", help="draw in bands that are wider than the seeds justify"
    )
    options = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if options.page:
        write_page(results)
        return 0
    for part in options.only or choices:
        print(part, flush=True)
        if part == "cells":
            results[part] = {"notebooks": cells.measure(), **stamp()}
        elif part in SPEED:
            values = importlib.import_module(f"benchmarks.{part}").measure()
            results[part] = {"values": {k: round(v, 3) for k, v in values.items()}, **stamp()}
            for key, value in values.items():
                print(f"  {value:9.3f}  {key}")
        else:
            notebooks = results.setdefault("notebooks", {})
            notebooks[part] = measure_claims(part, options.seeds, narrow=options.narrow)
        write_whole(RESULTS, json.dumps(results, indent=2) + "\n")
        write_page(results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
