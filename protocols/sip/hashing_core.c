/* MD5 (RFC 1321), SHA-256 (RFC 6234) and keyed BLAKE2s (RFC 7693).
 *
 * The libraries that Python has are as fast with long texts, but what a registration hashes has two blocks: there
 * most of the time goes into finding the algorithm and making objects. No step depends on what is hashed.
 */
#include "hashing_core.h"

#include <string.h>

static const uint32_t sines[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};

static const uint32_t cube_roots[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static const uint32_t square_roots[8] = { /* SHA-256 and BLAKE2s begin with them */
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

static const uint8_t orders[10][16] = { /* RFC 7693 section 2.7 */
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
    {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
    {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
    {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
    {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};

static inline uint32_t left(uint32_t x, int count) { return x << count | x >> (32 - count); }

static inline uint32_t right(uint32_t x, int count) { return x >> count | x << (32 - count); }

static inline uint32_t little(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint32_t big(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void write_digits(const uint32_t *words, size_t count, int is_big, char *digits)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t octet = words[i / 4] >> 8 * (is_big ? 3 - i % 4 : i % 4);
        digits[2 * i] = "0123456789abcdef"[octet >> 4];
        digits[2 * i + 1] = "0123456789abcdef"[octet & 15];
    }
}

/* ---- MD5 */

#define CHOOSE(x, y, z) (((x) & (y)) | (~(x) & (z)))
#define CHOOSE_BY_LAST(x, y, z) (((x) & (z)) | ((y) & ~(z)))
#define PARITY(x, y, z) ((x) ^ (y) ^ (z))
#define MIXED(x, y, z) ((y) ^ ((x) | ~(z)))
#define STEP(f, a, b, c, d, i, word, count) a = b + left(a + f(b, c, d) + m[(word) & 15] + sines[i], count)
#define ROUND(f, first, factor, offset, s1, s2, s3, s4)                       \
    for (int i = first; i < first + 16; i += 4) {                             \
        STEP(f, a, b, c, d, i, factor *i + offset, s1);                       \
        STEP(f, d, a, b, c, i + 1, factor *(i + 1) + offset, s2);             \
        STEP(f, c, d, a, b, i + 2, factor *(i + 2) + offset, s3);             \
        STEP(f, b, c, d, a, i + 3, factor *(i + 3) + offset, s4);             \
    }

static void mix_md5(uint32_t *state, const uint8_t *block)
{
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], m[16];
    for (int i = 0; i < 16; i++)
        m[i] = little(block + 4 * i);
    ROUND(CHOOSE, 0, 1, 0, 7, 12, 17, 22)
    ROUND(CHOOSE_BY_LAST, 16, 5, 1, 5, 9, 14, 20)
    ROUND(PARITY, 32, 3, 5, 4, 11, 16, 23)
    ROUND(MIXED, 48, 7, 0, 6, 10, 15, 21)
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
}

/* ---- SHA-256 */

#define SPIN(x, one, two, three) (right(x, one) ^ right(x, two) ^ right(x, three))
#define MOST(x, y, z) (((x) & (y)) ^ ((x) & (z)) ^ ((y) & (z)))
#define TURN(a, b, c, d, e, f, g, h, i)                                         \
    h += SPIN(e, 6, 11, 25) + CHOOSE(e, f, g) + cube_roots[i] + w[i];           \
    d += h;                                                                     \
    h += SPIN(a, 2, 13, 22) + MOST(a, b, c)

static void mix_sha256(uint32_t *state, const uint8_t *block)
{
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7], w[64];
    for (int i = 0; i < 16; i++)
        w[i] = big(block + 4 * i);
    for (int i = 16; i < 64; i++) {
        uint32_t x = w[i - 15], y = w[i - 2];
        w[i] = w[i - 16] + w[i - 7] + (right(x, 7) ^ right(x, 18) ^ x >> 3);
        w[i] += right(y, 17) ^ right(y, 19) ^ y >> 10;
    }
    for (int i = 0; i < 64; i += 8) {
        TURN(a, b, c, d, e, f, g, h, i);
        TURN(h, a, b, c, d, e, f, g, i + 1);
        TURN(g, h, a, b, c, d, e, f, i + 2);
        TURN(f, g, h, a, b, c, d, e, i + 3);
        TURN(e, f, g, h, a, b, c, d, i + 4);
        TURN(d, e, f, g, h, a, b, c, i + 5);
        TURN(c, d, e, f, g, h, a, b, i + 6);
        TURN(b, c, d, e, f, g, h, a, i + 7);
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
    state[5] += f;
    state[6] += g;
    state[7] += h;
}

/* ---- both */

static void mix(struct hash *hash, const uint8_t *block)
{
    if (hash->is_sha256)
        mix_sha256(hash->state, block);
    else
        mix_md5(hash->state, block);
}

void hash_begin(struct hash *hash, int is_sha256)
{
    static const uint32_t first[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    hash->size = 0;
    hash->is_sha256 = is_sha256;
    memcpy(hash->state, is_sha256 ? square_roots : first, is_sha256 ? sizeof square_roots : sizeof first);
}

void hash_add(struct hash *hash, const void *octets, size_t size)
{
    const uint8_t *p = octets;
    size_t used = hash->size % HASH_BLOCK;
    hash->size += size;
    while (used + size >= HASH_BLOCK) {
        size_t taken = HASH_BLOCK - used;
        memcpy(hash->block + used, p, taken);
        mix(hash, hash->block);
        p += taken;
        size -= taken;
        used = 0;
    }
    memcpy(hash->block + used, p, size);
}

size_t hash_end(struct hash *hash, char *digits)
{
    static const uint8_t padding[HASH_BLOCK] = {0x80};
    uint64_t bits = 8 * hash->size;
    size_t size = hash->is_sha256 ? 32 : 16;
    uint8_t length[8];
    hash_add(hash, padding, 1 + (HASH_BLOCK - 9 - hash->size) % HASH_BLOCK);
    for (int i = 0; i < 8; i++)
        length[i] = bits >> 8 * (hash->is_sha256 ? 7 - i : i);
    hash_add(hash, length, sizeof length);
    write_digits(hash->state, size, hash->is_sha256, digits);
    return 2 * size;
}

/* ---- BLAKE2s */

#define BLEND(a, b, c, d, x, y)         \
    v[a] += v[b] + m[x];                \
    v[d] = right(v[d] ^ v[a], 16);      \
    v[c] += v[d];                       \
    v[b] = right(v[b] ^ v[c], 12);      \
    v[a] += v[b] + m[y];                \
    v[d] = right(v[d] ^ v[a], 8);       \
    v[c] += v[d];                       \
    v[b] = right(v[b] ^ v[c], 7);

static void mix_blake2s(uint32_t *state, const uint8_t *block, uint64_t size, int is_last)
{
    uint32_t v[16], m[16];
    for (int i = 0; i < 16; i++)
        m[i] = little(block + 4 * i);
    memcpy(v, state, 8 * sizeof *v);
    memcpy(v + 8, square_roots, sizeof square_roots);
    v[12] ^= (uint32_t)size;
    v[13] ^= (uint32_t)(size >> 32);
    if (is_last)
        v[14] = ~v[14];
    for (int i = 0; i < 10; i++) {
        const uint8_t *s = orders[i];
        BLEND(0, 4, 8, 12, s[0], s[1])
        BLEND(1, 5, 9, 13, s[2], s[3])
        BLEND(2, 6, 10, 14, s[4], s[5])
        BLEND(3, 7, 11, 15, s[6], s[7])
        BLEND(0, 5, 10, 15, s[8], s[9])
        BLEND(1, 6, 11, 12, s[10], s[11])
        BLEND(2, 7, 8, 13, s[12], s[13])
        BLEND(3, 4, 9, 14, s[14], s[15])
    }
    for (int i = 0; i < 8; i++)
        state[i] ^= v[i] ^ v[i + 8];
}

static void begin_blake2s(uint32_t *state, size_t size)
{
    memcpy(state, square_roots, sizeof square_roots);
    state[0] ^= 0x01010000 | SEAL_KEY << 8 | (uint32_t)size;
}

void seal_begin(struct seal *seal, const uint8_t key[SEAL_KEY], size_t size)
{
    memset(seal->key, 0, sizeof seal->key);
    memcpy(seal->key, key, SEAL_KEY);
    seal->size = size;
    begin_blake2s(seal->keyed, size);
    mix_blake2s(seal->keyed, seal->key, HASH_BLOCK, 0);
}

void seal_of(const struct seal *seal, const void *octets, size_t size, char *digits)
{
    const uint8_t *p = octets;
    uint64_t done = HASH_BLOCK;
    uint8_t last[HASH_BLOCK] = {0};
    uint32_t state[8];
    memcpy(state, seal->keyed, sizeof state);
    if (!size) { /* then the block of the key is the last */
        begin_blake2s(state, seal->size);
        done = 0;
        size = HASH_BLOCK;
        p = seal->key;
    }
    for (; size > HASH_BLOCK; size -= HASH_BLOCK, p += HASH_BLOCK)
        mix_blake2s(state, p, done += HASH_BLOCK, 0);
    memcpy(last, p, size);
    mix_blake2s(state, last, done + size, 1);
    write_digits(state, seal->size, 0, digits);
}
