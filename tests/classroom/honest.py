"""Judge many honest submissions and say whether any was flagged or lost a point.

``python tests/classroom/honest.py --count 60 --exercises 3``: each submission combines right
answers of all styles with cells as students add them, and is judged on that many exercises, drawn
at random; around the answers stand magics, quick tests that fail, and lines that read given cells.
``--part 2/4`` judges the second fourth of them.
"""

import argparse
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from course import NAME, ROOT
from habits import SOURCE, honest_notebooks

from classroom.judging.judge import Judge


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--exercises", type=int, default=len(SOURCE.exercises))
    parser.add_argument("--part", default="1/1", metavar="K/N")
    options = parser.parse_args()
    part, parts = map(int, options.part.split("/"))
    pick, judged, bad, begin = random.Random(4), 0, 0, time.monotonic()
    with Judge(ROOT, NAME) as judge:
        for number, notebook in enumerate(honest_notebooks(options.count)):
            names = pick.sample(list(SOURCE.exercises), options.exercises)
            if number % parts != part - 1:
                continue
            judged += 1
            result = judge.judge_cells(notebook, names)
            lost = {
                n: r["message"] for n, r in result["exercises"].items() if r["status"] != "right"
            }
            if result["status"] != "graded" or lost:
                bad += 1
                print(number, result["status"], result["reason"], lost, flush=True)
    print(f"{judged} honest submissions, {bad} flagged or short of points,", end=" ")
    print(f"{time.monotonic() - begin:.0f} s")
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
