#include "receipts.h"

/* The answer's fields are `startOffsetInfo` = "retry queue start;..." and `msgOffsetInfo` = "retry
 * queue offset,offset;...". An ack repeats the start that belongs to its message's queue. */

enum { FIELDS_ROOM = 1024 };

/* A piece of the answer; it is not terminated. */
struct text {
    const char *at;
    size_t length;
};

static bool field(const struct reply *answer, const char *name, struct text *found) {
    const uint8_t *at;
    if (!reply_text(answer, name, &at, &found->length)) return false;
    found->at = (const char *)at;
    return true;
}

/* Take what stands before the next separator, or all of it; false when nothing is left. */
static bool take(struct text *from, char separator, struct text *part) {
    if (from->length == 0) return false;
    const char *end = memchr(from->at, separator, from->length);
    part->at = from->at;
    part->length = end != NULL ? (size_t)(end - from->at) : from->length;
    size_t used = part->length + (end != NULL);
    from->at += used;
    from->length -= used;
    return part->length > 0;
}

static bool same(struct text a, struct text b) {
    return a.length == b.length && memcmp(a.at, b.at, a.length) == 0;
}

/* Take apart one entry: the retry flag, the queue, and what is said of them. */
static bool split(struct text entry, struct text *retry, struct text *queue, struct text *rest) {
    *rest = (struct text){NULL, 0};
    if (!take(&entry, ' ', retry) || !take(&entry, ' ', queue)) return false;
    *rest = entry;
    return rest->length > 0 && retry->length == 1 && (*retry->at == '0' || *retry->at == '1');
}

static bool find_start(struct text starts, struct text retry, struct text queue,
                       struct text *start) {
    struct text entry, its_retry, its_queue;
    while (take(&starts, ';', &entry)) {
        if (!split(entry, &its_retry, &its_queue, start)) return false;
        if (same(its_retry, retry) && same(its_queue, queue)) return true;
    }
    return false;
}

void write_request(struct builder *out, int code, uint32_t opaque, const char *fields) {
    char tail[160], head[64];
    int head_length = snprintf(head, sizeof head, "{\"code\":%d,\"extFields\":{", code);
    int tail_length = snprintf(tail, sizeof tail,
                               "},\"flag\":0,\"language\":\"JAVA\",\"opaque\":%u,"
                               "\"serializeTypeCurrentRPC\":\"JSON\",\"version\":%d}",
                               opaque, WIRE_VERSION);
    uint32_t length = (uint32_t)(head_length + tail_length) + (uint32_t)strlen(fields);
    uint8_t prefix[8];
    store_u32(prefix, length + 4);
    store_u32(prefix + 4, length);
    put_bytes(out, prefix, sizeof prefix);
    put_bytes(out, head, (size_t)head_length);
    put_text(out, fields);
    put_bytes(out, tail, (size_t)tail_length);
}

/* Write what all acks of one queue begin with; returns its length, or -1 when it is too long. */
static int write_stem(char *fields, const struct popper *popper, const struct text *handle,
                      struct text start, struct text retry, struct text queue) {
    bool again = *retry.at == '1';
    int n = snprintf(
        fields, FIELDS_ROOM,
        "\"consumerGroup\":\"%s\",\"topic\":\"%s%s%s%s\",\"queueId\":\"%.*s\","
        "\"extraInfo\":\"%.*s %.*s %.*s %.*s %c %s %.*s ",
        popper->group, again ? "%RETRY%" : "", again ? popper->group : "", again ? "_" : "",
        popper->topic, (int)queue.length, queue.at, (int)start.length, start.at,
        (int)handle[0].length, handle[0].at, (int)handle[1].length, handle[1].at,
        (int)handle[2].length, handle[2].at, *retry.at, popper->broker_name, (int)queue.length,
        queue.at);
    return n < FIELDS_ROOM - 64 ? n : -1;
}

int write_acks(const struct reply *answer, const struct popper *popper, struct builder *out) {
    struct text starts, messages, handle[3], entry, retry, queue, offsets, start, offset;
    char fields[FIELDS_ROOM];
    int count = 0;
    if (!field(answer, "startOffsetInfo", &starts) || !field(answer, "msgOffsetInfo", &messages) ||
        !field(answer, "popTime", &handle[0]) || !field(answer, "invisibleTime", &handle[1]) ||
        !field(answer, "reviveQid", &handle[2]))
        return -1;
    while (take(&messages, ';', &entry)) {
        if (!split(entry, &retry, &queue, &offsets)) return -1;
        if (!find_start(starts, retry, queue, &start)) return -1;
        int stem = write_stem(fields, popper, handle, start, retry, queue);
        if (stem < 0) return -1;
        while (take(&offsets, ',', &offset)) {
            if (offset.length > 19 || count == POP_COUNT_MAX) return -1;
            sprintf(fields + stem, "%.*s\",\"offset\":\"%.*s\"", (int)offset.length, offset.at,
                    (int)offset.length, offset.at);
            write_request(out, CODE_ACK_MESSAGE, (uint32_t)count++, fields);
        }
    }
    return messages.length == 0 && count > 0 ? count : -1;
}
