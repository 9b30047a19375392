/* What is done to samples, with random samples, sizes and payloads in buffers that end where they end:
   ./sound_fuzz SECONDS SEED. Built with the sanitizers, which stop the program at the first fault. */

#include "codecs/sound.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint64_t state;

static uint32_t chance(uint32_t below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % below;
}

static int16_t *some(size_t count)
{
    int16_t *pcm = malloc(count * sizeof *pcm + !count);
    uint32_t kind = chance(4), level = 1u << chance(16);
    for (size_t n = 0; n < count; n++)
        pcm[n] = kind == 0 ? 0 : kind == 1 ? (chance(2) ? INT16_MAX : INT16_MIN)
               : kind == 2 ? (int16_t)(chance(2 * level) - level) : (int16_t)(n * 321 % 20000);
    return pcm;
}

static void mixing(void)
{
    size_t members = 1 + chance(9), count = chance(1500);
    int16_t *in[9], *out[9];
    for (size_t i = 0; i < members; i++)
        in[i] = some(count), out[i] = chance(3) ? chance(2) ? some(count) : in[i] : NULL;
    sound_mix((const int16_t *const *)in, out, members, count);
    for (size_t i = 0; i < members; i++) {
        if (out[i] != in[i])
            free(out[i]);
        free(in[i]);
    }
}

int main(int count, char **words)
{
    double seconds = count > 1 ? atof(words[1]) : 1;
    state = count > 2 ? strtoull(words[2], NULL, 10) : 1;
    clock_t end = clock() + (clock_t)(seconds * CLOCKS_PER_SEC);
    long rounds = 0;
    while (clock() < end || rounds < 50) {
        static const int rates[] = {8000, 16000, 24000, 32000, 48000};
        int rate = rates[chance(5)];
        struct conceal conceal;
        struct noise noise;
        struct vad vad;
        struct agc agc;
        struct dtmf dtmf;
        dtmf_init(&dtmf, rate);
        conceal_init(&conceal, rate), noise_init(&noise, chance(1u << 30)), vad_init(&vad, rate);
        agc_init(&agc, (int)chance(128), (float)(1 + chance(1000)));
        for (int i = 0; i < 20; i++) {
            size_t samples = chance(8) ? chance((uint32_t)rate / 16) : chance(9000);
            int16_t *pcm = some(samples);
            (chance(3) ? conceal_good : conceal_lost)(&conceal, pcm, samples);
            agc_run(&agc, pcm, samples, vad_run(&vad, pcm, samples));
            if (sound_level(pcm, samples) > 127)
                abort();
            uint8_t described[NOISE_PAYLOAD_MAX], *payload;
            size_t octets = noise_describe(pcm, samples, described), wild = chance(20);
            if (octets < 1 || octets > NOISE_PAYLOAD_MAX || noise_set(&noise, described, octets))
                abort();
            payload = malloc(wild + !wild);
            for (size_t n = 0; n < wild; n++)
                payload[n] = (uint8_t)chance(256);
            noise_set(&noise, payload, wild);
            free(payload);
            noise_run(&noise, pcm, samples);
            char *keys = malloc(3);
            if (dtmf_run(&dtmf, pcm, samples, keys, 3) > 3)
                abort();
            free(keys);
            free(pcm);
        }
        mixing();
        rounds++;
    }
    printf("sound %ld\n", rounds);
    return 0;
}
