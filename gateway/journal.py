"""The journal: SQLite, append-only blocks, committed before anything is acknowledged."""

import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from edge.wire import Letter
from gateway.block import Block, Draft, JournalError, JournalFull, Waiting

VERSION = 1
LETTERS = 100_000
LETTER_BYTES = 4096
QUARANTINE = 200_000

_SCHEMA = """
CREATE TABLE block (id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, at INTEGER NOT NULL,
    first INTEGER, last INTEGER, header BLOB NOT NULL, body BLOB);
CREATE INDEX block_time ON block (last, first) WHERE first IS NOT NULL;
CREATE TABLE pending (hour INTEGER NOT NULL, block INTEGER NOT NULL, PRIMARY KEY (hour, block)) WITHOUT ROWID;
CREATE INDEX pending_block ON pending (block);
CREATE TABLE late (node TEXT PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE cursor (name TEXT PRIMARY KEY, block INTEGER NOT NULL);
CREATE TABLE snapshot (name TEXT PRIMARY KEY, block INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE file (hour INTEGER PRIMARY KEY, name TEXT NOT NULL, rows INTEGER NOT NULL, sha256 TEXT NOT NULL);
CREATE TABLE letter (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, topic TEXT NOT NULL,
    payload BLOB NOT NULL, reason TEXT NOT NULL);
CREATE TABLE quarantine (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, node TEXT NOT NULL,
    topic TEXT NOT NULL, payload BLOB NOT NULL);
CREATE INDEX quarantine_node ON quarantine (node);
CREATE TABLE reject (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, cursor TEXT NOT NULL,
    block INTEGER NOT NULL, line TEXT NOT NULL, reason TEXT NOT NULL);
CREATE TABLE kept (hash TEXT PRIMARY KEY, kind TEXT NOT NULL, body BLOB NOT NULL);
"""

_REFERENCE = "block_reference ON block (last, first) WHERE kind = 'reference'"


class Journal:
    """The journal in one file; each thread that uses it gets a connection of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.dropped: Counter[str] = Counter()
        self._local = threading.local()

    @staticmethod
    def lock(path: Path) -> sqlite3.Connection | None:
        """Hold `path` for this process until the connection is closed or the process ends; None: taken."""
        db = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            db.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            db.close()
            return None
        return db

    @property
    def _db(self) -> sqlite3.Connection:
        if not hasattr(self._local, "db"):
            self._local.db = self._connect()
        db: sqlite3.Connection = self._local.db
        return db

    def _connect(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(self.path, timeout=60, isolation_level=None)
        pragmas = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "wal_autocheckpoint=2000")
        try:
            for pragma in pragmas:
                db.execute(f"PRAGMA {pragma}")
            self._migrate(db)
        except sqlite3.DatabaseError as error:
            db.close()
            why = f"the journal can't be opened: {error}"
            raise JournalError(why, str(self.path), "name a gateway's folder: --data FOLDER") from error
        return db

    def _migrate(self, db: sqlite3.Connection) -> None:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise JournalError(
                f"{self.path}: schema {version} is newer than this gongi's {VERSION}: upgrade gongi"
            )
        if version == 0:
            db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version={VERSION}; COMMIT;")
        # A journal that was begun before there were reference blocks lacks their index.
        db.execute(f"CREATE INDEX IF NOT EXISTS {_REFERENCE}")

    def close(self) -> None:
        """Close this thread's connection."""
        if hasattr(self._local, "db"):
            self._local.db.close()
            del self._local.db

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing; `JournalFull` where the disk doesn't take it."""
        db = self._db
        try:
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")
        except sqlite3.OperationalError as error:
            _roll_back(db)
            raise JournalFull(f"{self.path}: {error}") from error
        except BaseException:
            _roll_back(db)
            raise

    # -- what the river appends -------------------------------------------------------------------------

    def commit(
        self,
        at: int,
        drafts: Sequence[Draft],
        letters: Sequence[Letter] = (),
        waiting: Sequence[Waiting] = (),
        late: Sequence[tuple[str, int, int]] = (),
        settled: Sequence[str] = (),
        retimed: Sequence[int] = (),
    ) -> list[int]:
        """Append blocks, dead letters and quarantined messages in one transaction; the blocks' ids.

        `late`: nodes with the first and last time [ns] of rows that a catch-up pass must evaluate; `settled`:
        nodes whose pass these blocks are; `retimed`: blocks whose untimed rows these blocks hold from now on.
        """
        with self.transaction() as db:
            ids = [_append(db, at, draft) for draft in drafts]
            words = [(at, one.topic, one.payload[:LETTER_BYTES], one.reason) for one in letters]
            self._keep(db, "letter", LETTERS, words)
            self._keep(
                db, "quarantine", QUARANTINE, [(at, one.node, one.topic, one.payload) for one in waiting]
            )
            db.executemany("DELETE FROM late WHERE node = ?", [(node,) for node in settled])
            db.executemany(_LATE, late)
            db.executemany(
                "DELETE FROM pending WHERE hour < 0 AND block = ?", [(block,) for block in retimed]
            )
        return ids

    def _keep(
        self, db: sqlite3.Connection, table: str, most: int, rows: Sequence[tuple[object, ...]]
    ) -> None:
        if not rows:
            return
        db.executemany(f"INSERT INTO {table} ({_COLUMNS[table]}) VALUES (?,?,?,?)", rows)
        done = db.execute(f"DELETE FROM {table} WHERE id <= (SELECT max(id) FROM {table}) - ?", (most,))
        self.dropped[table] += done.rowcount

    def untimed(self) -> list[int]:
        """Ids of the blocks that hold rows which had no time when they came."""
        return [block for (block,) in self._db.execute("SELECT DISTINCT block FROM pending WHERE hour < 0")]

    def late(self) -> dict[str, tuple[int, int]]:
        """Nodes that wait for a catch-up pass, with the first and last time [ns] of their late rows."""
        return {node: (first, last) for node, first, last in self._db.execute("SELECT * FROM late")}

    def keep(self, digest: str, kind: str, body: bytes) -> None:
        """Keep what a block names by its hash (a model, a policy, network files)."""
        with self.transaction() as db:
            db.execute("INSERT OR IGNORE INTO kept VALUES (?, ?, ?)", (digest, kind, body))

    def kept(self, digest: str) -> bytes | None:
        """What is kept under that hash."""
        row = self._db.execute("SELECT body FROM kept WHERE hash = ?", (digest,)).fetchone()
        return row[0] if row else None

    @contextmanager
    def together(self, at: int) -> Iterator[Callable[[Sequence[Draft]], list[int]]]:
        """Append blocks piece by piece, all of them or none, where they are too many for one `commit`."""
        with self.transaction() as db:
            yield lambda drafts: [_append(db, at, draft) for draft in drafts]

    # -- what readers ask -------------------------------------------------------------------------------

    def blocks(self, after: int, kinds: Collection[str], most: int = 1000) -> list[Block]:
        """The next blocks of those kinds behind block `after`, oldest first."""
        marks = ",".join("?" * len(kinds))
        rows = self._db.execute(
            f"SELECT id, kind, at, header, body FROM block WHERE id > ? AND kind IN ({marks}) "
            "ORDER BY id LIMIT ?",
            (after, *kinds, most),
        )
        return [Block(*row) for row in rows]

    def newest(self) -> int:
        """The id of the newest block, 0 where there is none."""
        (newest,) = self._db.execute("SELECT max(id) FROM block").fetchone()
        return newest or 0

    def extent(self) -> tuple[int, int] | None:
        """The first and last sample time [ns] of all that was ever stored, None where nothing was."""
        first, last = self._db.execute(
            "SELECT min(first), max(last) FROM block WHERE first IS NOT NULL AND kind != 'reference'"
        ).fetchone()
        return None if first is None else (first, last)

    def touching(self, start: int, end: int) -> list[int]:
        """Ids of unreleased blocks with sample times in [start, end) ns, oldest first."""
        rows = self._db.execute(
            "SELECT id FROM block WHERE last >= ? AND first < ? AND body IS NOT NULL AND kind != 'reference' "
            "ORDER BY id",
            (start, end),
        )
        return [number for (number,) in rows]

    def references(self, start: int, end: int) -> list[bytes]:
        """Bodies of reference blocks with times in [start, end) ns, oldest block first."""
        rows = self._db.execute(
            "SELECT body FROM block WHERE kind = 'reference' AND last >= ? AND first < ? ORDER BY id",
            (start, end),
        )
        return [body for (body,) in rows]

    def body(self, block: int) -> bytes | None:
        """A block's body, None where it has been released."""
        row = self._db.execute("SELECT body FROM block WHERE id = ?", (block,)).fetchone()
        return row[0] if row else None

    def header(self, block: int) -> bytes:
        """A block's header."""
        header: bytes = self._db.execute("SELECT header FROM block WHERE id = ?", (block,)).fetchone()[0]
        return header

    def heads(self, kind: str, most: int) -> list[int]:
        """Ids of the newest blocks of a kind (`most` -1: of all), newest first."""
        rows = self._db.execute("SELECT id FROM block WHERE kind = ? ORDER BY id DESC LIMIT ?", (kind, most))
        return [number for (number,) in rows]

    def covering(self, start: int, end: int) -> list[int]:
        """Ids of readings blocks, released or not, with sample times in [start, end] ns, newest first."""
        rows = self._db.execute(
            "SELECT id FROM block WHERE last >= ? AND first <= ? AND kind = 'readings' ORDER BY id DESC",
            (start, end),
        )
        return [number for (number,) in rows]

    @contextmanager
    def reading(self) -> Iterator[None]:
        """One consistent view of manifest and blocks for all reads within."""
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.execute("COMMIT")

    # -- the archive's manifest -------------------------------------------------------------------------

    def files(self, first: int, end: int) -> list[str]:
        """Names of the archive's files of the hours [first, end) since 1970, oldest first."""
        rows = self._db.execute(
            "SELECT name FROM file WHERE hour >= ? AND hour < ? ORDER BY hour", (first, end)
        )
        return [name for (name,) in rows]

    def ripe(self, before: int, untimed_before: int, most: int = 100) -> dict[int, list[int]]:
        """Hours that the archive lacks rows of, with the blocks that hold these: those before hour `before`,
        and the keys of untimed rows above `untimed_before` (below zero)."""
        rows = self._db.execute(
            "SELECT hour, block FROM pending WHERE hour IN (SELECT DISTINCT hour FROM pending WHERE "
            "hour BETWEEN 0 AND ? OR (hour < 0 AND hour > ?) ORDER BY hour LIMIT ?) ORDER BY hour, block",
            (before - 1, untimed_before, most),
        )
        table: dict[int, list[int]] = {}
        for hour, block in rows:
            table.setdefault(hour, []).append(block)
        return table

    def enter(self, hour: int, name: str, rows: int, sha256: str, blocks: Sequence[int]) -> None:
        """Enter an hour's file in the manifest and take its rows off the journal's hands, together."""
        with self.transaction() as db:
            db.execute("INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?)", (hour, name, rows, sha256))
            db.executemany(
                "DELETE FROM pending WHERE hour = ? AND block = ?", [(hour, one) for one in blocks]
            )

    def release(self, passed: int) -> int:
        """Drop the bodies of archived blocks up to `passed`, which every cursor has passed; how many."""
        with self.transaction() as db:
            done = db.execute(
                "UPDATE block SET body = NULL WHERE id <= ? AND body IS NOT NULL "
                "AND kind IN ('readings', 'revision') "
                "AND first IS NOT NULL AND NOT EXISTS (SELECT 1 FROM pending WHERE pending.block = block.id)",
                (passed,),
            )
        return done.rowcount

    # -- cursors ----------------------------------------------------------------------------------------

    def cursor(self, name: str) -> int:
        """The last block that the named reader has done with."""
        row = self._db.execute("SELECT block FROM cursor WHERE name = ?", (name,)).fetchone()
        return row[0] if row else 0

    def move(self, name: str, block: int, rejects: Sequence[tuple[int, int, str, str]] = ()) -> None:
        """Move a cursor, and keep (at, block, line, reason) of what its target refused, together."""
        with self.transaction() as db:
            db.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?)", (name, block))
            rows = [(at, name, number, line, reason) for at, number, line, reason in rejects]
            db.executemany("INSERT INTO reject (at, cursor, block, line, reason) VALUES (?,?,?,?,?)", rows)

    def snapshot(self, name: str) -> tuple[int, bytes] | None:
        """The named snapshot: the block up to which it counts, and its body."""
        row: tuple[int, bytes] | None = self._db.execute(
            "SELECT block, body FROM snapshot WHERE name = ?", (name,)
        ).fetchone()
        return row

    def snap(self, name: str, block: int, body: bytes) -> None:
        """Replace the named snapshot, and move the cursor of its name with it."""
        with self.transaction() as db:
            db.execute("INSERT OR REPLACE INTO snapshot VALUES (?, ?, ?)", (name, block, body))
            db.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?)", (name, block))

    # -- letters and quarantine -------------------------------------------------------------------------

    def letters(self, most: int = 100) -> list[tuple[int, str, bytes, str]]:
        """The newest dead letters: (at, topic, payload, reason)."""
        rows = self._db.execute(
            "SELECT at, topic, payload, reason FROM letter ORDER BY id DESC LIMIT ?", (most,)
        )
        return rows.fetchall()

    def rejects(self, most: int = 100) -> list[tuple[str, int, str, str]]:
        """The newest rejected lines: (cursor, block, line, reason)."""
        rows = self._db.execute(
            "SELECT cursor, block, line, reason FROM reject ORDER BY id DESC LIMIT ?", (most,)
        )
        return rows.fetchall()

    def waiting(self, node: str | None = None, most: int = 1000) -> list[tuple[int, Waiting]]:
        """Quarantined messages (of one node), oldest first, with their numbers."""
        rows = self._db.execute(
            "SELECT id, node, topic, payload FROM quarantine WHERE ? IN (node, '*') ORDER BY id LIMIT ?",
            (node or "*", most),
        )
        return [(number, Waiting(*rest)) for number, *rest in rows]

    def quarantined(self) -> dict[str, int]:
        """How many messages of each unknown node wait."""
        return dict(self._db.execute("SELECT node, count(*) FROM quarantine GROUP BY node").fetchall())

    def adopt(self, numbers: Collection[int]) -> None:
        """Forget quarantined messages that have been imported."""
        with self.transaction() as db:
            db.executemany("DELETE FROM quarantine WHERE id = ?", [(number,) for number in numbers])


def _append(db: sqlite3.Connection, at: int, draft: Draft) -> int:
    row = (draft.kind, at, draft.first, draft.last, draft.header, draft.body)
    done = db.execute("INSERT INTO block (kind, at, first, last, header, body) VALUES (?,?,?,?,?,?)", row)
    number = done.lastrowid
    assert number is not None
    db.executemany("INSERT INTO pending VALUES (?, ?)", [(hour, number) for hour in draft.hours])
    return number


_LATE = """INSERT INTO late VALUES (?, ?, ?) ON CONFLICT (node) DO UPDATE
    SET first = min(first, excluded.first), last = max(last, excluded.last)"""
_COLUMNS = {"letter": "at, topic, payload, reason", "quarantine": "at, node, topic, payload"}


def _roll_back(db: sqlite3.Connection) -> None:
    if db.in_transaction:
        db.execute("ROLLBACK")
