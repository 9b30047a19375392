# What Admission holds in C; admission.py runs without.

cdef class Admission:
    cdef public Py_ssize_t calls, began
    cdef readonly dict elsewhere
    cdef object _max, _since, _plan
    cdef double _rate, _burst, _credit
    cdef list _allowed, _blocked

    cpdef admit(self, str number, double now, bint is_emergency, bint is_outgoing)
    cpdef bint _may_call(self, str number)
    cpdef bint _take_credit(self, double now)
    cpdef _fill(self, double now)
