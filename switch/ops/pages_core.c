/* Large pages for the interpreter's memory.
 *
 * The allocator of small objects asks for arenas of 1 MiB; the kernel has large pages of 2 MiB. So two arenas are
 * cut from one aligned piece, and the piece goes back when both are given back. The interpreter asks for other
 * sizes, too (the frames of its stack): these it gets as ever. All of this happens with its lock held.
 */
#include "pages_core.h"

#include <Python.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1 */
#endif

enum { ARENA = 1 << 20, LARGE = 2 << 20, STEP = 64 };
enum { AHEAD = 64 << 20 }; /* that the heap grows by: only what is used of it takes memory */

struct piece {
    char *begin;
    unsigned char is_used[2];
};

static struct piece *pieces;
static size_t count, capacity;

static void *map(size_t size)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return at == MAP_FAILED ? NULL : at;
}

static char *align_up(char *at)
{
    return (char *)(((uintptr_t)at + LARGE - 1) & ~(uintptr_t)(LARGE - 1));
}

static char *align_down(char *at)
{
    return (char *)((uintptr_t)at & ~(uintptr_t)(LARGE - 1));
}

static char *map_aligned(void)
{
    char *begin = map(2 * LARGE), *at;

    if (!begin)
        return NULL;
    at = align_up(begin);
    if (at > begin)
        munmap(begin, (size_t)(at - begin));
    if (at + LARGE < begin + 2 * LARGE)
        munmap(at + LARGE, (size_t)(begin + LARGE - at));
    madvise(at, LARGE, MADV_HUGEPAGE); /* refused where there are none: then it is memory as any other */
    return at;
}

static int make_room(void)
{
    struct piece *grown;

    if (count < capacity)
        return 1;
    grown = realloc(pieces, (capacity + STEP) * sizeof *pieces);
    if (!grown)
        return 0;
    pieces = grown;
    capacity += STEP;
    return 1;
}

static void *take(struct piece *piece, int half)
{
    piece->is_used[half] = 1;
    return piece->begin + half * ARENA;
}

static void *take_arena(void *context, size_t size)
{
    char *begin;

    (void)context;
    if (size != ARENA)
        return map(size);
    for (size_t i = 0; i < count; i++)
        for (int half = 0; half < 2; half++)
            if (!pieces[i].is_used[half])
                return take(&pieces[i], half);
    if (!make_room() || !(begin = map_aligned()))
        return map(size);
    pieces[count] = (struct piece){.begin = begin};
    return take(&pieces[count++], 0);
}

static void give_arena(void *context, void *arena, size_t size)
{
    char *at = arena;

    (void)context;
    for (size_t i = 0; size == ARENA && i < count; i++) {
        if (at < pieces[i].begin || at >= pieces[i].begin + LARGE)
            continue;
        pieces[i].is_used[at != pieces[i].begin] = 0;
        if (!pieces[i].is_used[0] && !pieces[i].is_used[1]) {
            munmap(pieces[i].begin, LARGE);
            pieces[i] = pieces[--count];
        }
        return;
    }
    munmap(arena, size); /* it was there before us */
}

void pages_use(void)
{
    PyObjectArenaAllocator allocator = {NULL, take_arena, give_arena};

    PyObject_SetArenaAllocator(&allocator);
    mallopt(M_TOP_PAD, AHEAD); /* what is there at the end of the start is advised at once */
}

void pages_collapse(char *begin, char *end, size_t used)
{
    char *from = align_up(begin), *to = align_down(end), *middle = align_down(begin + used);

    if (from >= to || madvise(from, (size_t)(to - from), MADV_HUGEPAGE) != 0 || from >= middle)
        return;
    madvise(from, (size_t)(middle - from), MADV_COLLAPSE); /* else the kernel does it by and by */
}

size_t pages_count(void)
{
    return count;
}
