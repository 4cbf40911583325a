"""Motions side by side on one page, in a real browser."""

import json

import cv2
import numpy as np
import pytest
import torch
from small_survey import CAPTIONS, METHODS, until

from videomdm.skeletons import SMPL22
from videomdm.survey import compare, drawing, scenes

pytestmark = pytest.mark.slow


@pytest.fixture
def written(results, tmp_path):
    path = tmp_path / "deep" / "compare.html"
    compare.write(path, scenes.match(results, truth=results[1]), results[0])
    return path


def data_of(path):
    return json.loads(path.read_text().split('id="data">')[1].split("</script>")[0])


def test_holds_the_motions_to_the_millimetre(written, results):
    data = data_of(written)
    assert data["methods"] == list(METHODS) and [s["caption"] for s in data["scenes"]] == list(CAPTIONS)
    for scene, packed in zip(scenes.match(results), data["scenes"], strict=True):
        for motion, text in zip(scene.motions.values(), packed["motions"], strict=True):
            read = np.frombuffer(compare.base64.b64decode(text), "<i2").reshape(-1, 22, 3) / 1000
            assert np.abs(read - motion.numpy()).max() <= 0.00051
        assert packed["truth"] == packed["motions"][1]


def test_needs_nothing_else(written):
    text = written.read_text()
    assert "src=" not in text and "http" not in text and "url(" not in text and "@" not in text.replace("@media", "")
    assert "<b>" not in text.split("<script>")[0].split("</style>")[1]


def test_motions_too_far_away(results, tmp_path):
    far = scenes.Scene("walk", {"a": torch.full((5, 22, 3), 40.0)})
    with pytest.raises(ValueError, match="'walk': a motion that reaches 40 m"):
        compare.write(tmp_path / "x.html", [far], results[0])


def canvases(page):
    return page.eval_on_selector_all("canvas", "all => all.map(c => c.toDataURL())")


@pytest.fixture
def opened(page, written):
    page.emulate_media(reduced_motion="reduce")  # begins paused
    page.goto(written.as_uri())
    until(page, "[...document.querySelectorAll('canvas')].slice(0, 2).every(c => c.width > 300)")
    page.wait_for_timeout(200)
    return page


def test_methods_in_columns_captions_in_rows(opened):
    assert opened.eval_on_selector_all("thead th", "all => all.map(h => h.textContent)") == list(METHODS)
    assert opened.eval_on_selector_all("tbody th", "all => all.map(h => h.textContent)") == list(CAPTIONS)
    assert len(canvases(opened)) == len(METHODS) * len(CAPTIONS)
    assert opened.is_visible("#ghosts")


def test_draws_as_the_films_do(page, results, tmp_path):
    """The same camera: the figure covers nearly the pixels that it covers in a clip of the survey."""
    matched = scenes.match(results)
    compare.write(tmp_path / "c.html", matched, results[0])
    page.emulate_media(reduced_motion="reduce")
    page.goto((tmp_path / "c.html").as_uri())
    page.wait_for_timeout(500)
    joints = matched[0].motions[METHODS[0]]
    view = drawing.view_of(list(matched[0].motions.values()))
    film = next(drawing.draw(joints, SMPL22, view, 480)).astype(int)
    png = np.frombuffer(compare.base64.b64decode(canvases(page)[0].partition(",")[2]), np.uint8)
    drawn = cv2.imdecode(png, cv2.IMREAD_COLOR)
    drawn = cv2.resize(drawn, (480, 480), interpolation=cv2.INTER_AREA).astype(int)
    for is_limb in (lambda f: f[..., 0] - f[..., 2] > 80, lambda f: f[..., 2] - f[..., 0] > 80):
        a, b = is_limb(film), is_limb(drawn)
        assert (a & b).sum() / (a | b).sum() > 0.8


def test_dragging_turns_all_cameras_and_reset_turns_back(opened):
    before = canvases(opened)
    box = opened.locator("canvas").first.bounding_box()
    opened.mouse.move(box["x"] + 50, box["y"] + 50)
    opened.mouse.down()
    opened.mouse.move(box["x"] + 200, box["y"] + 60, steps=4)
    opened.mouse.up()
    opened.wait_for_timeout(200)
    turned = canvases(opened)
    assert turned[0] != before[0] and turned[1] != before[1]  # the neighbour too
    opened.click("#reset")
    opened.wait_for_timeout(200)
    assert canvases(opened)[:2] == before[:2]


def test_one_clock(opened):
    before = canvases(opened)
    opened.evaluate("document.activeElement.blur()")
    opened.keyboard.press(".")
    opened.keyboard.press(".")
    opened.wait_for_timeout(200)
    after = canvases(opened)
    assert opened.inner_text("#seconds") == "0.10 s" and after[0] != before[0] and after[1] != before[1]
    opened.keyboard.press(",")
    opened.keyboard.press(",")
    opened.wait_for_timeout(200)
    assert canvases(opened)[:2] == before[:2]


def test_speed(opened):
    def seconds_in(wait, speed):
        opened.select_option("#speed", speed)
        opened.evaluate("const t = document.getElementById('time'); t.value = 0; t.oninput()")
        opened.evaluate("document.getElementById('play').click()")
        opened.wait_for_timeout(wait)
        opened.evaluate("document.getElementById('play').click()")
        return float(opened.input_value("#time"))

    slow = seconds_in(600, "0.25")
    assert 0.08 < slow < 0.45  # 0.15 and what starting and stopping takes


def test_ghosts_can_be_switched_off(opened):
    before = canvases(opened)
    opened.uncheck("#ghosts")
    opened.wait_for_timeout(200)
    after = canvases(opened)
    assert after[0] != before[0]


def test_no_ghosts_no_switch(page, results, tmp_path):
    compare.write(tmp_path / "c.html", scenes.match(results), results[0])
    page.goto((tmp_path / "c.html").as_uri())
    assert not page.is_visible("#ghosts")


def test_on_a_phone(opened):
    opened.set_viewport_size({"width": 390, "height": 844})
    opened.wait_for_timeout(200)
    assert opened.evaluate("document.documentElement.scrollWidth") <= 390
    for element in ("#play", "#time", "#speed", "#reset"):
        box = opened.locator(element).bounding_box()
        assert box["y"] + box["height"] <= 844 and box["x"] + box["width"] <= 390
