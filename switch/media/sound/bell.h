/* What the engine's thread has to tell of sound: a ring with one writer and one reader, and a descriptor that becomes
 * readable. What finds the ring full is lost: whoever listens is then behind by seconds.
 */
#ifndef SWITCHROOM_BELL_H
#define SWITCHROOM_BELL_H

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { BELL_EVENTS = 8192 };
enum sound_event { KEY_DOWN, KEY_UP, PLAYED, CUT, MARKED, LOW, DATA, TALK, SILENT, SPEAKER, SOUND_EVENTS };

struct ring {
    uint64_t owner, value;
    uint32_t kind;
};

struct bell {
    atomic_int references;
    int fd;
    _Alignas(64) _Atomic uint32_t head;
    _Alignas(64) _Atomic uint32_t tail;
    _Atomic uint64_t lost;
    struct ring rings[BELL_EVENTS];
};

static inline struct bell *bell_create(void)
{
    struct bell *bell = aligned_alloc(64, (sizeof *bell + 63) / 64 * 64);
    if (bell == NULL)
        return NULL;
    atomic_init(&bell->references, 1);
    atomic_init(&bell->head, 0);
    atomic_init(&bell->tail, 0);
    atomic_init(&bell->lost, 0);
    bell->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (bell->fd < 0) {
        free(bell);
        return NULL;
    }
    return bell;
}

static inline struct bell *bell_keep(struct bell *bell)
{
    atomic_fetch_add(&bell->references, 1);
    return bell;
}

static inline void bell_drop(struct bell *bell)
{
    if (bell == NULL || atomic_fetch_sub(&bell->references, 1) != 1)
        return;
    close(bell->fd);
    free(bell);
}

static inline void bell_ring(struct bell *bell, enum sound_event kind, uint64_t owner, uint64_t value)
{
    uint32_t tail = atomic_load_explicit(&bell->tail, memory_order_relaxed);
    uint32_t waiting = tail - atomic_load_explicit(&bell->head, memory_order_acquire);
    if (waiting == BELL_EVENTS) {
        atomic_fetch_add(&bell->lost, 1);
        return;
    }
    bell->rings[tail % BELL_EVENTS] = (struct ring){owner, value, kind};
    atomic_store(&bell->tail, tail + 1);
    uint64_t one = 1;
    /* The reader empties the ring after it has read the descriptor: only who finds it empty has to wake him */
    if (tail == atomic_load(&bell->head))
        while (write(bell->fd, &one, sizeof one) < 0 && errno == EINTR)
            ;
}

static inline int bell_next(struct bell *bell, struct ring *ring)
{
    uint32_t head = atomic_load_explicit(&bell->head, memory_order_relaxed);
    if (head == atomic_load(&bell->tail))
        return 0;
    *ring = bell->rings[head % BELL_EVENTS];
    atomic_store(&bell->head, head + 1);
    return 1;
}

#endif
