/* Packets that overtook each other, in their order again, without a clock.
 *
 * Nobody waits in a network that keeps the order. Where a packet came late, those after a gap wait from then on until
 * the gap is filled or as many wait as were seen to overtake; jitter is left to whose phone listens, as in a relay.
 */
#ifndef SWITCHROOM_ORDER_H
#define SWITCHROOM_ORDER_H

#include "state.h"

enum {
    MOST_WAIT_MS = 100,
    CALM = 500,  /* packets in their order after which one less is waited for */
};

/* How many packets came between this one and its place. */
static void note_late(struct transcoder *t, int step)
{
    struct order *order = &t->order;
    unsigned back = (unsigned)(-step - 1);
    if (back < 64 && order->seen >> back & 1)
        return;  /* it comes twice */
    int packet_ms = t->last_ms > 0 ? t->last_ms : 20, most = MOST_WAIT_MS / packet_ms;
    if (most > WAITING)
        most = WAITING;
    if ((int)back > most)
        return;
    order->calm = 0;
    order->patience = (int)back > order->patience ? (int)back : order->patience;
    if (order->waiting == NULL)
        order->waiting = calloc(WAITING + 1, sizeof *order->waiting);
    if (order->waiting == NULL)
        order->patience = 0;
}

static void note_taken(struct transcoder *t, int step)
{
    struct order *order = &t->order;
    order->seen = step < 63 ? order->seen << (step + 1) | 1 : 1;
    if (++order->calm > CALM && order->patience > 0) {
        order->patience--;
        order->calm = 0;
    }
}

/* How many packets are missing before this one; negative: it is late, or came twice. */
static int step_to(struct transcoder *t, const struct rtp *rtp)
{
    int step = (int16_t)(rtp->sequence_number - t->next_sequence);
    if (t->has_input && rtp->ssrc == t->in_ssrc && step > -SEQUENCE_MISORDER && step < SEQUENCE_DROPOUT)
        return step;
    t->has_event = false;
    t->order.count = 0;  /* nobody waits for another source's */
    t->order.seen = 0;
    if (rtp->ssrc != t->in_ssrc || !t->has_input)
        t->clock_rate = 0;  /* nothing is known of this one's times */
    return 0;
}

/* True: it waits, or it is late. */
static bool must_wait(struct transcoder *t, const struct rtp *rtp, const uint8_t *data, size_t size, uint64_t now)
{
    struct order *order = &t->order;
    int step = step_to(t, rtp);
    if (step < 0) {
        note_late(t, step);
        return true;
    }
    if (step == 0 || order->patience == 0 || order->count > WAITING || size > PACKET_ROOM) {
        if (step == 0 && order->count != 0)
            order->calm = 0;  /* it was worth while */
        return false;
    }
    for (int i = 0; i < order->count; i++)
        if (order->waiting[i].sequence_number == rtp->sequence_number)
            return true;
    struct waiting *waiting = &order->waiting[order->count++];
    waiting->sequence_number = rtp->sequence_number;
    waiting->size = (uint16_t)size;
    waiting->at = now;
    memcpy(waiting->data, data, size);
    return true;
}

/* The packet whose turn it is by now, or NULL: it leaves its place only with the next that waits. */
static const struct waiting *next_waiting(struct transcoder *t)
{
    struct order *order = &t->order;
    for (;;) {
        int first = -1, first_step = 0;
        for (int i = 0; i < order->count; i++) {
            int step = (int16_t)(order->waiting[i].sequence_number - t->next_sequence);
            if (first < 0 || step < first_step)
                first = i, first_step = step;
        }
        if (first < 0 || (first_step > 0 && order->count <= order->patience))
            return NULL;
        struct waiting *last = &order->waiting[--order->count], *found = &order->waiting[first];
        if (found != last) {
            struct waiting moved = *found;
            *found = *last;
            *last = moved;
        }
        if (first_step >= 0)
            return last;
    }
}

#endif
