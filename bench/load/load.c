/* The load generator: one thread, N connections with M requests in flight each, one JSON document
 * of results.
 *
 * Run it as `load --port 10911 --connections 64 --inflight 1 --header json --server-pid PID`.
 * Latency is counted from the moment a request is made, so it includes the generator's own time;
 * its CPU per request is part of the result. */
#include <sched.h>

#include "connections.h"
#include "process_clock.h"
#include "wire.h"

struct reading {
    uint64_t ns, own_ns, server_ns, machine_ns;
};

static struct reading read_clocks(const struct options *o) {
    return (struct reading){monotonic_ns(), own_cpu_ns(),
                            servers_cpu_ns(o->server_pids, o->server_count), machine_cpu_ns()};
}

static void stay_on_core(int core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) {
        fprintf(stderr, "load: cannot run on core %d only; this machine may have fewer cores\n",
                core);
        exit(2);
    }
}

static void print_report(const struct options *o, const struct tally *t, struct reading from,
                         struct reading to, uint64_t unanswered) {
    double seconds = (double)(to.ns - from.ns) / 1e9, answers = t->answers ? (double)t->answers : 1;
    const struct histogram *h = &t->latency;
    printf(
        "{\"mode\":\"%s\",\"header\":\"%s\",\"connections\":%d,\"inflight\":%d,\"seconds\":%.6f,",
        o->pull ? "pull" : "send", o->header == HEADER_BINARY ? "binary" : "json", o->connections,
        o->inflight, seconds);
    printf(
        "\"requests\":%llu,\"ok\":%llu,\"messages\":%llu,\"unanswered\":%llu,\"ends_of_queue\":%"
        "llu,",
        (unsigned long long)t->answers, (unsigned long long)t->codes[0],
        (unsigned long long)(o->pull ? t->messages : t->codes[0]), (unsigned long long)unanswered,
        (unsigned long long)t->ends_of_queue);
    printf("\"requests_per_second\":%.1f,\"client_cpu_us\":%.4f,\"client_cpu_share\":%.4f,",
           (double)t->answers / seconds, (double)(to.own_ns - from.own_ns) / 1e3 / answers,
           (double)(to.own_ns - from.own_ns) / (double)(to.ns - from.ns));
    if (o->server_count > 0)
        printf("\"server_cpu_us\":%.4f,\"server_cpu_share\":%.4f,",
               (double)(to.server_ns - from.server_ns) / 1e3 / answers,
               (double)(to.server_ns - from.server_ns) / (double)(to.ns - from.ns));
    /* Cores that neither we nor the server used: other programs, and the kernel writing files in
     * the background. */
    double others = (double)(to.machine_ns - from.machine_ns) - (double)(to.own_ns - from.own_ns) -
                    (double)(to.server_ns - from.server_ns);
    printf("\"others_cpu_share\":%.4f,", others > 0 ? others / (double)(to.ns - from.ns) : 0);
    printf("\"latency_us\":{\"mean\":%.1f,\"p50\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f},",
           h->count ? (double)h->sum / (double)h->count / 1e3 : 0,
           (double)histogram_quantile(h, 0.5) / 1e3, (double)histogram_quantile(h, 0.99) / 1e3,
           (double)histogram_quantile(h, 0.999) / 1e3, (double)h->max / 1e3);
    printf("\"bytes_sent\":%llu,\"bytes_received\":%llu,\"codes\":{",
           (unsigned long long)t->bytes_sent, (unsigned long long)t->bytes_received);
    const char *comma = "";
    for (int code = 0; code < CODES_MAX; code++)
        if (t->codes[code]) {
            printf("%s\"%d\":%llu", comma, code, (unsigned long long)t->codes[code]);
            comma = ",";
        }
    printf("},\"first_refusal\":\"%s\"}\n", t->first_refusal);
}

int main(int argc, char **argv) {
    struct options o = read_options(argc, argv);
    if (o.cpu >= 0) stay_on_core(o.cpu);
    struct load *load = load_open(&o, templates_build(&o));
    uint64_t warmup_answers = o.requests_max ? o.requests_max / 4 + 1 : 0;
    load_run(load, monotonic_ns() + (uint64_t)(o.warmup_seconds * 1e9), warmup_answers);
    memset(load_tally(load), 0, sizeof(struct tally));
    struct reading from = read_clocks(&o);
    load_run(load, from.ns + (uint64_t)(o.seconds * 1e9), o.requests_max);
    struct reading to = read_clocks(&o);
    static struct tally measured;
    measured = *load_tally(load);
    uint64_t unanswered = load_drain(load, to.ns + 5000000000ull);
    print_report(&o, &measured, from, to, unanswered);
    load_close(load);
    uint64_t expected = measured.codes[0] + (o.pull ? measured.codes[19] : 0);
    if (measured.answers == expected && unanswered == 0 && measured.answers > 0) return 0;
    fprintf(
        stderr,
        "load: %llu of %llu answers were refusals, %llu requests unanswered; first remark: %s\n",
        (unsigned long long)(measured.answers - expected), (unsigned long long)measured.answers,
        (unsigned long long)unanswered, measured.first_refusal);
    return 3;
}
