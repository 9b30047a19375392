/* Who may send to a port, and where its packets go: the defence against RTP bleed and injection.
 *
 * A leg hears the address of its SDP and nobody else. A leg behind a NAT may be learnt, once after each
 * signalling, and only from the host that its signalling comes from: a third address never gets in, not
 * even in the race at the start. What was learnt is pinned, for sound with its SSRC.
 */
#ifndef SWITCHROOM_LATCH_H
#define SWITCHROOM_LATCH_H

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "packet.h"

/* Family AF_UNSPEC means: none. */
union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

enum { LEARNING_PACKETS = 5 };
#define SSRC_SILENCE 1000000000ull  /* ns after which a pinned address may start a new SSRC */

struct latch {
    union address signalled;  /* from the SDP */
    union address remote;     /* heard and sent to */
    uint8_t chances;          /* packets during which something may still be learnt */
    bool is_heard;            /* remote has sent */
    bool is_learnt;           /* remote was learnt, not signalled: its SSRC is pinned */
    bool has_ssrc;
    uint32_t ssrc;
    uint64_t ssrc_at;
};

static inline bool host_equal(const union address *one, const union address *two)
{
    if (one->any.sa_family != two->any.sa_family)
        return false;
    if (one->any.sa_family == AF_INET)
        return one->v4.sin_addr.s_addr == two->v4.sin_addr.s_addr;
    if (one->any.sa_family == AF_INET6)
        return memcmp(&one->v6.sin6_addr, &two->v6.sin6_addr, sizeof one->v6.sin6_addr) == 0;
    return false;
}

/* Bound to no address in particular. */
static inline bool address_is_any(const union address *address)
{
    return address->any.sa_family == AF_INET6 ? IN6_IS_ADDR_UNSPECIFIED(&address->v6.sin6_addr)
                                              : address->v4.sin_addr.s_addr == htonl(INADDR_ANY);
}

static inline bool address_equal(const union address *one, const union address *two)
{
    return host_equal(one, two) && one->v4.sin_port == two->v4.sin_port;  /* same place in v6 */
}

static inline socklen_t address_size(const union address *address)
{
    return address->any.sa_family == AF_INET6 ? sizeof address->v6 : sizeof address->v4;
}

/* A new offer or answer: start again, except that an unchanged leg keeps what it has learnt until the
 * first packet says otherwise, so that hold and resume do not interrupt what is sent to it. */
static inline void latch_arm(
    struct latch *latch, const union address *signalled, const union address *home, bool is_nat)
{
    bool is_same = latch->is_learnt && is_nat && address_equal(&latch->signalled, signalled) &&
                   host_equal(&latch->remote, home);
    union address remote = latch->remote;
    memset(latch, 0, sizeof *latch);
    latch->signalled = *signalled;
    latch->chances = is_nat ? LEARNING_PACKETS : 0;
    if (is_same) {
        latch->remote = remote;
        latch->is_learnt = true;
    } else if (!is_nat || host_equal(signalled, home)) {
        latch->remote = *signalled;  /* behind a NAT another host is not sent to before it was heard */
    }
}

static inline void latch_pin(struct latch *latch, const union address *source)
{
    latch->remote = *source;
    latch->is_learnt = !address_equal(source, &latch->signalled);
    latch->is_heard = true;
    latch->has_ssrc = false;
}

/* Where the leg is was found out in another way (ICE, DTLS); AF_UNSPEC: nowhere any more. */
static inline void latch_face(struct latch *latch, const union address *remote)
{
    memset(latch, 0, sizeof *latch);
    latch->signalled = latch->remote = *remote;
}

/* Whether latch_admits would: nothing changes. */
static inline bool latch_may_admit(
    const struct latch *latch, const union address *source, const union address *home)
{
    if (address_equal(source, &latch->remote))
        return true;
    if (latch->chances == 0)
        return false;
    return address_equal(source, &latch->signalled) || (!latch->is_heard && host_equal(source, home));
}

/* Whether the packet may come in from there; on a NAT leg the first ones decide where the leg is. */
static inline bool latch_admits(struct latch *latch, const union address *source, const union address *home)
{
    bool is_remote = address_equal(source, &latch->remote);
    if (latch->chances == 0)
        return is_remote;
    if (!is_remote) {
        /* the signalled address outranks a learnt one; a learnt one outranks only what was never heard */
        if (!latch_may_admit(latch, source, home))
            return false;
        latch_pin(latch, source);
    }
    latch->is_heard = true;
    latch->chances--;
    return true;
}

/* A learnt leg's SSRC is pinned too; one that fell silent may be followed by another. */
static inline bool latch_admits_ssrc(struct latch *latch, uint32_t ssrc, uint64_t now)
{
    if (!latch->is_learnt)
        return true;
    if (latch->has_ssrc && latch->ssrc != ssrc && now - latch->ssrc_at < SSRC_SILENCE)
        return false;
    latch->has_ssrc = true;
    latch->ssrc = ssrc;
    latch->ssrc_at = now;
    return true;
}

#endif
