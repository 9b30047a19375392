"""Large pages for the interpreter's memory: a switch walks through megabytes of small objects for each call.

With pages of 4 KiB the processor spends much of that on looking up where they are, the more so in a virtual
machine, where each look-up is two. What the start has made is turned into pages of 2 MiB, and what is made
later lies in such from the beginning. Where the kernel has none to give, nothing changes. It only wraps the
kernel and the interpreter, so it has no twin in Python.
"""

from libc.stdint cimport uintptr_t

cdef extern from "pages_core.h":
    void pages_use()
    void pages_collapse(char* begin, char* end, size_t used) nogil
    size_t pages_count()


def use() -> None:
    """From now on the interpreter's memory comes in large pages."""
    pages_use()


def collapse(uintptr_t begin, uintptr_t end, size_t used) -> None:
    """Turn a region into large pages, of which the first octets are in use already."""
    with nogil:
        pages_collapse(<char*>begin, <char*>end, used)


def count() -> int:
    """The pieces of 2 MiB that are held at present."""
    return pages_count()
