/* What becomes of one datagram: the checks in their order, without any socket (the fuzz test runs this). */
#ifndef SWITCHROOM_ADMIT_H
#define SWITCHROOM_ADMIT_H

#include "bundle.h"
#include "engine_core.h"
#include "shield.h"

static bool is_too_many(struct end *end, uint64_t now)
{
    if (end->program.max_rate == 0)
        return false;
    if (now - end->window_at >= SECOND) {
        end->window_at = now;
        end->window_count = 0;
    }
    return ++end->window_count > end->program.max_rate;
}

static enum drop admit_rtcp(
    struct end *end, struct latch *latch, uint8_t *data, size_t *size, const union address *source, uint64_t now)
{
    bool is_shielded = end->program.shield.is_on;
    if (!rtcp_is_valid(data, *size, end->program.is_secured || is_shielded))
        return DROP_MALFORMED;
    if (is_shielded) {
        if (!latch_may_admit(latch, source, &end->program.home))
            return DROP_SOURCE;
        if (shield_open(end, data, size, true) != DROP_NONE)
            return DROP_UNAUTHENTIC;
        if (!rtcp_is_valid(data, *size, false))
            return DROP_MALFORMED;
    }
    if (!latch_admits(latch, source, &end->program.home))
        return DROP_SOURCE;
    if (is_too_many(end, now))
        return DROP_RATE;
    COUNT(end->statistics.rtcp_packets);  /* a BYE in it is the other end's affair: signalling ends calls */
    end->rtcp_at = now;
    return DROP_NONE;
}

static enum drop admit_rtp(
    struct end *ends, struct end **owner, uint8_t *data, size_t *size, const union address *source, uint64_t now)
{
    struct end *end = *owner;
    struct latch *latch = &end->latches[RTP];
    struct rtp rtp;
    bool is_shielded = end->program.shield.is_on;
    if (!rtp_parse(data, *size, end->program.is_secured || is_shielded, &rtp))
        return DROP_MALFORMED;
    if (is_shielded) {  /* nothing is learnt from what is not authentic */
        if (!latch_may_admit(latch, source, &end->program.home))
            return DROP_SOURCE;
        if (shield_open(end, data, size, false) != DROP_NONE)
            return DROP_UNAUTHENTIC;
        if (!rtp_parse(data, *size, false, &rtp))
            return DROP_MALFORMED;
    }
    if (!latch_admits(latch, source, &end->program.home))
        return DROP_SOURCE;
    if (end->program.pins_ssrc && !latch_admits_ssrc(latch, rtp.ssrc, now))
        return DROP_SSRC;
    if (is_bundle(end) || end->program.mid_id != 0) {
        end = owner_of(ends, end, data, rtp.payload_type, rtp.ssrc);
        if (end == NULL)
            return DROP_UNLINKED;
        *owner = end;
    }
    if (is_too_many(end, now))
        return DROP_RATE;
    if (!end->program.pins_ssrc)
        note_source(end, rtp.ssrc);
    statistics_rtp(&end->statistics, &rtp, *size, now, end->program.clocks, end->program.clock_count);
    return DROP_NONE;
}

/* T.38 and whatever else is no RTP: only the source is looked at. */
static enum drop admit_other(
    struct end *end, struct latch *latch, size_t size, const union address *source, uint64_t now)
{
    if (!latch_admits(latch, source, &end->program.home))
        return DROP_SOURCE;
    if (is_too_many(end, now))
        return DROP_RATE;
    COUNT(end->statistics.packets);
    SET(end->statistics.bytes, end->statistics.bytes + size);
    SET(end->statistics.last_at, now);
    return DROP_NONE;
}

/* `owner` is the end at whose socket it came in, and then the one that it belongs to. */
static inline enum drop end_admit(
    struct end *ends, struct end **owner, int channel, uint8_t *data, size_t *size, const union address *source,
    uint64_t now, int *out_channel)
{
    struct end *end = *owner;
    *out_channel = channel;
    if (!end->is_armed || end->program.peer == NO_END)
        return DROP_UNLINKED;
    struct latch *latch = &end->latches[channel];
    bool is_other = !end->program.is_rtp || (end->program.has_others && !packet_is_rtp_or_rtcp(data, *size));
    if (is_other)
        return admit_other(end, latch, *size, source, now);
    if (channel == RTCP || (end->program.is_mux && packet_is_rtcp(data, *size))) {
        *out_channel = RTCP;
        return admit_rtcp(end, latch, data, size, source, now);
    }
    return admit_rtp(ends, owner, data, size, source, now);
}

#endif
