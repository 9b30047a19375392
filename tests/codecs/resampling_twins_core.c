/* The resampler for any processor and the one for those that can more make the same samples, but for rounding; built with
 * the sanitizers. Prints the largest difference for each pair of rates, or "one" where the processor knows only one way.
 */
#include <stdio.h>

#include "codecs/resampling_core.c"

enum { FRAMES = 100 };

static int largest_difference(int rate, int to_rate)
{
    struct resampler *one = resampler_create(rate, to_rate, 0), *two = resampler_create(rate, to_rate, 0);
    int16_t in[960], made[2][1000];
    uint32_t noise = 1;
    int largest = 0;
    one->run_block = run_block;
    two->run_block = run_block_wide;
    for (int frame = 0; frame < FRAMES; frame++) {
        for (int i = 0; i < rate / 50; i++)
            in[i] = (int16_t)((noise = noise * 1664525 + 1013904223) >> 16);
        int count = resampler_run(one, in, rate / 50, made[0]);
        if (count > resampler_room(one, rate / 50) || resampler_run(two, in, rate / 50, made[1]) != count)
            abort();
        for (int i = 0; i < count; i++) {
            int difference = abs(made[0][i] - made[1][i]);
            largest = difference > largest ? difference : largest;
        }
    }
    resampler_destroy(one);
    resampler_destroy(two);
    return largest;
}

int main(void)
{
    if (!IS_WIDE) {
        puts("one");
        return 0;
    }
    for (int from = 0; from < SHARED; from++)
        for (int to = 0; to < SHARED; to++)
            if (from != to)
                printf("%d ", largest_difference(shared_rates[from], shared_rates[to]));
    puts("");
    return 0;
}
