/* See playlist.h. */

#include "playlist.h"

struct clip *clip_create(int rate, const int16_t *pcm, uint32_t count)
{
    struct clip *clip = malloc(sizeof *clip + count * sizeof *pcm);
    if (clip == NULL)
        return NULL;
    atomic_init(&clip->references, 1);
    clip->rate = rate;
    clip->count = count;
    memcpy(clip->data, pcm, count * sizeof *pcm);
    return clip;
}

void clip_drop(struct clip *clip)
{
    if (clip != NULL && atomic_fetch_sub(&clip->references, 1) == 1)
        free(clip);
}

static void end_play(struct play *play, enum sound_event how, struct bell *bell, uint64_t owner)
{
    bell_ring(bell, how, owner, play->id);
    clip_drop(play->clip);
    pipe_drop(play->pipe);
    if (play->resampler != NULL)
        resampler_destroy(play->resampler);
}

void playlist_add(struct playlist *list, const struct play *play, struct bell *bell, uint64_t owner)
{
    struct play copy = *play;
    if (list->count == PLAYS)
        end_play(&copy, CUT, bell, owner);
    else
        list->plays[list->count++] = copy;
}

void playlist_clear(struct playlist *list, struct bell *bell, uint64_t owner)
{
    for (int i = 0; i < list->count; i++)
        end_play(&list->plays[i], CUT, bell, owner);
    list->count = 0;
}

static int read_clip(struct play *play, int16_t *pcm, int count)
{
    const struct clip *clip = play->clip;
    int done = 0;
    while (done < count && play->at < clip->count) {
        uint32_t left = clip->count - play->at, wanted = (uint32_t)(count - done);
        uint32_t now = left < wanted ? left : wanted;
        memcpy(pcm + done, clip->data + play->at, now * sizeof *pcm);
        done += (int)now;
        play->at += now;
        if (play->at == clip->count && play->loops != 1) {
            play->at = 0;
            play->loops -= play->loops != 0;
        }
    }
    return done;
}

static int read_pipe(struct play *play, int16_t *pcm, int count, struct bell *bell, uint64_t owner)
{
    struct pipe *pipe = play->pipe;
    int done = (int)pipe_read(pipe, pcm, (uint32_t)count);
    if (atomic_load(&pipe->read) >= atomic_load(&pipe->mark_at)) {
        atomic_store(&pipe->mark_at, NO_MARK);
        bell_ring(bell, MARKED, owner, pipe->id);
    }
    if (pipe_waiting(pipe) < pipe->size / 2 && atomic_exchange(&pipe->is_awaited, false))
        bell_ring(bell, LOW, owner, pipe->id);
    return done;
}

static bool is_over(const struct play *play)
{
    if (play->clip != NULL)
        return play->at >= play->clip->count;
    return atomic_load(&play->pipe->is_ended) && pipe_waiting(play->pipe) == 0;
}

/* The resampler that a play needs at this rate; false: there is none, and it cannot be heard. */
static bool fit(struct play *play, int from, int rate)
{
    if (from == rate)
        return true;
    if (play->resampler != NULL && play->rate == rate)
        return true;
    if (play->resampler != NULL)
        resampler_destroy(play->resampler);
    play->resampler = resampler_create(from, rate, 0);
    play->rate = rate;
    return play->resampler != NULL;
}

/* Up to `count` samples at `rate`; fewer: it is over, or there are none now. */
static int run_one(struct play *play, int16_t *pcm, int count, int rate, struct bell *bell, uint64_t owner)
{
    int from = play->clip != NULL ? play->clip->rate : play->pipe->rate;
    if (from == rate)
        return play->clip != NULL ? read_clip(play, pcm, count) : read_pipe(play, pcm, count, bell, owner);
    int16_t own[FRAME_MAX], made[2 * FRAME_MAX];
    int wanted = from / 50;  /* 20 ms become 20 ms */
    if (wanted > FRAME_MAX || !fit(play, from, rate)) {
        if (play->clip != NULL)
            play->at = play->clip->count;
        return 0;
    }
    int got = play->clip != NULL ? read_clip(play, own, wanted) : read_pipe(play, own, wanted, bell, owner);
    if (got == 0)
        return 0;
    memset(own + got, 0, (size_t)(wanted - got) * sizeof *own);
    if (resampler_room(play->resampler, wanted) > 2 * FRAME_MAX)
        return 0;
    int out = resampler_run(play->resampler, own, wanted, made);
    out = out < count ? out : count;
    memcpy(pcm, made, (size_t)out * sizeof *pcm);
    return count;  /* what is missing at its end is silence */
}

void playlist_run(struct playlist *list, int16_t *pcm, int rate, struct bell *bell, uint64_t owner)
{
    int frame = rate / 50, done = 0;
    int16_t played[FRAME_MAX];
    while (list->count > 0 && done < frame) {
        memset(played, 0, sizeof played);
        struct play *play = &list->plays[0];
        int count = run_one(play, played, frame - done, rate, bell, owner);
        for (int i = 0; i < count; i++)
            pcm[done + i] = saturated(pcm[done + i] + played[i]);
        done += count;
        if (!is_over(play))
            return;  /* it has filled the frame, or waits for its writer */
        end_play(play, PLAYED, bell, owner);
        memmove(list->plays, list->plays + 1, (size_t)--list->count * sizeof *list->plays);
    }
}
