/* What the RTCP of an end says that concerns us, and RTCP of our own to it; RFC 3550 §6.4, 3611 §4.7.
 * Whatever is read here was checked by rtcp_is_valid() and comes from the right address.
 */
#ifndef SWITCHROOM_REPORTS_H
#define SWITCHROOM_REPORTS_H

#include "bundle.h"
#include "engine_core.h"
#include "keeping.h"
#include "shield.h"

enum { RTCP_XR = 207, XR_VOIP_METRICS = 7, XR_VOIP_SIZE = 36, XR_R_FACTOR = 24, XR_MOS_CQ = 27 };

/* The middle of an NTP time stands for a sender report; §4. */
static inline uint32_t middle_of(const uint8_t *report)
{
    return read32(report + 10);
}

/* LSR names the last report that went to this end: what passed since then, but for its own delay, is the round trip. */
static void read_block(struct reports *reports, const uint8_t *block, uint64_t now)
{
    uint32_t middle = read32(block + 16), waited = read32(block + 20);
    reports->block_ssrc = read32(block);
    reports->fraction_lost = block[4];
    reports->lost = (int32_t)(read32(block + 4) << 8) >> 8;
    reports->jitter = read32(block + 12);
    reports->block_at = now;
    if (middle == 0 || middle != reports->told_middle)
        return;
    uint64_t delay = (uint64_t)waited * (SECOND >> 8) >> 8, passed = now - reports->told_at;
    if (delay <= passed)
        reports->round_trip = passed - delay;
}

static void read_extended(struct reports *reports, const uint8_t *part, size_t length)
{
    for (size_t at = 8; at + 4 <= length;) {
        size_t size = 4 + 4u * read16(part + at + 2);
        if (size > length - at)
            return;
        if (part[at] == XR_VOIP_METRICS && size == XR_VOIP_SIZE) {
            reports->r_factor = part[at + XR_R_FACTOR];
            reports->mos = part[at + XR_MOS_CQ];
        }
        at += size;
    }
}

/* A compound that came from `end`; it goes on to `peer`, if to anybody. */
static void read_reports(struct end *end, struct end *peer, const uint8_t *data, size_t size, uint64_t now)
{
    atomic_fetch_add(&end->turn, 1);
    for (size_t at = 0; at < size;) {
        const uint8_t *part = data + at;
        size_t length = 4 + 4u * read16(part + 2);
        unsigned blocks = part[0] & 0x1F, first = part[1] == RTCP_SR ? RTCP_HEADER + SENDER_INFO : RTCP_HEADER;
        if (part[1] == RTCP_SR) {
            end->reports.sender_middle = middle_of(part);
            end->reports.sender_at = now;
            if (peer != NULL) {
                peer->reports.told_middle = middle_of(part);
                peer->reports.told_at = now;
            }
        }
        if ((part[1] == RTCP_SR || part[1] == RTCP_RR) && blocks > 0)
            read_block(&end->reports, part + first, now);
        else if (part[1] == RTCP_XR)
            read_extended(&end->reports, part, length);
        at += length;
    }
    atomic_fetch_add(&end->turn, 1);
}

static void note_reports(struct engine *engine, struct end *end, const uint8_t *data, size_t size, uint64_t now)
{
    if (end->program.is_rtp && !end->program.is_secured && packet_is_rtcp(data, size))
        read_reports(end, end->converter == NULL ? &engine->ends[end->program.peer] : NULL, data, size, now);
}

/* -- what converted sound leaves as: our own reports speak of it */

static void note_made(struct end *from, const uint8_t *packet, size_t size, uint64_t now)
{
    struct made *made = &from->made;
    SET(made->ssrc, read32(packet + 8));
    SET(made->timestamp, read32(packet + 4));
    SET(made->at, now);
    SET(made->octets, made->octets + size - RTP_HEADER);
    COUNT(made->packets);
}

/* -- ours */

static void send_report(struct engine *engine, struct end *end, struct datagram *report, uint64_t now)
{
    uint8_t *data = report->data;
    uint32_t middle = data[1] == RTCP_SR ? middle_of(data) : 0;
    size_t size = report->size;
    struct end *carrier = carrier_of(engine->ends, end);
    if (carrier == NULL)
        return;
    int channel = carrier->program.is_mux ? RTP : RTCP;
    const union address *to = &carrier->latches[channel].remote;
    if (end->program.is_secured || to->any.sa_family == AF_UNSPEC)
        return;  /* keys that are not ours; nobody to tell */
    keep(engine, carrier, channel, to, true, data, size);
    if (carrier->program.shield.is_on)
        size = shield_close(carrier, data, size, size + PROTECTION_ROOM, true);
    if (size == 0 || sendto(carrier->fds[channel], data, size, 0, &to->any, address_size(to)) < 0 || middle == 0)
        return;
    end->reports.told_middle = middle;
    end->reports.told_at = now;
}

#endif
