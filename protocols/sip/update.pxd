# What the classes of update.py hold in C; the same module runs without.

from .client cimport ClientTransaction
from .dialog cimport Dialog
from .flow cimport Flow
from .message cimport Request, Response
from .server cimport ServerTransaction
from .session cimport Session

cdef class OfferServer(ServerTransaction):
    cdef public Dialog _dialog
    cdef public Offering _session

    cpdef _settle(self)

cdef class Offering(Session):
    cpdef ClientTransaction _send_update(self, Dialog dialog, double now, bytes body=*, headers=*)
    cpdef _pending(self, Dialog dialog)
    cpdef tuple _retry_soon(self)
    cpdef _on_update(self, Request request, Flow flow, str key, double now, Dialog dialog)
    cpdef _refuse_update(self, Request request, Dialog dialog)
    cpdef list _accept_change(self, Request request, Dialog dialog, Flow flow, double now)
    cpdef on_offer_accepted(self, OfferServer transaction, Dialog dialog, headers, bytes body, double now)
    cpdef _on_update_response(self, ClientTransaction transaction, Response response, Dialog dialog, double now)
    cpdef bint _on_update_failed(self, ClientTransaction transaction, Dialog dialog, int status)
