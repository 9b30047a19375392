/* Large pages for the interpreter's memory; see _pages.pyx. */
#ifndef SWITCHROOM_PAGES_CORE_H
#define SWITCHROOM_PAGES_CORE_H

#include <stddef.h>

/* From now on arenas come in twos that share a large page, and the heap grows in large steps. */
void pages_use(void);

/* A region gets large pages, as far as the kernel has some: what is in use now, the rest when it is. */
void pages_collapse(char *begin, char *end, size_t used);

/* Pairs of arenas that are held at present. */
size_t pages_count(void);

#endif
