/* A latency histogram: counts by value, in steps of about 1.6 % of the value, from 1 ns to 18
 * minutes. */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_SUB_BITS = 6, HISTOGRAM_BUCKETS = 36 << HISTOGRAM_SUB_BITS };

struct histogram {
    uint64_t buckets[HISTOGRAM_BUCKETS];
    uint64_t count, sum, max;
};

void histogram_clear(struct histogram *h);
void histogram_add(struct histogram *h, uint64_t value);
/* The smallest bucket limit that at least `share` (0 to 1) of the values do not exceed; 0 when
 * empty. */
uint64_t histogram_quantile(const struct histogram *h, double share);

#endif
