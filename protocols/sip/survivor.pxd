# The types of survivor.py, which runs without.

cimport cython

from .dialog cimport Dialog
from .refresh cimport Refresh
from .session cimport Session

@cython.locals(dialog=Dialog, refresh=Refresh)
cpdef tuple export_session(Session session)
