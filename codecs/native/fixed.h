/* The 16-bit arithmetic that ITU-T and ETSI write their codecs in. */

#ifndef SWITCHROOM_FIXED_H
#define SWITCHROOM_FIXED_H

#include <stdint.h>

static inline int clamp(int value, int least, int most)
{
    return value < least ? least : value > most ? most : value;
}

static inline int saturate(int value)
{
    return clamp(value, -32768, 32767);
}

/* A product of two fractions; -1 times -1 is as near to 1 as it gets. */
static inline int mult(int a, int b)
{
    return saturate(a * b >> 15);
}

static inline int mult_r(int a, int b)
{
    return saturate((a * b + 16384) >> 15);
}

/* By how many bits a positive number can go left without a change of sign. */
static inline int norm(int32_t value)
{
    return __builtin_clz((uint32_t)value) - 1;
}

#endif
