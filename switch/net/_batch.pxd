"""The kernel's structures that _batch.pyx speaks in (recvmmsg(2), ip(7), ipv6(7)), and its own."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t

cdef extern from "<sys/socket.h>" nogil:
    enum: AF_INET, AF_INET6, MSG_DONTWAIT, MSG_ERRQUEUE, MSG_NOSIGNAL
    ctypedef unsigned int socklen_t
    struct iovec:
        void* iov_base
        size_t iov_len
    struct msghdr:
        void* msg_name
        socklen_t msg_namelen
        iovec* msg_iov
        size_t msg_iovlen
        void* msg_control
        size_t msg_controllen
        int msg_flags
    struct mmsghdr:
        msghdr msg_hdr
        unsigned int msg_len
    struct cmsghdr:
        size_t cmsg_len
        int cmsg_level
        int cmsg_type
    cmsghdr* CMSG_FIRSTHDR(msghdr*)
    cmsghdr* CMSG_NXTHDR(msghdr*, cmsghdr*)
    unsigned char* CMSG_DATA(cmsghdr*)
    size_t CMSG_SPACE(size_t)
    size_t CMSG_LEN(size_t)
    int recvmmsg(int, mmsghdr*, unsigned int, int, void*)
    int sendmmsg(int, mmsghdr*, unsigned int, int)
    ssize_t recvmsg(int, msghdr*, int)

cdef extern from "<netinet/in.h>" nogil:
    enum: IPPROTO_IP, IPPROTO_IPV6, IP_PKTINFO, IPV6_PKTINFO, IP_RECVERR, IPV6_RECVERR, INET6_ADDRSTRLEN
    struct in_addr:
        uint32_t s_addr
    struct in6_addr:
        uint8_t s6_addr[16]
    struct sockaddr_in:
        uint16_t sin_family
        uint16_t sin_port
        in_addr sin_addr
    struct sockaddr_in6:
        uint16_t sin6_family
        uint16_t sin6_port
        uint32_t sin6_flowinfo
        in6_addr sin6_addr
        uint32_t sin6_scope_id
    struct in_pktinfo:
        int ipi_ifindex
        in_addr ipi_spec_dst
        in_addr ipi_addr
    struct in6_pktinfo:
        in6_addr ipi6_addr
        unsigned int ipi6_ifindex
    bint IN6_IS_ADDR_LINKLOCAL(in6_addr*)

cdef extern from "<arpa/inet.h>" nogil:
    int inet_pton(int, const char*, void*)
    const char* inet_ntop(int, const void*, char*, socklen_t)
    uint16_t htons(uint16_t)
    uint16_t ntohs(uint16_t)

cdef extern from "<net/if.h>" nogil:
    enum: IF_NAMESIZE
    char* if_indextoname(unsigned int, char*)
    unsigned int if_nametoindex(const char*)

cdef extern from "<linux/errqueue.h>" nogil:
    struct sock_extended_err:
        uint32_t ee_errno
        uint8_t ee_origin
        uint8_t ee_type
        uint8_t ee_code
    enum: SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6

cdef enum:
    BATCH = 64
    # Beyond the largest datagram, and no multiple of the cache's stride: else all slots meet in the same few sets.
    SLOT = 65536 + 17 * 64
    CONTROL = 64  # holds CMSG_SPACE(in6_pktinfo)
    ERROR_CONTROL = 256
    QUOTE = 2048

cdef struct Path:  # where a datagram goes, as the kernel wants it
    sockaddr_in6 name
    socklen_t name_size
    size_t control_size
    char control[CONTROL]


cdef class BatchSocket:
    cdef int fd
    cdef int family
    cdef int filled  # slots that the last receive used
    cdef bint is_wildcard
    cdef object make_flow
    cdef size_t cache_size
    cdef dict flows, old_flows  # octets of both addresses -> flow
    cdef dict paths, old_paths  # flow -> Path
    cdef list failures
    cdef char* buffers
    cdef mmsghdr incoming[BATCH]
    cdef mmsghdr outgoing[BATCH]
    cdef iovec in_vectors[BATCH]
    cdef iovec out_vectors[BATCH]
    cdef sockaddr_in6 in_names[BATCH]
    cdef Path out_paths[BATCH]
    cdef char in_controls[BATCH][CONTROL]
    cdef readonly unsigned long long lost  # datagrams that the kernel had no memory for

    cdef object _flow(self, msghdr* header)
    cdef bint _load(self, int i, tuple item) except -1
    cdef object _path(self, flow)
    cdef int _read_errors(self) except -1
    cdef bint _read_error(self) except -1
    cdef int _check(self, int error) except -1
