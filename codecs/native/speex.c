/* Speex by libspeex (BSD): 8, 16 and 32 kHz, RFC 5574. A payload is frames of 20 ms, bit after bit; the last octet is
   filled up with 0 and then ones, which no frame begins with. */

#include "bits.h"
#include "library.h"
#include "register.h"

#include <pthread.h>
#include <stdlib.h>

enum { SAMPLE_RATE, QUALITY, COMPLEXITY, MODE, VBR, CNG };

static const struct codec_setting settings[] = {
    [SAMPLE_RATE] = {"sample_rate", 8000, 8000, 32000},
    [QUALITY] = {"quality", 8, 0, 10},
    [COMPLEXITY] = {"complexity", 2, 1, 10},
    [MODE] = {"mode", 0, 0, 8},   /* of narrow band, as "mode" in SDP numbers them; 0: what quality asks for */
    [VBR] = {"vbr", 0, 0, 1},
    [CNG] = {"cng", 0, 0, 1},     /* pauses are not sent */
    {0},
};

#define FRAMES_MAX 12

/* From speex_bits.h and speex.h, part of the library's ABI. */
struct speex_bits {
    char *chars;
    int count, octet, bit, is_owner, is_overflow, size, reserved;
    void *more;
};

enum {
    SET_ENHANCEMENT = 0, SET_QUALITY = 4, SET_MODE = 6, SET_VBR = 12, SET_VBR_QUALITY = 14, SET_COMPLEXITY = 16,
    RESET_STATE = 26, SET_VAD = 30, SET_DTX = 34, LIBRARY_VERSION = 9,
};

static struct {
    int (*library_ctl)(int request, void *value);
    const void *(*mode)(int number);
    void (*bits_create)(struct speex_bits *);
    void (*bits_destroy)(struct speex_bits *);
    void (*bits_reset)(struct speex_bits *);
    void (*bits_read)(struct speex_bits *, const char *octets, int size);
    int (*bits_write)(struct speex_bits *, char *octets, int room);
    void (*bits_end)(struct speex_bits *);
    int (*bits_size)(struct speex_bits *);
    void *(*encoder_create)(const void *mode);
    void (*encoder_destroy)(void *);
    int (*encode)(void *, int16_t *pcm, struct speex_bits *);
    int (*encoder_ctl)(void *, int request, void *value);
    void *(*decoder_create)(const void *mode);
    void (*decoder_destroy)(void *);
    int (*decode)(void *, struct speex_bits *, int16_t *pcm);
    int (*decoder_ctl)(void *, int request, void *value);
} speex;

static const struct symbol symbols[] = {
    {"speex_lib_ctl", &speex.library_ctl},
    {"speex_lib_get_mode", &speex.mode},
    {"speex_bits_init", &speex.bits_create},
    {"speex_bits_destroy", &speex.bits_destroy},
    {"speex_bits_reset", &speex.bits_reset},
    {"speex_bits_read_from", &speex.bits_read},
    {"speex_bits_write", &speex.bits_write},
    {"speex_bits_insert_terminator", &speex.bits_end},
    {"speex_bits_nbytes", &speex.bits_size},
    {"speex_encoder_init", &speex.encoder_create},
    {"speex_encoder_destroy", &speex.encoder_destroy},
    {"speex_encode_int", &speex.encode},
    {"speex_encoder_ctl", &speex.encoder_ctl},
    {"speex_decoder_init", &speex.decoder_create},
    {"speex_decoder_destroy", &speex.decoder_destroy},
    {"speex_decode_int", &speex.decode},
    {"speex_decoder_ctl", &speex.decoder_ctl},
    {0},
};

static struct codec_library found;

static void look(void)
{
    static const char *const files[] = {"libspeex.so.1", NULL};
    library_open(&found, files, "libspeex1", symbols);
    if (!found.missing)
        speex.library_ctl(LIBRARY_VERSION, &found.version);
}

static const struct codec_library *library(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, look);
    return &found;
}

struct coder {
    void *speex;
    struct speex_bits bits;
    int frame;  /* samples */
};

static int shape(struct codec_config *config)
{
    int32_t rate = config->settings[SAMPLE_RATE];
    if (rate != 8000 && rate != 16000 && rate != 32000)
        return CODEC_FAILED;
    config->format.clock_rate = config->format.sample_rate = rate;
    config->format.frame_samples = rate / 50;
    return 0;
}

#define END 16

/* Past what is said in band to the other end, to where the next frame's mode stands; or END. */
static int next_mode(struct bits *bits)
{
    static const uint8_t message_bits[16] = {1, 1, 4, 4, 4, 4, 4, 4, 8, 8, 16, 16, 32, 32, 64, 64};
    while (bits->at + 5 <= bits->end) {
        if (bits_take(bits, 1))
            return CODEC_DAMAGED;  /* a wide layer without what it lies upon */
        int mode = (int)bits_take(bits, 4);
        if (mode == 15)
            return END;
        if (mode == 14)
            bits->at += message_bits[bits_take(bits, 4)];
        else if (mode == 13)
            bits->at += 5 + 8 * (size_t)bits_take(bits, 4);
        else
            return mode > 8 ? CODEC_DAMAGED : mode;
    }
    return END;
}

/* How many frames there are, from the size of each mode's. What the library would complain of on standard error, a line
   for each packet, is found here before it is asked: modes that do not exist, layers that it does not look past. */
static int count_frames(const uint8_t *payload, size_t octets, int frame)
{
    static const int16_t narrow_bits[9] = {5, 43, 119, 160, 220, 300, 364, 492, 79};
    static const int16_t wide_bits[8] = {4, 36, 112, 192, 352, -1, -1, -1};
    struct bits bits = {payload, 0, 8 * octets};
    for (int frames = 0;; frames++) {
        int mode = next_mode(&bits);
        if (mode == END)
            return bits.at > bits.end ? CODEC_DAMAGED : frames;
        if (mode < 0)
            return CODEC_DAMAGED;
        bits.at += (size_t)narrow_bits[mode] - 5;
        for (int layer = 0;; layer++) {
            struct bits ahead = bits;
            if (!bits_take(&ahead, 1))
                break;
            int wide = (int)bits_take(&ahead, 3), size = wide_bits[wide];
            int is_decoded = layer == 0 ? frame >= 320 : frame == 640;  /* else the library skips it, but no empty one */
            if (size < 0 || layer == 2 || (is_decoded ? layer == 1 && wide > 1 : wide == 0))
                return CODEC_DAMAGED;
            bits.at += (size_t)size;
        }
        if (bits.at > bits.end)
            return CODEC_DAMAGED;
    }
}

static int measure(const struct codec_config *config, const uint8_t *payload, size_t octets)
{
    int frames = count_frames(payload, octets, config->format.frame_samples);
    if (frames < 0 || frames > CODEC_VALUES_MAX / config->format.frame_samples)
        return CODEC_DAMAGED;
    return frames * config->format.frame_samples;
}

static void *create(const struct codec_config *config, int is_encoder)
{
    struct coder *coder = library()->missing ? NULL : calloc(1, sizeof *coder);
    if (!coder)
        return NULL;
    const void *mode = speex.mode(config->format.sample_rate / 16000);  /* 0, 1, 2 */
    coder->frame = config->format.frame_samples;
    coder->speex = is_encoder ? speex.encoder_create(mode) : speex.decoder_create(mode);
    if (!coder->speex) {
        free(coder);
        return NULL;
    }
    speex.bits_create(&coder->bits);
    return coder;
}

/* ---- decoding ---- */

static void *create_decoder(const struct codec_config *config)
{
    struct coder *coder = create(config, 0);
    int on = 1;
    if (coder)
        speex.decoder_ctl(coder->speex, SET_ENHANCEMENT, &on);
    return coder;
}

static void destroy_decoder(void *state)
{
    struct coder *coder = state;
    speex.bits_destroy(&coder->bits);
    speex.decoder_destroy(coder->speex);
    free(coder);
}

static void reset_decoder(void *state)
{
    speex.decoder_ctl(((struct coder *)state)->speex, RESET_STATE, NULL);
}

static int decode(void *state, const uint8_t *payload, size_t octets, int16_t *pcm, size_t room)
{
    struct coder *coder = state;
    int frames = count_frames(payload, octets, coder->frame);
    if (frames < 0 || frames > CODEC_VALUES_MAX / coder->frame)
        return CODEC_DAMAGED;
    if ((size_t)(frames * coder->frame) > room)
        return CODEC_NO_ROOM;
    speex.bits_read(&coder->bits, (const char *)payload, (int)octets);
    for (int i = 0; i < frames; i++)
        if (speex.decode(coder->speex, &coder->bits, pcm + i * coder->frame) != 0)
            return i ? i * coder->frame : CODEC_DAMAGED;
    return frames * coder->frame;
}

static int conceal(void *state, const uint8_t *next, size_t octets, int16_t *pcm, size_t samples)
{
    struct coder *coder = state;
    (void)next, (void)octets;
    if (samples % (size_t)coder->frame)
        return CODEC_NOT_WHOLE;
    for (size_t done = 0; done < samples; done += (size_t)coder->frame)
        speex.decode(coder->speex, NULL, pcm + done);
    return (int)samples;
}

/* ---- encoding ---- */

static void tell(struct coder *coder, int request, int32_t value)
{
    int number = value;
    speex.encoder_ctl(coder->speex, request, &number);
}

static void *create_encoder(const struct codec_config *config)
{
    const int32_t *wanted = config->settings;
    struct coder *coder = create(config, 1);
    if (!coder)
        return NULL;
    float quality = (float)wanted[QUALITY];
    tell(coder, SET_QUALITY, wanted[QUALITY]);
    tell(coder, SET_COMPLEXITY, wanted[COMPLEXITY]);
    tell(coder, SET_VBR, wanted[VBR]);
    if (wanted[VBR])
        speex.encoder_ctl(coder->speex, SET_VBR_QUALITY, &quality);
    else if (wanted[MODE])
        tell(coder, SET_MODE, wanted[MODE]);
    tell(coder, SET_VAD, wanted[CNG]);
    tell(coder, SET_DTX, wanted[CNG]);
    return coder;
}

static void destroy_encoder(void *state)
{
    struct coder *coder = state;
    speex.bits_destroy(&coder->bits);
    speex.encoder_destroy(coder->speex);
    free(coder);
}

static void reset_encoder(void *state)
{
    speex.encoder_ctl(((struct coder *)state)->speex, RESET_STATE, NULL);
}

static int encode(void *state, const int16_t *pcm, size_t samples, uint8_t *payload, size_t room)
{
    struct coder *coder = state;
    size_t frames = samples / (size_t)coder->frame;
    int is_heard = 0;
    if (samples % (size_t)coder->frame || frames == 0 || frames > FRAMES_MAX)
        return CODEC_NOT_WHOLE;
    speex.bits_reset(&coder->bits);
    for (size_t i = 0; i < frames; i++) {
        int16_t copy[640];  /* the library filters in place */
        for (int k = 0; k < coder->frame; k++)
            copy[k] = pcm[i * (size_t)coder->frame + (size_t)k];
        is_heard |= speex.encode(coder->speex, copy, &coder->bits);
    }
    if (!is_heard)
        return 0;
    speex.bits_end(&coder->bits);
    if ((size_t)speex.bits_size(&coder->bits) > room)
        return CODEC_NO_ROOM;
    return speex.bits_write(&coder->bits, (char *)payload, (int)room);
}

static const struct codec speex_codec = {
    .name = "speex",
    .format = {.clock_rate = 8000, .sample_rate = 8000, .channels = 1, .frame_samples = 160},
    .settings = settings, .library = library, .shape = shape, .measure = measure,
    .decoder_create = create_decoder, .decoder_destroy = destroy_decoder, .decoder_reset = reset_decoder,
    .decode = decode, .conceal = conceal,
    .encoder_create = create_encoder, .encoder_destroy = destroy_encoder, .encoder_reset = reset_encoder,
    .encode = encode,
};

CODEC(speex_codec)
