# What Caller holds in C; caller.py runs without.

from .client cimport InviteClient, open_invite, open_request
from .conversation cimport Conversation
from .dialog cimport Dialog, dialog_of_caller
from .core cimport Core
from .flow cimport Flow
from .message cimport Request, Response
from .refresh cimport begin_refresh

cdef class Caller(Conversation):
    cdef public object _cancel_headers
    cdef public dict _early, _heard, _unanswered
    cdef public tuple _given_up

    cpdef _call(self, Core core, Request request, Flow flow, double now, timing)
    cpdef _give_up(self, tuple why, double now, headers)
    cpdef _on_refused(self, InviteClient invite, Response response, double now)
    cpdef _on_provisional(self, InviteClient invite, Response response, double now)
    cpdef bint _is_new_progress(self, Response response, double now)
    cpdef _send_prack(self, Dialog dialog, rack, double now, headers=*, bytes body=*)
    cpdef _on_answer(self, InviteClient invite, Response response, double now)
    cpdef _lose(self, InviteClient invite, double now)
    cpdef _on_rejected(self, Response response, int status, str reason)
    cpdef Dialog _early_dialog(self, str tag)
