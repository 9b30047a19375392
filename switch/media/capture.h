/* The packets that passed last, in the clear: a ring of octets that the engine's thread writes without ever waiting.
 *
 * Whoever reads copies it all and looks afterwards what was written over meanwhile: `tail` moves on before its octets
 * do, and always stands at the beginning of a record.
 */
#ifndef SWITCHROOM_CAPTURE_H
#define SWITCHROOM_CAPTURE_H

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "latch.h"

enum { CAPTURE_ALIGNMENT = 8 };

struct captured {
    uint64_t at;                              /* monotonic, ns */
    uint32_t call, size;                      /* octets of the datagram, which follows */
    union address source, destination;
};

struct capture {
    uint64_t room;                            /* octets; a multiple of the alignment */
    _Atomic uint64_t tail, head;              /* counted on for ever */
    uint8_t data[];
};

static inline uint64_t captured_length(const struct captured *record)
{
    return (sizeof *record + record->size + CAPTURE_ALIGNMENT - 1) / CAPTURE_ALIGNMENT * CAPTURE_ALIGNMENT;
}

/* -- around the end of the ring */

static inline void capture_put(struct capture *capture, uint64_t at, const void *data, size_t size)
{
    size_t place = at % capture->room, first = capture->room - place;
    if (first > size)
        first = size;
    memcpy(capture->data + place, data, first);
    memcpy(capture->data, (const uint8_t *)data + first, size - first);
}

static inline void capture_get(const struct capture *capture, uint64_t at, void *data, size_t size)
{
    size_t place = at % capture->room, first = capture->room - place;
    if (first > size)
        first = size;
    memcpy(data, capture->data + place, first);
    memcpy((uint8_t *)data + first, capture->data, size - first);
}

/* -- the engine's thread */

static inline void capture_packet(struct capture *capture, const struct captured *record, const uint8_t *data)
{
    uint64_t head = atomic_load_explicit(&capture->head, memory_order_relaxed);
    uint64_t tail = atomic_load_explicit(&capture->tail, memory_order_relaxed);
    uint64_t length = captured_length(record);
    while (head + length - tail > capture->room) {
        struct captured oldest;
        capture_get(capture, tail, &oldest, sizeof oldest);
        tail += captured_length(&oldest);
    }
    atomic_store_explicit(&capture->tail, tail, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);  /* readers see the tail before the octets */
    capture_put(capture, head, record, sizeof *record);
    capture_put(capture, head + sizeof *record, data, record->size);
    atomic_store_explicit(&capture->head, head + length, memory_order_release);
}

/* -- readers */

/* Copies what there is to `to`, which has room for all; returns its octets, and in `*from` where what held begins. */
static inline size_t capture_copy(const struct capture *capture, uint8_t *to, size_t *from)
{
    uint64_t tail = atomic_load_explicit(&capture->tail, memory_order_acquire);
    uint64_t head = atomic_load_explicit(&capture->head, memory_order_acquire);
    size_t size = head < tail + capture->room ? head - tail : capture->room;
    capture_get(capture, tail, to, size);
    atomic_thread_fence(memory_order_seq_cst);
    uint64_t gone = atomic_load_explicit(&capture->tail, memory_order_relaxed) - tail;
    *from = gone < size ? gone : size;
    return size;
}

#endif
