/* The media engine: relays RTP and RTCP between pairs of ports on a thread of its own.
 *
 * Everything an end holds is written by that thread alone. The loop's thread asks by commands in a ring
 * (one producer, one consumer, no lock), which are read before any packet that came after them, and reads
 * counters word by word.
 */
#ifndef SWITCHROOM_ENGINE_CORE_H
#define SWITCHROOM_ENGINE_CORE_H

#include <pthread.h>
#include <stdatomic.h>

#include "capture.h"
#include "clock.h"
#include "converter.h"
#include "gate.h"
#include "kernel_stream.h"
#include "latch.h"
#include "protector.h"
#include "statistics.h"

enum { RTP, RTCP, CHANNELS };
enum { BATCH = 32, DATAGRAM_SIZE = 2048, COMMANDS = 1024, MAX_EVENTS = 512 };
enum { HANDED = 256, HANDED_SIZE = 1500 };  /* datagrams that wait for the loop's thread, and their octets */
enum { KEYS_WAITING = 32, NO_PAYLOAD_TYPE = 0xFF };
enum { SOURCES = 8 };                       /* SSRCs that are remembered of an end in a bundle */
enum { FORMS = 2 };                         /* of G.711 */
enum { RAWS = 2, RAW_HEADERS = 48 };       /* of IPv6 and UDP */
enum { CONTROL_SIZE = 64 };
enum { INWARD, OUTWARD, WAYS };
#define NO_END UINT32_MAX

/* How a secured end is guarded. */
struct shield {
    uint8_t ufrag[8], mark[4];                /* of ICE: what names us, and what our transactions begin with */
    bool is_on, has_dtls, has_ice, is_faced;
};

/* A key that signalling has told: it leaves as telephone-event, or as tones if that has no payload type. */
struct key_press {
    uint32_t rate, ms;                        /* of the sound that leaves; how long */
    uint8_t number, type;
};

/* Keys that wait, and the one that is on its way. */
struct keying {
    struct key_press waiting[KEYS_WAITING];
    uint64_t said_at;                         /* when the sender itself last said one */
    uint32_t count, began, duration, timestamp, packets, copies, gap;
    uint8_t event_type, said;
};

/* A payload type as it comes in and as it leaves. */
struct retyped {
    uint8_t from, to;
    bool is_sound;                            /* of the form that becomes the other one */
};

/* Sound of G.711 that leaves in its other form; recoding.py makes it. */
struct recoding {
    uint8_t form, count;                      /* the form that comes in; of `types`, 0: nothing of this is done */
    struct retyped types[MAX_CLOCKS];
};

enum { DECLARED = 8, MID_SIZE = 16 };

/* What one end is told when its call is answered or negotiated again. */
struct program {
    union address signalled[CHANNELS], home;  /* home: where the signalling comes from (the host counts) */
    struct clock_rate clocks[MAX_CLOCKS];
    uint64_t first_timeout, timeout;          /* nanoseconds of silence; 0: never */
    uint32_t peer;                            /* what comes in leaves from there */
    uint32_t next;                            /* the call's next end; the chain begins at the watched one */
    uint32_t carrier, rider;                  /* of a bundle: whose sockets serve it, and the next one that they serve */
    uint64_t payloads[2];                     /* of a bundle: bits of the payload types that are its own */
    uint32_t declared[DECLARED];              /* of a bundle: the sources that it said it has; 0: no more */
    uint8_t mid_id, mid_size;                 /* of a bundle: how packets name their line, 0: they do not; RFC 8843 */
    uint8_t mid[MID_SIZE];                    /* this one's name */
    uint32_t generation;                      /* which use of the pair this is */
    uint32_t call;                            /* ends of different calls never meet */
    uint32_t max_rate;                        /* packets a second; 0: any */
    uint32_t traffic_class;                   /* of what leaves through the kernel */
    struct recoding recoding;
    uint8_t clock_count;
    bool is_counted;                          /* silence of this end means something */
    bool is_nat, is_mux, pins_ssrc;
    bool is_rtp, is_secured, has_others;      /* others: DTLS and STUN beside RTP */
    struct shield shield;
    bool may_kernel;                          /* nothing has to be touched */
};

/* A direction that the kernel could relay, if there is a way for it. */
struct ready {
    uint32_t index, generation;
    union address source, local, sender, target;
};

enum verb { OPEN, PROGRAM, WATCH, RELEASE, CLOSE, TAP, RUN, HAND_OVER, TAKE_BACK, SECURE, FACE, SEND, REPORT, PRESS };

/* Something that the loop's thread sends from an end's port; made by malloc, freed by the engine. */
struct datagram {
    size_t size;
    uint8_t data[];
};

struct command {
    enum verb verb;
    uint32_t index;
    union {
        struct {                              /* OPEN */
            int fds[CHANNELS];
            union address local;
            uint8_t traffic_class;
        };
        struct program program;
        struct {
            struct ready found;
            struct way way;                   /* max_size 0: there is none */
        };
        struct protector *protectors[WAYS];   /* SECURE */
        struct {                              /* FACE, SEND */
            union address address;
            struct datagram *datagram;
        };
        struct key_press press;               /* PRESS */
    };
    uint32_t generation;                      /* SECURE, FACE, SEND, PRESS: for this use of the pair only */
    struct converter *converter;              /* PROGRAM: what to do with the RTP from this end; NULL: pass it on */
                                              /* TAP: gets a copy of it; NULL: none does any more */
    struct errand *errand;                    /* RUN */
};

/* What an end's RTCP said, and when it was told of a sender report; times in ns, 0: never. */
struct reports {
    uint64_t sender_at, told_at, block_at, round_trip;
    uint32_t sender_middle, told_middle;
    uint32_t block_ssrc, jitter;
    int32_t lost;
    uint8_t fraction_lost, r_factor, mos;      /* the last two: what it thinks itself, RFC 3611; 0: nothing */
};

/* What sound that is converted leaves as. */
struct made {
    uint64_t at, packets, octets;
    uint32_t ssrc, timestamp;
};

/* What of the kernel's counts is in the statistics. */
struct taken {
    uint64_t packets, octets, refused;
};

/* One m-line of one leg: two sockets, the address they face, and what came from it. */
struct end {
    int fds[CHANNELS];
    bool is_open, is_armed, is_watched;
    uint64_t read_in[CHANNELS];               /* the turn in which each was read last */
    union address local;                      /* of RTP */
    uint8_t traffic_class;
    bool is_raw;                              /* packets may leave through the raw socket */
    bool is_gathered;                         /* its RTP comes by the socket of all ports, most of the time */
    struct latch latches[CHANNELS];
    struct program program;
    struct converter *converter, *tap;
    struct protector *protectors[WAYS];       /* of a shielded end; NULL: no keys yet, nothing passes */
    struct statistics statistics;
    uint64_t rtcp_at, watched_at, window_at, handed_at;
    uint32_t window_count, handed_count;
    struct reports reports;
    struct made made;             /* of what comes from here */
    struct keying *keying;        /* from the first key on that signalling tells */
    uint32_t sources[SOURCES], next_source;   /* if it has several, or is in a bundle */
    union address stranger;       /* who was refused last */
    struct end *next_ticked, **ticked_from;   /* of its beat; NULL: it hears no ticks */
    uint64_t ticked_at;
    bool is_in_kernel, is_asked;
    uint32_t ordinary, patience;  /* packets in a row, and how many it takes */
    uint32_t seen_highest;        /* of the kernel's */
    struct taken taken;
    _Atomic uint32_t turn;        /* odd while counts move from the kernel's to the statistics */
    _Atomic uint32_t generation;  /* of the statistics; 0 while they change hands */
};

/* A copy for readers. */
struct snapshot {
    uint64_t packets, bytes, rtcp_packets, out_of_order, duplicates, last_at;
    uint64_t dropped[DROPS];
    int64_t lost;
    double jitter_ms;
    bool is_in_kernel;
};

/* What a reader is told beyond the counters. */
struct detail {
    struct runs runs;
    struct reports reports;
    struct made made;
    union address stranger;
    uint64_t last_at, rtcp_at, expected, counted, jitter;
    uint32_t ssrc, highest, clock_rate, timestamp;
    uint8_t payload_type;
};

struct totals {
    uint64_t packets, bytes, wakes, dropped[DROPS];
    uint64_t kernel_packets, kernel_streams, gathered;
};

struct outgoing {
    struct mmsghdr headers[BATCH];
    struct iovec iov[BATCH];
    const union address *to;
    int fd;
    unsigned count;
};

/* A packet with its headers, on its way through the raw socket. */
struct raw_packet {
    struct end *from;                         /* whom it is counted for */
    union address target, way;
    int fd;                                   /* of the port that it leaves by */
    size_t headers_size, size;
    uint8_t data[RAW_HEADERS + DATAGRAM_SIZE + PROTECTION_ROOM + 1];
};

struct raw {
    int fd;                                   /* -1: there is no right to it */
    unsigned count;
    uint16_t id;                              /* of the last IPv4 packet */
    struct mmsghdr headers[BATCH];
    struct iovec iov[BATCH];
    struct raw_packet packets[BATCH];
};

/* Sockets that hear many ports, one of each IP version; see gathering.h. */
struct gathering {
    struct gate *gates;                       /* NULL: each port is read by itself */
    uint32_t first_port, port_count;
    int fds[RAWS];                            /* -1: there is none */
};

struct expiry {
    uint32_t index, generation;
};

/* A datagram for the loop's thread: a connectivity check or a handshake. */
struct handed {
    uint32_t index, generation, size;
    union address source;
    uint8_t data[HANDED_SIZE];
};

struct engine {
    pthread_t thread;
    int epoll, kick_fd, expiry_fd, handed_fd;
    uint32_t capacity, high_water;
    uint64_t tick, sweep_interval, sweep_at, woken_at;
    uint32_t watched_count;
    bool is_busy, is_running, has_more;       /* a socket was not read empty */
    bool may_realtime;
    uint64_t scheduled_at, spent;             /* when it was looked at last, and how much CPU the thread had taken by then */
    struct end *ends;
    uint8_t octets[FORMS][256];               /* what an octet of each form is in the other */
    struct totals totals;
    struct kernel_stream *streams;            /* by end; NULL: nothing is relayed by the kernel */
    struct capture *capture;                  /* of what passes; NULL: nothing is kept. With it the kernel relays nothing */

    struct mmsghdr headers[BATCH];
    struct iovec iov[BATCH];
    union address sources[BATCH];
    uint8_t data[BATCH][DATAGRAM_SIZE + PROTECTION_ROOM];
    struct outgoing outgoing;
    uint8_t controls[BATCH][CONTROL_SIZE];    /* where each packet of such a socket was sent to */
    struct gathering gathering;
    struct raw raws[RAWS];                    /* IPv4, IPv6 */
    uint8_t made[BATCH][DATAGRAM_SIZE + PROTECTION_ROOM];  /* by converters, under the place that a packet has in outgoing */

    struct end *beats[BEATS];                 /* those with a converter or a tap that works by the clock */
    uint32_t ticked_count;
    uint64_t tick_at;                         /* the next beat */

    struct expiry *expiries;
    _Alignas(64) _Atomic uint32_t expiry_head;
    _Atomic uint32_t expiry_tail;
    struct ready *readies;
    _Atomic uint32_t ready_head;
    _Atomic uint32_t ready_tail;

    struct handed *handed;
    _Alignas(64) _Atomic uint32_t handed_head;   /* consumer: the loop's thread */
    _Atomic uint32_t handed_tail;

    _Alignas(64) _Atomic uint32_t command_head;  /* consumer */
    _Alignas(64) _Atomic uint32_t command_tail;  /* producer */
    _Alignas(64) _Atomic int sleep;              /* AWAKE, UNTIL_SWEEP, FOR_GOOD */
    _Atomic bool is_stopping, is_realtime;
    struct command commands[COMMANDS];
};

/* All return 0, or -1 with errno. The loop's thread calls them. */
struct engine *engine_new(uint32_t capacity, uint64_t tick, uint64_t sweep_interval);
void engine_send_raw(struct engine *engine);  /* if it may; before the start */
int engine_gather(struct engine *engine, struct gate *gates, uint32_t first_port, uint32_t port_count);  /* before it, too */
int engine_start(struct engine *engine);
void engine_stop(struct engine *engine);  /* ends the thread and closes every socket */
void engine_free(struct engine *engine);

int address_parse(const char *host, uint16_t port, union address *address);
int address_print(const union address *address, char *text);
int engine_open(struct engine *engine, uint32_t index, const char *host, uint16_t port, int dscp);
int engine_push(struct engine *engine, const struct command *command);  /* EAGAIN: full, try again soon */
void engine_read(struct engine *engine, uint32_t index, uint32_t generation, struct snapshot *snapshot);
void engine_read_detail(struct engine *engine, uint32_t index, uint32_t generation, struct detail *detail);
void engine_read_totals(struct engine *engine, struct totals *totals);
bool engine_next_expiry(struct engine *engine, struct expiry *expiry);
bool engine_next_ready(struct engine *engine, struct ready *ready);
const struct handed *engine_next_handed(struct engine *engine);  /* as long as engine_took_handed was not called */
void engine_took_handed(struct engine *engine);

#endif
