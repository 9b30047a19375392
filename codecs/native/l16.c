/* L16: samples as they are, in network byte order; RFC 3551 §4.5.11. */

#include "register.h"

#include <stdlib.h>

enum { SAMPLE_RATE, CHANNELS };

static const struct codec_setting settings[] = {
    [SAMPLE_RATE] = {"sample_rate", 44100, 8000, 192000},
    [CHANNELS] = {"channels", 1, 1, 8},
    {0},
};

static int shape(struct codec_config *config)
{
    struct codec_format *format = &config->format;
    format->clock_rate = format->sample_rate = config->settings[SAMPLE_RATE];
    format->channels = config->settings[CHANNELS];
    format->frame_octets = 2 * format->channels;
    return 0;
}

static int measure(const struct codec_config *config, const uint8_t *payload, size_t octets)
{
    (void)payload;
    return (int)(octets / (size_t)config->format.frame_octets);
}

/* All there is to know is how many channels. */
static void *create(const struct codec_config *config)
{
    int32_t *channels = malloc(sizeof *channels);
    if (channels)
        *channels = config->format.channels;
    return channels;
}

static void leave(void *coder) { (void)coder; }

static int decode(void *decoder, const uint8_t *payload, size_t octets, int16_t *pcm, size_t room)
{
    size_t channels = (size_t)*(int32_t *)decoder, samples = octets / (2 * channels);
    if (samples > room)
        return CODEC_NO_ROOM;
    for (size_t i = 0; i < samples * channels; i++)
        pcm[i] = (int16_t)(payload[2 * i] << 8 | payload[2 * i + 1]);
    return (int)samples;
}

static int encode(void *encoder, const int16_t *pcm, size_t samples, uint8_t *payload, size_t room)
{
    size_t values = samples * (size_t)*(int32_t *)encoder;
    if (2 * values > room)
        return CODEC_NO_ROOM;
    for (size_t i = 0; i < values; i++) {
        payload[2 * i] = (uint8_t)((uint16_t)pcm[i] >> 8);
        payload[2 * i + 1] = (uint8_t)pcm[i];
    }
    return (int)(2 * values);
}

static const struct codec l16 = {
    .name = "l16",
    .format = {.clock_rate = 44100, .sample_rate = 44100, .channels = 1, .frame_samples = 1, .frame_octets = 2},
    .settings = settings, .shape = shape, .measure = measure,
    .decoder_create = create, .decoder_destroy = free, .decoder_reset = leave, .decode = decode,
    .encoder_create = create, .encoder_destroy = free, .encoder_reset = leave, .encode = encode,
};

CODEC(l16)
