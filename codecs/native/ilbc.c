/* iLBC, 13.33 kbit/s in frames of 30 ms or 15.2 kbit/s in frames of 20 ms (RFC 3951, RFC 3952).

   A frame stands alone: the loudest part of the residual is coded as it is, the rest from there to both ends, so that
   a lost frame spoils no other. */

#include "bits.h"
#include "ilbc.h"
#include "ilbc_tables.h"
#include "register.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CLASSES 3              /* of importance: the more important bits come first */
#define FIELDS_MAX (2 * LSF_PARTS + 3 + STATE_MAX + 2 * STAGES + 2 * (BLOCKS_MAX - 2) * STAGES)
enum { MODE };

static const struct codec_setting settings[] = {{"mode", 30, 20, 30}, {NULL, 0, 0, 0}};
static const struct ilbc_mode modes[2] = {{160, 38, 4, 1, 57}, {240, 50, 6, 2, 58}};

/* ---- bits (3.8) ---- */

struct field {
    int *value;
    const uint8_t *bits;       /* of each class, the highest first */
};

static const uint8_t lsf_bits[2 * LSF_PARTS][CLASSES] = {{6}, {7}, {7}, {6}, {7}, {7}};
static const uint8_t start_bits[2][CLASSES] = {{2}, {3}};
static const uint8_t first_bits[CLASSES] = {1}, scale_bits[CLASSES] = {6}, state_bits[CLASSES] = {0, 1, 2};
static const uint8_t extra_bits[2][STAGES][CLASSES] = {
    {{6, 0, 1}, {0, 0, 7}, {0, 0, 7}},
    {{4, 2, 1}, {0, 0, 7}, {0, 0, 7}},
};
static const uint8_t extra_gain_bits[2][STAGES][CLASSES] = {
    {{2, 0, 3}, {1, 1, 2}, {0, 0, 3}},
    {{1, 1, 3}, {1, 1, 2}, {0, 0, 3}},
};
static const uint8_t index_bits[2][BLOCKS_MAX - 2][STAGES][CLASSES] = {
    {{{7, 0, 1}, {0, 0, 7}, {0, 0, 7}}, {{0, 0, 8}, {0, 0, 8}, {0, 0, 8}}},
    {{{6, 1, 1}, {0, 0, 7}, {0, 0, 7}}, {{0, 7, 1}, {0, 0, 8}, {0, 0, 8}}, {{0, 7, 1}, {0, 0, 8}, {0, 0, 8}},
     {{0, 7, 1}, {0, 0, 8}, {0, 0, 8}}},
};
static const uint8_t gain_bits[2][BLOCKS_MAX - 2][STAGES][CLASSES] = {
    {{{1, 2, 2}, {1, 1, 2}, {0, 0, 3}}, {{1, 1, 3}, {0, 2, 2}, {0, 0, 3}}},
    {{{1, 2, 2}, {1, 2, 1}, {0, 0, 3}}, {{0, 2, 3}, {0, 2, 2}, {0, 0, 3}}, {{0, 1, 4}, {0, 1, 3}, {0, 0, 3}},
     {{0, 1, 4}, {0, 1, 3}, {0, 0, 3}}},
};

/* The fields of a frame in the order of each class. */
static int list_fields(const struct ilbc_mode *mode, struct ilbc_frame *frame, struct field fields[FIELDS_MAX])
{
    struct field *field = fields;
    int is_30 = mode->analyses == 2;
    for (int i = 0; i < mode->analyses * LSF_PARTS; i++)
        *field++ = (struct field){frame->lsf + i, lsf_bits[i]};
    *field++ = (struct field){&frame->start, start_bits[is_30]};
    *field++ = (struct field){&frame->state_first, first_bits};
    *field++ = (struct field){&frame->scale, scale_bits};
    for (int i = 0; i < mode->state; i++)
        *field++ = (struct field){frame->state + i, state_bits};
    for (int i = 0; i < STAGES; i++)
        *field++ = (struct field){frame->extra + i, extra_bits[is_30][i]};
    for (int i = 0; i < STAGES; i++)
        *field++ = (struct field){frame->extra_gain + i, extra_gain_bits[is_30][i]};
    for (int n = 0; n < mode->blocks - 2; n++)
        for (int i = 0; i < STAGES; i++)
            *field++ = (struct field){frame->index[n] + i, index_bits[is_30][n][i]};
    for (int n = 0; n < mode->blocks - 2; n++)
        for (int i = 0; i < STAGES; i++)
            *field++ = (struct field){frame->gain[n] + i, gain_bits[is_30][n][i]};
    return (int)(field - fields);
}

/* Where in a field the bits of a class lie. */
static int shift_of(const uint8_t *bits, int class)
{
    int shift = 0;
    while (++class < CLASSES)
        shift += bits[class];
    return shift;
}

/* The last bit stays zero; one would mean that the frame is empty. */
static void write_frame(const struct ilbc_mode *mode, struct ilbc_frame *frame, uint8_t *octets)
{
    struct field fields[FIELDS_MAX];
    int count = list_fields(mode, frame, fields);
    size_t at = 0;
    memset(octets, 0, (size_t)mode->octets);
    for (int class = 0; class < CLASSES; class++)
        for (int i = 0; i < count; i++)
            bits_put(octets, &at, (unsigned)*fields[i].value >> shift_of(fields[i].bits, class), fields[i].bits[class]);
}

/* Whether it is a frame, and not an empty one. */
static int read_frame(const struct ilbc_mode *mode, const uint8_t *octets, struct ilbc_frame *frame)
{
    struct field fields[FIELDS_MAX];
    int count = list_fields(mode, frame, fields);
    struct bits bits = {octets, 0, 8 * (size_t)mode->octets};
    memset(frame, 0, sizeof *frame);
    for (int class = 0; class < CLASSES; class++)
        for (int i = 0; i < count; i++)
            *fields[i].value |= (int)(bits_take(&bits, fields[i].bits[class]) << shift_of(fields[i].bits, class));
    return !bits_take(&bits, 1) && frame->start >= 1 && frame->start < mode->blocks;
}

/* 3.8: the indices of the first sub-block's later stages need 7 bits only, since they are near others. */
static void fold_indices(struct ilbc_frame *frame)
{
    for (int i = 1; i < STAGES; i++) {
        int *index = frame->index[0] + i;
        if (*index >= 108 && *index < 172)
            *index -= 64;
        else if (*index >= 236)
            *index -= 128;
    }
}

static void unfold_indices(struct ilbc_frame *frame)
{
    for (int i = 1; i < STAGES; i++) {
        int *index = frame->index[0] + i;
        if (*index >= 44 && *index < 108)
            *index += 64;
        else if (*index >= 108 && *index < 128)
            *index += 128;
    }
}

/* ---- filters ---- */

static void high_pass(const float *zeros, const float *poles, float *samples, int count, float memory[4])
{
    for (int i = 0; i < count; i++) {
        float in = samples[i], out = zeros[0] * in + zeros[1] * memory[0] + zeros[2] * memory[1];
        memory[1] = memory[0], memory[0] = in;
        out = out - (poles[1] * memory[2] + poles[2] * memory[3]);
        memory[3] = memory[2], memory[2] = out;
        samples[i] = out;
    }
}

static void residual_of(const float *samples, const float *filter, float *residual)
{
    for (int n = 0; n < BLOCK; n++) {
        residual[n] = filter[0] * samples[n];
        for (int k = 1; k <= ORDER; k++)
            residual[n] += filter[k] * samples[n - k];
    }
}

/* ---- encoder ---- */

struct encoder {
    const struct ilbc_mode *mode;
    struct ilbc_spectrum spectrum;
    float past[LOOKBACK + FRAME_MAX];
    float memory[4], before[ORDER];
};

static void encode_frame(struct encoder *coder, const int16_t *pcm, struct ilbc_frame *frame)
{
    const struct ilbc_mode *mode = coder->mode;
    float synthesis[BLOCKS_MAX][TAPS], weighting[BLOCKS_MAX][TAPS], residual[FRAME_MAX], made[FRAME_MAX];
    float buffer[ORDER + FRAME_MAX], *samples = buffer + ORDER;
    int count = mode->samples;
    size_t moved = (size_t)(LOOKBACK + FRAME_MAX - count) * sizeof *samples;
    for (int i = 0; i < count; i++)
        samples[i] = pcm[i];
    high_pass(high_in_zeros, high_in_poles, samples, count, coder->memory);
    memcpy(buffer, coder->before, sizeof coder->before);
    memcpy(coder->before, samples + count - ORDER, sizeof coder->before);
    memcpy(coder->past + LOOKBACK + FRAME_MAX - count, samples, (size_t)count * sizeof *samples);
    memset(frame, 0, sizeof *frame);
    ilbc_analyse(mode, &coder->spectrum, coder->past, frame, synthesis, weighting);
    memmove(coder->past, coder->past + count, moved);
    for (int block = 0; block < mode->blocks; block++)
        residual_of(samples + block * BLOCK, synthesis[block], residual + block * BLOCK);
    ilbc_find_state(mode, residual, frame);
    ilbc_code_state(mode, residual, synthesis, weighting, frame);
    ilbc_make_state(mode, frame, synthesis[frame->start - 1], made + ilbc_state_at(mode, frame));
    ilbc_rest(mode, residual, weighting, frame, made);
    fold_indices(frame);
}

static const struct ilbc_mode *mode_of(const struct codec_config *config)
{
    return modes + (config->settings[MODE] == 30);
}

static void reset_encoder(void *state)
{
    struct encoder *coder = state;
    const struct ilbc_mode *mode = coder->mode;
    memset(coder, 0, sizeof *coder);
    coder->mode = mode;
    ilbc_spectrum_reset(&coder->spectrum);
}

static void *create_encoder(const struct codec_config *config)
{
    struct encoder *coder = malloc(sizeof *coder);
    if (coder) {
        coder->mode = mode_of(config);
        reset_encoder(coder);
    }
    return coder;
}

static int encode(void *state, const int16_t *pcm, size_t samples, uint8_t *payload, size_t room)
{
    struct encoder *coder = state;
    size_t count = (size_t)coder->mode->samples, octets = (size_t)coder->mode->octets, frames = samples / count;
    if (samples % count)
        return CODEC_NOT_WHOLE;
    if (frames * octets > room)
        return CODEC_NO_ROOM;
    for (size_t i = 0; i < frames; i++) {
        struct ilbc_frame frame;
        encode_frame(coder, pcm + i * count, &frame);
        write_frame(coder->mode, &frame, payload + i * octets);
    }
    return (int)(frames * octets);
}

/* ---- decoder ---- */

struct decoder {
    const struct ilbc_mode *mode;
    struct ilbc_spectrum spectrum;
    struct ilbc_enhancer enhancer;
    struct ilbc_concealment concealment;
    float filters[BLOCKS_MAX][TAPS];  /* of the frame before: the enhancer is late */
    float before[ORDER], memory[4];
    int lag, was_concealed;
};

/* `octets` NULL: the frame did not come. */
static void decode_frame(struct decoder *coder, const uint8_t *octets, int16_t *pcm)
{
    const struct ilbc_mode *mode = coder->mode;
    struct ilbc_frame frame;
    float filters[BLOCKS_MAX][TAPS], residual[FRAME_MAX], buffer[ORDER + FRAME_MAX], *samples = buffer + ORDER;
    int late = mode->blocks == 4 ? 1 : 2, is_here = octets && read_frame(mode, octets, &frame);
    if (is_here) {
        unfold_indices(&frame);
        ilbc_synthesis(mode, &coder->spectrum, &frame, filters);
        ilbc_make_state(mode, &frame, filters[frame.start - 1], residual + ilbc_state_at(mode, &frame));
        ilbc_rest(mode, NULL, NULL, &frame, residual);
        ilbc_came(mode, &coder->concealment, residual, filters[mode->blocks - 1]);
    } else {
        ilbc_lost(mode, &coder->concealment, coder->lag, residual, filters[0]);
        for (int block = 1; block < mode->blocks; block++)
            memcpy(filters[block], filters[0], sizeof filters[0]);
    }
    coder->lag = ilbc_enhance(mode, &coder->enhancer, residual, coder->was_concealed, samples);
    memcpy(buffer, coder->before, sizeof coder->before);
    for (int block = 0; block < mode->blocks; block++) {
        const float *filter = block < late ? coder->filters[mode->blocks - late + block] : filters[block - late];
        ilbc_all_pole(samples + block * BLOCK, filter, BLOCK);
    }
    memcpy(coder->before, samples + mode->samples - ORDER, sizeof coder->before);
    memcpy(coder->filters, filters, sizeof coder->filters);
    coder->was_concealed = !is_here;
    high_pass(high_out_zeros, high_out_poles, samples, mode->samples, coder->memory);
    for (int i = 0; i < mode->samples; i++) {
        float value = samples[i] < -32768 ? -32768 : samples[i] > 32767 ? 32767 : samples[i];
        pcm[i] = (int16_t)lrintf(value);
    }
}

static int measure(const struct codec_config *config, const uint8_t *payload, size_t octets)
{
    (void)payload;
    const struct ilbc_mode *mode = mode_of(config);
    return (int)(octets / (size_t)mode->octets) * mode->samples;
}

static void reset_decoder(void *state)
{
    struct decoder *coder = state;
    const struct ilbc_mode *mode = coder->mode;
    memset(coder, 0, sizeof *coder);
    coder->mode = mode;
    coder->lag = 20;
    for (int block = 0; block < BLOCKS_MAX; block++)
        coder->filters[block][0] = 1;
    ilbc_spectrum_reset(&coder->spectrum);
    ilbc_enhancer_reset(&coder->enhancer);
    ilbc_concealment_reset(&coder->concealment);
}

static void *create_decoder(const struct codec_config *config)
{
    struct decoder *coder = malloc(sizeof *coder);
    if (coder) {
        coder->mode = mode_of(config);
        reset_decoder(coder);
    }
    return coder;
}

static int decode(void *state, const uint8_t *payload, size_t octets, int16_t *pcm, size_t room)
{
    struct decoder *coder = state;
    size_t frames = octets / (size_t)coder->mode->octets, count = (size_t)coder->mode->samples;
    if (frames * count > room)
        return CODEC_NO_ROOM;
    for (size_t i = 0; i < frames; i++)
        decode_frame(coder, payload + i * (size_t)coder->mode->octets, pcm + i * count);
    return (int)(frames * count);
}

static int conceal(void *state, const uint8_t *next, size_t octets, int16_t *pcm, size_t samples)
{
    (void)next, (void)octets;
    struct decoder *coder = state;
    size_t count = (size_t)coder->mode->samples;
    if (samples % count)
        return CODEC_NOT_WHOLE;
    for (size_t done = 0; done < samples; done += count)
        decode_frame(coder, NULL, pcm + done);
    return (int)samples;
}

static int shape(struct codec_config *config)
{
    int32_t *mode = config->settings + MODE;
    if (*mode != 20 && *mode != 30)
        return CODEC_FAILED;
    config->format.frame_samples = mode_of(config)->samples;
    config->format.frame_octets = mode_of(config)->octets;
    return 0;
}

static const struct codec ilbc = {
    .name = "ilbc",
    .format = {.clock_rate = 8000, .sample_rate = 8000, .channels = 1, .frame_samples = 240, .frame_octets = 50},
    .settings = settings, .shape = shape, .measure = measure,
    .decoder_create = create_decoder, .decoder_destroy = free, .decoder_reset = reset_decoder,
    .decode = decode, .conceal = conceal,
    .encoder_create = create_encoder, .encoder_destroy = free, .encoder_reset = reset_encoder, .encode = encode,
};

CODEC(ilbc)
