"""Verdicts of answers that nothing has touched since they were judged.

``build/answers/<notebook>.json`` keeps them by the hash of all that decides: the answer, the model
answers and checks, the files of ``course_utils`` that the notebook and its checks import, the code
that judges, and the versions of all packages. The course's version is among them, so a release
judges everything; ``COURSE_FRESH=1`` does so at any time.
"""

import ast
import contextlib
import hashlib
import json
import os
import sys
from importlib.metadata import distributions
from pathlib import Path

from classroom.authoring.source import read_source
from classroom.files import write_whole
from classroom.judging.given import statements
from classroom.judging.trial import judge, notebook_spec

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "answers"
JUDGING = ("authoring/source.py", "judging")  # of classroom


def verdicts(notebook, tasks):
    """Return a result a task, from the record where it has one."""
    path = FOLDER / f"{notebook}.json"
    known = {}
    if not os.environ.get("COURSE_FRESH") and path.is_file():
        known = json.loads(path.read_text("utf-8"))
    texts = [task.path.read_text("utf-8") for task in tasks]
    common = _digest(notebook, texts)
    keys = [_hash(common, t.exercise, text) for t, text in zip(tasks, texts, strict=True)]
    new = [(key, task) for key, task in zip(keys, tasks, strict=True) if key not in known]
    if new:
        results = judge(ROOT, notebook, [task for _, task in new])
        known |= {key: r | {"file": ""} for (key, _), r in zip(new, results, strict=True)}
        FOLDER.mkdir(parents=True, exist_ok=True)
        lasting = {k: known[k] for k in keys if known[k]["status"] != "failed"}
        write_whole(path, json.dumps(lasting))
    print(f"{notebook}: {len(new)} of {len(tasks)} answers judged")
    return [known[key] for key in keys]


def _digest(notebook, answers):
    """Hash of all that the verdicts on a notebook's answers have in common."""
    source = read_source(ROOT, notebook)
    spec = notebook_spec(source)
    package = ROOT / "course_utils" / "checks" / spec["module"]
    given = {text: [s.source for s in made] for text, made in statements(source).cells.items()}
    texts = [
        *answers,
        spec["imports"],
        *(c for e in spec["exercises"] for c in e["checks"].values()),
    ]
    texts += [p.read_text("utf-8") for p in sorted(package.rglob("*.py"))]
    names = {name for text in texts for name in _imports(text)}
    names |= {"course_utils.checks", f"course_utils.checks.{spec['module']}"}
    files = {*_closure(names), *package.rglob("*.py")}
    assets = (ROOT / "course_utils" / "assets").rglob("*")
    files |= {p for p in assets if p.is_file() and not {"bands", "__pycache__"} & set(p.parts)}
    for place in JUDGING:
        found = ROOT / "classroom" / place
        files |= set(found.glob("*.py")) if found.is_dir() else {found}
    contents = [f"{p.relative_to(ROOT)} {_hash(p.read_bytes())}" for p in sorted(files)]
    packages = sorted(f"{d.name}=={d.version}" for d in distributions())
    return _hash(sys.version, *packages, json.dumps([spec, given]), *contents)


def _closure(names):
    """Files of ``course_utils`` that these modules import, and what those import, and so on."""
    files, waiting = set(), set(names)
    while waiting:
        name = waiting.pop()
        parts = name.split(".")
        waiting |= {".".join(parts[:n]) for n in range(1, len(parts))} - {name}
        for path in (
            ROOT.joinpath(*parts).with_suffix(".py"),
            ROOT.joinpath(*parts, "__init__.py"),
        ):
            if path.is_file() and path not in files:
                files.add(path)
                waiting |= _imports(path.read_text("utf-8"))
    return files


def _imports(text):
    """Dotted names within ``course_utils`` that a text imports; some may be no modules."""
    lines = ["" if x.lstrip().startswith(("%", "!")) else x for x in text.splitlines()]
    found, tree = set(), ast.Module([], [])
    with contextlib.suppress(SyntaxError):  # an answer that cannot be run
        tree = ast.parse("\n".join(lines))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in found if name.split(".")[0] == "course_utils"}


def _hash(*parts):
    made = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass")
        made.update(len(data).to_bytes(8, "big") + data)
    return made.hexdigest()
