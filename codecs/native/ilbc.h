/* What the parts of iLBC (RFC 3951) share. Numbers in comments are the RFC's sections. */

#ifndef SWITCHROOM_ILBC_H
#define SWITCHROOM_ILBC_H

#include <stdint.h>

#define ORDER 10               /* of linear prediction */
#define TAPS (ORDER + 1)
#define BLOCK 40               /* samples of a sub-block */
#define BLOCKS_MAX 6
#define FRAME_MAX 240
#define STATE 80               /* samples of the two sub-blocks of the start state */
#define STATE_MAX 58           /* of which so many are coded as they are */
#define STAGES 3               /* of the code book */
#define MEMORY 147             /* samples that the adaptive code book remembers */
#define LSF_PARTS 3
#define LOOKBACK 60            /* samples of the frame before that an analysis sees */
#define ENHANCED 640           /* samples of residual that the enhancer keeps */
#define ENHANCED_BLOCK 80
#define ENHANCED_BLOCKS (ENHANCED / ENHANCED_BLOCK)

struct ilbc_mode {             /* of 20 or 30 ms */
    int samples, octets;
    int blocks;                /* sub-blocks; all but two are coded by the code book */
    int analyses;              /* sets of LSF */
    int state;                 /* samples of the start state that are coded as they are */
};

/* What is sent for one frame. */
struct ilbc_frame {
    int lsf[2 * LSF_PARTS];
    int start;                 /* which pair of sub-blocks has the start state, from 1 */
    int state_first;           /* whether it begins there, or ends there */
    int scale;
    int state[STATE_MAX];
    int extra[STAGES], extra_gain[STAGES];  /* for what is left of the pair */
    int index[BLOCKS_MAX - 2][STAGES], gain[BLOCKS_MAX - 2][STAGES];
};

/* -- ilbc_lpc.c: spectra */

struct ilbc_spectrum {         /* of the frame before */
    float lsf[ORDER], lsf_sent[ORDER];
};
void ilbc_spectrum_reset(struct ilbc_spectrum *spectrum);
/* Analyse the frame at the end of `past` (LOOKBACK + FRAME_MAX samples), choose frame->lsf, and give one filter a
   sub-block: `synthesis` as the decoder will have it, `weighting` of what was not quantised. */
void ilbc_analyse(const struct ilbc_mode *mode, struct ilbc_spectrum *spectrum, const float *past,
                  struct ilbc_frame *frame, float synthesis[][TAPS], float weighting[][TAPS]);
void ilbc_synthesis(const struct ilbc_mode *mode, struct ilbc_spectrum *spectrum, const struct ilbc_frame *frame,
                    float synthesis[][TAPS]);

/* In place; what came out before stands in front of `samples`. */
void ilbc_all_pole(float *samples, const float *filter, int count);

/* -- ilbc_state.c: the start state (3.5, 4.2) */

void ilbc_find_state(const struct ilbc_mode *mode, const float *residual, struct ilbc_frame *frame);
int ilbc_state_at(const struct ilbc_mode *mode, const struct ilbc_frame *frame);
void ilbc_code_state(const struct ilbc_mode *mode, const float *residual, const float synthesis[][TAPS],
                     const float weighting[][TAPS], struct ilbc_frame *frame);
void ilbc_make_state(const struct ilbc_mode *mode, const struct ilbc_frame *frame, const float *synthesis,
                     float *residual);

/* -- ilbc_book.c: the adaptive code book (3.6, 4.3, 4.4) */

/* What is searched for or made: `count` samples after `size` samples of memory, of which `memory` is the end. */
struct ilbc_book {
    const float *memory;
    int size, count;
    int turn;                  /* 0: the rest of the state; else the how manieth sub-block */
};
void ilbc_search(const struct ilbc_book *book, const float *wanted, const float *weighting, int *index, int *gain);
void ilbc_construct(const struct ilbc_book *book, const int *index, const int *gain, float *made);

/* -- ilbc_rest.c: what is left around the start state, ahead and back (3.6, 4.1) */

/* Encode (wanted: the residual; frame is filled in) or decode (wanted: NULL) everything but the state itself, which
   stands in `residual`. */
void ilbc_rest(const struct ilbc_mode *mode, const float *wanted, const float weighting[][TAPS],
               struct ilbc_frame *frame, float *residual);

/* -- ilbc_enhance.c: the decoder's enhancer and concealment (4.5, 4.6) */

struct ilbc_enhancer {
    float past[ENHANCED];
    float period[ENHANCED_BLOCKS];
};
void ilbc_enhancer_reset(struct ilbc_enhancer *enhancer);
/* Enhance a frame of residual; what comes out is 40 (20 ms) or 80 (30 ms) samples late. Returns the pitch lag. */
int ilbc_enhance(const struct ilbc_mode *mode, struct ilbc_enhancer *enhancer, const float *residual,
                 int was_concealed, float *out);

struct ilbc_concealment {
    int lost;                  /* frames in a row */
    int lag;
    float period;              /* how much the last good frame was a pitch, 0 to 1 */
    uint32_t seed;
    float filter[TAPS], residual[FRAME_MAX];
};
void ilbc_concealment_reset(struct ilbc_concealment *concealment);
void ilbc_came(const struct ilbc_mode *mode, struct ilbc_concealment *concealment, const float *residual,
               const float *filter);
void ilbc_lost(const struct ilbc_mode *mode, struct ilbc_concealment *concealment, int lag, float *residual,
               float *filter);

#endif
