# Extended is a class in C, as the message that it extends; extensions.py runs without.

from ._message cimport Head

cdef class Extended(Head):
    pass
