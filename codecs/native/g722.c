/* G.722: 16 kHz in two sub-bands of ADPCM; bit-exact to ITU-T G.191. 64 kbit/s both ways; a decoder can also take the
   low bits of the lower band for somebody's data (56 and 48 kbit/s, G.722 §1.4). In RTP its clock counts 8000 Hz
   (RFC 3551 §4.5.2). An octet is two samples: IH in the upper two bits, IL in the lower six. */

#include "fixed.h"
#include "register.h"

#include <stdlib.h>
#include <string.h>

enum { BITRATE };

static const struct codec_setting settings[] = {
    [BITRATE] = {"bitrate", 64000, 48000, 64000},
    {0},
};

#define TAPS 12       /* of each phase of the quadrature mirror filter */
#define BLOCK 160     /* octets that are worked on at once: 20 ms */
#define LEVELS 32

/* Table 11: every second of the 24 coefficients; the other phase has them in reverse. */
static const int16_t forth[TAPS] = {3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11};
static const int16_t back[TAPS] = {-11, 53, -156, 362, -805, 3876, 951, -210, 32, 12, -11, 3};

/* Table 14: decision levels of the lower band's quantizer, times 16; the first three are always passed. */
static const uint16_t q6[LEVELS] = {
    0, 0, 0, 560, 1152, 1760, 2400, 3040, 3728, 4416, 5168, 5920, 6752, 7568, 8480, 9392, 10400, 11424,
    12576, 13728, 15040, 16368, 17936, 19504, 21424, 23328, 25792, 28240, 31680, 35120, 40912, 46704};
/* Tables 16 to 18: what each code stands for, with four, five and six bits of it. */
static const int16_t qm4[16] = {0, -20456, -12896, -8968, -6288, -4240, -2584, -1200,
                                20456, 12896, 8968, 6288, 4240, 2584, 1200, 0};
static const int16_t qm5[32] = {-280, -280, -23352, -17560, -14120, -11664, -9752, -8184, -6864, -5712, -4696,
                                -3784, -2960, -2208, -1520, -880, 23352, 17560, 14120, 11664, 9752, 8184, 6864,
                                5712, 4696, 3784, 2960, 2208, 1520, 880, 280, -280};
static const int16_t qm6[64] = {
    -136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360, -8576, -7856,
    -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688, -1360, -1040, -728,
    24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456,
    4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136, -432, -136};
static const int16_t qm2[4] = {-7408, -1616, 7408, 1616};
/* How the logarithm of the step moves, by code (WL with RL42, WH with RH2). */
static const int16_t step_low[16] = {-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60};
static const int16_t step_high[4] = {798, -214, 798, -214};
static const int16_t ilb[32] = {2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543,
                                2599, 2656, 2714, 2774, 2834, 2896, 2960, 3025, 3091, 3158, 3228,
                                3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008};

typedef int16_t lanes __attribute__((vector_size(16)));

struct band {
    int log_step, step;   /* NB, DET */
    int s, sz;            /* the prediction, and its share from the zeros */
    int a1, a2;           /* the poles */
    int p1, p2, r1, r2;   /* partly and wholly reconstructed signal, one and two samples ago */
    lanes b;              /* six zeros */
    lanes d;              /* the six differences before, twice; two lanes are always 0 */
};

struct coder {
    struct band low, high;
    int16_t first[TAPS - 1], second[TAPS - 1];  /* what the filter has to remember of each phase */
    int dropped;                                /* bits of IL that are not sound */
};

/* +1 where the signs are the same, else -1; zero counts as positive. */
static inline int agreement(int one, int other)
{
    return 1 | (one ^ other) >> 31;
}

static void set_up(struct coder *coder)
{
    int dropped = coder->dropped;
    memset(coder, 0, sizeof *coder);
    coder->dropped = dropped;
    coder->low.step = 32;
    coder->high.step = 8;
}

/* Blocks 3L and 3H: LOGSCL and SCALEL. */
static inline void scale(struct band *band, int change, int most, int shift)
{
    int log_step = clamp((band->log_step * 127 >> 7) + change, 0, most);
    int down = shift - (log_step >> 11), mantissa = ilb[log_step >> 6 & 31];
    band->log_step = log_step;
    band->step = (down < 0 ? mantissa << -down : mantissa >> down) << 2;
}

/* The newest of the differences comes to the others, the oldest of six goes. */
static inline lanes pushed(lanes d, int newest)
{
    lanes new = {(int16_t)newest};
#ifdef __clang__
    return __builtin_shufflevector(d, new, 8, 0, 1, 2, 3, 4, 14, 15);
#else
    return __builtin_shuffle(d, new, (lanes){8, 0, 1, 2, 3, 4, 14, 15});
#endif
}

/* UPZERO and FILTEZ: the six zeros move towards the signs of what was, and filter it. They leak by 1/256, rounded up. */
static inline int zeros(struct band *band, int d)
{
    int twice = saturate(2 * d), sum = 0;
    int16_t differences[8], factors[8];
    lanes move = (((band->d ^ (int16_t)twice) >> 15) | 1) << 7;
    band->b = band->b - (band->b >> 8) + ((band->b & 255) != 0) + (d ? move : (lanes){0});
    band->d = pushed(band->d, twice);
    memcpy(differences, &band->d, sizeof differences);
    memcpy(factors, &band->b, sizeof factors);
    for (int i = 0; i < 8; i++)
        sum += differences[i] * factors[i] >> 15;
    return saturate(sum);
}

/* Block 4: from the quantized difference to the next prediction. */
static inline void predict(struct band *band, int d)
{
    int p = saturate(d + band->sz), r = saturate(band->s + d);
    int same1 = agreement(p, band->p1), same2 = agreement(p, band->p2);
    int lean = saturate(-same1 * saturate(4 * band->a1)) >> 7;
    int a2 = clamp(lean + 128 * same2 + (band->a2 * 32512 >> 15), -12288, 12288);
    int bound = 15360 - a2;
    int a1 = clamp((band->a1 * 32640 >> 15) + 192 * same1, -bound, bound);
    band->sz = zeros(band, d);
    band->s = saturate((saturate(2 * r) * a1 >> 15) + (saturate(2 * band->r1) * a2 >> 15));
    band->s = saturate(band->s + band->sz);
    band->a1 = a1, band->a2 = a2;
    band->p2 = band->p1, band->p1 = p;
    band->r2 = band->r1, band->r1 = r;
}

/* Block 1L: which interval of the quantizer a difference lies in, 1 to 30. All levels at once take less than a search. */
static inline int interval_of(int magnitude, int step)
{
    uint16_t passed = 0;
    for (int i = 0; i < LEVELS; i++)
        passed += (uint16_t)((uint32_t)q6[i] * (uint16_t)step >> 16) <= (uint16_t)magnitude;
    return passed - 2;
}

static inline int encode_low(struct band *band, int x)
{
    int e = saturate(x - band->s);
    int interval = interval_of(e < 0 ? ~e : e, band->step);
    int code = e >= 0 ? 62 - interval : interval == 1 ? 63 : interval == 2 ? 62 : 34 - interval;
    predict(band, band->step * qm4[code >> 2] >> 15);
    scale(band, step_low[code >> 2], 18432, 8);
    return code;
}

static inline int encode_high(struct band *band, int x)
{
    int e = saturate(x - band->s);
    int is_far = (e < 0 ? ~e : e) >= (564 * band->step >> 12);
    int code = (e < 0 ? 1 : 3) - is_far;
    predict(band, band->step * qm2[code] >> 15);
    scale(band, step_high[code], 22528, 10);
    return code;
}

static inline int decode_low(struct band *band, int code, int dropped)
{
    int level = dropped == 0 ? qm6[code] : dropped == 1 ? qm5[code >> 1] : qm4[code >> 2];
    int r = clamp(band->s + (band->step * level >> 15), -16384, 16383);
    predict(band, band->step * qm4[code >> 2] >> 15);
    scale(band, step_low[code >> 2], 18432, 8);
    return r;
}

static inline int decode_high(struct band *band, int code)
{
    int d = band->step * qm2[code] >> 15;
    int r = clamp(band->s + d, -16384, 16383);
    predict(band, d);
    scale(band, step_high[code], 22528, 10);
    return r;
}

static inline int filter(const int16_t *x, const int16_t *taps)
{
    int sum = 0;
    for (int i = 0; i < TAPS; i++)
        sum += x[i] * taps[i];
    return sum;
}

static void encode_block(struct coder *coder, const int16_t *pcm, int octets, uint8_t *payload)
{
    int16_t first[TAPS - 1 + BLOCK], second[TAPS - 1 + BLOCK];
    memcpy(first, coder->first, sizeof coder->first);
    memcpy(second, coder->second, sizeof coder->second);
    for (int i = 0; i < octets; i++) {
        first[TAPS - 1 + i] = pcm[2 * i];
        second[TAPS - 1 + i] = pcm[2 * i + 1];
    }
    for (int i = 0; i < octets; i++) {
        int one = filter(first + i, forth), other = filter(second + i, back);
        int low = clamp((other + one) >> 14, -16384, 16383), high = clamp((other - one) >> 14, -16384, 16383);
        payload[i] = (uint8_t)(encode_high(&coder->high, high) << 6 | encode_low(&coder->low, low));
    }
    memcpy(coder->first, first + octets, sizeof coder->first);
    memcpy(coder->second, second + octets, sizeof coder->second);
}

static void decode_block(struct coder *coder, const uint8_t *payload, int octets, int16_t *pcm)
{
    int16_t first[TAPS - 1 + BLOCK], second[TAPS - 1 + BLOCK];
    memcpy(first, coder->first, sizeof coder->first);
    memcpy(second, coder->second, sizeof coder->second);
    for (int i = 0; i < octets; i++) {
        int low = decode_low(&coder->low, payload[i] & 63, coder->dropped);
        int high = decode_high(&coder->high, payload[i] >> 6);
        first[TAPS - 1 + i] = (int16_t)(low - high);
        second[TAPS - 1 + i] = (int16_t)(low + high);
    }
    for (int i = 0; i < octets; i++) {
        pcm[2 * i] = (int16_t)saturate(filter(first + i, back) >> 11);
        pcm[2 * i + 1] = (int16_t)saturate(filter(second + i, forth) >> 11);
    }
    memcpy(coder->first, first + octets, sizeof coder->first);
    memcpy(coder->second, second + octets, sizeof coder->second);
}

static int measure(const struct codec_config *config, const uint8_t *payload, size_t octets)
{
    (void)config, (void)payload;
    return (int)(2 * octets);
}

static void *create(const struct codec_config *config)
{
    struct coder *coder = malloc(sizeof *coder);
    if (coder) {
        coder->dropped = (64000 - config->settings[BITRATE]) / 8000;
        set_up(coder);
    }
    return coder;
}

static void reset(void *coder)
{
    set_up(coder);
}

static int decode(void *decoder, const uint8_t *payload, size_t octets, int16_t *pcm, size_t room)
{
    if (2 * octets > room)
        return CODEC_NO_ROOM;
    for (size_t done = 0; done < octets; done += BLOCK)
        decode_block(decoder, payload + done, octets - done < BLOCK ? (int)(octets - done) : BLOCK, pcm + 2 * done);
    return (int)(2 * octets);
}

static int encode(void *encoder, const int16_t *pcm, size_t samples, uint8_t *payload, size_t room)
{
    size_t octets = samples / 2;
    if (samples % 2)
        return CODEC_NOT_WHOLE;
    if (octets > room)
        return CODEC_NO_ROOM;
    for (size_t done = 0; done < octets; done += BLOCK)
        encode_block(encoder, pcm + 2 * done, octets - done < BLOCK ? (int)(octets - done) : BLOCK, payload + done);
    return (int)octets;
}

static const struct codec g722 = {
    .name = "g722",
    .format = {.clock_rate = 8000, .sample_rate = 16000, .channels = 1, .frame_samples = 2, .frame_octets = 1},
    .settings = settings, .measure = measure,
    .decoder_create = create, .decoder_destroy = free, .decoder_reset = reset, .decode = decode,
    .encoder_create = create, .encoder_destroy = free, .encoder_reset = reset, .encode = encode,
};

CODEC(g722)
