# What is kept of each call that is up is written in C; survivor.py runs without.

import cython

from .leg cimport Agreement, MediaLeg
from .said cimport octets_of
from .session cimport MediaSession

@cython.locals(agreement=Agreement, flags=int)
cpdef tuple export_media(MediaSession session, MediaLeg one, MediaLeg two)
