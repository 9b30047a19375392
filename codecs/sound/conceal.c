/* What did not come is guessed by repeating the last pitch periods; ITU-T G.711 Appendix I, but without its delay of
   3.75 ms: the step between the last sample and the first repeated one is faded out instead. See sound.h. */

#include "codecs/sound.h"

#include <math.h>
#include <string.h>

#define MS(conceal, count) ((conceal)->rate * (count) / 1000)
#define PITCH_LEAST(conceal) ((conceal)->rate / 200)     /* 5 ms */
#define PITCH_MOST(conceal) ((conceal)->rate * 3 / 200)  /* 15 ms */

void conceal_init(struct conceal *conceal, int rate)
{
    memset(conceal, 0, sizeof *conceal);
    conceal->rate = rate;
    conceal->history = rate * 39 / 800;
}

static void remember(struct conceal *conceal, const int16_t *pcm, size_t samples)
{
    size_t history = (size_t)conceal->history;
    if (samples >= history) {
        memcpy(conceal->past, pcm + samples - history, history * sizeof *pcm);
        return;
    }
    memmove(conceal->past, conceal->past + samples, (history - samples) * sizeof *pcm);
    memcpy(conceal->past + history - samples, pcm, samples * sizeof *pcm);
}

/* How alike the last `count` samples and those `lag` before are, looking at every `stride`th. */
static float likeness(const struct conceal *conceal, int lag, int count, int stride)
{
    const int16_t *end = conceal->past + conceal->history;
    float product = 0, energy = 1e3f;
    for (int n = -count; n < 0; n += stride) {
        product += (float)end[n] * end[n - lag];
        energy += (float)end[n - lag] * end[n - lag];
    }
    return product / sqrtf(energy);
}

static int find_pitch(const struct conceal *conceal)
{
    int coarse = conceal->rate / 4000, best = PITCH_MOST(conceal);
    float most = -1e30f;
    for (int lag = PITCH_LEAST(conceal); lag <= PITCH_MOST(conceal); lag += coarse) {
        float now = likeness(conceal, lag, MS(conceal, 20), coarse);
        if (now > most)
            most = now, best = lag;
    }
    int middle = best, around = coarse * 3 / 2;
    most = -1e30f;
    for (int lag = middle - around; lag <= middle + around; lag++) {  /* a pitch that glides: its latest counts */
        if (lag < PITCH_LEAST(conceal) || lag > PITCH_MOST(conceal))
            continue;
        float now = likeness(conceal, lag, MS(conceal, 10), coarse / 2);
        if (now > most)
            most = now, best = lag;
    }
    return best;
}

/* Repeat the last `periods` pitch periods; the last quarter of one fades into what was before the first. */
static void make_loop(struct conceal *conceal, int periods)
{
    int length = conceal->pitch * periods, quarter = conceal->pitch / 4;
    const int16_t *from = conceal->past + conceal->history - length;
    memcpy(conceal->loop, from, (size_t)length * sizeof *from);
    for (int n = 0; n < quarter; n++) {
        float share = (float)(n + 1) / (float)(quarter + 1);
        conceal->loop[length - quarter + n] =
            (int16_t)((1 - share) * from[length - quarter + n] + share * from[n - quarter]);
    }
    conceal->periods = periods;
}

static void begin(struct conceal *conceal)
{
    const int16_t *end = conceal->past + conceal->history;
    conceal->pitch = find_pitch(conceal);
    conceal->step = (float)end[-1] - (float)end[-1 - conceal->pitch];
    conceal->at = 0;
    make_loop(conceal, 1);
}

static float repeated(struct conceal *conceal)
{
    float value = conceal->loop[conceal->at];
    if (++conceal->at == conceal->pitch * conceal->periods)
        conceal->at = 0;
    return value;
}

/* One sample of the guess, softer and softer from 10 ms on. */
static float guess(struct conceal *conceal)
{
    int after = conceal->erased, quarter = conceal->pitch / 4;
    int periods = after < MS(conceal, 10) ? 1 : after < MS(conceal, 20) ? 2 : 3;
    if (periods != conceal->periods && conceal->at == 0)  /* a whole period later: a tone of one would buzz */
        make_loop(conceal, periods);
    float value = repeated(conceal), gain = 1;
    if (after < quarter)
        value += conceal->step * (1 - (float)(after + 1) / (float)(quarter + 1));
    if (after > MS(conceal, 10))
        gain = 1 - (float)(after - MS(conceal, 10)) / (float)MS(conceal, 50);
    if (conceal->erased < conceal->rate)
        conceal->erased++;
    return gain > 0 ? gain * value : 0;
}

static int16_t saturated(float value)
{
    return (int16_t)(value > INT16_MAX ? INT16_MAX : value < INT16_MIN ? INT16_MIN : value);
}

void conceal_lost(struct conceal *conceal, int16_t *pcm, size_t samples)
{
    if (!conceal->erased)
        begin(conceal);
    for (size_t n = 0; n < samples; n++)
        pcm[n] = saturated(guess(conceal));
}

void conceal_good(struct conceal *conceal, int16_t *pcm, size_t samples)
{
    if (conceal->erased) {
        int over = conceal->pitch / 4 + MS(conceal, 4) * (conceal->erased / MS(conceal, 10));
        over = over > MS(conceal, 10) ? MS(conceal, 10) : over;
        over = over > (int)samples ? (int)samples : over;
        for (int n = 0; n < over; n++) {
            float share = (float)(n + 1) / (float)(over + 1);
            pcm[n] = saturated((1 - share) * guess(conceal) + share * (float)pcm[n]);
        }
        conceal->erased = 0;
    }
    remember(conceal, pcm, samples);
}
