/* What the engine's thread does with the RTP of a direction whose two ends have no codec in common: packets in, other
 * packets out. The loop's thread makes it and hands it over; from then on it is the engine's, which destroys it.
 */
#ifndef SWITCHROOM_CONVERTER_H
#define SWITCHROOM_CONVERTER_H

#include <stddef.h>
#include <stdint.h>

struct converter {
    /* A packet that was admitted: its header is whole. `now` is monotonic, in nanoseconds. */
    void (*take)(struct converter *converter, const uint8_t *data, size_t size, uint64_t now);
    /* The next packet to send, written to `packet`; returns its octets, 0: there is none now. */
    size_t (*make)(struct converter *converter, uint8_t *packet, size_t room);
    /* Go on with the SSRC, numbers and times of the one that is replaced. */
    void (*follow)(struct converter *converter, const struct converter *before);
    void (*destroy)(struct converter *converter);
};

#endif
