# What Writer holds in C; writer.py runs without.

cimport cython

cdef class Batch:
    cdef public dict live, ended, bindings, texts, settings
    cdef public double alive_at, purge_at
    cdef public bint has_lines

    cpdef Py_ssize_t _marks(self)

cdef class Writer:
    cdef object _commit, _changed, _thread
    cdef Py_ssize_t _capacity
    cdef double _min_delay, _max_delay, _max_pause, _quiet_until
    cdef public object lock, on_texts
    cdef public Batch pending
    cdef Py_ssize_t _writing_count
    cdef bint _is_idle, _is_closing, _is_urgent, _is_patient
    cdef list _waiters
    cdef public long long commit_count, failure_count, lost_count
    cdef public bint is_failing

    @cython.locals(pending=Batch)
    cpdef bint has_room(self, double share=*)
    cpdef wake(self)
    cpdef wake_later(self)
