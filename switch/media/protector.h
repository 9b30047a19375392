/* What makes the packets of one direction of one leg secret, or clear again: SRTP, for all that the engine knows.
 *
 * The loop's thread makes it and hands it over; from then on only the engine uses it.
 */
#ifndef SWITCHROOM_PROTECTOR_H
#define SWITCHROOM_PROTECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PROTECTION_ROOM = 64 };  /* octets behind a packet that protection may need */

struct protector {
    /* Change a packet in place; the other direction of a protector is NULL. `room` counts from `data` on.
     * Returns the new size, 0: not authentic, repeated, or not to be sent in this way. */
    size_t (*protect)(struct protector *protector, uint8_t *data, size_t size, size_t room, bool is_rtcp);
    size_t (*unprotect)(struct protector *protector, uint8_t *data, size_t size, bool is_rtcp);
    /* It may have two owners: the engine, and whoever looks how far it got. The last one destroys it. */
    struct protector *(*share)(struct protector *protector);
    void (*release)(struct protector *protector);
};

#endif
