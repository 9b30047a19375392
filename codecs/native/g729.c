/* G.729 Annexes A and B by libbcg729. That library is under the GPL: it is only ever found at run time, where somebody
   has installed it. Frames of 10 ms in ten octets; a description of silence has two and ends a payload, RFC 3551
   §4.5.6. */

#include "library.h"
#include "register.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { ANNEX_B };

static const struct codec_setting settings[] = {
    [ANNEX_B] = {"annexb", 0, 0, 1},  /* for encoders: pauses are not sent. A decoder always takes them. */
    {0},
};

#define FRAME 80
#define OCTETS 10
#define SILENCE 2     /* octets of a silence descriptor */
#define FRAMES_MAX 32 /* in one call of the encoder when it may leave pauses out */

static struct {
    void *(*decoder_create)(void);
    void (*decoder_destroy)(void *);
    void (*decode)(void *, const uint8_t *octets, uint8_t size, uint8_t is_lost, uint8_t is_silence, uint8_t is_rfc3389,
                   int16_t *pcm);
    void *(*encoder_create)(uint8_t with_silence);
    void (*encoder_destroy)(void *);
    void (*encode)(void *, const int16_t *pcm, uint8_t *octets, uint8_t *size);
    void (*comfort_noise)(void *, uint8_t *payload);  /* not used: libraries without it have other prototypes */
} g729;

static const struct symbol symbols[] = {
    {"initBcg729DecoderChannel", &g729.decoder_create},
    {"closeBcg729DecoderChannel", &g729.decoder_destroy},
    {"bcg729Decoder", &g729.decode},
    {"initBcg729EncoderChannel", &g729.encoder_create},
    {"closeBcg729EncoderChannel", &g729.encoder_destroy},
    {"bcg729Encoder", &g729.encode},
    {"bcg729GetRFC3389Payload", &g729.comfort_noise},
    {0},
};

static struct codec_library found;
static uint8_t quiet[OCTETS];  /* a frame of speech in which nothing is heard */

static void make_quiet(void)
{
    static const int16_t nothing[FRAME];
    void *encoder = g729.encoder_create(0);
    uint8_t size = 0;
    if (!encoder)
        return;
    for (int i = 0; i < 5; i++)
        g729.encode(encoder, nothing, quiet, &size);
    g729.encoder_destroy(encoder);
}

static void look(void)
{
    static const char *const files[] = {"libbcg729.so.0", NULL};
    library_open(&found, files, "libbcg729-0", symbols);
    if (!found.missing)
        make_quiet();
}

static const struct codec_library *library(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, look);
    return &found;
}

static int measure(const struct codec_config *config, const uint8_t *payload, size_t octets)
{
    (void)config, (void)payload;
    return (int)(octets / OCTETS + (octets % OCTETS == SILENCE)) * FRAME;
}

static enum codec_pause pauses(const struct codec_config *config, const uint8_t *payload, size_t octets)
{
    (void)config, (void)payload;
    return octets % OCTETS != SILENCE ? CODEC_SPEAKS : octets == SILENCE ? CODEC_PAUSES : CODEC_ENDS;
}

struct coder {
    void *channel;
    int is_annex_b;
};

static void destroy_decoder(void *state)
{
    struct coder *coder = state;
    g729.decoder_destroy(coder->channel);
    free(coder);
}

static void destroy_encoder(void *state)
{
    struct coder *coder = state;
    g729.encoder_destroy(coder->channel);
    free(coder);
}

static void *create(const struct codec_config *config, int is_encoder)
{
    struct coder *coder = library()->missing ? NULL : malloc(sizeof *coder);
    if (!coder)
        return NULL;
    coder->is_annex_b = config->settings[ANNEX_B];
    coder->channel = is_encoder ? g729.encoder_create((uint8_t)coder->is_annex_b) : g729.decoder_create();
    if (!coder->channel) {
        free(coder);
        return NULL;
    }
    return coder;
}

static void *create_decoder(const struct codec_config *config) { return create(config, 0); }
static void *create_encoder(const struct codec_config *config) { return create(config, 1); }

static void reset_decoder(void *state)
{
    struct coder *coder = state;
    void *fresh = g729.decoder_create();
    if (!fresh)
        return;
    g729.decoder_destroy(coder->channel);
    coder->channel = fresh;
}

static void reset_encoder(void *state)
{
    struct coder *coder = state;
    void *fresh = g729.encoder_create((uint8_t)coder->is_annex_b);
    if (!fresh)
        return;
    g729.encoder_destroy(coder->channel);
    coder->channel = fresh;
}

static int decode(void *state, const uint8_t *payload, size_t octets, int16_t *pcm, size_t room)
{
    struct coder *coder = state;
    int samples = measure(NULL, payload, octets);
    if ((size_t)samples > room)
        return CODEC_NO_ROOM;
    for (int done = 0; done < samples; done += FRAME) {
        uint8_t size = octets < OCTETS ? SILENCE : OCTETS;
        g729.decode(coder->channel, payload, size, 0, size == SILENCE, 0, pcm + done);
        payload += size;
        octets -= size;
    }
    return samples;
}

/* After a silence descriptor the library goes on with its noise, else it makes up for a lost frame. Only no payload at
   all is none to it: another would be read as a description. */
static int conceal(void *state, const uint8_t *next, size_t octets, int16_t *pcm, size_t samples)
{
    (void)next, (void)octets;
    if (samples % FRAME)
        return CODEC_NOT_WHOLE;
    for (size_t done = 0; done < samples; done += FRAME)
        g729.decode(((struct coder *)state)->channel, NULL, 0, 1, 0, 0, pcm + done);
    return (int)samples;
}

static int encode_speech(struct coder *coder, const int16_t *pcm, size_t frames, uint8_t *payload)
{
    for (size_t i = 0; i < frames; i++) {
        uint8_t size = 0;
        g729.encode(coder->channel, pcm + i * FRAME, payload + i * OCTETS, &size);
    }
    return (int)(frames * OCTETS);
}

/* With Annex B a frame is speech, a silence descriptor, or nothing. A payload cannot say that one in its midst was left
   out, so what is quiet before the last frame of speech is sent as quiet speech. */
static int encode_with_pauses(struct coder *coder, const int16_t *pcm, size_t frames, uint8_t *payload)
{
    uint8_t made[FRAMES_MAX][OCTETS], sizes[FRAMES_MAX];
    size_t speech = 0;  /* frames up to and with the last one of speech */
    for (size_t i = 0; i < frames; i++) {
        sizes[i] = 0;
        g729.encode(coder->channel, pcm + i * FRAME, made[i], &sizes[i]);
        if (sizes[i] == OCTETS)
            speech = i + 1;
    }
    for (size_t i = 0; i < speech; i++)
        memcpy(payload + i * OCTETS, sizes[i] == OCTETS ? made[i] : quiet, OCTETS);
    for (size_t i = speech; i < frames; i++)
        if (sizes[i] == SILENCE) {
            memcpy(payload + speech * OCTETS, made[i], SILENCE);
            return (int)(speech * OCTETS + SILENCE);
        }
    return (int)(speech * OCTETS);
}

static int encode(void *state, const int16_t *pcm, size_t samples, uint8_t *payload, size_t room)
{
    struct coder *coder = state;
    size_t frames = samples / FRAME;
    if (samples % FRAME || (coder->is_annex_b && frames > FRAMES_MAX))
        return CODEC_NOT_WHOLE;
    if (frames * OCTETS > room)
        return CODEC_NO_ROOM;
    if (coder->is_annex_b)
        return encode_with_pauses(coder, pcm, frames, payload);
    return encode_speech(coder, pcm, frames, payload);
}

static const struct codec g729_codec = {
    .name = "g729",
    .format = {.clock_rate = 8000, .sample_rate = 8000, .channels = 1, .frame_samples = FRAME, .frame_octets = OCTETS},
    .settings = settings, .library = library, .measure = measure, .pauses = pauses,
    .decoder_create = create_decoder, .decoder_destroy = destroy_decoder, .decoder_reset = reset_decoder,
    .decode = decode, .conceal = conceal,
    .encoder_create = create_encoder, .encoder_destroy = destroy_encoder, .encoder_reset = reset_encoder,
    .encode = encode,
};

CODEC(g729_codec)
