"""Names of the notebooks, so that every test is made for each."""

from pathlib import Path

from classroom.authoring.source import notebook_names

ROOT = Path(__file__).resolve().parents[2]


def pytest_generate_tests(metafunc):
    if "notebook_name" in metafunc.fixturenames:
        metafunc.parametrize("notebook_name", notebook_names(ROOT))
