"""The tables, how an older file becomes a newer one, and which older programs may still use it then."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

_APPLICATION_ID = 0x53575243  # "SWRC"
PRAGMAS = (
    "synchronous = FULL",  # a commit is on the disk when it returns
    "wal_autocheckpoint = 4000",  # pages; those of live calls are used again and again until then
    "journal_size_limit = 67108864",
    "busy_timeout = 1000",
)
_READABLE = "schema.readable_by"  # in the table of state

_LIVE_COLUMNS = """
    call_id_a TEXT NOT NULL, call_id_b TEXT NOT NULL, caller TEXT NOT NULL, callee TEXT NOT NULL,
    from_user TEXT NOT NULL, to_user TEXT NOT NULL,
    setup_at REAL NOT NULL, ring_at REAL, answer_at REAL, codecs TEXT NOT NULL
"""
_CALL_COLUMNS = f"""{_LIVE_COLUMNS},
    end_at REAL, duration REAL NOT NULL, cause INTEGER NOT NULL, reason TEXT NOT NULL, ended_by TEXT NOT NULL,
    a_packets INTEGER NOT NULL, a_size INTEGER NOT NULL, a_lost INTEGER NOT NULL, a_jitter_ms REAL NOT NULL,
    b_packets INTEGER NOT NULL, b_size INTEGER NOT NULL, b_lost INTEGER NOT NULL, b_jitter_ms REAL NOT NULL
"""
_ISO = "strftime('%Y-%m-%dT%H:%M:%fZ', {0}, 'unixepoch') AS {0}"

MIGRATIONS = (  # entry n makes version n + 1 of version n; never edit one that was released
    f"""
    CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE bindings (
        user TEXT NOT NULL, contact TEXT NOT NULL, expires_at REAL NOT NULL, q REAL NOT NULL,
        call_id TEXT NOT NULL, cseq INTEGER NOT NULL, transport TEXT NOT NULL,
        local_host TEXT NOT NULL, local_port INTEGER NOT NULL,
        remote_host TEXT NOT NULL, remote_port INTEGER NOT NULL,
        user_agent TEXT NOT NULL, instance TEXT NOT NULL, path TEXT NOT NULL,
        PRIMARY KEY (user, contact)
    ) STRICT, WITHOUT ROWID;
    -- Calls that are up; a close moves them to calls, which is only ever appended to: the cost of a
    -- call does not grow with the history.
    CREATE TABLE live (id TEXT PRIMARY KEY, {_LIVE_COLUMNS}) STRICT, WITHOUT ROWID;
    CREATE TABLE calls (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, {_CALL_COLUMNS}) STRICT;
    -- The calls for people and for the lines of JSON: times as text.
    CREATE VIEW records AS SELECT
        seq, id, call_id_a, call_id_b, caller, callee, from_user, to_user,
        {", ".join(_ISO.format(name) for name in ("setup_at", "ring_at", "answer_at", "end_at"))},
        round(duration, 3) AS duration, cause, reason, ended_by, codecs,
        a_packets, a_size, a_lost, round(a_jitter_ms, 2) AS a_jitter_ms,
        b_packets, b_size, b_lost, round(b_jitter_ms, 2) AS b_jitter_ms
    FROM calls;
    """,
    f"""
    -- Calls of several workers: which life of which worker has them.
    ALTER TABLE live ADD COLUMN trunk TEXT NOT NULL DEFAULT '';
    ALTER TABLE live ADD COLUMN slot INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE live ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;
    -- What another process needs to go on with the call: JSON, or nothing.
    ALTER TABLE live ADD COLUMN state TEXT NOT NULL DEFAULT '';
    ALTER TABLE calls ADD COLUMN trunk TEXT NOT NULL DEFAULT '';
    ALTER TABLE calls ADD COLUMN verdict TEXT NOT NULL DEFAULT '';
    ALTER TABLE calls ADD COLUMN explanation TEXT NOT NULL DEFAULT '';
    DROP VIEW records;
    CREATE VIEW records AS SELECT
        seq, id, call_id_a, call_id_b, caller, callee, from_user, to_user, trunk,
        {", ".join(_ISO.format(name) for name in ("setup_at", "ring_at", "answer_at", "end_at"))},
        round(duration, 3) AS duration, cause, reason, ended_by, verdict, codecs,
        a_packets, a_size, a_lost, round(a_jitter_ms, 2) AS a_jitter_ms,
        b_packets, b_size, b_lost, round(b_jitter_ms, 2) AS b_jitter_ms
    FROM calls;
    -- Texts for users who are not there.
    CREATE TABLE texts (
        id INTEGER PRIMARY KEY, sender TEXT NOT NULL, sender_name TEXT NOT NULL, account TEXT NOT NULL,
        user TEXT NOT NULL, called TEXT NOT NULL, content_type TEXT NOT NULL, body BLOB NOT NULL,
        sent_at REAL NOT NULL, expires_at REAL NOT NULL, slot INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    """,
    f"""
    -- How calls sounded.
    ALTER TABLE calls ADD COLUMN a_mos REAL NOT NULL DEFAULT 0;
    ALTER TABLE calls ADD COLUMN a_round_trip_ms REAL NOT NULL DEFAULT 0;
    ALTER TABLE calls ADD COLUMN b_mos REAL NOT NULL DEFAULT 0;
    ALTER TABLE calls ADD COLUMN b_round_trip_ms REAL NOT NULL DEFAULT 0;
    DROP VIEW records;
    CREATE VIEW records AS SELECT
        seq, id, call_id_a, call_id_b, caller, callee, from_user, to_user, trunk,
        {", ".join(_ISO.format(name) for name in ("setup_at", "ring_at", "answer_at", "end_at"))},
        round(duration, 3) AS duration, cause, reason, ended_by, verdict, codecs,
        a_packets, a_size, a_lost, round(a_jitter_ms, 2) AS a_jitter_ms, round(a_mos, 2) AS a_mos,
        round(a_round_trip_ms, 1) AS a_round_trip_ms,
        b_packets, b_size, b_lost, round(b_jitter_ms, 2) AS b_jitter_ms, round(b_mos, 2) AS b_mos,
        round(b_round_trip_ms, 1) AS b_round_trip_ms
    FROM calls;
    """,
    f"""
    -- How the sound of calls was protected.
    ALTER TABLE calls ADD COLUMN a_secured TEXT NOT NULL DEFAULT '';
    ALTER TABLE calls ADD COLUMN b_secured TEXT NOT NULL DEFAULT '';
    DROP VIEW records;
    CREATE VIEW records AS SELECT
        seq, id, call_id_a, call_id_b, caller, callee, from_user, to_user, trunk,
        {", ".join(_ISO.format(name) for name in ("setup_at", "ring_at", "answer_at", "end_at"))},
        round(duration, 3) AS duration, cause, reason, ended_by, verdict, codecs,
        a_packets, a_size, a_lost, round(a_jitter_ms, 2) AS a_jitter_ms, round(a_mos, 2) AS a_mos,
        round(a_round_trip_ms, 1) AS a_round_trip_ms, a_secured,
        b_packets, b_size, b_lost, round(b_jitter_ms, 2) AS b_jitter_ms, round(b_mos, 2) AS b_mos,
        round(b_round_trip_ms, 1) AS b_round_trip_ms, b_secured
    FROM calls;
    """,
    f"""
    -- Live calls by rowid: a state is too long for a table without, which gives each a page of its own.
    ALTER TABLE live RENAME TO live_without;
    CREATE TABLE live (
        id TEXT PRIMARY KEY NOT NULL, {_LIVE_COLUMNS}, trunk TEXT NOT NULL DEFAULT '',
        slot INTEGER NOT NULL DEFAULT 0, generation INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL DEFAULT ''
    ) STRICT;
    INSERT INTO live SELECT * FROM live_without;
    DROP TABLE live_without;
    """,
)
# The first version whose programs can still work with the newest: they name the columns they know, so what a
# migration only adds leaves the way back open. One that takes away or means something else raises this.
READABLE_BY = 2
RECORD_COLUMNS = (  # of the view, without seq
    *("id", "call_id_a", "call_id_b", "caller", "callee", "from_user", "to_user", "trunk"),
    *("setup_at", "ring_at", "answer_at", "end_at", "duration", "cause", "reason", "ended_by", "verdict"),
    "codecs",
    *("a_packets", "a_size", "a_lost", "a_jitter_ms", "a_mos", "a_round_trip_ms", "a_secured"),
    *("b_packets", "b_size", "b_lost", "b_jitter_ms", "b_mos", "b_round_trip_ms", "b_secured"),
)


class StoreError(Exception):
    """The store cannot be used; one line says why."""


def create_private(path: Path) -> None:
    """Make the folder and the file for their owner alone, before SQLite makes them for everybody."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    path.chmod(0o600)


def connect(path: Path) -> sqlite3.Connection:
    """Open the database; the caller's thread may differ from the one that uses it."""
    connection = sqlite3.connect(path, timeout=1.0, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def migrate(
    connection: sqlite3.Connection,
    migrations: tuple[str, ...] = MIGRATIONS,
    readable_by: int = READABLE_BY,
) -> None:
    """Bring the file to the version that this program knows; one from the future stays, if it may be used."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    known = len(migrations)
    if version and application != _APPLICATION_ID:
        raise StoreError("is the database of another program")
    if version > known and _readable_by(connection, version) > known:
        raise StoreError(f"was written by a newer Switchroom: schema {version}, this one knows up to {known}")
    for number in range(version, known):
        connection.executescript(
            f"BEGIN IMMEDIATE; {migrations[number]}; PRAGMA user_version = {number + 1};"
            f"PRAGMA application_id = {_APPLICATION_ID};"
            f"INSERT OR REPLACE INTO state VALUES ('{_READABLE}', '{min(readable_by, known)}'); COMMIT;"
        )


def _readable_by(connection: sqlite3.Connection, version: int) -> int:
    row = connection.execute("SELECT value FROM state WHERE key = ?", (_READABLE,)).fetchone()
    return version if row is None else int(row[0])
