/* RTP and RTCP as they may come from anybody: bounds first; RFC 3550 §5.1, §6, A.1, A.2; RFC 5761 §4.
 * Pure functions of bytes and a length: the fuzz test runs them alone.
 */
#ifndef SWITCHROOM_PACKET_H
#define SWITCHROOM_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RTP_HEADER = 12, RTCP_HEADER = 8, REPORT_BLOCK = 24, SENDER_INFO = 20 };
enum { RTCP_SR = 200, RTCP_RR = 201, RTCP_SDES = 202, RTCP_BYE = 203, RTCP_APP = 204 };

struct rtp {
    uint32_t timestamp, ssrc;
    uint16_t sequence_number;
    uint8_t payload_type;
};

static inline uint16_t read16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t read32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* RTP and RTCP on one port are told apart by the second octet; RFC 5761 §4. */
static inline bool packet_is_rtcp(const uint8_t *data, size_t size)
{
    return size >= 2 && data[1] >= 192 && data[1] <= 223;
}

/* STUN, DTLS and the like share the ports of some secure profiles; RFC 7983 §7. */
static inline bool packet_is_rtp_or_rtcp(const uint8_t *data, size_t size)
{
    return size >= 1 && data[0] >= 128 && data[0] <= 191;
}

/* Where the payload of a packet begins whose header is whole. */
static inline size_t rtp_payload_at(const uint8_t *data)
{
    size_t at = RTP_HEADER + 4u * (data[0] & 0x0F);
    return data[0] & 0x10 ? at + 4 + 4u * read16(data + at + 2) : at;
}

/* An element of a header's extension, its own header included; RFC 8285. */
struct element {
    uint8_t *at;
    size_t header, size;
};

/* Of a packet whose header is whole; false: none has that number. */
static inline bool rtp_element(uint8_t *data, uint8_t id, struct element *found)
{
    enum { SHORT = 0xBEDE, LONG = 0x1000, STOP = 15 };
    if (!(data[0] & 0x10))
        return false;
    uint8_t *at = data + RTP_HEADER + 4u * (data[0] & 0x0F), *end = at + 4 + 4u * read16(at + 2);
    bool is_short = read16(at) == SHORT;
    if (!is_short && (read16(at) & 0xFFF0) != LONG)
        return false;
    size_t header = is_short ? 1 : 2;
    for (at += 4; at < end;) {
        if (*at == 0) {  /* padding */
            at++;
            continue;
        }
        uint8_t number = is_short ? *at >> 4 : *at;
        if ((is_short && number == STOP) || (size_t)(end - at) < header)
            return false;
        size_t size = header + (is_short ? (*at & 15u) + 1 : at[1]);
        if (size > (size_t)(end - at))
            return false;
        if (number == id) {
            *found = (struct element){at, header, size};
            return true;
        }
        at += size;
    }
    return false;
}

/* Reads a header whose every length fits the datagram. A secured packet's padding cannot be looked at. */
static inline bool rtp_parse(const uint8_t *data, size_t size, bool is_secured, struct rtp *rtp)
{
    if (size < RTP_HEADER || data[0] >> 6 != 2 || packet_is_rtcp(data, size))
        return false;
    size_t header = RTP_HEADER + 4u * (data[0] & 0x0F);
    if (header > size)
        return false;
    if (data[0] & 0x10) {  /* the extension's own length comes first */
        if (size - header < 4)
            return false;
        size_t extension = 4 + 4u * read16(data + header + 2);
        if (extension > size - header)
            return false;
        header += extension;
    }
    if (data[0] & 0x20 && !is_secured) {
        size_t padding = size > header ? data[size - 1] : 0;
        if (padding == 0 || padding > size - header)
            return false;
    }
    rtp->payload_type = data[1] & 0x7F;
    rtp->sequence_number = read16(data + 2);
    rtp->timestamp = read32(data + 4);
    rtp->ssrc = read32(data + 8);
    return true;
}

/* What a packet of that type must at least hold, its 4 header octets included. */
static inline size_t rtcp_least(uint8_t type, uint8_t count)
{
    switch (type) {
    case RTCP_SR:
        return RTCP_HEADER + SENDER_INFO + (size_t)REPORT_BLOCK * count;
    case RTCP_RR:
        return RTCP_HEADER + (size_t)REPORT_BLOCK * count;
    case RTCP_BYE:
        return 4 + 4u * count;
    case RTCP_SDES:
        return 4 + 8u * count;  /* SSRC, and at least the end mark in a whole word */
    case RTCP_APP:
        return 12;
    default:
        return RTCP_HEADER;
    }
}

/* Whether a compound packet (also of reduced size, RFC 5506) adds up exactly; secured: only its start. */
static inline bool rtcp_is_valid(const uint8_t *data, size_t size, bool is_secured)
{
    if (size < RTCP_HEADER)
        return false;
    for (size_t at = 0; at < size;) {
        if (size - at < 4)
            return false;
        const uint8_t *part = data + at;
        size_t length = 4 + 4u * read16(part + 2);
        if (part[0] >> 6 != 2 || part[1] < 192 || part[1] > 223)
            return false;
        if (is_secured)
            return true;
        if (length > size - at || rtcp_least(part[1], part[0] & 0x1F) > length)
            return false;
        if (part[0] & 0x20) {  /* only the last one may be padded, by whole words */
            uint8_t padding = part[length - 1];
            if (at + length != size || padding == 0 || padding % 4 != 0 || padding > length - 4)
                return false;
        }
        at += length;
    }
    return true;
}

#endif
