# What the classes of wheel.py hold in C; the same module runs without.

cdef class Slots:
    cdef double _per_second
    cdef dict _items
    cdef list _ticks

    cpdef double add(self, item, double at) except? -1
    cpdef object next_at(self)
    cpdef tuple take(self, double now)

cdef class Timed:
    cdef public double wake_at, _filed_at
    cdef public object _timer

    cpdef handle_timer(self, double now)

cdef class Wheel:
    cdef Slots _slots
    cdef dict _armed
    cdef object _last

    cpdef arm(self, Timed timed, double at, double now)
    cpdef disarm(self, Timed timed)
    cpdef object next_at(self)
    cpdef handle_timer(self, double now)
