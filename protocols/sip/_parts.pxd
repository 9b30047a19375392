from libc.stdint cimport int32_t, uint8_t, uint32_t

from ._spans cimport Address, Hop, Octets, UriParts

cdef enum:
    UNKNOWN, VIA, FROM, TO, CALL_ID, CSEQ, CONTACT, ROUTE, RECORD_ROUTE, KEPT  # the typed values that are kept
    CONTENT_LENGTH, MAX_FORWARDS, CONTENT_TYPE, TIMESTAMP
    LOOKED_AT = CONTENT_TYPE  # the last one that a check of a message looks at

cdef struct Line:
    int32_t start
    int32_t name_size
    int32_t value  # without white space around it
    int32_t value_end
    int32_t end  # its CRLF begins here
    uint8_t number
    uint8_t is_folded

cdef struct Parts:
    uint32_t marked  # a bit for each header whose parts, in its first line, were found
    int32_t target, target_end  # the Request-URI; nothing between them: it is not known
    int32_t id, id_end
    int32_t sequence, sequence_method, sequence_end
    int32_t hops  # of a message that was read; also commas in quoted texts count
    long long sequence_number, length
    UriParts uri  # of the target
    Hop top
    Address sender, receiver
    int32_t contact, contact_end  # the URI of the first

cdef bint mark_line(Parts* parts, Octets p, Line* line) noexcept
cdef bint is_usual(Parts* parts, Octets p, Line* line, bint is_first) noexcept
