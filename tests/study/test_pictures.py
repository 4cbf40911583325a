"""study/pictures.py: the README's two pictures."""

from pathlib import Path

import pytest
from PIL import Image

from videomdm.study import pictures

ROOT = Path(__file__).parents[2]
NAMES = ("generated", "lifted")


@pytest.mark.slow
def test_both_are_made_from_a_run(tmp_path):
    given = ["--profile", "smoke", "--runs", str(tmp_path / "runs"), "--out", str(tmp_path)]
    assert pictures.main(given) == 0
    sizes = {}
    for name in NAMES:
        with Image.open(tmp_path / f"{name}.gif") as film:
            assert film.n_frames > 20
            sizes[name] = film.size
            first = film.convert("RGB").tobytes()
            film.seek(film.n_frames // 2)
            assert film.convert("RGB").tobytes() != first
    assert sizes["generated"] == (3 * pictures.HEIGHT, pictures.HEIGHT)
    assert sizes["lifted"][1] == pictures.HEIGHT


@pytest.mark.parametrize("name", NAMES)
def test_stored_ones_are_small_and_shown(name):
    path = ROOT / "figures" / f"{name}.gif"
    assert path.stat().st_size < 1_000_000
    assert f"figures/{name}.gif" in (ROOT / "README.md").read_text()
