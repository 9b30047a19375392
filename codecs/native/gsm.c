/* GSM full rate, 13 kbit/s (ETSI EN 300 961, GSM 06.10): 20 ms as eight reflection coefficients and four blocks of
   regular pulses with long-term prediction; bit-exact. Numbers in the comments are the standard's sections.
   33 octets a frame, RFC 3551 §4.5.8. Lost frames are made up as in GSM 06.11: repeated ever more quietly. */

#include "bits.h"
#include "fixed.h"
#include "register.h"

#include <stdlib.h>
#include <string.h>

#define FRAME 160
#define OCTETS 33
#define SIGNATURE 0xD
#define BLOCKS 4
#define BLOCK 40
#define PULSES 13
#define PAST 120      /* samples that long-term prediction looks back */
#define QUIETER 4     /* steps of the block amplitude, 6 dB, with each frame that is made up */

/* Tables 4.1, 4.3 to 4.6 */
static const int16_t slope[8] = {20480, 20480, 20480, 20480, 13964, 15360, 8534, 9036};
static const int16_t offset[8] = {0, 0, 2048, -2560, 94, -1792, -341, -1144};
static const int16_t inverse_slope[8] = {13107, 13107, 13107, 13107, 19223, 17476, 31454, 29708};
static const int8_t least[8] = {-32, -32, -16, -16, -8, -8, -4, -4};
static const int16_t gain_bound[3] = {6554, 16384, 26214};
static const int16_t gain_level[4] = {3277, 11469, 21299, 32767};
static const int16_t weights[11] = {-134, -374, 0, 2054, 5741, 8192, 5741, 2054, 0, -374, -134};
static const int16_t inverse_mantissa[8] = {29128, 26215, 23832, 21846, 20165, 18725, 17476, 16384};
static const int16_t mantissa_level[8] = {18431, 20479, 22527, 24575, 26623, 28671, 30719, 32767};
static const uint8_t larc_bits[8] = {6, 6, 5, 5, 4, 4, 3, 3};

/* What is sent for one frame, and for one block of it. */
struct block {
    uint8_t lag, gain, grid, amplitude, pulses[PULSES];  /* Nc, bc, Mc, xmaxc, xMc */
};

struct frame {
    uint8_t larc[8];
    struct block blocks[BLOCKS];
};

struct encoder {
    int z1, mp;
    int32_t z2;
    int16_t larpp[8];          /* of the frame before */
    int16_t u[8];              /* the lattice's memory */
    int16_t past[PAST];        /* dp: the reconstructed residual */
};

struct decoder {
    int lag, msr;
    int16_t larpp[8];
    int16_t v[9];
    int16_t past[PAST];
    struct frame last;         /* to be repeated when one is lost */
    int has_last;
};

/* ---- both sides ---- */

/* 4.2.8: log-area ratios from their codes. */
static void larpp_of(const uint8_t *larc, int16_t *larpp)
{
    for (int i = 0; i < 8; i++) {
        int value = saturate((larc[i] + least[i]) * 1024 - 2 * offset[i]);
        larpp[i] = (int16_t)saturate(2 * mult_r(inverse_slope[i], value));
    }
}

/* 4.2.9: reflection coefficients for one of the four stretches of a frame, interpolated from the frame before. */
static void reflections(const int16_t *before, const int16_t *now, int stretch, int16_t *rp)
{
    for (int i = 0; i < 8; i++) {
        int lar = now[i];
        if (stretch == 0)
            lar = saturate(saturate((before[i] >> 2) + (now[i] >> 2)) + (before[i] >> 1));
        else if (stretch == 1)
            lar = saturate((before[i] >> 1) + (now[i] >> 1));
        else if (stretch == 2)
            lar = saturate(saturate((before[i] >> 2) + (now[i] >> 2)) + (now[i] >> 1));
        int size = saturate(abs(lar));
        size = size < 11059 ? size << 1 : size < 20070 ? size + 11059 : saturate((size >> 2) + 26112);
        rp[i] = (int16_t)(lar < 0 ? -size : size);
    }
}

static const uint8_t stretch_ends[4] = {13, 27, 40, FRAME};

/* 4.2.15: exponent and mantissa of a block's amplitude. */
static int split_amplitude(int amplitude, int *mantissa)
{
    int exponent = amplitude > 15 ? (amplitude >> 3) - 1 : 0, rest = amplitude - exponent * 8;
    if (rest == 0) {
        *mantissa = 7;
        return -4;
    }
    while (rest <= 7) {
        rest = rest << 1 | 1;
        exponent--;
    }
    *mantissa = rest - 8;
    return exponent;
}

/* 4.2.16 and 4.2.17: the pulses at their places, silence between. */
static void excite(const struct block *block, int16_t *ep)
{
    int mantissa, down = 6 - split_amplitude(block->amplitude, &mantissa);
    int rounding = down > 0 ? 1 << (down - 1) : 0;
    memset(ep, 0, BLOCK * sizeof *ep);
    for (int i = 0; i < PULSES; i++) {
        int value = saturate(mult_r(mantissa_level[mantissa], (2 * block->pulses[i] - 7) * 4096) + rounding);
        ep[block->grid + 3 * i] = (int16_t)(value >> down);
    }
}

/* ---- the encoder ---- */

/* 4.2.1 to 4.2.3: down to 13 bits, no direct current, high frequencies raised. */
static void preprocess(struct encoder *coder, const int16_t *pcm, int16_t *s)
{
    for (int k = 0; k < FRAME; k++) {
        int so = (pcm[k] >> 3) * 4, s1 = saturate(so - coder->z1);
        int high = coder->z2 >> 15, low = coder->z2 - high * 32768;
        int64_t z2 = (int64_t)s1 * 32768 + mult_r(low, 32735) + (int64_t)high * 32735;
        coder->z1 = so;
        coder->z2 = (int32_t)(z2 > INT32_MAX ? INT32_MAX : z2 < INT32_MIN ? INT32_MIN : z2);
        int emphasis = mult_r(coder->mp, -28180);
        int64_t rounded = (int64_t)coder->z2 + 16384;
        coder->mp = (int)((rounded > INT32_MAX ? INT32_MAX : rounded) >> 15);
        s[k] = (int16_t)saturate(coder->mp + emphasis);
    }
}

static int largest(const int16_t *values, int count)
{
    int most = 0;
    for (int k = 0; k < count; k++) {
        int size = saturate(abs(values[k]));
        most = size > most ? size : most;
    }
    return most;
}

/* 4.2.4; leaves the samples with fewer bits, as the standard does. */
static void autocorrelate(int16_t *s, int32_t *acf)
{
    int most = largest(s, FRAME), down = most ? 4 - norm(most * 65536) : 0;
    if (down > 0)
        for (int k = 0; k < FRAME; k++)
            s[k] = (int16_t)mult_r(s[k], 16384 >> (down - 1));
    for (int lag = 0; lag <= 8; lag++) {
        int32_t sum = 0;
        for (int k = lag; k < FRAME; k++)
            sum += s[k] * s[k - lag];
        acf[lag] = 2 * sum;
    }
    if (down > 0)
        for (int k = 0; k < FRAME; k++)
            s[k] = (int16_t)(s[k] * (1 << down));
}

/* 4.2.5: Schur's recursion. */
static void schur(const int32_t *acf, int16_t *r)
{
    int p[9], k[9];
    memset(r, 0, 8 * sizeof *r);
    if (acf[0] == 0)
        return;
    int up = norm(acf[0]);
    for (int i = 0; i <= 8; i++)
        k[i] = p[i] = (int)((int64_t)acf[i] * (1 << up) >> 16);
    for (int n = 1; n <= 8; n++) {
        int size = saturate(abs(p[1]));
        if (p[0] < size)
            return;
        int ratio = p[0] == 0 ? 32767 : clamp(size * 32768 / p[0], 0, 32767);
        r[n - 1] = (int16_t)(p[1] > 0 ? -ratio : ratio);
        p[0] = saturate(p[0] + mult_r(p[1], r[n - 1]));
        for (int m = 1; m <= 8 - n; m++) {
            p[m] = saturate(p[m + 1] + mult_r(k[m], r[n - 1]));
            k[m] = saturate(k[m] + mult_r(p[m + 1], r[n - 1]));
        }
    }
}

/* 4.2.6 and 4.2.7 */
static void quantize_lar(const int16_t *r, uint8_t *larc)
{
    for (int i = 0; i < 8; i++) {
        int size = saturate(abs(r[i]));
        size = size < 22118 ? size >> 1 : size < 31130 ? size - 11059 : (size - 26112) * 4;
        int value = mult(slope[i], r[i] < 0 ? -size : size);
        value = saturate(saturate(value + offset[i]) + 256) >> 9;
        larc[i] = (uint8_t)(clamp(value, least[i], -least[i] - 1) - least[i]);
    }
}

/* 4.2.10: what the coefficients do not predict. */
static void analyse(struct encoder *coder, const int16_t *larpp, int16_t *s)
{
    int k = 0;
    for (int stretch = 0; stretch < 4; stretch++) {
        int16_t rp[8];
        reflections(coder->larpp, larpp, stretch, rp);
        for (; k < stretch_ends[stretch]; k++) {
            int d = s[k], saved = d;
            for (int i = 0; i < 8; i++) {
                int u = coder->u[i];
                coder->u[i] = (int16_t)saved;
                saved = saturate(u + mult_r(rp[i], d));
                d = saturate(d + mult_r(rp[i], u));
            }
            s[k] = (int16_t)d;
        }
    }
    memcpy(coder->larpp, larpp, sizeof coder->larpp);
}

static int32_t product(const int16_t *a, const int16_t *b)
{
    int32_t sum = 0;
    for (int k = 0; k < BLOCK; k++)
        sum += a[k] * b[k];
    return sum;
}

/* 4.2.11: the lag whose past is most like the present, and how much of it to take. */
static void predict_long(const int16_t *past, const int16_t *d, struct block *block)
{
    int most = largest(d, BLOCK), room = most ? norm(most * 65536) : 0, down = room > 6 ? 0 : 6 - room;
    int16_t scaled[BLOCK];
    for (int k = 0; k < BLOCK; k++)
        scaled[k] = (int16_t)(d[k] >> down);
    int32_t best = 0;
    block->lag = 40;
    for (int lag = 40; lag <= PAST; lag++) {
        int32_t likeness = product(scaled, past + PAST - lag);
        if (likeness > best) {
            best = likeness;
            block->lag = (uint8_t)lag;
        }
    }
    best = 2 * best >> (6 - down);
    int32_t power = 0;
    for (int k = 0; k < BLOCK; k++) {
        int value = past[PAST - block->lag + k] >> 3;
        power += value * value;
    }
    power *= 2;
    block->gain = 0;
    if (best <= 0)
        return;
    if (best >= power) {
        block->gain = 3;
        return;
    }
    int up = norm(power);
    int r = (int)((int64_t)best * (1 << up) >> 16), s = (int)((int64_t)power * (1 << up) >> 16);
    while (block->gain < 3 && r > mult(s, gain_bound[block->gain]))
        block->gain++;
}

/* 4.2.13: the weighting filter over the block. */
static void weight(const int16_t *e, int16_t *x)
{
    int16_t padded[BLOCK + 10] = {0};
    memcpy(padded + 5, e, BLOCK * sizeof *e);
    for (int k = 0; k < BLOCK; k++) {
        int sum = 4096;
        for (int i = 0; i < 11; i++)
            sum += padded[k + i] * weights[i];
        x[k] = (int16_t)saturate(sum >> 13);
    }
}

/* 4.2.14: the one of four grids with the most energy. */
static int strongest_grid(const int16_t *x)
{
    int32_t best = 0;
    int grid = 0;
    for (int m = 0; m < 4; m++) {
        int32_t energy = 0;
        for (int i = 0; i < PULSES; i++) {
            int value = x[m + 3 * i] >> 2;
            energy += value * value;
        }
        if (energy > best) {
            best = energy;
            grid = m;
        }
    }
    return grid;
}

/* 4.2.15: thirteen pulses against the largest of them. */
static void quantize_pulses(const int16_t *x, struct block *block)
{
    int most = 0, exponent = 0, mantissa;
    for (int i = 0; i < PULSES; i++) {
        int size = saturate(abs(x[block->grid + 3 * i]));
        most = size > most ? size : most;
    }
    while (exponent < 6 && most >> 9 >> exponent > 0)
        exponent++;
    block->amplitude = (uint8_t)((most >> (exponent + 5)) + exponent * 8);
    int up = 6 - split_amplitude(block->amplitude, &mantissa);
    for (int i = 0; i < PULSES; i++) {
        int value = (int16_t)(x[block->grid + 3 * i] * (1 << up));
        block->pulses[i] = (uint8_t)((mult(value, inverse_mantissa[mantissa]) >> 12) + 4);
    }
}

static void encode_block(struct encoder *coder, const int16_t *d, struct block *block)
{
    int16_t e[BLOCK], x[BLOCK], ep[BLOCK], dpp[BLOCK];
    predict_long(coder->past, d, block);
    for (int k = 0; k < BLOCK; k++) {
        dpp[k] = (int16_t)mult_r(gain_level[block->gain], coder->past[PAST - block->lag + k]);
        e[k] = (int16_t)saturate(d[k] - dpp[k]);
    }
    weight(e, x);
    block->grid = (uint8_t)strongest_grid(x);
    quantize_pulses(x, block);
    excite(block, ep);
    memmove(coder->past, coder->past + BLOCK, (PAST - BLOCK) * sizeof *coder->past);
    for (int k = 0; k < BLOCK; k++)
        coder->past[PAST - BLOCK + k] = (int16_t)saturate(ep[k] + dpp[k]);
}

static void encode_frame(struct encoder *coder, const int16_t *pcm, struct frame *frame)
{
    int16_t s[FRAME], r[8], larpp[8];
    int32_t acf[9];
    preprocess(coder, pcm, s);
    autocorrelate(s, acf);
    schur(acf, r);
    quantize_lar(r, frame->larc);
    larpp_of(frame->larc, larpp);
    analyse(coder, larpp, s);
    for (int i = 0; i < BLOCKS; i++)
        encode_block(coder, s + i * BLOCK, frame->blocks + i);
}

/* ---- the decoder ---- */

/* 4.3.2: the past at its lag and the pulses on top. */
static void decode_block(struct decoder *coder, const struct block *block, int16_t *d)
{
    int16_t ep[BLOCK];
    excite(block, ep);
    if (block->lag >= 40 && block->lag <= PAST)
        coder->lag = block->lag;
    for (int k = 0; k < BLOCK; k++)
        d[k] = (int16_t)saturate(ep[k] + mult_r(gain_level[block->gain], coder->past[PAST - coder->lag + k]));
    memmove(coder->past, coder->past + BLOCK, (PAST - BLOCK) * sizeof *coder->past);
    memcpy(coder->past + PAST - BLOCK, d, BLOCK * sizeof *d);
}

/* 4.3.3: the lattice turned round. */
static void synthesise(struct decoder *coder, const int16_t *larpp, int16_t *s)
{
    int k = 0;
    for (int stretch = 0; stretch < 4; stretch++) {
        int16_t rp[8];
        reflections(coder->larpp, larpp, stretch, rp);
        for (; k < stretch_ends[stretch]; k++) {
            int value = s[k];
            for (int i = 7; i >= 0; i--) {
                value = saturate(value - mult_r(rp[i], coder->v[i]));
                coder->v[i + 1] = (int16_t)saturate(coder->v[i] + mult_r(rp[i], value));
            }
            coder->v[0] = (int16_t)value;
            s[k] = (int16_t)value;
        }
    }
    memcpy(coder->larpp, larpp, sizeof coder->larpp);
}

static void decode_frame(struct decoder *coder, const struct frame *frame, int16_t *pcm)
{
    int16_t s[FRAME], larpp[8];
    for (int i = 0; i < BLOCKS; i++)
        decode_block(coder, frame->blocks + i, s + i * BLOCK);
    larpp_of(frame->larc, larpp);
    synthesise(coder, larpp, s);
    for (int k = 0; k < FRAME; k++) {  /* 4.3.4 to 4.3.7: de-emphasis, back to 16 bits */
        coder->msr = saturate(s[k] + mult_r(coder->msr, 28180));
        pcm[k] = (int16_t)(saturate(2 * coder->msr) & ~7);
    }
}

/* ---- octets ---- */

static void write_frame(const struct frame *frame, uint8_t *octets)
{
    size_t at = 0;
    memset(octets, 0, OCTETS);
    bits_put(octets, &at, SIGNATURE, 4);
    for (int i = 0; i < 8; i++)
        bits_put(octets, &at, frame->larc[i], larc_bits[i]);
    for (const struct block *block = frame->blocks; block < frame->blocks + BLOCKS; block++) {
        bits_put(octets, &at, block->lag, 7);
        bits_put(octets, &at, block->gain, 2);
        bits_put(octets, &at, block->grid, 2);
        bits_put(octets, &at, block->amplitude, 6);
        for (int i = 0; i < PULSES; i++)
            bits_put(octets, &at, block->pulses[i], 3);
    }
}

static void read_frame(const uint8_t *octets, struct frame *frame)
{
    struct bits bits = {octets, 4, 8 * OCTETS};
    for (int i = 0; i < 8; i++)
        frame->larc[i] = (uint8_t)bits_take(&bits, larc_bits[i]);
    for (struct block *block = frame->blocks; block < frame->blocks + BLOCKS; block++) {
        block->lag = (uint8_t)bits_take(&bits, 7);
        block->gain = (uint8_t)bits_take(&bits, 2);
        block->grid = (uint8_t)bits_take(&bits, 2);
        block->amplitude = (uint8_t)bits_take(&bits, 6);
        for (int i = 0; i < PULSES; i++)
            block->pulses[i] = (uint8_t)bits_take(&bits, 3);
    }
}

/* ---- codec.h ---- */

static int measure(const struct codec_config *config, const uint8_t *payload, size_t octets)
{
    (void)config;
    size_t frames = octets / OCTETS;
    for (size_t i = 0; i < frames; i++)
        if (payload[i * OCTETS] >> 4 != SIGNATURE)
            return CODEC_DAMAGED;
    return (int)(frames * FRAME);
}

static void reset_decoder(void *state)
{
    struct decoder *decoder = state;
    memset(decoder, 0, sizeof *decoder);
    decoder->lag = 40;
}

static void *create_decoder(const struct codec_config *config)
{
    (void)config;
    struct decoder *decoder = malloc(sizeof *decoder);
    if (decoder)
        reset_decoder(decoder);
    return decoder;
}

static int decode(void *state, const uint8_t *payload, size_t octets, int16_t *pcm, size_t room)
{
    struct decoder *decoder = state;
    int samples = measure(NULL, payload, octets);
    if (samples < 0 || (size_t)samples > room)
        return samples < 0 ? samples : CODEC_NO_ROOM;
    for (int done = 0; done < samples; done += FRAME, payload += OCTETS) {
        read_frame(payload, &decoder->last);
        decode_frame(decoder, &decoder->last, pcm + done);
    }
    decoder->has_last |= samples > 0;
    return samples;
}

static int conceal(void *state, const uint8_t *next, size_t octets, int16_t *pcm, size_t samples)
{
    (void)next, (void)octets;
    struct decoder *decoder = state;
    if (samples % FRAME)
        return CODEC_NOT_WHOLE;
    for (size_t done = 0; done < samples; done += FRAME) {
        if (!decoder->has_last) {
            memset(pcm + done, 0, FRAME * sizeof *pcm);
            continue;
        }
        int loudest = 0;
        for (int i = 0; i < BLOCKS; i++) {
            struct block *block = decoder->last.blocks + i;
            block->amplitude = (uint8_t)(block->amplitude > QUIETER ? block->amplitude - QUIETER : 0);
            loudest |= block->amplitude;
        }
        decode_frame(decoder, &decoder->last, pcm + done);
        if (!loudest)
            reset_decoder(decoder);  /* from here on it is silent */
    }
    return (int)samples;
}

static void reset_encoder(void *encoder)
{
    memset(encoder, 0, sizeof(struct encoder));
}

static void *create_encoder(const struct codec_config *config)
{
    (void)config;
    return calloc(1, sizeof(struct encoder));
}

static int encode(void *encoder, const int16_t *pcm, size_t samples, uint8_t *payload, size_t room)
{
    size_t frames = samples / FRAME;
    if (samples % FRAME)
        return CODEC_NOT_WHOLE;
    if (frames * OCTETS > room)
        return CODEC_NO_ROOM;
    for (size_t i = 0; i < frames; i++) {
        struct frame frame;
        encode_frame(encoder, pcm + i * FRAME, &frame);
        write_frame(&frame, payload + i * OCTETS);
    }
    return (int)(frames * OCTETS);
}

static const struct codec gsm = {
    .name = "gsm",
    .format = {.clock_rate = 8000, .sample_rate = 8000, .channels = 1, .frame_samples = FRAME, .frame_octets = OCTETS},
    .measure = measure,
    .decoder_create = create_decoder, .decoder_destroy = free, .decoder_reset = reset_decoder,
    .decode = decode, .conceal = conceal,
    .encoder_create = create_encoder, .encoder_destroy = free, .encoder_reset = reset_encoder, .encode = encode,
};

CODEC(gsm)
