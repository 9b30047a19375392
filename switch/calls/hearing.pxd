# hearing.py is compiled as it is.

from .leg cimport Leg

cpdef _on_rejected(Leg leg, event, double now)
cpdef _on_answer(Leg leg, event, double now)
cpdef _on_progress(Leg leg, event, double now)
cpdef _on_acknowledged(Leg leg, event, double now)
