/* Secured ends: what is SRTP, and what is handed up to the loop's thread (connectivity checks, DTLS).
 *
 * A check is handed up only when it names us, an answer only when it is to one of our transactions, a handshake only
 * when it comes from where the leg is (THREATS A5, C10). What is handed up is counted for each end, and waits in a ring
 * that is full at some point: whoever sends more than that is not heard.
 */
#ifndef SWITCHROOM_SHIELD_H
#define SWITCHROOM_SHIELD_H

#include "engine_core.h"

enum { STUN_HEADER = 20, STUN_USERNAME = 0x0006, STUN_ATTRIBUTES = 32, MAX_HANDED = 100 };
#define STUN_COOKIE 0x2112A442u

/* RFC 7983 section 7 */
static inline bool is_stun(const uint8_t *data, size_t size)
{
    return size >= STUN_HEADER && data[0] < 4 && read32(data + 4) == STUN_COOKIE && size - STUN_HEADER == read16(data + 2);
}

static inline bool is_dtls(const uint8_t *data, size_t size)
{
    return size >= 13 && data[0] >= 20 && data[0] <= 63;
}

/* Whether USERNAME begins with our fragment and a colon; RFC 8445 section 7.2.2. */
static inline bool stun_names(const uint8_t *data, size_t size, const uint8_t *ufrag)
{
    size_t at = STUN_HEADER;
    for (int i = 0; i < STUN_ATTRIBUTES && at + 4 <= size; i++) {
        size_t length = read16(data + at + 2);
        if (length > size - at - 4)
            return false;
        if (read16(data + at) == STUN_USERNAME)
            return length > 8 && memcmp(data + at + 4, ufrag, 8) == 0 && data[at + 12] == ':';
        at += 4 + (length + 3) / 4 * 4;
    }
    return false;
}

static inline bool stun_is_ours(const struct shield *shield, const uint8_t *data, size_t size)
{
    bool is_answer = data[0] & 1;  /* success or error; section 5 of RFC 8489 */
    if (is_answer)
        return memcmp(data + 8, shield->mark, sizeof shield->mark) == 0;
    return stun_names(data, size, shield->ufrag);
}

/* What becomes of a packet that is neither RTP nor RTCP: DROP_NONE means that it is to be handed up. */
static inline enum drop shield_admits(
    struct end *end, int channel, const uint8_t *data, size_t size, const union address *source)
{
    const struct shield *shield = &end->program.shield;
    if (channel != RTP || size > HANDED_SIZE)
        return DROP_MALFORMED;
    if (shield->has_ice && is_stun(data, size))
        return stun_is_ours(shield, data, size) ? DROP_NONE : DROP_UNAUTHENTIC;
    if (!shield->has_dtls || !is_dtls(data, size))
        return DROP_MALFORMED;
    return latch_may_admit(&end->latches[RTP], source, &end->program.home) ? DROP_NONE : DROP_SOURCE;
}

/* Clears a packet in place; DROP_UNAUTHENTIC leaves nothing changed but perhaps the packet. */
static inline enum drop shield_open(struct end *end, uint8_t *data, size_t *size, bool is_rtcp)
{
    struct protector *protector = end->protectors[INWARD];
    size_t clear = protector == NULL ? 0 : protector->unprotect(protector, data, *size, is_rtcp);
    if (clear == 0)
        return DROP_UNAUTHENTIC;
    *size = clear;
    return DROP_NONE;
}

/* Makes a packet that leaves by this end secret; 0: it must not leave. */
static inline size_t shield_close(struct end *end, uint8_t *data, size_t size, size_t room, bool is_rtcp)
{
    struct protector *protector = end->protectors[OUTWARD];
    return protector == NULL ? 0 : protector->protect(protector, data, size, room, is_rtcp);
}

/* Keys belong to one call: NULL takes them away. */
static inline void shield_secure(struct end *end, struct protector *inward, struct protector *outward)
{
    struct protector *fresh[WAYS] = {inward, outward};
    for (int way = 0; way < WAYS; way++) {
        if (end->protectors[way] != NULL)
            end->protectors[way]->release(end->protectors[way]);
        end->protectors[way] = fresh[way];
    }
}

#endif
