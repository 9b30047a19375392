/* Other sample rates for a stream: a windowed-sinc filter, one row of taps for each phase. No Python, no lock while
   running; a resampler belongs to one thread at a time.

   Rates whose rows fit into memory are taken, 8/16/24/32/48 kHz among each other share their rows for the life of the
   process. The pass band ends at 0.9 of the lower Nyquist frequency. The stop band (-99 dB) starts at 1.1 of it, or,
   when the filter is sharp, at the Nyquist frequency itself, for twice the cost and twice the delay. */

#ifndef SWITCHROOM_RESAMPLING_H
#define SWITCHROOM_RESAMPLING_H

#include <stdint.h>

struct resampler;

/* NULL: no memory, or the rates (Hz) have no ratio small enough. */
struct resampler *resampler_create(int rate, int to_rate, int sharp);
void resampler_destroy(struct resampler *resampler);
void resampler_reset(struct resampler *resampler);

/* Samples of the input that the output lags behind. */
int resampler_delay(const struct resampler *resampler);

/* Leave out what lags: the next samples that come out belong to the next that go in. Only after create or reset. */
void resampler_align(struct resampler *resampler);

/* The most samples that `count` further ones can become. */
int resampler_room(const struct resampler *resampler, int count);

/* Take `count` samples; returns how many were written to `out`. 20 ms become 20 ms, always. */
int resampler_run(struct resampler *resampler, const int16_t *in, int count, int16_t *out);

#endif
