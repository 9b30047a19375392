# What is called in C of the quick twin of cut.py.

cpdef tuple cut(bytes data)
cpdef bytes put(tuple origin, str host, bytes head, int port, bytes tail)
