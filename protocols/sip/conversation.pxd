# The methods of Conversation that are called in C; conversation.py runs without.

cimport cython

from .client cimport ClientTransaction, InviteClient
from .core cimport reply_flow
from .dialog cimport Dialog
from .flow cimport Flow
from .message cimport Request, Response
from .refresh cimport Refresh
from .server cimport InviteServer, ServerTransaction, respond_at_once, take_invite
from .update cimport Offering

cdef class Conversation(Offering):
    cpdef Dialog _dialog_of(self, Request request)
    cpdef Dialog _dialog_sent(self, Request request)
    cpdef _on_prack(self, Request request, Flow flow, str key, double now, Dialog dialog)
    cpdef _answer_at_once(self, Request request, Flow flow, str key, double now, int status, headers=*)
    cpdef ServerTransaction _begin(self, Request request, Flow flow, str key, double now)
    cpdef _on_reinvite(self, Request request, Flow flow, str key, double now)
    cpdef bint _is_settled_here(self, Refresh refresh, InviteServer transaction, double now)
    cpdef _on_bye(self, Request request, double now)
    cpdef on_cancel(self, InviteServer transaction, Request request, double now)
    cpdef on_ack_timeout(self, InviteServer transaction, double now)
    cpdef on_lost(self, InviteServer transaction, str cause, double now)
    @cython.locals(transaction=InviteServer)
    cpdef receive_ack(self, Request request, double now)
    cpdef _on_other_response(self, ClientTransaction transaction, Response response, double now)
    cpdef bint _is_sent_again(self, ClientTransaction transaction, Response response, double now)
    cpdef _on_reinvite_response(self, Response response, double now)
    cpdef _on_status(self, int status, double now)
