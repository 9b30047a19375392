# What is called in C of headers; headers.py runs without.

cpdef read_seconds(str text)
