/* Every codec under random and mutated payloads, in buffers that end where they end: ./fuzz SECONDS SEED [CODEC]
   Built with AddressSanitizer and UndefinedBehaviorSanitizer, which stop the program at the first fault. */

#include "codecs/codec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t state;

static uint32_t chance(uint32_t below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % below;
}

static void demand(int holds, const struct codec *codec, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "%s: %s\n", codec->name, what);
    abort();
}

static int configure(const struct codec *codec, struct codec_config *config)
{
    memset(config, 0, sizeof *config);
    config->codec = codec;
    config->format = codec->format;
    for (int i = 0; codec->settings && codec->settings[i].name; i++) {
        const struct codec_setting *setting = codec->settings + i;
        uint32_t range = (uint32_t)(setting->most - setting->least) + 1;
        int32_t ends[] = {setting->initial, setting->least, setting->most, setting->least + (int32_t)chance(range)};
        config->settings[i] = ends[chance(4)];
    }
    return codec->shape ? codec->shape(config) : 0;
}

static void fill(int16_t *pcm, size_t values)
{
    uint32_t level = 1u << chance(16);
    for (size_t i = 0; i < values; i++)
        pcm[i] = chance(50) ? (int16_t)(chance(2 * level) - level) : (int16_t)(chance(2) ? 32767 : -32768);
}

/* One payload of the encoder in a buffer of just its size; *octets is 0 in a pause. */
static uint8_t *encode(const struct codec_config *config, void *encoder, int *octets)
{
    const struct codec_format *format = &config->format;
    size_t samples = (size_t)format->frame_samples * (1 + chance(8)), values = samples * (size_t)format->channels;
    size_t room = chance(8) ? CODEC_PAYLOAD_MAX : chance(200);
    int16_t *pcm = malloc(values * sizeof *pcm + 1);
    uint8_t *payload = malloc(room + 1), *exact;
    fill(pcm, values);
    *octets = config->codec->encode(encoder, pcm, samples, payload, room);
    demand(*octets <= (int)room, config->codec, "encode() wrote more than there was room for");
    *octets = *octets < 0 ? 0 : *octets;
    exact = malloc((size_t)*octets + !*octets);
    memcpy(exact, payload, (size_t)*octets);
    free(payload);
    free(pcm);
    return exact;
}

static uint8_t *damage(uint8_t *payload, int *octets)
{
    int size = chance(4) ? *octets : (int)chance(300);
    uint8_t *made = malloc((size_t)size + !size);
    for (int i = 0; i < size; i++)
        made[i] = i < *octets && chance(20) ? payload[i] : (uint8_t)chance(256);
    free(payload);
    *octets = size;
    return made;
}

static void decode(const struct codec_config *config, void *decoder, const uint8_t *payload, int octets)
{
    const struct codec *codec = config->codec;
    size_t channels = (size_t)config->format.channels;
    int samples = codec->measure(config, payload, (size_t)octets);
    demand(samples >= CODEC_FAILED, codec, "measure() has another error");
    size_t room = samples < 0 ? 480 : (size_t)samples;
    room = chance(8) ? room : room / 2;
    int16_t *pcm = malloc(room * channels * sizeof *pcm + !room);
    int made = codec->decode(decoder, payload, (size_t)octets, pcm, room);
    demand(made <= (int)room, codec, "decode() wrote more than there was room for");
    demand(samples < 0 || made < 0 || made == samples || made < samples, codec, "measure() promised less");
    free(pcm);
    if (!codec->conceal || chance(4))
        return;
    size_t lost = (size_t)config->format.frame_samples * (1 + chance(4));
    pcm = malloc(lost * channels * sizeof *pcm);
    made = codec->conceal(decoder, chance(2) ? payload : NULL, (size_t)octets, pcm, lost);
    demand(made <= (int)lost, codec, "conceal() wrote more than it was asked for");
    free(pcm);
}

static void try(const struct codec *codec)
{
    struct codec_config config;
    if (configure(codec, &config))
        return;
    void *encoder = codec->encoder_create(&config), *decoder = codec->decoder_create(&config);
    demand(encoder && decoder, codec, "cannot be created");
    for (int round = 0; round < 12; round++) {
        int octets;
        uint8_t *payload = encode(&config, encoder, &octets);
        if (chance(3))
            payload = damage(payload, &octets);
        decode(&config, decoder, payload, octets);
        if (codec->decoder_request && codec->encoder_tune)
            codec->encoder_tune(encoder, CODEC_MODE, codec->decoder_request(decoder));
        if (codec->encoder_tune)
            codec->encoder_tune(encoder, (enum codec_tune)chance(3), (int32_t)chance(100000) - 10);
        if (!chance(6))
            codec->decoder_reset(decoder);
        if (!chance(6))
            codec->encoder_reset(encoder);
        free(payload);
    }
    codec->encoder_destroy(encoder);
    codec->decoder_destroy(decoder);
}

int main(int count, char **arguments)
{
    double seconds = count > 1 ? atof(arguments[1]) : 1;
    state = count > 2 ? strtoull(arguments[2], NULL, 0) : 1;
    for (int i = 0; codec_all[i]; i++) {
        const struct codec *codec = codec_all[i];
        if ((count > 3 && strcmp(codec->name, arguments[3])) || (codec->library && codec->library()->missing))
            continue;
        int rounds = 0;
        for (clock_t end = clock() + (clock_t)(seconds * CLOCKS_PER_SEC); clock() < end; rounds++)
            try(codec);
        printf("%s %d\n", codec->name, rounds);
        fflush(stdout);
    }
    return 0;
}
