"""Links of the prose: their syntax and targets offline, and with ``--live`` whether they answer."""

import argparse
import re
import sys
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlparse

ROOT = Path(__file__).resolve().parents[1]
INLINE = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]*)\)")
BARE = re.compile(r"(?<![(\w])<?(https?://[^\s<>)\"'`]+)")
CODE = re.compile(r"```.*?```|`[^`\n]+`|\$\$.*?\$\$|\$[^$\n]+\$", re.DOTALL)
PROSE_CELL = re.compile(r"^# %% \[markdown\].*?(?=^# %%|\Z)", re.MULTILINE | re.DOTALL)


def pages():
    """Path and text of the prose: README, docs, and the text cells of the notebooks' sources."""
    for path in [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md"))]:
        yield path, CODE.sub("", path.read_text("utf-8"))
    for path in sorted(ROOT.glob("solutions/*/*.py")):
        cells = PROSE_CELL.findall(path.read_text("utf-8"))
        yield path, CODE.sub("", re.sub(r"^# ?", "", "\n".join(cells), flags=re.MULTILINE))


def links(text):
    """Links of a page: whether it is a picture, its text, its target."""
    for picture, words, target in INLINE.findall(text):
        yield bool(picture), words, target
    for target in BARE.findall(INLINE.sub("", text)):
        yield False, target, target.rstrip(".,;:")


def anchors(path):
    """Anchors that GitHub gives the headings of a page."""
    heads = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def problem(path, picture, words, target):
    """What is wrong with a link, as far as one can tell without a network; else None."""
    if not words.strip():
        return "a picture without alternative text" if picture else "a link without words"
    if urlparse(target).scheme:
        parts = urlparse(target)
        right = parts.scheme == "https" and re.fullmatch(r"[\w.-]+\.[a-z]{2,}", parts.netloc)
        return None if right else "not an https address"
    if path.suffix == ".py":
        return "a notebook is read outside the repository: a whole address is needed"
    file, _, anchor = target.partition("#")
    base = ROOT if path.name == "student_readme.md" else path.parent  # it goes to a tree's top
    goal = base / file if file else path
    if not goal.exists():
        return "no such file"
    return "no such heading" if anchor and anchor not in anchors(goal) else None


def tracked_problems():
    """All problems as ``file: target: what``."""
    found = []
    for path, text in pages():
        for picture, words, target in links(text):
            what = problem(path, picture, words, target)
            if what:
                found.append(f"{path.relative_to(ROOT)}: {target or words}: {what}")
    return found


def answers(address):
    """Whether an address answers; a server that refuses robots counts as there."""
    request = urllib.request.Request(address, headers={"User-Agent": "link check"})
    try:
        with urllib.request.urlopen(request, timeout=30):
            return True
    except urllib.error.HTTPError as error:
        return error.code in (401, 403, 405, 429, 999)
    except OSError:
        return False


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--live", action="store_true", help="ask each address, too")
    options = parser.parse_args()
    found = tracked_problems()
    addresses = sorted({t for _, text in pages() for _, _, t in links(text) if "://" in t})
    if options.live:
        found += [f"{address} does not answer" for address in addresses if not answers(address)]
    for line in found:
        print(line)
    print(f"links: {len(addresses)} addresses, {len(found)} problems")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
