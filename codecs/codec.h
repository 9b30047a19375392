/* A codec as native threads call it: no Python, no lock, nothing global that changes.

   There is one `struct codec` for each codec, for the life of the process. A stream has a `struct codec_config`, which
   is plain data and may be copied: which codec, in which shape, with which settings. Decoders and encoders are made of
   it; each belongs to one thread at a time. A decoder takes any octets: it answers with samples or with an error, and
   never reads or writes outside of what it was given.

   Samples are 16-bit, channels interleaved. Whatever is called `samples` counts per channel. */

#ifndef SWITCHROOM_CODEC_H
#define SWITCHROOM_CODEC_H

#include <stddef.h>
#include <stdint.h>

#define CODEC_SETTINGS 12        /* that one codec can have */
#define CODEC_PAYLOAD_MAX 4096   /* octets; room enough for a payload of a codec whose frames vary in size */
#define CODEC_VALUES_MAX 11520   /* values: 120 ms of stereo at 48 kHz, the most in a payload of such a codec */

enum codec_error {
    CODEC_DAMAGED = -1,    /* the payload is not what the codec writes */
    CODEC_NO_ROOM = -2,    /* more would come out than the caller has room for; nothing was done */
    CODEC_NOT_WHOLE = -3,  /* the samples are not a whole number of frames, or more than a payload holds */
    CODEC_FAILED = -4,     /* the library says so, or there is no memory */
};

enum codec_tune {          /* what an encoder can be told while it works */
    CODEC_MODE,            /* AMR: the mode that the other end requests */
    CODEC_BITRATE,         /* bit/s */
    CODEC_LOSS,            /* packets in a hundred that get lost on the way */
};

enum codec_pause {         /* what a payload says of what comes after it */
    CODEC_SPEAKS,
    CODEC_ENDS,            /* sound, and after it a pause */
    CODEC_PAUSES,          /* nothing but a description of the pause */
};

struct codec_format {
    int32_t clock_rate;    /* of RTP timestamps, in Hz; differs from sample_rate for G.722 and Opus */
    int32_t sample_rate;   /* Hz */
    int32_t channels;
    int32_t frame_samples; /* an encoder takes multiples of this */
    int32_t frame_octets;  /* of one such frame; 0: they vary */
};

struct codec_setting {
    const char *name;
    int32_t initial, least, most;
};

struct codec_library {     /* somebody else's, found at run time */
    const char *file;      /* libopus.so.0 */
    const char *version;   /* as it says itself, or its file's name; "" when neither does */
    const char *missing;   /* why it cannot be used; NULL: it can */
};

struct codec;

struct codec_config {
    const struct codec *codec;
    struct codec_format format;
    int32_t settings[CODEC_SETTINGS];  /* in the order of codec->settings */
};

struct codec {
    const char *name;                      /* what the catalogue calls it, unique */
    struct codec_format format;            /* with the initial settings */
    const struct codec_setting *settings;  /* ends with a NULL name; NULL: it has none */
    const struct codec_library *(*library)(void);  /* NULL: it is ours. Looks for it once, from any thread. */

    /* Fit config->format to config->settings; 0 or CODEC_FAILED. NULL: the format never changes. */
    int (*shape)(struct codec_config *config);

    /* The samples that a payload holds, without decoding it; CODEC_DAMAGED. What follows the last whole frame of a
       codec with frames of one size is not counted, nor decoded. 0: silence or comfort noise of unknown length. */
    int (*measure)(const struct codec_config *config, const uint8_t *payload, size_t octets);

    /* Whether the sender is silent after a payload until he speaks on; meanwhile conceal() makes his noise.
       NULL: he never is. */
    enum codec_pause (*pauses)(const struct codec_config *config, const uint8_t *payload, size_t octets);

    /* NULL: no memory, or the library is missing. */
    void *(*decoder_create)(const struct codec_config *config);
    void (*decoder_destroy)(void *decoder);
    void (*decoder_reset)(void *decoder);
    /* Returns the samples written to `pcm`, or an error; `room` counts samples too. */
    int (*decode)(void *decoder, const uint8_t *payload, size_t octets, int16_t *pcm, size_t room);
    /* Make up for `samples` that did not come (lost, or not sent in a pause), whole frames. `next` is the payload that
       follows, NULL when there is none: Opus has a copy of the lost one in it. Returns the samples written.
       NULL: the codec has no way of its own. */
    int (*conceal)(void *decoder, const uint8_t *next, size_t octets, int16_t *pcm, size_t samples);
    /* The mode that the other end asked our encoder for since the last call, -1: nothing. NULL: it never asks. */
    int (*decoder_request)(void *decoder);

    void *(*encoder_create)(const struct codec_config *config);
    void (*encoder_destroy)(void *encoder);
    void (*encoder_reset)(void *encoder);
    /* One payload of whole frames. Returns its octets, 0: nothing is to be sent now (a pause), or an error. */
    int (*encode)(void *encoder, const int16_t *pcm, size_t samples, uint8_t *payload, size_t room);
    /* Change what `enum codec_tune` names; 0, or CODEC_FAILED when it cannot be so. NULL: nothing can be changed. */
    int (*encoder_tune)(void *encoder, enum codec_tune what, int32_t value);
};

/* Every codec that was linked in; ends with NULL. The order is nobody's business. */
extern const struct codec *codec_all[];

#endif
