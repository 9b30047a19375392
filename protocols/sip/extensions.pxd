# Extended is a class in C, as the message that it extends; extensions.py runs without.

from ._message cimport Head

cdef class SessionExpires:
    cdef readonly long long interval
    cdef readonly str refresher

cdef class Extended(Head):
    pass
