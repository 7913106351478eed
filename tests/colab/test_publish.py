"""What students get holds what they need, nothing that gives an answer away, and equal bytes."""

import ast
import hashlib
import json
import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import nbformat
import pytest
import yaml
from student_release import REF, REPO, ROOT

from classroom.authoring.build import execute
from classroom.authoring.publish import publish
from classroom.authoring.source import notebook_names, read_source

MARKERS = ("BEGIN SOLUTION", "END SOLUTION", "BEGIN HIDDEN", "END HIDDEN", "MARK SCHEME")
OUTSIDE_SOLUTION = re.compile(r"### BEGIN SOLUTION.*?### END SOLUTION", re.DOTALL)
SHARED = {"layers.py", "training.py"}  # later notebooks use these pieces ready-made


def files(folder):
    return {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}


def wheel_of(folder):
    (path,) = folder.glob("*.whl")
    return path


def zip_of(folder):
    (path,) = folder.glob("*.zip")
    return path


def texts(path):
    """Name -> text of the text files in an archive."""
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith(
                (".py", ".ipynb", ".md", ".json", ".txt", ".yml", "METADATA", "RECORD")
            ):
                yield name, archive.read(name).decode("utf-8")


def test_releasing_twice_gives_the_same_bytes(published, tmp_path):
    publish(ROOT, tmp_path / "plain")
    publish(ROOT, tmp_path / "stamped", repo=REPO, ref=REF)
    first, again = files(published), files(tmp_path)
    assert first.keys() == again.keys()
    assert not [name for name in first if first[name].read_bytes() != again[name].read_bytes()]


def test_the_tree_is_what_students_need(published):
    names = set(files(published / "stamped" / "student"))
    wheel = wheel_of(published / "stamped").name
    assert names == {
        *(
            "README.md",
            "CHANGELOG.md",
            "LICENSE",
            "LICENSE-text",
            "CITATION.cff",
            "docs/student.md",
        ),
        *("environment.yml", "requirements.txt", "SHA256SUMS", f"notebooks/{wheel}"),
        *("binder/requirements.txt", "binder/runtime.txt"),
        *(f"notebooks/{name}.ipynb" for name in notebook_names(ROOT)),
    }
    with zipfile.ZipFile(zip_of(published / "stamped")) as archive:
        assert {n.split("/", 1)[1] for n in archive.namelist()} == names
        assert archive.namelist() == sorted(archive.namelist())


@pytest.mark.parametrize("where", ["plain", "plain/student", "stamped", "stamped/student"])
def test_checksums_are_right(published, where):
    for row in (published / where / "SHA256SUMS").read_text().splitlines():
        digest, name = row.split("  ")
        assert hashlib.sha256((published / where / name).read_bytes()).hexdigest() == digest


def test_a_stamp_changes_two_cells_only(published):
    for name in notebook_names(ROOT):
        plain, stamped = (
            nbformat.read(published / kind / "student" / "notebooks" / f"{name}.ipynb", 4)
            for kind in ("plain", "stamped")
        )
        old = {c.id: c for c in plain.cells}
        changed = [c for c in stamped.cells if c != old.get(c.id)]
        assert len(changed) == 2, name
        badge, install = changed
        assert f"/github/{REPO}/blob/{REF}/notebooks/{name}.ipynb)" in badge.source
        assert f'REPO, REF, WHEEL = "{REPO}", "{REF}", "' in install.source
        assert wheel_of(published / "stamped").name in install.source
    readme = (published / "stamped" / "student" / "README.md").read_text("utf-8")
    assert readme.count("colab-badge.svg") == len(notebook_names(ROOT))
    assert "colab-badge" not in (published / "plain" / "student" / "README.md").read_text("utf-8")


def test_links_of_the_tree_lead_somewhere(published):
    tree = published / "stamped" / "student"
    for page in (tree / "README.md", tree / "docs" / "student.md"):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_environments_name_tested_versions_and_the_wheel(published):
    tree = published / "plain" / "student"
    environment = yaml.safe_load((tree / "environment.yml").read_text())
    (rows,) = [d["pip"] for d in environment["dependencies"] if isinstance(d, dict)]
    assert rows == (tree / "requirements.txt").read_text().splitlines()
    index, *in_binder = (tree / "binder" / "requirements.txt").read_text().splitlines()
    assert index.startswith("--extra-index-url https://")
    assert in_binder == rows
    *pins, wheel = rows
    assert (tree / wheel).is_file()
    tested = (ROOT / "constraints.txt").read_text().splitlines()
    assert set(pins) <= set(tested)
    assert not [row for row in pins if row.startswith(("nbgrader", "nbval", "dask", "ruff"))]


def test_no_marker_and_no_instructors_code_is_given_out(published):
    for kind in ("plain", "stamped"):
        for path in (zip_of(published / kind), wheel_of(published / kind)):
            for name, text in texts(path):
                assert not [m for m in MARKERS if m in text], name
        with zipfile.ZipFile(wheel_of(published / kind)) as archive:
            foreign = re.compile(r"classroom/|solutions|tests/|benchmarks|install_cell")
            assert not [n for n in archive.namelist() if foreign.search(n)]


def answer_lines(source):
    """Telling lines of the model answers: long ones that the stub and given cells do not show."""
    given = [c.source for c in source.notebook.cells if "nbgrader" not in c.metadata]
    given += [OUTSIDE_SOLUTION.sub("", e.answer) for e in source.exercises.values()]
    shown = {line.strip() for text in given for line in text.splitlines()}
    for exercise in source.exercises.values():
        for region in OUTSIDE_SOLUTION.findall(exercise.answer):
            lines = {line.strip() for line in region.splitlines()} - shown
            yield exercise.name, {line for line in lines if len(line) > 40}


def test_the_wheel_holds_no_model_answer(published):
    """A handful of equal lines may occur by chance; half of an answer in one file may not."""
    wheel = {n: t for n, t in texts(wheel_of(published / "plain")) if n.endswith(".py")}
    lines = {n: {line.strip() for line in t.splitlines()} for n, t in wheel.items()}
    for name in notebook_names(ROOT):
        for exercise, wanted in answer_lines(read_source(ROOT, name)):
            for file, have in lines.items():
                if wanted and Path(file).name not in SHARED:
                    assert len(wanted & have) <= len(wanted) / 2, f"{exercise} is in {file}"


def test_sql_and_hidden_checks_are_not_in_the_wheel(published):
    wheel = "\n".join(text for _, text in texts(wheel_of(published / "plain")))
    assert "EVENT_UNION_SQL =" not in wheel
    assert "checks.hidden(" not in wheel
    assert not [
        n for n, t in texts(wheel_of(published / "plain")) if n.endswith(".py") and not ok(t)
    ]


def ok(text):
    """Whether a module parses and imports nothing that only instructors have."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            ("classroom", "nbgrader", "jupytext", "nbclient")
        ):
            return False
    return True


@pytest.mark.parametrize(
    ("repo", "ref", "message"),
    [
        ("someone/attention", "", "go together"),
        ("", "v1", "go together"),
        ("attention", "v1", "owner/name"),
        ("some one/attention", "v1", "owner/name"),
        ("someone/attention", "v 1", "tag such as v1"),
    ],
)
def test_a_bad_repository_or_tag_is_refused(tmp_path, repo, ref, message):
    with pytest.raises(ValueError, match=message):
        publish(ROOT, tmp_path / "dist", repo=repo, ref=ref)
    assert not (tmp_path / "dist").exists()


@pytest.mark.slow
def test_a_student_with_the_zip_alone_works_offline(published, tmp_path, monkeypatch):
    """A new environment that has the packages but not the course, and no package index."""
    environment = tmp_path / "environment"
    venv.create(environment, symlinks=True)
    (site,) = environment.glob("lib/*/site-packages")
    (site / "packages.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    python = str(environment / "bin" / "python")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    for name, value in {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}.items():
        monkeypatch.setenv(name, value)
    missing = subprocess.run(
        [python, "-c", "import course_utils"], cwd=tmp_path, capture_output=True
    )
    assert missing.returncode == 1
    spec = tmp_path / "jupyter" / "kernels" / "student"
    spec.mkdir(parents=True)
    argv = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel = {"argv": argv, "display_name": "student", "language": "python"}
    (spec / "kernel.json").write_text(json.dumps(kernel))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    with zipfile.ZipFile(zip_of(published / "stamped")) as archive:
        archive.extractall(tmp_path)
    (folder,) = tmp_path.glob("attention-in-medicine-*/notebooks")
    notebook = nbformat.read(folder / "00_start_here.ipynb", as_version=4)
    execute(notebook, "00", folder=folder, allow_errors=True, kernel="student", progress=False)
    printed = "\n".join(o.get("text", "") for c in notebook.cells for o in c.get("outputs", []))
    errors = [o.evalue for c in notebook.cells for o in c.get("outputs", []) if "evalue" in o]
    assert "Ready on CPU" in printed
    assert printed.count("not attempted") == 3
    assert all("not attempted yet." in e or "not written yet" in e for e in errors), errors
    assert (site / "course_utils" / "layers.py").is_file()
    assert not (site / "classroom").exists()
    assert sys.prefix not in str(site)
