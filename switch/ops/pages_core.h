/* Large pages for the interpreter's memory; see _pages.pyx. */
#ifndef SWITCHROOM_PAGES_CORE_H
#define SWITCHROOM_PAGES_CORE_H

#include <stddef.h>

/* From now on arenas come in twos that share a large page. */
void pages_use(void);

/* Turn what lies between two addresses into large pages, as far as the kernel has some. */
void pages_collapse(char *begin, char *end);

/* Pairs of arenas that are held at present. */
size_t pages_count(void);

#endif
