/* Streams with mutated headers, gaps and payloads through the converter, to be built with -fsanitize=address,undefined.
 *
 *   fuzz ROUNDS SEED    prints "ROUNDS packets, N made" and ends with 0, or aborts where a rule broke.
 *
 * Each packet lies in a heap block of exactly its size, so that reading one octet too far is found.
 */
#define _GNU_SOURCE
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switch/media/conversion/transcoder.h"
#include "switch/media/packet.h"
#include "any_codec.h"

enum { MAX_SIZE = 2048, STREAM = 200 };

static struct converter *any_converter(void)
{
    static const int32_t times[] = {10, 20, 30, 40, 50, 60};
    for (;;) {
        struct conversion wanted = {.config = any_codec(), .payload_type = 97, .packet_ms = times[number(6)],
                                    .event_type = 110, .event_rate = number(2) * 8000,
                                    .noise_type = 13, .noise_rate = number(2) * 8000,
                                    .incoming_count = 3 + (int)number(2)};
        for (int i = 0; i < wanted.incoming_count; i++) {
            struct codec_config config = any_codec();
            wanted.incoming[i] = (struct incoming){(uint8_t)i, i == 2 ? 42 : NOT_COPIED, i == 3 && number(2),
                                                   0, (uint32_t)config.format.clock_rate, config};
            wanted.incoming[i].is_noise = i == 3 && !wanted.incoming[i].is_event;
        }
        struct converter *made = transcoder_create(&wanted);
        if (made != NULL)
            return made;
    }
}

/* The next packet of a stream that is mostly sound. */
static size_t make_packet(uint8_t *data, uint16_t *seq, uint32_t *timestamp, uint32_t *ssrc)
{
    static const uint16_t steps[] = {1, 1, 1, 1, 1, 1, 1, 2, 3, 10, 0, 0xFFFF, 200, 5000, 40000};
    static const uint32_t ticks[] = {80, 160, 160, 160, 240, 320, 960, 0, 8000, 80000, 0x80000000u, 0xFFFFFF00u};
    size_t size = RTP_HEADER + number(4) * 80 + (number(8) ? 0 : number(MAX_SIZE - RTP_HEADER - 240));
    uint8_t fill = (uint8_t)number(256);
    for (size_t i = 0; i < size; i++)
        data[i] = number(4) ? (uint8_t)(fill + i) : (uint8_t)number(256);
    *seq += steps[number(15)];
    *timestamp += ticks[number(12)];
    *ssrc += number(50) == 0;
    data[0] = number(10) ? 0x80 : (uint8_t)(0x80 | number(64));
    data[1] = (uint8_t)(number(2) << 7 | number(number(10) ? 4 : 128));
    for (int i = 0; i < 4; i++) {
        data[4 + i] = (uint8_t)(*timestamp >> (24 - 8 * i));
        data[8 + i] = (uint8_t)(*ssrc >> (24 - 8 * i));
    }
    data[2] = (uint8_t)(*seq >> 8);
    data[3] = (uint8_t)*seq;
    return number(20) ? size : number((uint32_t)size);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    uint64_t rounds = strtoull(argv[1], NULL, 10), made = 0, now = 0;
    state = strtoull(argv[2], NULL, 10) * 0x9E3779B97F4A7C15u + 1;
    uint8_t scratch[MAX_SIZE];
    struct converter *converter = NULL;
    uint16_t seq = 0, expected = 0;
    uint32_t timestamp = 0, ssrc = 0;
    bool is_first = true;
    for (uint64_t round = 0; round < rounds; round++) {
        if (round % STREAM == 0) {
            struct converter *next = any_converter();
            is_first = converter == NULL || number(2);
            if (!is_first)
                next->follow(next, converter);
            if (converter != NULL)
                converter->destroy(converter);
            converter = next;
        }
        size_t size = make_packet(scratch, &seq, &timestamp, &ssrc);
        uint8_t *data = malloc(size ? size : 1), *out = malloc(MAX_SIZE);
        memcpy(data, scratch, size);
        converter->take(converter, data, size, now += number(100) ? number(40000000) : number(2000000000));
        free(data);
        if (converter->hear != NULL && number(2))
            converter->hear(converter, now += number(200000000));
        for (size_t octets; (octets = converter->make(converter, out, MAX_SIZE)) != 0; made++) {
            struct rtp rtp;
            require(octets <= MAX_SIZE && rtp_parse(out, octets, false, &rtp), "what is made is a packet");
            require(is_first || rtp.sequence_number == expected, "one number follows the other");
            expected = (uint16_t)(rtp.sequence_number + 1);
            is_first = false;
        }
        free(out);
    }
    if (converter != NULL)
        converter->destroy(converter);
    printf("%llu packets, %llu made\n", (unsigned long long)rounds, (unsigned long long)made);
    return 0;
}
