/* Keys between telephone-event (RFC 4733) and the sound (ITU-T Q.23), where only one of the two ends has the former. */
#ifndef SWITCHROOM_CONVERSION_KEYS_H
#define SWITCHROOM_CONVERSION_KEYS_H

#include "output.h"
#include "tones.h"

enum {
    KEYS = 16, KEY_VOLUME = 10, END_COPIES = 3,  /* RFC 4733 §2.5.1.4 */
    MOST_KEYS = 64,                              /* that can begin in one packet */
    LIKELY = 2,                                  /* looks in a row that saw the same key */
};

static void tell_key(struct transcoder *t, bool is_first, bool is_end)
{
    uint8_t number = (uint8_t)(strchr(key_names, t->key.name) - key_names);
    uint8_t event[EVENT_OCTETS] = {number, (uint8_t)(KEY_VOLUME | (is_end ? 0x80 : 0))};
    write16(event + 2, t->key.ticks > UINT16_MAX ? UINT16_MAX : (uint16_t)t->key.ticks);
    get_ready(t, t->terms.event_type, is_first, t->event_out, event, sizeof event);
    t->ready.copies = is_end ? END_COPIES : 1;
}

/* A key in the sound that is decoded: it leaves as telephone-event, and is heard no more once it is known, nor while it
 * is likely. The tones that have left by then, of some 20 ms, nobody may take for a key (ITU-T Q.24). */
static bool withhold_key(struct transcoder *t, struct voice *voice, const struct incoming *incoming, int count,
                         uint32_t ticks)
{
    char found[MOST_KEYS];
    dtmf_run(voice->dtmf, decoded, (size_t)count, found, sizeof found);
    char down = voice->dtmf->current;
    if (t->key.name != 0 && down != t->key.name) {
        tell_key(t, false, true);
        t->key.name = 0;
        jump(t, t->key.withheld, incoming->clock_rate);
    }
    if (down == 0) {
        if (voice->dtmf->hits >= LIKELY)
            memset(decoded, 0, (size_t)count * sizeof *decoded);
        return false;
    }
    if (t->key.name == 0) {
        t->key = (struct key){.name = down};
        t->event_out = time_at_end(t);
    }
    bool is_first = t->key.ticks == 0;
    t->key.withheld += ticks;
    if (t->ready.copies != 0)  /* with the end of the key before */
        return true;
    t->key.ticks = (uint32_t)((int64_t)t->key.withheld * t->terms.event_rate / incoming->clock_rate);
    tell_key(t, is_first, false);
    return true;
}

#endif
