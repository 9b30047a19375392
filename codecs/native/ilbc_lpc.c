/* iLBC's spectra: linear prediction, line spectral frequencies, their quantisation and interpolation (3.2, 4.1). */

#include "ilbc.h"
#include "ilbc_tables.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define HALF (ORDER / 2)
#define SYNTHESIS_CHIRP 0.9025f
#define WEIGHTING_CHIRP 0.4222f
#define STEPS 4
#define TWO_PI 6.283185307f

static const int part_size[LSF_PARTS] = {3, 3, 4}, part_choices[LSF_PARTS] = {64, 128, 128};

void ilbc_spectrum_reset(struct ilbc_spectrum *spectrum)
{
    memcpy(spectrum->lsf, lsf_mean, sizeof lsf_mean);
    memcpy(spectrum->lsf_sent, lsf_mean, sizeof lsf_mean);
}

void ilbc_all_pole(float *samples, const float *filter, int count)
{
    for (int n = 0; n < count; n++)
        for (int k = 1; k <= ORDER; k++)
            samples[n] -= filter[k] * samples[n - k];
}

/* 3.2.2: Levinson-Durbin. Silence has the flat spectrum. */
static void predict(const float *r, float *a)
{
    float error = r[0];
    a[0] = 1;
    if (r[0] < 2.220446049250313e-016f) {
        memset(a + 1, 0, ORDER * sizeof *a);
        return;
    }
    float k = a[1] = -r[1] / r[0];
    error = r[0] + r[1] * k;
    for (int m = 1; m < ORDER; m++) {
        float sum = r[m + 1];
        for (int i = 0; i < m; i++)
            sum += a[i + 1] * r[m - i];
        k = -sum / error;
        error += k * sum;
        for (int i = 0; i < (m + 1) >> 1; i++) {
            float low = a[i + 1] + k * a[m - i];
            a[m - i] += k * a[i + 1];
            a[i + 1] = low;
        }
        a[m + 1] = k;
    }
}

static void chirp(float *out, const float *in, float factor)
{
    float power = factor;
    out[0] = in[0];
    for (int i = 1; i < TAPS; i++) {
        out[i] = power * in[i];
        power *= factor;
    }
}

/* 3.2.3: the roots of the two polynomials in turn, by steps along the frequency that become finer. */
static void lsf_of(const float *a, float *lsf)
{
    static const float steps[STEPS] = {.00635f, .003175f, .0015875f, .00079375f};
    float sum[HALF], difference[HALF], p[HALF], q[HALF];
    for (int i = 0; i < HALF; i++) {
        p[i] = -1.0f * (a[i + 1] + a[ORDER - i]);
        q[i] = a[ORDER - i] - a[i + 1];
    }
    sum[0] = -1.0f - p[0];
    difference[0] = 1.0f - q[0];
    for (int i = 1; i < HALF; i++) {
        sum[i] = -sum[i - 1] - p[i];
        difference[i] = difference[i - 1] - q[i];
    }
    sum[HALF - 1] /= 2;
    difference[HALF - 1] /= 2;

    float omega = 0, crossed = 0, before[2] = {FLT_MAX, FLT_MAX};
    for (int which = 0; which < ORDER; which++) {
        const float *c = which % 2 ? difference : sum;
        float *old = before + which % 2, step = steps[0];
        for (int fine = 0; fine < STEPS;) {
            float x = cosf(omega * TWO_PI);
            float h1 = 2 * x + c[0], h2 = 2 * x * h1 - 1 + c[1], h3 = 2 * x * h2 - h1 + c[2];
            float h4 = 2 * x * h3 - h2 + c[3], value = x * h4 - h3 + c[4];
            if (value * *old > 0 && omega < 0.5f) {
                *old = value;
                omega += step;
            } else if (fine == STEPS - 1) {
                lsf[which] = fabsf(value) >= fabsf(*old) ? omega - step : omega;
                *old = *old >= 0 ? -FLT_MAX : FLT_MAX;
                omega = crossed;
                fine = STEPS;
            } else {
                if (fine == 0)
                    crossed = omega;
                step = steps[++fine];
                omega -= step;
            }
        }
    }
    for (int i = 0; i < ORDER; i++)
        lsf[i] *= TWO_PI;
}

/* 3.2.7: the filter of line spectral frequencies. */
static void filter_of(const float *lsf, float *filter)
{
    float f[ORDER], p[HALF], q[HALF], a[HALF + 1], b[HALF + 1];
    float a1[HALF] = {0}, a2[HALF] = {0}, b1[HALF] = {0}, b2[HALF] = {0};
    for (int i = 0; i < ORDER; i++)
        f[i] = lsf[i] * 0.159154943f;
    if (f[0] <= 0 || f[ORDER - 1] >= 0.5f) {  /* no filter would be stable: spread them evenly */
        f[0] = f[0] <= 0 ? 0.022f : f[0];
        f[ORDER - 1] = f[ORDER - 1] >= 0.5f ? 0.499f : f[ORDER - 1];
        float step = (f[ORDER - 1] - f[0]) / (ORDER - 1);
        for (int i = 1; i < ORDER; i++)
            f[i] = f[i - 1] + step;
    }
    for (int i = 0; i < HALF; i++) {
        p[i] = cosf(TWO_PI * f[2 * i]);
        q[i] = cosf(TWO_PI * f[2 * i + 1]);
    }
    filter[0] = 1;
    for (int j = -1; j < ORDER; j++) {  /* an impulse through both polynomials */
        a[0] = j > 0 ? 0 : 0.25f;
        b[0] = j > 0 ? 0 : j == 0 ? -0.25f : 0.25f;
        for (int i = 0; i < HALF; i++) {
            a[i + 1] = a[i] - 2 * p[i] * a1[i] + a2[i];
            b[i + 1] = b[i] - 2 * q[i] * b1[i] + b2[i];
            a2[i] = a1[i], a1[i] = a[i];
            b2[i] = b1[i], b1[i] = b[i];
        }
        if (j >= 0)
            filter[j + 1] = 2 * (a[HALF] + b[HALF]);
    }
}

/* 3.2.5: each part of the vector by the nearest of its code book. */
static void quantise(const float *lsf, int *choice)
{
    const float *book = lsf_book;
    for (int part = 0; part < LSF_PARTS; part++) {
        int size = part_size[part];
        float least = FLT_MAX;
        for (int i = 0; i < part_choices[part]; i++, book += size) {
            float distance = 0;
            for (int k = 0; k < size; k++)
                distance += (lsf[k] - book[k]) * (lsf[k] - book[k]);
            if (distance < least) {
                least = distance;
                choice[part] = i;
            }
        }
        lsf += size;
    }
}

static void dequantise(const int *choice, float *lsf)
{
    const float *book = lsf_book;
    for (int part = 0; part < LSF_PARTS; part++) {
        int size = part_size[part];
        memcpy(lsf, book + choice[part] * size, (size_t)size * sizeof *lsf);
        book += size * part_choices[part];
        lsf += size;
    }
}

/* 3.2.6: 50 Hz apart, and within the band. */
static void keep_apart(float *lsf)
{
    for (int round = 0; round < 2; round++)
        for (int k = 0; k < ORDER - 1; k++) {
            if (lsf[k + 1] - lsf[k] < 0.039f) {
                if (lsf[k + 1] < lsf[k]) {
                    lsf[k + 1] = lsf[k] + 0.0195f;
                    lsf[k] = lsf[k + 1] - 0.0195f;
                } else {
                    lsf[k] -= 0.0195f;
                    lsf[k + 1] += 0.0195f;
                }
            }
            if (lsf[k] < 0.01f)
                lsf[k] = 0.01f;
            if (lsf[k] > 3.14f)
                lsf[k] = 3.14f;
        }
}

static void between(const float *one, const float *two, float weight, float *filter)
{
    float lsf[ORDER];
    for (int i = 0; i < ORDER; i++)
        lsf[i] = weight * one[i] + (1 - weight) * two[i];
    filter_of(lsf, filter);
}

/* 3.2.7: a filter for each sub-block. `lsf` has one set or two; `before` that of the frame before. */
static void interpolate(const struct ilbc_mode *mode, const float *before, const float lsf[][ORDER],
                        float filters[][TAPS])
{
    for (int block = 0; block < mode->blocks; block++) {
        if (mode->analyses == 1)
            between(before, lsf[0], lsf_weight_20[block], filters[block]);
        else if (block == 0)
            between(before, lsf[0], lsf_weight_30[0], filters[0]);
        else
            between(lsf[0], lsf[1], lsf_weight_30[block], filters[block]);
    }
}

void ilbc_synthesis(const struct ilbc_mode *mode, struct ilbc_spectrum *spectrum, const struct ilbc_frame *frame,
                    float synthesis[][TAPS])
{
    float sent[2][ORDER];
    for (int i = 0; i < mode->analyses; i++) {
        dequantise(frame->lsf + LSF_PARTS * i, sent[i]);
        keep_apart(sent[i]);
    }
    interpolate(mode, spectrum->lsf_sent, sent, synthesis);
    memcpy(spectrum->lsf_sent, sent[mode->analyses - 1], sizeof spectrum->lsf_sent);
}

static void spectrum_of(const float *samples, const float *window, float *lsf)
{
    float windowed[FRAME_MAX], r[TAPS], a[TAPS], wide[TAPS];
    for (int i = 0; i < FRAME_MAX; i++)
        windowed[i] = window[i] * samples[i];
    for (int lag = 0; lag < TAPS; lag++) {
        float sum = 0;
        for (int n = 0; n < FRAME_MAX - lag; n++)
            sum += windowed[n] * windowed[n + lag];
        r[lag] = sum * lag_window[lag];
    }
    predict(r, a);
    chirp(wide, a, SYNTHESIS_CHIRP);
    lsf_of(wide, lsf);
}

void ilbc_analyse(const struct ilbc_mode *mode, struct ilbc_spectrum *spectrum, const float *past,
                  struct ilbc_frame *frame, float synthesis[][TAPS], float weighting[][TAPS])
{
    float lsf[2][ORDER];
    if (mode->analyses == 2)
        spectrum_of(past, lpc_window, lsf[0]);
    spectrum_of(past + LOOKBACK, lpc_window_late, lsf[mode->analyses - 1]);
    for (int i = 0; i < mode->analyses; i++)
        quantise(lsf[i], frame->lsf + LSF_PARTS * i);
    ilbc_synthesis(mode, spectrum, frame, synthesis);
    interpolate(mode, spectrum->lsf, lsf, weighting);
    for (int block = 0; block < mode->blocks; block++) {
        float filter[TAPS];
        memcpy(filter, weighting[block], sizeof filter);
        chirp(weighting[block], filter, WEIGHTING_CHIRP);
    }
    memcpy(spectrum->lsf, lsf[mode->analyses - 1], sizeof spectrum->lsf);
}
