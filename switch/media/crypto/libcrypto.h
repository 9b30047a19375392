/* The few functions of OpenSSL's libcrypto that SRTP needs, found while the program runs. */
#ifndef SWITCHROOM_LIBCRYPTO_H
#define SWITCHROOM_LIBCRYPTO_H

#include <stddef.h>
#include <stdint.h>

#include "codecs/native/library.h"

struct evp_cipher;
struct evp_context;

struct sha1 {  /* SHA_CTX, with room to spare */
    uint64_t opaque[16];
};

/* From <openssl/evp.h>, where they never change */
enum { GET_TAG = 0x10, SET_TAG = 0x11 };

struct libcrypto {
    struct evp_context *(*context_new)(void);
    void (*context_free)(struct evp_context *);
    const struct evp_cipher *(*aes_128_ctr)(void), *(*aes_256_ctr)(void), *(*aes_128_gcm)(void), *(*aes_256_gcm)(void);
    int (*encrypt_init)(struct evp_context *, const struct evp_cipher *, void *engine, const uint8_t *key, const uint8_t *iv);
    int (*encrypt)(struct evp_context *, uint8_t *out, int *written, const uint8_t *in, int size);
    int (*encrypt_final)(struct evp_context *, uint8_t *out, int *written);
    int (*decrypt_init)(struct evp_context *, const struct evp_cipher *, void *engine, const uint8_t *key, const uint8_t *iv);
    int (*decrypt)(struct evp_context *, uint8_t *out, int *written, const uint8_t *in, int size);
    int (*decrypt_final)(struct evp_context *, uint8_t *out, int *written);
    int (*control)(struct evp_context *, int command, int argument, void *pointer);
    int (*sha1_init)(struct sha1 *);
    int (*sha1_update)(struct sha1 *, const void *data, size_t size);
    int (*sha1_final)(uint8_t *digest, struct sha1 *);
};

extern struct libcrypto libcrypto;

/* Looks for the library once; found->missing says why there is none. */
const struct codec_library *libcrypto_open(void);

#endif
