/* SRTP and SRTCP: one direction of one leg under one master key; RFC 3711, RFC 6188, RFC 7714. */
#ifndef SWITCHROOM_SRTP_H
#define SWITCHROOM_SRTP_H

#include "protector.h"

enum { SRTP_STREAMS = 32, SRTP_GONE = 256, SRTP_KEY_MAX = 32, SRTP_SALT = 14, SRTP_MKI_MAX = 128 };

enum srtp_cipher { AES_CM, AES_GCM };

struct srtp_config {
    enum srtp_cipher cipher;
    uint8_t key[SRTP_KEY_MAX], salt[SRTP_SALT], mki[SRTP_MKI_MAX];
    uint32_t key_size, salt_size, mki_size;
    uint32_t tag_size;                      /* of SRTP with HMAC-SHA1: 10 or 4; SRTCP always has 10, GCM 16 */
    bool is_sender;
};

/* Where a source was, so that another process can go on; ROC is the upper 32 bits of the packet index. */
struct srtp_place {
    uint32_t ssrc, roc, rtcp_index;
    uint16_t sequence_number;
};

/* NULL: no memory, or no libcrypto. A restored context (`count` of places, or `is_restored` without any) finds out the
 * rollover counter of sources that it does not know by trial. */
struct protector *srtp_create(const struct srtp_config *config, const struct srtp_place *places, uint32_t count);

/* Copies at most `room` places; may be called by another thread: a place that changes meanwhile may be one packet old. */
uint32_t srtp_places(const struct protector *protector, struct srtp_place *places, uint32_t room);

#endif
