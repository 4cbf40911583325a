"""The server: it keeps every vote it acknowledged, takes nothing else, and shows nothing but the page."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from http_client import Connection, post, raw, vote_on

from videomdm.survey import store

serve = pytest.importorskip("videomdm.survey.serve", reason="needs the extra survey")

UNLIMITED = serve.Limits(starts=(1e6, 1e6), votes=(1e6, 1e6), requests=(1e6, 1e6))


def slots_of(folder):
    return json.loads((folder / "public/survey.json").read_text())["slots"]


@pytest.fixture
def address(survey):
    with serve.running(survey, UNLIMITED) as url:
        host, port = url.removeprefix("http://").split(":")
        yield host, int(port)


def rows(folder):
    return store.read_votes(folder / "votes.sqlite")


def take_part(address, slots, chosen="left"):
    _, started = post(address, "/api/start", {})
    for k, trial in enumerate(slots[started["slot"]]):
        assert post(address, "/api/vote", vote_on(trial, k, started["participant"], chosen))[0] == 201
    return started


class TestVotes:
    def test_one_row_a_vote_in_order(self, survey, address):
        started = take_part(address, slots_of(survey), "right")
        trials = slots_of(survey)[started["slot"]]
        want = [vote_on(t, k, started["participant"], "right") for k, t in enumerate(trials)]
        assert rows(survey) == want

    def test_a_second_vote_replaces_nothing(self, survey, address):
        started = take_part(address, slots_of(survey))
        before = rows(survey)
        trial = slots_of(survey)[started["slot"]][1]
        status, _ = post(address, "/api/vote", vote_on(trial, 1, started["participant"], "right"))
        assert status == 409 and rows(survey) == before

    def test_a_code_for_those_who_finished(self, survey, address):
        trials = slots_of(survey)
        _, started = post(address, "/api/start", {})
        who = {"participant": started["participant"]}
        assert post(address, "/api/finish", who) == (409, {"problem": "4 pairs have no vote yet"})
        for k, trial in enumerate(trials[started["slot"]]):
            post(address, "/api/vote", vote_on(trial, k, **who))
        status, said = post(address, "/api/finish", who)
        assert status == 200 and len(said["code"]) == 8 and set(said["code"]) <= set(serve.CODE_LETTERS)
        assert post(address, "/api/finish", who) == (200, said)  # asked again, the same

    def test_places_are_taken_evenly_and_given_again(self, survey, address, monkeypatch):
        taken = Counter(post(address, "/api/start", {})[1]["slot"] for _ in range(12))
        assert taken == dict.fromkeys(range(6), 2)
        monkeypatch.setattr(serve, "AWAY", 0)  # all twelve have left
        assert [post(address, "/api/start", {})[1]["slot"] for _ in range(2)] == [0, 0]

    def test_what_was_begun_goes_on_after_a_restart(self, survey):
        slots = slots_of(survey)
        with serve.running(survey) as url:
            host, port = url.removeprefix("http://").split(":")
            _, started = post((host, int(port)), "/api/start", {})
            post((host, int(port)), "/api/vote", vote_on(slots[0][0], 0, started["participant"]))
        with serve.running(survey) as url:
            host, port = url.removeprefix("http://").split(":")
            votes = [vote_on(trial, k, started["participant"]) for k, trial in enumerate(slots[0])]
            assert [post((host, int(port)), "/api/vote", vote)[0] for vote in votes] == [409, 201, 201, 201]
            assert post((host, int(port)), "/api/finish", {"participant": started["participant"]})[0] == 200

    def test_nothing_about_a_person_is_kept(self, survey, address):
        take_part(address, slots_of(survey))
        tables = store.connect(survey / "votes.sqlite")
        kept = {name: [c[1] for c in tables.execute(f"PRAGMA table_info({name})")]
                for (name,) in tables.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}  # fmt: skip
        assert kept == {"participants": ["participant", "slot"], "votes": list(store.VOTE),
                        "finished": ["participant", "code"]}  # fmt: skip
        assert b"127.0.0.1" not in b"".join(path.read_bytes() for path in survey.glob("votes.sqlite*"))

    def test_a_disk_that_refuses_is_no_lost_vote(self, survey, address):
        """The client is told to try again, and nothing is acknowledged."""
        _, started = post(address, "/api/start", {})
        vote = vote_on(slots_of(survey)[0][0], 0, started["participant"])
        other = store.connect(survey / "votes.sqlite")
        other.execute("CREATE TRIGGER full BEFORE INSERT ON votes BEGIN SELECT RAISE(ABORT, 'disk full'); END")
        assert post(address, "/api/vote", vote)[0] == 503
        other.execute("DROP TRIGGER full")
        assert post(address, "/api/vote", vote)[0] == 201
        assert len(rows(survey)) == 1


class TestPages:
    def get(self, address, path):
        return raw(address, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())

    def test_serves_the_page_in_server_mode(self, address):
        status, answer = self.get(address, "/")
        assert status == 200 and b'data-votes="server"' in answer
        for header in (b"content-security-policy: default-src 'none'", b"x-content-type-options: nosniff"):
            assert header in answer.lower()
        assert b"\r\nserver:" not in answer.lower()

    @pytest.mark.parametrize("path", ["/survey.js", "/survey.css", "/survey.json"])
    def test_serves_files(self, address, path):
        assert self.get(address, path)[0] == 200

    def test_parts_of_clips(self, survey, address):
        request = b"GET /clips/c000.webm HTTP/1.1\r\nHost: x\r\nRange: bytes=0-99\r\nConnection: close\r\n\r\n"
        status, answer = raw(address, request)
        assert status == 206 and answer.endswith((survey / "public/clips/c000.webm").read_bytes()[:100])

    def test_no_page_names_a_method(self, address):
        for path in ("/", "/survey.json", "/key.json", "/votes.sqlite", "/api/", "/clips/"):
            assert b"zebrafinch" not in self.get(address, path)[1]

    def test_starts_without_what_only_motions_need(self):
        code = "import sys, videomdm.survey.command, videomdm.survey.serve; print({'torch', 'cv2'} & set(sys.modules))"
        assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"

    def test_no_survey_there(self, tmp_path):
        with pytest.raises(ValueError, match="no key.json"):
            serve.application(tmp_path)


class TestLimits:
    def test_votes_starts_and_all_requests(self, survey):
        limits = serve.Limits(starts=(3, 0), votes=(2, 0), requests=(12, 0))
        with serve.running(survey, limits) as url:
            host, port = url.removeprefix("http://").split(":")
            address = (host, int(port))
            starts = [post(address, "/api/start", {}) for _ in range(5)]
            assert [status for status, _ in starts] == [201] * 3 + [429] * 2
            who = starts[0][1]["participant"]
            votes = [vote_on(trial, k, who) for k, trial in enumerate(slots_of(survey)[0])]
            assert [post(address, "/api/vote", vote)[0] for vote in votes] == [201, 201, 429, 429]
            assert [post(address, "/api/vote", votes[0])[0] for _ in range(4)] == [429] * 4
            assert len(rows(survey)) == 2

    def test_buckets_refill(self, monkeypatch):
        now = [0.0]
        monkeypatch.setattr(serve.time, "monotonic", lambda: now[0])
        bucket = serve.Buckets(2, 0.5)
        bucket.take("a"), bucket.take("a"), bucket.take("b")
        with pytest.raises(serve.HTTPException):
            bucket.take("a")
        now[0] = 2.0
        bucket.take("a")

    def test_a_survey_has_an_end(self, survey, address, monkeypatch):
        monkeypatch.setattr(serve, "MAX_PARTICIPANTS", 1)
        assert [post(address, "/api/start", {})[0] for _ in range(2)] == [201, 403]

    def test_one_who_never_finishes_a_request(self, address, monkeypatch):
        monkeypatch.setattr(serve, "BODY_TIMEOUT", 0.2)
        with socket.create_connection(address, 10) as connection:
            connection.sendall(b"POST /api/start HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                               b"Content-Length: 100\r\n\r\n{")  # fmt: skip
            assert connection.recv(100).startswith(b"HTTP/1.1 408")


# ---- hostile input ----------------------------------------------------------------------------------------

SCRIPT = "<script>fetch('//evil')</script>"


def hostile(good, given, rng):
    """Endless requests that must be refused, of every kind that came to mind: (what, bytes).

    ``good`` would be accepted, ``given`` has been.
    """

    def request(method, path, body=b"", kind=b"application/json"):
        head = b"%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
        return head % (method, path, kind, len(body)) + body

    def vote(body, **more):
        return request(b"POST", b"/api/vote", body if isinstance(body, bytes) else json.dumps(body).encode(), **more)

    values = [None, True, -1, 10**9, 10**30, -1.5, 1e308, "", "0", SCRIPT, "' OR 1=1", "../key.json", [], {}, "\0", "é"]
    paths = ["/../key.json", "/..%2fkey.json", "/%2e%2e/key.json", "/clips/../../key.json", "/clips/..%5c..%5ckey.json",
             "//etc/passwd", "/clips//../../votes.sqlite", "/./../votes.sqlite", "/%00", "/clips/c000.webm%00.jpg",
             "/....//key.json", "/clips/%2e%2e%2f%2e%2e%2fvotes.sqlite-wal", "/key.json", "/votes.sqlite",
             "/.git/config", "/clips/", "/api/", "/api/votes", "/~root", "/clips/c999.webm"]  # fmt: skip
    while True:
        name = str(rng.choice(list(good)))
        value = values[rng.integers(len(values))]
        yield "wrong value", vote(good | {name: value})
        yield "missing", vote({k: v for k, v in good.items() if k != name})
        yield "extra", vote(good | {f"comment{rng.integers(99)}": SCRIPT})
        yield "another's pair", vote(good | {"left": good["right"], "right": good["left"]})
        yield "unknown participant", vote(good | {"participant": rng.bytes(16).hex()})
        yield "trial", vote(good | {"trial": int(rng.integers(4, 900))})
        yield "oversized", vote(json.dumps(good).encode() + b" " * int(rng.integers(3000, 100_000)))  # else a good one
        yield "random bytes", vote(rng.bytes(int(rng.integers(1, 900))))
        yield "cut", vote(json.dumps(good).encode()[: int(rng.integers(1, 100))])
        yield "nested", vote(b"[" * int(rng.integers(1, 2000)))
        yield "not a number", vote(good | {"seconds": float(rng.choice([np.nan, np.inf, -np.inf]))})
        yield "list", vote([good])
        yield "form", vote(good, kind=b"application/x-www-form-urlencoded")
        yield "replayed", vote(given | {"chosen": str(rng.choice(["left", "right"]))})
        yield "finish", request(b"POST", b"/api/finish", json.dumps({"participant": str(value)}).encode())
        yield "start", request(b"POST", b"/api/start", json.dumps({"participant": SCRIPT, "slot": 1}).encode())
        yield "path", request(b"GET", paths[rng.integers(len(paths))].encode())
        yield "path posted", request(b"POST", paths[rng.integers(len(paths))].encode(), b"{}")
        yield "method", request([b"GET", b"PUT", b"DELETE", b"PATCH"][rng.integers(4)], b"/api/vote", b"{}")
        yield "page", request([b"POST", b"PUT", b"DELETE"][rng.integers(3)], b"/index.html", b"x")
        yield "header", b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100_000  # and never an end
        yield "not HTTP", rng.bytes(40).replace(b"\n", b"") + b"\r\n\r\n"


def test_hostile_input_is_refused_and_nothing_stored(survey, address):
    _, started = post(address, "/api/start", {})
    good, *votes = (vote_on(t, k, started["participant"]) for k, t in enumerate(slots_of(survey)[started["slot"]]))
    assert [post(address, "/api/vote", vote)[0] for vote in votes] == [201] * 3
    before = rows(survey)
    files = {path: path.read_bytes() for path in survey.rglob("*") if path.is_file() and "sqlite" not in path.name}
    tries, kinds = Counter(), hostile(good, votes[0], np.random.default_rng(0))
    while tries.total() < 1200:
        kind, request = next(kinds)
        status, answer = raw(address, request)
        assert 400 <= status < 500, (kind, request[:300], status)
        assert SCRIPT.encode() not in answer and b'"methods"' not in answer and b"SQLite format" not in answer
        tries[kind] += 1
    assert min(tries.values()) >= 40
    assert rows(survey) == before
    assert {path: path.read_bytes() for path in files} == files
    others = [path for path in survey.rglob("*") if path.is_file() and path not in files]
    assert all("sqlite" in path.name for path in others)
    participants = store.connect(survey / "votes.sqlite").execute("SELECT count(*) FROM participants").fetchone()
    assert participants == (1,)
    print(f"{tries.total()} tries of {len(tries)} kinds refused")
    assert post(address, "/api/vote", good)[0] == 201  # it was not the vote itself that they were refused for


# ---- kills and load ---------------------------------------------------------------------------------------


def start_server(folder, port):
    """The server as a process of its own, ready to answer."""
    code = (
        "import sys; from pathlib import Path; from videomdm.survey import serve; "
        "serve.serve(Path(sys.argv[1]), port=int(sys.argv[2]), limits=serve.Limits(*3 * [(1e6, 1e6)]))"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(folder), str(port)], stdout=subprocess.DEVNULL)
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return process
        except OSError:
            time.sleep(0.05)
    process.kill()
    raise AssertionError("the server did not start")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


def vote_until(stop, address, slots, acknowledged, failures):
    """One participant after another, each vote sent once more as long as nobody answers, like the page."""

    def insist(path, content):
        while not stop.is_set():
            try:
                return post(address, path, content, timeout=5)
            except (OSError, ValueError, http_error):
                time.sleep(0.01)
        return 0, None

    from http.client import HTTPException as http_error

    while not stop.is_set():
        status, started = insist("/api/start", {})
        if status != 201:
            continue
        for k, trial in enumerate(slots[started["slot"]]):
            vote = vote_on(trial, k, started["participant"], "left" if k % 2 else "right")
            status, said = insist("/api/vote", vote)
            if status in (201, 409):  # 409: it had been stored, and the answer was lost with the server
                acknowledged.append(vote)
            elif status:
                failures.append((status, said))


def killed_under_load(folder, kills, seed=0):
    """Kill the server ``kills`` times while six participants vote; acknowledged votes and those in the file."""
    slots, port, rng = slots_of(folder), free_port(), np.random.default_rng(seed)
    stop, acknowledged, failures = threading.Event(), [], []
    arguments = (stop, ("127.0.0.1", port), slots, acknowledged, failures)
    voters = [threading.Thread(target=vote_until, args=arguments) for _ in range(6)]
    process = start_server(folder, port)
    for voter in voters:
        voter.start()
    try:
        for _ in range(kills):
            time.sleep(rng.uniform(0.05, 0.5))
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            process = start_server(folder, port)
        time.sleep(0.5)
    finally:
        stop.set()
        for voter in voters:
            voter.join()
        process.kill()
        process.wait()
    assert not failures
    return acknowledged, rows(folder)


def check_kept(acknowledged, stored):
    key = lambda vote: (vote["participant"], vote["trial"])  # noqa: E731
    by_key = {key(vote): vote for vote in stored}
    assert len(by_key) == len(stored)
    assert [vote for vote in acknowledged if by_key.get(key(vote)) != vote] == []


@pytest.mark.slow
def test_no_acknowledged_vote_is_lost_when_killed(survey):
    acknowledged, stored = killed_under_load(survey, kills=3)
    assert len(acknowledged) > 20
    check_kept(acknowledged, stored)


@pytest.mark.slow
def test_fifty_kills(survey):
    acknowledged, stored = killed_under_load(survey, kills=50)
    check_kept(acknowledged, stored)
    print(f"50 kills: {len(acknowledged)} votes acknowledged, {len(stored)} stored, none lost")
    assert len(acknowledged) > 300


async def crowd(address, slots, n, pause):
    """Seconds that each vote of ``n`` participants at once took, and the votes; each looks for a while first."""
    rng = np.random.default_rng(0)
    taken, votes = [], []

    async def one(first, waits):
        connection = Connection(address)
        await asyncio.sleep(first)
        status, started = await connection.post("/api/start", {})
        assert status == 201, started
        for k, trial in enumerate(slots[started["slot"]]):
            await asyncio.sleep(waits[k])
            vote = vote_on(trial, k, started["participant"])
            before = time.perf_counter()
            status, said = await connection.post("/api/vote", vote)
            taken.append(time.perf_counter() - before)
            assert status == 201, said
            votes.append(vote)
        status, said = await connection.post("/api/finish", {"participant": started["participant"]})
        assert status == 200 and len(said["code"]) == 8
        connection.close()

    waits = rng.uniform(0.5 * pause, 1.5 * pause, (n, len(slots[0])))
    await asyncio.gather(*(one(rng.uniform(0, pause), waits[k]) for k in range(n)))
    return np.array(taken), votes


@pytest.mark.slow
def test_two_hundred_at_once(survey):
    """Each votes about once a second, faster than clips of any survey play; 95 % and more of a vote is waiting."""
    slots, port = slots_of(survey), free_port()
    process = start_server(survey, port)
    try:
        with ThreadPoolExecutor(1) as apart:  # a browser of other tests may have a loop running in this thread
            taken, votes = apart.submit(asyncio.run, crowd(("127.0.0.1", port), slots, 200, pause=1.0)).result()
    finally:
        process.terminate()
        process.wait()
    half, most = 1000 * np.quantile(taken, [0.5, 0.99])
    print(f"{len(votes)} votes of 200 participants: median {half:.1f} ms, p99 {most:.1f}, most {1e3 * taken.max():.0f}")
    assert len(votes) == 200 * len(slots[0])
    check_kept(votes, rows(survey))
    if "PYTEST_XDIST_WORKER" not in os.environ:  # beside other tests the cores are not its own
        assert most < 200
