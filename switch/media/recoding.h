/* Sound of one form of G.711 on its way to an end that knows the other: each octet becomes another, and the payload type
 * becomes that end's. All else leaves as it came, as in a relay.
 */
#ifndef SWITCHROOM_RECODING_H
#define SWITCHROOM_RECODING_H

#include "engine_core.h"

static inline bool is_recoded(const struct program *program)
{
    return program->recoding.count != 0;
}

static inline const struct retyped *retyped_of(const struct recoding *recoding, uint8_t type)
{
    for (int i = 0; i < recoding->count; i++)
        if (recoding->types[i].from == type)
            return &recoding->types[i];
    return NULL;
}

/* A packet that was admitted: its lengths fit. False: its payload type was not agreed, and nobody could read it. */
static bool recode(const struct engine *engine, const struct recoding *recoding, uint8_t *data, size_t size)
{
    const struct retyped *found = retyped_of(recoding, data[1] & 0x7F);
    if (found == NULL)
        return false;
    data[1] = (uint8_t)((data[1] & 0x80) | found->to);
    if (!found->is_sound)
        return true;
    const uint8_t *table = engine->octets[recoding->form];
    size_t end = size - (data[0] & 0x20 ? data[size - 1] : 0);
    for (size_t at = rtp_payload_at(data); at < end; at++)
        data[at] = table[data[at]];
    return true;
}

#endif
