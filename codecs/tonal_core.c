/* The spectrum by one Goertzel filter a line, all lines at once; a tone has nearly all power around one line or two. */

#include "codecs/tonal.h"

#include <math.h>
#include <string.h>

#define RATE 8000.0f
#define WIDTH (RATE / TONAL_SIZE)
#define QUIET 3e-5f           /* of full scale, as power: -45 dB */
#define PURE 0.9f             /* share of the power that a tone has */
#define SECOND 0.05f          /* the weaker of a pair against the stronger, at least */
#define LOBE 2                /* lines to each side that one frequency fills behind the window */
#define LOWEST 280.0f
#define HIGHEST 2600.0f

void tonal_init(struct tonal *tonal)
{
    for (int n = 0; n < TONAL_SIZE; n++)
        tonal->window[n] = 0.5f - 0.5f * cosf(2 * (float)M_PI * ((float)n + 0.5f) / TONAL_SIZE);
    for (int k = 0; k < TONAL_LINES; k++)
        tonal->coefficient[k] = 2 * cosf(2 * (float)M_PI * (float)(k + TONAL_FIRST) / TONAL_SIZE);
}

/* Take the strongest line and its neighbours out of the spectrum: its frequency, and the power that went. */
static float take_peak(float power[TONAL_LINES], float *share)
{
    int best = 1;
    for (int k = 1; k < TONAL_LINES - 1; k++)
        if (power[k] > power[best])
            best = k;
    float before = logf(power[best - 1] + 1e-30f), here = logf(power[best] + 1e-30f);
    float after = logf(power[best + 1] + 1e-30f), bend = before - 2 * here + after;
    float offset = bend < 0 ? 0.5f * (before - after) / bend : 0;
    *share = 0;
    for (int k = best - LOBE; k <= best + LOBE; k++)
        if (k >= 0 && k < TONAL_LINES) {
            *share += power[k];
            power[k] = 0;
        }
    return ((float)(best + TONAL_FIRST) + offset) * WIDTH;
}

float tonal_look(const struct tonal *tonal, const int16_t pcm[TONAL_SIZE])
{
    float first[TONAL_LINES] = {0}, second[TONAL_LINES] = {0}, power[TONAL_LINES];
    float energy = 0, plain = 0;
    for (int n = 0; n < TONAL_SIZE; n++) {
        float raw = (float)pcm[n] / 32768, x = raw * tonal->window[n];
        plain += raw * raw;
        energy += x * x;
        for (int k = 0; k < TONAL_LINES; k++) {
            float next = x + tonal->coefficient[k] * first[k] - second[k];
            second[k] = first[k];
            first[k] = next;
        }
    }
    if (plain < QUIET * TONAL_SIZE)
        return 0;
    for (int k = 0; k < TONAL_LINES; k++)
        power[k] = first[k] * first[k] + second[k] * second[k] - tonal->coefficient[k] * first[k] * second[k];
    float total = energy * TONAL_SIZE / 2;  /* Parseval; the other half has the negative frequencies */
    float share, more, frequency = take_peak(power, &share);
    if (share < PURE * total) {
        float other = take_peak(power, &more);
        if (share + more < PURE * total || more < SECOND * share)
            return -1;
        frequency = fminf(frequency, other);
    }
    return frequency >= LOWEST && frequency <= HIGHEST ? frequency : -1;
}
