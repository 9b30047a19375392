# The types of passing.py, which runs without.

from switchroom.protocols.sip.message cimport Message, Request, Response

cpdef of_invite(Request request, bint is_trusted)
cpdef of_progress(Response response)
cpdef of_answer(Response response)
cpdef of_refusal(Message message)
cdef _pick(Message message, frozenset wanted)
