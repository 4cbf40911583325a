"""The order of the rooms is a contract that breaks when a room imports upwards."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from videomdm.pages import house

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]


def lint(folder):
    """What import-linter says of the package in a folder: its exit code and its words."""
    program = Path(sys.executable).with_name("lint-imports")
    environment = {**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200"}
    run = subprocess.run([program, "--no-cache"], cwd=folder, env=environment, capture_output=True, text=True)
    return run.returncode, run.stdout + run.stderr


@pytest.fixture
def copy(tmp_path):
    shutil.copytree(ROOT / "videomdm", tmp_path / "videomdm", ignore=shutil.ignore_patterns("__pycache__", "weights"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_package_keeps_every_contract(copy):
    code, said = lint(copy)
    assert code == 0 and "0 broken" in said, said


@pytest.mark.parametrize(
    ("room", "imported", "contract"),
    [
        ("cameras/camera.py", "videomdm.train", "Imports point one way"),
        ("sample/prior.py", "videomdm.train.loop", "Using a prior does not import training"),
        ("lifters/teacher.py", "videomdm.config", "Lifters know no run"),
        ("lifters/teacher.py", "videomdm.evaluation.pose", "do not judge themselves"),
        ("config.py", "videomdm.cameras.refinement", "Settings compute nothing"),
        ("data/corpus.py", "videomdm.lifters.augment", "Data knows no lifter"),
        ("cameras/pnp.py", "videomdm.data.corpus", "Geometry knows no file"),
    ],
)
def test_an_import_that_breaks_one_is_named(copy, room, imported, contract):
    with (copy / "videomdm" / room).open("a") as file:
        file.write(f"\nimport {imported}\n")
    code, said = lint(copy)
    broken = [line for line in said.splitlines() if line.endswith("BROKEN")]
    assert code == 1 and any(contract in line for line in broken), said


def test_a_room_without_a_place_is_named(copy):
    (copy / "videomdm" / "attic.py").write_text("")
    code, said = lint(copy)
    assert code == 1 and "attic" in said, said


class TestHouse:
    def test_floors_of_a_small_house(self, tmp_path):
        package = tmp_path / "toy"
        (package / "roof").mkdir(parents=True)
        files = {
            "__init__.py": "",
            "roof/tiles.py": "from toy.wall import x\nfrom toy import ground\nfrom toy.roof import other\n",
            "wall.py": "import toy.ground\n",
            "ground.py": "import os\n",
        }
        for name, text in files.items():
            (package / name).write_text(text)
        found = house.read(package)
        assert found.floors == {"ground": 0, "wall": 1, "roof": 2}
        assert found.arrows == {("roof", "wall"), ("roof", "ground"), ("wall", "ground")}
        assert found.figures == {"rooms": 3, "floors": 3, "arrows": 3, "upward arrows": 0}

    def test_a_circle_is_counted(self, tmp_path):
        (tmp_path / "a.py").write_text(f"from {tmp_path.name} import b\n")
        (tmp_path / "b.py").write_text(f"from {tmp_path.name} import a\n")
        assert house.read(tmp_path).figures["upward arrows"] >= 1

    def test_the_package_has_none(self):
        assert house.read(ROOT / "videomdm").figures["upward arrows"] == 0


def test_files_outside_packages_import_downwards_too():
    """Import-linter sees packages alone; the house is made of every file."""
    assert house.read(ROOT / "videomdm").figures["upward arrows"] == 0
