"""``make test-gpu`` where there is no GPU: one clear line, and a failure only when asked for."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "test_gpu.py"


@pytest.mark.parametrize(("arguments", "status"), [([], 0), (["--require"], 1)])
def test_without_a_device_nothing_is_run(arguments, status):
    done = subprocess.run(
        [sys.executable, TOOL, *arguments],
        capture_output=True,
        text=True,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": ""},
    )
    assert done.returncode == status, done.stderr
    assert done.stdout.splitlines()[-1] == "test-gpu: no CUDA device here, nothing was run"


def test_an_unknown_notebook_is_named():
    done = subprocess.run([sys.executable, TOOL, "99_none"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "NOTEBOOK must be one of" in done.stderr


@pytest.mark.parametrize("before", [None, f"{os.sep}a{os.pathsep}{os.sep}b"])
def test_the_search_path_is_extended(before, monkeypatch):
    spec = importlib.util.spec_from_file_location("gpu_tool", TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    if before:
        monkeypatch.setenv("PYTHONPATH", before)
    root = str(TOOL.parents[1])
    assert tool.search_path() == (f"{root}{os.pathsep}{before}" if before else root)
