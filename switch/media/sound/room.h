/* A conference: each member hears the others. Members with one sample rate are summed up at it, and only the sums are
 * brought to the other rates; so the mix costs little more than adding.
 */
#ifndef SWITCHROOM_ROOM_H
#define SWITCHROOM_ROOM_H

#include "station.h"

enum { ROOM_RATES = 5 };

struct bucket {
    int members;
    bool has_speech;
    int32_t sum[FRAME_MAX], total[FRAME_MAX];
    int16_t flat[FRAME_MAX];
    struct resampler *to[ROOM_RATES];
};

struct room {
    atomic_int references;
    uint64_t id;
    struct bell *bell;
    struct station **members;
    int count, space;
    int coaches;                  /* members that only one other hears */
    uint64_t mixed_at;
    struct cadence cadence;
    struct bucket buckets[ROOM_RATES];
    struct playlist playlist;     /* heard by all */
    struct tap tap;               /* of all that is said; pipe NULL: nobody records */
    uint64_t speaker, candidate;  /* ids; 0: nobody */
    int candidate_ticks;
};

struct room *room_create(uint64_t id, struct bell *bell);
struct room *room_keep(struct room *room);
void room_drop(struct room *room);

void room_join(struct room *room, struct station *station);
void room_leave(struct station *station);
void room_set_rate(struct station *station, int rate);
/* From now on only `coached`, a member too, hears this one; NULL: all do. */
void room_coach(struct station *coach, struct station *coached);
/* Add to `pcm` what a member hears of the others. */
void room_run(struct room *room, struct station *member, int16_t *pcm, uint64_t now);
void room_tap(struct room *room, struct pipe *pipe);

#endif
