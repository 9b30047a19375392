/* What the engine's thread does with the RTP of an end, where that does not pass as it is: packets in, other packets
 * out. The loop's thread makes it and hands it over; from then on it is the engine's, which destroys it.
 *
 * A converter of two ends without a codec in common works packet by packet. One whose other side is the switch itself
 * works by the clock: it hears at each tick, then all make what they say.
 */
#ifndef SWITCHROOM_CONVERTER_H
#define SWITCHROOM_CONVERTER_H

#include <stddef.h>
#include <stdint.h>

#include "clock.h"

#define FRAME (SECOND / 50)     /* of sound that is made or heard here */
#define BEAT (SECOND / 1000)
enum { BEATS = 20 };            /* milliseconds in a frame, in one of which a tick begins */

static inline int beat_of(uint64_t now)
{
    return (int)(now / BEAT % BEATS);
}

struct converter {
    /* A packet that was admitted: its header is whole. `now` is monotonic, in nanoseconds. */
    void (*take)(struct converter *converter, const uint8_t *data, size_t size, uint64_t now);
    /* The next packet to send, written to `packet`; returns its octets, 0: there is none now. */
    size_t (*make)(struct converter *converter, uint8_t *packet, size_t room);
    /* Go on with the SSRC, numbers and times of the one that is replaced. */
    void (*follow)(struct converter *converter, const struct converter *before);
    void (*destroy)(struct converter *converter);
    /* A tick of 20 ms begins at `now`. NULL: the converter has no use for it. */
    void (*hear)(struct converter *converter, uint64_t now);
    /* With hear(): asked after the tick at `now` and what was said in it, the beat for the next one. */
    int (*beat)(struct converter *converter, uint64_t now);
    /* The mode in which who speaks here wants to hear, asked for since the last call (AMR); -1: none. NULL: never. */
    int (*request)(struct converter *converter);
    /* Encode in that mode from now on, if that can be. NULL: never. */
    void (*obey)(struct converter *converter, int mode);
};

/* Something for the engine's thread to do, once; `run` frees it. */
struct errand {
    void (*run)(struct errand *errand);
};

#endif
