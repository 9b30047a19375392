/* Voice activity, and comfort noise after RFC 3389; see sound.h. */

#include "codecs/sound.h"

#include <math.h>
#include <string.h>

#define ABOVE_FLOOR 8.0f       /* dB by which speech is louder than what is there in pauses */
#define QUIET (-62.0f)         /* dB below full scale: never speech */
#define RISE 2.5f              /* dB per second by which the floor follows what became louder */
#define FALL 0.5f              /* of the way at each frame */
#define HANGOVER_MS 200

static float level_of(const int16_t *pcm, size_t samples)  /* dB, without the mean */
{
    float sum = 0, energy = 0;
    for (size_t n = 0; n < samples; n++) {
        sum += pcm[n];
        energy += (float)pcm[n] * pcm[n];
    }
    float power = samples ? (energy - sum * sum / (float)samples) / (float)samples : 0;
    return 10 * log10f((power > 0.1f ? power : 0.1f) / (32767.0f * 32767.0f));
}

void vad_init(struct vad *vad, int rate)
{
    *vad = (struct vad){.floor = QUIET, .rate = rate};
}

int vad_run(struct vad *vad, const int16_t *pcm, size_t samples)
{
    float level = level_of(pcm, samples);
    if (!vad->has_floor)
        vad->floor = level < -45 ? level : -45, vad->has_floor = 1;  /* who starts with speech is not noise */
    else if (level < vad->floor)
        vad->floor += FALL * (level - vad->floor);
    else {
        float rise = RISE * (float)samples / (float)vad->rate;
        vad->floor += level - vad->floor < rise ? level - vad->floor : rise;
    }
    if (level > QUIET && level > vad->floor + ABOVE_FLOOR) {
        vad->hangover = vad->rate * HANGOVER_MS / 1000;
        return 1;
    }
    vad->hangover -= vad->hangover > (int)samples ? (int)samples : vad->hangover;
    return vad->hangover > 0;
}

static void correlate(const int16_t *pcm, size_t samples, float r[NOISE_ORDER + 1])
{
    for (size_t lag = 0; lag <= NOISE_ORDER; lag++) {
        r[lag] = 0;
        for (size_t n = lag; n < samples; n++)
            r[lag] += (float)pcm[n] * pcm[n - lag];
    }
    r[0] *= 1.0001f;  /* a floor 40 dB down: the recursion stays well behaved */
}

/* Levinson and Durbin's recursion. */
static void reflect(const float r[NOISE_ORDER + 1], float reflection[NOISE_ORDER])
{
    float a[NOISE_ORDER + 1] = {1}, error = r[0];
    memset(reflection, 0, NOISE_ORDER * sizeof *reflection);
    for (int i = 1; i <= NOISE_ORDER && error > 0; i++) {
        float sum = r[i], next[NOISE_ORDER + 1];
        for (int j = 1; j < i; j++)
            sum += a[j] * r[i - j];
        float k = -sum / error;
        k = k > 0.99f ? 0.99f : k < -0.99f ? -0.99f : k;
        memcpy(next, a, sizeof next);
        for (int j = 1; j < i; j++)
            next[j] = a[j] + k * a[i - j];
        next[i] = k;
        memcpy(a, next, sizeof a);
        reflection[i - 1] = k;
        error *= 1 - k * k;
    }
}

size_t noise_describe(const int16_t *pcm, size_t samples, uint8_t payload[NOISE_PAYLOAD_MAX])
{
    float r[NOISE_ORDER + 1], reflection[NOISE_ORDER];
    payload[0] = (uint8_t)sound_level(pcm, samples);
    if (samples <= NOISE_ORDER || payload[0] == 127)
        return 1;
    correlate(pcm, samples, r);
    reflect(r, reflection);
    for (int i = 0; i < NOISE_ORDER; i++)  /* §3.2: 258 (N - 127) is the coefficient in 1/32768 */
        payload[1 + i] = (uint8_t)(127 + lrintf(reflection[i] * 32768 / 258));
    return NOISE_PAYLOAD_MAX;
}

void noise_init(struct noise *noise, uint32_t seed)
{
    *noise = (struct noise){.seed = seed};
}

int noise_set(struct noise *noise, const uint8_t *payload, size_t octets)
{
    if (!octets)
        return -1;
    float left = 1;
    memset(noise->reflection, 0, sizeof noise->reflection);
    for (size_t i = 0; i < NOISE_ORDER && i + 1 < octets; i++) {
        float k = 258 * ((float)payload[1 + i] - 127) / 32768;
        k = k > 0.98f ? 0.98f : k < -0.98f ? -0.98f : k;  /* 255 is reserved; near 1 it would ring */
        noise->reflection[i] = k;
        left *= 1 - k * k;
    }
    int level = payload[0] & 0x7F;  /* §3.1: the first bit is reserved */
    float wanted = level == 127 ? 0 : 32767 * powf(10, -(float)level / 20);
    noise->wanted = wanted * sqrtf(left) * 1.7320508f;  /* evenly spread over +-1 has an rms of 1/sqrt(3) */
    return 0;
}

void noise_run(struct noise *noise, int16_t *pcm, size_t samples)
{
    float *b = noise->backward;
    for (size_t n = 0; n < samples; n++) {
        noise->seed = noise->seed * 1664525u + 1013904223u;
        noise->gain += (noise->wanted - noise->gain) * (1.0f / 64);
        float f = noise->gain * (float)(int32_t)noise->seed * (1.0f / 2147483648.0f);
        for (int i = NOISE_ORDER - 1; i >= 0; i--) {  /* an all-pole lattice: stable while each |k| < 1 */
            f -= noise->reflection[i] * b[i];
            b[i + 1] = b[i] + noise->reflection[i] * f;
        }
        b[0] = f;
        pcm[n] = (int16_t)(f > INT16_MAX ? INT16_MAX : f < INT16_MIN ? INT16_MIN : f);
    }
}
