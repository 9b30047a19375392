/* Any codec that is there, for the fuzzers of what converts and mixes. */
#ifndef SWITCHROOM_ANY_CODEC_H
#define SWITCHROOM_ANY_CODEC_H

#include "codecs/codec.h"
#include "fuzzing.h"

#include <string.h>

static const char *const names[] = {"pcmu", "pcma", "g722", "g726", "gsm", "l16", "opus", "speex", "amr", "g729"};

/* A codec that is there, as it is shaped to begin with. */
static struct codec_config any_codec(void)
{
    for (;;) {
        const char *name = names[number(sizeof names / sizeof *names)];
        for (int i = 0; codec_all[i] != NULL; i++) {
            const struct codec *codec = codec_all[i];
            if (strcmp(codec->name, name) || (codec->library != NULL && codec->library()->missing))
                continue;
            struct codec_config config = {.codec = codec, .format = codec->format};
            for (int s = 0; codec->settings != NULL && codec->settings[s].name != NULL; s++)
                config.settings[s] = codec->settings[s].initial;
            if (codec->shape == NULL || codec->shape(&config) == 0)
                return config;
        }
    }
}

#endif
