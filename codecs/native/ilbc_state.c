/* iLBC's start state: the loudest 57 or 58 samples of residual, coded one by one (3.3, 3.5, 4.2). */

#include "ilbc.h"
#include "ilbc_tables.h"

#include <math.h>
#include <string.h>

#define SCALES 64
#define LEVELS 8

static int nearest(float value, const float *table, int count)
{
    int best = 0;
    for (int i = 1; i < count; i++)
        if (fabsf(value - table[i]) < fabsf(value - table[best]))
            best = i;
    return best;
}

static float energy_of(const float *samples, int count)
{
    float sum = 0;
    for (int i = 0; i < count; i++)
        sum += samples[i] * samples[i];
    return sum;
}

int ilbc_state_at(const struct ilbc_mode *mode, const struct ilbc_frame *frame)
{
    return (frame->start - 1) * BLOCK + (frame->state_first ? 0 : STATE - mode->state);
}

/* 3.3: the pair of neighbours with the most energy, its outer edges and the frame's counting less. */
void ilbc_find_state(const struct ilbc_mode *mode, const float *residual, struct ilbc_frame *frame)
{
    static const float place[5] = {0.8f, 0.9f, 1.0f, 0.9f, 0.8f};
    static const float edge[5] = {1.0f / 6, 2.0f / 6, 3.0f / 6, 4.0f / 6, 5.0f / 6};
    float most = 0;
    frame->start = 0;
    for (int n = 1; n < mode->blocks; n++) {
        const float *one = residual + (n - 1) * BLOCK, *two = residual + n * BLOCK;
        float front = 0, back = 0;
        for (int l = 0; l < BLOCK; l++)
            front += (l < 5 ? edge[l] : 1) * one[l] * one[l];
        for (int l = 0; l < BLOCK; l++)
            back += (l >= BLOCK - 5 ? edge[BLOCK - l - 1] : 1) * two[l] * two[l];
        float energy = (front + back) * place[n - 1 + (mode->blocks == 4)];
        if (frame->start == 0 || energy > most) {
            most = energy;
            frame->start = n;
        }
    }
    const float *pair = residual + (frame->start - 1) * BLOCK;
    frame->state_first = energy_of(pair, mode->state) > energy_of(pair + STATE - mode->state, mode->state);
}

/* Through the filter that changes phases only, whose tail is laid over the beginning. */
static void turn_phases(const float *samples, int count, const float *filter, float *out)
{
    float in_buffer[ORDER + 2 * STATE_MAX] = {0}, out_buffer[ORDER + 2 * STATE_MAX] = {0};
    float *in = in_buffer + ORDER, *through = out_buffer + ORDER;
    memcpy(in, samples, (size_t)count * sizeof *in);
    for (int n = 0; n < 2 * count; n++) {
        through[n] = filter[ORDER] * in[n];
        for (int k = 1; k <= ORDER; k++)
            through[n] += filter[ORDER - k] * in[n - k];
    }
    ilbc_all_pole(through, filter, 2 * count);
    for (int n = 0; n < count; n++)
        out[n] = through[n] + through[n + count];
}

/* 3.5.4: each sample is chosen so that the error is least where it is heard, that of those before it included. */
static void code_samples(const struct ilbc_mode *mode, float *wanted, const float weighting[][TAPS],
                         struct ilbc_frame *frame)
{
    const float *filter = weighting[0];
    int change = frame->state_first ? BLOCK : mode->state - BLOCK;  /* where the second sub-block begins */
    float buffer[ORDER + STATE_MAX] = {0}, *made = buffer + ORDER;
    ilbc_all_pole(wanted, filter, change);
    for (int n = 0; n < mode->state; n++) {
        if (n == change) {
            filter = weighting[1];
            ilbc_all_pole(wanted + n, filter, mode->state - n);
        }
        made[n] = 0;
        ilbc_all_pole(made + n, filter, 1);
        frame->state[n] = nearest(wanted[n] - made[n], state_level, LEVELS);
        made[n] = state_level[frame->state[n]];
        ilbc_all_pole(made + n, filter, 1);
    }
}

void ilbc_code_state(const struct ilbc_mode *mode, const float *residual, const float synthesis[][TAPS],
                     const float weighting[][TAPS], struct ilbc_frame *frame)
{
    float buffer[ORDER + STATE_MAX] = {0}, *wanted = buffer + ORDER;
    int first = frame->start - 1;
    turn_phases(residual + ilbc_state_at(mode, frame), mode->state, synthesis[first], wanted);
    float most = wanted[0];
    for (int n = 1; n < mode->state; n++)
        if (wanted[n] * wanted[n] > most * most)
            most = wanted[n];
    most = fabsf(most);
    frame->scale = nearest((float)log10(most < 10 ? 10 : most), state_scale, SCALES);
    float factor = 4.5f / (float)pow(10, state_scale[frame->scale]);
    for (int n = 0; n < mode->state; n++)
        wanted[n] *= factor;
    code_samples(mode, wanted, weighting + first, frame);
}

void ilbc_make_state(const struct ilbc_mode *mode, const struct ilbc_frame *frame, const float *synthesis,
                     float *residual)
{
    float backwards[STATE_MAX] = {0}, turned[STATE_MAX];
    float scale = (float)pow(10, state_scale[frame->scale]) / 4.5f;
    int count = mode->state;
    for (int k = 0; k < count; k++)
        backwards[k] = scale * state_level[frame->state[count - 1 - k]];
    turn_phases(backwards, count, synthesis, turned);
    for (int k = 0; k < count; k++)
        residual[k] = turned[count - 1 - k];
}
