"""SRTP and SRTCP: crypto/srtp.c for Python and for the engine. Packets are the engine's; here keys are handed over."""

from cpython.bytes cimport PyBytes_AS_STRING
from cpython.pycapsule cimport PyCapsule_New
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy, memset

from .stream import Place

cdef extern from "codecs/codec.h" nogil:
    struct codec_library:
        const char *file
        const char *version
        const char *missing

cdef extern from "crypto/libcrypto.h" nogil:
    const codec_library *libcrypto_open()

cdef extern from "protector.h" nogil:
    struct protector:
        size_t (*protect)(protector *, uint8_t *data, size_t size, size_t room, bint is_rtcp) noexcept
        size_t (*unprotect)(protector *, uint8_t *data, size_t size, bint is_rtcp) noexcept
        protector *(*share)(protector *) noexcept
        void (*release)(protector *) noexcept

cdef extern from "crypto/srtp.h" nogil:
    enum: SRTP_STREAMS, SRTP_MKI_MAX
    enum srtp_cipher: AES_CM, AES_GCM
    struct srtp_config:
        srtp_cipher cipher
        uint8_t key[32]
        uint8_t salt[14]
        uint8_t mki[128]
        uint32_t key_size, salt_size, mki_size, tag_size
        bint is_sender
    struct srtp_place:
        uint32_t ssrc, roc, rtcp_index
        uint16_t sequence_number
    protector *srtp_create(const srtp_config *, const srtp_place *, uint32_t count)
    uint32_t srtp_places(const protector *, srtp_place *, uint32_t room)

cdef enum:
    ROOM = 4096

_SHAPES = {  # octets of key, salt and tag, and whether it is GCM
    "AES_CM_128_HMAC_SHA1_80": (16, 14, 10, False),
    "AES_CM_128_HMAC_SHA1_32": (16, 14, 4, False),
    "AES_256_CM_HMAC_SHA1_80": (32, 14, 10, False),
    "AES_256_CM_HMAC_SHA1_32": (32, 14, 4, False),
    "AEAD_AES_128_GCM": (16, 12, 16, True),
    "AEAD_AES_256_GCM": (32, 12, 16, True),
}


def library():
    """The file of libcrypto, and why it cannot be used ("": it can)."""
    found = libcrypto_open()
    return found.file.decode(), "" if found.missing == NULL else found.missing.decode()


cdef class Protector:
    """Protects what is sent under a master key, or opens what came; ValueError when that cannot be done."""

    cdef protector *_protector
    cdef bint _is_shared

    def __cinit__(self, keys not None, *, bint is_sender, places=None):
        """``places``: where sources were when an earlier process was ended; None: all of them are new."""
        cdef srtp_config config
        cdef srtp_place kept[32]
        cdef uint32_t count = 0
        cdef bytes master = keys.master, mki = keys.mki
        suite = keys.suite
        key_size, salt_size, tag_size, is_gcm = _SHAPES[suite]
        if len(master) != key_size + salt_size or len(mki) > SRTP_MKI_MAX:
            raise ValueError(f"a key of {len(master)} octets for {suite}, {key_size + salt_size} are wanted")
        memset(&config, 0, sizeof(config))
        config.cipher = AES_GCM if is_gcm else AES_CM
        config.key_size, config.salt_size, config.tag_size = key_size, salt_size, tag_size
        config.mki_size, config.is_sender = len(mki), is_sender
        memcpy(config.key, PyBytes_AS_STRING(master), config.key_size)
        memcpy(config.salt, PyBytes_AS_STRING(master) + config.key_size, config.salt_size)
        memcpy(config.mki, PyBytes_AS_STRING(mki), config.mki_size)
        for place in list(places or ())[: <int>SRTP_STREAMS]:
            kept[count].ssrc, kept[count].roc, kept[count].sequence_number, kept[count].rtcp_index = place
            count += 1
        self._protector = srtp_create(&config, NULL if places is None else kept, count)
        memset(&config, 0, sizeof(config))
        if self._protector == NULL:
            raise ValueError(f"no SRTP: {library()[1] or 'no memory'}")

    def __dealloc__(self):
        if self._protector != NULL:
            self._protector.release(self._protector)

    cdef protector *_of(self, size_t size) except NULL:
        if size > ROOM - 256:
            raise ValueError(f"a packet of {size} octets")
        if self._is_shared:
            raise ValueError("the protector was handed over")
        return self._protector

    def protect(self, bytes packet not None, *, bint is_rtcp=False):
        """The packet as it is sent; None: it must not be."""
        cdef uint8_t data[ROOM]
        cdef protector *p = self._of(len(packet))
        if p.protect == NULL:
            raise ValueError("this one opens packets")
        memcpy(data, PyBytes_AS_STRING(packet), len(packet))
        cdef size_t size = p.protect(p, data, len(packet), ROOM, is_rtcp)
        return data[:size] if size else None

    def unprotect(self, bytes packet not None, *, bint is_rtcp=False):
        """The packet as it was; None: it is not authentic, or came before."""
        cdef uint8_t data[ROOM]
        cdef protector *p = self._of(len(packet))
        if p.unprotect == NULL:
            raise ValueError("this one protects packets")
        memcpy(data, PyBytes_AS_STRING(packet), len(packet))
        cdef size_t size = p.unprotect(p, data, len(packet), is_rtcp)
        return data[:size] if size else None

    @property
    def places(self):
        """Where its sources are: what a later process needs to go on, beside the keys."""
        cdef srtp_place found[32]
        cdef uint32_t count = srtp_places(self._protector, found, <int>SRTP_STREAMS)
        return tuple(
            [Place(found[i].ssrc, found[i].roc, found[i].sequence_number, found[i].rtcp_index) for i in range(count)]
        )

    def hand_over(self):
        """Let the engine use it: a PyCapsule named switchroom.protector, whose pointer the receiver releases."""
        self._is_shared = True
        return PyCapsule_New(self._protector.share(self._protector), "switchroom.protector", NULL)
