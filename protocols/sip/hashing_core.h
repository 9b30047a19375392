/* MD5 (RFC 1321), SHA-256 (RFC 6234) and keyed BLAKE2s (RFC 7693) of texts of a few hundred octets. */
#ifndef SWITCHROOM_HASHING_CORE_H
#define SWITCHROOM_HASHING_CORE_H

#include <stddef.h>
#include <stdint.h>

enum { HASH_BLOCK = 64, SEAL_KEY = 32, SEAL_MOST = 32 };

struct hash {
    uint32_t state[8];
    uint64_t size; /* octets so far */
    uint8_t block[HASH_BLOCK];
    int is_sha256;
};

void hash_begin(struct hash *hash, int is_sha256);
void hash_add(struct hash *hash, const void *octets, size_t size);
size_t hash_end(struct hash *hash, char *digits); /* how many hexadecimal digits: 32 or 64 */

struct seal {
    uint32_t keyed[8]; /* the state behind the block of the key */
    uint8_t key[HASH_BLOCK];
    size_t size; /* octets of the seal */
};

void seal_begin(struct seal *seal, const uint8_t key[SEAL_KEY], size_t size);
void seal_of(const struct seal *seal, const void *octets, size_t size, char *digits); /* twice the seal's size */

#endif
