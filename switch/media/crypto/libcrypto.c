/* OpenSSL's libcrypto: wherever Python has ssl from the system, it is there. */

#include "libcrypto.h"

#include <pthread.h>

struct libcrypto libcrypto;

static struct codec_library found;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static const char *const files[] = {"libcrypto.so.3", "libcrypto.so.1.1", "libcrypto.so", NULL};

static const struct symbol symbols[] = {
    {"EVP_CIPHER_CTX_new", &libcrypto.context_new},
    {"EVP_CIPHER_CTX_free", &libcrypto.context_free},
    {"EVP_aes_128_ctr", &libcrypto.aes_128_ctr},
    {"EVP_aes_256_ctr", &libcrypto.aes_256_ctr},
    {"EVP_aes_128_gcm", &libcrypto.aes_128_gcm},
    {"EVP_aes_256_gcm", &libcrypto.aes_256_gcm},
    {"EVP_EncryptInit_ex", &libcrypto.encrypt_init},
    {"EVP_EncryptUpdate", &libcrypto.encrypt},
    {"EVP_EncryptFinal_ex", &libcrypto.encrypt_final},
    {"EVP_DecryptInit_ex", &libcrypto.decrypt_init},
    {"EVP_DecryptUpdate", &libcrypto.decrypt},
    {"EVP_DecryptFinal_ex", &libcrypto.decrypt_final},
    {"EVP_CIPHER_CTX_ctrl", &libcrypto.control},
    /* the plain functions: a copied state costs a tenth of what HMAC's own objects do */
    {"SHA1_Init", &libcrypto.sha1_init},
    {"SHA1_Update", &libcrypto.sha1_update},
    {"SHA1_Final", &libcrypto.sha1_final},
    {NULL, NULL},
};

static void look(void)
{
    library_open(&found, files, "libssl3", symbols);
}

const struct codec_library *libcrypto_open(void)
{
    pthread_once(&once, look);
    return &found;
}
