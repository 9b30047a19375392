/* Opus by libopus (BSD), RFC 6716; in RTP its clock is 48000 whatever the rate on the inner side, RFC 7587. */

#include "library.h"
#include "register.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLE_RATE, CHANNELS, BITRATE, COMPLEXITY, FEC, DTX, CBR, LOSS, MUSIC, PLAYBACK_RATE };

static const struct codec_setting settings[] = {
    [SAMPLE_RATE] = {"sample_rate", 48000, 8000, 48000},
    [CHANNELS] = {"channels", 1, 1, 2},
    [BITRATE] = {"bitrate", 0, 0, 510000},       /* 0: what is right for rate and channels */
    [COMPLEXITY] = {"complexity", 5, 0, 10},
    [FEC] = {"fec", 0, 0, 1},
    [DTX] = {"dtx", 0, 0, 1},
    [CBR] = {"cbr", 0, 0, 1},
    [LOSS] = {"loss", 0, 0, 100},
    [MUSIC] = {"music", 0, 0, 1},
    [PLAYBACK_RATE] = {"playback_rate", 48000, 8000, 48000},  /* more than that the other end does not play */
    {0},
};

/* From opus_defines.h, part of the library's ABI. */
enum {
    APPLICATION_VOIP = 2048, APPLICATION_AUDIO = 2049, AUTO = -1000,
    SET_BITRATE = 4002, SET_MAX_BANDWIDTH = 4004, SET_VBR = 4006, SET_COMPLEXITY = 4010, SET_INBAND_FEC = 4012,
    SET_PACKET_LOSS = 4014, SET_DTX = 4016, RESET_STATE = 4028,
    BANDWIDTH_NARROW = 1101, BANDWIDTH_MEDIUM, BANDWIDTH_WIDE, BANDWIDTH_SUPERWIDE, BANDWIDTH_FULL,
    ERROR_BUFFER_TOO_SMALL = -2,
    ERROR_INVALID_PACKET = -4,
};

static struct {
    const char *(*version)(void);
    int (*samples_of)(const unsigned char *packet, int32_t size, int32_t rate);
    void *(*encoder_create)(int32_t rate, int channels, int application, int *error);
    int32_t (*encode)(void *, const int16_t *pcm, int samples, unsigned char *packet, int32_t room);
    int (*encoder_ctl)(void *, int request, ...);
    void (*encoder_destroy)(void *);
    void *(*decoder_create)(int32_t rate, int channels, int *error);
    int (*decode)(void *, const unsigned char *packet, int32_t size, int16_t *pcm, int samples, int fec);
    int (*decoder_ctl)(void *, int request, ...);
    void (*decoder_destroy)(void *);
} opus;

static const struct symbol symbols[] = {
    {"opus_get_version_string", &opus.version},
    {"opus_packet_get_nb_samples", &opus.samples_of},
    {"opus_encoder_create", &opus.encoder_create},
    {"opus_encode", &opus.encode},
    {"opus_encoder_ctl", &opus.encoder_ctl},
    {"opus_encoder_destroy", &opus.encoder_destroy},
    {"opus_decoder_create", &opus.decoder_create},
    {"opus_decode", &opus.decode},
    {"opus_decoder_ctl", &opus.decoder_ctl},
    {"opus_decoder_destroy", &opus.decoder_destroy},
    {0},
};

static struct codec_library found;

static void look(void)
{
    static const char *const files[] = {"libopus.so.0", NULL};
    library_open(&found, files, "libopus0", symbols);
    if (!found.missing)
        found.version = strncmp(opus.version(), "libopus ", 8) ? opus.version() : opus.version() + 8;
}

static const struct codec_library *library(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, look);
    return &found;
}

struct coder {
    void *opus;
    int rate, is_dtx, is_pausing;
};

static int shape(struct codec_config *config)
{
    int32_t rate = config->settings[SAMPLE_RATE];
    if (rate != 8000 && rate != 12000 && rate != 16000 && rate != 24000 && rate != 48000)
        return CODEC_FAILED;
    config->format.sample_rate = rate;
    config->format.channels = config->settings[CHANNELS];
    config->format.frame_samples = rate / 400;
    return 0;
}

static int measure(const struct codec_config *config, const uint8_t *payload, size_t octets)
{
    if (octets == 0)
        return 0;
    if (octets > INT32_MAX || library()->missing)
        return CODEC_DAMAGED;
    int samples = opus.samples_of(payload, (int32_t)octets, config->format.sample_rate);
    return samples < 0 ? CODEC_DAMAGED : samples;
}

/* RFC 6716 2.1.9, RFC 7587 3.1.3: frames of one octet or none are what discontinuous transmission leaves. */
static enum codec_pause pauses(const struct codec_config *config, const uint8_t *payload, size_t octets)
{
    (void)config, (void)payload;
    return octets <= 2 ? CODEC_PAUSES : CODEC_SPEAKS;
}

static int bandwidth_for(int32_t rate)
{
    return rate < 12000 ? BANDWIDTH_NARROW : rate < 16000 ? BANDWIDTH_MEDIUM : rate < 24000 ? BANDWIDTH_WIDE
         : rate < 48000 ? BANDWIDTH_SUPERWIDE : BANDWIDTH_FULL;
}

enum { NARROW_BITRATE = 24000 };

/* What the library finds right for narrow band, 11 kbit/s, leaves nothing for what is said twice. */
static int32_t bitrate_of(const struct coder *coder, int32_t wanted)
{
    return wanted ? wanted : coder->rate <= 12000 ? NARROW_BITRATE : AUTO;
}

static void tell(const struct coder *coder, const int32_t *settings)
{
    void *encoder = coder->opus;
    opus.encoder_ctl(encoder, SET_BITRATE, bitrate_of(coder, settings[BITRATE]));
    opus.encoder_ctl(encoder, SET_COMPLEXITY, settings[COMPLEXITY]);
    opus.encoder_ctl(encoder, SET_INBAND_FEC, settings[FEC]);
    opus.encoder_ctl(encoder, SET_PACKET_LOSS, settings[LOSS]);
    opus.encoder_ctl(encoder, SET_DTX, settings[DTX]);
    opus.encoder_ctl(encoder, SET_VBR, !settings[CBR]);
    opus.encoder_ctl(encoder, SET_MAX_BANDWIDTH, bandwidth_for(settings[PLAYBACK_RATE]));
}

static void destroy_encoder(void *state)
{
    struct coder *coder = state;
    if (coder->opus)
        opus.encoder_destroy(coder->opus);
    free(coder);
}

static void *create_encoder(const struct codec_config *config)
{
    struct coder *coder = library()->missing ? NULL : calloc(1, sizeof *coder);
    int error = 0, application = config->settings[MUSIC] ? APPLICATION_AUDIO : APPLICATION_VOIP;
    if (!coder)
        return NULL;
    coder->rate = config->format.sample_rate;
    coder->is_dtx = config->settings[DTX];
    coder->opus = opus.encoder_create(coder->rate, config->format.channels, application, &error);
    if (!coder->opus || error) {
        destroy_encoder(coder);
        return NULL;
    }
    tell(coder, config->settings);
    return coder;
}

static void reset_encoder(void *state)
{
    struct coder *coder = state;
    opus.encoder_ctl(coder->opus, RESET_STATE);
    coder->is_pausing = 0;
}

/* 2.5, 5, 10, 20, 40, 60, 80, 100, 120 ms: what one packet can hold without being put together from several. */
static int is_packet(size_t samples, int rate)
{
    size_t step = (size_t)rate / 400, units = samples / step;
    return samples % step == 0 && (units == 1 || units == 2 || units == 4 || (units && units <= 48 && units % 8 == 0));
}

static int encode(void *state, const int16_t *pcm, size_t samples, uint8_t *payload, size_t room)
{
    struct coder *coder = state;
    if (!is_packet(samples, coder->rate))
        return CODEC_NOT_WHOLE;
    int32_t size = opus.encode(coder->opus, pcm, (int)samples, payload, (int32_t)(room < 4000 ? room : 4000));
    if (size < 0)
        return size == ERROR_BUFFER_TOO_SMALL ? CODEC_NO_ROOM : CODEC_FAILED;
    int is_pause = coder->is_dtx && size <= 2, is_told = coder->is_pausing;
    coder->is_pausing = is_pause;
    return is_pause && is_told ? 0 : size;  /* the first one tells the decoder that this is no loss, others nothing */
}

static int tune(void *state, enum codec_tune what, int32_t value)
{
    struct coder *coder = state;
    if (what == CODEC_BITRATE)
        return opus.encoder_ctl(coder->opus, SET_BITRATE, bitrate_of(coder, value)) ? CODEC_FAILED : 0;
    if (what == CODEC_LOSS)
        return opus.encoder_ctl(coder->opus, SET_PACKET_LOSS, value) ? CODEC_FAILED : 0;
    return CODEC_FAILED;
}

static void destroy_decoder(void *state)
{
    struct coder *coder = state;
    if (coder->opus)
        opus.decoder_destroy(coder->opus);
    free(coder);
}

static void *create_decoder(const struct codec_config *config)
{
    struct coder *coder = library()->missing ? NULL : calloc(1, sizeof *coder);
    int error = 0;
    if (!coder)
        return NULL;
    coder->rate = config->format.sample_rate;
    coder->opus = opus.decoder_create(coder->rate, config->format.channels, &error);
    if (!coder->opus || error) {
        destroy_decoder(coder);
        return NULL;
    }
    return coder;
}

static void reset_decoder(void *state)
{
    opus.decoder_ctl(((struct coder *)state)->opus, RESET_STATE);
}

static int decode(void *state, const uint8_t *payload, size_t octets, int16_t *pcm, size_t room)
{
    struct coder *coder = state;
    if (octets == 0)
        return 0;
    if (octets > INT32_MAX)
        return CODEC_DAMAGED;
    int samples = opus.samples_of(payload, (int32_t)octets, coder->rate);
    if (samples < 0)
        return CODEC_DAMAGED;
    if ((size_t)samples > room)
        return CODEC_NO_ROOM;
    int made = opus.decode(coder->opus, payload, (int32_t)octets, pcm, samples, 0);
    return made >= 0 ? made : made == ERROR_INVALID_PACKET ? CODEC_DAMAGED : CODEC_FAILED;
}

/* The packet that follows may hold a coarser copy of the lost frame (in-band FEC); if not, the decoder guesses. */
static int conceal(void *state, const uint8_t *next, size_t octets, int16_t *pcm, size_t samples)
{
    struct coder *coder = state;
    int made = -1;
    if (samples == 0)
        return 0;
    if (samples % ((size_t)coder->rate / 400) || samples > (size_t)coder->rate / 25 * 3)
        return CODEC_NOT_WHOLE;
    if (next && octets && octets <= INT32_MAX)
        made = opus.decode(coder->opus, next, (int32_t)octets, pcm, (int)samples, 1);
    if (made < 0)
        made = opus.decode(coder->opus, NULL, 0, pcm, (int)samples, 0);
    return made < 0 ? CODEC_FAILED : made;
}

static const struct codec opus_codec = {
    .name = "opus",
    .format = {.clock_rate = 48000, .sample_rate = 48000, .channels = 1, .frame_samples = 120},
    .settings = settings, .library = library, .shape = shape, .measure = measure, .pauses = pauses,
    .decoder_create = create_decoder, .decoder_destroy = destroy_decoder, .decoder_reset = reset_decoder,
    .decode = decode, .conceal = conceal,
    .encoder_create = create_encoder, .encoder_destroy = destroy_encoder, .encoder_reset = reset_encoder,
    .encode = encode, .encoder_tune = tune,
};

CODEC(opus_codec)
