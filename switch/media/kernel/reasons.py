"""Why the kernel does not do what it was asked, in words for whoever runs the switch."""

from __future__ import annotations

import errno

from .bpf import BpfError


def reason_of(error: BpfError, needed: str) -> str:
    """``needed`` is the kernel that can."""
    if error.errno in (errno.EPERM, errno.EACCES):
        return "no right to it (CAP_BPF and CAP_NET_ADMIN)"
    if error.errno in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
        return f"this kernel has not what it takes ({needed}): {(error.strerror or '').splitlines()[-1]}"
    return str(error.strerror or error)
