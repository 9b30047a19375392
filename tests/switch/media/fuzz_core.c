/* Mutated datagrams through the engine's checks, to be built with -fsanitize=address,undefined.
 *
 *   fuzz ROUNDS SEED    prints "ROUNDS datagrams, N admitted" and ends with 0, or aborts where a rule broke.
 *
 * Each datagram lies in a heap block of exactly its size, so that reading one octet too far is found.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>

#include "admit.h"
#include "keying.h"
#include "recoding.h"
#include "sockets.h"
#include "fuzzing.h"

enum { MAX_SIZE = 400, SEEDS = 10 };

static const struct {
    size_t size;
    uint8_t data[48];
} seeds[SEEDS] = {
    {32, {0x80, 0, 0, 1, 0, 0, 0, 160, 1, 2, 3, 4}},
    {40, {0x92, 96, 0, 2, 0, 0, 1, 64, 1, 2, 3, 4, 9, 9, 9, 9, 8, 8, 8, 8, 0xBE, 0xDE, 0, 1, 5, 5, 5, 5}},
    {16, {0xA0, 0x80, 0, 3, 0, 0, 2, 0, 1, 2, 3, 4, 0, 0, 0, 4}},
    {28, {0x80, 200, 0, 6, 1, 2, 3, 4}},
    {32, {0x81, 201, 0, 7, 1, 2, 3, 4}},
    {24, {0x80, 201, 0, 1, 1, 2, 3, 4, 0x81, 202, 0, 3, 1, 2, 3, 4, 1, 4, 'n', 'a', 'm', 'e', 0, 0}},
    {16, {0x80, 201, 0, 1, 1, 2, 3, 4, 0x81, 203, 0, 1, 1, 2, 3, 4}},
    {20, {0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42}},
    {36, {0x90, 96, 0, 4, 0, 0, 1, 64, 1, 2, 3, 4, 0xBE, 0xDE, 0, 2, 0x41, 'v', '0', 0, 0xA0, 'h', 0xF0, 0}},
    {36, {0x90, 96, 0, 5, 0, 0, 1, 64, 1, 2, 3, 4, 0x10, 0, 0, 2, 0, 4, 2, 'v', '0', 10, 1, 'h'}},
};

static size_t make(uint8_t *data)
{
    uint32_t seed = number(SEEDS);
    size_t size = seeds[seed].size;
    memset(data, (int)number(256), MAX_SIZE);
    memcpy(data, seeds[seed].data, sizeof seeds[seed].data);
    for (uint32_t changes = number(5); changes > 0; changes--)
        data[number(number(2) ? 16 : 48)] = (uint8_t)(number(3) ? number(256) : number(2) * 255);
    if (number(3) == 0)
        size = number(MAX_SIZE);
    return size;
}

static void program_at_random(struct end *end, const union address *home, const union address *signalled)
{
    forget_keys(end);
    memset(end, 0, sizeof *end);
    struct program *program = &end->program;
    program->home = *home;
    program->peer = 1;
    program->carrier = program->rider = NO_END;
    program->is_nat = number(2);
    program->is_mux = number(2);
    program->is_rtp = number(8) != 0;
    program->is_secured = number(4) == 0;
    program->has_others = program->is_secured && number(2);
    program->pins_ssrc = number(2);
    program->max_rate = number(2) * 1000;
    program->mid_id = (uint8_t)(number(2) * 4);
    program->mid_size = 2;
    memcpy(program->mid, "v0", 2);
    program->clock_count = (uint8_t)number(MAX_CLOCKS + 1);
    for (int i = 0; i < program->clock_count; i++)
        program->clocks[i] = (struct clock_rate){1 + number(90000), (uint8_t)number(128)};
    for (int channel = 0; channel < CHANNELS; channel++)
        latch_arm(&end->latches[channel], signalled, home, program->is_nat);
    end->is_armed = true;
}

/* A key in place of what was admitted, in a buffer with the room that the engine's have. */
static void press_at_random(struct end *end, const uint8_t *data, size_t size, uint64_t now)
{
    uint8_t *packet = malloc(size + PROTECTION_ROOM);
    struct key_press press = {8000, number(400), (uint8_t)number(16), number(2) ? 101 : NO_PAYLOAD_TYPE};
    memcpy(packet, data, size);
    if (end->keying == NULL || number(8) == 0)
        press_key(end, &press, now);
    size_t made = key_packet(end, packet, size, now);
    require(made >= RTP_HEADER && made <= size + EVENT_SIZE, "a packet of sound or of a key");
    require(end->keying->count <= KEYS_WAITING && has_keys(end) == (end->keying->count != 0), "no more keys than there is room for");
    free(packet);
}

/* In the other form: nothing but octets of the payload and the payload type changes. */
static void recode_at_random(const struct engine *engine, const uint8_t *data, size_t size)
{
    struct recoding recoding = {.form = (uint8_t)number(FORMS), .count = (uint8_t)(1 + number(MAX_CLOCKS))};
    uint8_t *packet = malloc(size);
    memcpy(packet, data, size);
    for (int i = 0; i < recoding.count; i++)
        recoding.types[i] = (struct retyped){(uint8_t)number(128), (uint8_t)number(128), number(2)};
    recoding.types[0].from = number(2) ? data[1] & 0x7F : recoding.types[0].from;
    bool is_passed = recode(engine, &recoding, packet, size);
    require(is_passed == (retyped_of(&recoding, data[1] & 0x7F) != NULL), "only what was agreed passes");
    require(packet[0] == data[0] && (packet[1] & 0x80) == (data[1] & 0x80) &&
            !memcmp(packet + 2, data + 2, rtp_payload_at(data) - 2), "a header stays");
    require(!(data[0] & 0x20) || packet[size - 1] == data[size - 1], "padding stays");
    free(packet);
}

static void check_end(const struct end *end, const union address *home, const union address *signalled)
{
    for (int channel = 0; channel < CHANNELS; channel++) {
        const union address *remote = &end->latches[channel].remote;
        bool is_home = end->program.is_nat && host_equal(remote, home);
        require(remote->any.sa_family == AF_UNSPEC || address_equal(remote, signalled) || is_home,
                "a leg is only where it was signalled, or at its signalling's host");
    }
    const struct statistics *s = &end->statistics;
    require(!s->has_source || s->highest - s->first < 1u << 31, "the highest number is not before the first");
    require(s->counted_before + s->counted <= s->packets + 1, "nothing is counted twice");
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    uint64_t rounds = strtoull(argv[1], NULL, 10), admitted = 0, now = 1000 * SECOND;
    state = strtoull(argv[2], NULL, 10) * 0x9E3779B97F4A7C15u + 1;
    union address sources[4];  /* signalled, elsewhere at home, a stranger, a stranger of the other family */
    address_parse("192.0.2.7", 4000, &sources[0]);
    address_parse("192.0.2.8", 5000, &sources[1]);
    address_parse("198.51.100.66", 4000, &sources[2]);
    address_parse("2001:db8::66", 4000, &sources[3]);
    struct end *end = calloc(1, sizeof *end);
    struct engine *engine = aligned_alloc(_Alignof(struct engine), sizeof *engine);
    memset(engine->octets, 0x55, sizeof engine->octets);
    uint8_t scratch[MAX_SIZE];
    for (uint64_t round = 0; round < rounds; round++) {
        if (round % 500 == 0)
            program_at_random(end, &sources[1], &sources[0]);
        size_t size = make(scratch);
        uint8_t *data = malloc(size ? size : 1);
        memcpy(data, scratch, size);
        uint32_t who = number(8) < 5 ? 0 : number(4);
        int out = -1;
        struct end *owner = end;
        enum drop reason = end_admit(
            end, &owner, (int)number(CHANNELS), data, &size, &sources[who], now += number(40000000), &out);
        require(reason < DROPS && out >= 0 && out < CHANNELS, "a verdict and a channel");
        require(reason != DROP_NONE || who < 2, "no stranger gets in");
        require(reason != DROP_NONE || size >= RTCP_HEADER || !end->program.is_rtp || end->program.has_others,
                "a stump is no packet");
        check_end(end, &sources[1], &sources[0]);
        if (reason == DROP_NONE && out == RTCP && end->program.is_rtp && !end->program.is_secured)
            compound_names(data, size, end, end);
        if (reason == DROP_NONE && out == RTP && end->program.is_rtp && size >= RTP_HEADER)
            press_at_random(end, data, size, now);
        if (reason == DROP_NONE && out == RTP && end->program.is_rtp && !end->program.is_secured)
            recode_at_random(engine, data, size);
        admitted += reason == DROP_NONE;
        free(data);
    }
    forget_keys(end);
    free(end);
    free(engine);
    printf("%llu datagrams, %llu admitted\n", (unsigned long long)rounds, (unsigned long long)admitted);
    return 0;
}
