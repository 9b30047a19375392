/* DTMF in the sound by eight Goertzel filters, whose phases from one look to the next give the exact frequencies: a
   window short enough for a key of 40 ms could not tell 3.5 % from 1.5 % by energy alone. See sound.h. */

#include "codecs/sound.h"

#include <math.h>
#include <string.h>

#define LEAST (-36.0f)        /* dBm0 of each tone; Q.24 has them work from -24 (NTT) to -29 (Denmark) on */
#define FULL_SCALE 3.14f      /* dBm0 of a sine of full scale */
#define ROW_LOUDER 10.0f      /* dB; 8 must work, and the window's edges take some */
#define COLUMN_LOUDER 7.0f    /* dB; 4 to 6 must work */
#define NEXT_LOWER 6.0f       /* dB by which the other tones of a group are weaker */
#define SHARE 0.6f            /* of all energy: what else is there is speech */
#define OFF 0.025f            /* of the frequency: 1.5 % must work, 3.5 % must not */
#define HITS 5                /* looks: 40 ms must work, 23 ms must not */
#define MISSES 5              /* looks: a break of 10 ms is none, one of 40 ms is */

static const float tones[8] = {697, 770, 852, 941, 1209, 1336, 1477, 1633};
static const char keys_of[4][5] = {"123A", "456B", "789C", "*0#D"};

void dtmf_init(struct dtmf *dtmf, int rate)
{
    memset(dtmf, 0, sizeof *dtmf);
    dtmf->rate = rate;
    dtmf->window = rate * 51 / 4000;
    dtmf->hop = dtmf->window / 2;
    for (int i = 0; i < 8; i++) {
        float angle = 2 * (float)M_PI * tones[i] / (float)rate;
        dtmf->cosine[i] = cosf(angle);
        dtmf->sine[i] = sinf(angle);
        dtmf->coefficient[i] = 2 * dtmf->cosine[i];
        dtmf->advance[i] = remainderf(angle * (float)dtmf->hop, 2 * (float)M_PI);
    }
}

struct look {
    float power[8];  /* of a sine: its energy in the window */
    float off[8];    /* of its frequency, relative */
    float energy;
};

static void look_at(struct dtmf *dtmf, struct look *look)
{
    float first[8] = {0}, second[8] = {0}, energy = 0;
    for (int n = 0; n < dtmf->window; n++) {
        float x = dtmf->past[n];
        energy += x * x;
        for (int i = 0; i < 8; i++) {
            float next = x + dtmf->coefficient[i] * first[i] - second[i];
            second[i] = first[i];
            first[i] = next;
        }
    }
    look->energy = energy;
    for (int i = 0; i < 8; i++) {
        float real = first[i] - second[i] * dtmf->cosine[i], imaginary = second[i] * dtmf->sine[i];
        float phase = atan2f(imaginary, real);
        float turned = remainderf(phase - dtmf->phase[i] - dtmf->advance[i], 2 * (float)M_PI);
        look->power[i] = 2 * (real * real + imaginary * imaginary) / (float)dtmf->window;
        look->off[i] = turned * (float)dtmf->rate / (2 * (float)M_PI * (float)dtmf->hop * tones[i]);
        dtmf->phase[i] = phase;
    }
}

static float decibels(float power)
{
    return 10 * log10f(power + 1e-9f);
}

/* The strongest tone of a group of four, or -1 when it does not stand out or is not at its frequency. */
static int strongest(const struct look *look, int group)
{
    int best = group;
    for (int i = group; i < group + 4; i++)
        if (look->power[i] > look->power[best])
            best = i;
    for (int i = group; i < group + 4; i++)
        if (i != best && decibels(look->power[best]) - decibels(look->power[i]) < NEXT_LOWER)
            return -1;
    return fabsf(look->off[best]) <= OFF ? best : -1;
}

static char key_in(struct dtmf *dtmf)
{
    struct look look;
    look_at(dtmf, &look);
    int row = strongest(&look, 0), column = strongest(&look, 4);
    if (row < 0 || column < 0 || look.power[row] + look.power[column] < SHARE * look.energy)
        return 0;
    float full = decibels(32767.0f * 32767.0f / 2 * (float)dtmf->window) - FULL_SCALE;
    float low = decibels(look.power[row]), high = decibels(look.power[column]);
    if (low - full < LEAST || high - full < LEAST || low - high > ROW_LOUDER || high - low > COLUMN_LOUDER)
        return 0;
    return keys_of[row][column - 4];
}

/* The key that begins with this look, or 0. */
static char judge(struct dtmf *dtmf, char key)
{
    if (dtmf->current) {
        dtmf->misses = key == dtmf->current ? 0 : dtmf->misses + 1;
        if (dtmf->misses >= MISSES)
            dtmf->current = 0;
    }
    dtmf->hits = key && key == dtmf->candidate ? dtmf->hits + 1 : key != 0;
    dtmf->candidate = key;
    if (dtmf->hits < HITS || key == dtmf->current)
        return 0;
    dtmf->current = key;
    dtmf->misses = 0;
    return key;
}

size_t dtmf_run(struct dtmf *dtmf, const int16_t *pcm, size_t samples, char *keys, size_t room)
{
    size_t found = 0, window = (size_t)dtmf->window;
    for (size_t at = 0; at < samples;) {
        size_t wanted = (size_t)(dtmf->hop - dtmf->fresh), count = samples - at < wanted ? samples - at : wanted;
        memmove(dtmf->past, dtmf->past + count, (window - count) * sizeof *pcm);
        memcpy(dtmf->past + window - count, pcm + at, count * sizeof *pcm);
        at += count;
        dtmf->fresh += (int)count;
        if (dtmf->fresh < dtmf->hop)
            break;
        dtmf->fresh = 0;
        char key = judge(dtmf, key_in(dtmf));
        if (key && found < room)
            keys[found++] = key;
    }
    return found;
}
