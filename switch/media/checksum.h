/* The Internet checksum, RFC 1071, and what changes of a packet do to it, RFC 1624. */
#ifndef SWITCHROOM_CHECKSUM_H
#define SWITCHROOM_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* `size` is even. */
static inline uint32_t sum_of(const void *data, size_t size)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < size; i += 2) {
        uint16_t word;
        memcpy(&word, (const uint8_t *)data + i, 2);
        sum += word;
    }
    return sum;
}

static inline uint32_t folded(uint32_t sum)
{
    sum = (sum >> 16) + (sum & 0xFFFF);
    return (sum >> 16) + (sum & 0xFFFF);
}

/* What a checksum's complement grows by when `before` becomes `after`. */
static inline uint32_t difference_of(uint32_t before, uint32_t after)
{
    return after + (~folded(before) & 0xFFFF);
}

#endif
