/* See resampling.h. */

#include "resampling.h"

#include <math.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define PASS 0.9           /* of the lower Nyquist frequency */
#define STOP_LOW_DELAY 1.1
#define STOP_SHARP 1.0
#define ATTENUATION 99.0   /* dB, in the stop band */
#define BLOCK 960          /* input samples converted at once */
#define ROWS_MAX (1 << 22) /* taps of all phases together: 16 MiB */
#define LANES 16
#define TOGETHER 3         /* output samples that are made at once */

typedef float eight __attribute__((vector_size(32)));  /* two of 16 octets where the processor has no more */

struct rows {              /* taps[phase * width + k], oldest sample first */
    int up, down, width, kept;
    float *taps;
};

struct resampler {
    const struct rows *rows;
    int (*run_block)(struct resampler *resampler, const int16_t *in, int count, int16_t *out);
    int64_t position;      /* of the next output sample's window, in 1/up of an input sample, from buffer[0] */
    int filled;
    float buffer[];        /* width - 1 old samples, then up to BLOCK new ones */
};

static const int shared_rates[] = {8000, 16000, 24000, 32000, 48000};
enum { SHARED = sizeof shared_rates / sizeof *shared_rates };
static struct rows *shared[SHARED][SHARED][2];
static pthread_mutex_t shared_lock = PTHREAD_MUTEX_INITIALIZER;

static int divisor(int a, int b)
{
    while (b) {
        int rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static double bessel(double x)  /* I0 */
{
    double term = 1, sum = 1;
    for (int k = 1; term > 1e-12 * sum; k++) {
        term *= x * x / 4 / k / k;
        sum += term;
    }
    return sum;
}

/* Kaiser's design: length and window for the attenuation and the width of the transition. */
static struct rows *make_rows(int up, int down, int sharp)
{
    double lower = up < down ? (double)up / down : 1.0;  /* lower Nyquist frequency, relative to the input's */
    double stop = sharp ? STOP_SHARP : STOP_LOW_DELAY;
    double cutoff = lower * (PASS + stop) / 2, beta = 0.1102 * (ATTENUATION - 8.7);
    double length = (ATTENUATION - 7.95) / (2.285 * M_PI * (stop - PASS) * lower);
    int width = ((int)ceil(length) + LANES - 1) / LANES * LANES, half = width / 2;
    if ((int64_t)up * width > ROWS_MAX)
        return NULL;
    struct rows *rows = malloc(sizeof *rows);
    float *taps = aligned_alloc(64, ((size_t)up * width * sizeof *taps + 63) / 64 * 64);
    if (!rows || !taps) {
        free(rows);
        free(taps);
        return NULL;
    }
    for (int phase = 0; phase < up; phase++) {
        float *row = taps + (size_t)phase * width;
        double sum = 0;
        for (int pass = 0; pass < 2; pass++)  /* the second makes each row's gain at 0 Hz exactly one */
            for (int k = 0; k < width; k++) {
                double at = k - half + 1 - (double)phase / up, x = at / half, turn = M_PI * cutoff * at;
                double window = x * x < 1 ? bessel(beta * sqrt(1 - x * x)) : bessel(0);
                double tap = (turn == 0 ? 1 : sin(turn) / turn) * window;
                if (pass == 0)
                    sum += tap;
                else
                    row[k] = (float)(tap / sum);
            }
    }
    *rows = (struct rows){.up = up, .down = down, .width = width, .taps = taps};
    return rows;
}

static int shared_index(int rate)
{
    for (int i = 0; i < SHARED; i++)
        if (shared_rates[i] == rate)
            return i;
    return -1;
}

static struct rows *find_rows(int rate, int to_rate, int sharp)
{
    int common = divisor(rate, to_rate), from = shared_index(rate), to = shared_index(to_rate);
    if (from < 0 || to < 0)
        return make_rows(to_rate / common, rate / common, sharp);
    pthread_mutex_lock(&shared_lock);
    struct rows **place = &shared[from][to][sharp];
    if (!*place && (*place = make_rows(to_rate / common, rate / common, sharp)))
        (*place)->kept = 1;
    struct rows *rows = *place;
    pthread_mutex_unlock(&shared_lock);
    return rows;
}

static void release_rows(const struct rows *rows)
{
    if (rows->kept)
        return;
    free(rows->taps);
    free((void *)rows);
}

#define INLINE static inline __attribute__((always_inline))

/* One window with several rows, or one row with several windows: what they share is loaded once. */
INLINE void dots(const float *one, const float *others, ptrdiff_t stride, int count, int n, float *results)
{
    eight sums[TOGETHER][2] = {{{0}}};
    for (int k = 0; k < count; k += LANES)
        for (int j = 0; j < 2; j++) {
            eight shared, other;
            memcpy(&shared, one + k + 8 * j, sizeof shared);
            for (int i = 0; i < n; i++) {
                memcpy(&other, others + i * stride + k + 8 * j, sizeof other);
                sums[i][j] += shared * other;
            }
        }
    for (int i = 0; i < n; i++) {
        eight sum = sums[i][0] + sums[i][1];
        results[i] = ((sum[0] + sum[4]) + (sum[1] + sum[5])) + ((sum[2] + sum[6]) + (sum[3] + sum[7]));
    }
}

INLINE int16_t rounded(float value)
{
    value = value < -32768.f ? -32768.f : value > 32767.f ? 32767.f : value;
    return (int16_t)((int)(value + 32768.5f) - 32768);
}

INLINE int run_any(struct resampler *resampler, const int16_t *in, int count, int16_t *out)
{
    const struct rows *rows = resampler->rows;
    float *buffer = resampler->buffer;
    for (int i = 0; i < count; i++)
        buffer[resampler->filled + i] = in[i];
    resampler->filled += count;
    int starts = resampler->filled - rows->width + 1, produced = 0;  /* windows that are full */
    int64_t whole = resampler->position / rows->up;
    int phase = (int)(resampler->position % rows->up);
    int step = rows->down / rows->up, rest = rows->down % rows->up;
    while (whole < starts) {
        const float *window = buffer + whole, *row = rows->taps + (size_t)phase * rows->width;
        float made[TOGETHER];
        int n = 1;
        if (step == 0 && phase + (TOGETHER - 1) * rest < rows->up)
            dots(window, row, (ptrdiff_t)rest * rows->width, rows->width, n = TOGETHER, made);
        else if (step == 0 && phase + rest < rows->up)
            dots(window, row, (ptrdiff_t)rest * rows->width, rows->width, n = 2, made);
        else if (rest == 0 && whole + (TOGETHER - 1) * step < starts)
            dots(row, window, step, rows->width, n = TOGETHER, made);
        else
            dots(window, row, 0, rows->width, n, made);
        for (int i = 0; i < n; i++)
            out[produced++] = rounded(made[i]);
        whole += n * step;
        if ((phase += n * rest) >= rows->up) {
            phase -= rows->up;
            whole++;
        }
    }
    resampler->position = (whole - starts) * rows->up + phase;
    resampler->filled = rows->width - 1;
    memmove(buffer, buffer + starts, resampler->filled * sizeof(float));
    return produced;
}

static int run_block(struct resampler *resampler, const int16_t *in, int count, int16_t *out)
{
    return run_any(resampler, in, count, out);
}

#if defined(__x86_64__) && defined(__GNUC__)
/* The same for processors that multiply and add eight at once. */
__attribute__((target("avx2,fma")))
static int run_block_wide(struct resampler *resampler, const int16_t *in, int count, int16_t *out)
{
    return run_any(resampler, in, count, out);
}
#define IS_WIDE (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
#else
#define run_block_wide run_block
#define IS_WIDE 0
#endif

struct resampler *resampler_create(int rate, int to_rate, int sharp)
{
    if (rate <= 0 || to_rate <= 0)
        return NULL;
    const struct rows *rows = find_rows(rate, to_rate, !!sharp);
    if (!rows)
        return NULL;
    struct resampler *resampler = malloc(sizeof *resampler + (rows->width + BLOCK) * sizeof(float));
    if (!resampler) {
        release_rows(rows);
        return NULL;
    }
    resampler->rows = rows;
    resampler->run_block = IS_WIDE ? run_block_wide : run_block;
    resampler_reset(resampler);
    return resampler;
}

void resampler_destroy(struct resampler *resampler)
{
    if (resampler)
        release_rows(resampler->rows);
    free(resampler);
}

void resampler_reset(struct resampler *resampler)
{
    resampler->position = 0;
    resampler->filled = resampler->rows->width - 1;
    memset(resampler->buffer, 0, resampler->filled * sizeof(float));
}

int resampler_delay(const struct resampler *resampler)
{
    return resampler->rows->width / 2;
}

void resampler_align(struct resampler *resampler)
{
    resampler->position += (int64_t)resampler_delay(resampler) * resampler->rows->up;
}

int resampler_room(const struct resampler *resampler, int count)
{
    const struct rows *rows = resampler->rows;
    return (int)(((int64_t)count * rows->up + rows->up - 1) / rows->down + 1);
}

int resampler_run(struct resampler *resampler, const int16_t *in, int count, int16_t *out)
{
    int produced = 0;
    while (count > 0) {
        int block = count < BLOCK ? count : BLOCK;
        produced += resampler->run_block(resampler, in, block, out + produced);
        in += block;
        count -= block;
    }
    return produced;
}
