"""How well the report finds copied answers: classes whose copies are known.

    python -m benchmarks.lookalikes [--classes 10] [--students 60] [--time 200 500]

Honest students draw each answer from the answers that the checks are tested with, right and wrong,
and write it in a style of their own: names, order of operands, steps of their own. A copier takes
another's answers to some of the exercises, renames every variable, moves statements that do not
depend on each other, and writes new comments. What the report shows is compared with the truth.
"""

from __future__ import annotations

import argparse
import ast
import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from classroom.authoring.source import course_root, read_source
from classroom.gradebook.lookalikes import common_parts, look_alikes

ASSIGNMENT = "01_self_attention"
NAMES = [
    f"{word}{end}" for word in ("out", "result", "acc", "part", "inner") for end in ("", "_new")
]
SHARES = (1.0, 0.67, 0.33)


def main() -> None:
    """Print precision and recall by the share of exercises that was copied, and times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--students", type=int, default=60)
    parser.add_argument("--time", type=int, nargs="*", default=[], help="sizes to time, too")
    options = parser.parse_args()
    root = course_root()
    source = read_source(root, ASSIGNMENT)
    common, pool = common_parts(source), read_pool(root)
    print("copied | pairs | shown | of them copied (precision) | recall")
    for share in SHARES:
        true = shown = hits = 0
        for seed in range(options.classes):
            answers, pairs = planted(pool, options.students, 4, share, seed)
            found = look_alikes(answers, common)
            named = {p.students for g in found.groups for p in g.pairs}
            true, shown, hits = true + len(pairs), shown + len(named), hits + len(named & pairs)
        rates = f"{hits / max(1, shown):.2f} | {hits / max(1, true):.2f}"
        print(f"{share:.0%} | {true} | {shown} | {rates}", flush=True)
    honest = 0
    for seed in range(options.classes):
        answers, _ = planted(pool, options.students, 0, 0.0, 100 + seed)
        honest += bool(look_alikes(answers, common).groups)
    print(f"nobody copied: a pair was shown in {honest} of {options.classes} classes")
    for size in options.time:
        answers, _ = planted(pool, size, 10, 0.67, 7)
        begin = time.perf_counter()
        look_alikes(answers, common)
        print(f"{size} students: {time.perf_counter() - begin:.1f} s")


def read_pool(root: Path) -> dict[str, list[str]]:
    """The answers of the tests by exercise."""
    found: dict[str, list[str]] = {}
    for path in sorted((root / "tests" / "answers" / ASSIGNMENT).glob("*/*.py")):
        found.setdefault(path.parent.name, []).append(path.read_text(encoding="utf-8"))
    return found


def planted(
    pool: Mapping[str, Sequence[str]], students: int, copiers: int, share: float, seed: int
) -> tuple[dict[str, dict[str, str]], set[tuple[str, str]]]:
    """A class with ``copiers`` who took ``share`` of another's exercises, and the true pairs."""
    rng = random.Random(seed)
    answers: dict[str, dict[str, str]] = {}
    for number in range(students):
        style = random.Random(rng.random())
        answers[f"s{number:03}"] = {
            name: restyled(rng.choice(texts), style) for name, texts in pool.items()
        }
    names = rng.sample(sorted(answers), 2 * copiers)
    pairs = set()
    for one, two in zip(names[::2], names[1::2], strict=True):
        taken = rng.sample(sorted(pool), max(1, round(share * len(pool))))
        for name in taken:
            answers[two][name] = disguised(answers[one][name], rng)
        pairs.add((min(one, two), max(one, two)))
    return answers, pairs


def restyled(text: str, rng: random.Random) -> str:
    """The same program as somebody else would write it."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mult):
            if rng.random() < 0.25:
                node.left, node.right = node.right, node.left
        elif isinstance(node, ast.FunctionDef):
            node.body = [s for old in node.body for s in _steps(old, rng)]
    return renamed(ast.unparse(ast.fix_missing_locations(tree)), rng)


def _steps(node: ast.stmt, rng: random.Random) -> list[ast.stmt]:
    """Take an argument or an operand out into a variable of its own."""
    value = getattr(node, "value", None)
    if not isinstance(node, ast.Assign | ast.Return) or rng.random() > 0.4:
        return [node]
    name = f"step_{rng.randrange(1000)}"
    if (
        isinstance(value, ast.Call)
        and value.args
        and isinstance(value.args[0], ast.Call | ast.BinOp)
    ):
        step: ast.stmt = ast.Assign([ast.Name(name, ast.Store())], value.args[0])
        value.args[0] = ast.Name(name, ast.Load())
        return [step, node]
    if isinstance(value, ast.BinOp):
        step = ast.Assign([ast.Name(name, ast.Store())], value.left)
        value.left = ast.Name(name, ast.Load())
        return [step, node]
    return [node]


def renamed(text: str, rng: random.Random) -> str:
    """Every variable that is assigned gets another name."""
    tree = ast.parse(text)
    stored = {
        n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }
    new = {name: f"{rng.choice(NAMES)}_{i}" for i, name in enumerate(sorted(stored))}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in new:
            node.id = new[node.id]
    return ast.unparse(tree)


def disguised(text: str, rng: random.Random) -> str:
    """A copy: renamed, neighbours that do not depend on each other swapped, comments anew."""
    tree = ast.parse(renamed(text, rng))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and len(body) > 1:
            for place in range(len(body) - 1):
                one, two = body[place : place + 2]
                if _apart(one, two) and rng.random() < 0.7:
                    body[place], body[place + 1] = two, one
    lines = ast.unparse(tree).splitlines()
    return "\n".join(
        line + ("  # hier wird gerechnet" if rng.random() < 0.2 else "") for line in lines
    )


def _apart(one: ast.stmt, two: ast.stmt) -> bool:
    if not isinstance(one, ast.Assign) or not isinstance(two, ast.Assign):
        return False
    names = [
        (
            {n.id for n in ast.walk(s) if isinstance(n, ast.Name)},
            {n.id for n in ast.walk(s) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)},
        )
        for s in (one, two)
    ]
    return not (names[0][1] & names[1][0]) and not (names[1][1] & names[0][0])


if __name__ == "__main__":
    main()
