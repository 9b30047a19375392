/* What is done to samples between decoding and encoding: 16-bit mono PCM, no Python, no lock, no clock. Every state
   belongs to one thread at a time. Rates (Hz) are 8000 to 48000; sizes count samples. */

#ifndef SWITCHROOM_SOUND_H
#define SWITCHROOM_SOUND_H

#include <stddef.h>
#include <stdint.h>

#define SOUND_RATE_MAX 48000
#define SOUND_MEMBERS_MAX 65535 /* their sum fits 32 bits */

/* -- mix.c: mixing, levels, gain */

/* out[i] is the sum of all but in[i], saturated. out[i] may be in[i]; NULL in `out` is a member who does not listen. */
void sound_mix(const int16_t *const *in, int16_t *const *out, size_t members, size_t samples);

/* Below full scale in dB, 0 to 127, 127 for silence; RFC 6464 §3, RFC 6465 §4. */
int sound_level(const int16_t *pcm, size_t samples);

/* Multiply by `gain` (1.0 is unchanged), which is reached from `*from` on the way and kept there; saturates. */
void sound_gain(int16_t *pcm, size_t samples, float *from, float gain);

struct agc {
    float target;    /* rms */
    float most;      /* gain */
    float gain;
    float loudness;  /* rms of what was spoken lately */
};
void agc_init(struct agc *agc, int target_level, float most);
/* Bring frames of about 20 ms to the target, those with speech in them being measured; never beyond full scale. */
void agc_run(struct agc *agc, int16_t *pcm, size_t samples, int is_speech);

/* -- noise.c: voice activity, comfort noise */

struct vad {
    float floor;     /* dB: level of what is there in pauses */
    int hangover;    /* samples that still count as speech */
    int rate;
    int has_floor;
};
void vad_init(struct vad *vad, int rate);
/* Whether a frame of 10 to 60 ms has speech in it, or had it within the last 200 ms. */
int vad_run(struct vad *vad, const int16_t *pcm, size_t samples);

#define NOISE_ORDER 10
#define NOISE_PAYLOAD_MAX (1 + NOISE_ORDER)

/* Describe a frame of noise in RFC 3389's payload; returns its octets. */
size_t noise_describe(const int16_t *pcm, size_t samples, uint8_t payload[NOISE_PAYLOAD_MAX]);

struct noise {
    float reflection[NOISE_ORDER], backward[NOISE_ORDER + 1];
    float wanted, gain;  /* of the excitation; the one follows the other, so that nothing clicks */
    uint32_t seed;
};
void noise_init(struct noise *noise, uint32_t seed);
/* Take a payload; coefficients beyond NOISE_ORDER are left out. Returns 0, or -1 for one that says nothing. */
int noise_set(struct noise *noise, const uint8_t *payload, size_t octets);
void noise_run(struct noise *noise, int16_t *pcm, size_t samples);

/* -- conceal.c: what did not come, for codecs that cannot guess it themselves; after G.711 Appendix I */

#define CONCEAL_HISTORY (SOUND_RATE_MAX * 39 / 800) /* 48.75 ms: three and a quarter of the longest pitch */

struct conceal {
    int rate, history;        /* samples that are looked back at */
    int pitch, periods;       /* of what is repeated now */
    int at;                   /* place in what is repeated */
    int erased;               /* samples since the last that came */
    float step;               /* between the last sample and the first repeated one */
    int16_t past[CONCEAL_HISTORY];   /* what was heard last, the newest at the end */
    int16_t loop[CONCEAL_HISTORY];   /* what is repeated: the last `periods` pitch periods */
};
void conceal_init(struct conceal *conceal, int rate);
/* What came is remembered, and its beginning made to follow what was made up. */
void conceal_good(struct conceal *conceal, int16_t *pcm, size_t samples);
/* Make up what did not come; silence after 60 ms. No delay is added. */
void conceal_lost(struct conceal *conceal, int16_t *pcm, size_t samples);

/* -- stretch.c: the same sound in more or less time */

/* Make `pcm` longer (`wanted` > 0 samples) or shorter by about so many, by whole pitch periods where it has any; as far
   as that is not heard: perhaps not at all. There must be room for twice the samples. Returns how many there are. */
int stretch_run(int16_t *pcm, int samples, int rate, int wanted);

/* -- tones.c: DTMF in the sound; ITU-T Q.23, Q.24 */

#define DTMF_WINDOW_MAX (SOUND_RATE_MAX * 51 / 4000) /* 12.75 ms; one looks every half of it */

struct dtmf {
    int rate, window, hop;
    int fresh;                       /* samples since the last look */
    float coefficient[8], cosine[8], sine[8], advance[8];  /* four rows, four columns */
    float phase[8];                  /* of the look before */
    char candidate, current;         /* keys, or 0 */
    int hits, misses;
    int16_t past[DTMF_WINDOW_MAX];
};
void dtmf_init(struct dtmf *dtmf, int rate);
/* Look for keys: writes those that begin to `keys` (at most samples / hop + 1 of them) and returns how many.
   dtmf->current is the one that is down, else 0. */
size_t dtmf_run(struct dtmf *dtmf, const int16_t *pcm, size_t samples, char *keys, size_t room);

#endif
