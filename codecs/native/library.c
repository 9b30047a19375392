/* Shared libraries of the system, found while the program runs. */

#define _GNU_SOURCE  /* asprintf, dladdr */

#include "library.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXTS 64

/* Made once for each library, and kept as long as the process. */
static const char *text(const char *format, const char *one, const char *other)
{
    static char *kept[TEXTS];
    static atomic_uint count;
    unsigned place = atomic_fetch_add(&count, 1);
    if (place >= TEXTS || asprintf(&kept[place], format, one, other) < 0)
        return "not known";
    return kept[place];
}

static const char *fill(void *library, const char *file, const struct symbol *symbols)
{
    for (; symbols->name; symbols++) {
        void *function = dlsym(library, symbols->name);
        if (!function)
            return text("%s has no %s: not a version that is known here", file, symbols->name);
        memcpy(symbols->at, &function, sizeof function);
    }
    return NULL;
}

/* What the name of its file ends with: libopencore-amrnb.so.0.0.5; .so.0 alone tells of the interface only. */
static const char *version_of(const struct symbol *symbols)
{
    void *function;
    Dl_info info;
    char path[PATH_MAX];
    memcpy(&function, symbols->at, sizeof function);
    if (!dladdr(function, &info) || !realpath(info.dli_fname, path))
        return "";
    const char *end = strstr(path, ".so.");
    return end ? text(strchr(end + 4, '.') ? "%s%s" : "ABI %s%s", end + 4, "") : "";
}

void library_open(struct codec_library *found, const char *const *files, const char *package,
                  const struct symbol *symbols)
{
    found->file = files[0];
    found->version = "";
    found->missing = NULL;
    for (; *files; files++) {
        void *library = dlopen(*files, RTLD_NOW | RTLD_LOCAL);
        if (!library)
            continue;
        found->file = *files;
        found->missing = fill(library, *files, symbols);
        if (found->missing)
            dlclose(library);
        else
            found->version = version_of(symbols);
        return;
    }
    const char *why = dlerror();
    found->missing = text("%s (Debian: %s)", why ? why : "not found", package);
}
