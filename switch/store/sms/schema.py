"""The tables of the message store, and how an older file becomes a newer one."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from switchroom.switch.store.schema import connect as connect_store
from switchroom.switch.store.schema import migrate as migrate_store

CLAIMED = "(2, 12)"  # State.SENDING, State.GATHERING

MIGRATIONS = (  # entry n makes version n + 1 of version n; never edit one that was released
    f"""
    CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE messages (
        id INTEGER PRIMARY KEY, inlet TEXT NOT NULL,
        source TEXT NOT NULL, source_kind INTEGER NOT NULL,
        destination TEXT NOT NULL, destination_kind INTEGER NOT NULL,
        body BLOB NOT NULL, coding INTEGER NOT NULL, extra TEXT, wish INTEGER NOT NULL,
        priority INTEGER NOT NULL, expires_at REAL NOT NULL, accepted_at REAL NOT NULL,
        state INTEGER NOT NULL, outlet TEXT NOT NULL, route TEXT NOT NULL, attempts INTEGER NOT NULL,
        changed_at REAL NOT NULL, error TEXT NOT NULL, reason TEXT NOT NULL, parts INTEGER NOT NULL,
        is_redacted INTEGER NOT NULL
    ) STRICT;
    -- What was on its way when the switch ended; as small as the windows of the outlets.
    CREATE INDEX claimed ON messages (id) WHERE state IN {CLAIMED};
    CREATE TABLE history (
        message INTEGER NOT NULL, at REAL NOT NULL, state INTEGER NOT NULL, outlet TEXT NOT NULL,
        note TEXT NOT NULL, PRIMARY KEY (message, at, state)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE queue (
        lane TEXT NOT NULL, rank INTEGER NOT NULL, message INTEGER NOT NULL, expires_at REAL NOT NULL,
        PRIMARY KEY (lane, rank, message)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX queue_expiry ON queue (expires_at);
    CREATE TABLE timers (message INTEGER PRIMARY KEY, due_at REAL NOT NULL) STRICT;
    CREATE INDEX timers_due ON timers (due_at);
    CREATE TABLE expecting (
        key INTEGER PRIMARY KEY, outlet TEXT NOT NULL, mark TEXT NOT NULL, remote_id TEXT NOT NULL,
        state INTEGER NOT NULL, at REAL NOT NULL
    ) STRICT;
    CREATE INDEX expecting_marks ON expecting (mark);
    CREATE TABLE notices (
        inlet TEXT NOT NULL, id INTEGER NOT NULL, message INTEGER NOT NULL, state INTEGER NOT NULL,
        at REAL NOT NULL, detail TEXT NOT NULL, PRIMARY KEY (inlet, id)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE orphans (
        id INTEGER PRIMARY KEY, outlet TEXT NOT NULL, mark TEXT NOT NULL, at REAL NOT NULL,
        detail TEXT NOT NULL, reason TEXT NOT NULL
    ) STRICT;
    CREATE INDEX orphans_age ON orphans (at);
    -- The clients' own keys: a second submission with the same one is the first.
    CREATE TABLE keys (
        inlet TEXT NOT NULL, key TEXT NOT NULL, message INTEGER NOT NULL, at REAL NOT NULL,
        PRIMARY KEY (inlet, key)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX keys_age ON keys (at);
    """,
)


_BOUNDS = ("cache_size = -16384", "wal_autocheckpoint = 4000")
_SECURE = "secure_delete = FAST"  # redacted means gone
PRAGMAS = ("synchronous = FULL", "journal_size_limit = 67108864", "busy_timeout = 1000", *_BOUNDS, _SECURE)
READ_PRAGMAS = ("query_only = ON", "busy_timeout = 1000", *_BOUNDS)


def connect(path: Path) -> sqlite3.Connection:
    """Open the database with bounds on what it holds in memory."""
    connection = connect_store(path)
    try:
        for pragma in (*_BOUNDS, _SECURE):
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the file to the version that this program knows."""
    migrate_store(connection, MIGRATIONS, readable_by=len(MIGRATIONS))
