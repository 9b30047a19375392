/* Several m-lines on one transport; RFC 8843.
 *
 * An end that is carried has a count, a converter and a peer of its own, but another end's sockets, place and keys. What
 * comes in there belongs to the end whose line it names (MID, section 9.2), else to the one whose payload types it has,
 * and of several that have the same to the one that has named the source; RTCP goes to every end that it speaks of.
 */
#ifndef SWITCHROOM_BUNDLE_H
#define SWITCHROOM_BUNDLE_H

#include "engine_core.h"

enum { RTCP_TRANSPORT_FEEDBACK = 205, RTCP_PAYLOAD_FEEDBACK = 206, FEEDBACK_HEADER = 12, REMB_SOURCES = 20, MAX_BUNDLED = 16 };

static inline bool is_bundle(const struct end *end)
{
    return end->program.rider != NO_END;
}

static inline struct end *rider_after(struct end *ends, const struct end *end)
{
    return end->program.rider == NO_END ? NULL : &ends[end->program.rider];
}

/* Whose sockets and keys serve an end: mostly its own. NULL: they serve another call by now. */
static inline struct end *carrier_of(struct end *ends, struct end *end)
{
    if (end->program.carrier == NO_END)
        return end;
    struct end *carrier = &ends[end->program.carrier];
    return carrier->is_armed && carrier->program.call == end->program.call ? carrier : NULL;
}

static inline bool has_payload(const struct program *program, uint8_t payload_type)
{
    return program->payloads[payload_type >> 6] >> (payload_type & 63) & 1;
}

static inline bool has_declared(const struct program *program, uint32_t ssrc)
{
    for (int i = 0; i < DECLARED && program->declared[i] != 0; i++)
        if (program->declared[i] == ssrc)
            return true;
    return false;
}

static inline bool has_sent(const struct end *end, uint32_t ssrc)
{
    for (int i = 0; i < SOURCES; i++)
        if (end->sources[i] == ssrc)
            return true;
    return false;
}

static inline bool is_rider_of(const struct end *end, const struct end *carrier)
{
    return end->is_armed && end->program.call == carrier->program.call;
}

/* A source belongs to one line at a time. */
static inline void forget_source(struct end *ends, struct end *carrier, uint32_t ssrc)
{
    struct end *end = carrier;
    for (int i = 0; end != NULL && i < MAX_BUNDLED; i++, end = rider_after(ends, end))
        for (int j = 0; j < SOURCES; j++)
            if (end->sources[j] == ssrc)
                end->sources[j] = 0;
}

static inline bool is_its_name(const struct program *program, const struct element *element)
{
    return program->mid_size == element->size - element->header &&
           memcmp(program->mid, element->at + element->header, program->mid_size) == 0;
}

/* Whose line a packet names; NULL: nobody's. The name is blotted out: the other leg's lines have names of their own. */
static inline struct end *named_end(struct end *ends, struct end *carrier, const struct element *element)
{
    struct end *end = carrier;
    for (int i = 0; end != NULL && i < MAX_BUNDLED; i++, end = rider_after(ends, end))
        if (is_rider_of(end, carrier) && is_its_name(&end->program, element)) {
            memset(element->at, 0, element->size);
            return end;
        }
    return NULL;
}

/* Whose packet it is that came in at the carrier; NULL: it names a line that is nobody's. Without a name it is his who
 * has told or named the source before, and of a source that nobody has, the first's that has told none. */
static inline struct end *owner_of(
    struct end *ends, struct end *carrier, uint8_t *data, uint8_t payload_type, uint32_t ssrc)
{
    struct end *found = NULL, *known = NULL, *end = carrier;
    struct element element;
    if (carrier->program.mid_id != 0 && rtp_element(data, carrier->program.mid_id, &element)) {
        found = named_end(ends, carrier, &element);
        if (found != NULL && !has_sent(found, ssrc))
            forget_source(ends, carrier, ssrc);
        return found;
    }
    for (int i = 0; end != NULL && i < MAX_BUNDLED; i++, end = rider_after(ends, end)) {
        if (!has_payload(&end->program, payload_type) || !is_rider_of(end, carrier))
            continue;
        if (has_declared(&end->program, ssrc))
            return end;
        if (end->program.mid_id != 0 && has_sent(end, ssrc))
            known = end;
        if (found == NULL || (found->program.declared[0] != 0 && end->program.declared[0] == 0))
            found = end;
    }
    return known != NULL ? known : found == NULL ? carrier : found;
}

static inline void note_source(struct end *end, uint32_t ssrc)
{
    if (has_sent(end, ssrc))
        return;
    end->sources[end->next_source++ % SOURCES] = ssrc;
}

static inline bool has_source(const struct end *end, uint32_t ssrc)
{
    if (ssrc == 0)
        return false;  /* nobody has said anything yet */
    return end->statistics.ssrc == ssrc || end->made.ssrc == ssrc || has_declared(&end->program, ssrc) ||
           has_sent(end, ssrc);
}

/* Whether feedback is about what that peer sends; a bandwidth (REMB) names sources behind its header. */
static inline bool feedback_names(const uint8_t *part, size_t length, const struct end *peer)
{
    if (has_source(peer, read32(part + 8)))
        return true;
    if (length < REMB_SOURCES || memcmp(part + FEEDBACK_HEADER, "REMB", 4) != 0)
        return false;
    for (size_t i = 0; i < part[16] && REMB_SOURCES + 4 * i + 4 <= length; i++)
        if (has_source(peer, read32(part + REMB_SOURCES + 4 * i)))
            return true;
    return false;
}

/* Whether one packet of a compound, which was checked, speaks of an end: of what it sends, or of what its peer does. */
static inline bool part_names(const uint8_t *part, size_t length, const struct end *end, const struct end *peer)
{
    uint8_t type = part[1];
    if (length < RTCP_HEADER)
        return false;
    if (type == RTCP_TRANSPORT_FEEDBACK || type == RTCP_PAYLOAD_FEEDBACK)
        return length >= FEEDBACK_HEADER && feedback_names(part, length, peer);
    if (has_source(end, read32(part + 4)))
        return true;
    if (type != RTCP_SR && type != RTCP_RR)
        return false;
    size_t at = type == RTCP_SR ? RTCP_HEADER + SENDER_INFO : RTCP_HEADER;
    for (unsigned i = part[0] & 0x1F; i > 0; i--, at += REPORT_BLOCK)
        if (has_source(peer, read32(part + at)))
            return true;
    return false;
}

static inline bool compound_names(const uint8_t *data, size_t size, const struct end *end, const struct end *peer)
{
    for (size_t at = 0; at < size;) {
        size_t length = 4 + 4u * read16(data + at + 2);
        if (part_names(data + at, length, end, peer))
            return true;
        at += length;
    }
    return false;
}

#endif
