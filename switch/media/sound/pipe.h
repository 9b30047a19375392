/* Samples on their way between the engine's thread and one other: a ring with one writer and one reader, no lock. */
#ifndef SWITCHROOM_PIPE_H
#define SWITCHROOM_PIPE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NO_MARK UINT64_MAX

struct pipe {
    atomic_int references;
    uint64_t id;
    int rate;
    uint32_t size;                        /* samples, a power of two */
    _Alignas(64) _Atomic uint64_t written;
    _Alignas(64) _Atomic uint64_t read;
    _Atomic uint64_t lost;                /* samples that found no room */
    _Atomic uint64_t discard_to;          /* what was written before is not to be read any more */
    _Atomic uint64_t mark_at;             /* whose reading is to be told */
    _Atomic bool is_ended;                /* nothing follows what was written */
    _Atomic bool is_awaited;              /* the writer waits for room */
    _Atomic bool is_told;                 /* the reader knows that there is something */
    int16_t data[];
};

static inline struct pipe *pipe_create(uint64_t id, int rate, uint32_t least)
{
    uint32_t size = 1024;
    while (size < least)
        size *= 2;
    struct pipe *pipe = aligned_alloc(64, (sizeof *pipe + size * sizeof *pipe->data + 63) / 64 * 64);
    if (pipe == NULL)
        return NULL;
    memset(pipe, 0, sizeof *pipe);
    atomic_init(&pipe->references, 1);
    atomic_init(&pipe->mark_at, NO_MARK);
    pipe->id = id;
    pipe->rate = rate;
    pipe->size = size;
    return pipe;
}

static inline struct pipe *pipe_keep(struct pipe *pipe)
{
    atomic_fetch_add(&pipe->references, 1);
    return pipe;
}

static inline void pipe_drop(struct pipe *pipe)
{
    if (pipe != NULL && atomic_fetch_sub(&pipe->references, 1) == 1)
        free(pipe);
}

static inline uint32_t pipe_waiting(struct pipe *pipe)
{
    return (uint32_t)(atomic_load(&pipe->written) - atomic_load(&pipe->read));
}

/* The writer: returns how many of `count` had room. */
static inline uint32_t pipe_write(struct pipe *pipe, const int16_t *pcm, uint32_t count)
{
    uint64_t written = atomic_load_explicit(&pipe->written, memory_order_relaxed);
    uint32_t room = pipe->size - (uint32_t)(written - atomic_load_explicit(&pipe->read, memory_order_acquire));
    count = count < room ? count : room;
    uint32_t at = (uint32_t)(written & (pipe->size - 1)), first = pipe->size - at < count ? pipe->size - at : count;
    memcpy(pipe->data + at, pcm, first * sizeof *pcm);
    memcpy(pipe->data, pcm + first, (count - first) * sizeof *pcm);
    atomic_store_explicit(&pipe->written, written + count, memory_order_release);
    return count;
}

/* The reader. */
static inline uint32_t pipe_read(struct pipe *pipe, int16_t *pcm, uint32_t count)
{
    uint64_t read = atomic_load_explicit(&pipe->read, memory_order_relaxed);
    uint64_t written = atomic_load_explicit(&pipe->written, memory_order_acquire);
    uint64_t discard_to = atomic_load(&pipe->discard_to);
    if (discard_to > read)
        read = discard_to < written ? discard_to : written;
    uint32_t waiting = (uint32_t)(written - read);
    count = count < waiting ? count : waiting;
    uint32_t at = (uint32_t)(read & (pipe->size - 1)), first = pipe->size - at < count ? pipe->size - at : count;
    memcpy(pcm, pipe->data + at, first * sizeof *pcm);
    memcpy(pcm + first, pipe->data, (count - first) * sizeof *pcm);
    atomic_store_explicit(&pipe->read, read + count, memory_order_release);
    return count;
}

#endif
