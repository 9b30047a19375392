# What the classes of wheel.py hold in C; the same module runs without.

cimport cython

cdef double _NEVER, _HOP, _PER_SECOND
cdef long long _MASK

cdef class Slots:
    cdef double _per_second
    cdef dict _items
    cdef list _ticks, _last
    cdef long long _last_tick

    @cython.locals(slot=cython.double, tick=cython.longlong, items=list)
    cpdef double add(self, item, double at) except? -1
    @cython.locals(items=list)
    cpdef list _find(self, long long tick)
    @cython.locals(tick=cython.longlong)
    cpdef double soonest(self) except? -1
    cpdef object next_at(self)
    @cython.locals(tick=cython.longlong)
    cpdef tuple take(self, double now)

cdef class Timed:
    cdef public double wake_at, _filed_at
    cdef Timed _previous, _next

    cpdef _rest(self)
    cpdef handle_timer(self, double now)

cdef class Wheel:
    cdef list _slots
    cdef long long _first
    cdef Py_ssize_t _count

    @cython.locals(slot=cython.double, tick=cython.longlong)
    cpdef arm(self, Timed timed, double at, double now)
    @cython.locals(knot=Timed, last=Timed)
    cdef _file(self, Timed timed, long long tick)
    @cython.locals(before=Timed, after=Timed)
    cdef _remove(self, Timed timed)
    cpdef disarm(self, Timed timed)
    @cython.locals(knot=Timed)
    cpdef double soonest(self) except? -1
    cpdef object next_at(self)
    @cython.locals(timed=Timed, knot=Timed)
    cpdef handle_timer(self, double now)
