"""The project's own files: the environments agree, the workflows are valid, nothing local leaks."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lines):
    """Package -> version of the lines ``name==version`` and ``name[extra]==version``."""
    found = (re.fullmatch(r"([\w.-]+)(?:\[.*\])?==(\S+)", line.strip()) for line in lines)
    return {canonical(m[1]): m[2] for m in found if m}


CONSTRAINTS = pins((ROOT / "constraints.txt").read_text().splitlines())


def declared():
    extras = PROJECT["optional-dependencies"]
    rows = [*PROJECT["dependencies"], *extras["dev"], *extras["ecg"], *extras["grading"]]
    return {canonical(re.match(r"[\w.-]+", row)[0]): row for row in rows}


def test_constraints_pin_every_line_once():
    lines = [s for s in (ROOT / "constraints.txt").read_text().splitlines() if s[:1] not in "#"]
    assert len(CONSTRAINTS) == len(lines)


def test_the_three_environments_agree():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    (by_pip,) = [d["pip"] for d in environment["dependencies"] if isinstance(d, dict)]
    in_conda = pins(by_pip)
    assert in_conda.keys() == declared().keys()
    for name, version in in_conda.items():
        assert CONSTRAINTS[name] == version, name


def test_pins_satisfy_the_declared_ranges():
    from packaging.requirements import Requirement

    for name, row in declared().items():
        assert Requirement(row).specifier.contains(CONSTRAINTS[name], prereleases=True), row


def test_this_environment_is_the_pinned_one():
    from importlib.metadata import version

    drifted = {n: version(n) for n in declared() if version(n).split("+")[0] != CONSTRAINTS[n]}
    assert not drifted


def test_whatever_the_course_brings_is_pinned():
    from importlib.metadata import requires, version

    from packaging.requirements import Requirement

    waiting = [("attention-in-medicine", frozenset({"dev", "ecg", "grading"}))]
    seen, drifted = set(), {}
    while waiting:
        name, extras = waiting.pop()
        for row in requires(name) or ():
            needed = Requirement(row)
            wanted = [{"extra": extra} for extra in extras | {""}]
            if needed.marker and not any(needed.marker.evaluate(e) for e in wanted):
                continue
            found = (canonical(needed.name), frozenset(needed.extras))
            if found not in seen:
                seen.add(found)
                waiting.append(found)
    for name in {name for name, _ in seen} - {"setuptools"}:
        if CONSTRAINTS.get(name) != version(name).split("+")[0]:
            drifted[name] = version(name)
    assert len(seen) > 100
    assert not drifted


@pytest.mark.parametrize("name", ["ci.yml", "gpu.yml"])
def test_workflows_follow_the_schema(name):
    command = ["check-jsonschema", "--builtin-schema", "vendor.github-workflows"]
    done = subprocess.run(
        [str(Path(sys.executable).parent / command[0]), *command[1:], f".github/workflows/{name}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_importing_the_package_is_cheap():
    code = "import course_utils, sys; print(any(m in sys.modules for m in ('torch', 'numpy')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_parent_of_grading_never_imports_torch():
    code = (
        "import classroom.__main__, classroom.judging.trial, "
        "classroom.authoring.build, classroom.authoring.run, sys; "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_make_help_lists_the_commands():
    done = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for command in ("lab", "run", "test", "quick", "solutions", "release", "bench"):
        assert f"make {command}" in done.stdout


def test_setup_says_what_is_wrong_with_the_machine(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import setup_env

    monkeypatch.setattr(setup_env.sys, "version_info", (3, 9, 1))
    with pytest.raises(SystemExit, match=r"3\.11 or newer is needed, this is 3\.9"):
        setup_env.check_machine(ROOT)
    monkeypatch.undo()
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    monkeypatch.setattr(setup_env, "NEEDED_GIB", 10**9)
    with pytest.raises(SystemExit, match="of disk are needed"):
        setup_env.check_machine(ROOT)
    with pytest.raises(SystemExit, match="does not pin nothing-such"):
        setup_env.pinned("nothing-such")
    monkeypatch.setattr(
        setup_env.subprocess, "run", lambda *a, **k: type("R", (), {"returncode": 1})
    )
    with pytest.raises(SystemExit, match="Is there a network"):
        setup_env.pip("python", "x")


def tracked_text_files():
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("not a git checkout")
    for name in done.stdout.split("\0")[:-1]:
        path = ROOT / name
        if path.suffix in {".py", ".md", ".yml", ".toml", ".txt", ".cff", ".ipynb", ".json"}:
            yield path


def test_no_path_of_a_machine_is_tracked():
    home = re.compile(r"(?<![\w.])/(?:root|home/\w+|Users/\w+|work|tmp/bash)/")
    found = [p for p in tracked_text_files() if p.is_file() and home.search(p.read_text("utf-8"))]
    assert not [str(p.relative_to(ROOT)) for p in found if p != Path(__file__)]
