"""The packages of the course resolve under the versions that Colab has preinstalled.

pip's resolver runs for other Pythons than this one, without installing. The answer is kept in
``build/`` for a week, as long as the ranges and the versions stay the same.
"""

import hashlib
import json
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VERSIONS = ROOT / "tests" / "colab" / "colab-2026-08.txt"
PYTHONS = ("3.12", "3.13")
WEEK = 7 * 24 * 3600
NO_INDEX = ("NameResolutionError", "ConnectionError", "NewConnectionError", "ConnectTimeout")


def ranges():
    """What a student's installation asks for, with the extra for notebook 03."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [*project["dependencies"], *project["optional-dependencies"]["ecg"]]


def colab():
    """Package -> version on Colab."""
    rows = [r for r in VERSIONS.read_text().splitlines() if r[:1] not in ("#", "")]
    return dict(row.split("==") for row in rows)


def resolve(python, folder):
    """Start pip's resolver for a Python version; its report goes to ``folder``."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed"]
    command += ["--quiet", "--python-version", python, "--only-binary=:all:", "--no-input"]
    command += ["--target", str(folder / "x"), "--report", str(folder / f"{python}.json")]
    command += ["--retries", "1", "--timeout", "20", "--constraint", str(VERSIONS), *ranges()]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def resolved(tmp_path_factory):
    """Python -> package -> version that pip would install."""
    asked = json.dumps([PYTHONS, ranges(), VERSIONS.read_text()])
    kept = ROOT / "build" / f"colab-{hashlib.sha256(asked.encode()).hexdigest()[:12]}.json"
    if kept.exists() and time.time() - kept.stat().st_mtime < WEEK:
        return json.loads(kept.read_text())
    folder = tmp_path_factory.mktemp("resolver")
    running = {python: resolve(python, folder) for python in PYTHONS}
    answer = {}
    for python, process in running.items():
        _, errors = process.communicate()
        if process.returncode and any(word in errors for word in NO_INDEX):
            pytest.skip("no network: pip's resolver was not asked")
        assert process.returncode == 0, errors[-3000:]
        report = json.loads((folder / f"{python}.json").read_text())
        found = [item["metadata"] for item in report["install"]]
        answer[python] = {m["name"].lower(): m["version"] for m in found}
    kept.parent.mkdir(exist_ok=True)
    kept.write_text(json.dumps(answer))
    return answer


@pytest.mark.parametrize("python", PYTHONS)
def test_the_course_resolves_under_the_versions_of_colab(resolved, python):
    found = resolved[python]
    preinstalled = {n: v for n, v in colab().items() if n != "ipykernel"}  # no dependency of ours
    assert {name: found.get(name) for name in preinstalled} == preinstalled
    assert {"captum", "neurokit2", "wfdb", "pywavelets"} <= found.keys()


def test_what_the_installation_cell_adds_is_what_colab_lacks(resolved):
    """With ``--no-deps`` nothing may be forgotten that the added packages import."""
    from packaging.requirements import Requirement

    from classroom.authoring.common_cells import NEEDS

    added = {package for needs in NEEDS.values() for package in needs.values()}
    asked = {Requirement(row).name.lower() for row in ranges()}
    assert asked - colab().keys() - added <= {"tokenizers", "safetensors", "tqdm"}  # transformers'
    for found in resolved.values():
        assert added <= found.keys()
