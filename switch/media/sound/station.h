/* The switch's own side of one leg's sound: what is heard of it, what is said to it, and who else takes part. It knows
 * samples only; a line (line.h) brings them from and to the wire.
 *
 * Everything but the references belongs to the engine's thread. At each tick all stations hear, then all speak.
 */
#ifndef SWITCHROOM_STATION_H
#define SWITCHROOM_STATION_H

#include "playlist.h"

enum { STATION_TAPS = 6, KEY_QUEUE = 128 };
enum side { HEARD, SAID };

struct room;
struct station;

/* Of stations that must be asked together: in which millisecond of each frame (converter.h). */
struct cadence {
    bool has_begun;
    int beat, steps;              /* that it still moves, one a tick */
    int age;                      /* ticks since it was thought about */
    uint64_t settled_at;          /* the tick after which it was settled for the next */
};

struct tap {
    struct pipe *pipe;
    enum side side;
    bool is_told_of;              /* the bell rings when there is something */
    struct resampler *resampler;
    int rate;
};

struct station {
    atomic_int references;
    uint64_t id;
    struct bell *bell;
    int rate;                     /* of its line, 0: it never had one */
    uint64_t heard_at;            /* the tick of `heard` */
    int16_t heard[FRAME_MAX];
    struct playlist playlist;
    struct tap taps[STATION_TAPS];
    float gain, gained;           /* of what is said; as it is by now */
    float boost, boosted;         /* of what is heard, before anybody else hears it */
    bool is_muted;                /* nobody else hears it */
    bool is_deaf;                 /* it hears nobody else */
    bool is_echo;                 /* hears itself */

    /* talk and keys */
    struct vad vad;
    bool tells_talk, is_talking;
    int quiet;                    /* ticks without speech */
    struct dtmf *dtmf;            /* NULL: nobody listens for keys in the sound */
    char key, sent_key;           /* that is down at the far end; that is to be heard there */
    char keys[KEY_QUEUE];         /* that wait to be sent */
    int key_count, key_ticks, key_length, key_gap;

    /* others */
    struct station *partner;
    struct resampler *partner_resampler;
    int partner_from, partner_to;
    struct room *room;
    int place;                    /* among its members */
    struct station *coached;      /* the only member that hears it; NULL: all */
    struct resampler *coach_resampler;
    bool is_given;                /* it has a part in the mix of this tick */

    struct cadence cadence;       /* alone, or with a partner of a higher id */
    int offset;                   /* ms by which its line would best be asked later (> 0) or earlier */
    uint64_t offset_at;
};

struct station *station_create(uint64_t id, struct bell *bell);
struct station *station_keep(struct station *station);
void station_drop(struct station *station);

/* -- for its line */

void station_set_rate(struct station *station, int rate);
/* 20 ms that came, at its rate; they may be changed. */
void station_hear(struct station *station, int16_t *pcm, uint64_t now);
/* The next 20 ms to send. */
void station_speak(struct station *station, int16_t *pcm, uint64_t now);
/* Whether its line alone decides when it is asked. */
bool station_is_alone(const struct station *station);
/* The beat after the tick at `now`. */
int station_beat(struct station *station, uint64_t now);
/* A key went down (`ticks` 0) or up at the far end, after so many of 1 ms. */
void station_key(struct station *station, char key, bool is_down, uint32_t ms);
/* The key that is to be sent in this tick, 0: none. */
char station_key_to_send(struct station *station);

/* -- for tasks */

void station_patch(struct station *one, struct station *two);  /* two may be NULL */
void station_tap(struct station *station, struct pipe *pipe, enum side side, bool is_told_of);
void station_untap(struct station *station, struct pipe *pipe);
void station_send_keys(struct station *station, const char *keys, int length_ms, int gap_ms);
void station_listen(struct station *station, bool for_keys, bool for_talk);
void station_close(struct station *station);

#endif
