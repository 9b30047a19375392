# What Refresh holds in C; refresh.py runs without.

cimport cython

from ..wheel cimport Timed
from .extensions cimport SessionExpires
from .message cimport Message, Request, Response

cdef class SessionTiming:
    cdef readonly long long interval, min_se
    cdef readonly str refresher, mode

cdef class Refresh(Timed):
    cdef public object _own, _session
    cdef public SessionTiming timing
    cdef public long long _asked, _min_se, interval, silent_cseq
    cdef public int _longer
    cdef public bint _by_update, is_local
    cdef public double _expires_at, _refresh_at
    cdef public bytes heard, sent

    cpdef _begin(self, session, SessionTiming timing)
    cpdef list headers(self, bint is_first=*)
    cpdef bint take(self, transaction)
    @cython.locals(expires=SessionExpires)
    cpdef on_answer(self, Response response, double now)
    cpdef refuse(self, Request request)
    @cython.locals(asked=SessionExpires)
    cpdef list accept(self, Request request, double now)
    cpdef bint is_unchanged(self, bytes body)
    cpdef _agree(self, long long interval, bint is_local, double now)
    cpdef _arm(self, double now)
    cpdef stop(self)
    cpdef _send(self, double now)

@cython.locals(refresh=Refresh)
cpdef Refresh begin_refresh(session, SessionTiming timing)
@cython.locals(asked=SessionExpires)
cpdef inspect_timing(Request request, SessionTiming timing)
cdef bint _supports(Request request)
cdef _expires(Message message)
cdef _delta(Message message)
