/* Request frames, built once and patched per request, so that making one costs little more than
 * copying it. */
#ifndef BENCH_TEMPLATES_H
#define BENCH_TEMPLATES_H

#include <stddef.h>
#include <stdint.h>

#include "options.h"

struct templates;

struct templates *templates_build(const struct options *o);
/* No request of these templates is longer. */
size_t templates_frame_bytes_max(const struct templates *t);
/* Write the next send request for `queue` at `out`; returns its length. */
size_t write_send(const struct templates *t, uint8_t *out, int queue, uint32_t opaque,
                  uint64_t born_ms);
/* Write a pull request of `queue` from `queue_offset` at `out`; returns its length. */
size_t write_pull(const struct templates *t, uint8_t *out, int queue, uint64_t queue_offset,
                  uint32_t opaque);

#endif
