# The types of survival.py, which runs without.

from switchroom.protocols.sip.survivor cimport export_session
from switchroom.switch.media.survivor cimport export_media

from .call cimport Call
from .leg cimport Leg

cpdef tuple export_call(Call call)
cdef tuple _export_leg(Leg leg, str account)
