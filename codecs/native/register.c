/* The list of codecs; filled while the library is loaded, read-only after that. */

#include "register.h"

#include <stdlib.h>

#define MOST 64

const struct codec *codec_all[MOST + 1];

void codec_register(const struct codec *codec)
{
    static int count;
    if (count == MOST)
        abort();
    codec_all[count++] = codec;
}
