/* Shared libraries of the system, found while the program runs: neither their headers nor they are needed to build, and
   their licence stays with whoever installed them. */

#ifndef SWITCHROOM_LIBRARY_H
#define SWITCHROOM_LIBRARY_H

#include "codecs/codec.h"

struct symbol {
    const char *name;
    void *at;          /* the function pointer to fill in */
};

/* Open the first of `files` (ends with NULL) that is there and has all `symbols` (ends with a NULL name), and fill in
   `found`. `package` is where Debian keeps it. Afterwards found->missing says what went wrong, NULL: nothing. */
void library_open(struct codec_library *found, const char *const *files, const char *package,
                  const struct symbol *symbols);

#endif
