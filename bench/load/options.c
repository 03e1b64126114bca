#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire.h"

static const char USAGE[] =
    "usage: load --port PORT [options]     sends RocketMQ requests and prints what it measured as "
    "JSON\n"
    "  --host ADDRESS          IPv4 address of the server (127.0.0.1)\n"
    "  --mode send|pull        SEND_MESSAGE_V2, or PULL_MESSAGE of --batch messages (send)\n"
    "  --header json|binary    header encoding of the requests (json)\n"
    "  --connections N         connections (64)\n"
    "  --inflight M            requests in flight on each connection (1)\n"
    "  --seconds S             measured time at most (5)\n"
    "  --warmup S              time before measuring starts (1)\n"
    "  --requests R            stop measuring after R answers, 0 = no limit (0)\n"
    "  --topic NAME  --queues N  --group NAME  --broker-name NAME  --body-bytes N  --batch N\n"
    "  --send-batch N          SEND_BATCH_MESSAGE of N messages instead of single ones (0)\n"
    "  --property NAME=VALUE   a property of each message sent\n"
    "  --filter EXPRESSION     pull with this SQL92 filter\n"
    "  --server-pid PID        measure this process's CPU; may be repeated\n"
    "  --cpu N                 run on this core only\n"
    "Exit code 3: the run ended, but some answers were refusals (see codes and first_refusal).\n";

static void fail(const char *what, const char *value) {
    fprintf(stderr, "load: %s: %s\n%s", what, value, USAGE);
    exit(2);
}

static double number(const char *name, const char *text, double low, double high) {
    char *end;
    double value = strtod(text, &end);
    if (*text == 0 || *end != 0 || !(value >= low && value <= high)) fail(name, text);
    return value;
}

static int choice(const char *name, const char *text, const char *zero, const char *one) {
    if (strcmp(text, zero) != 0 && strcmp(text, one) != 0) fail(name, text);
    return strcmp(text, one) == 0;
}

struct options read_options(int argc, char **argv) {
    enum {
        HOST = 1,
        PORT,
        MODE,
        HEADER,
        CONNECTIONS,
        INFLIGHT,
        SECONDS,
        WARMUP,
        REQUESTS,
        TOPIC,
        QUEUES,
        GROUP,
        BROKER,
        BODY,
        BATCH,
        SEND_BATCH,
        PROPERTY,
        FILTER,
        PID,
        CPU
    };
    static const struct option known[] = {{"host", 1, 0, HOST},
                                          {"port", 1, 0, PORT},
                                          {"mode", 1, 0, MODE},
                                          {"header", 1, 0, HEADER},
                                          {"connections", 1, 0, CONNECTIONS},
                                          {"inflight", 1, 0, INFLIGHT},
                                          {"seconds", 1, 0, SECONDS},
                                          {"warmup", 1, 0, WARMUP},
                                          {"requests", 1, 0, REQUESTS},
                                          {"topic", 1, 0, TOPIC},
                                          {"queues", 1, 0, QUEUES},
                                          {"group", 1, 0, GROUP},
                                          {"broker-name", 1, 0, BROKER},
                                          {"body-bytes", 1, 0, BODY},
                                          {"batch", 1, 0, BATCH},
                                          {"send-batch", 1, 0, SEND_BATCH},
                                          {"property", 1, 0, PROPERTY},
                                          {"filter", 1, 0, FILTER},
                                          {"server-pid", 1, 0, PID},
                                          {"cpu", 1, 0, CPU},
                                          {0, 0, 0, 0}};
    struct options o = {.host = "127.0.0.1",
                        .topic = "bench",
                        .group = "bench_group",
                        .broker_name = "broker-a",
                        .connections = 64,
                        .inflight = 1,
                        .queues = 8,
                        .body_bytes = 1024,
                        .batch_max = 32,
                        .cpu = -1,
                        .seconds = 5,
                        .warmup_seconds = 1};
    int c;
    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) switch (c) {
            case HOST: o.host = optarg; break;
            case PORT: o.port = (int)number("--port", optarg, 1, 65535); break;
            case MODE: o.pull = choice("--mode", optarg, "send", "pull"); break;
            case HEADER: o.header = choice("--header", optarg, "json", "binary"); break;
            case CONNECTIONS:
                o.connections = (int)number("--connections", optarg, 1, CONNECTIONS_MAX);
                break;
            case INFLIGHT: o.inflight = (int)number("--inflight", optarg, 1, 65536); break;
            case SECONDS: o.seconds = number("--seconds", optarg, 0.01, 86400); break;
            case WARMUP: o.warmup_seconds = number("--warmup", optarg, 0, 86400); break;
            case REQUESTS: o.requests_max = (uint64_t)number("--requests", optarg, 0, 9e8); break;
            case TOPIC: o.topic = optarg; break;
            case QUEUES: o.queues = (int)number("--queues", optarg, 1, QUEUES_MAX); break;
            case GROUP: o.group = optarg; break;
            case BROKER: o.broker_name = optarg; break;
            case BODY: o.body_bytes = (int)number("--body-bytes", optarg, 1, 4 << 20); break;
            case BATCH: o.batch_max = (int)number("--batch", optarg, 1, 1024); break;
            case SEND_BATCH: o.send_batch = (int)number("--send-batch", optarg, 0, 1024); break;
            case PROPERTY:
                if (strchr(optarg, '=') == NULL || strlen(optarg) > 127)
                    fail("--property needs NAME=VALUE", optarg);
                o.property = optarg;
                break;
            case FILTER:
                if (strpbrk(optarg, "\"\\") != NULL || strlen(optarg) > 255)
                    fail("--filter is too long or has a double quote", optarg);
                o.filter = optarg;
                break;
            case PID:
                if (o.server_count == SERVER_PIDS_MAX) fail("too many --server-pid", optarg);
                o.server_pids[o.server_count++] = (pid_t)number("--server-pid", optarg, 1, 1 << 30);
                break;
            case CPU: o.cpu = (int)number("--cpu", optarg, 0, 1023); break;
            default: fail("unknown option", argv[optind - 1]);
        }
    if (optind < argc) fail("unexpected argument", argv[optind]);
    if (o.port == 0) fail("missing option", "--port");
    if (strlen(o.topic) > 127 || strlen(o.group) > 127 || strlen(o.broker_name) > 127)
        fail("name too long", o.topic);
    if ((long)o.connections * o.inflight > IN_FLIGHT_MAX)
        fail("too many requests in flight", "lower --inflight");
    return o;
}
