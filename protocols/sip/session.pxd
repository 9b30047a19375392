# What Session holds in C; session.py runs without.

from .client cimport ClientTransaction, InviteClient, open_invite, open_request
from .core cimport Core, Usage
from .dialog cimport Dialog
from .flow cimport Flow
from .message cimport Message, Request, Response
from .refresh cimport Refresh
from .server cimport InviteServer, ServerTransaction

cdef class Session(Usage):
    cdef public Core core
    cdef public Request _request
    cdef public Flow flow
    cdef public str local_tag, remote_tag, _contact
    cdef public Dialog dialog
    cdef public bint is_acknowledged, is_caller
    cdef public object authorizer, context, state, _allowed, _bye_headers
    cdef public Refresh refresh
    cdef public InviteClient _inviting, _owed
    cdef public InviteServer _invited
    cdef public dict _unacknowledged

    cpdef _begin_session(
        self, Core core, Request request, Flow flow, str contact, str local_tag, str remote_tag
    )
    cpdef cancel(self, double now, headers=*)
    cpdef acknowledge_progress(self, Response response, double now, bytes body=*, headers=*)
    cpdef ring(self, int status, double now, str reason=*, headers=*, bytes body=*, str tag=*, is_reliable=*)
    cpdef answer(self, double now, bytes body=*, headers=*, str tag=*, int status=*)
    cpdef reject(self, int status, double now, str reason=*, headers=*)
    cpdef hang_up(self, double now, int status=*, headers=*)
    cpdef acknowledge(self, double now, bytes body=*, headers=*)
    cpdef bye(self, double now, headers=*)
    cpdef reinvite(self, double now, bytes body=*, headers=*)
    cpdef answer_reinvite(
        self, ServerTransaction transaction, int status, double now, bytes body=*, headers=*, str reason=*
    )
    cpdef ClientTransaction send_request(self, str method, double now, bytes body=*, headers=*)
    cpdef update(self, double now, bytes body=*, headers=*, str tag=*)
    cpdef _forget_request(self, Request request)
    cpdef _abort(self, int status, double now, headers)
    cpdef bint _is_changing(self, Dialog dialog)
    cpdef InviteClient _send_reinvite(self, Dialog dialog, double now, bytes body, headers=*)
    cpdef Dialog _own_dialog(self, str tag=*)
    cpdef bint allows(self, str method)
    cpdef _heard_allow(self)
    cpdef _note_allow(self, Message message)
    cpdef bint has_remote(self, str tag) except -1
    cpdef receive_request(self, Request request, Flow flow, str key, double now)
    cpdef receive_ack(self, Request request, double now)
    cpdef on_response(self, ClientTransaction transaction, Response response, double now)
    cpdef on_failure(self, ClientTransaction transaction, str reason, double now)
    cpdef on_fork(self, InviteClient transaction, Response response, double now)
    cpdef on_no_news(self, InviteClient transaction, double now)
    cpdef on_unacknowledged(self, InviteClient transaction, double now)
    cpdef _end(self, str cause, double now)
    cpdef _send_bye(self, double now, headers)
    cpdef _terminate(self, double now)
    cpdef _leave(self)
    cpdef _drop(self, double now)
    cpdef Request _make(self, Dialog dialog, str method, headers, bytes body=*)
    cpdef _follow(self, Flow flow)

cpdef list typed(headers, bytes body)
