/* Around iLBC's start state: the rest of its pair, what follows, and what comes before, the latter backwards in time
   (3.6, 4.1). */

#include "ilbc.h"

#include <string.h>

#define REST_MEMORY 85

/* Code or make one stretch: `wanted` NULL makes. */
static void stretch(const struct ilbc_book *book, const float *wanted, const float *weighting, int *index, int *gain,
                    float *made)
{
    if (wanted)
        ilbc_search(book, wanted, weighting, index, gain);
    ilbc_construct(book, index, gain, made);
}

static void turn_around(const float *from, int count, float *to)
{
    for (int i = 0; i < count; i++)
        to[i] = from[count - 1 - i];
}

/* Sub-blocks one after the other, each made of those before it; `at` is the first one's place in time. */
static int sub_blocks(int count, float *memory, const float *wanted, const float weighting[][TAPS], int first, int step,
                      int turn, struct ilbc_frame *frame, float *made)
{
    for (int n = 0; n < count; n++, turn++, made += BLOCK) {
        struct ilbc_book book = {memory, MEMORY, BLOCK, turn + 1};
        const float *filter = weighting ? weighting[first + step * n] : NULL;
        stretch(&book, wanted ? wanted + n * BLOCK : NULL, filter, frame->index[turn], frame->gain[turn], made);
        memmove(memory, memory + BLOCK, (MEMORY - BLOCK) * sizeof *memory);
        memcpy(memory + MEMORY - BLOCK, made, BLOCK * sizeof *memory);
    }
    return turn;
}

static void rest_of_pair(const struct ilbc_mode *mode, const float *wanted, const float weighting[][TAPS],
                         struct ilbc_frame *frame, float *residual)
{
    float memory[MEMORY] = {0}, backwards[STATE], made[STATE];
    int state = mode->state, count = STATE - state, at = ilbc_state_at(mode, frame);
    struct ilbc_book book = {memory + MEMORY - REST_MEMORY, REST_MEMORY, count, 0};
    if (frame->state_first) {
        memcpy(memory + MEMORY - state, residual + at, (size_t)state * sizeof *memory);
        stretch(&book, wanted ? wanted + at + state : NULL, weighting ? weighting[frame->start] : NULL, frame->extra,
                frame->extra_gain, residual + at + state);
        return;
    }
    turn_around(residual + at, state, memory + MEMORY - state);
    if (wanted)
        turn_around(wanted + at - count, count, backwards);
    stretch(&book, wanted ? backwards : NULL, weighting ? weighting[frame->start - 1] : NULL, frame->extra,
            frame->extra_gain, made);
    turn_around(made, count, residual + at - count);
}

void ilbc_rest(const struct ilbc_mode *mode, const float *wanted, const float weighting[][TAPS],
               struct ilbc_frame *frame, float *residual)
{
    float memory[MEMORY] = {0}, backwards[FRAME_MAX], made[FRAME_MAX];
    int after = mode->blocks - frame->start - 1, before = frame->start - 1, turn = 0;
    rest_of_pair(mode, wanted, weighting, frame, residual);
    if (after > 0) {
        int at = (frame->start + 1) * BLOCK;
        memcpy(memory + MEMORY - STATE, residual + at - STATE, STATE * sizeof *memory);
        turn = sub_blocks(after, memory, wanted ? wanted + at : NULL, weighting, frame->start + 1, 1, turn, frame,
                          residual + at);
    }
    if (before > 0) {
        int known = (mode->blocks - before) * BLOCK;
        known = known > MEMORY ? MEMORY : known;
        memset(memory, 0, sizeof memory);
        turn_around(residual + before * BLOCK, known, memory + MEMORY - known);
        if (wanted)
            turn_around(wanted, before * BLOCK, backwards);
        sub_blocks(before, memory, wanted ? backwards : NULL, weighting, before - 1, -1, turn, frame, made);
        turn_around(made, before * BLOCK, residual);
    }
}
