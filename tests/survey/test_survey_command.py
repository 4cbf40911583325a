"""The commands, and that mistakes end with one line and 2."""

import json
import sqlite3

import pytest
from small_survey import CAPTIONS, METHODS, write_results

from videomdm.command import main
from videomdm.survey import dry, store
from videomdm.survey.make import Settings

pytestmark = pytest.mark.slow


def test_make_and_compare(tmp_path, capsys):
    write_results(tmp_path)
    (tmp_path / "captions.txt").write_text(CAPTIONS[1] + "\n")
    (tmp_path / "consent.txt").write_bytes("Übung: {pairs} pairs\r\n".encode("utf-16"))
    methods = [f"{name[:3]}={tmp_path / name}" for name in METHODS]
    out = tmp_path / "survey"
    assert (
        main(
            [
                "survey",
                "make",
                *methods,
                "--out",
                str(out),
                "--captions",
                str(tmp_path / "captions.txt"),
                "--consent",
                str(tmp_path / "consent.txt"),
                "--pairs",
                "2",
            ]
        )
        == 0
    )
    key = json.loads((out / "key.json").read_text())
    assert key["methods"] == ["zeb", "quo"] and len(key["clips"]) == 2
    assert json.loads((out / "public" / "survey.json").read_text())["consent"] == "Übung: 2 pairs"
    page = tmp_path / "page.html"
    assert main(["compare", *methods, "--truth", str(tmp_path / METHODS[0]), "--out", str(page)]) == 0
    assert page.exists() and str(page) in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["survey", "make", "nothing", "there", "--out", "x"], "nothing: no .npz file there"),
        (["survey", "make", "--out", "x"], None),
        (["survey", "serve", "nothing"], "nothing: no key.json"),
        (["survey", "analyse", "nothing"], "key.json: cannot be read (No such file"),
        (["compare", "nothing"], "nothing: no .npz file there"),
        (["survey", "vote"], None),
        (["survey"], None),
    ],
)
def test_mistakes(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    if message is None:  # argparse's own, which leaves by itself
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2
    else:
        assert main(arguments) == 2
        error = capsys.readouterr().err
        assert error.startswith(f"videomdm {arguments[0]}: ") and message in error and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_dry_run(tmp_path, monkeypatch):
    """Two methods, trained, asked about, voted on over HTTP and analysed; a killed one ends with the same votes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(dry, "CAPTIONS", 2)
    settings = Settings(participants=8, pairs=4, checks=1)
    found = dry.run(tmp_path / "dry", settings, dry.Voters((-0.8, 0.8)))
    votes = store.read_votes(tmp_path / "dry/votes.sqlite")
    assert len(votes) == 8 * 5 and len({vote["participant"] for vote in votes}) == 8
    assert found["counts"]["votes counted"] == 32 and found["counts"]["participants left out"] == 0
    assert found["strengths"][1]["interval"][0] > 0  # videomdm, as the voters were told
    written = (tmp_path / "dry/analysis.json").read_text()
    assert json.loads(written)["pairs"][0]["votes"] == 32
    for left in (40, 17, 0):  # votes: all, which are only analysed again; some; none
        with sqlite3.connect(tmp_path / "dry/votes.sqlite") as stored:
            stored.execute("DELETE FROM votes WHERE rowid > ?", (left,))
        dry.run(tmp_path / "dry", settings, dry.Voters((-0.8, 0.8)))
        assert (tmp_path / "dry/analysis.json").read_text() == written
