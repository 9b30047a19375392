# What is called in C of contact.py, which runs without.

cimport cython
from switchroom.protocols.sip.endpoint cimport Endpoint
from switchroom.protocols.sip.flow cimport Flow

cdef dict _known

@cython.locals(address=tuple, known=dict, contact=str)
cpdef str contact_for(Flow flow, Endpoint endpoint)
cdef str _contact(str transport, str host, int port)
cpdef str host_of(str contact)
