/* G.711: µ-law and A-law, one look-up a sample; bit-exact to ITU-T G.191. */

#include "register.h"

static int16_t ulaw_levels[256], alaw_levels[256];
static uint8_t ulaw_codes[1 << 14], alaw_codes[1 << 12];  /* both laws ignore the low bits of 16 */

static int segment_of(int magnitude, int bound)
{
    int segment = 0;
    while (segment < 7 && magnitude >= bound << segment)
        segment++;
    return segment;
}

/* One's complement for negative samples: 0 and -1 are the two smallest steps. */
static int magnitude_of(int level)
{
    return level < 0 ? ~level : level;
}

static void fill_levels(void)
{
    for (int code = 0; code < 256; code++) {
        int line = ~code & 0xFF;
        int magnitude = (((2 * (line & 15) + 33) << (line >> 4 & 7)) - 33) * 4;
        ulaw_levels[code] = code < 0x80 ? -magnitude : magnitude;
        line = code ^ 0x55;  /* even bits are inverted on the line */
        int segment = line >> 4 & 7;
        magnitude = segment == 0 ? 2 * (line & 15) + 1 : (2 * (line & 15) + 33) << (segment - 1);
        alaw_levels[code] = (line < 0x80 ? -magnitude : magnitude) * 8;
    }
}

static void fill_codes(void)
{
    for (int level = -(1 << 13); level < 1 << 13; level++) {
        int magnitude = magnitude_of(level) + 33;  /* with this bias each segment begins at a power of two */
        if (magnitude > 0x1FFF)
            magnitude = 0x1FFF;
        int segment = segment_of(magnitude, 64);
        int code = (segment << 4 | (magnitude >> (segment + 1) & 15)) ^ 0x7F;
        ulaw_codes[level & 0x3FFF] = level < 0 ? code : code | 0x80;
    }
    for (int level = -(1 << 11); level < 1 << 11; level++) {
        int magnitude = magnitude_of(level);
        int segment = segment_of(magnitude, 16);
        int code = segment << 4 | (magnitude >> (segment ? segment - 1 : 0) & 15);
        alaw_codes[level & 0xFFF] = (level < 0 ? code : code | 0x80) ^ 0x55;
    }
}

__attribute__((constructor)) static void fill(void)
{
    fill_levels();
    fill_codes();
}

static int measure(const struct codec_config *config, const uint8_t *payload, size_t octets)
{
    (void)config, (void)payload;
    return (int)octets;
}

/* There is nothing to remember: a decoder or encoder is its table. */
static void *ulaw_decoder(const struct codec_config *config) { (void)config; return ulaw_levels; }
static void *alaw_decoder(const struct codec_config *config) { (void)config; return alaw_levels; }
static void *ulaw_encoder(const struct codec_config *config) { (void)config; return ulaw_codes; }
static void *alaw_encoder(const struct codec_config *config) { (void)config; return alaw_codes; }
static void leave(void *table) { (void)table; }

static int decode(void *decoder, const uint8_t *payload, size_t octets, int16_t *restrict pcm, size_t room)
{
    const int16_t *levels = decoder;
    if (octets > room)
        return CODEC_NO_ROOM;
    for (size_t i = 0; i < octets; i++)
        pcm[i] = levels[payload[i]];
    return (int)octets;
}

static int encode_ulaw(void *encoder, const int16_t *pcm, size_t samples, uint8_t *restrict payload, size_t room)
{
    (void)encoder;
    if (samples > room)
        return CODEC_NO_ROOM;
    for (size_t i = 0; i < samples; i++)
        payload[i] = ulaw_codes[(uint16_t)pcm[i] >> 2];
    return (int)samples;
}

static int encode_alaw(void *encoder, const int16_t *pcm, size_t samples, uint8_t *restrict payload, size_t room)
{
    (void)encoder;
    if (samples > room)
        return CODEC_NO_ROOM;
    for (size_t i = 0; i < samples; i++)
        payload[i] = alaw_codes[(uint16_t)pcm[i] >> 4];
    return (int)samples;
}

static const struct codec pcmu = {
    .name = "pcmu",
    .format = {.clock_rate = 8000, .sample_rate = 8000, .channels = 1, .frame_samples = 1, .frame_octets = 1},
    .measure = measure,
    .decoder_create = ulaw_decoder, .decoder_destroy = leave, .decoder_reset = leave, .decode = decode,
    .encoder_create = ulaw_encoder, .encoder_destroy = leave, .encoder_reset = leave, .encode = encode_ulaw,
};

static const struct codec pcma = {
    .name = "pcma",
    .format = {.clock_rate = 8000, .sample_rate = 8000, .channels = 1, .frame_samples = 1, .frame_octets = 1},
    .measure = measure,
    .decoder_create = alaw_decoder, .decoder_destroy = leave, .decoder_reset = leave, .decode = decode,
    .encoder_create = alaw_encoder, .encoder_destroy = leave, .encoder_reset = leave, .encode = encode_alaw,
};

CODEC(pcmu)
CODEC(pcma)
