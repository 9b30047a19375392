# What other compiled modules see: `from switchroom.codecs._native cimport Config`, then config.value is a codec_config.

from libc.stdint cimport int16_t, int32_t, uint8_t


cdef extern from "codecs/codec.h" nogil:
    enum: CODEC_SETTINGS, CODEC_PAYLOAD_MAX, CODEC_VALUES_MAX
    enum: CODEC_DAMAGED, CODEC_NO_ROOM, CODEC_NOT_WHOLE, CODEC_FAILED
    enum codec_tune: CODEC_MODE, CODEC_BITRATE, CODEC_LOSS

    struct codec_format:
        int32_t clock_rate, sample_rate, channels, frame_samples, frame_octets

    struct codec_setting:
        const char* name
        int32_t initial, least, most

    struct codec_library:
        const char* file
        const char* version
        const char* missing

    struct codec_config:
        const codec* codec
        codec_format format
        int32_t settings[CODEC_SETTINGS]

    struct codec:
        const char* name
        codec_format format
        const codec_setting* settings
        const codec_library* (*library)() noexcept
        int (*shape)(codec_config* config) noexcept
        int (*measure)(const codec_config* config, const uint8_t* payload, size_t octets) noexcept
        void* (*decoder_create)(const codec_config* config) noexcept
        void (*decoder_destroy)(void* decoder) noexcept
        void (*decoder_reset)(void* decoder) noexcept
        int (*decode)(void* decoder, const uint8_t* payload, size_t octets, int16_t* pcm, size_t room) noexcept
        int (*conceal)(void* decoder, const uint8_t* next, size_t octets, int16_t* pcm, size_t samples) noexcept
        int (*decoder_request)(void* decoder) noexcept
        void* (*encoder_create)(const codec_config* config) noexcept
        void (*encoder_destroy)(void* encoder) noexcept
        void (*encoder_reset)(void* encoder) noexcept
        int (*encode)(void* encoder, const int16_t* pcm, size_t samples, uint8_t* payload, size_t room) noexcept
        int (*encoder_tune)(void* encoder, codec_tune what, int32_t value) noexcept

    const codec* codec_all[]


cdef class Config:
    cdef codec_config value


cdef class Decoder:
    cdef codec_config config
    cdef void* state
    cdef object _decode(self, Py_buffer* source, Py_ssize_t room)


cdef class Encoder:
    cdef codec_config config
    cdef void* state
    cdef object _encode(self, const int16_t* pcm, Py_ssize_t values)
