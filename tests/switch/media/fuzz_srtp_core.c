/* SRTP's transforms: the vectors of the RFCs through them, and mutated packets, to be built with
 * -fsanitize=address,undefined. It includes srtp.c, for vectors begin with session keys.
 *
 *   fuzz derive CIPHER KEY SALT             prints the session key, authentication key and salt of RTP
 *   fuzz stream CIPHER KEY SALT BLOCK       prints 48 octets of the key stream from that block on
 *   fuzz seal rtp|rtcp CIPHER KEY SALT PACKET INDEX   prints the protected packet
 *   fuzz ROUNDS SEED                        prints "ROUNDS packets, N opened, M handed up", or aborts
 *
 * CIPHER is cm or gcm, KEY and SALT are hexadecimal; those of `derive` are the master key's, else the session's.
 */
#define _GNU_SOURCE
#include <stdio.h>

#include "admit.h"
#include "crypto/srtp.c"
#include "sockets.h"
#include "fuzzing.h"

enum { MAX_SIZE = 300, ROOM = MAX_SIZE + 256, SETS = 12 };

/* -- vectors */

static uint32_t read_hex(const char *text, uint8_t *out, uint32_t room)
{
    uint32_t size = (uint32_t)strlen(text) / 2;
    require(size <= room, "it fits");
    for (uint32_t i = 0; i < size; i++) {
        unsigned octet;
        require(sscanf(text + 2 * i, "%2x", &octet) == 1, "hexadecimal");
        out[i] = (uint8_t)octet;
    }
    return size;
}

static void print_hex(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        printf("%02x", data[i]);
    printf("\n");
}

static struct srtp_config read_config(char **words)
{
    struct srtp_config config = {.cipher = strcmp(words[0], "gcm") ? AES_CM : AES_GCM, .tag_size = 10, .is_sender = true};
    config.key_size = read_hex(words[1], config.key, sizeof config.key);
    config.salt_size = read_hex(words[2], config.salt, sizeof config.salt);
    return config;
}

static void print_derived(const struct srtp_config *config)
{
    uint8_t key[SRTP_KEY_MAX], auth[AUTH_KEY], salt[SRTP_SALT];
    struct evp_context *prf = libcrypto.context_new();
    const struct evp_cipher *aes = config->key_size == 32 ? libcrypto.aes_256_ctr() : libcrypto.aes_128_ctr();
    require(libcrypto.encrypt_init(prf, aes, NULL, config->key, NULL) == 1, "a key");
    require(derive(prf, config, RTP_CIPHER, key, (int)config->key_size), "derived");
    require(derive(prf, config, RTP_AUTH, auth, AUTH_KEY), "derived");
    require(derive(prf, config, RTP_SALT, salt, (int)config->salt_size), "derived");
    print_hex(key, config->key_size);
    print_hex(auth, AUTH_KEY);
    print_hex(salt, config->salt_size);
    libcrypto.context_free(prf);
}

/* Session keys in place of the derived ones. */
static void rekey(struct half *half, const struct srtp_config *config)
{
    require(libcrypto.encrypt_init(half->cipher, NULL, NULL, config->key, NULL) == 1, "a key");
    memset(half->salt, 0, sizeof half->salt);
    memcpy(half->salt, config->salt, config->salt_size);
}

static void print_stream(struct srtp *srtp, uint32_t block)
{
    size_t size = ((size_t)block + 3) * BLOCK;
    uint8_t *data = calloc(1, size);
    require(cm_crypt(&srtp->rtp, 0, 0, data, size), "a key stream");
    print_hex(data + (size_t)block * BLOCK, 3 * BLOCK);
    free(data);
}

static void print_sealed(struct srtp *srtp, bool is_rtcp, const char *packet, uint64_t index)
{
    uint8_t data[1024];
    size_t size = read_hex(packet, data, sizeof data - PROTECTION_ROOM);
    if (is_rtcp)
        stream_add(srtp, read32(data + 4))->rtcp = (struct window){index - 1, 1, true};
    size = srtp->protector.protect(&srtp->protector, data, size, sizeof data, is_rtcp);
    require(size > 0, "protected");
    print_hex(data, size);
}

static int vectors(int argc, char **argv)
{
    bool is_seal = strcmp(argv[1], "seal") == 0;
    if (argc < (is_seal ? 8 : 5))
        return 2;
    struct srtp_config config = read_config(argv + (is_seal ? 3 : 2));
    struct srtp *srtp = (struct srtp *)srtp_create(&config, NULL, 0);
    require(srtp != NULL, "libcrypto is there");
    rekey(&srtp->rtp, &config);
    rekey(&srtp->rtcp, &config);
    if (is_seal)
        print_sealed(srtp, strcmp(argv[2], "rtcp") == 0, argv[6], strtoull(argv[7], NULL, 16));
    else if (strcmp(argv[1], "derive") == 0)
        print_derived(&config);
    else
        print_stream(srtp, (uint32_t)strtoul(argv[5], NULL, 16));
    srtp->protector.release(&srtp->protector);
    return 0;
}

/* -- mutated packets */

static const struct {
    enum srtp_cipher cipher;
    uint32_t key_size, salt_size, tag_size;
} kinds[] = {{AES_CM, 16, 14, 10}, {AES_CM, 16, 14, 4}, {AES_CM, 32, 14, 10}, {AES_GCM, 16, 12, 16}, {AES_GCM, 32, 12, 16}};

struct both {
    struct protector *sender, *receiver;
};

static struct both both_at_random(void)
{
    struct srtp_config config = {0};
    uint32_t kind = number(sizeof kinds / sizeof kinds[0]);
    config.cipher = kinds[kind].cipher;
    config.key_size = kinds[kind].key_size;
    config.salt_size = kinds[kind].salt_size;
    config.tag_size = kinds[kind].tag_size;
    config.mki_size = number(3) ? 0 : 1 + number(SRTP_MKI_MAX);
    for (size_t i = 0; i < sizeof config.key; i++)
        config.key[i] = (uint8_t)number(256);
    for (uint32_t i = 0; i < config.salt_size; i++)
        config.salt[i] = (uint8_t)number(256);
    for (uint32_t i = 0; i < config.mki_size; i++)
        config.mki[i] = (uint8_t)number(256);
    struct srtp_place place = {.ssrc = 1, .roc = number(3), .sequence_number = (uint16_t)number(65536)};
    struct both both;
    config.is_sender = true;
    both.sender = srtp_create(&config, NULL, 0);
    config.is_sender = false;
    both.receiver = srtp_create(&config, number(4) ? NULL : &place, number(2));
    require(both.sender != NULL && both.receiver != NULL, "libcrypto is there");
    return both;
}

/* RTP with sources, an extension and padding now and then, or RTCP; sometimes anything at all. */
static size_t packet_at_random(uint8_t *data, bool *is_rtcp)
{
    static uint16_t seq;
    size_t size = 12 + number(MAX_SIZE - 12);
    *is_rtcp = number(4) == 0;
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)number(256);
    if (number(8) == 0)
        return number((uint32_t)size);
    data[0] = (uint8_t)(0x80 | (number(4) ? 0 : number(64)));
    data[1] = *is_rtcp ? (uint8_t)(200 + number(8)) : (uint8_t)number(64);
    seq = (uint16_t)(seq + 1 + (number(64) ? 0 : number(3000)));
    data[2] = (uint8_t)(seq >> 8);
    data[3] = (uint8_t)seq;
    memset(data + (*is_rtcp ? 4 : 8), 0, 3);
    data[*is_rtcp ? 7 : 11] = (uint8_t)(number(8) ? 1 : number(64));
    size_t header = RTP_HEADER + 4u * (data[0] & 0x0F);
    if (!*is_rtcp && data[0] & 0x10 && header + 4 <= size && number(4)) {
        data[header + 2] = 0;
        data[header + 3] = (uint8_t)number(4);
    }
    return size;
}

static bool mutate(uint8_t *data, size_t *size)
{
    if (number(2) || *size == 0)
        return false;
    if (number(4) == 0)
        *size = number((uint32_t)*size);
    else
        data[number((uint32_t)*size)] ^= (uint8_t)(1 + number(255));
    return true;
}

/* One packet through both; it lies in a block of exactly its size when it is opened. */
static bool pass(struct both *both, const uint8_t *packet, size_t size, bool is_rtcp)
{
    uint8_t *sealed = malloc(ROOM);
    memcpy(sealed, packet, size);
    size_t room = number(16) ? (size_t)ROOM : size + number(PROTECTION_ROOM);
    size_t sealed_size = both->sender->protect(both->sender, sealed, size, room, is_rtcp);
    require(sealed_size <= room, "the room is kept");
    bool was_sealed = sealed_size != 0;
    if (!was_sealed)
        memcpy(sealed, packet, sealed_size = size);
    bool is_other = mutate(sealed, &sealed_size) || !was_sealed;
    uint8_t *data = malloc(sealed_size ? sealed_size : 1);
    memcpy(data, sealed, sealed_size);
    size_t clear = both->receiver->unprotect(both->receiver, data, sealed_size, is_rtcp);
    require(clear == 0 || !is_other, "nothing but what was protected opens");
    require(clear == 0 || (clear == size && memcmp(data, packet, size) == 0), "it is what it was");
    if (clear != 0) {
        uint8_t *again = malloc(sealed_size);
        memcpy(again, sealed, sealed_size);
        require(both->receiver->unprotect(both->receiver, again, sealed_size, is_rtcp) == 0, "once only");
        free(again);
    }
    free(data);
    free(sealed);
    return clear != 0;
}

/* Connectivity checks and handshakes, mutated, before the door of a secured end. */
static bool knock(struct end *end, const union address *sources)
{
    static const uint8_t check[] = {0, 1, 0, 20, 0x21, 0x12, 0xA4, 0x42, 'm', 'a', 'r', 'k', 0, 0, 0, 0, 0, 0, 0, 0,
                                    0, 6, 0, 13, 'f', 'r', 'a', 'g', 'm', 'e', 'n', 't', ':', 'o', 't', 'h', 0, 0, 0, 0};
    uint8_t scratch[80];
    size_t size = number(3) ? sizeof check : number(sizeof scratch);
    memset(scratch, (int)number(256), sizeof scratch);
    memcpy(scratch, check, sizeof check);
    if (number(4) == 0)
        scratch[0] = (uint8_t)(20 + number(44));
    if (number(4) == 0)
        scratch[0] = 1;
    for (uint32_t changes = number(4); changes > 0; changes--)
        scratch[number(sizeof check)] = (uint8_t)(number(2) ? number(256) : number(2) * 255);
    uint8_t *data = malloc(size ? size : 1);
    memcpy(data, scratch, size);
    uint32_t who = number(3);
    enum drop verdict = shield_admits(end, (int)number(CHANNELS), data, size, &sources[who]);
    if (verdict == DROP_NONE && data[0] >= 20)
        require(who == 0, "a handshake only from where the leg is");
    if (verdict == DROP_NONE && data[0] < 20)
        require(data[0] & 1 ? memcmp(data + 8, "mark", 4) == 0 : memmem(data, size, "fragment:", 9) != NULL, "it is ours");
    free(data);
    return verdict == DROP_NONE;
}

static int fuzz(uint64_t rounds)
{
    uint64_t opened = 0, handed = 0;
    union address sources[3];  /* signalled, another port there, a stranger */
    address_parse("192.0.2.7", 4000, &sources[0]);
    address_parse("192.0.2.7", 4001, &sources[1]);
    address_parse("198.51.100.66", 4000, &sources[2]);
    struct end *end = calloc(1, sizeof *end);
    end->program.home = sources[0];
    struct shield *shield = &end->program.shield;
    memcpy(shield->ufrag, "fragment", 8);
    memcpy(shield->mark, "mark", 4);
    shield->is_on = shield->has_dtls = shield->has_ice = true;
    for (int channel = 0; channel < CHANNELS; channel++)
        latch_arm(&end->latches[channel], &sources[0], &sources[0], false);
    struct both sets[SETS];
    for (int i = 0; i < SETS; i++)
        sets[i] = both_at_random();
    for (uint64_t round = 0; round < rounds; round++) {
        struct both *both = &sets[number(SETS)];
        uint8_t packet[MAX_SIZE];
        bool is_rtcp;
        size_t size = packet_at_random(packet, &is_rtcp);
        opened += pass(both, packet, size, is_rtcp);
        handed += knock(end, sources);
        if (number(5000) == 0) {
            both->sender->release(both->sender);
            both->receiver->release(both->receiver);
            *both = both_at_random();
        }
    }
    for (int i = 0; i < SETS; i++) {
        sets[i].sender->release(sets[i].sender);
        sets[i].receiver->release(sets[i].receiver);
    }
    free(end);
    printf("%llu packets, %llu opened, %llu handed up\n", (unsigned long long)rounds, (unsigned long long)opened,
           (unsigned long long)handed);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 3) {
        require(libcrypto_open()->missing == NULL, "libcrypto is there");
        return vectors(argc, argv);
    }
    if (argc != 3)
        return 2;
    state = strtoull(argv[2], NULL, 10) * 0x9E3779B97F4A7C15u + 1;
    return fuzz(strtoull(argv[1], NULL, 10));
}
