"""Where a survey's votes lie: one SQLite file in WAL mode, one row a vote, nothing that says who a participant is.

A participant is a random number. Rows are only ever added; a second vote on a pair is refused and changes nothing.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path

_TABLES = """
CREATE TABLE IF NOT EXISTS participants (
  participant TEXT PRIMARY KEY, slot INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS votes (
  participant TEXT NOT NULL REFERENCES participants, trial INTEGER NOT NULL,
  "left" TEXT NOT NULL, "right" TEXT NOT NULL, chosen TEXT NOT NULL CHECK (chosen IN ('left', 'right')),
  seconds REAL NOT NULL, replays INTEGER NOT NULL,
  UNIQUE (participant, trial)
) STRICT;
CREATE TABLE IF NOT EXISTS finished (
  participant TEXT PRIMARY KEY REFERENCES participants, code TEXT NOT NULL UNIQUE
) STRICT;
"""
VOTE = ("participant", "trial", "left", "right", "chosen", "seconds", "replays")
ADD_PARTICIPANT = "INSERT OR IGNORE INTO participants VALUES (?, ?)"
ADD_VOTE = "INSERT OR IGNORE INTO votes VALUES (?, ?, ?, ?, ?, ?, ?)"
ADD_FINISHED = "INSERT OR IGNORE INTO finished VALUES (?, ?)"


def connect(path: Path) -> sqlite3.Connection:
    """Open the votes of a survey, made if missing.

    ``synchronous = FULL``: a transaction is on the disk when it is committed, through a power cut too.
    """
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;" + _TABLES)
    return connection


def read_votes(path: Path) -> list[dict]:
    """All votes in the order of their arrival, as dictionaries with the keys of ``VOTE``; changes nothing."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)
    try:
        rows = connection.execute("SELECT * FROM votes ORDER BY rowid").fetchall()
    finally:
        connection.close()
    return [dict(zip(VOTE, row, strict=True)) for row in rows]


class Writer:
    """Rows of many requests, written in one transaction as soon as the one before is on the disk.

    A write to the disk takes milliseconds whether it holds one row or a hundred: two hundred participants who vote
    in the same moment wait for one or two of them, not for two hundred.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.waiting: asyncio.Queue[tuple[str, Sequence, asyncio.Future]] = asyncio.Queue()

    async def add(self, statement: str, values: Sequence) -> bool:
        """Whether the row is new; returns when it is on the disk.

        Raises:
            sqlite3.Error: it could not be written (a full disk).
        """
        done = asyncio.get_running_loop().create_future()
        self.waiting.put_nowait((statement, values, done))
        return await done

    async def run(self) -> None:
        """Write what comes until cancelled."""
        while True:
            batch = [await self.waiting.get()]
            while not self.waiting.empty():
                batch.append(self.waiting.get_nowait())
            try:
                added = await asyncio.to_thread(self._write, [(statement, values) for statement, values, _ in batch])
            except sqlite3.Error as error:
                for _, _, done in batch:
                    if not done.done():
                        done.set_exception(error)
                continue
            for (_, _, done), is_new in zip(batch, added, strict=True):
                if not done.done():  # cancelled: its client has gone
                    done.set_result(is_new)

    def _write(self, rows: Sequence[tuple[str, Sequence]]) -> list[bool]:
        with self.connection:  # commits, or rolls back
            self.connection.execute("BEGIN IMMEDIATE")
            return [self.connection.execute(statement, values).rowcount == 1 for statement, values in rows]
