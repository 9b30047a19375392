"""Sound that the switch makes and hears itself, for Python: stations, rooms, clips, pipes and the bell that tells of them.

What is asked of stations and rooms is done by the engine's thread, in order: methods hand over a task and return.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_New
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, strncpy

import random

import numpy as np

cdef extern from "codecs/codec.h" nogil:
    struct codec_format:
        int32_t sample_rate
    struct codec_config:
        codec_format format

cdef extern from "converter.h" nogil:
    struct converter:
        void (*take)(converter *, const uint8_t *data, size_t size, uint64_t now) noexcept
        size_t (*make)(converter *, uint8_t *packet, size_t room) noexcept
        void (*hear)(converter *, uint64_t now) noexcept
        void (*destroy)(converter *) noexcept
    struct errand:
        void (*run)(errand *) noexcept

cdef extern from "sound/bell.h" nogil:
    struct bell:
        int fd
        uint64_t lost
    struct ring:
        uint64_t owner, value
        uint32_t kind
    bell *bell_create()
    void bell_drop(bell *)
    int bell_next(bell *, ring *)

cdef extern from "sound/pipe.h" nogil:
    struct pipe:
        uint64_t id, written, read, lost, discard_to, mark_at
        int rate
        uint32_t size
        bint is_ended, is_awaited, is_told
    pipe *pipe_create(uint64_t id, int rate, uint32_t least)
    pipe *pipe_keep(pipe *)
    void pipe_drop(pipe *)
    uint32_t pipe_waiting(pipe *)
    uint32_t pipe_write(pipe *, const int16_t *, uint32_t)
    uint32_t pipe_read(pipe *, int16_t *, uint32_t)

cdef extern from "sound/playlist.h" nogil:
    struct clip:
        int rate
        uint32_t count
        int references
    struct resampler:
        pass
    struct play:
        uint64_t id
        clip *clip
        pipe *pipe
        uint32_t at, loops
    clip *clip_create(int rate, const int16_t *, uint32_t)
    void clip_drop(clip *)

cdef extern from "sound/room.h" nogil:
    struct station:
        pass
    struct room:
        pass
    station *station_create(uint64_t id, bell *)
    station *station_keep(station *)
    void station_drop(station *)
    room *room_create(uint64_t id, bell *)
    room *room_keep(room *)
    void room_drop(room *)

cdef extern from "sound/task.h" nogil:
    enum deed:
        PLAY, PLAY_TO_ROOM, CLEAR, CLEAR_ROOM, ADD_TAP, REMOVE_TAP, TAP_ROOM, PATCH, JOIN, LEAVE, COACH, SEND_KEYS
        LISTEN, SET_MUTED, SET_DEAF, SET_ECHO, SET_GAIN, SET_BOOST, CLOSE_STATION
    struct task:
        errand errand
        station *one
        station *two
        room *room
        play play
        pipe *pipe
        pipe *also
        bint is_so, is_so_too
        float number
        int length_ms, gap_ms
        char keys[128]
    task *task_create(deed)

cdef extern from "sound/line.h" nogil:
    enum: LINE_FORMATS
    struct line_format:
        uint8_t payload_type, kind
        uint32_t clock_rate
        codec_config config
    struct line_terms:
        line_format formats[16]
        int format_count
        codec_config config
        uint8_t payload_type, event_type
        int32_t packet_ms
        uint32_t event_rate, ssrc, timestamp
        uint16_t sequence_number
        bint is_heard, is_said, is_fixed
    struct jitter_statistics:
        uint64_t received, played, late, lost, duplicate, suspect, discarded, resyncs
        uint64_t concealed, paused, stretched, shrunk
        int64_t current_delay, target_delay
    converter *line_create(const line_terms *, station *)
    const jitter_statistics *line_statistics(const converter *)

KINDS = ("key-down", "key-up", "played", "cut", "marked", "low", "data", "talk", "silent", "speaker")

cdef enum:
    PACKET_ROOM = 2048

cdef uint64_t _last_id = 0


cdef uint64_t _next_id():
    global _last_id
    _last_id += 1
    return _last_id


cdef codec_config _config(object config) except *:
    capsule = config.capsule  # what it holds lives as long
    return (<codec_config *>PyCapsule_GetPointer(capsule, "switchroom.codec_config"))[0]


cdef class Bell:
    """What the engine's thread has to tell: ``fd`` is readable when ``next`` has something."""

    cdef bell *_bell

    def __cinit__(self):
        self._bell = bell_create()
        if self._bell == NULL:
            raise MemoryError

    def __dealloc__(self):
        bell_drop(self._bell)

    @property
    def fd(self):
        """Readable when there is something."""
        return self._bell.fd

    @property
    def lost(self):
        """Events that found the ring full."""
        return self._bell.lost

    def next(self):
        """Return (kind, id of a station, a room, a play's or pipe's owner; value), or None."""
        cdef ring found
        if not bell_next(self._bell, &found):
            return None
        return KINDS[found.kind], found.owner, found.value


cdef class Clip:
    """Sound that is whole in memory; many may play it at once."""

    cdef clip *_clip

    def __cinit__(self, samples, int rate):
        cdef int16_t[::1] view = np.ascontiguousarray(samples, dtype=np.int16)
        if not 8000 <= rate <= 48000:
            raise ValueError(f"a rate of {rate} Hz")
        self._clip = clip_create(rate, &view[0] if len(view) else NULL, <uint32_t>len(view))
        if self._clip == NULL:
            raise MemoryError

    def __dealloc__(self):
        clip_drop(self._clip)

    @property
    def seconds(self):
        """How long it lasts."""
        return self._clip.count / self._clip.rate


cdef class Pipe:
    """Samples between the engine's thread and one other, ``seconds`` of them at most."""

    cdef pipe *_pipe

    def __cinit__(self, int rate, double seconds=2.0):
        if not 8000 <= rate <= 48000 or not 0 < seconds <= 600:
            raise ValueError(f"{seconds} s at {rate} Hz")
        self._pipe = pipe_create(_next_id(), rate, <uint32_t>(rate * seconds))
        if self._pipe == NULL:
            raise MemoryError

    def __dealloc__(self):
        pipe_drop(self._pipe)

    @property
    def id(self):
        """What the bell calls it."""
        return self._pipe.id

    @property
    def rate(self):
        """Samples a second."""
        return self._pipe.rate

    @property
    def waiting(self):
        """Samples that were written and not read."""
        return pipe_waiting(self._pipe)

    @property
    def room(self):
        """Samples that it would take."""
        return self._pipe.size - pipe_waiting(self._pipe)

    @property
    def written(self):
        """Samples that ever were written."""
        return self._pipe.written

    @property
    def read_count(self):
        """Samples that ever were read."""
        return self._pipe.read

    @property
    def lost(self):
        """Samples that found no room."""
        return self._pipe.lost

    def write(self, samples):
        """Return how many of them had room."""
        cdef const int16_t[::1] view = samples
        if len(view) == 0:
            return 0
        return pipe_write(self._pipe, &view[0], <uint32_t>len(view))

    def read(self, int most=48000):
        """Return what is there, at most ``most`` samples."""
        cdef int count = min(most, <int>pipe_waiting(self._pipe))
        made = np.empty(count, dtype=np.int16)
        cdef int16_t[::1] view = made
        self._pipe.is_told = False
        if count == 0:
            return made
        count = <int>pipe_read(self._pipe, &view[0], <uint32_t>count)
        return made[:count]

    def await_room(self):
        """The bell is to say "low" when it is half empty."""
        self._pipe.is_awaited = True

    def mark(self, position):
        """The bell is to say "marked" when so many samples were read; None: not any more."""
        self._pipe.mark_at = <uint64_t>0xFFFFFFFFFFFFFFFF if position is None else <uint64_t>position

    def clear(self):
        """Nothing of what waits is to be heard any more."""
        self._pipe.discard_to = self._pipe.written

    def end(self):
        """Nothing follows."""
        self._pipe.is_ended = True


cdef class Station:
    """Our own side of one leg's sound; ``run`` takes tasks to the engine's thread."""

    cdef station *_station
    cdef readonly uint64_t id
    cdef object _run
    cdef public bint is_closed

    def __cinit__(self, Bell bell not None, run):
        self.id = _next_id()
        self._run = run
        self._station = station_create(self.id, bell._bell)
        if self._station == NULL:
            raise MemoryError

    def __dealloc__(self):
        station_drop(self._station)

    cdef task *_task(self, deed what) except NULL:
        cdef task *made = task_create(what)
        if made == NULL:
            raise MemoryError
        made.one = station_keep(self._station)
        return made

    cdef _push(self, task *made):
        self._run(PyCapsule_New(&made.errand, "switchroom.errand", NULL))

    cdef _set(self, deed what, bint is_so):
        cdef task *made = self._task(what)
        made.is_so = is_so
        self._push(made)

    def play(self, sound, uint32_t loops=1):
        """Play a Clip (``loops`` 0: without an end) or a Pipe after what plays; the id that the bell will tell."""
        cdef task *made = self._task(PLAY)
        number = _fill(made, sound, loops)
        self._push(made)
        return number

    def clear(self):
        """Play nothing any more."""
        self._push(self._task(CLEAR))

    def tap(self, Pipe heard, Pipe said=None, *, Station other=None, bint is_told=False):
        """Copy what is heard into one pipe, and what is said, or what ``other`` hears, into another."""
        cdef task *made = self._task(ADD_TAP)
        if heard is not None:
            made.pipe = pipe_keep(heard._pipe)
        if said is not None:
            made.also = pipe_keep(said._pipe)
        if other is not None:
            made.two = station_keep(other._station)
        made.is_so = is_told
        self._push(made)

    def untap(self, Pipe tapped not None):
        """Copy nothing into that pipe any more."""
        cdef task *made = self._task(REMOVE_TAP)
        made.pipe = pipe_keep(tapped._pipe)
        self._push(made)

    def patch(self, Station other):
        """Each of the two hears the other, and nobody else; None: nobody."""
        cdef task *made = self._task(PATCH)
        if other is not None:
            made.two = station_keep(other._station)
        self._push(made)

    def join(self, Room wanted):
        """Take part in a conference; None: in none any more."""
        cdef task *made = self._task(LEAVE if wanted is None else JOIN)
        if wanted is not None:
            made.room = room_keep(wanted._room)
        self._push(made)

    def coach(self, Station member):
        """Be heard by that member alone; None: by all."""
        cdef task *made = self._task(COACH)
        if member is not None:
            made.two = station_keep(member._station)
        self._push(made)

    def send_keys(self, str keys not None, int length_ms=120, int gap_ms=80):
        """Send keys; w and W wait for half a second and for one. Empty: none of those that wait any more."""
        cdef task *made = self._task(SEND_KEYS)
        octets = keys.encode("ascii")[:127]
        strncpy(made.keys, octets, 127)
        made.length_ms, made.gap_ms = length_ms, gap_ms
        self._push(made)

    def listen(self, *, bint keys=False, bint talk=False):
        """Tell of keys in the sound, and of who begins and ends to talk."""
        cdef task *made = self._task(LISTEN)
        made.is_so, made.is_so_too = keys, talk
        self._push(made)

    def mute(self, bint is_muted=True):
        """Whether nobody hears it."""
        self._set(SET_MUTED, is_muted)

    def deafen(self, bint is_deaf=True):
        """Whether it hears nobody."""
        self._set(SET_DEAF, is_deaf)

    def echo(self, bint is_echo=True):
        """Whether it hears itself."""
        self._set(SET_ECHO, is_echo)

    def gain(self, double decibels):
        """How much louder it hears the others."""
        cdef task *made = self._task(SET_GAIN)
        made.number = 10 ** (decibels / 20)
        self._push(made)

    def boost(self, double decibels):
        """How much louder the others hear it, and what is recorded of it."""
        cdef task *made = self._task(SET_BOOST)
        made.number = 10 ** (decibels / 20)
        self._push(made)

    def close(self):
        """Let go of everybody; it may not be used after that."""
        if not self.is_closed:
            self.is_closed = True
            self._push(self._task(CLOSE_STATION))


cdef class Room:
    """A conference."""

    cdef room *_room
    cdef readonly uint64_t id
    cdef object _run

    def __cinit__(self, Bell bell not None, run):
        self.id = _next_id()
        self._run = run
        self._room = room_create(self.id, bell._bell)
        if self._room == NULL:
            raise MemoryError

    def __dealloc__(self):
        room_drop(self._room)

    cdef task *_task(self, deed what) except NULL:
        cdef task *made = task_create(what)
        if made == NULL:
            raise MemoryError
        made.room = room_keep(self._room)
        return made

    cdef _push(self, task *made):
        self._run(PyCapsule_New(&made.errand, "switchroom.errand", NULL))

    def play(self, sound, uint32_t loops=1):
        """Play a Clip or a Pipe to all members."""
        cdef task *made = self._task(PLAY_TO_ROOM)
        number = _fill(made, sound, loops)
        self._push(made)
        return number

    def clear(self):
        """Play nothing any more."""
        self._push(self._task(CLEAR_ROOM))

    def tap(self, Pipe mixed):
        """Copy the whole mix into a pipe; None: not any more."""
        cdef task *made = self._task(TAP_ROOM)
        if mixed is not None:
            made.pipe = pipe_keep(mixed._pipe)
        self._push(made)


cdef object _fill(task *made, sound, uint32_t loops):
    made.play.id = _next_id()
    made.play.loops = loops
    if isinstance(sound, Clip):
        made.play.clip = (<Clip>sound)._clip
        _keep_clip(made.play.clip)
    else:
        made.play.pipe = pipe_keep((<Pipe?>sound)._pipe)
    return made.play.id

cdef extern from *:
    """
    #include "sound/playlist.h"
    static void keep_clip(struct clip *clip) { atomic_fetch_add(&clip->references, 1); }
    """
    void _keep_clip "keep_clip"(clip *) nogil


cdef class Line:
    """What brings a station's sound from and to the wire: to be handed over to an end, once."""

    cdef converter *_converter

    def __cinit__(self, wanted not None, Station side not None):
        cdef line_terms terms
        cdef line_format *one
        formats, terms.payload_type, config, terms.packet_ms, event, terms.is_heard, terms.is_said = wanted
        if len(formats) > LINE_FORMATS:
            raise ValueError(f"{len(formats)} payload types, at most {LINE_FORMATS} can be heard")
        terms.format_count = len(formats)
        for i in range(terms.format_count):
            one = &terms.formats[i]
            one.payload_type, one.clock_rate, decoded, one.kind = formats[i]
            if decoded is not None:
                one.config = _config(decoded)
            elif one.kind == 0:
                raise ValueError(f"payload type {one.payload_type} has no decoder")
        terms.config = _config(config)
        terms.event_type, terms.event_rate = (0, 0) if event is None else event
        terms.ssrc, terms.timestamp = random.getrandbits(32), random.getrandbits(32)  # RFC 3550 §5.1, §8.1
        terms.sequence_number = random.getrandbits(15)
        terms.is_fixed = False
        self._converter = line_create(&terms, side._station)
        if self._converter == NULL:
            raise ValueError(f"no sound as {config!r} in packets of {terms.packet_ms} ms")

    def __dealloc__(self):
        if self._converter != NULL:
            self._converter.destroy(self._converter)

    def take(self, bytes packet not None, double now):
        """Take an RTP packet at ``now`` (monotonic seconds)."""
        self._converter.take(self._converter, <const uint8_t *><char *>packet, len(packet), <uint64_t>(now * 1e9))

    def tick(self, double now):
        """Hear 20 ms and say 20 ms; returns the packets that come of it."""
        self._converter.hear(self._converter, <uint64_t>(now * 1e9))
        return self.speak()

    def hear(self, double now):
        """The first half of a tick: where several lines belong together, all of them hear first."""
        self._converter.hear(self._converter, <uint64_t>(now * 1e9))

    def speak(self):
        """The second half: the packets to send."""
        cdef uint8_t packet[2048]
        cdef size_t size
        made = []
        while True:
            size = self._converter.make(self._converter, packet, PACKET_ROOM)
            if size == 0:
                return made
            made.append((<char *>packet)[:size])

    @property
    def statistics(self):
        """The jitter buffer's counts, by name."""
        cdef const jitter_statistics *s = line_statistics(self._converter)
        return {
            "received": s.received, "played": s.played, "late": s.late, "lost": s.lost, "duplicate": s.duplicate,
            "suspect": s.suspect, "discarded": s.discarded, "resyncs": s.resyncs, "concealed": s.concealed,
            "paused": s.paused, "stretched": s.stretched, "shrunk": s.shrunk,
        }

    def hand_over(self):
        """Give it away: a PyCapsule named switchroom.converter, whose pointer the receiver destroys."""
        if self._converter == NULL:
            raise ValueError("the line was handed over")
        capsule = PyCapsule_New(self._converter, "switchroom.converter", NULL)
        self._converter = NULL
        return capsule


def run_now(capsule):
    """Do a task at once: where no engine runs."""
    cdef errand *what = <errand *>PyCapsule_GetPointer(capsule, "switchroom.errand")
    what.run(what)
