# What events hold in C; events.py runs without.

from .client cimport ClientTransaction
from .flow cimport Flow
from .message cimport Request, Response
from .server cimport ServerTransaction
from .session cimport Session

cdef class Event:
    cpdef context(self)

cdef class RequestReceived(Event):
    cdef readonly Request request
    cdef readonly Flow flow
    cdef readonly str key, merge

cdef class ResponseReceived(Event):
    cdef readonly ClientTransaction transaction
    cdef readonly Response response

cdef class RequestFailed(Event):
    cdef readonly ClientTransaction transaction
    cdef readonly str reason

cdef class SessionEvent(Event):
    cdef readonly Session session

cdef class RequestEvent(SessionEvent):
    cdef readonly Request request

cdef class SessionCancelled(RequestEvent):
    pass

cdef class SessionAcknowledged(RequestEvent):
    pass

cdef class QuestionEvent(SessionEvent):
    cdef readonly ServerTransaction transaction
    cdef readonly Request request

cdef class ReinviteReceived(QuestionEvent):
    pass

cdef class UpdateReceived(QuestionEvent):
    pass

cdef class SessionRequestReceived(QuestionEvent):
    pass

cdef class ProgressAcknowledged(SessionEvent):
    cdef readonly ServerTransaction transaction
    cdef readonly Request request

cdef class ResponseEvent(SessionEvent):
    cdef readonly Response response

cdef class SessionProgressed(ResponseEvent):
    pass

cdef class SessionAnswered(ResponseEvent):
    pass

cdef class ReinviteAnswered(ResponseEvent):
    pass

cdef class UpdateAnswered(ResponseEvent):
    pass

cdef class RefusalEvent(SessionEvent):
    cdef readonly Response response
    cdef readonly int status

cdef class ReinviteRejected(RefusalEvent):
    pass

cdef class UpdateRejected(RefusalEvent):
    pass

cdef class SessionRejected(SessionEvent):
    cdef readonly Response response
    cdef readonly int status
    cdef readonly str reason

cdef class SessionEnded(SessionEvent):
    cdef readonly str cause
    cdef readonly Request request

cdef class SessionResponseReceived(SessionEvent):
    cdef readonly ClientTransaction transaction
    cdef readonly Response response

cdef class SessionRequestFailed(SessionEvent):
    cdef readonly ClientTransaction transaction
    cdef readonly str reason

cdef class SubscriptionEvent(Event):
    cdef readonly object subscription

cdef class SubscriptionAnswered(SubscriptionEvent):
    cdef readonly Response response

cdef class NotifyReceived(SubscriptionEvent):
    cdef readonly object state
    cdef readonly Request request

cdef class SubscriptionEnded(SubscriptionEvent):
    cdef readonly str cause
    cdef readonly int status
    cdef readonly object retry_after
