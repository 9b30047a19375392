/* The engine's clock. */
#ifndef SWITCHROOM_CLOCK_H
#define SWITCHROOM_CLOCK_H

#include <stdint.h>
#include <time.h>

#define SECOND 1000000000ull

static inline uint64_t monotonic(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

#endif
