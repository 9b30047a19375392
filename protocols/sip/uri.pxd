# Functions of URIs that are called in C; uri.py runs without.

cpdef str unescape(str text)
cpdef str escape_user(str text)
