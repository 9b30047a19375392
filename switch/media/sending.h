/* Packets on their way out by one port, in batches. */
#ifndef SWITCHROOM_SENDING_H
#define SWITCHROOM_SENDING_H

#include "raw.h"

static void flush_many(struct engine *engine, struct end *from)
{
    struct outgoing *out = &engine->outgoing;
    for (unsigned done = 0; done < out->count;) {
        int sent = sendmmsg(out->fd, out->headers + done, out->count - done, 0);
        if (sent <= 0)
            count_drop(engine, from, DROP_UNSENT);  /* the kernel refused this one; go on behind it */
        else
            SET(engine->totals.packets, engine->totals.packets + (unsigned)sent);
        done += sent <= 0 ? 1 : (unsigned)sent;
    }
}

static void flush(struct engine *engine, struct end *from)
{
    struct outgoing *out = &engine->outgoing;
    const struct iovec *iov = &out->iov[0];
    if (out->count > 1)
        flush_many(engine, from);
    else if (out->count == 0)
        return;
    else if (sendto(out->fd, iov->iov_base, iov->iov_len, 0, &out->to->any, address_size(out->to)) < 0)
        count_drop(engine, from, DROP_UNSENT);
    else
        COUNT(engine->totals.packets);
    out->count = 0;
}

#endif
