"""The survey as participants see it, in a real browser."""

import json
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest
from small_survey import CAPTIONS, METHODS, until

from videomdm.survey import analyse, make, store

pytestmark = pytest.mark.slow

serve = pytest.importorskip("videomdm.survey.serve", reason="needs the extra survey")


@pytest.fixture
def served(survey):
    with serve.running(survey) as address:
        yield address


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def static(survey):
    """The public folder on a static host: no server of ours."""
    host = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=survey / "public"))
    threading.Thread(target=host.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{host.server_port}/"
    host.shutdown()


def begin(page, address):
    page.goto(address)
    page.check("#agree")
    page.click("#to-instructions")
    page.click("#begin")
    page.wait_for_selector("#trial:not([hidden])")


def unlocked(page, n):
    """Wait until the buttons of pair ``n`` (from 1) are enabled."""
    until(page, f"document.getElementById('count').textContent.startsWith('Pair {n} of')")
    page.wait_for_selector("#choose-left:enabled")


def stored(survey):
    return store.read_votes(survey / "votes.sqlite")


#: Notes when each clip ends and when the buttons are enabled, before the page's own code runs.
WATCH = """
window.noted = [];
document.addEventListener("ended", (e) => noted.push(`${e.target.id} ended`), true);
document.addEventListener("DOMContentLoaded", () => new MutationObserver(() => {
  if (!document.getElementById("choose-left").disabled) noted.push("enabled");
}).observe(document.getElementById("choose-left"), { attributes: true }));
"""


def test_consent_comes_first(page, served):
    page.goto(served)
    assert page.is_visible("#consent") and not page.is_visible("#trial") and not page.is_visible("#instructions")
    assert "4 pairs of short clips" in page.inner_text("#consent")
    assert page.is_disabled("#to-instructions")
    page.check("#agree")
    page.click("#to-instructions")
    assert page.is_visible("#instructions") and not page.is_visible("#consent")


def test_buttons_wait_for_the_end_of_both_clips(page, served, survey):
    page.add_init_script(WATCH)
    begin(page, served)
    assert page.is_disabled("#choose-left") and page.is_disabled("#choose-right")
    until(page, "!document.getElementById('left').paused && !document.getElementById('right').paused")
    page.keyboard.press("ArrowLeft")  # keys wait too
    unlocked(page, 1)
    assert page.inner_text("#count") == "Pair 1 of 4" and stored(survey) == []
    noted = page.evaluate("noted")
    assert sorted(noted[:2]) == ["left ended", "right ended"] and noted[2] == "enabled"


def test_one_clip_is_not_enough(page, served):
    """The right clip hangs; however long the left one has ended, there is nothing to choose."""
    page.add_init_script("HTMLMediaElement.prototype.play = new Proxy(HTMLMediaElement.prototype.play, { apply: "
                         "(f, it, a) => it.id === 'right' ? 0 : Reflect.apply(f, it, a) })")  # fmt: skip
    begin(page, served)
    until(page, "document.getElementById('left').ended")
    page.wait_for_timeout(300)
    assert page.is_disabled("#choose-left") and page.is_disabled("#choose-right")
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(600)  # a choice would have led to the next pair
    assert page.inner_text("#count") == "Pair 1 of 4"


def test_a_whole_survey_with_mouse_and_keyboard(page, served, survey):
    begin(page, served)
    for k, act in enumerate(["#choose-left", "#choose-right", "ArrowRight", "a"]):
        unlocked(page, k + 1)
        assert page.eval_on_selector("#progress", "p => [p.value, p.max]") == [k, 4]
        page.click(act) if act.startswith("#") else page.keyboard.press(act)
    page.wait_for_selector("#finished:not([hidden])")
    votes = stored(survey)
    assert [vote["chosen"] for vote in votes] == ["left", "right", "right", "left"]
    assert [vote["trial"] for vote in votes] == [0, 1, 2, 3]
    assert all(0.4 <= vote["seconds"] < 20 and vote["replays"] == 0 for vote in votes)
    (code,) = store.connect(survey / "votes.sqlite").execute("SELECT code FROM finished").fetchone()
    assert page.inner_text("#code") == code
    page.reload()  # the code can be seen again, and nothing is sent twice
    page.wait_for_selector("#finished:not([hidden])")
    assert page.inner_text("#code") == code and stored(survey) == votes


def test_replay(page, served, survey):
    begin(page, served)
    unlocked(page, 1)
    page.keyboard.press("r")
    until(page, "!document.getElementById('left').paused && !document.getElementById('left').ended")
    assert page.is_enabled("#choose-left")  # watched is watched
    until(page, "document.getElementById('left').ended && document.getElementById('right').ended")
    page.click("#replay")
    page.click("#choose-right")
    unlocked(page, 2)
    assert [vote["replays"] for vote in stored(survey)] == [2]


def test_a_held_key_answers_one_pair(page, served, survey):
    begin(page, served)
    unlocked(page, 1)
    page.keyboard.down("b")
    for _ in range(5):
        page.keyboard.down("b")
    unlocked(page, 2)
    for _ in range(5):
        page.keyboard.down("b")
    page.wait_for_timeout(500)
    assert page.inner_text("#count") == "Pair 2 of 4" and len(stored(survey)) == 1


def test_goes_on_after_a_reload(page, served, survey):
    begin(page, served)
    unlocked(page, 1)
    page.click("#choose-left")
    unlocked(page, 2)
    caption = page.inner_text("#caption")
    page.reload()
    unlocked(page, 2)
    assert page.inner_text("#caption") == caption
    page.click("#choose-right")
    unlocked(page, 3)
    votes = stored(survey)
    assert [vote["trial"] for vote in votes] == [0, 1] and len({vote["participant"] for vote in votes}) == 1


def test_goes_on_after_a_reload_without_a_server(page, static):
    begin(page, static)
    unlocked(page, 1)
    page.click("#choose-left")
    unlocked(page, 2)
    page.reload()
    unlocked(page, 2)
    assert page.evaluate("JSON.parse(Object.values(localStorage)[0]).votes.length") == 1


def test_without_a_connection_answers_wait(page, served, survey):
    begin(page, served)
    unlocked(page, 1)
    until(page, "performance.getEntriesByType('resource').filter(r => r.name.endsWith('.webm')).length >= "
                           "new Set(JSON.parse(document.getElementById('survey').textContent).slots[0]"
                           ".flatMap(t => [t.left, t.right])).size")  # fmt: skip
    page.wait_for_timeout(300)
    page.context.set_offline(True)
    for n in range(1, 5):
        unlocked(page, n)
        page.keyboard.press("ArrowLeft")
    until(page, "!document.getElementById('connection').hidden && !document.getElementById('done').hidden")
    assert stored(survey) == []
    page.context.set_offline(False)
    page.wait_for_selector("#finished:not([hidden])")
    assert not page.is_visible("#connection")
    assert [vote["trial"] for vote in stored(survey)] == [0, 1, 2, 3]


def test_nothing_on_the_page_or_in_its_traffic_names_a_method(page, served):
    addresses, texts = [], []
    page.on("request", lambda request: addresses.append(request.url + (request.post_data or "")))
    page.on("response", lambda response: texts.append(json.dumps(response.all_headers())))
    begin(page, served)
    for n in range(1, 5):
        unlocked(page, n)
        texts.append(page.content())
        page.keyboard.press("ArrowLeft")
    page.wait_for_selector("#finished:not([hidden])")
    everything = "".join([*addresses, *texts, page.content(), page.evaluate("JSON.stringify(localStorage)")]).lower()
    assert len(addresses) > 10 and "c00" in everything
    assert not [name for name in METHODS if name in everything]
    assert not page.evaluate("document.cookie")


def test_static_host_hands_out_a_file_that_analyse_reads(page, static, survey, tmp_path):
    begin(page, static + "?slot=3")
    for n in range(1, 5):
        unlocked(page, n)
        page.keyboard.press("ArrowLeft")
    page.wait_for_selector("#hand-in:not([hidden])")
    with page.expect_download() as download:
        page.click("#download")
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    answers = json.loads(file.read_text())
    assert answers["slot"] == 2 and answers["code"] == page.inner_text("#code") and len(answers["votes"]) == 4
    key = json.loads((survey / "key.json").read_text())
    trials = json.loads((survey / "public/survey.json").read_text())["slots"][2]
    chosen = [key["clips"][trial["left"]] for trial in trials]
    if any(clip["shuffled"] for clip in chosen):
        with pytest.raises(ValueError, match="none of 3 votes counts"):
            analyse.analyse(survey, [file])
    else:
        found = analyse.analyse(survey, [file])
        wins = sum(clip["method"] == METHODS[0] for trial, clip in zip(trials, chosen, strict=True)
                   if not key["clips"][trial["right"]]["shuffled"])  # fmt: skip
        assert (found["pairs"][0]["preferred"], found["pairs"][0]["votes"]) == (wins, 3)


def test_opened_from_a_folder(page, survey):
    """Without any host, where the browser lets pages fetch nothing."""
    page.context.set_offline(True)
    begin(page, (survey / "public/index.html").as_uri())
    for n in range(1, 5):
        unlocked(page, n)
        page.keyboard.press("ArrowRight")
    page.wait_for_selector("#hand-in:not([hidden])")
    assert len(page.inner_text("#code")) == 8


@pytest.mark.parametrize("accepts", [True, False])
def test_answers_are_posted_where_asked(page, static, survey, accepts):
    posted = []

    class Collector(_Quiet):
        def do_OPTIONS(self):
            self.send_response(204)
            self.cors()

        def do_POST(self):
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200 if accepts else 500)
            self.cors()

        def cors(self):
            self.send_header("Access-Control-Allow-Origin", "*")
            self.send_header("Access-Control-Allow-Headers", "*")
            self.end_headers()

    collector = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    index = survey / "public/index.html"
    address = f"http://127.0.0.1:{collector.server_port}/"
    index.write_text(index.read_text().replace('data-votes="download"', f'data-votes="{address}"'))
    begin(page, static)
    for n in range(1, 5):
        unlocked(page, n)
        page.keyboard.press("ArrowRight")
    page.wait_for_selector("#finished:not([hidden])")
    assert len(posted) == 1 and len(posted[0]["votes"]) == 4
    assert page.is_visible("#hand-in") != accepts  # refused answers are still not lost
    collector.shutdown()


def test_captions_are_text(page, served):
    begin(page, served)
    for n in range(1, 5):
        unlocked(page, n)
        if "waves" in page.inner_text("#caption"):
            assert page.inner_text("#caption") == "a person walks & waves <b>"
            assert page.query_selector("#caption b") is None
            break
        page.keyboard.press("ArrowLeft")
    else:
        pytest.fail("the caption with markup was not shown")


@pytest.mark.parametrize("size", [(360, 640), (390, 844), (844, 390), (768, 1024), (1280, 720)])
def test_all_is_in_sight_on_every_screen(page, served, size):
    page.set_viewport_size({"width": size[0], "height": size[1]})
    begin(page, served)
    unlocked(page, 1)
    for element in ("#left", "#right", "#choose-left", "#choose-right", "#replay", "#question"):
        box = page.locator(element).bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= size[0]
        assert box["y"] >= 0 and box["y"] + box["height"] <= size[1], element
    for side in ("#left", "#right"):
        assert page.locator(side).bounding_box()["width"] >= 150
    for button in ("#choose-left", "#choose-right"):
        assert page.locator(button).bounding_box()["height"] >= 44  # a thumb's size
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


def test_reaches_everything_by_tab_key(page, served):
    page.goto(served)
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "begin"
    page.keyboard.press("Enter")
    unlocked(page, 1)
    order = []
    for _ in range(3):
        page.keyboard.press("Tab")
        order.append(page.evaluate("document.activeElement.id"))
    assert order == ["choose-left", "replay", "choose-right"]
    page.keyboard.press("Enter")
    unlocked(page, 2)


def test_a_survey_that_is_closed_says_so(page, served, monkeypatch):
    monkeypatch.setattr(serve, "MAX_PARTICIPANTS", 0)
    page.goto(served)
    page.check("#agree")
    page.click("#to-instructions")
    page.click("#begin")
    until(page, "document.getElementById('begin').textContent === 'this survey is closed'")


def test_the_server_may_restart_in_between(page, survey):
    """A vote given while the server is down arrives when it is back, once."""
    with serve.running(survey) as address:
        port = int(address.rsplit(":", 1)[1])
        begin(page, address)
        unlocked(page, 1)
        page.wait_for_timeout(500)
    page.click("#choose-left")
    page.wait_for_timeout(500)
    application = serve.application(survey)
    server = serve.uvicorn.Server(serve.uvicorn.Config(application, port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + 15
        while not stored(survey) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert [vote["trial"] for vote in stored(survey)] == [0]
    finally:
        server.should_exit = True
        thread.join()


@pytest.mark.parametrize("size", [(360, 640), (844, 390), (1280, 720)])
def test_a_reference_video_plays_beside_the_clips(page, results, tmp_path, size):
    video = cv2.VideoWriter(str(tmp_path / "real.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 25, (640, 360))
    for k in range(50):
        video.write(np.full((360, 640, 3), 4 * k, np.uint8))
    video.release()
    (tmp_path / "captions.csv").write_text(f"caption,video\n{CAPTIONS[1]},real.avi\n")
    make.make(tmp_path / "survey", results, make.Settings(participants=1, pairs=1), tmp_path / "captions.csv")
    page.set_viewport_size({"width": size[0], "height": size[1]})
    begin(page, (tmp_path / "survey/public/index.html").as_uri())
    unlocked(page, 1)
    until(page, "document.getElementById('reference').currentTime > 0")
    boxes = {name: page.locator(f"#{name}").bounding_box() for name in ("reference", "left", "right", "choose-left")}
    for box in boxes.values():
        assert box["x"] >= 0 and box["x"] + box["width"] <= size[0]
        assert box["y"] >= 0 and box["y"] + box["height"] <= size[1]
    assert boxes["left"]["width"] == boxes["right"]["width"] >= 150
