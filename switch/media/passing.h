/* What was admitted goes on its way: out by the other leg, or through a converter first. */
#ifndef SWITCHROOM_PASSING_H
#define SWITCHROOM_PASSING_H

#include "bundle.h"
#include "keeping.h"
#include "keying.h"
#include "raw.h"
#include "recoding.h"
#include "reports.h"
#include "sending.h"
#include "shield.h"

static void pass_on(struct engine *engine, struct end *from, int channel, uint8_t *data, size_t size)
{
    struct outgoing *out = &engine->outgoing;
    struct end *peer = &engine->ends[from->program.peer];
    struct end *end = carrier_of(engine->ends, peer);
    bool is_rtcp = channel == RTCP;
    if (end == NULL)
        end = peer;
    if (is_recoded(&from->program) && !is_rtcp && !recode(engine, &from->program.recoding, data, size))
        return;
    if (from->keying != NULL && !is_rtcp)
        size = key_packet(from, data, size, engine->woken_at);
    if (end->program.is_mux)
        channel = RTP;
    const union address *to = &end->latches[channel].remote;
    /* the pair may have moved on */
    bool is_linked = peer->is_armed && end->is_armed && end->program.call == from->program.call;
    if (!is_linked || to->any.sa_family == AF_UNSPEC) {
        count_drop(engine, from, is_linked ? DROP_UNSENT : DROP_UNLINKED);
        return;
    }
    keep(engine, end, channel, to, true, data, size);
    if (end->program.shield.is_on)
        size = shield_close(end, data, size, DATAGRAM_SIZE + PROTECTION_ROOM, is_rtcp);
    if (size == 0) {
        count_drop(engine, from, DROP_UNSENT);
        return;
    }
    SET(engine->totals.bytes, engine->totals.bytes + size);
    struct raw *raw = raw_of(engine, to);
    if (raw->fd >= 0 && end->is_raw) {
        put_raw(engine, raw, from, end, channel, to, data, size);
        return;
    }
    if (out->count != 0 && (out->to != to || out->fd != end->fds[channel]))
        flush(engine, from);
    out->fd = end->fds[channel];
    out->to = to;
    out->iov[out->count] = (struct iovec){data, size};
    out->headers[out->count].msg_hdr = (struct msghdr){
        .msg_name = (void *)&to->any,
        .msg_namelen = address_size(to),
        .msg_iov = &out->iov[out->count],
        .msg_iovlen = 1,
    };
    out->count++;
}

/* Send what an end's converter has made. */
static void say(struct engine *engine, struct end *from)
{
    struct outgoing *out = &engine->outgoing;
    struct converter *converter = from->converter;
    for (;;) {
        if (out->count == BATCH)
            flush(engine, from);
        uint8_t *packet = engine->made[out->count];
        size_t made = converter->make(converter, packet, DATAGRAM_SIZE);
        if (made == 0)
            return;
        note_made(from, packet, made, engine->woken_at);
        pass_on(engine, from, RTP, packet, made);
    }
}

/* What one asks for is a matter of what the other one's converter sends. */
static void carry_request(struct engine *engine, struct end *from)
{
    int mode = from->converter->request == NULL ? -1 : from->converter->request(from->converter);
    if (mode < 0 || from->program.peer == NO_END)
        return;
    struct end *peer = &engine->ends[from->program.peer];
    struct converter *back = peer->converter;
    if (back != NULL && back->obey != NULL && peer->program.call == from->program.call)
        back->obey(back, mode);
}

/* RTCP speaks of sources that the other end never hears of: it ends here. */
static void convert(
    struct engine *engine, struct end *from, int channel, const uint8_t *data, size_t size, uint64_t now)
{
    if (channel != RTP)
        return;
    from->converter->take(from->converter, data, size, now);
    carry_request(engine, from);
    say(engine, from);
}

#endif
