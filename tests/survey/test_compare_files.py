"""What ``videomdm compare`` writes, and what it leaves alone."""

import pytest
from small_survey import METHODS, write_results

from videomdm.command import MISTAKE, main
from videomdm.survey import compare


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Beside two methods' folders of motions, and captions of them."""
    write_results(tmp_path, captions=("a person walks", "a person jumps"))
    (tmp_path / "captions.txt").write_text("a person walks\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("named", [METHODS, [f"{m}={m}/motions.npz" for m in METHODS]])
@pytest.mark.parametrize("out", [f"{METHODS[1]}/motions.npz", "captions.txt", "truth.npz"])
def test_never_over_what_is_read(here, capsys, named, out):
    (here / "truth.npz").symlink_to(here / METHODS[0] / "motions.npz")
    before = files(here)
    given = ["compare", *named, "--captions", "captions.txt", "--truth", "truth.npz", "--out", out]
    assert main(given) == MISTAKE
    assert f"videomdm compare: {out}: the result would be written over" in capsys.readouterr().err
    assert files(here) == before


def test_a_page_among_the_motions_can_be_written_again(here):
    for _ in range(2):
        assert main(["compare", *METHODS, "--out", f"{METHODS[0]}/page.html"]) == 0


def test_what_cannot_be_written_is_said_before_the_work(here, monkeypatch, capsys):
    monkeypatch.setattr(compare, "read", None)
    assert main(["compare", *METHODS, "--out", METHODS[0]]) == MISTAKE
    assert f"{METHODS[0]}: a folder has this name, expected a file" in capsys.readouterr().err


def test_a_page_is_written_whole_or_not_at_all(here, monkeypatch):
    (here / "page.html").write_text("the one before")
    before = files(here)
    monkeypatch.setattr("pathlib.Path.write_text", full_disk)
    assert main(["compare", *METHODS, "--out", "page.html"]) != 0
    assert files(here) == before


def full_disk(path, text, **_):
    path.write_bytes(text[:10].encode())
    raise OSError(28, "No space left on device", str(path))


def test_home(here, tmp_path_factory, monkeypatch):
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    assert main(["compare", *METHODS, "--out", "~/page.html"]) == 0
    assert (home / "page.html").is_file() and not (here / "~").exists()
