"""Words that mean something to a database, or to whatever else reads texts."""

from __future__ import annotations

INJECTIONS = [
    *("' OR '1'='1", "'; DROP TABLE documents; --", '" OR ""="', "1; SELECT 1", "') OR ('1'='1", "%' --"),
    *("\\' OR 1=1 --", "' UNION SELECT * FROM documents --", "0x27204f522031", "1 OR 1=1", "NULL", "\x00"),
    *('$."a"', "data", "seq DESC", "*", "%", "_", "`id`", "{{7*7}}", "${7*7}", "<script>alert(1)</script>"),
    *("../../etc/passwd", "%2e%2e%2f", "\ud7ff", "😀" * 100, "a" * 4000, "-1", "1e309", "٣", "true' --"),
    *(
        "'||(SELECT 1)||'",
        "';ATTACH DATABASE 'x' AS y;--",
        "' AND 1=randomblob(1000000000) --",
        "1)) OR 1=1 --",
    ),
    *("admin'--", "'/**/OR/**/1=1", "' ORDER BY 99 --", "id ASC; DELETE FROM documents", "@@version", "'';"),
    *('"; PRAGMA writable_schema=1; --', "' GLOB '*", "x' COLLATE nocase --", "?1", ":name", "?", "$1"),
]
