#include "connections.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "process_clock.h"
#include "replies.h"
#include "sockets.h"
#include "wire.h"

enum { READ_ROOM = 1 << 20, EVENTS_MAX = 256, CODE_NO_MESSAGE = 19, CODE_OFFSET_MOVED = 21 };
static const uint64_t STALL_NS = 15000000000ull;

/* One request in flight. Its opaque is OPAQUE_FIRST + round * slots + index, so an answer finds it
 * at once. */
struct slot {
    uint64_t sent_ns, queue_offset;
    uint32_t opaque;
    int queue;
    bool busy;
};

struct connection {
    int fd;
    bool wants_write;
    uint8_t *in, *out;
    size_t in_length, out_start, out_length, out_room;
};

struct load {
    const struct options *o;
    const struct templates *t;
    struct connection *connections;
    struct slot *slots;
    uint32_t slot_count;
    uint64_t in_flight;
    int epoll, next_queue;
    bool sending;
    uint64_t now_ns, last_answer_ns, born_ms;
    struct tally tally;
};

static void fail(const char *what, const char *why) {
    fprintf(stderr, "load: %s: %s\n", what, why);
    exit(1);
}

struct tally *load_tally(struct load *load) { return &load->tally; }

static void send_request(struct load *load, struct connection *c, struct slot *slot) {
    if (c->out_length + templates_frame_bytes_max(load->t) > c->out_room) abort();
    uint8_t *out = c->out + c->out_length;
    uint32_t next = slot->opaque + load->slot_count;
    slot->opaque = next >= OPAQUE_FIRST && next < 0x7fffffffu
                       ? next
                       : OPAQUE_FIRST + (uint32_t)(slot - load->slots);
    slot->busy = true;
    slot->sent_ns = load->now_ns;
    if (load->o->pull) {
        c->out_length += write_pull(load->t, out, slot->queue, slot->queue_offset, slot->opaque);
    } else {
        c->out_length += write_send(load->t, out, load->next_queue, slot->opaque, load->born_ms);
        if (++load->next_queue == load->o->queues) load->next_queue = 0;
    }
    load->in_flight++;
}

static void watch(struct load *load, struct connection *c, bool for_write) {
    struct epoll_event event = {.events = EPOLLIN | (for_write ? EPOLLOUT : 0), .data.ptr = c};
    if (c->wants_write == for_write) return;
    c->wants_write = for_write;
    if (epoll_ctl(load->epoll, EPOLL_CTL_MOD, c->fd, &event) != 0)
        fail("epoll_ctl", strerror(errno));
}

static void flush(struct load *load, struct connection *c) {
    while (c->out_start < c->out_length) {
        ssize_t n = send(c->fd, c->out + c->out_start, c->out_length - c->out_start, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) break;
        if (n < 0) fail("the server closed a connection", strerror(errno));
        c->out_start += (size_t)n;
        load->tally.bytes_sent += (uint64_t)n;
    }
    if (c->out_start == c->out_length) c->out_start = c->out_length = 0;
    else if (c->out_start > c->out_room / 2) {
        memmove(c->out, c->out + c->out_start, c->out_length - c->out_start);
        c->out_length -= c->out_start;
        c->out_start = 0;
    }
    watch(load, c, c->out_length > 0);
}

/* Move the slot's place in its queue behind what it was given, or back to the start at the end of
 * the queue. */
static void follow_pull(struct load *load, struct slot *slot, const struct reply *reply) {
    uint64_t next, end;
    if (!reply_number(reply, "nextBeginOffset", &next) || !reply_number(reply, "maxOffset", &end))
        fail("a pull answer lacks nextBeginOffset or maxOffset", load->tally.first_refusal);
    if (reply->code == 0) {
        int count = count_messages(reply->body, reply->body_length);
        if (count <= 0) fail("a pull answer's body", "is not a run of whole stored messages");
        load->tally.messages += (uint64_t)count;
    }
    bool ended = next >= end || reply->code == CODE_NO_MESSAGE;
    if (ended) load->tally.ends_of_queue++;
    slot->queue_offset = ended ? 0 : next;
}

static void take_answer(struct load *load, struct connection *c, const uint8_t *frame,
                        size_t length) {
    struct reply reply;
    if (!read_reply(frame, length, &reply)) fail("an answer", "is not a RocketMQ frame");
    struct slot *slot = &load->slots[(reply.opaque - OPAQUE_FIRST) % load->slot_count];
    if (reply.opaque < OPAQUE_FIRST || !slot->busy || slot->opaque != reply.opaque)
        fail("an answer", "carries an opaque that is not in flight");
    slot->busy = false;
    load->in_flight--;
    struct tally *tally = &load->tally;
    tally->answers++;
    tally->codes[reply.code >= 0 && reply.code < CODES_MAX ? reply.code : CODES_MAX - 1]++;
    histogram_add(&tally->latency, load->now_ns - slot->sent_ns);
    if (reply.code != 0 && tally->first_refusal[0] == 0)
        reply_remark(&reply, tally->first_refusal, sizeof tally->first_refusal);
    bool known =
        reply.code == 0 || reply.code == CODE_NO_MESSAGE || reply.code == CODE_OFFSET_MOVED;
    if (load->o->pull && known) follow_pull(load, slot, &reply);
    if (load->sending) send_request(load, c, slot);
}

static void receive(struct load *load, struct connection *c) {
    ssize_t n = recv(c->fd, c->in + c->in_length, READ_ROOM - c->in_length, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) fail("the server closed a connection", n == 0 ? "end of stream" : strerror(errno));
    load->tally.bytes_received += (uint64_t)n;
    load->now_ns = load->last_answer_ns = monotonic_ns();
    c->in_length += (size_t)n;
    size_t at = 0;
    while (c->in_length - at >= 8) {
        size_t length = 4 + (size_t)load_u32(c->in + at);
        if (length < 8 || length > READ_ROOM) fail("an answer", "has an impossible length");
        if (length > c->in_length - at) break;
        take_answer(load, c, c->in + at, length);
        at += length;
    }
    c->in_length -= at;
    if (at > 0 && c->in_length > 0) memmove(c->in, c->in + at, c->in_length);
    if (c->out_length > 0) flush(load, c);
}

static void turn(struct load *load) {
    struct epoll_event events[EVENTS_MAX];
    int n = epoll_wait(load->epoll, events, EVENTS_MAX, 20);
    if (n < 0 && errno != EINTR) fail("epoll_wait", strerror(errno));
    load->now_ns = monotonic_ns();
    load->born_ms = epoch_ms();
    for (int i = 0; i < n; i++) {
        struct connection *c = events[i].data.ptr;
        if (events[i].events & EPOLLOUT) flush(load, c);
        if (events[i].events & ~(uint32_t)EPOLLOUT) receive(load, c);
    }
    if (load->now_ns > load->last_answer_ns + STALL_NS && load->in_flight > 0)
        fail("the server", "has not answered anything for 15 seconds");
}

void load_run(struct load *load, uint64_t until_ns, uint64_t answers_max) {
    load->now_ns = load->last_answer_ns = monotonic_ns();
    load->born_ms = epoch_ms();
    if (!load->sending) {
        load->sending = true;
        for (uint32_t i = 0; i < load->slot_count; i++)
            if (!load->slots[i].busy)
                send_request(load, &load->connections[i / (uint32_t)load->o->inflight],
                             &load->slots[i]);
        for (int i = 0; i < load->o->connections; i++) flush(load, &load->connections[i]);
    }
    while (load->now_ns < until_ns && (answers_max == 0 || load->tally.answers < answers_max))
        turn(load);
}

uint64_t load_drain(struct load *load, uint64_t until_ns) {
    load->sending = false;
    while (load->in_flight > 0 && load->now_ns < until_ns) turn(load);
    return load->in_flight;
}

struct load *load_open(const struct options *o, const struct templates *t) {
    struct load *load = calloc(1, sizeof *load);
    load->o = o;
    load->t = t;
    load->slot_count = (uint32_t)(o->connections * o->inflight);
    load->slots = calloc(load->slot_count, sizeof *load->slots);
    load->connections = calloc((size_t)o->connections, sizeof *load->connections);
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    for (uint32_t i = 0; i < load->slot_count; i++)
        load->slots[i].queue = (int)(i % (uint32_t)o->queues);
    for (int i = 0; i < o->connections; i++) {
        struct connection *c = &load->connections[i];
        c->fd = connect_to(o->host, o->port);
        if (fcntl(c->fd, F_SETFL, O_NONBLOCK) != 0) fail("fcntl", strerror(errno));
        c->in = malloc(READ_ROOM);
        c->out_room = 2 * (size_t)(o->inflight + 1) * templates_frame_bytes_max(t);
        c->out = malloc(c->out_room);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        if (c->in == NULL || c->out == NULL) fail("memory", "not enough for the connections");
        if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, c->fd, &event) != 0)
            fail("epoll_ctl", strerror(errno));
    }
    return load;
}

void load_close(struct load *load) {
    for (int i = 0; i < load->o->connections; i++) {
        close(load->connections[i].fd);
        free(load->connections[i].in);
        free(load->connections[i].out);
    }
    close(load->epoll);
    free(load->connections);
    free(load->slots);
    free(load);
}
