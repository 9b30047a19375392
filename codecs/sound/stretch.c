/* The same sound in more or less time: one pitch period is left out or said twice, faded at the seam; see sound.h. */

#include "codecs/sound.h"

#include <math.h>
#include <string.h>

#define LIKE 0.75f        /* correlation from which on two periods pass for one another */
#define STILL (60 * 60)   /* mean square below which nothing is to be heard: -55 dB */

static float energy_of(const int16_t *pcm, int count)
{
    float energy = 0;
    for (int i = 0; i < count; i++)
        energy += (float)pcm[i] * pcm[i];
    return energy;
}

/* How alike the beginning is and what follows `lag` samples later, over `count` of them. */
static float likeness(const int16_t *pcm, int lag, int count)
{
    float product = 0;
    for (int i = 0; i < count; i++)
        product += (float)pcm[i] * pcm[i + lag];
    return product / (sqrtf(energy_of(pcm, count) * energy_of(pcm + lag, count)) + 1);
}

/* The lag at which the sound repeats, or 0. */
static int find_period(const int16_t *pcm, int samples, int rate, int most)
{
    int least = rate / 400, best = 0, overlap = rate / 400;
    float likest = LIKE;
    if (most > samples - overlap)
        most = samples - overlap;
    if (most > rate / 60)
        most = rate / 60;
    if (most < least)
        return 0;
    if (energy_of(pcm, samples) < (float)STILL * samples)
        return most;
    for (int lag = least; lag <= most; lag++) {
        int count = samples - lag < rate / 100 ? samples - lag : rate / 100;
        float now = likeness(pcm, lag, count);
        if (now > likest) {
            likest = now;
            best = lag;
        }
    }
    return best;
}

static int16_t faded(const int16_t *from, const int16_t *to, int i, int count)
{
    return (int16_t)((from[i] * (count - i) + to[i] * i) / count);
}

int stretch_run(int16_t *pcm, int samples, int rate, int wanted)
{
    int most = wanted < 0 ? -wanted : wanted;
    int period = find_period(pcm, samples, rate, most);
    if (period == 0)
        return samples;
    int overlap = samples - period < period ? samples - period : period;
    if (wanted < 0) {
        for (int i = 0; i < overlap; i++)
            pcm[i] = faded(pcm, pcm + period, i, overlap);
        memmove(pcm + overlap, pcm + overlap + period, (size_t)(samples - overlap - period) * sizeof *pcm);
        return samples - period;
    }
    memmove(pcm + period, pcm, (size_t)samples * sizeof *pcm);  /* again from the beginning... */
    for (int i = 0; i < overlap; i++)                           /* ...into which what came next fades */
        pcm[period + i] = faded(pcm + 2 * period, pcm + period, i, overlap);
    return samples + period;
}
