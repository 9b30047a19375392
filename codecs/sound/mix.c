/* Mixing, levels and gain; see sound.h. Plain loops over small blocks, which the compiler makes vectors of. */

#include "codecs/sound.h"

#include <math.h>
#include <string.h>

#define BLOCK 480

static inline int16_t saturated(int32_t value)
{
    return (int16_t)(value > INT16_MAX ? INT16_MAX : value < INT16_MIN ? INT16_MIN : value);
}

static void mix_block(const int16_t *const *in, int16_t *const *out, size_t members, size_t at, size_t count)
{
    int32_t sum[BLOCK];
    memset(sum, 0, count * sizeof *sum);
    for (size_t i = 0; i < members; i++) {
        const int16_t *one = in[i] + at;
        for (size_t n = 0; n < count; n++)
            sum[n] += one[n];
    }
    for (size_t i = 0; i < members; i++) {
        const int16_t *one = in[i] + at;
        int16_t *rest = out[i];
        if (!rest)
            continue;
        rest += at;
        for (size_t n = 0; n < count; n++)
            rest[n] = saturated(sum[n] - one[n]);
    }
}

void sound_mix(const int16_t *const *in, int16_t *const *out, size_t members, size_t samples)
{
    for (size_t at = 0; at < samples; at += BLOCK)
        mix_block(in, out, members, at, samples - at < BLOCK ? samples - at : BLOCK);
}

static float rms(const int16_t *pcm, size_t samples)
{
    int64_t energy = 0;
    for (size_t n = 0; n < samples; n++)
        energy += (int32_t)pcm[n] * pcm[n];
    return samples ? sqrtf((float)energy / (float)samples) : 0;
}

int sound_level(const int16_t *pcm, size_t samples)
{
    float level = rms(pcm, samples);
    if (level <= 0)
        return 127;
    long below = lrintf(-20 * log10f(level / 32767));
    return (int)(below < 0 ? 0 : below > 127 ? 127 : below);
}

void sound_gain(int16_t *pcm, size_t samples, float *from, float gain)
{
    float start = *from, step = samples ? (gain - start) / (float)samples : 0;
    for (size_t n = 0; n < samples; n++) {
        float value = (float)pcm[n] * (start + step * (float)(n + 1));
        value = value > INT16_MAX ? INT16_MAX : value < INT16_MIN ? INT16_MIN : value;
        pcm[n] = (int16_t)(value + (value < 0 ? -0.5f : 0.5f));
    }
    *from = gain;
}

void agc_init(struct agc *agc, int target_level, float most)
{
    *agc = (struct agc){.target = 32767 * powf(10, -(float)target_level / 20), .most = most, .gain = 1};
}

static int peak(const int16_t *pcm, size_t samples)
{
    int most = 1;
    for (size_t n = 0; n < samples; n++) {
        int size = pcm[n] < 0 ? -pcm[n] : pcm[n];
        most = size > most ? size : most;
    }
    return most;
}

void agc_run(struct agc *agc, int16_t *pcm, size_t samples, int is_speech)
{
    if (is_speech) {
        float loudness = rms(pcm, samples);
        float share = loudness > agc->loudness ? 0.3f : 0.02f;  /* quick to be quieter, slow to be louder */
        agc->loudness = agc->loudness > 0 ? agc->loudness + share * (loudness - agc->loudness) : loudness;
    }
    float wanted = agc->loudness > 0 ? agc->target / agc->loudness : 1, limit = 32767.0f / (float)peak(pcm, samples);
    wanted = wanted > agc->most ? agc->most : wanted < 1 / agc->most ? 1 / agc->most : wanted;
    float next = agc->gain + (wanted < agc->gain ? 0.5f : 0.05f) * (wanted - agc->gain);
    if (next > limit)
        next = limit;
    if (agc->gain > limit)
        agc->gain = limit;  /* a limiter: at once, since what is cut off is heard more than a step */
    sound_gain(pcm, samples, &agc->gain, next);
}
