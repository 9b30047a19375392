# What Callee holds in C; callee.py runs without.

cimport cython

from .conversation cimport Conversation
from .core cimport Core, reply_flow
from .dialog cimport Dialog, dialog_of_callee
from .events cimport RequestReceived
from .message cimport Request
from .refresh cimport Refresh, begin_refresh
from .server cimport InviteServer, take_invite
from .session cimport typed

cdef class Callee(Conversation):
    cdef public dict _dialogs, _progress
    cdef public tuple _held

    @cython.locals(invited=InviteServer)
    cpdef _take(self, Core core, RequestReceived event, double now, str contact, timing)
    cpdef _keep_time(self, Refresh refresh, double now)
    cpdef _ring_reliably(self, ringing, str tag, double now)
    cpdef bytes send_progress(self, ringing, str tag, long long rseq, double now)
    cpdef repeat_progress(self, bytes data)
    cpdef on_unacknowledged_progress(self, double now)
    cpdef _go_on(self, progress, double now)
    cpdef _send_answer(self, int status, headers, bytes body, str tag, double now)
    cpdef bint _is_agreed(self, str tag)
    cpdef _send(self, int status, double now, str reason, headers, bytes body, str tag)
    cpdef Dialog _early_dialog(self, str tag)
    cpdef _forget_dialogs(self)

cpdef bint wants_prack(Request request, bytes body, wish)
