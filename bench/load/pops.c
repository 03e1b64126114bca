/* The load of pops: one thread, N connections, one JSON document of results.
 *
 * Each connection pops messages, acknowledges each of them by itself, all acks in one write, and
 * pops again when all answers have come. When one finds nothing more, all go on with a new group,
 * so the same messages are popped again and again.
 *
 * Run it as `pops --port 10911 --topic bench_pop --server-pid PID`. */
#include <errno.h>
#include <getopt.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "process_clock.h"
#include "receipts.h"
#include "sockets.h"

enum {
    CODE_POP_MESSAGE = 200050,
    CODE_NOTHING_TO_POP = 210,
    OPAQUE_OF_POP = 1000,
    READ_ROOM = 4 << 20,
    WRITE_ROOM = 64 << 10,
    CONNECTIONS_MAX = 256,
    SERVER_PIDS_MAX = 8
};
static const uint64_t STALL_NS = 15000000000ull;

static const char USAGE[] =
    "usage: pops --port PORT --topic NAME [options]    pops, acknowledges, prints JSON\n"
    "  --host ADDRESS          IPv4 address of the server (127.0.0.1)\n"
    "  --connections N         connections (8)\n"
    "  --count N               messages a pop asks for, at most 32 (32)\n"
    "  --invisible-ms MS       how long popped messages are hidden (10000)\n"
    "  --warmup S              time before measuring starts (30)\n"
    "  --seconds S             measured time (20)\n"
    "  --broker-name NAME      the broker's name (broker-a)\n"
    "  --server-pid PID        measure this process's CPU; may be repeated\n"
    "Exit code 3: the run ended, but some acks were refused or unanswered.\n";

struct options {
    const char *host, *topic, *broker_name;
    int port, connections, count, invisible_ms, server_count;
    double warmup_seconds, seconds;
    pid_t server_pids[SERVER_PIDS_MAX];
};

struct tally {
    uint64_t popped, acknowledged, refused, empty;
};

struct connection {
    int fd, group;
    struct popper popper;
    bool popping;
    uint32_t unanswered; /* one bit for each ack, numbered by its opaque */
    uint8_t *in, *out;
    size_t in_length;
};

struct load {
    struct options o;
    struct connection connections[CONNECTIONS_MAX];
    struct tally tally;
    int epoll, group;
    bool ending;
    uint64_t now_ns, last_answer_ns;
    char first_refusal[200];
};

static void fail(const char *what, const char *why) {
    fprintf(stderr, "pops: %s: %s\n", what, why);
    exit(1);
}

/* The socket waits when its buffer is full: nothing else is in flight on this connection, so the
 * server always goes on reading. */
static void send_all(struct connection *c, const struct builder *frames) {
    for (size_t sent = 0; sent < frames->length;) {
        ssize_t n = send(c->fd, frames->bytes + sent, frames->length - sent, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR) fail("the server closed a connection", strerror(errno));
        if (n > 0) sent += (size_t)n;
    }
}

static void pop(struct load *load, struct connection *c) {
    char fields[512];
    struct builder out = {c->out, 0, WRITE_ROOM};
    c->group = load->group;
    c->popping = true;
    snprintf(c->popper.group, sizeof c->popper.group, "poppers%d", c->group);
    snprintf(fields, sizeof fields,
             "\"consumerGroup\":\"%s\",\"topic\":\"%s\",\"queueId\":\"-1\",\"maxMsgNums\":\"%d\","
             "\"invisibleTime\":\"%d\",\"pollTime\":\"0\",\"bornTime\":\"%llu\",\"initMode\":\"0\","
             "\"order\":\"false\"",
             c->popper.group, load->o.topic, load->o.count, load->o.invisible_ms,
             (unsigned long long)epoch_ms());
    write_request(&out, CODE_POP_MESSAGE, OPAQUE_OF_POP, fields);
    send_all(c, &out);
}

static void take_messages(struct load *load, struct connection *c, const struct reply *reply) {
    c->popping = false;
    if (reply->opaque != OPAQUE_OF_POP) fail("an answer to a pop", "carries another's opaque");
    if (reply->code == CODE_NOTHING_TO_POP) {
        load->tally.empty++;
        if (c->group == load->group) load->group++;
        return;
    }
    if (reply->code != 0) {
        reply_remark(reply, load->first_refusal, sizeof load->first_refusal);
        fail("a pop was refused", load->first_refusal);
    }
    struct builder out = {c->out, 0, WRITE_ROOM};
    int count = write_acks(reply, &c->popper, &out);
    if (count < 0) fail("an answer to a pop", "does not say which messages it hands out");
    if (count_messages(reply->body, reply->body_length) != count)
        fail("an answer to a pop", "names other messages than its body holds");
    load->tally.popped += (uint64_t)count;
    c->unanswered = (uint32_t)((1ull << count) - 1);
    send_all(c, &out);
}

static void take_ack(struct load *load, struct connection *c, const struct reply *reply) {
    uint32_t bit = reply->opaque < POP_COUNT_MAX ? 1u << reply->opaque : 0;
    if ((c->unanswered & bit) == 0) fail("an answer to an ack", "carries an unknown opaque");
    c->unanswered &= ~bit;
    if (reply->code == 0) {
        load->tally.acknowledged++;
        return;
    }
    if (load->tally.refused++ == 0)
        reply_remark(reply, load->first_refusal, sizeof load->first_refusal);
}

static void receive(struct load *load, struct connection *c) {
    ssize_t n = recv(c->fd, c->in + c->in_length, READ_ROOM - c->in_length, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) fail("the server closed a connection", n == 0 ? "end of stream" : strerror(errno));
    load->last_answer_ns = load->now_ns;
    c->in_length += (size_t)n;
    size_t at = 0;
    while (c->in_length - at >= 8) {
        struct reply reply;
        size_t length = 4 + (size_t)load_u32(c->in + at);
        if (length < 8 || length > READ_ROOM) fail("an answer", "has an impossible length");
        if (length > c->in_length - at) break;
        if (!read_reply(c->in + at, length, &reply)) fail("an answer", "is not a RocketMQ frame");
        if (c->popping) take_messages(load, c, &reply);
        else take_ack(load, c, &reply);
        at += length;
    }
    c->in_length -= at;
    if (at > 0 && c->in_length > 0) memmove(c->in, c->in + at, c->in_length);
    if (!c->popping && c->unanswered == 0 && !load->ending) pop(load, c);
}

static bool is_busy(const struct load *load) {
    for (int i = 0; i < load->o.connections; i++)
        if (load->connections[i].popping || load->connections[i].unanswered != 0) return true;
    return false;
}

/* Go on until the time has come, or until nothing is in flight. */
static void run(struct load *load, uint64_t until_ns) {
    struct epoll_event events[CONNECTIONS_MAX];
    load->now_ns = load->last_answer_ns = monotonic_ns();
    while (load->now_ns < until_ns && is_busy(load)) {
        int n = epoll_wait(load->epoll, events, CONNECTIONS_MAX, 20);
        if (n < 0 && errno != EINTR) fail("epoll_wait", strerror(errno));
        load->now_ns = monotonic_ns();
        for (int i = 0; i < n; i++) receive(load, events[i].data.ptr);
        if (load->now_ns > load->last_answer_ns + STALL_NS)
            fail("the server", "has not answered anything for 15 seconds");
    }
}

static double number(const char *text, double low, double high) {
    char *end;
    double value = strtod(text, &end);
    if (*text != 0 && *end == 0 && value >= low && value <= high) return value;
    fprintf(stderr, "pops: %s is not a number from %g to %g\n%s", text, low, high, USAGE);
    exit(2);
}

static void read_options(int argc, char **argv, struct options *o) {
    static const struct option known[] = {
        {"host", 1, 0, 'h'},         {"port", 1, 0, 'p'},       {"topic", 1, 0, 't'},
        {"connections", 1, 0, 'n'},  {"count", 1, 0, 'c'},      {"warmup", 1, 0, 'w'},
        {"invisible-ms", 1, 0, 'i'}, {"seconds", 1, 0, 's'},    {"broker-name", 1, 0, 'b'},
        {"server-pid", 1, 0, 'P'},   {0, 0, 0, 0}};
    int c;
    *o = (struct options){.host = "127.0.0.1", .broker_name = "broker-a", .connections = 8,
                          .count = POP_COUNT_MAX, .invisible_ms = 10000, .warmup_seconds = 30,
                          .seconds = 20};
    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) switch (c) {
            case 'h': o->host = optarg; break;
            case 'p': o->port = (int)number(optarg, 1, 65535); break;
            case 't': o->topic = optarg; break;
            case 'n': o->connections = (int)number(optarg, 1, CONNECTIONS_MAX); break;
            case 'c': o->count = (int)number(optarg, 1, POP_COUNT_MAX); break;
            case 'w': o->warmup_seconds = number(optarg, 0, 86400); break;
            case 'i': o->invisible_ms = (int)number(optarg, 1, 3e8); break;
            case 's': o->seconds = number(optarg, 0.01, 86400); break;
            case 'b': o->broker_name = optarg; break;
            case 'P':
                if (o->server_count == SERVER_PIDS_MAX) fail("too many --server-pid", optarg);
                o->server_pids[o->server_count++] = (pid_t)number(optarg, 1, 1 << 30);
                break;
            default: fputs(USAGE, stderr); exit(2);
        }
    if (optind == argc && o->port != 0 && o->topic != NULL && strlen(o->topic) < 128 &&
        strlen(o->broker_name) < 128)
        return;
    fputs(USAGE, stderr);
    exit(2);
}

static void open_connections(struct load *load) {
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < load->o.connections; i++) {
        struct connection *c = &load->connections[i];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        c->fd = connect_to(load->o.host, load->o.port);
        c->popper.topic = load->o.topic;
        c->popper.broker_name = load->o.broker_name;
        c->in = malloc(READ_ROOM);
        c->out = malloc(WRITE_ROOM);
        if (c->in == NULL || c->out == NULL) fail("memory", "not enough for the connections");
        if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, c->fd, &event) != 0)
            fail("epoll_ctl", strerror(errno));
        pop(load, c);
    }
}

struct reading {
    uint64_t ns, own_ns, server_ns;
    int group;
    struct tally tally;
};

static struct reading read_all(const struct load *load) {
    return (struct reading){monotonic_ns(), own_cpu_ns(),
                            servers_cpu_ns(load->o.server_pids, load->o.server_count), load->group,
                            load->tally};
}

static void print_report(const struct reading *from, const struct reading *to) {
    uint64_t acknowledged = to->tally.acknowledged - from->tally.acknowledged;
    double messages = acknowledged ? (double)acknowledged : 1;
    printf("{\"popped\":%llu,\"acknowledged\":%llu,\"refused\":%llu,\"empty\":%llu,\"groups\":%d,",
           (unsigned long long)(to->tally.popped - from->tally.popped),
           (unsigned long long)acknowledged,
           (unsigned long long)(to->tally.refused - from->tally.refused),
           (unsigned long long)(to->tally.empty - from->tally.empty), to->group - from->group);
    printf("\"seconds\":%.6f,\"server_cpu_us\":%.4f,\"client_cpu_us\":%.4f}\n",
           (double)(to->ns - from->ns) / 1e9,
           (double)(to->server_ns - from->server_ns) / 1e3 / messages,
           (double)(to->own_ns - from->own_ns) / 1e3 / messages);
}

int main(int argc, char **argv) {
    static struct load load;
    read_options(argc, argv, &load.o);
    open_connections(&load);
    run(&load, monotonic_ns() + (uint64_t)(load.o.warmup_seconds * 1e9));
    struct reading from = read_all(&load);
    run(&load, from.ns + (uint64_t)(load.o.seconds * 1e9));
    struct reading to = read_all(&load);
    load.ending = true;
    run(&load, to.ns + 5000000000ull);
    print_report(&from, &to);
    const struct tally *all = &load.tally;
    if (all->refused == 0 && all->acknowledged == all->popped && all->popped > 0) return 0;
    fprintf(stderr,
            "pops: of %llu messages popped %llu were acknowledged; %llu acks were refused, the "
            "first with the remark: %s\n",
            (unsigned long long)all->popped, (unsigned long long)all->acknowledged,
            (unsigned long long)all->refused, load.first_refusal);
    return 3;
}
