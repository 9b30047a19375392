/* Copies of what passes at an end, if anybody wants them. */
#ifndef SWITCHROOM_KEEPING_H
#define SWITCHROOM_KEEPING_H

#include "clock.h"
#include "engine_core.h"

static void keep(
    struct engine *engine, const struct end *end, int channel, const union address *remote, bool is_out,
    const uint8_t *data, size_t size)
{
    if (engine->capture == NULL)
        return;
    struct captured record = {.at = monotonic(), .call = end->program.call, .size = (uint32_t)size};
    union address local = end->local;
    if (channel == RTCP)
        local.v4.sin_port = htons(ntohs(local.v4.sin_port) + 1);  /* same place in v6 */
    record.source = is_out ? local : *remote;
    record.destination = is_out ? *remote : local;
    capture_packet(engine->capture, &record, data);
}

#endif
