"""What PDUs ask and what is answered: command_id and command_status (SMPP 3.4 §5.1, SMPP 5.0 §4.7)."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["RESPONSE", "CommandId", "Status", "meaning"]

RESPONSE = 0x80000000  # the bit that makes a response of a request's command_id


class CommandId(IntEnum):
    """Every command of SMPP 3.4, and what 5.0 adds."""

    GENERIC_NACK = 0x80000000
    BIND_RECEIVER = 0x00000001
    BIND_RECEIVER_RESP = 0x80000001
    BIND_TRANSMITTER = 0x00000002
    BIND_TRANSMITTER_RESP = 0x80000002
    QUERY_SM = 0x00000003
    QUERY_SM_RESP = 0x80000003
    SUBMIT_SM = 0x00000004
    SUBMIT_SM_RESP = 0x80000004
    DELIVER_SM = 0x00000005
    DELIVER_SM_RESP = 0x80000005
    UNBIND = 0x00000006
    UNBIND_RESP = 0x80000006
    REPLACE_SM = 0x00000007
    REPLACE_SM_RESP = 0x80000007
    CANCEL_SM = 0x00000008
    CANCEL_SM_RESP = 0x80000008
    BIND_TRANSCEIVER = 0x00000009
    BIND_TRANSCEIVER_RESP = 0x80000009
    OUTBIND = 0x0000000B
    ENQUIRE_LINK = 0x00000015
    ENQUIRE_LINK_RESP = 0x80000015
    SUBMIT_MULTI = 0x00000021
    SUBMIT_MULTI_RESP = 0x80000021
    ALERT_NOTIFICATION = 0x00000102
    DATA_SM = 0x00000103
    DATA_SM_RESP = 0x80000103
    BROADCAST_SM = 0x00000111
    BROADCAST_SM_RESP = 0x80000111
    QUERY_BROADCAST_SM = 0x00000112
    QUERY_BROADCAST_SM_RESP = 0x80000112
    CANCEL_BROADCAST_SM = 0x00000113
    CANCEL_BROADCAST_SM_RESP = 0x80000113


class Status(IntEnum):
    """command_status by the names of the specification, without their ESME_."""

    ROK = 0x000
    RINVMSGLEN = 0x001
    RINVCMDLEN = 0x002
    RINVCMDID = 0x003
    RINVBNDSTS = 0x004
    RALYBND = 0x005
    RINVPRTFLG = 0x006
    RINVREGDLVFLG = 0x007
    RSYSERR = 0x008
    RINVSRCADR = 0x00A
    RINVDSTADR = 0x00B
    RINVMSGID = 0x00C
    RBINDFAIL = 0x00D
    RINVPASWD = 0x00E
    RINVSYSID = 0x00F
    RCANCELFAIL = 0x011
    RREPLACEFAIL = 0x013
    RMSGQFUL = 0x014
    RINVSERTYP = 0x015
    RINVNUMDESTS = 0x033
    RINVDLNAME = 0x034
    RINVDESTFLAG = 0x040
    RINVSUBREP = 0x042
    RINVESMCLASS = 0x043
    RCNTSUBDL = 0x044
    RSUBMITFAIL = 0x045
    RINVSRCTON = 0x048
    RINVSRCNPI = 0x049
    RINVDSTTON = 0x050
    RINVDSTNPI = 0x051
    RINVSYSTYP = 0x053
    RINVREPFLAG = 0x054
    RINVNUMMSGS = 0x055
    RTHROTTLED = 0x058
    RINVSCHED = 0x061
    RINVEXPIRY = 0x062
    RINVDFTMSGID = 0x063
    RX_T_APPN = 0x064
    RX_P_APPN = 0x065
    RX_R_APPN = 0x066
    RQUERYFAIL = 0x067
    RINVTLVSTREAM = 0x0C0
    RTLVNOTALLWD = 0x0C1
    RINVTLVLEN = 0x0C2
    RMISSINGTLV = 0x0C3
    RINVTLVVAL = 0x0C4
    RDELIVERYFAILURE = 0x0FE
    RUNKNOWNERR = 0x0FF
    RSERTYPUNAUTH = 0x100
    RPROHIBITED = 0x101
    RSERTYPUNAVAIL = 0x102
    RSERTYPDENIED = 0x103
    RINVDCS = 0x104
    RINVSRCADDRSUBUNIT = 0x105
    RINVDSTADDRSUBUNIT = 0x106
    RINVBCASTFREQINT = 0x107
    RINVBCASTALIAS_NAME = 0x108
    RINVBCASTAREAFMT = 0x109
    RINVNUMBCAST_AREAS = 0x10A
    RINVBCASTCNTTYPE = 0x10B
    RINVBCASTMSGCLASS = 0x10C
    RBCASTFAIL = 0x10D
    RBCASTQUERYFAIL = 0x10E
    RBCASTCANCELFAIL = 0x10F
    RINVBCAST_REP = 0x110
    RINVBCASTSRVGRP = 0x111
    RINVBCASTCHANIND = 0x112


_S = Status
_MEANINGS = {
    _S.ROK: "no error",
    _S.RINVMSGLEN: "message length is invalid",
    _S.RINVCMDLEN: "command length is invalid",
    _S.RINVCMDID: "command is unknown",
    _S.RINVBNDSTS: "not allowed in this bind state",
    _S.RALYBND: "already bound",
    _S.RINVPRTFLG: "priority flag is invalid",
    _S.RINVREGDLVFLG: "registered delivery flag is invalid",
    _S.RSYSERR: "system error",
    _S.RINVSRCADR: "source address is invalid",
    _S.RINVDSTADR: "destination address is invalid",
    _S.RINVMSGID: "message id is unknown",
    _S.RBINDFAIL: "bind failed",
    _S.RINVPASWD: "password is wrong",
    _S.RINVSYSID: "system id is unknown",
    _S.RCANCELFAIL: "message could not be cancelled",
    _S.RREPLACEFAIL: "message could not be replaced",
    _S.RMSGQFUL: "message queue is full",
    _S.RINVSERTYP: "service type is invalid",
    _S.RINVNUMDESTS: "number of destinations is invalid",
    _S.RINVDLNAME: "distribution list is unknown",
    _S.RINVDESTFLAG: "destination flag is invalid",
    _S.RINVSUBREP: "submit with replace is not possible",
    _S.RINVESMCLASS: "esm_class is invalid",
    _S.RCNTSUBDL: "cannot submit to the distribution list",
    _S.RSUBMITFAIL: "submit failed",
    _S.RINVSRCTON: "source type of number is invalid",
    _S.RINVSRCNPI: "source numbering plan is invalid",
    _S.RINVDSTTON: "destination type of number is invalid",
    _S.RINVDSTNPI: "destination numbering plan is invalid",
    _S.RINVSYSTYP: "system type is invalid",
    _S.RINVREPFLAG: "replace-if-present flag is invalid",
    _S.RINVNUMMSGS: "number of messages is invalid",
    _S.RTHROTTLED: "too many messages at once: throttled",
    _S.RINVSCHED: "scheduled delivery time is invalid",
    _S.RINVEXPIRY: "validity period is invalid",
    _S.RINVDFTMSGID: "predefined message is unknown",
    _S.RX_T_APPN: "receiver: temporary error, try again",
    _S.RX_P_APPN: "receiver: permanent error",
    _S.RX_R_APPN: "receiver: message rejected",
    _S.RQUERYFAIL: "query failed",
    _S.RINVTLVSTREAM: "optional parameters are damaged",
    _S.RTLVNOTALLWD: "optional parameter is not allowed here",
    _S.RINVTLVLEN: "length of an optional parameter is invalid",
    _S.RMISSINGTLV: "an optional parameter is missing",
    _S.RINVTLVVAL: "value of an optional parameter is invalid",
    _S.RDELIVERYFAILURE: "delivery failed",
    _S.RUNKNOWNERR: "unknown error",
    _S.RSERTYPUNAUTH: "not authorised for this service type",
    _S.RPROHIBITED: "operation is prohibited",
    _S.RSERTYPUNAVAIL: "service type is not available",
    _S.RSERTYPDENIED: "service type is denied",
    _S.RINVDCS: "data coding scheme is invalid",
    _S.RINVSRCADDRSUBUNIT: "source subunit is invalid",
    _S.RINVDSTADDRSUBUNIT: "destination subunit is invalid",
    _S.RINVBCASTFREQINT: "broadcast frequency is invalid",
    _S.RINVBCASTALIAS_NAME: "broadcast area alias is invalid",
    _S.RINVBCASTAREAFMT: "broadcast area format is not supported",
    _S.RINVNUMBCAST_AREAS: "number of broadcast areas is invalid",
    _S.RINVBCASTCNTTYPE: "broadcast content type is invalid",
    _S.RINVBCASTMSGCLASS: "broadcast message class is invalid",
    _S.RBCASTFAIL: "broadcast failed",
    _S.RBCASTQUERYFAIL: "query of a broadcast failed",
    _S.RBCASTCANCELFAIL: "cancelling a broadcast failed",
    _S.RINVBCAST_REP: "number of repeated broadcasts is invalid",
    _S.RINVBCASTSRVGRP: "broadcast service group is invalid",
    _S.RINVBCASTCHANIND: "broadcast channel indicator is invalid",
}


def meaning(status: int) -> str:
    """What a command_status says, in plain words; ranges of vendors and reserved ones are named as such."""
    try:
        return _MEANINGS[Status(status)]
    except ValueError:
        kind = "vendor's own error" if 0x400 <= status <= 0x4FF else "reserved error"
        return f"{kind} 0x{status:08X}"
