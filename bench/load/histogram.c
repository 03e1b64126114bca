#include "histogram.h"

#include <string.h>

void histogram_clear(struct histogram *h) { memset(h, 0, sizeof *h); }

/* Values below 2^SUB_BITS have a bucket each; above, each power of two is cut into 2^SUB_BITS equal
 * parts. */
static unsigned bucket_of(uint64_t value) {
    if (value < (1u << HISTOGRAM_SUB_BITS)) return (unsigned)value;
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - HISTOGRAM_SUB_BITS;
    unsigned bucket = ((shift + 1) << HISTOGRAM_SUB_BITS) +
                      (unsigned)((value >> shift) - (1u << HISTOGRAM_SUB_BITS));
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

static uint64_t upper_limit(unsigned bucket) {
    if (bucket < (1u << HISTOGRAM_SUB_BITS)) return bucket;
    unsigned shift = (bucket >> HISTOGRAM_SUB_BITS) - 1;
    uint64_t part = (bucket & ((1u << HISTOGRAM_SUB_BITS) - 1)) + (1u << HISTOGRAM_SUB_BITS);
    return ((part + 1) << shift) - 1;
}

void histogram_add(struct histogram *h, uint64_t value) {
    h->buckets[bucket_of(value)]++;
    h->count++;
    h->sum += value;
    if (value > h->max) h->max = value;
}

uint64_t histogram_quantile(const struct histogram *h, double share) {
    uint64_t wanted = (uint64_t)(share * (double)h->count + 0.5), seen = 0;
    if (h->count == 0) return 0;
    if (wanted == 0) wanted = 1;
    for (unsigned b = 0; b < HISTOGRAM_BUCKETS; b++) {
        seen += h->buckets[b];
        if (seen >= wanted) {
            uint64_t limit = upper_limit(b);
            return limit < h->max ? limit : h->max;
        }
    }
    return h->max;
}
