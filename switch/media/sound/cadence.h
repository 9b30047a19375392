/* When stations that belong together are asked: a packet that comes just after a tick waits for the next one, so ticks
 * are best just behind the packets of those who speak.
 */
#ifndef SWITCHROOM_CADENCE_H
#define SWITCHROOM_CADENCE_H

#include "station.h"
#include "switch/media/converter.h"

/* The beat after the tick at `now`; all members get the same answer. */
int cadence_next(struct cadence *cadence, struct station *const *members, int count, uint64_t now);
/* Whether `now` is a tick of all members. */
bool cadence_has(const struct cadence *cadence, uint64_t now);

#endif
