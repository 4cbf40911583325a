"""The folder of a survey: what it shows, and that it hides whose clips are whose."""

import json
import re
from dataclasses import replace

import cv2
import numpy as np
import pytest
from small_survey import CAPTIONS, FRAMES, METHODS, write_results

from videomdm.conventions import DataError
from videomdm.survey import drawing, make, scenes
from videomdm.survey.make import Settings

pytestmark = pytest.mark.slow


def read(folder):
    return json.loads((folder / "key.json").read_text()), json.loads((folder / "public/survey.json").read_text())


def frames_of(path):
    return np.stack(list(drawing.read_film(path)[0]))


def test_trials_show_two_methods_of_one_caption_in_equal_lengths(drawn):
    key, survey = read(drawn)
    assert len(survey["slots"]) == 6 and all(len(slot) == 4 for slot in survey["slots"])
    for trial in (trial for slot in survey["slots"] for trial in slot):
        left, right = key["clips"][trial["left"]], key["clips"][trial["right"]]
        assert left["caption"] == right["caption"] == trial["caption"]
        assert left["seconds"] == right["seconds"] == trial["seconds"] == FRAMES / 20
        assert (left["method"] != right["method"]) != (left["shuffled"] or right["shuffled"])
    assert key["compared"] == [{"methods": list(METHODS), "times": 18, "first_on_the_left": 9}]
    assert key["seed"] == 3


def test_every_participant_has_checks_and_never_first(drawn):
    key, survey = read(drawn)
    for slot in survey["slots"]:
        shuffled = [key["clips"][t["left"]]["shuffled"] + key["clips"][t["right"]]["shuffled"] for t in slot]
        assert sorted(shuffled) == [0, 0, 0, 1] and shuffled[0] == 0


def test_clips_are_films_of_the_motions(drawn, results):
    key, _ = read(drawn)
    matched = scenes.match(results)
    for name, clip in key["clips"].items():
        film = frames_of(drawn / "public/clips" / f"{name}.webm")
        assert film.shape == (FRAMES, drawing.SIZE, drawing.SIZE, 3)
        scene = matched[clip["scene"]]
        view = drawing.view_of(list(scene.motions.values()))
        want = np.stack(list(drawing.draw(scene.motions[clip["method"]], results[0].skeleton, view)))
        film, want = film[:, ::4, ::4].astype(int), want[:, ::4, ::4].astype(int)
        error = np.abs(film[:, None] - want[None]).mean((2, 3, 4)).argmin(1)
        in_order = error.tolist() == list(range(FRAMES))
        assert in_order != clip["shuffled"]
        assert sorted(set(error.tolist())) == list(range(FRAMES))


def test_nothing_public_names_a_method(tmp_path):
    results = write_results(tmp_path / "motions")
    folder = tmp_path / "out"
    make.make(folder, results, Settings(participants=2, pairs=2, checks=1))
    hidden = [*METHODS, *(r.digest for r in results), "shuffle", "attention", str(tmp_path), "motions.npz"]
    public = [path for path in (folder / "public").rglob("*") if path.is_file()]
    assert len(public) == 4 + 2 * (2 * len(CAPTIONS) + make.CHECK_CLIPS)
    for path in public:
        text = path.read_bytes().lower()
        if path.suffix not in (".js", ".css"):  # the page's own code is the same for all surveys
            assert [word for word in hidden if word.lower().encode() in text] == []
        assert not any(word in str(path.relative_to(folder)).lower() for word in METHODS)
    assert not re.search("|".join(METHODS), "".join(p.read_text() for p in public if p.suffix in (".js", ".css")))
    # Neither do the ages of the files: they were written in the order of their numbers.
    films = sorted((folder / "public/clips").glob("*.webm"), key=lambda path: path.stat().st_mtime_ns)
    assert films == sorted(films)


def test_numbers_of_clips_say_nothing(results):
    """Over seeds, each method has the lower number of a caption's two clips about half of the time."""
    matched, lower = scenes.match(results), []
    for seed in range(150):
        shown = make.draw_plan(results, matched, Settings(participants=1, pairs=1, seed=seed), "x")["shown"]
        lower += [shown[k, 0, False] < shown[k, 1, False] for k in range(len(matched))]
    assert abs(np.mean(lower) - 0.5) < 0.08  # 4 standard errors of 600


def test_the_same_arguments_give_the_same_survey_and_others_are_refused(drawn, results, tmp_path):
    settings = Settings(participants=6, pairs=3, checks=1, seed=3)
    before = {p: p.stat().st_mtime_ns for p in drawn.rglob("*.webm")}
    key = (drawn / "key.json").read_bytes()
    make.make(drawn, results, settings)
    assert (drawn / "key.json").read_bytes() == key
    assert {p: p.stat().st_mtime_ns for p in drawn.rglob("*.webm")} == before  # nothing is drawn again
    with pytest.raises(DataError, match="another survey"):
        make.make(drawn, results, replace(settings, seed=4))


def test_killed_it_goes_on(results, tmp_path, monkeypatch):
    write, written = drawing.write_film, []

    def killed_at_the_fourth(path, frames, fps):
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(path)
        write(path, frames, fps)

    settings = Settings(participants=2, pairs=2)
    monkeypatch.setattr(drawing, "write_film", killed_at_the_fourth)
    with pytest.raises(KeyboardInterrupt):
        make.make(tmp_path, results, settings)
    assert not (tmp_path / "key.json").exists()
    kept = {path: path.stat().st_mtime_ns for path in written}
    monkeypatch.setattr(drawing, "write_film", write)
    make.make(tmp_path, results, settings)
    assert (tmp_path / "key.json").exists() and len(list((tmp_path / "public/clips").glob("*.webm"))) == 8
    assert {path: path.stat().st_mtime_ns for path in written} == kept


def test_reference_videos_are_shown_without_what_they_knew(results, tmp_path):
    video = tmp_path / "zebrafinch-squat.avi"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter_fourcc(*"MJPG"), 25, (641, 961))
    for k in range(10):
        writer.write(np.full((961, 641, 3), 20 * k, np.uint8))
    writer.release()
    table = tmp_path / "captions.csv"
    table.write_text(f"caption,video\n{CAPTIONS[1]},{video.name}\n{CAPTIONS[2]},\n")
    make.make(tmp_path / "out", results, Settings(participants=2, pairs=2), table)
    _, survey = read(tmp_path / "out")
    shown = {t["caption"]: t.get("reference") for slot in survey["slots"] for t in slot}
    assert shown == {CAPTIONS[1]: "r000", CAPTIONS[2]: None}
    film = frames_of(tmp_path / "out/public/clips/r000.webm")
    assert film.shape == (10, 480, 320, 3)
    assert b"zebrafinch" not in (tmp_path / "out/public/clips/r000.webm").read_bytes()


def test_consent_is_filled_in(results, tmp_path):
    settings = Settings(participants=1, pairs=2, checks=1, question="Which one dances?")
    make.make(tmp_path, results, settings, consent="Title\n{pairs} pairs in {minutes} <script>")
    _, survey = read(tmp_path)
    assert survey["consent"] == "Title\n3 pairs in 1 to 2 minutes <script>"
    assert survey["question"] == "Which one dances?"
    assert "<script>" not in (tmp_path / "public/index.html").read_text().split('id="survey">')[1].split("</script")[0]


@pytest.mark.parametrize(
    "settings, message",
    [
        (Settings(pairs=0), "at least one"),
        (Settings(floor="ceiling"), "zero or lowest"),
        (Settings(post="server"), "https://"),
    ],
)
def test_bad_settings(results, tmp_path, settings, message):
    with pytest.raises(DataError, match=message):
        make.make(tmp_path, results, settings)


def test_one_method_cannot_be_compared(results, tmp_path):
    with pytest.raises(DataError, match="two or more"):
        make.make(tmp_path, results[:1], Settings())


class TestDrawing:
    def test_everything_fits_and_fills_the_picture(self, results):
        for scene in scenes.match(results):
            view = drawing.view_of(list(scene.motions.values()))
            pixels = np.concatenate([view.pixels(m, 480)[0].reshape(-1, 2) for m in scene.motions.values()])
            edge = 480 * (0.5 - drawing.MARGIN)
            assert pixels.min() >= edge - 1 and pixels.max() <= 480 - edge + 1
            assert (pixels.max(0) - pixels.min(0)).max() > 480 * 0.6

    def test_left_is_blue_and_on_the_right_of_a_body_that_faces_us(self, results):
        scene = scenes.match(results)[0]
        joints = scene.motions[METHODS[0]][:1]
        frame = next(drawing.draw(joints, results[0].skeleton, drawing.view_of([joints]))).astype(int)
        blue, red = frame[..., 0] - frame[..., 2] > 80, frame[..., 2] - frame[..., 0] > 80
        assert np.argwhere(blue)[:, 1].mean() > np.argwhere(red)[:, 1].mean() + 5

    def test_no_video(self, tmp_path):
        (tmp_path / "x.mp4").write_bytes(b"not a video")
        with pytest.raises(ValueError, match=r"x\.mp4: not a video"):
            drawing.read_film(tmp_path / "x.mp4")
        with pytest.raises(OSError, match="without frames"):
            drawing.write_film(tmp_path / "y.webm", iter(()), 20)
