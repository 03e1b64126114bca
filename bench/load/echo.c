/* The floor: an epoll server that reads the same frames as a broker and answers with frames of the
 * same size, without parsing, storing or looking anything up. What a broker costs above this is its
 * own work.
 *
 *     echo [--port PORT] [--cpu CORE]     prints "listening on PORT" and serves until it is killed
 *
 * A send is answered with a send answer, a pull with 32 stored messages of about 1.2 KiB; only the
 * opaque changes. The messages of pulls lie in memory as those of a topic with eight queues lie in a
 * broker's log: one behind the other, each pull takes every eighth, and goes on where the last one of
 * its queue stopped. So many bytes are in no cache of the processor, for nobody. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "wire.h"

enum {
    READ_ROOM = 1 << 18,
    ANSWER_ROOM = 1024,
    PARTS_MAX = 512,
    EVENTS_MAX = 256,
    PULL_MESSAGES = 32,
    QUEUES = 8,
    RECORD_BODY = 1024,
    RECORD_ROOM = 2048,
    LOG_RECORDS = 32000 /* as many as the runner puts into the brokers' topic */
};

/* A canned answer: its frame without body, where the opaque goes, and whether records follow. */
struct answer {
    uint8_t frame[ANSWER_ROOM];
    size_t length, opaque_at;
    bool has_records;
};

struct connection {
    int fd;
    size_t in_length, pending_start, pending_length, pending_room;
    uint8_t in[READ_ROOM];
    uint8_t *pending;
};

static struct answer send_answers[2], pull_answers[2];
static uint8_t *records;
static size_t record_length;
static unsigned next_record[QUEUES], next_queue;
static int epoll;

static void fail(const char *what) {
    fprintf(stderr, "echo: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void put_zeros(struct builder *b, size_t n) {
    while (n-- > 0) put_bytes(b, "", 1);
}

/* Records in the stored form, with the properties that a broker adds. */
static void build_records(void) {
    size_t room = (size_t)LOG_RECORDS * RECORD_ROOM;
    records = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (records == MAP_FAILED) fail("memory");
    struct builder b = {records, 0, room};
    static const char properties[] =
        "MSG_REGION\1DefaultRegion\2UNIQ_KEY\1"
        "7F00000104D22F2A0000000000000000\2CLUSTER\1DefaultCluster\2"
        "TAGS\1TagA\2KEYS\1order-1000000000\2WAIT\1true\2TRACE_ON\1true\2";
    for (int i = 0; i < LOG_RECORDS; i++) {
        size_t start = b.length;
        uint8_t word[4], byte;
        put_zeros(&b, 4);
        put_bytes(&b, "\xda\xa3\x20\xa7", 4);
        put_zeros(&b, 76);
        store_u32(word, RECORD_BODY);
        put_bytes(&b, word, 4);
        for (int k = 0; k < RECORD_BODY; k++) {
            byte = (uint8_t)rand();
            put_bytes(&b, &byte, 1);
        }
        byte = 5;
        put_bytes(&b, &byte, 1);
        put_text(&b, "bench");
        store_u16(word, (uint16_t)(sizeof properties - 1));
        put_bytes(&b, word, 2);
        put_bytes(&b, properties, sizeof properties - 1);
        record_length = b.length - start;
        store_u32(records + start, (uint32_t)record_length);
    }
    for (unsigned q = 0; q < QUEUES; q++) next_record[q] = q;
}

static void build_answer(struct answer *a, int kind, const char *remark, const char *const *fields,
                         size_t body_length) {
    struct builder b = {a->frame, 0, sizeof a->frame};
    put_bytes(&b, "\0\0\0\0\0\0\0\0", 8);
    if (kind == HEADER_BINARY) {
        put_binary_start(&b, 0, 0, 1, remark);
        size_t length_at = b.length;
        put_bytes(&b, "\0\0\0\0", 4);
        for (int i = 0; fields[i]; i += 2) put_entry(&b, fields[i], fields[i + 1]);
        store_u32(b.bytes + length_at, (uint32_t)(b.length - length_at - 4));
        a->opaque_at = 8 + BINARY_OPAQUE_AT;
    } else {
        put_text(&b, "{\"code\":0,\"extFields\":{");
        for (int i = 0; fields[i]; i += 2) {
            char entry[128];
            snprintf(entry, sizeof entry, "%s\"%s\":\"%s\"", i ? "," : "", fields[i],
                     fields[i + 1]);
            put_text(&b, entry);
        }
        put_text(&b, "},\"flag\":1,\"language\":\"JAVA\",\"opaque\":");
        a->opaque_at = b.length;
        put_text(&b, "1000000000,");
        if (*remark) {
            put_text(&b, "\"remark\":\"");
            put_text(&b, remark);
            put_text(&b, "\",");
        }
        put_text(&b, "\"serializeTypeCurrentRPC\":\"JSON\",\"version\":479}");
    }
    store_u32(b.bytes, (uint32_t)(b.length - 4 + body_length));
    store_u32(b.bytes + 4, (uint32_t)(b.length - 8) | (uint32_t)kind << 24);
    a->length = b.length;
    a->has_records = body_length > 0;
}

static void build_answers(void) {
    static const char *const sent[] = {"msgId",
                                       "7F00000100002A9F0000001122334455",
                                       "queueId",
                                       "2",
                                       "queueOffset",
                                       "1234567",
                                       "transactionId",
                                       "7F00000104D22F2A0000000000000000",
                                       "TRACE_ON",
                                       "true",
                                       "MSG_REGION",
                                       "DefaultRegion",
                                       NULL};
    static const char *const found[] = {"suggestWhichBrokerId",
                                        "0",
                                        "groupSysFlag",
                                        "0",
                                        "nextBeginOffset",
                                        "32",
                                        "maxOffset",
                                        "1000000",
                                        "minOffset",
                                        "0",
                                        "topicSysFlag",
                                        "0",
                                        NULL};
    build_records();
    for (int kind = HEADER_JSON; kind <= HEADER_BINARY; kind++) {
        build_answer(&send_answers[kind], kind, "", sent, 0);
        build_answer(&pull_answers[kind], kind, "FOUND", found, PULL_MESSAGES * record_length);
    }
}

/* The parts of one write: copied answer frames, and bodies by reference. */
struct batch {
    struct iovec parts[PARTS_MAX];
    int count;
    uint8_t bytes[PARTS_MAX * ANSWER_ROOM / 2];
    size_t length;
};
static struct batch batch;

static void watch(struct connection *c, int operation) {
    bool writing = c->pending_length > c->pending_start;
    struct epoll_event event = {.events = writing ? EPOLLOUT : EPOLLIN, .data.ptr = c};
    if (epoll_ctl(epoll, operation, c->fd, &event) != 0) fail("epoll_ctl");
}

static void keep_rest(struct connection *c, size_t done) {
    for (int i = 0; i < batch.count; i++) {
        size_t length = batch.parts[i].iov_len, skip = done < length ? done : length;
        done -= skip;
        if (c->pending_length + length > c->pending_room) {
            c->pending_room = 2 * (c->pending_length + length);
            c->pending = realloc(c->pending, c->pending_room);
            if (c->pending == NULL) fail("memory");
        }
        memcpy(c->pending + c->pending_length, (uint8_t *)batch.parts[i].iov_base + skip,
               length - skip);
        c->pending_length += length - skip;
    }
}

/* Write the batch. What the socket does not take waits, and nothing more is read from this peer
 * meanwhile. */
static bool write_batch(struct connection *c) {
    size_t total = 0;
    for (int i = 0; i < batch.count; i++) total += batch.parts[i].iov_len;
    ssize_t n = 0;
    if (total > 0 && c->pending_length == c->pending_start) {
        n = batch.count == 1 ? write(c->fd, batch.parts[0].iov_base, batch.parts[0].iov_len)
                             : writev(c->fd, batch.parts, batch.count);
        if (n < 0 && errno == EAGAIN) n = 0;
        if (n < 0) return false;
    }
    if ((size_t)n < total) {
        keep_rest(c, (size_t)n);
        watch(c, EPOLL_CTL_MOD);
    }
    batch.count = 0;
    batch.length = 0;
    return true;
}

/* The next records of the next queue, where they lie. */
static void add_records(void) {
    unsigned *next = &next_record[next_queue];
    if (*next + PULL_MESSAGES * QUEUES > LOG_RECORDS) *next = next_queue;
    for (int i = 0; i < PULL_MESSAGES; i++, *next += QUEUES)
        batch.parts[batch.count++] = (struct iovec){records + *next * record_length, record_length};
    if (++next_queue == QUEUES) next_queue = 0;
}

static void add_answer(const struct answer *a, const uint8_t *opaque, size_t opaque_length) {
    uint8_t *at = batch.bytes + batch.length;
    struct iovec *last = batch.count ? &batch.parts[batch.count - 1] : NULL;
    memcpy(at, a->frame, a->length);
    memcpy(at + a->opaque_at, opaque, opaque_length);
    batch.length += a->length;
    if (last != NULL && (uint8_t *)last->iov_base + last->iov_len == at) last->iov_len += a->length;
    else batch.parts[batch.count++] = (struct iovec){at, a->length};
    if (a->has_records) add_records();
}

static bool answer(const uint8_t *frame) {
    uint32_t word = load_u32(frame + 4), header_length = word & 0xffffff;
    const uint8_t *header = frame + 8;
    if (word >> 24 == HEADER_BINARY) {
        const struct answer *a =
            load_u16(header) == CODE_PULL ? &pull_answers[1] : &send_answers[1];
        add_answer(a, header + BINARY_OPAQUE_AT, 4);
        return true;
    }
    /* The generator's headers end in the same way, so the opaque has a fixed distance from the end.
     */
    static const char tail[] =
        "\"opaque\":1000000000,\"serializeTypeCurrentRPC\":\"JSON\",\"version\":479}";
    if (header_length < sizeof tail + 16) return false;
    const uint8_t *opaque = header + header_length - (sizeof tail - 1);
    if (memcmp(opaque, tail, 9) != 0) return false;
    bool pull = memcmp(header, "{\"code\":11,", 11) == 0;
    add_answer(pull ? &pull_answers[0] : &send_answers[0], opaque + 9, OPAQUE_DIGITS);
    return true;
}

static bool serve(struct connection *c) {
    ssize_t n = recv(c->fd, c->in + c->in_length, READ_ROOM - c->in_length, 0);
    if (n < 0 && errno == EAGAIN) return true;
    if (n <= 0) return false;
    c->in_length += (size_t)n;
    size_t at = 0;
    while (c->in_length - at >= 8) {
        size_t length = 4 + (size_t)load_u32(c->in + at);
        if (length > READ_ROOM || length < 30) return false;
        if (length > c->in_length - at) break;
        if (batch.count + 1 + PULL_MESSAGES > PARTS_MAX || batch.length + ANSWER_ROOM > sizeof batch.bytes)
            if (!write_batch(c)) return false;
        if (!answer(c->in + at)) return false;
        at += length;
    }
    c->in_length -= at;
    if (at > 0 && c->in_length > 0) memmove(c->in, c->in + at, c->in_length);
    return write_batch(c);
}

static bool send_pending(struct connection *c) {
    ssize_t n = write(c->fd, c->pending + c->pending_start, c->pending_length - c->pending_start);
    if (n < 0) return errno == EAGAIN;
    c->pending_start += (size_t)n;
    if (c->pending_start < c->pending_length) return true;
    c->pending_start = c->pending_length = 0;
    watch(c, EPOLL_CTL_MOD);
    return true;
}

static void hang_up(struct connection *c) {
    batch.count = 0;
    batch.length = 0;
    close(c->fd);
    free(c->pending);
    free(c);
}

static int listen_on(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, length) != 0)
        fail("cannot listen; is the port in use?");
    if (listen(fd, 4096) != 0 || getsockname(fd, (struct sockaddr *)&address, &length) != 0)
        fail("listen");
    printf("listening on %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static void accept_one(int listener) {
    int on = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct connection *c = calloc(1, sizeof *c);
    if (c == NULL) fail("memory");
    c->fd = fd;
    watch(c, EPOLL_CTL_ADD);
}

static int option(int argc, char **argv, const char *name, int otherwise) {
    for (int i = 1; i + 1 < argc; i += 2)
        if (strcmp(argv[i], name) == 0) return atoi(argv[i + 1]);
    return otherwise;
}

int main(int argc, char **argv) {
    int core = option(argc, argv, "--cpu", -1);
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core < 0 ? 0 : core, &set);
    if (core >= 0 && sched_setaffinity(0, sizeof set, &set) != 0)
        fail("cannot stay on the wanted core");
    /* Never outlive the runner that started us. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    signal(SIGPIPE, SIG_IGN);
    build_answers();
    epoll = epoll_create1(EPOLL_CLOEXEC);
    int listener = listen_on(option(argc, argv, "--port", 0));
    struct epoll_event events[EVENTS_MAX], event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) != 0) fail("epoll_ctl");
    for (;;) {
        int n = epoll_wait(epoll, events, EVENTS_MAX, -1);
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (c == NULL) accept_one(listener);
            else if (!(events[i].events & EPOLLOUT ? send_pending(c) : serve(c))) hang_up(c);
        }
    }
}
