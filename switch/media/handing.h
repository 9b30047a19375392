/* Datagrams for the loop's thread: a ring of one writer and one reader, and an eventfd. */
#ifndef SWITCHROOM_HANDING_H
#define SWITCHROOM_HANDING_H

#include "commands.h"
#include "shield.h"

/* -- the engine's thread */

/* A connectivity check or a handshake: for the loop's thread, as many as it can take. */
static enum drop hand_up(struct engine *engine, struct end *end, int channel, int i, uint64_t now)
{
    size_t size = engine->headers[i].msg_len;
    enum drop reason = shield_admits(end, channel, engine->data[i], size, &engine->sources[i]);
    uint32_t tail = atomic_load_explicit(&engine->handed_tail, memory_order_relaxed);
    bool is_full = tail - atomic_load_explicit(&engine->handed_head, memory_order_acquire) == HANDED;
    if (reason == DROP_NONE && now - end->handed_at >= SECOND) {
        end->handed_at = now;
        end->handed_count = 0;
    }
    if (reason == DROP_NONE && (is_full || ++end->handed_count > MAX_HANDED))
        reason = DROP_RATE;
    if (reason != DROP_NONE)
        return reason;
    struct handed *handed = &engine->handed[tail % HANDED];
    *handed = (struct handed){
        .index = (uint32_t)(end - engine->ends), .generation = end->program.generation, .size = (uint32_t)size};
    handed->source = engine->sources[i];
    memcpy(handed->data, engine->data[i], size);
    atomic_store_explicit(&engine->handed_tail, tail + 1, memory_order_release);
    uint64_t one = 1;
    while (write(engine->handed_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
    return DROP_NONE;
}

/* -- the loop's thread */

const struct handed *engine_next_handed(struct engine *engine)
{
    uint32_t head = atomic_load_explicit(&engine->handed_head, memory_order_relaxed);
    if (head == atomic_load_explicit(&engine->handed_tail, memory_order_acquire))
        return NULL;
    return &engine->handed[head % HANDED];
}

void engine_took_handed(struct engine *engine)
{
    atomic_fetch_add_explicit(&engine->handed_head, 1, memory_order_release);
}

#endif
