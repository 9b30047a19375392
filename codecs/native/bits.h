/* Fields of bits in octets, the highest bit first. Reading past the end gives zeros and is noticed. */

#ifndef SWITCHROOM_BITS_H
#define SWITCHROOM_BITS_H

#include <stddef.h>
#include <stdint.h>

struct bits {
    const uint8_t *octets;
    size_t at, end;  /* bits */
};

static inline unsigned bits_take(struct bits *bits, int count)
{
    unsigned value = 0;
    for (; count; count--, bits->at++) {
        value <<= 1;
        if (bits->at < bits->end)
            value |= bits->octets[bits->at >> 3] >> (7 - (bits->at & 7)) & 1u;
    }
    return value;
}

/* `octets` are zero where nothing has been put yet. */
static inline void bits_put(uint8_t *octets, size_t *at, unsigned value, int count)
{
    while (count--) {
        octets[*at >> 3] |= (uint8_t)((value >> count & 1) << (7 - (*at & 7)));
        ++*at;
    }
}

#endif
