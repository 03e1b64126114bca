/* The command line of the load generator. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { SERVER_PIDS_MAX = 8, QUEUES_MAX = 256, CONNECTIONS_MAX = 4096, IN_FLIGHT_MAX = 1 << 20 };

struct options {
    const char *host, *topic, *group, *broker_name, *filter, *property;
    int port, connections, inflight, queues, body_bytes, batch_max, send_batch, cpu;
    int header;
    bool pull;
    double seconds, warmup_seconds;
    uint64_t requests_max;
    pid_t server_pids[SERVER_PIDS_MAX];
    int server_count;
};

/* Read and check the command line; prints the cure and exits with 2 when it makes no sense. */
struct options read_options(int argc, char **argv);

#endif
