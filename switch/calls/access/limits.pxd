# What Caps holds in C; limits.py runs without.

cdef class Caps:
    cdef public object limits
    cdef public dict others
    cdef dict _began, _up, _credit

    cpdef bint admits(self, str account, double now)
    cpdef take(self, str account)
    cpdef give_back(self, str account)
