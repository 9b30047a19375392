/* Addresses from text, and one bound UDP socket. */
#ifndef SWITCHROOM_SOCKETS_H
#define SWITCHROOM_SOCKETS_H

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <unistd.h>

#include "latch.h"

int address_parse(const char *host, uint16_t port, union address *address)
{
    char name[INET6_ADDRSTRLEN + 1 + IF_NAMESIZE];
    memset(address, 0, sizeof *address);
    if (inet_pton(AF_INET, host, &address->v4.sin_addr) == 1) {
        address->v4.sin_family = AF_INET;
        address->v4.sin_port = htons(port);
        return 0;
    }
    if (strlen(host) < sizeof name) {
        strcpy(name, host);
        char *scope = strchr(name, '%');
        if (scope != NULL) {
            *scope++ = 0;
            address->v6.sin6_scope_id = if_nametoindex(scope);
        }
        if (inet_pton(AF_INET6, name, &address->v6.sin6_addr) == 1) {
            address->v6.sin6_family = AF_INET6;
            address->v6.sin6_port = htons(port);
            return 0;
        }
    }
    memset(address, 0, sizeof *address);
    errno = EINVAL;
    return -1;
}

/* Writes the host, at most 64 octets with its zero; without the interface of a link-local one. */
int address_print(const union address *address, char *text)
{
    const void *host = address->any.sa_family == AF_INET6 ? (const void *)&address->v6.sin6_addr
                                                          : (const void *)&address->v4.sin_addr;
    text[0] = 0;
    return inet_ntop(address->any.sa_family, host, text, INET6_ADDRSTRLEN) == NULL ? -1 : 0;
}

static inline int open_socket(const union address *local, int dscp)
{
    int family = local->any.sa_family, on = 1, tos = dscp << 2;
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (family == AF_INET6) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);  /* no v4-mapped sources */
        setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof tos);
    } else {
        setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof tos);
    }
    if (bind(fd, &local->any, address_size(local)) < 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

#endif
