/* What the loop's thread reads while the engine's goes on: single words, never a lock. */
#ifndef SWITCHROOM_READERS_H
#define SWITCHROOM_READERS_H

#include "engine_core.h"

#define GET(word) __atomic_load_n(&(word), __ATOMIC_RELAXED)

void engine_read(struct engine *engine, uint32_t index, uint32_t generation, struct snapshot *snapshot)
{
    struct end *end = &engine->ends[index];
    struct statistics *s = &end->statistics;
    struct snapshot copy = {0};
    uint64_t refused = 0;
    memset(snapshot, 0, sizeof *snapshot);
    uint64_t in_kernel = 0;
    uint32_t turn;
    if (atomic_load(&end->generation) != generation)
        return;  /* not one packet was looked at since the pair changed hands */
    do {
        while ((turn = atomic_load(&end->turn)) & 1)
            ;  /* a few additions of the engine's thread */
        copy.packets = GET(s->packets);
        copy.bytes = GET(s->bytes);
        if (engine->streams != NULL) {
            const struct kernel_stream *k = &engine->streams[index];
            in_kernel = GET(k->packets) - end->taken.packets;
            copy.packets += in_kernel;
            copy.bytes += GET(k->octets) - end->taken.octets;
            refused = GET(k->refused) - end->taken.refused;
        }
    } while (atomic_load(&end->turn) != turn);
    copy.rtcp_packets = GET(s->rtcp_packets);
    copy.out_of_order = GET(s->out_of_order);
    copy.duplicates = GET(s->duplicates);
    copy.last_at = GET(s->last_at);
    for (int reason = 0; reason < DROPS; reason++)
        copy.dropped[reason] = GET(s->dropped[reason]) + (reason == DROP_RATE ? refused : 0);
    uint64_t expected = GET(s->expected_before), counted = GET(s->counted_before) + GET(s->counted);
    if (GET(s->counted) != 0)
        expected += GET(s->highest) - GET(s->first) + 1;
    copy.lost = (int64_t)(expected - counted);
    if (GET(s->clock_rate) != 0)
        copy.jitter_ms = (double)GET(s->jitter) / 16 * 1000 / GET(s->clock_rate);
    if (in_kernel != 0 && GET(engine->streams[index].last_at) > copy.last_at)
        copy.last_at = GET(engine->streams[index].last_at);
    copy.is_in_kernel = end->is_in_kernel;
    if (atomic_load(&end->generation) == generation)
        *snapshot = copy;
}

void engine_read_detail(struct engine *engine, uint32_t index, uint32_t generation, struct detail *detail)
{
    struct end *end = &engine->ends[index];
    struct statistics *s = &end->statistics;
    const struct kernel_stream *k = engine->streams == NULL ? NULL : &engine->streams[index];
    uint32_t turn;
    memset(detail, 0, sizeof *detail);
    if (atomic_load(&end->generation) != generation)
        return;
    do {
        while ((turn = atomic_load(&end->turn)) & 1)
            ;
        uint64_t ahead = k == NULL ? 0 : GET(k->packets) - end->taken.packets;  /* all of them in a row */
        *detail = (struct detail){
            .runs = s->runs, .reports = end->reports, .made = end->made, .stranger = end->stranger,
            .last_at = GET(s->last_at), .rtcp_at = GET(end->rtcp_at), .jitter = GET(s->jitter), .ssrc = GET(s->ssrc),
            .highest = GET(s->highest) + (uint32_t)ahead, .clock_rate = GET(s->clock_rate),
            .timestamp = GET(s->timestamp), .payload_type = s->payload_type,
            .counted = GET(s->counted_before) + GET(s->counted) + ahead,
        };
        if (GET(s->counted) != 0)
            detail->expected = GET(s->expected_before) + detail->highest - GET(s->first) + 1;
        if (end->is_in_kernel) {
            detail->jitter = GET(k->jitter);
            detail->timestamp = GET(k->timestamp);
            detail->last_at = GET(k->last_at) > detail->last_at ? GET(k->last_at) : detail->last_at;
        }
    } while (atomic_load(&end->turn) != turn);
    if (atomic_load(&end->generation) != generation)
        memset(detail, 0, sizeof *detail);
}

void engine_read_totals(struct engine *engine, struct totals *totals)
{
    totals->packets = GET(engine->totals.packets);
    totals->bytes = GET(engine->totals.bytes);
    totals->wakes = GET(engine->totals.wakes);
    totals->kernel_packets = GET(engine->totals.kernel_packets);
    totals->kernel_streams = GET(engine->totals.kernel_streams);
    totals->gathered = GET(engine->totals.gathered);
    for (int reason = 0; reason < DROPS; reason++)
        totals->dropped[reason] = GET(engine->totals.dropped[reason]);
}

bool engine_next_expiry(struct engine *engine, struct expiry *expiry)
{
    uint32_t head = atomic_load_explicit(&engine->expiry_head, memory_order_relaxed);
    if (head == atomic_load_explicit(&engine->expiry_tail, memory_order_acquire))
        return false;
    *expiry = engine->expiries[head % engine->capacity];
    atomic_store_explicit(&engine->expiry_head, head + 1, memory_order_release);
    return true;
}

bool engine_next_ready(struct engine *engine, struct ready *ready)
{
    uint32_t head = atomic_load_explicit(&engine->ready_head, memory_order_relaxed);
    if (head == atomic_load_explicit(&engine->ready_tail, memory_order_acquire))
        return false;
    *ready = engine->readies[head % READY_RING];
    atomic_store_explicit(&engine->ready_head, head + 1, memory_order_release);
    return true;
}

#endif
