/* A converter of sound: decode, resample, cut into packets of another length, encode.
 *
 * It works packet by packet, without a clock: what comes in order goes out at once. A short gap is concealed, a longer
 * one and a pause move the time stamp on, and what is late is left out. Only the noise of pauses is made at ticks. Sequence numbers, time stamps and SSRC of what
 * goes out are its own and continuous, whatever the sender does with his, as a mixer's are; RFC 3550 §7.1.
 */
#ifndef SWITCHROOM_TRANSCODER_H
#define SWITCHROOM_TRANSCODER_H

#include "codecs/codec.h"
#include "switch/media/converter.h"

enum { CONVERSION_FORMATS = 16 };

/* One payload type that may come in. */
struct incoming {
    uint8_t payload_type;
    uint8_t copied_as;           /* the payload type under which it leaves as it is; NOT_COPIED: it is decoded */
    uint8_t is_event;            /* telephone-event, RFC 4733 */
    uint8_t is_noise;            /* comfort noise, RFC 3389 */
    uint32_t clock_rate;         /* Hz */
    struct codec_config config;  /* of what is decoded */
};
enum { NOT_COPIED = 0xFF };

struct conversion {
    struct incoming incoming[CONVERSION_FORMATS];
    int incoming_count;
    struct codec_config config;  /* of the encoder */
    uint8_t payload_type;
    int32_t packet_ms;
    uint8_t event_type;
    uint32_t event_rate;         /* Hz; 0: who listens takes no telephone-event */
    uint8_t noise_type;
    uint32_t noise_rate;         /* Hz; 0: who listens takes no comfort noise, and hears noise that is made here */
    uint32_t ssrc, timestamp;    /* to begin with */
    uint16_t sequence_number;
};

/* NULL: no memory, a codec whose library is missing, or sizes that do not fit together. */
struct converter *transcoder_create(const struct conversion *conversion);

#endif
