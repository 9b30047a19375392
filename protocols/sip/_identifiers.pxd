cpdef str identifier(str head, bytes octets, Py_ssize_t at)
