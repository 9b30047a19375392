/* Between the wire and a station: packets through a jitter buffer, decoded to frames of 20 ms; frames of what is said
 * encoded to packets. It is a converter that works by the clock.
 */
#ifndef SWITCHROOM_LINE_H
#define SWITCHROOM_LINE_H

#include "codecs/codec.h"
#include "jitter.h"
#include "station.h"
#include "switch/media/converter.h"

enum { LINE_FORMATS = 16 };
enum line_kind { LINE_SOUND, LINE_EVENT, LINE_NOISE };  /* decoded; RFC 4733; RFC 3389 */

struct line_format {
    uint8_t payload_type, kind;
    uint32_t clock_rate;
    struct codec_config config;  /* of sound */
};

struct line_terms {
    struct line_format formats[LINE_FORMATS];
    int format_count;
    struct codec_config config;  /* of the encoder, whose sample rate is that of the station */
    uint8_t payload_type;
    int32_t packet_ms;
    uint8_t event_type;
    uint32_t event_rate;         /* 0: keys are sent as sound */
    uint32_t ssrc, timestamp;    /* to begin with */
    uint16_t sequence_number;
    bool is_heard, is_said;      /* by the direction agreed on */
    bool is_fixed;               /* the jitter buffer never stretches: fax */
};

/* NULL: no memory, or no such codec. Keeps the station. */
struct converter *line_create(const struct line_terms *terms, struct station *station);

/* Of a line that its converter is; any thread may read it, word by word. */
const struct jitter_statistics *line_statistics(const struct converter *converter);

#endif
