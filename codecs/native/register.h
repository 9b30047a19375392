/* How a codec gets into codec_all: CODEC(name) at the end of its file. */

#ifndef SWITCHROOM_REGISTER_H
#define SWITCHROOM_REGISTER_H

#include "codecs/codec.h"

void codec_register(const struct codec *codec);

#define CODEC(codec) \
    __attribute__((constructor)) static void codec##_register(void) { codec_register(&codec); }

#endif
