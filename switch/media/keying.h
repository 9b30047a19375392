/* Keys that were told by signalling (SIP INFO) on their way into sound that passes: as telephone-event (RFC 4733) or, where
 * the other end has none, as tones of G.711.
 *
 * A key takes the place of the sound of its time: packets keep their sequence numbers, nothing is renumbered. Who says
 * the key itself as well (telephone-event in its stream) is not heard twice.
 */
#ifndef SWITCHROOM_KEYING_H
#define SWITCHROOM_KEYING_H

#include <stdlib.h>

#include "conversion/tones.h"
#include "engine_core.h"

enum { EVENT_SIZE = 4, EVENT_VOLUME = 10, EVENT_COPIES = 3, KEY_GAP = 3, PCMU_TYPE = 0, PCMA_TYPE = 8, MOST_PACKETS = 1000 };
#define SAME_KEY (SECOND * 3 / 2)  /* within which a key of signalling and one of sound are one */

/* ITU-T G.711, from 16 bits. */
static inline uint8_t to_ulaw(int16_t sample)
{
    int sign = sample < 0 ? 0x80 : 0, level = (sample < 0 ? -(int)sample : sample) + 132, segment = 7;
    if (level > 32767)
        level = 32767;
    for (int mask = 0x4000; (level & mask) == 0 && segment > 0; mask >>= 1)
        segment--;
    return (uint8_t)~(sign | segment << 4 | (level >> (segment + 3) & 0x0F));
}

static inline uint8_t to_alaw(int16_t sample)
{
    int sign = sample < 0 ? 0 : 0x80, level = sample < 0 ? ~(int)sample : sample, segment = 7;
    for (int mask = 0x4000; (level & mask) == 0 && segment > 0; mask >>= 1)
        segment--;
    int mantissa = segment == 0 ? level >> 4 : level >> (segment + 3);
    return (uint8_t)((sign | segment << 4 | (mantissa & 0x0F)) ^ 0x55);
}

static void forget_keys(struct end *end)
{
    free(end->keying);
    end->keying = NULL;
}

static void press_key(struct end *end, const struct key_press *press, uint64_t now)
{
    if (end->keying == NULL && (end->keying = calloc(1, sizeof *end->keying)) == NULL)
        return;
    struct keying *keying = end->keying;
    keying->event_type = press->type;
    bool is_said = keying->said_at != 0 && keying->said == press->number && now - keying->said_at < SAME_KEY;
    if (!is_said && keying->count < KEYS_WAITING)
        keying->waiting[keying->count++] = *press;
}

static void end_key(struct keying *keying)
{
    keying->count--;
    memmove(keying->waiting, keying->waiting + 1, keying->count * sizeof *keying->waiting);
    keying->packets = keying->copies = 0;
    keying->gap = KEY_GAP;
}

/* Where the payload of a packet begins, 0: nowhere. */
static size_t payload_at(const uint8_t *data, size_t size)
{
    size_t header = RTP_HEADER + 4u * (data[0] & 0x0F);
    size_t at = size >= header + 4 ? rtp_payload_at(data) : header;
    return at < size ? at : 0;
}

/* The sender's own telephone-event passes; what signalling says of the same key is forgotten. */
static void note_own_key(struct keying *keying, uint8_t number, uint64_t now)
{
    if (keying->count != 0 && keying->packets == 0 && keying->waiting[0].number == number)
        end_key(keying);
    keying->said = number;
    keying->said_at = now;
}

static size_t write_event(struct keying *keying, uint8_t *data, size_t at, uint32_t passed, uint32_t wanted)
{
    const struct key_press *press = &keying->waiting[0];
    bool is_end = passed >= wanted;
    if (keying->copies == 0)
        keying->duration = passed > UINT16_MAX ? UINT16_MAX : passed;
    data[0] &= (uint8_t)~0x20;  /* no padding */
    data[1] = (uint8_t)(press->type | (keying->packets == 0 ? 0x80 : 0));
    for (int i = 0; i < 4; i++)
        data[4 + i] = (uint8_t)(keying->began >> (24 - 8 * i));
    data[at] = press->number;
    data[at + 1] = (uint8_t)(EVENT_VOLUME | (is_end ? 0x80 : 0));
    data[at + 2] = (uint8_t)(keying->duration >> 8);
    data[at + 3] = (uint8_t)keying->duration;
    if (is_end && ++keying->copies == EVENT_COPIES)
        end_key(keying);
    return at + EVENT_SIZE;
}

static void write_tones(struct keying *keying, uint8_t *data, size_t at, size_t size, uint32_t from, uint32_t wanted)
{
    int16_t pcm[DATAGRAM_SIZE];
    data[0] &= (uint8_t)~0x20;  /* padding becomes sound */
    int count = (int)(size - at);
    key_tones(keying->waiting[0].number, (int)from, 8000, pcm, count);
    for (int i = 0; i < count; i++)
        data[at + (size_t)i] = (data[1] & 0x7F) == PCMU_TYPE ? to_ulaw(pcm[i]) : to_alaw(pcm[i]);
    if (from + (uint32_t)count >= wanted)
        end_key(keying);
}

static bool has_keys(const struct end *end)
{
    return end->keying != NULL && end->keying->count != 0;
}

/* A packet that leaves, with the key that waits in place of its sound if there is one; returns its size. */
static size_t key_packet(struct end *end, uint8_t *data, size_t size, uint64_t now)
{
    struct keying *keying = end->keying;
    size_t at = size >= RTP_HEADER ? payload_at(data, size) : 0;
    if (at == 0)
        return size;
    uint8_t type = data[1] & 0x7F;
    if (type == keying->event_type) {
        note_own_key(keying, data[at], now);
        return size;
    }
    uint32_t timestamp = read32(data + 4), step = timestamp - keying->timestamp;
    keying->timestamp = timestamp;
    if (keying->count == 0 || (keying->gap != 0 && keying->gap--))
        return size;
    const struct key_press *press = &keying->waiting[0];
    bool is_event = press->type != NO_PAYLOAD_TYPE;
    if (!is_event && type != PCMU_TYPE && type != PCMA_TYPE)
        return size;
    if (step == 0 || step > press->rate)
        step = press->rate / 50;
    if (keying->packets == 0)
        keying->began = timestamp;
    uint32_t wanted = press->rate / 1000 * press->ms, passed = timestamp - keying->began;
    if (passed > 10 * press->rate || keying->packets > MOST_PACKETS) {  /* it has begun anew meanwhile */
        end_key(keying);
        return size;
    }
    if (is_event)
        size = write_event(keying, data, at, passed + step, wanted);
    else
        write_tones(keying, data, at, size, passed, wanted);
    if (keying->count != 0 && keying->gap == 0)
        keying->packets++;
    return size;
}

#endif
