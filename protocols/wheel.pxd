# What the classes of wheel.py hold in C; the same module runs without.

cimport cython

cdef double _NEVER, _HOP

cdef class Slots:
    cdef double _per_second
    cdef dict _items
    cdef list _ticks

    @cython.locals(slot=cython.double, tick=cython.longlong, items=list)
    cpdef double add(self, item, double at) except? -1
    @cython.locals(tick=cython.longlong)
    cpdef object next_at(self)
    @cython.locals(tick=cython.longlong)
    cpdef tuple take(self, double now)

cdef class Timed:
    cdef public double wake_at, _filed_at
    cdef public long long _timer

    cpdef _rest(self)
    cpdef handle_timer(self, double now)

cdef class Wheel:
    cdef Slots _slots
    cdef dict _armed
    cdef long long _last

    @cython.locals(number=cython.longlong)
    cpdef arm(self, Timed timed, double at, double now)
    cpdef disarm(self, Timed timed)
    cpdef object next_at(self)
    @cython.locals(timed=Timed)
    cpdef handle_timer(self, double now)
