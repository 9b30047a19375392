/* What is played, one after the other: clips that are whole in memory and may be shared, and pipes that somebody fills.
 * A playlist belongs to the engine's thread.
 */
#ifndef SWITCHROOM_PLAYLIST_H
#define SWITCHROOM_PLAYLIST_H

#include "bell.h"
#include "codecs/resampling.h"
#include "codecs/sound.h"
#include "pipe.h"

enum { PLAYS = 16, FRAME_MAX = SOUND_RATE_MAX / 50 };

struct clip {
    atomic_int references;
    int rate;
    uint32_t count;
    int16_t data[];
};

struct play {
    uint64_t id;
    struct clip *clip;            /* or */
    struct pipe *pipe;
    uint32_t at, loops;           /* of the clip: how often still; 0: without an end */
    struct resampler *resampler;
    int rate;                     /* that it resamples to */
};

struct playlist {
    struct play plays[PLAYS];
    int count;
};

struct clip *clip_create(int rate, const int16_t *pcm, uint32_t count);
void clip_drop(struct clip *clip);

/* Takes the references that `play` has; when there is no room, the play is cut at once. */
void playlist_add(struct playlist *list, const struct play *play, struct bell *bell, uint64_t owner);
void playlist_clear(struct playlist *list, struct bell *bell, uint64_t owner);
/* Add what is played in the next 20 ms to `pcm`. */
void playlist_run(struct playlist *list, int16_t *pcm, int rate, struct bell *bell, uint64_t owner);

static inline int16_t saturated(int32_t value)
{
    return (int16_t)(value > INT16_MAX ? INT16_MAX : value < INT16_MIN ? INT16_MIN : value);
}

#endif
