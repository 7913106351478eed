"""The project's own files: the environments agree, the workflows are valid, nothing local leaks."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import setup_env  # noqa: E402

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
    rows = [
        *PROJECT["dependencies"],
        *extras["dev"],
        *extras["ecg"],
        *extras["grading"],
        *extras["site"],
    ]
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


@pytest.mark.parametrize("python", ["3.11.0", "3.12", "3.13"])
def test_every_supported_python_can_install_the_pins(python, tmp_path):
    extras = [word for name in ("dev", "ecg", "grading", "site") for word in ("--extra", name)]
    command = [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", *extras, "--quiet"]
    command += ["--constraint", "constraints.txt", "--python-version", python]
    command += ["--output-file", str(tmp_path / "resolved.txt")]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"UV_HTTP_RETRIES": "1", "UV_HTTP_TIMEOUT": "20"},
        capture_output=True,
        text=True,
    )
    if done.returncode and setup_env.NO_NETWORK.search(done.stderr):
        pytest.skip("no network: uv's resolver was not asked")
    assert done.returncode == 0, done.stderr
    resolved = pins((tmp_path / "resolved.txt").read_text().splitlines())
    assert {name: CONSTRAINTS[name] for name in declared()}.items() <= resolved.items()


def test_the_lock_has_hashes_of_every_pin():
    text = (ROOT / "requirements.lock").read_text()
    blocks = [block for block in re.split(r"\n(?=[\w])", text) if "==" in block]
    hashes = {
        block.split(" ")[0]: re.findall(r"--hash=sha256:[0-9a-f]{64}", block) for block in blocks
    }
    locked = pins(hashes)
    assert locked == {n: v for n, v in CONSTRAINTS.items() if n != "torch"}, "run: make lock"
    assert not [row for row, found in hashes.items() if not found]


def test_whatever_the_course_brings_is_pinned():
    from importlib.metadata import requires, version

    from packaging.requirements import Requirement

    waiting = [("attention-in-medicine", frozenset({"dev", "ecg", "grading", "site"}))]
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


@pytest.mark.parametrize("name", ["ci.yml", "gpu.yml", "pages.yml"])
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


DEVCONTAINER = {  # of the published schema, what our file uses
    "type": "object",
    "required": ["image"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string"},
        "image": {"type": "string", "pattern": r"^[\w./-]+:[\w.-]+$"},
        "onCreateCommand": {"type": "string"},
        "forwardPorts": {"type": "array", "items": {"type": "integer", "maximum": 65535}},
        "portsAttributes": {
            "additionalProperties": {
                "additionalProperties": False,
                "properties": {
                    "label": {"type": "string"},
                    "onAutoForward": {"enum": ["notify", "openBrowser", "silent", "ignore"]},
                },
            },
        },
        "hostRequirements": {
            "additionalProperties": False,
            "properties": {
                "cpus": {"type": "integer", "minimum": 1},
                "memory": {"type": "string", "pattern": r"^\d+([tgmk]b)?$"},
                "storage": {"type": "string", "pattern": r"^\d+([tgmk]b)?$"},
            },
        },
        "customizations": {"type": "object"},
    },
}


def test_the_devcontainer_follows_its_schema_and_names_what_exists():
    import jsonschema

    found = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    jsonschema.validate(found, DEVCONTAINER)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(found | {"onCreate": "make env"}, DEVCONTAINER)
    assert f":{requires_python()}" in found["image"]
    assert found["onCreateCommand"] == "make env"  # the pins of constraints.txt
    assert all((ROOT / p).exists() for p in found["customizations"]["codespaces"]["openFiles"])


def requires_python():
    return PROJECT["requires-python"].removeprefix(">=")


def test_binder_installs_from_the_same_pins():
    from packaging.requirements import Requirement

    folder = ROOT / "binder"
    assert (folder / "runtime.txt").read_text().strip() == f"python-{requires_python()}"
    assert os.access(folder / "start", os.X_OK)
    lines = [s for s in (folder / "requirements.txt").read_text().splitlines() if s[:1] != "#"]
    options = dict(line.split() for line in lines if line.startswith("--"))
    assert options.keys() == {"--extra-index-url", "--constraint", "--editable"}
    assert (folder / options["--constraint"]).resolve() == ROOT / "constraints.txt"
    assert Requirement(options["--editable"].replace(".", "course", 1)).extras == {"ecg"}
    named = {Requirement(line).name for line in lines if not line.startswith("--")}
    assert named <= CONSTRAINTS.keys()


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
