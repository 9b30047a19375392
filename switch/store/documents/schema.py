"""The tables of the API's file."""

from __future__ import annotations

MIGRATIONS = (  # entry n makes version n + 1 of version n; never edit one that was released
    """
    CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE documents (
        seq INTEGER PRIMARY KEY, sid TEXT NOT NULL UNIQUE, account TEXT NOT NULL, kind TEXT NOT NULL,
        parent TEXT NOT NULL, name TEXT, state TEXT NOT NULL, source TEXT NOT NULL, target TEXT NOT NULL,
        at REAL NOT NULL, created_at REAL NOT NULL, updated_at REAL NOT NULL, data TEXT NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX by_name ON documents (kind, name) WHERE name IS NOT NULL;
    CREATE INDEX by_account ON documents (account, kind, seq);
    CREATE INDEX by_parent ON documents (parent, kind, seq) WHERE parent <> '';
    CREATE INDEX by_target ON documents (account, kind, target, seq) WHERE target <> '';
    CREATE INDEX by_source ON documents (account, kind, source, seq) WHERE source <> '';
    -- What is not done yet: looked through at the start, so it must cost what waits and not the history.
    CREATE INDEX by_state ON documents (kind, state, seq)
        WHERE state IN ('accepted', 'queued', 'sending', 'sent', 'scheduled', 'pending', 'dead');
    -- One ordered stream of everything that happens.
    CREATE TABLE events (
        id INTEGER PRIMARY KEY, account TEXT NOT NULL, type TEXT NOT NULL, subject TEXT NOT NULL,
        at REAL NOT NULL, data TEXT NOT NULL
    ) STRICT;
    CREATE INDEX events_by_account ON events (account, id);
    """,
    """
    CREATE INDEX by_age ON documents (kind, created_at);
    CREATE INDEX events_by_age ON events (at);
    """,
    """
    CREATE INDEX alerts ON events (account, id) WHERE type = 'alert.webhook';
    """,
)
READABLE_BY = 1  # the oldest program that can use a file of the newest schema
