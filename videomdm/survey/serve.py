"""``videomdm survey serve``: shows a survey and keeps its votes.

Nothing about a visitor is stored or logged: addresses are only held in memory, to slow down whoever asks too often.
A vote is acknowledged when it is on the disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import re
import secrets
import socket
import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from videomdm.storage.text import read_json
from videomdm.survey import store

MAX_BODY = 2048  # bytes of a request; a vote has about 150
MAX_SECONDS, MAX_REPLAYS = 24 * 3600, 1000  # of one vote
MAX_PARTICIPANTS = 20_000
BODY_TIMEOUT = 10  # seconds in which a request has to arrive
AWAY = 3600  # seconds without a vote after which a participant's place is given to another
CODE_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # without those that look alike
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True)
class Limits:
    """How often one may ask: so many at once, and so many a second after that.

    Attributes:
        starts: new participants from one address.  Behind one address there may be a whole laboratory.
        votes: votes of one participant.
        requests: all posts from one address.
    """

    starts: tuple[float, float] = (100, 0.5)
    votes: tuple[float, float] = (60, 1.0)
    requests: tuple[float, float] = (1000, 100.0)


class Buckets:
    """Token buckets by key: ``capacity`` tokens that refill at ``rate`` a second."""

    def __init__(self, capacity: float, rate: float) -> None:
        self.capacity, self.rate = capacity, rate
        self.levels: dict[str, tuple[float, float]] = {}

    def take(self, key: str) -> None:
        """Take a token.

        Raises:
            HTTPException: 429, there is none.
        """
        now = time.monotonic()
        if len(self.levels) > 50_000:  # full buckets need not be remembered
            self.levels = {k: v for k, v in self.levels.items() if v[0] + (now - v[1]) * self.rate < self.capacity}
        level, then = self.levels.get(key, (self.capacity, now))
        level = min(self.capacity, level + (now - then) * self.rate)
        if level < 1:
            raise HTTPException(429, "too many requests, please wait a little")
        self.levels[key] = (level - 1, now)


@dataclass
class Survey:
    """A survey that runs: what it asks, who takes part, and where the votes go.

    Attributes:
        slots: for each slot its trials, as in ``survey.json``.
        writer: of the votes.
        slot_of: participant -> slot.
        seen: participant -> when last heard of, in ``time.monotonic`` seconds.
        codes: participant -> completion code of those who have finished.
        voted: participant -> trials voted on.
    """

    slots: list[list[dict]]
    writer: store.Writer
    limits: Limits
    slot_of: dict[str, int] = field(default_factory=dict)
    seen: dict[str, float] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    voted: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))

    def __post_init__(self) -> None:
        execute = self.writer.connection.execute
        self.slot_of = dict(execute("SELECT participant, slot FROM participants"))
        self.codes = dict(execute("SELECT participant, code FROM finished"))
        self.seen = dict.fromkeys(self.slot_of, time.monotonic())
        for participant, trial in execute("SELECT participant, trial FROM votes"):
            self.voted[participant].add(trial)
        self.by_address, self.starts = Buckets(*self.limits.requests), Buckets(*self.limits.starts)
        self.by_participant = Buckets(*self.limits.votes)

    async def start(self, request: Request) -> Response:
        """A new participant: ``{}`` -> 201 ``{participant, slot}``."""
        await self._read(request, {})
        self.starts.take(_address(request))
        if len(self.slot_of) >= MAX_PARTICIPANTS:
            raise HTTPException(403, "this survey is closed")
        participant, slot = secrets.token_hex(16), self._free_slot()
        self.slot_of[participant], self.seen[participant] = slot, time.monotonic()
        await self.writer.add(store.ADD_PARTICIPANT, (participant, slot))
        return JSONResponse({"participant": participant, "slot": slot}, 201)

    def _free_slot(self) -> int:
        """The slot with the fewest participants, not counting those who have left without finishing."""
        taken, now = [0] * len(self.slots), time.monotonic()
        for participant, slot in self.slot_of.items():
            taken[slot] += participant in self.codes or now - self.seen[participant] < AWAY
        return taken.index(min(taken))

    async def vote(self, request: Request) -> Response:
        """One vote -> 201; 409 when this participant has voted on this pair, and nothing is stored."""
        vote = await self._read(request, _VOTE)
        participant = self._known(vote["participant"])
        self.by_participant.take(participant)
        trials = self.slots[self.slot_of[participant]]
        if not 0 <= vote["trial"] < len(trials):
            raise HTTPException(422, f"trial {vote['trial']}, expected 0 to {len(trials) - 1}")
        trial = trials[vote["trial"]]
        if (vote["left"], vote["right"]) != (trial["left"], trial["right"]):
            raise HTTPException(422, "left and right are not the clips of this pair")
        self.seen[participant] = time.monotonic()
        if not await self.writer.add(store.ADD_VOTE, [vote[name] for name in store.VOTE]):
            raise HTTPException(409, "there is a vote on this pair")
        self.voted[participant].add(vote["trial"])
        return JSONResponse({"trial": vote["trial"]}, 201)

    async def finish(self, request: Request) -> Response:
        """The completion code of a participant who has voted on all pairs; 409 before."""
        participant = self._known((await self._read(request, {"participant": _is_token}))["participant"])
        self.by_participant.take(participant)
        missing = len(self.slots[self.slot_of[participant]]) - len(self.voted[participant])
        if missing:
            raise HTTPException(409, f"{missing} pairs have no vote yet")
        while participant not in self.codes:
            code = "".join(secrets.choice(CODE_LETTERS) for _ in range(8))
            if await self.writer.add(store.ADD_FINISHED, (participant, code)):
                self.codes[participant] = code
        return JSONResponse({"code": self.codes[participant]})

    def _known(self, participant: str) -> str:
        if participant not in self.slot_of:
            raise HTTPException(404, "no such participant")
        return participant

    async def _read(self, request: Request, fields: dict) -> dict:
        """The body: an object with exactly these fields, each as it should be."""
        self.by_address.take(_address(request))
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            raise HTTPException(415, "expected application/json")
        try:
            body = json.loads(await _body(request))
        except (ValueError, RecursionError):
            raise HTTPException(400, "not JSON") from None
        if not isinstance(body, dict) or set(body) != set(fields):
            raise HTTPException(422, f"expected an object with {', '.join(fields) or 'nothing'}")
        for name, is_good in fields.items():
            if not is_good(body[name]):
                raise HTTPException(422, f"{name} is not as expected")
        return body


def _is_token(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{32}", value) is not None


def _is_clip(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch("c[0-9]{3,6}", value) is not None


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= MAX_REPLAYS


def _is_seconds(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and 0 <= value <= MAX_SECONDS


_VOTE = {
    "participant": _is_token, "trial": _is_count, "left": _is_clip, "right": _is_clip,
    "chosen": lambda value: value in ("left", "right"), "seconds": _is_seconds, "replays": _is_count,
}  # fmt: skip


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


async def _body(request: Request) -> bytes:
    body = b""
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY:
                    raise HTTPException(413, f"more than {MAX_BODY} bytes")
    except TimeoutError:
        raise HTTPException(408, "too slow") from None
    return body


_UVICORN = {
    "access_log": False, "log_level": "warning", "server_header": False, "limit_concurrency": 2000,
    "timeout_keep_alive": 10, "timeout_graceful_shutdown": 5, "h11_max_incomplete_event_size": 16_384, "http": "h11",
}  # fmt: skip


# ---- the application --------------------------------------------------------------------------------------


def application(folder: Path, limits: Limits | None = None) -> Starlette:
    """The survey in a folder that ``videomdm survey make`` made, as an ASGI application.

    Votes go to ``folder / "votes.sqlite"``; of the folder only ``public/`` is served.

    Raises:
        ValueError: there is no finished survey.
    """
    public = folder / "public"
    if not (folder / "key.json").is_file():
        raise ValueError(f"{folder}: no key.json, expected a folder that `videomdm survey make` finished")
    survey = read_json(public / "survey.json")
    page = (public / "index.html").read_text()
    page = re.sub('data-votes="[^"]*"', 'data-votes="server"', page, count=1)
    writer = store.Writer(store.connect(folder / "votes.sqlite"))
    running = Survey(survey["slots"], writer, limits or Limits())

    async def index(_: Request) -> Response:
        return HTMLResponse(page, headers={"Cache-Control": "no-cache"})

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        writing = asyncio.create_task(writer.run())
        yield
        writing.cancel()
        writer.connection.close()

    routes = [
        Route("/", index),
        Route("/index.html", index),
        Route("/api/start", running.start, methods=["POST"]),
        Route("/api/vote", running.vote, methods=["POST"]),
        Route("/api/finish", running.finish, methods=["POST"]),
        Mount("/", StaticFiles(directory=public)),
    ]
    handlers = {HTTPException: _problem, sqlite3.Error: _not_stored}
    app = Starlette(routes=routes, exception_handlers=handlers, lifespan=lifespan)
    app.add_middleware(_Headers)
    return app


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"problem": error.detail}, error.status_code, headers=error.headers)


async def _not_stored(_: Request, error: Exception) -> Response:
    """The page tries again later."""
    print(f"a vote could not be stored: {error}", flush=True)
    return JSONResponse({"problem": "could not be stored, please try again"}, 503)


class _Headers:
    """Adds the security headers to every answer."""

    def __init__(self, app) -> None:
        self.app = app
        self.headers = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]

    async def __call__(self, scope, receive, send) -> None:
        async def with_headers(message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), *self.headers]}
            await send(message)

        await self.app(scope, receive, with_headers if scope["type"] == "http" else send)


@contextlib.contextmanager
def running(folder: Path, limits: Limits | None = None) -> Iterator[str]:
    """A survey served on a free port of this machine while the block runs; yields its address, ``http://...``.

    Raises:
        OSError: the server does not start.
    """
    app = application(folder, limits)
    server = uvicorn.Server(uvicorn.Config(app, **_UVICORN))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            while not server.started:
                if not thread.is_alive():
                    raise OSError(f"{folder}: the server did not start")
                time.sleep(0.01)
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def serve(folder: Path, host: str = "127.0.0.1", port: int = 8000, limits: Limits | None = None) -> None:
    """Serve until interrupted.

    A proxy on the same machine may tell the visitors' addresses (``X-Forwarded-For``); HTTPS is its work too.
    """
    app = application(folder, limits)
    print(f"The survey is at http://{host}:{port}/ and its votes go to {folder / 'votes.sqlite'}", flush=True)
    uvicorn.run(app, host=host, port=port, **_UVICORN)
