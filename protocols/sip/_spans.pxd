from libc.stdint cimport int32_t, uint8_t

ctypedef const uint8_t* Octets

cdef enum:
    IS_TOKEN = 1
    IS_USER = 2
    IS_PASSWORD = 4
    IS_HOST = 8
    IS_URI_PARAM = 16
    IS_VALUE = 32  # of a header's parameter
    IS_DISPLAY = 64  # of an unquoted display name
    IS_QUOTED = 128  # inside of quotes, without escapes

cdef struct UriParts:
    int32_t user, user_end  # nothing between them: there is none
    int32_t password, password_end  # not behind user_end: there is none
    int32_t host, host_end
    int32_t port  # -2: there is none
    int32_t params
    uint8_t is_secure

cdef struct Params:
    int32_t start, end
    int32_t value, value_end  # of an address's tag, a hop's branch; 0: there is none
    int32_t rport  # the end of one that asks for its value; 0: none does
    uint8_t has_rport, has_received
    uint8_t is_odd  # one of these stands twice, or is not written as usual

cdef struct Address:
    int32_t name, name_end
    int32_t uri, uri_end
    UriParts parts
    Params params

cdef struct Hop:
    int32_t transport, transport_end
    int32_t host, host_end
    int32_t port, port_end  # -2: there is none
    Params params

cdef inline Py_ssize_t skip_space(Octets p, Py_ssize_t at, Py_ssize_t end) noexcept:
    while (p[at] == c" " or p[at] == c"\t") and at < end:  # behind the end stands something, too
        at += 1
    return at

cdef bint has_controls(Octets p, Py_ssize_t size) noexcept
cdef Py_ssize_t skip_class(Octets p, Py_ssize_t at, uint8_t flag) noexcept
cdef Py_ssize_t skip_token(Octets p, Py_ssize_t at) noexcept
cdef Py_ssize_t skip_escaped(Octets p, Py_ssize_t at, uint8_t flag) noexcept
cdef Py_ssize_t read_number(Octets p, Py_ssize_t* place, Py_ssize_t end) noexcept
cdef bint find_uri(Octets p, Py_ssize_t at, Py_ssize_t end, UriParts* uri) noexcept
cdef bint find_address(Octets p, Py_ssize_t* place, Py_ssize_t end, Address* found) noexcept
cdef bint find_hop(Octets p, Py_ssize_t* place, Py_ssize_t end, Hop* found) noexcept
cdef Py_ssize_t find_cseq(Octets p, Py_ssize_t at, Py_ssize_t end, long long* number) noexcept
cdef bint is_word(Octets p, Py_ssize_t at, Py_ssize_t end) noexcept
cdef bint is_media_type(Octets p, Py_ssize_t at, Py_ssize_t end) noexcept
