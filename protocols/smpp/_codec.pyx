# cython: boundscheck=False, wraparound=False
"""PDUs from octets and back, the fast twin of codec.py (SMPP 3.4 §3.2, §5).

A layout is a row of kinds and sizes in C; a body is walked once, and each of its values made once.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE, PyTuple_New, PyTuple_SET_ITEM
from cpython.unicode cimport PyUnicode_AsLatin1String, PyUnicode_DecodeLatin1
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memchr, memcpy

from ..errors import LocalProtocolError
from .commands import RESPONSE, CommandId, Status
from .layout import COMMANDS, LAYOUTS
from .pdu import Destination, Malformed, Unsuccessful

__all__ = ["pack", "parse_pdus"]

cdef enum:
    INTEGER = 0
    TEXT = 1
    MESSAGE = 2
    DESTINATIONS = 3
    UNSUCCESSFUL = 4
    MAX_FIELDS = 20
    MAX_PDU_SIZE = 70000
    MAX_TLVS = 64
    MAX_ITEMS = 255
    NUMBER_SIZE = 21

cdef object _new = tuple.__new__
cdef uint32_t _response = RESPONSE


cdef class Row:
    """The layout of one PDU."""

    cdef object pdu
    cdef uint32_t command_id
    cdef tuple names
    cdef tuple statuses
    cdef int kinds[MAX_FIELDS]
    cdef int sizes[MAX_FIELDS]
    cdef int count
    cdef bint has_tlvs

    def __init__(self, command_id, layout):
        self.command_id = command_id
        self.pdu = layout.pdu
        self.count = len(layout.fields)
        self.has_tlvs = layout.has_tlvs
        self.names = tuple(field.name for field in layout.fields)
        self.statuses = tuple(field.status for field in layout.fields)
        for i, field in enumerate(layout.fields):
            self.kinds[i] = field.kind
            self.sizes[i] = field.size


cdef dict _rows = {command_id: Row(command_id, layout) for command_id, layout in LAYOUTS.items()}
cdef dict _rows_by_class = {pdu: _rows[command_id] for pdu, command_id in COMMANDS.items()}

cdef struct Cursor:
    const uint8_t* data
    Py_ssize_t at
    Py_ssize_t end


class _WrongError(Exception):
    pass


cdef inline uint32_t _word(const uint8_t* data) noexcept:
    return <uint32_t>data[0] << 24 | <uint32_t>data[1] << 16 | <uint32_t>data[2] << 8 | data[3]


def parse_pdus(data not None, Py_ssize_t start=0, Py_ssize_t max_size=MAX_PDU_SIZE):
    """Every whole PDU from ``start`` on, and where the first one that is not whole yet begins."""
    cdef Py_buffer view
    cdef list found = []
    cdef const uint8_t* octets
    cdef uint32_t size, command_id, status, number
    cdef Cursor body
    if start < 0:
        raise ValueError(f"start {start} is negative")
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        octets = <const uint8_t*>view.buf
        while view.len - start >= 16:
            size = _word(octets + start)
            command_id = _word(octets + start + 4)
            status = _word(octets + start + 8)
            number = _word(octets + start + 12)
            if size < 16 or size > max_size:
                reason = f"command_length {size} is not 16 to {max_size}"
                found.append(Malformed(command_id, number, Status.RINVCMDLEN, reason, is_fatal=True))
                break
            if view.len - start < size:
                break
            body.data, body.at, body.end = octets + start, 16, size
            found.append(_read(&body, command_id, status, number))
            start += size
    finally:
        PyBuffer_Release(&view)
    return found, start


cdef object _read(Cursor* body, uint32_t command_id, uint32_t status, uint32_t number):
    cdef Row row = _rows.get(command_id)
    cdef tuple values
    cdef object value
    cdef int i
    if row is None:
        reason = f"command_id 0x{command_id:08X} is unknown"
        return Malformed(command_id, number, Status.RINVCMDID, reason)
    if body.at == body.end and command_id & _response:
        return row.pdu(status=status, sequence_number=number)
    values = PyTuple_New(row.count + row.has_tlvs + 2)
    try:
        for i in range(row.count):
            if row.kinds[i] == INTEGER:
                value = _read_integer(body, row.sizes[i], row.names[i])
            elif row.kinds[i] == TEXT:
                value = _read_text(body, row.sizes[i], row.names[i], row.statuses[i])
            elif row.kinds[i] == MESSAGE:
                value = _read_message(body, row.sizes[i])
            elif row.kinds[i] == DESTINATIONS:
                value = _read_destinations(body)
            else:
                value = _read_unsuccessful(body)
            _put(values, i, value)
        if row.has_tlvs:
            _put(values, row.count, _read_tlvs(body) if body.at < body.end else ())
        elif body.at != body.end:
            raise _WrongError(Status.RINVCMDLEN, f"{body.end - body.at} octets too many")
    except _WrongError as wrong:
        refusal, reason = wrong.args
        return Malformed(command_id, number, refusal, f"{CommandId(command_id).name.lower()}: {reason}")
    _put(values, row.count + row.has_tlvs, status)
    _put(values, row.count + row.has_tlvs + 1, number)
    return _new(row.pdu, values)


cdef inline void _put(tuple values, Py_ssize_t i, object value):
    Py_INCREF(value)
    PyTuple_SET_ITEM(values, i, value)


cdef object _read_integer(Cursor* body, int size, str name):
    cdef Py_ssize_t at = body.at
    if at + size > body.end:
        raise _WrongError(Status.RINVCMDLEN, f"{name} is missing")
    body.at += size
    return body.data[at] if size == 1 else _word(body.data + at)


cdef object _read_text(Cursor* body, int size, str name, object status):
    cdef Py_ssize_t at = body.at
    cdef Py_ssize_t room = min(<Py_ssize_t>size, body.end - at)
    cdef const uint8_t* first = body.data + at
    cdef const uint8_t* end = <const uint8_t*>memchr(first, 0, room) if room > 0 else NULL
    if end is NULL:
        if room < size:
            raise _WrongError(Status.RINVCMDLEN, f"{name} has no end")
        raise _WrongError(status, f"{name} is longer than {size - 1} octets")
    body.at += end - first + 1
    return PyUnicode_DecodeLatin1(<const char*>first, end - first, NULL)


cdef object _read_message(Cursor* body, int max_size):
    cdef int size = _read_integer(body, 1, "number")
    cdef Py_ssize_t at = body.at
    if size > max_size or at + size > body.end:
        raise _WrongError(Status.RINVMSGLEN, f"sm_length {size} with {body.end - at} octets behind it")
    body.at += size
    return PyBytes_FromStringAndSize(<const char*>body.data + at, size)


cdef tuple _read_destinations(Cursor* body):
    cdef int count = _read_integer(body, 1, "number")
    cdef int flag
    cdef list found = []
    if not 1 <= count <= MAX_ITEMS:
        raise _WrongError(Status.RINVNUMDESTS, f"{count} destinations, not 1 to {MAX_ITEMS}")
    for _ in range(count):
        flag = _read_integer(body, 1, "dest_flag")
        if flag == 1:
            found.append(Destination(*_read_number(body)))
        elif flag == 2:
            found.append(Destination(dl_name=_read_text(body, NUMBER_SIZE, "dl_name", Status.RINVDLNAME)))
        else:
            raise _WrongError(Status.RINVDESTFLAG, f"dest_flag {flag}")
    return tuple(found)


cdef tuple _read_unsuccessful(Cursor* body):
    cdef int count = _read_integer(body, 1, "number")
    cdef list found = []
    if count > MAX_ITEMS:
        raise _WrongError(Status.RINVNUMDESTS, f"{count} destinations, not 0 to {MAX_ITEMS}")
    for _ in range(count):
        number = _read_number(body)
        found.append(Unsuccessful(*number, _read_integer(body, 4, "error_status_code")))
    return tuple(found)


cdef tuple _read_number(Cursor* body):
    ton = _read_integer(body, 1, "dest_addr_ton")
    npi = _read_integer(body, 1, "dest_addr_npi")
    return ton, npi, _read_text(body, NUMBER_SIZE, "destination_addr", Status.RINVDSTADR)


cdef tuple _read_tlvs(Cursor* body):
    cdef list found = []
    cdef int tag, size
    cdef Py_ssize_t at
    while body.at < body.end:
        if len(found) == MAX_TLVS:
            raise _WrongError(Status.RINVTLVSTREAM, f"more than {MAX_TLVS} optional parameters")
        at = body.at
        if at + 4 > body.end:
            raise _WrongError(Status.RINVTLVSTREAM, f"{body.end - at} octets are no optional parameter")
        tag = body.data[at] << 8 | body.data[at + 1]
        size = body.data[at + 2] << 8 | body.data[at + 3]
        at += 4
        if at + size > body.end:
            raise _WrongError(Status.RINVTLVLEN, f"optional parameter 0x{tag:04X} is cut off")
        found.append((tag, PyBytes_FromStringAndSize(<const char*>body.data + at, size)))
        body.at = at + size
    return tuple(found)


cdef struct Pen:
    uint8_t* at
    uint8_t* end


def pack(pdu not None, sequence_number=None):
    """The octets of a PDU, numbered ``sequence_number`` instead of its own where that is given."""
    cdef uint8_t small[1024]
    cdef Row row = _rows_by_class[type(pdu)]
    cdef tuple values = <tuple>pdu  # unchecked: a NamedTuple is laid out as a tuple
    cdef Py_ssize_t count = row.count, i
    cdef Pen pen
    cdef object status = values[count + row.has_tlvs]
    cdef object number = values[count + row.has_tlvs + 1] if sequence_number is None else sequence_number
    cdef tuple tlvs = values[count] if row.has_tlvs else ()
    cdef Py_ssize_t room = _room(values, row, tlvs)
    cdef bytes large = None
    cdef uint8_t* first = small
    cdef uint32_t command_id = row.command_id
    if room > 1024:
        large = PyBytes_FromStringAndSize(NULL, room)
        first = <uint8_t*>PyBytes_AS_STRING(large)
    pen.at, pen.end = first + 16, first + room
    if not (status and command_id & _response) or tlvs or any(values[:count]):
        for i in range(count):
            _write(&pen, row, i, <object>PyTuple_GET_ITEM(values, i))
        for tag, value in tlvs:
            _write_tlv(&pen, tag, value)
    if not (0 <= status <= 0xFFFFFFFF and 0 <= number <= 0xFFFFFFFF):
        raise LocalProtocolError(f"status {status} or sequence number {number} has more than 32 bits")
    _write_word(first, pen.at - first)
    _write_word(first + 4, command_id)
    _write_word(first + 8, status)
    _write_word(first + 12, number)
    return PyBytes_FromStringAndSize(<char*>first, pen.at - first)


cdef Py_ssize_t _room(tuple values, Row row, tuple tlvs) except -1:
    """An upper bound of what the PDU takes: each field is checked against its size when it is written."""
    cdef Py_ssize_t room = 16
    cdef int i
    for i in range(row.count):
        if row.kinds[i] >= DESTINATIONS:
            room += 1 + (7 + NUMBER_SIZE) * MAX_ITEMS
        else:
            room += 1 + row.sizes[i]
    for _, value in tlvs:
        room += 4 + len(value)
    return room


cdef inline void _write_word(uint8_t* at, uint32_t value) noexcept:
    at[0] = value >> 24
    at[1] = value >> 16 & 0xFF
    at[2] = value >> 8 & 0xFF
    at[3] = value & 0xFF


cdef int _write(Pen* pen, Row row, Py_ssize_t i, object value) except -1:
    cdef int kind = row.kinds[i]
    if kind == INTEGER:
        _write_integer(pen, value, row.sizes[i], row.names[i])
    elif kind == TEXT:
        _write_text(pen, value, row.sizes[i], row.names[i])
    else:
        if kind == DESTINATIONS and not value:
            raise LocalProtocolError(f"{row.names[i]} is empty")
        if len(value) > row.sizes[i]:
            name, size = row.names[i], row.sizes[i]
            raise LocalProtocolError(f"{name} has more than {size} octets or items: {len(value)}")
        pen.at[0] = len(value)
        pen.at += 1
        if kind == MESSAGE:
            _write_octets(pen, value)
        else:
            for one in value:
                _write_destination(pen, one) if kind == DESTINATIONS else _write_unsuccessful(pen, one)
    return 0


cdef int _write_integer(Pen* pen, object value, int size, str name) except -1:
    if not 0 <= value < (<object>1 << 8 * size):
        raise LocalProtocolError(f"{name} {value} does not fit into {size} octets")
    if size == 1:
        pen.at[0] = value
    else:
        _write_word(pen.at, value)
    pen.at += size
    return 0


cdef int _write_octets(Pen* pen, bytes value) except -1:
    memcpy(pen.at, PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))
    pen.at += PyBytes_GET_SIZE(value)
    return 0


cdef int _write_text(Pen* pen, str value, int size, str name) except -1:
    cdef bytes data
    cdef Py_ssize_t length
    if not value:
        pen.at[0] = 0
        pen.at += 1
        return 0
    try:
        data = PyUnicode_AsLatin1String(value)
    except UnicodeEncodeError:
        raise LocalProtocolError(f"{name} {value!r} is not Latin-1") from None
    length = PyBytes_GET_SIZE(data)
    if length >= size or memchr(PyBytes_AS_STRING(data), 0, length) is not NULL:
        raise LocalProtocolError(f"{name} has more than {size - 1} octets, or a NUL")
    memcpy(pen.at, PyBytes_AS_STRING(data), length + 1)  # with the NUL that ends every bytes object
    pen.at += length + 1
    return 0


cdef int _write_destination(Pen* pen, object to) except -1:
    if to.dl_name:
        pen.at[0] = 2
        pen.at += 1
        return _write_text(pen, to.dl_name, NUMBER_SIZE, "dl_name")
    pen.at[0] = 1
    pen.at += 1
    return _write_number(pen, to)


cdef int _write_unsuccessful(Pen* pen, object to) except -1:
    _write_number(pen, to)
    return _write_integer(pen, to.error_status_code, 4, "error_status_code")


cdef int _write_number(Pen* pen, object to) except -1:
    _write_integer(pen, to.dest_addr_ton, 1, "dest_addr_ton")
    _write_integer(pen, to.dest_addr_npi, 1, "dest_addr_npi")
    return _write_text(pen, to.destination_addr, NUMBER_SIZE, "destination_addr")


cdef int _write_tlv(Pen* pen, object tag, bytes value) except -1:
    cdef Py_ssize_t size = PyBytes_GET_SIZE(value)
    if not 0 <= tag <= 0xFFFF or size > 0xFFFF:
        raise LocalProtocolError(f"optional parameter 0x{tag:04X} has {size} octets")
    pen.at[0] = tag >> 8
    pen.at[1] = tag & 0xFF
    pen.at[2] = size >> 8
    pen.at[3] = size & 0xFF
    pen.at += 4
    return _write_octets(pen, value)
