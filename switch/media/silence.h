/* Calls of which nothing is heard any more: found once in a sweep, reported through a ring and an eventfd. */
#ifndef SWITCHROOM_SILENCE_H
#define SWITCHROOM_SILENCE_H

#include "commands.h"

static void report_expiry(struct engine *engine, struct end *end, uint32_t index)
{
    uint32_t tail = atomic_load_explicit(&engine->expiry_tail, memory_order_relaxed);
    if (tail - atomic_load_explicit(&engine->expiry_head, memory_order_acquire) == engine->capacity)
        return;  /* the next sweep finds it again */
    engine->expiries[tail % engine->capacity] = (struct expiry){index, end->program.generation};
    atomic_store(&engine->expiry_tail, tail + 1);
    end->watched_at = monotonic();  /* said once; again after the same silence if the call is still there */
    uint64_t one = 1;
    while (write(engine->expiry_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

static uint64_t later(uint64_t one, uint64_t two)
{
    return one > two ? one : two;
}

/* A call is silent when none of the ends that should speak has been heard; on hold none should. */
static void check_silence(struct engine *engine, struct end *head, uint32_t index, uint64_t now)
{
    uint64_t heard_at = 0;
    bool is_counted = false;
    uint32_t at = index;
    for (uint32_t steps = 0; at < engine->capacity && steps < engine->capacity; steps++) {
        struct end *end = &engine->ends[at];
        if (!end->is_armed || end->program.call != head->program.call)
            break;
        is_counted |= end->program.is_counted;
        if (end->is_in_kernel)
            sync_end(engine, end);
        heard_at = later(heard_at, later(end->statistics.last_at, end->rtcp_at));
        at = end->program.next;
    }
    uint64_t timeout = heard_at ? head->program.timeout : head->program.first_timeout;
    if (is_counted && timeout != 0 && now - later(heard_at, head->watched_at) >= timeout)
        report_expiry(engine, head, index);
}

static void sweep(struct engine *engine, uint64_t now)
{
    for (uint32_t i = 0; i < engine->high_water && engine->watched_count != 0; i++)
        if (engine->ends[i].is_watched)
            check_silence(engine, &engine->ends[i], i, now);
    engine->sweep_at = now + engine->sweep_interval;
}

#endif
