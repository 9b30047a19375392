"""Datagrams in batches: recvmmsg, sendmmsg and the error queue of a UDP socket (Linux).

It only wraps the kernel, so it has no twin in Python. The GIL is kept: no call here can block, and giving it up
would let another thread hold the loop up for a whole switch interval.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.errno cimport EAGAIN, EBADF, EINTR, ENOBUFS, ENOMEM, ENOTSOCK, errno
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset, strerror

cdef class BatchSocket:
    """A non-blocking UDP socket; ``make_flow(local_host | None, remote)`` makes what stands for a pair of ends."""

    def __cinit__(self, int fd, int family, bint is_wildcard, make_flow, size_t cache_size=8192):
        cdef int i
        self.fd, self.family, self.is_wildcard = fd, family, is_wildcard
        self.make_flow, self.cache_size, self.filled = make_flow, cache_size, BATCH
        self.flows, self.old_flows, self.paths, self.old_paths, self.failures = {}, {}, {}, {}, []
        self.buffers = <char*>malloc(BATCH * <size_t>SLOT)  # pages that are not used stay untouched
        if self.buffers == NULL:
            raise MemoryError
        memset(self.incoming, 0, sizeof(self.incoming))
        memset(self.outgoing, 0, sizeof(self.outgoing))
        for i in range(BATCH):
            self.in_vectors[i].iov_base = self.buffers + i * <size_t>SLOT
            self.in_vectors[i].iov_len = SLOT
            self.incoming[i].msg_hdr.msg_iov = &self.in_vectors[i]
            self.incoming[i].msg_hdr.msg_iovlen = 1
            self.incoming[i].msg_hdr.msg_name = &self.in_names[i]
            self.incoming[i].msg_hdr.msg_control = self.in_controls[i] if is_wildcard else NULL
            self.outgoing[i].msg_hdr.msg_iov = &self.out_vectors[i]
            self.outgoing[i].msg_hdr.msg_iovlen = 1
            self.outgoing[i].msg_hdr.msg_name = &self.out_paths[i].name

    def __dealloc__(self):
        free(self.buffers)

    # -- in

    def receive(self):
        """Return what has come, at most 64 datagrams: [(data, flow), ...]."""
        cdef int i, count, attempt
        cdef list received = []
        for i in range(self.filled):  # those alone: all of them are 64 lines of the cache
            self.incoming[i].msg_hdr.msg_namelen = sizeof(sockaddr_in6)
            self.incoming[i].msg_hdr.msg_controllen = CONTROL if self.is_wildcard else 0
        for attempt in range(3):
            count = recvmmsg(self.fd, self.incoming, BATCH, MSG_DONTWAIT, NULL)
            if count >= 0 or errno == EINTR:
                break
            self._check(errno)
            # A pending ICMP error, or nothing to read but woken: epoll reports a queue of errors as readable.
            if not self._read_errors():
                break
        self.filled = max(count, 0)
        for i in range(count):
            received.append((
                PyBytes_FromStringAndSize(self.buffers + i * <size_t>SLOT, self.incoming[i].msg_len),
                self._flow(&self.incoming[i].msg_hdr),
            ))
        return received

    cdef object _flow(self, msghdr* header):
        """The flow of a message, from the cache if the pair was seen lately."""
        cdef char key[48]
        cdef int size = 0
        cdef sockaddr_in* name4 = <sockaddr_in*>header.msg_name
        cdef sockaddr_in6* name6 = <sockaddr_in6*>header.msg_name
        cdef cmsghdr* control = NULL
        cdef char* local = NULL
        cdef unsigned int scope = 0
        if self.is_wildcard:
            control = CMSG_FIRSTHDR(header)
            while control != NULL:
                if control.cmsg_level == IPPROTO_IP and control.cmsg_type == IP_PKTINFO:
                    # The address that was asked, or for a broadcast one of ours that may stand as source.
                    local = <char*>&(<in_pktinfo*>CMSG_DATA(control)).ipi_spec_dst
                elif control.cmsg_level == IPPROTO_IPV6 and control.cmsg_type == IPV6_PKTINFO:
                    local = <char*>&(<in6_pktinfo*>CMSG_DATA(control)).ipi6_addr
                    scope = (<in6_pktinfo*>CMSG_DATA(control)).ipi6_ifindex
                control = CMSG_NXTHDR(header, control)
        if self.family == AF_INET:
            memcpy(key, &name4.sin_port, 2)
            memcpy(key + 2, &name4.sin_addr, 4)
            size = 6
            if local != NULL:
                memcpy(key + 6, local, 4)
                size = 10
        else:
            memcpy(key, &name6.sin6_port, 2)
            memcpy(key + 2, &name6.sin6_addr, 16)
            memcpy(key + 18, &name6.sin6_scope_id, 4)
            size = 22
            if local != NULL:
                memcpy(key + 22, local, 16)
                size = 38
        found = PyBytes_FromStringAndSize(key, size)
        flow = self.flows.get(found)
        if flow is not None:
            return flow
        flow = self.old_flows.get(found)
        if flow is None:
            local_host = None if local == NULL else host_of(self.family, local, scope)
            if self.family == AF_INET:
                remote = (host_of(AF_INET, <char*>&name4.sin_addr, 0), ntohs(name4.sin_port))
            else:
                remote = (host_of(AF_INET6, <char*>&name6.sin6_addr, name6.sin6_scope_id), ntohs(name6.sin6_port))
            flow = self.make_flow(local_host, remote)
        if <size_t>len(self.flows) >= self.cache_size:
            self.old_flows, self.flows = self.flows, {}
        self.flows[found] = flow
        return flow

    # -- out

    def send(self, list datagrams):
        """Send [(data, flow), ...] in order; return how many are done with: the rest would block."""
        cdef Py_ssize_t done = 0, total = len(datagrams)
        cdef int i, count, sent, error
        cdef bint is_retry = False
        cdef tuple item
        while done < total:
            count = 0
            while count < BATCH and done + count < total:
                item = <tuple?>datagrams[done + count]
                if not self._load(count, item):
                    break
                count += 1
            if count == 0:  # no address that this socket can send to
                self.failures.append((datagrams[done][1], "unreachable address", None))
                done += 1
                continue
            sent = sendmmsg(self.fd, self.outgoing, count, MSG_DONTWAIT | MSG_NOSIGNAL)
            if sent > 0:
                done += sent
                is_retry = False
                continue
            error = errno
            if error == EINTR:
                continue
            if error == EAGAIN:
                break
            self._check(error)
            if error == ENOBUFS or error == ENOMEM:  # lost on the way, like any datagram
                self.lost += 1
                done += 1
            elif not is_retry:
                self._read_errors()  # it may be an ICMP error of another datagram, reported here
                is_retry = True
            else:
                self.failures.append((datagrams[done][1], strerror(error).decode(), None))
                done += 1
                is_retry = False
        return done

    cdef bint _load(self, int i, tuple item) except -1:
        """Make slot i of the batch ready; False: the flow's remote end is no address of this family."""
        cdef bytes data = <bytes?>item[0]
        cdef bytes path
        flow = item[1]
        found = self.paths.get(flow)
        if found is None:
            found = self.old_paths.get(flow)
            if found is None:
                found = self._path(flow)
                if found is None:
                    return False
            if <size_t>len(self.paths) >= self.cache_size:
                self.old_paths, self.paths = self.paths, {}
            self.paths[flow] = found
        path = <bytes>found
        memcpy(&self.out_paths[i], PyBytes_AS_STRING(path), sizeof(Path))
        self.out_vectors[i].iov_base = PyBytes_AS_STRING(data)
        self.out_vectors[i].iov_len = PyBytes_GET_SIZE(data)
        self.outgoing[i].msg_hdr.msg_namelen = self.out_paths[i].name_size
        self.outgoing[i].msg_hdr.msg_control = self.out_paths[i].control if self.out_paths[i].control_size else NULL
        self.outgoing[i].msg_hdr.msg_controllen = self.out_paths[i].control_size
        return True

    cdef object _path(self, flow):
        cdef Path path
        cdef msghdr header
        cdef cmsghdr* control
        cdef in_pktinfo info4
        cdef in6_pktinfo info6
        cdef sockaddr_in* name4 = <sockaddr_in*>&path.name
        cdef unsigned int scope = 0
        memset(&path, 0, sizeof(path))
        memset(&header, 0, sizeof(header))
        memset(&info4, 0, sizeof(info4))
        memset(&info6, 0, sizeof(info6))
        host, port = flow.remote
        if not 0 < port < 65536:
            return None
        if self.family == AF_INET:
            if not read_host(AF_INET, host, <char*>&name4.sin_addr, &scope):
                return None
            name4.sin_family, name4.sin_port, path.name_size = AF_INET, htons(port), sizeof(sockaddr_in)
        else:
            if not read_host(AF_INET6, host, <char*>&path.name.sin6_addr, &scope):
                return None
            path.name.sin6_family, path.name.sin6_port, path.name_size = AF_INET6, htons(port), sizeof(sockaddr_in6)
            path.name.sin6_scope_id = scope
        if self.is_wildcard:
            header.msg_control, header.msg_controllen = path.control, CONTROL
            control = CMSG_FIRSTHDR(&header)
            if self.family == AF_INET:
                if not read_host(AF_INET, flow.local[0], <char*>&info4.ipi_spec_dst, &scope):
                    return None
                control.cmsg_level, control.cmsg_type = IPPROTO_IP, IP_PKTINFO
                control.cmsg_len, path.control_size = CMSG_LEN(sizeof(info4)), CMSG_SPACE(sizeof(info4))
                memcpy(CMSG_DATA(control), &info4, sizeof(info4))
            else:
                if not read_host(AF_INET6, flow.local[0], <char*>&info6.ipi6_addr, &scope):
                    return None
                info6.ipi6_ifindex = scope  # 0 but for link-local addresses: the route decides
                control.cmsg_level, control.cmsg_type = IPPROTO_IPV6, IPV6_PKTINFO
                control.cmsg_len, path.control_size = CMSG_LEN(sizeof(info6)), CMSG_SPACE(sizeof(info6))
                memcpy(CMSG_DATA(control), &info6, sizeof(info6))
        return PyBytes_FromStringAndSize(<char*>&path, sizeof(path))

    # -- errors

    def take_failures(self):
        """Return and forget what could not be delivered: [(flow, reason, quote | None), ...].

        A quote is the beginning of the datagram, as the network's ICMP error gives it back: whoever relies on the
        error compares it first, for anybody can forge one. None: this kernel refused, at once.
        """
        failures, self.failures = self.failures, []
        return failures

    cdef int _read_errors(self) except -1:
        """Empty the socket's error queue (ip(7), IP_RECVERR); return how many were read."""
        cdef int count = 0
        while count < BATCH and self._read_error():
            count += 1
        return count

    cdef bint _read_error(self) except -1:
        cdef msghdr header
        cdef iovec vector
        cdef sockaddr_in6 name
        cdef char control[ERROR_CONTROL]
        cdef char quote[QUOTE]
        cdef cmsghdr* part
        cdef sock_extended_err* error = NULL
        cdef ssize_t size
        memset(&header, 0, sizeof(header))
        vector.iov_base, vector.iov_len = quote, QUOTE
        header.msg_iov, header.msg_iovlen = &vector, 1
        header.msg_name, header.msg_namelen = &name, sizeof(name)
        header.msg_control, header.msg_controllen = control, ERROR_CONTROL
        size = recvmsg(self.fd, &header, MSG_ERRQUEUE | MSG_DONTWAIT)
        if size < 0:
            return False
        part = CMSG_FIRSTHDR(&header)
        while part != NULL:
            if (part.cmsg_level == IPPROTO_IP and part.cmsg_type == IP_RECVERR
                    or part.cmsg_level == IPPROTO_IPV6 and part.cmsg_type == IPV6_RECVERR):
                error = <sock_extended_err*>CMSG_DATA(part)
            part = CMSG_NXTHDR(&header, part)
        if error != NULL and header.msg_namelen and is_final(error):
            self.failures.append((
                self._flow(&header), strerror(error.ee_errno).decode(), PyBytes_FromStringAndSize(quote, size)
            ))
        return True

    cdef int _check(self, int error) except -1:
        if error == EBADF or error == ENOTSOCK:
            raise OSError(error, strerror(error).decode())
        return 0


cdef bint is_final(sock_extended_err* error) noexcept:
    """Whether the destination will not be reached; "too big" and "TTL exceeded" are not for us (RFC 3261 §18.4)."""
    if error.ee_origin == SO_EE_ORIGIN_ICMP:
        return (error.ee_type == 3 and error.ee_code != 4) or error.ee_type == 12  # unreachable; bad parameter
    if error.ee_origin == SO_EE_ORIGIN_ICMP6:
        return error.ee_type == 1 or error.ee_type == 4
    return False


cdef str host_of(int family, char* address, unsigned int scope):
    """The text of an address; a link-local one says on which link (RFC 4007 §11)."""
    cdef char text[INET6_ADDRSTRLEN]
    cdef char link[IF_NAMESIZE]
    if inet_ntop(family, address, text, INET6_ADDRSTRLEN) == NULL:
        raise OSError(errno, "inet_ntop")
    host = text.decode("ascii")
    if scope and family == AF_INET6 and IN6_IS_ADDR_LINKLOCAL(<in6_addr*>address):
        if if_indextoname(scope, link) == NULL:
            return f"{host}%{scope}"  # the link has gone
        return f"{host}%{link.decode()}"
    return host


cdef bint read_host(int family, str host, char* address, unsigned int* scope) except -1:
    """Read the text of an address; False when it is none of that family."""
    plain, has_link, link = host.partition("%")
    if inet_pton(family, plain.encode(errors="replace"), address) != 1:
        return False
    if has_link:
        scope[0] = int(link) if link.isdecimal() else if_nametoindex(link.encode())
    return True
