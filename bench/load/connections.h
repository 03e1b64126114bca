/* The connections, what is in flight on them, and the loop that keeps it at the wanted number. */
#ifndef BENCH_CONNECTIONS_H
#define BENCH_CONNECTIONS_H

#include "histogram.h"
#include "options.h"
#include "templates.h"

enum { CODES_MAX = 4096, REMARK_ROOM = 200 };

/* What happened since measuring began. */
struct tally {
    uint64_t answers, messages, bytes_sent, bytes_received, ends_of_queue;
    uint64_t codes[CODES_MAX];
    char first_refusal[REMARK_ROOM];
    struct histogram latency;
};

struct load;

/* Connect; exits with a message when the server does not answer. */
struct load *load_open(const struct options *o, const struct templates *t);
/* Keep requests in flight until the time has come or `answers_max` (0 = any number) have arrived.
 */
void load_run(struct load *load, uint64_t until_ns, uint64_t answers_max);
/* Send nothing more and wait for what is in flight; returns how many requests stayed unanswered. */
uint64_t load_drain(struct load *load, uint64_t until_ns);
struct tally *load_tally(struct load *load);
void load_close(struct load *load);

#endif
