/* AMR and AMR-WB by opencore-amr and vo-amrwbenc (Apache-2.0), in payloads of RFC 4867: bandwidth-efficient or
   octet-aligned, any number of frames of 20 ms, with mode requests both ways. Interleaving, CRCs and robust sorting
   are left to negotiation to refuse. The libraries take and give a frame as files have it: a type octet, then its
   bits. */

#include "bits.h"
#include "library.h"
#include "register.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { OCTET_ALIGN, MODE, MODE_SET, CHANGE_PERIOD, CHANGE_NEIGHBOR, DTX };

#define SETTINGS(best) {                                                                                    \
    [OCTET_ALIGN] = {"octet_align", 0, 0, 1},                                                               \
    [MODE] = {"mode", best, 0, best},         /* to begin with; higher is better */                         \
    [MODE_SET] = {"mode_set", 0, 0, (2 << best) - 1},  /* a bit for each mode that may be sent; 0: all */   \
    [CHANGE_PERIOD] = {"change_period", 1, 1, 2},      /* frames from one change of mode to the next */     \
    [CHANGE_NEIGHBOR] = {"change_neighbor", 0, 0, 1},  /* one step at a time */                             \
    [DTX] = {"dtx", 0, 0, 1},                                                                               \
    {0},                                                                                                    \
}

static const struct codec_setting narrow_settings[] = SETTINGS(7), wide_settings[] = SETTINGS(8);

#define NO_DATA 15
#define NO_REQUEST 15
#define FRAMES_MAX 12     /* in a payload that we write: 240 ms */
#define FRAME_OCTETS 62   /* of the largest frame, with its type */

/* What differs between the two. */
struct family {
    int best, samples;
    int16_t bits[16];     /* of a frame by its type; -1: there is no such type */
    const struct codec_library *(*library)(void);
    void *(*decoder_create)(void);
    void (*decoder_destroy)(void *);
    void (*decode)(void *, const unsigned char *frame, int16_t *pcm, int is_bad);
    void *(*encoder_create)(int is_dtx);
    void (*encoder_destroy)(void *);
    int (*encode)(void *, int mode, const int16_t *pcm, unsigned char *frame, int is_dtx);
};

/* ---- the libraries ---- */

static struct {
    void *(*decoder_create)(void);
    void (*decoder_destroy)(void *);
    void (*decode)(void *, const unsigned char *frame, int16_t *pcm, int is_bad);
    void *(*encoder_create)(int is_dtx);
    void (*encoder_destroy)(void *);
    int (*encode)(void *, int mode, const int16_t *pcm, unsigned char *frame, int force_speech);
} narrow;

static struct {
    void *(*decoder_create)(void);
    void (*decoder_destroy)(void *);
    void (*decode)(void *, const unsigned char *frame, int16_t *pcm, int is_bad);
    void *(*encoder_create)(void);
    void (*encoder_destroy)(void *);
    int (*encode)(void *, int mode, const int16_t *pcm, unsigned char *frame, int is_dtx);
} wide;

static const struct symbol narrow_symbols[] = {
    {"Decoder_Interface_init", &narrow.decoder_create},
    {"Decoder_Interface_exit", &narrow.decoder_destroy},
    {"Decoder_Interface_Decode", &narrow.decode},
    {"Encoder_Interface_init", &narrow.encoder_create},
    {"Encoder_Interface_exit", &narrow.encoder_destroy},
    {"Encoder_Interface_Encode", &narrow.encode},
    {0},
};

static const struct symbol wide_decoder_symbols[] = {
    {"D_IF_init", &wide.decoder_create},
    {"D_IF_exit", &wide.decoder_destroy},
    {"D_IF_decode", &wide.decode},
    {0},
};

static const struct symbol wide_encoder_symbols[] = {
    {"E_IF_init", &wide.encoder_create},
    {"E_IF_exit", &wide.encoder_destroy},
    {"E_IF_encode", &wide.encode},
    {0},
};

static struct codec_library narrow_found, wide_found;

static void look_narrow(void)
{
    static const char *const files[] = {"libopencore-amrnb.so.0", NULL};
    library_open(&narrow_found, files, "libopencore-amrnb0", narrow_symbols);
}

static void look_wide(void)
{
    static const char *const decoders[] = {"libopencore-amrwb.so.0", NULL};
    static const char *const encoders[] = {"libvo-amrwbenc.so.0", NULL};
    struct codec_library encoder;
    library_open(&wide_found, decoders, "libopencore-amrwb0", wide_decoder_symbols);
    library_open(&encoder, encoders, "libvo-amrwbenc0", wide_encoder_symbols);
    if (!wide_found.missing)
        wide_found.missing = encoder.missing;
    wide_found.file = "libopencore-amrwb.so.0, libvo-amrwbenc.so.0";
}

static const struct codec_library *narrow_library(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, look_narrow);
    return &narrow_found;
}

static const struct codec_library *wide_library(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, look_wide);
    return &wide_found;
}

static void *narrow_decoder_create(void) { return narrow.decoder_create(); }
static void narrow_decoder_destroy(void *decoder) { narrow.decoder_destroy(decoder); }
static void *narrow_encoder_create(int is_dtx) { return narrow.encoder_create(is_dtx); }
static void narrow_encoder_destroy(void *encoder) { narrow.encoder_destroy(encoder); }
static void *wide_decoder_create(void) { return wide.decoder_create(); }
static void wide_decoder_destroy(void *decoder) { wide.decoder_destroy(decoder); }
static void *wide_encoder_create(int is_dtx) { (void)is_dtx; return wide.encoder_create(); }
static void wide_encoder_destroy(void *encoder) { wide.encoder_destroy(encoder); }

static void narrow_decode(void *decoder, const unsigned char *frame, int16_t *pcm, int is_bad)
{
    narrow.decode(decoder, frame, pcm, is_bad);
}

static void wide_decode(void *decoder, const unsigned char *frame, int16_t *pcm, int is_bad)
{
    wide.decode(decoder, frame, pcm, is_bad);
}

static int narrow_encode(void *encoder, int mode, const int16_t *pcm, unsigned char *frame, int is_dtx)
{
    (void)is_dtx;
    return narrow.encode(encoder, mode, pcm, frame, 0);
}

static int wide_encode(void *encoder, int mode, const int16_t *pcm, unsigned char *frame, int is_dtx)
{
    return wide.encode(encoder, mode, pcm, frame, is_dtx);
}

static const struct family narrow_family = {
    7, 160, {95, 103, 118, 134, 148, 159, 204, 244, 39, -1, -1, -1, -1, -1, -1, 0}, narrow_library,
    narrow_decoder_create, narrow_decoder_destroy, narrow_decode,
    narrow_encoder_create, narrow_encoder_destroy, narrow_encode,
};

static const struct family wide_family = {
    8, 320, {132, 177, 253, 285, 317, 365, 397, 461, 477, 40, -1, -1, -1, -1, 0, 0}, wide_library,
    wide_decoder_create, wide_decoder_destroy, wide_decode,
    wide_encoder_create, wide_encoder_destroy, wide_encode,
};

/* ---- payloads ---- */

struct contents {
    int request, frames;
    struct bits types, speech;
    int is_aligned;
};

static int type_next(struct contents *contents, int *is_good, int *is_more)
{
    *is_more = (int)bits_take(&contents->types, 1);
    int type = (int)bits_take(&contents->types, 4);
    *is_good = (int)bits_take(&contents->types, 1);
    if (contents->is_aligned)
        contents->types.at += 2;
    return type;
}

static size_t room_of(int bits, int is_aligned)
{
    return is_aligned ? ((size_t)bits + 7) / 8 * 8 : (size_t)bits;
}

/* Look over a whole payload: everything that the types promise must be there. */
static int survey(const struct family *family, int is_aligned, const uint8_t *payload, size_t octets,
                  struct contents *contents)
{
    struct bits bits = {payload, 0, 8 * octets};
    int is_more = 1, is_good;
    size_t speech = 0;
    contents->is_aligned = is_aligned;
    contents->request = (int)bits_take(&bits, 4);
    bits.at = is_aligned ? 8 : 4;
    contents->types = contents->speech = bits;
    for (contents->frames = 0; is_more; contents->frames++) {
        int type = type_next(contents, &is_good, &is_more);
        if (contents->types.at > bits.end || family->bits[type] < 0)
            return CODEC_DAMAGED;
        if ((contents->frames + 1) * family->samples > CODEC_VALUES_MAX)
            return CODEC_DAMAGED;
        speech += room_of(family->bits[type], is_aligned);
    }
    contents->speech.at = contents->types.at;
    contents->types.at = is_aligned ? 8 : 4;
    return contents->speech.at + speech > bits.end ? CODEC_DAMAGED : contents->frames * family->samples;
}

/* The next frame as the libraries take it: its type in an octet, its bits in the octets after that. */
static int frame_next(const struct family *family, struct contents *contents, uint8_t *frame)
{
    int is_good, is_more, type = type_next(contents, &is_good, &is_more), left = family->bits[type];
    size_t end = contents->speech.at + room_of(left, contents->is_aligned);
    *frame++ = (uint8_t)(type << 3 | is_good << 2);
    for (; left > 0; left -= 8) {
        int count = left < 8 ? left : 8;
        *frame++ = (uint8_t)(bits_take(&contents->speech, count) << (8 - count));
    }
    contents->speech.at = end;
    return is_good || type == NO_DATA;
}

/* ---- decoding ---- */

struct decoder {
    const struct family *family;
    void *library;
    int is_aligned, request;
};

static int measure(const struct family *family, const struct codec_config *config, const uint8_t *payload, size_t octets)
{
    struct contents contents;
    return octets ? survey(family, config->settings[OCTET_ALIGN], payload, octets, &contents) : 0;
}

static int narrow_measure(const struct codec_config *config, const uint8_t *payload, size_t octets)
{
    return measure(&narrow_family, config, payload, octets);
}

static int wide_measure(const struct codec_config *config, const uint8_t *payload, size_t octets)
{
    return measure(&wide_family, config, payload, octets);
}

/* Descriptions of silence have the type after that of the best mode. */
static enum codec_pause pauses(const struct family *family, const struct codec_config *config, const uint8_t *payload,
                               size_t octets)
{
    struct contents contents;
    int is_good, is_more = 1, type = NO_DATA, speech = 0;
    if (octets == 0 || survey(family, config->settings[OCTET_ALIGN], payload, octets, &contents) < 0)
        return CODEC_SPEAKS;
    while (is_more) {
        type = type_next(&contents, &is_good, &is_more);
        speech += type <= family->best;
    }
    return type <= family->best ? CODEC_SPEAKS : speech ? CODEC_ENDS : CODEC_PAUSES;
}

static enum codec_pause narrow_pauses(const struct codec_config *config, const uint8_t *payload, size_t octets)
{
    return pauses(&narrow_family, config, payload, octets);
}

static enum codec_pause wide_pauses(const struct codec_config *config, const uint8_t *payload, size_t octets)
{
    return pauses(&wide_family, config, payload, octets);
}

static void *create_decoder(const struct family *family, const struct codec_config *config)
{
    struct decoder *decoder = family->library()->missing ? NULL : malloc(sizeof *decoder);
    if (!decoder)
        return NULL;
    *decoder = (struct decoder){family, family->decoder_create(), config->settings[OCTET_ALIGN], -1};
    if (!decoder->library) {
        free(decoder);
        return NULL;
    }
    return decoder;
}

static void *create_narrow_decoder(const struct codec_config *config) { return create_decoder(&narrow_family, config); }
static void *create_wide_decoder(const struct codec_config *config) { return create_decoder(&wide_family, config); }

static void destroy_decoder(void *state)
{
    struct decoder *decoder = state;
    decoder->family->decoder_destroy(decoder->library);
    free(decoder);
}

static void reset_decoder(void *state)
{
    struct decoder *decoder = state;
    void *fresh = decoder->family->decoder_create();
    decoder->request = -1;
    if (!fresh)
        return;
    decoder->family->decoder_destroy(decoder->library);
    decoder->library = fresh;
}

static void make_up(struct decoder *decoder, int16_t *pcm)
{
    static const uint8_t nothing[FRAME_OCTETS] = {NO_DATA << 3 | 1 << 2};
    decoder->family->decode(decoder->library, nothing, pcm, 0);
}

static int decode(void *state, const uint8_t *payload, size_t octets, int16_t *pcm, size_t room)
{
    struct decoder *decoder = state;
    const struct family *family = decoder->family;
    struct contents contents;
    if (octets == 0)
        return 0;
    int samples = survey(family, decoder->is_aligned, payload, octets, &contents);
    if (samples < 0 || (size_t)samples > room)
        return samples < 0 ? samples : CODEC_NO_ROOM;
    if (contents.request <= family->best)
        decoder->request = contents.request;
    for (int done = 0; done < samples; done += family->samples) {
        uint8_t frame[FRAME_OCTETS] = {0};
        if (frame_next(family, &contents, frame))
            family->decode(decoder->library, frame, pcm + done, 0);
        else
            make_up(decoder, pcm + done);  /* its sender says that it is damaged */
    }
    return samples;
}

static int conceal(void *state, const uint8_t *next, size_t octets, int16_t *pcm, size_t samples)
{
    struct decoder *decoder = state;
    size_t frame = (size_t)decoder->family->samples;
    (void)next, (void)octets;
    if (samples % frame)
        return CODEC_NOT_WHOLE;
    for (size_t done = 0; done < samples; done += frame)
        make_up(decoder, pcm + done);
    return (int)samples;
}

static int take_request(void *state)
{
    struct decoder *decoder = state;
    int request = decoder->request;
    decoder->request = -1;
    return request;
}

/* ---- encoding ---- */

struct encoder {
    const struct family *family;
    void *library;
    int is_aligned, is_dtx, mode_set, period, by_neighbor;
    int mode, wanted;     /* what is sent; where it is going */
    unsigned frames;      /* so far: modes change at even ones when the period is 2 */
};

/* The best mode of the set that is not better than this one; else the worst. */
static int nearest_mode(const struct encoder *encoder, int mode)
{
    for (int candidate = mode; candidate >= 0; candidate--)
        if (encoder->mode_set >> candidate & 1)
            return candidate;
    return __builtin_ctz((unsigned)encoder->mode_set);
}

static void change_mode(struct encoder *encoder)
{
    if (encoder->mode == encoder->wanted || encoder->frames % (unsigned)encoder->period)
        return;
    int step = encoder->wanted > encoder->mode ? 1 : -1;
    do
        encoder->mode += step;
    while (encoder->mode != encoder->wanted && !(encoder->by_neighbor && encoder->mode_set >> encoder->mode & 1));
}

static void *create_encoder(const struct family *family, const struct codec_config *config)
{
    const int32_t *settings = config->settings;
    struct encoder *encoder = family->library()->missing ? NULL : calloc(1, sizeof *encoder);
    if (!encoder)
        return NULL;
    encoder->family = family;
    encoder->is_aligned = settings[OCTET_ALIGN];
    encoder->is_dtx = settings[DTX];
    encoder->mode_set = settings[MODE_SET] ? settings[MODE_SET] : (2 << family->best) - 1;
    encoder->period = settings[CHANGE_PERIOD];
    encoder->by_neighbor = settings[CHANGE_NEIGHBOR];
    encoder->mode = encoder->wanted = nearest_mode(encoder, settings[MODE]);
    encoder->library = family->encoder_create(encoder->is_dtx);
    if (!encoder->library) {
        free(encoder);
        return NULL;
    }
    return encoder;
}

static void *create_narrow_encoder(const struct codec_config *config) { return create_encoder(&narrow_family, config); }
static void *create_wide_encoder(const struct codec_config *config) { return create_encoder(&wide_family, config); }

static void destroy_encoder(void *state)
{
    struct encoder *encoder = state;
    encoder->family->encoder_destroy(encoder->library);
    free(encoder);
}

static void reset_encoder(void *state)
{
    struct encoder *encoder = state;
    void *fresh = encoder->family->encoder_create(encoder->is_dtx);
    if (!fresh)
        return;
    encoder->family->encoder_destroy(encoder->library);
    encoder->library = fresh;
    encoder->mode = encoder->wanted;
    encoder->frames = 0;
}

static int write_payload(const struct encoder *encoder, uint8_t frames[][FRAME_OCTETS], size_t count, uint8_t *payload,
                         size_t room)
{
    const int16_t *bits = encoder->family->bits;
    size_t at = 0, needed = encoder->is_aligned ? 8 + 8 * count : 4 + 6 * count;
    for (size_t i = 0; i < count; i++)
        needed += room_of(bits[frames[i][0] >> 3 & 15], encoder->is_aligned);
    if ((needed + 7) / 8 > room)
        return CODEC_NO_ROOM;
    memset(payload, 0, (needed + 7) / 8);
    bits_put(payload, &at, NO_REQUEST, 4);
    at = encoder->is_aligned ? 8 : 4;
    for (size_t i = 0; i < count; i++) {
        bits_put(payload, &at, i + 1 < count, 1);
        bits_put(payload, &at, frames[i][0] >> 3 & 15, 4);
        bits_put(payload, &at, 1, 1);
        at += encoder->is_aligned ? 2 : 0;
    }
    for (size_t i = 0; i < count; i++) {
        int left = bits[frames[i][0] >> 3 & 15];
        size_t end = at + room_of(left, encoder->is_aligned);
        for (const uint8_t *octet = frames[i] + 1; left > 0; left -= 8, octet++)
            bits_put(payload, &at, *octet >> (left < 8 ? 8 - left : 0), left < 8 ? left : 8);
        at = end;
    }
    return (int)((needed + 7) / 8);
}

static int encode(void *state, const int16_t *pcm, size_t samples, uint8_t *payload, size_t room)
{
    struct encoder *encoder = state;
    const struct family *family = encoder->family;
    size_t count = samples / (size_t)family->samples;
    uint8_t frames[FRAMES_MAX][FRAME_OCTETS];
    int is_silent = 1;
    if (samples % (size_t)family->samples || count > FRAMES_MAX || count == 0)
        return CODEC_NOT_WHOLE;
    for (size_t i = 0; i < count; i++, encoder->frames++) {
        change_mode(encoder);
        memset(frames[i], 0, FRAME_OCTETS);
        family->encode(encoder->library, encoder->mode, pcm + i * (size_t)family->samples, frames[i], encoder->is_dtx);
        int type = frames[i][0] >> 3 & 15;
        if (family->bits[type] < 0)
            return CODEC_FAILED;
        is_silent &= type == NO_DATA;
    }
    return is_silent ? 0 : write_payload(encoder, frames, count, payload, room);
}

static int tune(void *state, enum codec_tune what, int32_t value)
{
    struct encoder *encoder = state;
    if (what != CODEC_MODE || value < 0 || value > encoder->family->best)
        return CODEC_FAILED;
    encoder->wanted = nearest_mode(encoder, value);
    return 0;
}

static const struct codec amr = {
    .name = "amr",
    .format = {.clock_rate = 8000, .sample_rate = 8000, .channels = 1, .frame_samples = 160},
    .settings = narrow_settings, .library = narrow_library, .measure = narrow_measure,
    .pauses = narrow_pauses,
    .decoder_create = create_narrow_decoder, .decoder_destroy = destroy_decoder, .decoder_reset = reset_decoder,
    .decode = decode, .conceal = conceal, .decoder_request = take_request,
    .encoder_create = create_narrow_encoder, .encoder_destroy = destroy_encoder, .encoder_reset = reset_encoder,
    .encode = encode, .encoder_tune = tune,
};

static const struct codec amr_wb = {
    .name = "amr-wb",
    .format = {.clock_rate = 16000, .sample_rate = 16000, .channels = 1, .frame_samples = 320},
    .settings = wide_settings, .library = wide_library, .measure = wide_measure,
    .pauses = wide_pauses,
    .decoder_create = create_wide_decoder, .decoder_destroy = destroy_decoder, .decoder_reset = reset_decoder,
    .decode = decode, .conceal = conceal, .decoder_request = take_request,
    .encoder_create = create_wide_encoder, .encoder_destroy = destroy_encoder, .encoder_reset = reset_encoder,
    .encode = encode, .encoder_tune = tune,
};

CODEC(amr)
CODEC(amr_wb)
