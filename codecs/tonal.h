/* Whether 40 ms of sound at 8 kHz are a tone of one or two frequencies. */

#ifndef SWITCHROOM_TONAL_H
#define SWITCHROOM_TONAL_H

#include <stdint.h>

#define TONAL_SIZE 320         /* samples: 40 ms, so that a line of the spectrum is 25 Hz */
#define TONAL_FIRST 8          /* the lines that are looked at: 200 to 2700 Hz */
#define TONAL_LINES 101

struct tonal {
    float window[TONAL_SIZE];
    float coefficient[TONAL_LINES];
};

void tonal_init(struct tonal *tonal);
/* The frequency (Hz), of a pair the lower one; 0 for silence, -1 for anything else. */
float tonal_look(const struct tonal *tonal, const int16_t pcm[TONAL_SIZE]);

#endif
