/* The names of the keys (RFC 4733 §3.2), and how they sound (ITU-T Q.23). */
#ifndef SWITCHROOM_CONVERSION_TONES_H
#define SWITCHROOM_CONVERSION_TONES_H

#include <math.h>
#include <stdint.h>

#define KEY_LEVEL 5000  /* of each of a key's tones: -13 dBm0, ITU-T Q.24 has them at most at 0 */

static const char key_names[] = "0123456789*#ABCD";
static const uint16_t key_rows[] = {941, 697, 697, 697, 770, 770, 770, 852, 852, 852, 941, 941, 697, 770, 852, 941};
static const uint16_t key_columns[] = {1336, 1209, 1336, 1477, 1209, 1336, 1477, 1209, 1336, 1477, 1209, 1477,
                                       1633, 1633, 1633, 1633};

/* The two tones of a key, from its `from`th sample on; ITU-T Q.23. */
static void key_tones(uint8_t number, int from, int rate, int16_t *pcm, int count)
{
    double row = 2 * M_PI * key_rows[number] / rate, column = 2 * M_PI * key_columns[number] / rate;
    for (int i = 0; i < count; i++)
        pcm[i] = (int16_t)(KEY_LEVEL * (sin(row * (from + i)) + sin(column * (from + i))));
}

#endif
