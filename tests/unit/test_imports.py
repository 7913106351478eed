"""The house: which package may import which, everywhere in a file, for types too."""

import ast
from pathlib import Path

import networkx as nx
import pytest

ROOT = Path(__file__).resolve().parents[2]
TREES = ("classroom", "course_utils", "benchmarks", "tools")
FLOORS = {"files": 0, "pages": 0, "authoring": 1, "intake": 2, "judging": 2, "gradebook": 3}


def modules():
    """Every module of ours by its dotted name."""
    for tree in TREES:
        for path in sorted((ROOT / tree).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imported(path, known=frozenset()):
    """Dotted names that a file imports; ``from a import b`` is ``a.b`` where that is a module."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in known else node.module


@pytest.fixture(scope="module")
def graph():
    known = dict(modules())
    arrows = nx.DiGraph()
    arrows.add_nodes_from(known)
    for name, path in known.items():
        for target in imported(path, known):
            if target in known and target != name:
                arrows.add_edge(name, target)
    return arrows


def into(graph, source, *targets):
    """Arrows from below ``source`` to below one of ``targets``."""

    def below(name, packages):
        return any(name == p or name.startswith(f"{p}.") for p in packages)

    return [(a, b) for a, b in graph.edges if below(a, [source]) and below(b, targets)]


def test_students_import_nothing_of_instructors(graph):
    assert not into(graph, "course_utils", "classroom", "benchmarks", "tools")
    for name, path in modules():
        foreign = {t.partition(".")[0] for t in imported(path)} & {"solutions", "tests"}
        assert not foreign, f"{name} imports {foreign}"


def test_checks_stand_on_the_library_and_nothing_stands_on_checks(graph):
    library = [n for n in graph if n.startswith("course_utils.") and ".checks" not in n]
    assert not [
        (a, b) for a, b in graph.edges if a in library and b.startswith("course_utils.checks")
    ]


def test_a_submission_walks_in_one_direction(graph):
    def floor(name):
        first = name.removeprefix("classroom.").partition(".")[0]
        return FLOORS.get(first, 4)  # commands, demo, __main__ stand above all

    inside = [
        (a, b) for a, b in graph.edges if a.startswith("classroom.") and b.startswith("classroom.")
    ]
    assert not [(a, b) for a, b in inside if floor(a) < floor(b)]
    assert not into(graph, "classroom.intake", "classroom.judging")
    assert not into(graph, "classroom.judging", "classroom.intake")


def test_no_circle_anywhere(graph):
    # A package hands on the names of its modules, and no module of it reads them from there.
    assert not [sorted(c) for c in nx.strongly_connected_components(graph) if len(c) > 1]


def test_a_circle_would_be_seen():
    arrows = nx.DiGraph([("a", "b"), ("b", "c"), ("c", "a")])
    assert [c for c in nx.strongly_connected_components(arrows) if len(c) > 1]
