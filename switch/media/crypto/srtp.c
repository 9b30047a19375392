/* The transforms of SRTP on libcrypto's ciphers; see srtp.h.
 *
 * A packet is looked at in this order: which source and index it is, whether that came before, whether it is authentic,
 * and only then is anything changed or remembered. No source is believed before one of its packets was authentic, so
 * strangers fill no table.
 */
#include "srtp.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "libcrypto.h"
#include "packet.h"

enum { BLOCK = 16, DIGEST = 20, HMAC_TAG = 10, GCM_TAG = 16, GCM_IV = 12, AUTH_KEY = 20, SHA1_BLOCK = 64 };
enum { WINDOW = 64, TRIALS = 64 };
enum { RTCP_LEAP = 4096 };  /* more RTCP than was sent since a place was kept: no index serves twice */
enum label { RTP_CIPHER, RTP_AUTH, RTP_SALT, RTCP_CIPHER, RTCP_AUTH, RTCP_SALT };  /* RFC 3711 §4.3.1 */
#define ENCRYPTED 0x80000000u  /* E of SRTCP; RFC 3711 §3.4 */

/* One half of the packets: RTP or RTCP. */
struct half {
    struct evp_context *cipher;
    struct sha1 inner, outer;  /* HMAC, with its key already in */
    uint8_t salt[BLOCK];
};

struct window {
    uint64_t highest, seen;    /* the 64 indices up to the highest, as bits */
    bool has_any;
};

struct stream {
    uint32_t ssrc;
    bool is_known;
    struct window rtp, rtcp;
    uint64_t used_at;
};

struct srtp {
    struct protector protector;
    _Atomic uint32_t owners;
    struct half rtp, rtcp;
    enum srtp_cipher cipher;
    uint32_t rtp_tag, mki_size, gone_count;
    bool is_sender, is_restored;
    uint64_t clock;            /* counts packets: who was used last */
    struct stream streams[SRTP_STREAMS], *last;
    uint32_t gone[SRTP_GONE];  /* sources that gave way: under the same key they never begin again */
    uint8_t mki[SRTP_MKI_MAX];
};

/* -- keys; RFC 3711 §4.3 */

static bool derive(
    struct evp_context *prf, const struct srtp_config *config, enum label label, uint8_t *out, int size)
{
    static const uint8_t zeros[SRTP_KEY_MAX] = {0};
    uint8_t iv[BLOCK] = {0};
    int written;
    memcpy(iv, config->salt, config->salt_size);
    iv[7] ^= (uint8_t)label;
    return libcrypto.encrypt_init(prf, NULL, NULL, NULL, iv) == 1 &&
           libcrypto.encrypt(prf, out, &written, zeros, size) == 1;
}

static void hmac_start(struct half *half, const uint8_t *key)
{
    uint8_t pad[SHA1_BLOCK];
    for (int i = 0; i < SHA1_BLOCK; i++)
        pad[i] = (i < AUTH_KEY ? key[i] : 0) ^ 0x36;
    libcrypto.sha1_init(&half->inner);
    libcrypto.sha1_update(&half->inner, pad, sizeof pad);
    for (int i = 0; i < SHA1_BLOCK; i++)
        pad[i] ^= 0x36 ^ 0x5C;
    libcrypto.sha1_init(&half->outer);
    libcrypto.sha1_update(&half->outer, pad, sizeof pad);
}

static const struct evp_cipher *cipher_of(const struct srtp_config *config)
{
    if (config->cipher == AES_GCM)
        return config->key_size == 32 ? libcrypto.aes_256_gcm() : libcrypto.aes_128_gcm();
    return config->key_size == 32 ? libcrypto.aes_256_ctr() : libcrypto.aes_128_ctr();
}

static bool half_init(
    struct half *half, struct evp_context *prf, const struct srtp_config *config, enum label first)
{
    uint8_t key[SRTP_KEY_MAX], auth[AUTH_KEY];
    bool is_done = derive(prf, config, first, key, (int)config->key_size) &&
                   derive(prf, config, first + 1, auth, AUTH_KEY) &&
                   derive(prf, config, first + 2, half->salt, (int)config->salt_size);
    half->cipher = libcrypto.context_new();
    bool is_encrypting = config->cipher == AES_CM || config->is_sender;  /* the key stream is the same for both */
    int (*init)(struct evp_context *, const struct evp_cipher *, void *, const uint8_t *, const uint8_t *) =
        is_encrypting ? libcrypto.encrypt_init : libcrypto.decrypt_init;
    is_done = is_done && half->cipher && init(half->cipher, cipher_of(config), NULL, key, NULL) == 1;
    hmac_start(half, auth);
    memset(key, 0, sizeof key);
    memset(auth, 0, sizeof auth);
    return is_done;
}

/* -- sources and indices; RFC 3711 §3.3.1, §3.3.2 */

static struct stream *stream_of(struct srtp *srtp, uint32_t ssrc)
{
    if (srtp->last != NULL && srtp->last->ssrc == ssrc)
        return srtp->last;
    for (int i = 0; i < SRTP_STREAMS; i++)
        if (srtp->streams[i].is_known && srtp->streams[i].ssrc == ssrc)
            return srtp->last = &srtp->streams[i];
    return NULL;
}

/* Its packet indices would be those of other packets under the same key. */
static bool is_gone(const struct srtp *srtp, uint32_t ssrc)
{
    uint32_t count = srtp->gone_count < SRTP_GONE ? srtp->gone_count : SRTP_GONE;
    for (uint32_t i = 0; i < count; i++)
        if (srtp->gone[i] == ssrc)
            return true;
    return false;
}

/* A new source takes a free place, or that of the one that was silent for longest. */
static struct stream *stream_add(struct srtp *srtp, uint32_t ssrc)
{
    struct stream *oldest = &srtp->streams[0];
    for (int i = 0; i < SRTP_STREAMS && oldest->is_known; i++)
        if (!srtp->streams[i].is_known || srtp->streams[i].used_at < oldest->used_at)
            oldest = &srtp->streams[i];
    if (oldest->is_known)
        srtp->gone[srtp->gone_count++ % SRTP_GONE] = oldest->ssrc;
    *oldest = (struct stream){.ssrc = ssrc, .is_known = true};
    return srtp->last = oldest;
}

/* The 48-bit index that a sequence number most likely means. */
static uint64_t guess_index(const struct window *window, uint16_t seq)
{
    if (!window->has_any)
        return seq;
    uint64_t roc = window->highest >> 16;
    int32_t ahead = (int32_t)seq - (int32_t)(window->highest & 0xFFFF);
    if (ahead > 0x8000 && roc > 0)
        roc--;
    else if (ahead < -0x8000)
        roc++;
    return roc << 16 | seq;
}

static bool is_repeated(const struct window *window, uint64_t index)
{
    if (!window->has_any || index > window->highest)
        return false;
    uint64_t behind = window->highest - index;
    return behind >= WINDOW || window->seen >> behind & 1;
}

static void remember(struct window *window, uint64_t index)
{
    if (!window->has_any || index > window->highest) {
        uint64_t by = window->has_any ? index - window->highest : WINDOW;
        window->seen = by < WINDOW ? window->seen << by | 1 : 1;
        window->highest = index;
        window->has_any = true;
    } else {
        window->seen |= 1ull << (window->highest - index);
    }
}

static void settle(struct srtp *srtp, struct stream *stream, uint32_t ssrc, uint64_t index, bool is_rtcp)
{
    if (stream == NULL)
        stream = stream_add(srtp, ssrc);
    stream->used_at = ++srtp->clock;
    remember(is_rtcp ? &stream->rtcp : &stream->rtp, index);
}

/* -- AES-CM with HMAC-SHA1; RFC 3711 §4.1.1, §4.2 */

static bool cm_crypt(struct half *half, uint32_t ssrc, uint64_t index, uint8_t *data, size_t size)
{
    uint8_t iv[BLOCK];
    int written;
    memcpy(iv, half->salt, BLOCK);
    for (int i = 0; i < 4; i++)
        iv[4 + i] ^= (uint8_t)(ssrc >> (24 - 8 * i));
    for (int i = 0; i < 6; i++)
        iv[8 + i] ^= (uint8_t)(index >> (40 - 8 * i));
    return libcrypto.encrypt_init(half->cipher, NULL, NULL, NULL, iv) == 1 &&
           (size == 0 || libcrypto.encrypt(half->cipher, data, &written, data, (int)size) == 1);
}

/* Over the packet, and for RTP the rollover counter behind it. */
static void hmac(const struct half *half, const uint8_t *data, size_t size, const uint8_t *roc, uint8_t *digest)
{
    struct sha1 inner = half->inner, outer = half->outer;
    libcrypto.sha1_update(&inner, data, size);
    if (roc != NULL)
        libcrypto.sha1_update(&inner, roc, 4);
    libcrypto.sha1_final(digest, &inner);
    libcrypto.sha1_update(&outer, digest, DIGEST);
    libcrypto.sha1_final(digest, &outer);
}

static bool is_equal(const uint8_t *one, const uint8_t *two, size_t size)
{
    uint8_t differs = 0;
    for (size_t i = 0; i < size; i++)
        differs |= one[i] ^ two[i];
    return differs == 0;
}

static void write32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

/* -- AES-GCM; RFC 7714 §8, §9 */

static void gcm_iv(const struct half *half, uint32_t ssrc, uint64_t index, uint8_t *iv)
{
    uint8_t plain[GCM_IV] = {0};
    write32(plain + 2, ssrc);
    for (int i = 0; i < 6; i++)
        plain[6 + i] = (uint8_t)(index >> (40 - 8 * i));
    for (int i = 0; i < GCM_IV; i++)
        iv[i] = plain[i] ^ half->salt[i];
}

/* What is authenticated comes in up to two pieces: the header, and for RTCP the word behind the packet. */
static bool gcm_seal(
    struct half *half, const uint8_t *iv, const uint8_t *header, size_t header_size, const uint8_t *word,
    uint8_t *data, size_t size)
{
    int written;
    struct evp_context *cipher = half->cipher;
    return libcrypto.encrypt_init(cipher, NULL, NULL, NULL, iv) == 1 &&
           libcrypto.encrypt(cipher, NULL, &written, header, (int)header_size) == 1 &&
           (word == NULL || libcrypto.encrypt(cipher, NULL, &written, word, 4) == 1) &&
           (size == 0 || libcrypto.encrypt(cipher, data, &written, data, (int)size) == 1) &&
           libcrypto.encrypt_final(cipher, data + size, &written) == 1 &&
           libcrypto.control(cipher, GET_TAG, GCM_TAG, data + size) == 1;
}

/* The tag stands behind `data`, which is clear afterwards; of no use when it was not authentic. */
static bool gcm_open(
    struct half *half, const uint8_t *iv, const uint8_t *header, size_t header_size, const uint8_t *word,
    uint8_t *data, size_t size)
{
    int written;
    uint8_t tag[GCM_TAG], nothing[BLOCK];
    struct evp_context *cipher = half->cipher;
    memcpy(tag, data + size, GCM_TAG);
    return libcrypto.decrypt_init(cipher, NULL, NULL, NULL, iv) == 1 &&
           libcrypto.control(cipher, SET_TAG, GCM_TAG, tag) == 1 &&
           libcrypto.decrypt(cipher, NULL, &written, header, (int)header_size) == 1 &&
           (word == NULL || libcrypto.decrypt(cipher, NULL, &written, word, 4) == 1) &&
           (size == 0 || libcrypto.decrypt(cipher, data, &written, data, (int)size) == 1) &&
           libcrypto.decrypt_final(cipher, nothing, &written) == 1;
}

/* -- SRTP; RFC 3711 §3.1 */

/* The octets before the payload, 0: they do not fit. */
static size_t header_size(const uint8_t *data, size_t size)
{
    struct rtp rtp;
    if (!rtp_parse(data, size, true, &rtp))
        return 0;
    size_t header = RTP_HEADER + 4u * (data[0] & 0x0F);
    return data[0] & 0x10 ? header + 4 + 4u * read16(data + header + 2) : header;
}

static size_t protect_rtp(struct srtp *srtp, uint8_t *data, size_t size, size_t room)
{
    size_t header = header_size(data, size);
    size_t tag = srtp->cipher == AES_GCM ? GCM_TAG : srtp->rtp_tag;
    if (header == 0 || size + DIGEST + srtp->mki_size > room)
        return 0;
    uint32_t ssrc = read32(data + 8);
    struct stream *stream = stream_of(srtp, ssrc);
    if (stream == NULL && is_gone(srtp, ssrc))
        return 0;
    uint64_t index = stream == NULL ? read16(data + 2) : guess_index(&stream->rtp, read16(data + 2));
    if (stream != NULL && is_repeated(&stream->rtp, index))
        return 0;  /* never two packets under one index: their difference would be readable */
    uint8_t roc[4], digest[DIGEST], iv[GCM_IV];
    write32(roc, (uint32_t)(index >> 16));
    if (srtp->cipher == AES_GCM) {
        gcm_iv(&srtp->rtp, ssrc, index, iv);
        if (!gcm_seal(&srtp->rtp, iv, data, header, NULL, data + header, size - header))
            return 0;
        memcpy(data + size + tag, srtp->mki, srtp->mki_size);
    } else {
        if (!cm_crypt(&srtp->rtp, ssrc, index, data + header, size - header))
            return 0;
        hmac(&srtp->rtp, data, size, roc, digest);
        memcpy(data + size, srtp->mki, srtp->mki_size);
        memcpy(data + size + srtp->mki_size, digest, tag);
    }
    settle(srtp, stream, ssrc, index, false);
    return size + tag + srtp->mki_size;
}

static bool is_authentic_rtp(struct srtp *srtp, const uint8_t *data, size_t size, uint64_t index)
{
    uint8_t roc[4], digest[DIGEST];
    write32(roc, (uint32_t)(index >> 16));
    hmac(&srtp->rtp, data, size, roc, digest);
    return is_equal(digest, data + size + srtp->mki_size, srtp->rtp_tag);
}

static bool open_rtp(struct srtp *srtp, uint8_t *data, size_t header, size_t size, uint64_t index)
{
    uint32_t ssrc = read32(data + 8);
    uint8_t iv[GCM_IV];
    if (srtp->cipher == AES_GCM) {
        gcm_iv(&srtp->rtp, ssrc, index, iv);
        return gcm_open(&srtp->rtp, iv, data, header, NULL, data + header, size - header);
    }
    return is_authentic_rtp(srtp, data, size, index) &&
           cm_crypt(&srtp->rtp, ssrc, index, data + header, size - header);
}

/* After a crash the rollover counter of a source is not known, only that it is small. */
static bool find_index(struct srtp *srtp, const uint8_t *data, size_t header, size_t size, uint64_t *index)
{
    uint8_t copy[2048];
    for (uint64_t roc = 0; roc < TRIALS && size + GCM_TAG <= sizeof copy; roc++) {
        *index = roc << 16 | read16(data + 2);
        memcpy(copy, data, size + (srtp->cipher == AES_GCM ? GCM_TAG : srtp->mki_size + srtp->rtp_tag));
        if (open_rtp(srtp, copy, header, size, *index))
            return true;
    }
    return false;
}

static bool has_mki(const struct srtp *srtp, const uint8_t *at)
{
    return srtp->mki_size == 0 || is_equal(at, srtp->mki, srtp->mki_size);
}

static size_t unprotect_rtp(struct srtp *srtp, uint8_t *data, size_t size)
{
    size_t header = header_size(data, size);
    size_t tag = srtp->cipher == AES_GCM ? GCM_TAG : srtp->rtp_tag;
    if (header == 0 || size < header + tag + srtp->mki_size)
        return 0;
    size -= tag + srtp->mki_size;
    if (!has_mki(srtp, data + size + (srtp->cipher == AES_GCM ? tag : 0)))
        return 0;
    uint32_t ssrc = read32(data + 8);
    struct stream *stream = stream_of(srtp, ssrc);
    if (stream == NULL && is_gone(srtp, ssrc))
        return 0;
    uint64_t index = stream == NULL ? read16(data + 2) : guess_index(&stream->rtp, read16(data + 2));
    if (stream == NULL && srtp->is_restored && !find_index(srtp, data, header, size, &index))
        return 0;
    if (stream != NULL && is_repeated(&stream->rtp, index))
        return 0;
    if (!open_rtp(srtp, data, header, size, index))
        return 0;
    settle(srtp, stream, ssrc, index, false);
    return size;
}

/* -- SRTCP; RFC 3711 §3.4 */

static size_t protect_rtcp(struct srtp *srtp, uint8_t *data, size_t size, size_t room)
{
    if (size < RTCP_HEADER || size + 4 + DIGEST + srtp->mki_size > room)
        return 0;
    uint32_t ssrc = read32(data + 4);
    struct stream *stream = stream_of(srtp, ssrc);
    if (stream == NULL && is_gone(srtp, ssrc))
        return 0;
    uint64_t index = stream == NULL || !stream->rtcp.has_any ? 0 : stream->rtcp.highest + 1;
    if (index >= ENCRYPTED)
        return 0;  /* the key is used up */
    uint8_t digest[DIGEST], iv[GCM_IV], word[4];
    write32(word, (uint32_t)index | ENCRYPTED);
    if (srtp->cipher == AES_GCM) {
        gcm_iv(&srtp->rtcp, ssrc, index, iv);
        if (!gcm_seal(&srtp->rtcp, iv, data, RTCP_HEADER, word, data + RTCP_HEADER, size - RTCP_HEADER))
            return 0;
        size += GCM_TAG;
    } else if (!cm_crypt(&srtp->rtcp, ssrc, index, data + RTCP_HEADER, size - RTCP_HEADER)) {
        return 0;
    }
    memcpy(data + size, word, 4);
    size += 4;
    if (srtp->cipher == AES_CM)
        hmac(&srtp->rtcp, data, size, NULL, digest);
    memcpy(data + size, srtp->mki, srtp->mki_size);
    size += srtp->mki_size;
    if (srtp->cipher == AES_CM) {
        memcpy(data + size, digest, HMAC_TAG);
        size += HMAC_TAG;
    }
    settle(srtp, stream, ssrc, index, true);
    return size;
}

static bool open_rtcp(
    struct srtp *srtp, uint8_t *data, size_t size, uint32_t ssrc, uint32_t index, bool is_encrypted)
{
    uint8_t *word = data + size, digest[DIGEST], iv[GCM_IV];
    if (srtp->cipher == AES_GCM) {
        gcm_iv(&srtp->rtcp, ssrc, index, iv);
        size_t clear = is_encrypted ? RTCP_HEADER : size - GCM_TAG;
        return gcm_open(&srtp->rtcp, iv, data, clear, word, data + clear, size - GCM_TAG - clear);
    }
    hmac(&srtp->rtcp, data, size + 4, NULL, digest);
    return is_equal(digest, word + 4 + srtp->mki_size, HMAC_TAG) &&
           (!is_encrypted || cm_crypt(&srtp->rtcp, ssrc, index, data + RTCP_HEADER, size - RTCP_HEADER));
}

static size_t unprotect_rtcp(struct srtp *srtp, uint8_t *data, size_t size)
{
    size_t behind = 4 + srtp->mki_size + (srtp->cipher == AES_GCM ? 0 : HMAC_TAG);
    size_t inside = srtp->cipher == AES_GCM ? GCM_TAG : 0;
    if (size < RTCP_HEADER + inside + behind)
        return 0;
    size -= behind;
    uint32_t ssrc = read32(data + 4), word = read32(data + size), index = word & ~ENCRYPTED;
    if (!has_mki(srtp, data + size + 4))
        return 0;
    struct stream *stream = stream_of(srtp, ssrc);
    if (stream == NULL ? is_gone(srtp, ssrc) : is_repeated(&stream->rtcp, index))
        return 0;
    if (!open_rtcp(srtp, data, size, ssrc, index, (word & ENCRYPTED) != 0))
        return 0;
    settle(srtp, stream, ssrc, index, true);
    return size - inside;
}

/* -- the protector */

static size_t protect(struct protector *protector, uint8_t *data, size_t size, size_t room, bool is_rtcp)
{
    struct srtp *srtp = (struct srtp *)protector;
    return is_rtcp ? protect_rtcp(srtp, data, size, room) : protect_rtp(srtp, data, size, room);
}

static size_t unprotect(struct protector *protector, uint8_t *data, size_t size, bool is_rtcp)
{
    struct srtp *srtp = (struct srtp *)protector;
    return is_rtcp ? unprotect_rtcp(srtp, data, size) : unprotect_rtp(srtp, data, size);
}

static void destroy(struct srtp *srtp)
{
    libcrypto.context_free(srtp->rtp.cipher);  /* wipes the key; NULL is fine */
    libcrypto.context_free(srtp->rtcp.cipher);
    memset(srtp, 0, sizeof *srtp);
    __asm__ volatile("" : : "r"(srtp) : "memory");  /* what is freed next is wiped all the same */
    free(srtp);
}

static struct protector *share(struct protector *protector)
{
    atomic_fetch_add(&((struct srtp *)protector)->owners, 1);
    return protector;
}

static void release(struct protector *protector)
{
    struct srtp *srtp = (struct srtp *)protector;
    if (atomic_fetch_sub(&srtp->owners, 1) == 1)
        destroy(srtp);
}

static void take_up(struct srtp *srtp, const struct srtp_place *places, uint32_t count)
{
    srtp->is_restored = true;
    for (uint32_t i = 0; i < count && i < SRTP_STREAMS; i++) {
        const struct srtp_place *place = &places[i];
        struct stream *stream = stream_add(srtp, place->ssrc);
        stream->used_at = ++srtp->clock;
        stream->rtp = (struct window){(uint64_t)place->roc << 16 | place->sequence_number, UINT64_MAX, true};
        stream->rtcp = (struct window){place->rtcp_index + (srtp->is_sender ? RTCP_LEAP : 0), UINT64_MAX, true};
    }
}

struct protector *srtp_create(const struct srtp_config *config, const struct srtp_place *places, uint32_t count)
{
    if (libcrypto_open()->missing != NULL)
        return NULL;
    struct srtp *srtp = calloc(1, sizeof *srtp);
    struct evp_context *prf = libcrypto.context_new();
    if (srtp == NULL || prf == NULL) {
        free(srtp);
        libcrypto.context_free(prf);
        return NULL;
    }
    srtp->protector = (struct protector){
        config->is_sender ? protect : NULL, config->is_sender ? NULL : unprotect, share, release};
    srtp->owners = 1;
    srtp->cipher = config->cipher;
    srtp->rtp_tag = config->tag_size;
    srtp->is_sender = config->is_sender;
    srtp->mki_size = config->mki_size;
    memcpy(srtp->mki, config->mki, config->mki_size);
    const struct evp_cipher *aes = config->key_size == 32 ? libcrypto.aes_256_ctr() : libcrypto.aes_128_ctr();
    bool is_done = libcrypto.encrypt_init(prf, aes, NULL, config->key, NULL) == 1 &&
                   half_init(&srtp->rtp, prf, config, RTP_CIPHER) && half_init(&srtp->rtcp, prf, config, RTCP_CIPHER);
    libcrypto.context_free(prf);
    if (!is_done) {
        destroy(srtp);
        return NULL;
    }
    if (places != NULL)
        take_up(srtp, places, count);
    return &srtp->protector;
}

uint32_t srtp_places(const struct protector *protector, struct srtp_place *places, uint32_t room)
{
    const struct srtp *srtp = (const struct srtp *)protector;
    uint32_t count = 0;
    for (int i = 0; i < SRTP_STREAMS && count < room; i++) {
        const struct stream *stream = &srtp->streams[i];
        if (!__atomic_load_n(&stream->is_known, __ATOMIC_RELAXED))
            continue;
        uint64_t highest = __atomic_load_n(&stream->rtp.highest, __ATOMIC_RELAXED);
        places[count++] = (struct srtp_place){
            stream->ssrc, (uint32_t)(highest >> 16),
            (uint32_t)__atomic_load_n(&stream->rtcp.highest, __ATOMIC_RELAXED), (uint16_t)highest};
    }
    return count;
}
