/* What a transcoder remembers; see transcoder.h. */
#ifndef SWITCHROOM_CONVERSION_STATE_H
#define SWITCHROOM_CONVERSION_STATE_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "codecs/resampling.h"
#include "codecs/sound.h"
#include "switch/media/packet.h"
#include "transcoder.h"

enum {
    SEQUENCE_DROPOUT = 3000, SEQUENCE_MISORDER = 100,  /* as in RFC 3550 A.1 */
    MAX_PACKET_MS = 200, MAX_CONCEALED_MS = 100, MAX_PACKET_TIME_MS = 120,
    MAX_PAUSE_S = 60,          /* a time stamp that moves on by more is another clock */
    PACKET_ROOM = 2048,
    EVENT_OCTETS = 4,
    NO_JUMP = -1,
    WAITING = 8,               /* packets that can be waited for */
};
#define SCRATCH (SOUND_RATE_MAX / 1000 * MAX_PACKET_MS * 2)  /* stereo */
#define SECOND 1000000000ull

/* Decodes one payload type. */
struct voice {
    void *decoder;
    struct resampler *resampler;  /* NULL: the rates are the same */
    struct conceal *conceal;      /* NULL: the codec has its own */
    struct dtmf *dtmf;            /* NULL: keys in the sound are sound */
};

/* A key on its way from telephone-event into the sound, or back. */
struct key {
    char name;                    /* 0: none is down */
    int samples;                  /* made of its tones, at the encoder's rate */
    uint32_t ticks, withheld;     /* since it was heard, of telephone-event's and of the sender's clock */
};

/* Noise that is made while the sender pauses. */
struct pause {
    bool is_on;
    int voice;                    /* whose decoder makes it; -1: `noise` */
    uint64_t until;               /* it is made up to here */
    uint32_t ahead;               /* ticks of the sender's clock by which too much was made */
    struct noise noise;
};

/* A packet that needs no encoder. */
struct ready {
    int copies;                   /* to be sent, each with a number of its own */
    size_t octets;
    uint32_t timestamp;
    uint8_t payload_type;
    bool is_marked;
    uint8_t payload[PACKET_ROOM];
};

/* A packet that came before its turn. */
struct waiting {
    uint64_t at;
    uint16_t sequence_number, size;
    uint8_t data[PACKET_ROOM];
};

struct order {
    int patience;                 /* how many may wait for one that is missing */
    int calm;                     /* packets since the last that was worth waiting for */
    int count;
    uint64_t seen;                /* bit i: the i-th number before the next one came */
    struct waiting *waiting;      /* NULL: never needed */
};

struct transcoder {
    struct converter verbs;
    struct conversion terms;
    struct voice voices[CONVERSION_FORMATS];
    void *encoder;

    /* what came in */
    bool has_input;
    int voice;                    /* that the last sound came for; -1: none yet */
    int spoken;                   /* samples of the last packet, at the decoder's rate */
    uint32_t in_ssrc, clock_rate; /* of next_timestamp */
    uint32_t next_timestamp;      /* where the next packet begins when nothing is missing */
    uint16_t next_sequence;
    uint64_t last_at;
    int last_ms;                  /* how long the last packet was */
    struct order order;
    int mode;                     /* that was asked for, of the other direction; -1: none */

    /* what goes out */
    uint32_t ssrc, timestamp;     /* of the first sample that waits */
    uint16_t sequence_number;
    bool is_marked;
    uint32_t event_timestamp, event_out;  /* of the event that is going on: as it came, as it leaves */
    bool has_event;
    struct key key;
    int jump_at;                  /* where in `samples` the time stamp moves on by jump_by */
    uint32_t jump_by;
    struct ready ready;
    struct pause pause;
    bool is_pause_told;           /* of a codec's own pause, to who has comfort noise */

    int rate, channels, frame;    /* of the encoder; `frame` samples make a packet */
    int begin, end, room;         /* of the samples that wait */
    int16_t samples[];
};

static _Thread_local int16_t decoded[SCRATCH], other_rate[SCRATCH];

#endif
