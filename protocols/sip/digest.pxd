# What the server's side of digest holds in C; digest.py runs without.

import cython

cdef class Credentials:
    cdef readonly str username, realm, nonce, uri, response, algorithm, qop, nc, cnonce, opaque

    cpdef _fill(self, tuple said)
    cpdef bint is_proof_of(self, str a1, str method) except -1

cdef class Nonces:
    cdef public double lifetime
    cdef object _sealer, _used
    cdef Py_ssize_t _max_used
    cdef int _number
    cdef double _forgotten_at, _clean_until

    @cython.locals(minted_at=cython.longlong, number=int)
    cpdef str mint(self, str source, double now)
    cpdef bint is_valid(self, str nonce, str source, double now) except -1
    cpdef bint is_replay(self, str nonce, long long nonce_count) except -1
    cpdef use(self, str nonce, long long nonce_count, double now)
    cpdef str _seal(self, str head, str source)

cpdef Credentials parse_credentials(str value)
cdef double _minted_at(str nonce) except? -1
@cython.locals(at=Py_ssize_t, digit=long, number=cython.longlong)
cdef long long _hexadecimal(str text, Py_ssize_t size) except -1
