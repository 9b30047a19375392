/* iLBC's decoder: what did not come is made of the last period and noise (4.5); residual is made more periodic by the
   periods around it (4.6). */

#include "ilbc.h"
#include "ilbc_tables.h"

#include <math.h>
#include <string.h>

#define HALF 3                 /* periods before and after that help */
#define PERIODS (2 * HALF + 1)
#define SLOP 2                 /* samples that a period may lie beside its place */
#define PLACES (2 * SLOP + 1)
#define FINER 4                /* parts of a sample */
#define REACH 3                /* samples to either side of the filter between samples */
#define LENGTH (2 * REACH + 1)
#define ALPHA 0.05f            /* how much of the energy may change */
#define KEPT 5                 /* blocks of `past` before a frame of 30 ms */
#define PI 3.14159265358979f

static float product(const float *one, const float *two, int count)
{
    float sum = 0;
    for (int i = 0; i < count; i++)
        sum += one[i] * two[i];
    return sum;
}

/* The normalised correlation, 0 where they are opposed. */
static float likeness(const float *target, const float *other, int count)
{
    float cross = 0, energy = 0;
    for (int i = 0; i < count; i++) {
        cross += target[i] * other[i];
        energy += other[i] * other[i];
    }
    return cross > 0 ? cross * cross / energy : 0;
}

static float squared(float value)
{
    return value * value;
}

static int nearest_place(const float *places, float wanted)
{
    int best = 0;
    for (int i = 1; i < ENHANCED_BLOCKS; i++)
        if (squared(places[i] - wanted) < squared(places[best] - wanted))
            best = i;
    return best;
}

/* 4.6.2: correlations between the samples, by the four filters of polyphase; beyond the edges there is nothing. */
static void between_samples(const float *given, int count, float *out)
{
    int reach = LENGTH > count ? count / 2 : REACH, skipped = REACH - reach, length = 2 * reach + 1;
    for (int i = reach; i < count + reach; i++)
        for (int j = 0; j < FINER; j++, out++) {
            const float *filter = polyphase + j * LENGTH + skipped;
            *out = 0;
            for (int k = i < count ? 0 : i - count + 1; k < length && k <= i; k++)
                *out += given[i - k] * filter[k];
        }
}

/* 4.6.3: a period near `place` that is most like the one at `centre`, to a quarter of a sample; where it is. */
static float refine(const float *past, int centre, float place, float *segment)
{
    float correlation[PLACES], finer[FINER * PLACES], around[ENHANCED_BLOCK + 2 * REACH] = {0};
    int rounded = (int)(place - 0.5f), low = rounded - SLOP, high = rounded + SLOP, best = 0;
    low = low < 0 ? 0 : low;
    high = high + ENHANCED_BLOCK >= ENHANCED ? ENHANCED - ENHANCED_BLOCK - 1 : high;
    int count = high - low + 1;
    for (int i = 0; i < count; i++)
        correlation[i] = product(past + low + i, past + centre, ENHANCED_BLOCK);
    between_samples(correlation, count, finer);
    for (int i = 1; i < FINER * count; i++)
        if (finer[i] > finer[best])
            best = i;
    int whole = (best + FINER - 1) / FINER, from = low + whole - REACH;
    for (int i = 0; i < ENHANCED_BLOCK + 2 * REACH; i++)
        if (from + i >= 0 && from + i < ENHANCED)
            around[i] = past[from + i];
    const float *filter = polyphase + LENGTH * (whole * FINER - best);
    for (int i = 0; i < ENHANCED_BLOCK; i++)
        segment[i] = product(around + i, filter, LENGTH);
    return (float)low + (float)best / FINER + 1.0f;
}

/* The block at `centre` and the periods around it; zeros where there are none. */
static void collect(const struct ilbc_enhancer *enhancer, int centre, float periods[PERIODS][ENHANCED_BLOCK])
{
    const float *past = enhancer->past, *period = enhancer->period;
    float shifted[ENHANCED_BLOCKS], place = (float)centre;
    int here = nearest_place(pitch_places, 0.5f * (float)(2 * centre + ENHANCED_BLOCK - 1)), near = here;
    memset(periods, 0, PERIODS * sizeof *periods);
    memcpy(periods[HALF], past + centre, sizeof *periods);
    for (int q = HALF - 1; q >= 0; q--) {
        float lag = period[near];
        place -= lag;
        near = nearest_place(pitch_places, place + ENHANCED_BLOCK / 2 - lag);
        if (place - 2 >= 0)
            place = refine(past, centre, place, periods[q]);
    }
    for (int i = 0; i < ENHANCED_BLOCKS; i++)
        shifted[i] = pitch_places[i] - period[i];
    place = (float)centre;
    for (int q = HALF + 1; q < PERIODS; q++) {
        float lag = period[nearest_place(shifted, place + ENHANCED_BLOCK / 2)];
        place += lag;
        if (place + ENHANCED_BLOCK + 2 < ENHANCED)
            place = refine(past, centre, place, periods[q]);
    }
}

/* 4.6.4: the others' sum in place of the block, or so much of it that the energy of the change stays bounded. */
static void smooth(float periods[PERIODS][ENHANCED_BLOCK], float *out)
{
    const float *block = periods[HALF];
    float others[ENHANCED_BLOCK] = {0}, error = 0;
    for (int k = 0; k < PERIODS; k++) {
        float weight = 0.5f * (1 - cosf(2 * PI * (float)(k + 1) / (PERIODS + 1)));
        for (int i = 0; k != HALF && i < ENHANCED_BLOCK; i++)
            others[i] += periods[k][i] * weight;
    }
    float own = product(block, block, ENHANCED_BLOCK), cross = product(others, block, ENHANCED_BLOCK);
    float theirs = product(others, others, ENHANCED_BLOCK);
    if (fabsf(theirs) < 1)
        theirs = 1;
    float factor = sqrtf(own / theirs);
    for (int i = 0; i < ENHANCED_BLOCK; i++) {
        out[i] = factor * others[i];
        error += squared(block[i] - out[i]);
    }
    if (error <= ALPHA * own)
        return;
    if (own < 1)
        own = 1;
    float bend = (theirs * own - cross * cross) / (own * own), a = 0, b = 1;
    if (bend > 0.0001f) {  /* else they are alike */
        a = sqrtf((ALPHA - ALPHA * ALPHA / 4) / bend);
        b = 1 - ALPHA / 2 - a * cross / own;
    }
    for (int i = 0; i < ENHANCED_BLOCK; i++)
        out[i] = a * others[i] + b * block[i];
}

/* 4.6.1: every second sample behind a low pass. */
static void halve(const float *past, int from, int count, float *out)
{
    for (int i = 3; i < count; i += 2) {
        float sum = 0;
        for (int j = 0; j < 7; j++)
            sum += halving_filter[j] * (i >= j || from + i - j >= 0 ? past[from + i - j] : 0);
        *out++ = sum;
    }
    float sum = 0;  /* what would follow counts as silence */
    for (int j = 2; j < 7; j++)
        sum += halving_filter[j] * past[from + count + 1 - j];
    *out = sum;
}

/* 4.5.? after a loss: the frame's beginning, seen backwards, is led into what was made up before it. */
static int lead_over(struct ilbc_enhancer *enhancer, const float *residual, int samples, int block, float *period)
{
    float back[ENHANCED_BLOCK], made = 0, before = 0;
    float *old = enhancer->past + ENHANCED - samples - block;  /* the block that was made up */
    int found = (int)period[1], lag = found - 1;
    float best = likeness(residual, residual + lag, block);
    for (int i = found; i <= found + 1; i++) {
        float other = likeness(residual, residual + i, block);
        if (other > best) {
            best = other;
            lag = i;
        }
    }
    period[0] = (float)lag;
    int from_new = lag > block ? block : lag;
    for (int i = 0; i < from_new; i++)
        back[block - 1 - i] = residual[lag - 1 - i];
    for (int i = from_new; i < block; i++)
        back[block - 1 - i] = enhancer->past[ENHANCED - 1 - samples - (i - from_new)];
    for (int i = 0; i < block; i++) {
        before += squared(old[block - 1 - i]);
        made += squared(back[i]);
    }
    made = sqrtf(made / (float)block);
    before = sqrtf(before / (float)block);
    if (made > 2 * before && made > 0) {
        float least = 2 * before / made;
        for (int i = 0; i < block - 10; i++)
            back[i] *= least;
        for (int i = block - 10; i < block; i++)
            back[i] *= (float)(i - block + 10) * (1 - least) / 10 + least;
    }
    for (int i = 0; i < block; i++) {
        float share = (float)(i + 1) / (float)(block + 1);
        old[block - 1 - i] *= share;
        old[block - 1 - i] += (1 - share) * back[block - 1 - i];
    }
    return lag;
}

void ilbc_enhancer_reset(struct ilbc_enhancer *enhancer)
{
    memset(enhancer, 0, sizeof *enhancer);
    for (int i = 0; i < ENHANCED_BLOCKS; i++)
        enhancer->period[i] = 40;
}

int ilbc_enhance(const struct ilbc_mode *mode, struct ilbc_enhancer *enhancer, const float *residual,
                 int was_concealed, float *out)
{
    int samples = mode->samples, is_short = samples == 160, fresh = 3 - is_short, first = KEPT + is_short, lag = 0;
    float halved[(240 + 120) / 2], *period = enhancer->period;
    memmove(enhancer->past, enhancer->past + samples, (size_t)(ENHANCED - samples) * sizeof *out);
    memcpy(enhancer->past + ENHANCED - samples, residual, (size_t)samples * sizeof *out);
    memmove(period, period + fresh, (size_t)(ENHANCED_BLOCKS - fresh) * sizeof *period);
    halve(enhancer->past, first * ENHANCED_BLOCK - 120, fresh * ENHANCED_BLOCK + 120, halved);
    for (int block = 0; block < fresh; block++) {
        const float *here = halved + 60 + block * ENHANCED_BLOCK / 2;
        float best = likeness(here, here - 10, ENHANCED_BLOCK / 2);
        lag = 10;
        for (int i = 11; i < 60; i++) {
            float other = likeness(here, here - i, ENHANCED_BLOCK / 2);
            if (other > best) {
                best = other;
                lag = i;
            }
        }
        period[first + block] = (float)(2 * lag);
    }
    lag *= 2;
    if (was_concealed)
        lag = lead_over(enhancer, residual, samples, is_short ? 40 : 80, period + first - 1);
    for (int block = 0; block < fresh; block++) {
        float periods[PERIODS][ENHANCED_BLOCK];
        int centre = is_short ? (5 + block) * ENHANCED_BLOCK + 40 : (4 + block) * ENHANCED_BLOCK;
        collect(enhancer, centre, periods);
        smooth(periods, out + block * ENHANCED_BLOCK);
    }
    return lag;
}

void ilbc_concealment_reset(struct ilbc_concealment *concealment)
{
    memset(concealment, 0, sizeof *concealment);
    concealment->lag = 120;
    concealment->seed = 777;
    concealment->filter[0] = 1;
}

void ilbc_came(const struct ilbc_mode *mode, struct ilbc_concealment *concealment, const float *residual,
               const float *filter)
{
    concealment->lost = 0;
    memcpy(concealment->residual, residual, (size_t)mode->samples * sizeof *residual);
    memcpy(concealment->filter, filter, sizeof concealment->filter);
}

/* How well the end of the last frame repeats with this lag: a measure, and how much of it is the period. */
static float pitch_of(const float *residual, int samples, int lag, float *period)
{
    int range = samples - 60 - lag < 0 ? samples - lag : 60;
    const float *end = residual + samples - range;
    float cross = product(end, end - lag, range), then = product(end - lag, end - lag, range);
    *period = then > 0 ? fabsf(cross) / (sqrtf(then) * sqrtf(product(end, end, range))) : 0;
    return then > 0 ? cross * cross / then : 0;
}

void ilbc_lost(const struct ilbc_mode *mode, struct ilbc_concealment *concealment, int lag, float *residual,
               float *filter)
{
    const float *last = concealment->residual;
    int samples = mode->samples;
    float noise[FRAME_MAX], energy = 0;
    if (concealment->lost++ == 0) {
        float best = pitch_of(last, samples, lag - 3, &concealment->period);
        concealment->lag = lag - 3;
        for (int i = lag - 2; i <= lag + 3; i++) {
            float period, other = pitch_of(last, samples, i, &period);
            if (other > best) {
                best = other;
                concealment->lag = i;
                concealment->period = period;
            }
        }
    }
    float gain = concealment->lost * samples > 320 ? 0.9f : 1.0f, root = sqrtf(concealment->period);
    float share = root > 0.7f ? 1 : root > 0.4f ? (root - 0.4f) / (0.7f - 0.4f) : 0;
    int used = concealment->lag < 80 ? 2 * concealment->lag : concealment->lag;
    for (int i = 0; i < samples; i++) {
        concealment->seed = (concealment->seed * 69069u + 1) & 0x7FFFFFFFu;
        int from = i - 50 - (int)(concealment->seed % 70), back = i - used;
        noise[i] = from < 0 ? last[samples + from] : noise[from];
        residual[i] = back < 0 ? last[samples + back] : residual[back];
        float quieter = i < 80 ? gain : i < 160 ? 0.95f * gain : 0.9f * gain;
        residual[i] = quieter * (share * residual[i] + (1 - share) * noise[i]);
        energy += residual[i] * residual[i];
    }
    if (sqrtf(energy / (float)samples) < 30)  /* too soft for a pitch */
        memcpy(residual, noise, (size_t)samples * sizeof *residual);
    memcpy(filter, concealment->filter, sizeof concealment->filter);
    memcpy(concealment->residual, residual, (size_t)samples * sizeof *residual);
}
