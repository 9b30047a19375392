/* G.726: ADPCM at 16, 24, 32 and 40 kbit/s, to and from linear samples (Annex A of the standard: the G.711 blocks are
   left out). In RTP the first sample stands in the lowest bits of an octet (G726-32, RFC 3551 §4.5.4), with AAL2's
   packing in the highest (AAL2-G726-32). Names in capitals are the standard's blocks. */

#include "fixed.h"
#include "register.h"

#include <stdlib.h>
#include <string.h>

enum { BITS, AAL2 };

static const struct codec_setting settings[] = {
    [BITS] = {"bits", 4, 2, 5},
    [AAL2] = {"aal2", 0, 0, 1},
    {0},
};

/* Tables 1 to 4 of the standard, by magnitude of the code: where the quantizer changes (log2 with seven bits after the
   point), what a code stands for, how it moves the step (W), and how it counts as speech (F). */
struct law {
    int bits, levels;            /* of the quantizer on one side */
    int16_t decisions[16], values[16];
    int32_t steps[16];
    int16_t speeds[16];
};

static const struct law laws[] = {
    {2, 2, {261}, {116, 365}, {-704, 14048}, {0, 0xE00}},
    {3, 4, {8, 218, 331}, {-2048, 135, 273, 373}, {-128, 960, 4384, 18624}, {0, 0x200, 0x400, 0xE00}},
    {4, 8, {-124, 80, 178, 246, 300, 349, 400}, {-2048, 4, 135, 213, 273, 323, 373, 425},
     {-384, 576, 1312, 2048, 3584, 6336, 11360, 35904}, {0, 0, 0, 0x200, 0x200, 0x200, 0x600, 0xE00}},
    {5, 16, {-122, -16, 68, 139, 198, 250, 298, 339, 378, 413, 445, 475, 502, 528, 553},
     {-2048, -66, 28, 104, 169, 224, 274, 318, 358, 395, 429, 459, 488, 514, 539, 566},
     {448, 448, 768, 1248, 1280, 1312, 1856, 3200, 4512, 5728, 7008, 8960, 11456, 14080, 16928, 22272},
     {0, 0, 0, 0, 0, 0x200, 0x200, 0x200, 0x200, 0x200, 0x400, 0x600, 0x800, 0xA00, 0xC00, 0xC00}},
};

/* A number with four bits of exponent and six of mantissa, as the predictor keeps its past. */
struct rough {
    uint8_t exponent, mantissa;
    int8_t is_negative;
};

struct coder {
    const struct law *law;
    int is_aal2;
    int yl, yu;           /* slow and fast scale factor, 15 and 9 bits after the point */
    int dms, dml, ap;     /* short and long mean of the speeds; how fast the step may be now */
    int a1, a2;
    int16_t b[6];         /* at 40 kbit/s they may wrap, as the standard has it */
    int p1, p2;           /* signs of dq + sez before */
    struct rough dq[6], sr[2];
    int is_tone;          /* TD */
};

/* How many bits a number takes. */
static inline int length(int value)
{
    return value ? 32 - __builtin_clz((unsigned)value) : 0;
}

/* FLOATA, FLOATB */
static struct rough roughly(int magnitude, int is_negative)
{
    int exponent = length(magnitude);
    int mantissa = magnitude ? magnitude << 6 >> exponent : 32;
    return (struct rough){(uint8_t)exponent, (uint8_t)mantissa, (int8_t)is_negative};
}

static void set_up(struct coder *coder)
{
    const struct law *law = coder->law;
    int is_aal2 = coder->is_aal2;
    memset(coder, 0, sizeof *coder);
    coder->law = law;
    coder->is_aal2 = is_aal2;
    coder->yl = 34816;
    coder->yu = 544;
    for (int i = 0; i < 6; i++)
        coder->dq[i] = roughly(0, 0);
    coder->sr[0] = coder->sr[1] = roughly(0, 0);
}

/* FMULT */
static inline int times(int factor, struct rough value)
{
    int magnitude = factor > 0 ? factor : -factor & 0x1FFF, exponent = length(magnitude);
    int mantissa = magnitude ? magnitude << 6 >> exponent : 32;
    int up = exponent - 6 + value.exponent - 13, product = (mantissa * value.mantissa + 48) >> 4;
    product = up >= 0 ? product << up & 0x7FFF : product >> -up;
    return (factor < 0) != value.is_negative ? -product : product;
}

/* MIX: the step that holds now. */
static int step_of(const struct coder *coder)
{
    if (coder->ap >= 256)
        return coder->yu;
    int slow = coder->yl >> 6, difference = coder->yu - slow, share = coder->ap >> 2;
    return slow + ((difference * share + (difference < 0 ? 63 : 0)) >> 6);
}

/* LOG, SUBTB, QUAN: the code of a difference. */
static int quantize(const struct law *law, int d, int y)
{
    int magnitude = abs(d), exponent = length(magnitude >> 1);
    int relative = (exponent << 7) + (magnitude << 7 >> exponent & 127) - (y >> 2);
    int level = 0, all = (1 << law->bits) - 1;
    while (level < law->levels - 1 && relative >= law->decisions[level])
        level++;
    if (d < 0)
        return all - level;
    return level || law->bits == 2 ? level : all;  /* but for two bits, a code of zeros is never sent */
}

/* TRANS: whether the signal has left a narrow band all at once. */
static int is_transition(const struct coder *coder, int magnitude)
{
    int whole = coder->yl >> 15, fraction = coder->yl >> 10 & 31;
    int threshold = whole > 9 ? 31 << 10 : (32 + fraction) << whole;
    return coder->is_tone && magnitude > (threshold + (threshold >> 1)) >> 1;
}

/* UPA2, LIMC, UPA1, LIMD */
static void adapt_poles(struct coder *coder, int partial, int sign)
{
    int a2 = coder->a2 - (coder->a2 >> 7), a1 = coder->a1 - (coder->a1 >> 8);
    if (partial) {
        int lean = sign != coder->p1 ? coder->a1 : -coder->a1;
        a2 += lean < -8191 ? -256 : lean > 8191 ? 255 : lean >> 5;
        a2 = clamp(a2 + (sign != coder->p2 ? -128 : 128), -12288, 12288);
        a1 += sign != coder->p1 ? -192 : 192;
    }
    coder->a2 = a2;
    coder->a1 = clamp(a1, a2 - 15360, 15360 - a2);
}

/* UPB */
static void adapt_zeros(struct coder *coder, int magnitude, int is_negative)
{
    int leak = coder->law->bits == 5 ? 9 : 8;
    for (int i = 0; i < 6; i++) {
        int b = coder->b[i] - (coder->b[i] >> leak);
        if (magnitude)
            b += is_negative == coder->dq[i].is_negative ? 128 : -128;
        coder->b[i] = (int16_t)b;
    }
}

/* FUNCTF, FILTA to FILTC, SUBTC: steady signals slow the step down. */
static void adapt_speed(struct coder *coder, int speed, int y, int is_jump)
{
    coder->dms += (speed - coder->dms) >> 5;
    coder->dml += (4 * speed - coder->dml) >> 7;
    int is_varied = y < 1536 || coder->is_tone || abs(4 * coder->dms - coder->dml) >= coder->dml >> 3;
    coder->ap = is_jump ? 256 : coder->ap + (((is_varied ? 512 : 0) - coder->ap) >> 4);
}

struct prediction {
    int sez, se, y;
};

static struct prediction predict(const struct coder *coder)
{
    int sum = 0;
    for (int i = 0; i < 6; i++)
        sum += times(coder->b[i] >> 2, coder->dq[i]);
    int zeros = (int16_t)sum;
    int poles = times(coder->a1 >> 2, coder->sr[0]) + times(coder->a2 >> 2, coder->sr[1]);
    return (struct prediction){zeros >> 1, (int16_t)(zeros + poles) >> 1, step_of(coder)};
}

/* What encoder and decoder do alike with a code: the reconstructed signal, and everything learns from it. */
static int learn(struct coder *coder, int code, struct prediction now)
{
    const struct law *law = coder->law;
    int all = (1 << law->bits) - 1, is_negative = code >> (law->bits - 1), level = is_negative ? all - code : code;
    int log = law->values[level] + (now.y >> 2);  /* RECONST, ADDA, ANTILOG */
    int magnitude = log < 0 ? 0 : ((128 + (log & 127)) << 7) >> (14 - (log >> 7 & 15));
    int d = is_negative ? -(magnitude & 0x3FFF) : magnitude, sr = (int16_t)(now.se + d), partial = (int16_t)(d + now.sez);
    int is_jump = is_transition(coder, magnitude), sign = partial < 0;
    coder->yu = clamp(now.y + ((law->steps[level] - now.y) >> 5), 544, 5120);
    coder->yl += coder->yu + (-coder->yl >> 6);
    if (is_jump) {
        coder->a1 = coder->a2 = 0;
        memset(coder->b, 0, sizeof coder->b);
    } else {
        adapt_poles(coder, partial, sign);
        adapt_zeros(coder, magnitude, is_negative);
    }
    memmove(coder->dq + 1, coder->dq, 5 * sizeof *coder->dq);
    coder->dq[0] = roughly(magnitude, is_negative);
    coder->sr[1] = coder->sr[0];
    coder->sr[0] = roughly(abs(sr) & 0x7FFF, sr < 0);
    coder->p2 = coder->p1, coder->p1 = sign;
    coder->is_tone = !is_jump && coder->a2 < -11776;
    adapt_speed(coder, law->speeds[level], now.y, is_jump);
    return saturate(4 * (now.se + d));
}

static int frame_of(int bits)
{
    return bits == 2 ? 4 : bits == 4 ? 2 : 8;  /* samples until the codes end with an octet */
}

static int shape(struct codec_config *config)
{
    int bits = config->settings[BITS];
    config->format.frame_samples = frame_of(bits);
    config->format.frame_octets = frame_of(bits) * bits / 8;
    return 0;
}

static int measure(const struct codec_config *config, const uint8_t *payload, size_t octets)
{
    (void)payload;
    return (int)(octets / (size_t)config->format.frame_octets) * config->format.frame_samples;
}

static void *create(const struct codec_config *config)
{
    struct coder *coder = malloc(sizeof *coder);
    if (coder) {
        coder->law = laws + config->settings[BITS] - 2;
        coder->is_aal2 = config->settings[AAL2];
        set_up(coder);
    }
    return coder;
}

static void reset(void *coder)
{
    set_up(coder);
}

static int decode(void *state, const uint8_t *payload, size_t octets, int16_t *pcm, size_t room)
{
    struct coder *coder = state;
    int bits = coder->law->bits, unit = frame_of(bits), size = unit * bits / 8, written = 0;
    size_t frames = octets / (size_t)size;
    if (frames * (size_t)unit > room)
        return CODEC_NO_ROOM;
    for (; frames--; payload += size) {
        uint64_t codes = 0;
        for (int i = 0; i < size; i++)
            codes |= (uint64_t)payload[i] << 8 * (coder->is_aal2 ? size - 1 - i : i);
        for (int i = 0; i < unit; i++) {
            int at = bits * (coder->is_aal2 ? unit - 1 - i : i);
            pcm[written++] = (int16_t)learn(coder, (int)(codes >> at & ((1u << bits) - 1)), predict(coder));
        }
    }
    return written;
}

static int encode(void *state, const int16_t *pcm, size_t samples, uint8_t *payload, size_t room)
{
    struct coder *coder = state;
    int bits = coder->law->bits, unit = frame_of(bits), size = unit * bits / 8;
    size_t frames = samples / (size_t)unit;
    if (samples % (size_t)unit)
        return CODEC_NOT_WHOLE;
    if (frames * (size_t)size > room)
        return CODEC_NO_ROOM;
    for (size_t n = 0; n < frames; n++, payload += size) {
        uint64_t codes = 0;
        for (int i = 0; i < unit; i++) {
            struct prediction now = predict(coder);
            int code = quantize(coder->law, (*pcm++ >> 2) - now.se, now.y);
            learn(coder, code, now);
            codes |= (uint64_t)code << bits * (coder->is_aal2 ? unit - 1 - i : i);
        }
        for (int i = 0; i < size; i++)
            payload[i] = (uint8_t)(codes >> 8 * (coder->is_aal2 ? size - 1 - i : i));
    }
    return (int)frames * size;
}

static const struct codec g726 = {
    .name = "g726",
    .format = {.clock_rate = 8000, .sample_rate = 8000, .channels = 1, .frame_samples = 2, .frame_octets = 1},
    .settings = settings, .shape = shape, .measure = measure,
    .decoder_create = create, .decoder_destroy = free, .decoder_reset = reset, .decode = decode,
    .encoder_create = create, .encoder_destroy = free, .encoder_reset = reset, .encode = encode,
};

CODEC(g726)
