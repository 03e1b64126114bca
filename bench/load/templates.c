#include "templates.h"

#include <time.h>

#include "wire.h"

enum { UNIQ_KEY_PREFIX = 16, UNIQ_KEY_LENGTH = 32, BORN_DIGITS = 13, HEADER_ROOM = 2048 };

/* A send request of one queue and where its changing parts lie. The frame has the same length every
 * time. */
struct send_template {
    uint8_t *bytes;
    size_t length, opaque_at, born_at, key_at, unique_at;
};

/* A pull request of one queue: its queue offset has a varying number of digits, so it is cut at
 * that number. The middle part lies between the offset and the opaque, which JSON puts at the end
 * and binary at the start. */
struct pull_template {
    uint8_t before[HEADER_ROOM], after[HEADER_ROOM];
    size_t before_length, after_length, opaque_at;
};

struct templates {
    int header;
    size_t frame_bytes_max;
    uint64_t unique_base;
    struct send_template send[QUEUES_MAX];
    struct pull_template pull[QUEUES_MAX];
};

#define KEYS_PLACE "order-0000000000"
#define UNIQUE_PLACE "7F00000104D22F2A0000000000000000"
#define BORN_PLACE "1700000000000"
#define OPAQUE_PLACE "1000000000"
#define JSON_END                                                  \
    "},\"flag\":0,\"language\":\"JAVA\",\"opaque\":" OPAQUE_PLACE \
    ",\"serializeTypeCurrentRPC\":\"JSON\",\"version\":479}"

struct field {
    const char *key, *value;
};

static size_t find(const uint8_t *bytes, size_t length, const char *text) {
    const uint8_t *at = memmem(bytes, length, text, strlen(text));
    if (at == NULL) abort();
    return (size_t)(at - bytes);
}

/* Append the header with these fields as the Java client would write it. */
static void put_header(struct builder *b, int header, int code, const struct field *fields,
                       int count) {
    char text[32];
    if (header == HEADER_BINARY) {
        put_binary_start(b, code, OPAQUE_FIRST, 0, "");
        size_t length_at = b->length;
        put_bytes(b, "\0\0\0\0", 4);
        for (int i = 0; i < count; i++) put_entry(b, fields[i].key, fields[i].value);
        store_u32(b->bytes + length_at, (uint32_t)(b->length - length_at - 4));
        return;
    }
    snprintf(text, sizeof text, "{\"code\":%d,\"extFields\":{", code);
    put_text(b, text);
    for (int i = 0; i < count; i++) {
        put_text(b, i ? ",\"" : "\"");
        put_text(b, fields[i].key);
        put_text(b, "\":\"");
        for (const char *c = fields[i].value; *c; c++) {
            if ((unsigned char)*c >= 0x20) put_bytes(b, c, 1);
            else {
                snprintf(text, sizeof text, "\\u%04x", *c);
                put_text(b, text);
            }
        }
        put_text(b, "\"");
    }
    put_text(b, JSON_END);
}

static void put_lengths(uint8_t *frame, int header, size_t header_length, size_t body_length) {
    store_u32(frame, (uint32_t)(4 + header_length + body_length));
    store_u32(frame + 4, (uint32_t)header_length | (uint32_t)header << 24);
}

static size_t send_bytes_max(const struct options *o) {
    size_t count = o->send_batch ? (size_t)o->send_batch : 1;
    return HEADER_ROOM + count * ((size_t)o->body_bytes + 128);
}

static void put_random(struct builder *b, int count, uint64_t *random) {
    for (int i = 0; i < count; i++) {
        *random = *random * 6364136223846793005u + 1442695040888963407u;
        uint8_t byte = (uint8_t)(*random >> 56);
        put_bytes(b, &byte, 1);
    }
}

/* One message of a batch as clients encode it: size, magic, checksum, flag, body, properties. */
static void put_batched(struct builder *b, int number, int body_bytes, uint64_t *random) {
    char properties[128];
    int length = snprintf(properties, sizeof properties,
                          "KEYS\1order-%d\2UNIQ_KEY\1%s%04X\2TAGS\1TagA\2", number,
                          "7F00000104D22F2A000000000000", number & 0xFFFF);
    uint8_t word[4];
    const uint32_t words[] = {(uint32_t)(22 + body_bytes + length), 0, 0, 0, (uint32_t)body_bytes};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        store_u32(word, words[i]);
        put_bytes(b, word, 4);
    }
    put_random(b, body_bytes, random);
    store_u32(word, (uint32_t)length);
    put_bytes(b, word + 2, 2);
    put_bytes(b, properties, (size_t)length);
}

static void build_send(struct send_template *s, const struct options *o, int queue,
                       uint64_t *random) {
    char number[16];
    snprintf(number, sizeof number, "%d", queue);
    char properties[256] =
        "KEYS\1" KEYS_PLACE "\2UNIQ_KEY\1" UNIQUE_PLACE "\2WAIT\1true\2TAGS\1TagA\2";
    if (o->property != NULL) {
        char *end = properties + strlen(properties);
        strcat(strcpy(end, o->property), "\2");
        *strchr(end, '=') = '\1';
    }
    const struct field fields[] = {
        {"a", o->group}, {"b", o->topic},   {"c", "TBW102"},      {"d", "8"},        {"e", number},
        {"f", "0"},      {"g", BORN_PLACE}, {"h", "0"},           {"i", properties}, {"j", "0"},
        {"k", "false"},  {"m", o->send_batch ? "true" : "false"}, {"n", o->broker_name}};
    size_t room = send_bytes_max(o);
    struct builder b = {malloc(room), 0, room};
    if (b.bytes == NULL) abort();
    put_bytes(&b, "\0\0\0\0\0\0\0\0", 8);
    put_header(&b, o->header, o->send_batch ? CODE_SEND_BATCH : CODE_SEND_V2, fields, (int)(sizeof fields / sizeof *fields));
    size_t header_length = b.length - 8;
    s->born_at = find(b.bytes, b.length, BORN_PLACE);
    s->key_at = find(b.bytes, b.length, KEYS_PLACE) + strlen("order-");
    s->unique_at = find(b.bytes, b.length, UNIQUE_PLACE) + UNIQ_KEY_PREFIX;
    s->opaque_at = o->header == HEADER_BINARY ? 8 + BINARY_OPAQUE_AT
                                              : find(b.bytes, b.length, "\"opaque\":") + 9;
    for (int i = 0; i < o->send_batch; i++) put_batched(&b, i, o->body_bytes, random);
    if (!o->send_batch) put_random(&b, o->body_bytes, random);
    put_lengths(b.bytes, o->header, header_length, b.length - 8 - header_length);
    s->bytes = b.bytes;
    s->length = b.length;
}

#define OFFSET_PLACE "@OFFSET@"

static void build_pull(struct pull_template *p, const struct options *o, int queue) {
    char number[16], batch[16];
    snprintf(number, sizeof number, "%d", queue);
    snprintf(batch, sizeof batch, "%d", o->batch_max);
    const struct field fields[] = {{"consumerGroup", o->group}, {"topic", o->topic},
                                   {"queueId", number},         {"queueOffset", OFFSET_PLACE},
                                   {"maxMsgNums", batch},       {"sysFlag", "4"},
                                   {"commitOffset", "0"},       {"suspendTimeoutMillis", "20000"},
                                   {"subscription", o->filter ? o->filter : "*"},
                                   {"subVersion", "0"},
                                   {"expressionType", o->filter ? "SQL92" : "TAG"},   {"maxMsgBytes", "2147483647"},
                                   {"bname", o->broker_name}};
    uint8_t bytes[HEADER_ROOM];
    struct builder b = {bytes, 0, sizeof bytes};
    put_bytes(&b, "\0\0\0\0\0\0\0\0", 8);
    put_header(&b, o->header, CODE_PULL, fields, (int)(sizeof fields / sizeof *fields));
    size_t cut = find(bytes, b.length, OFFSET_PLACE), resume = cut + strlen(OFFSET_PLACE);
    memcpy(p->before, bytes, cut);
    memcpy(p->after, bytes + resume, b.length - resume);
    p->before_length = cut;
    p->after_length = b.length - resume;
    p->opaque_at = o->header == HEADER_BINARY ? 8 + BINARY_OPAQUE_AT
                                              : find(p->after, p->after_length, "\"opaque\":") + 9;
}

struct templates *templates_build(const struct options *o) {
    struct templates *t = calloc(1, sizeof *t);
    uint64_t random = 0x5eed;
    if (t == NULL) abort();
    t->header = o->header;
    t->frame_bytes_max = send_bytes_max(o);
    t->unique_base = (uint64_t)time(NULL) << 32;
    for (int q = 0; q < o->queues; q++) {
        build_send(&t->send[q], o, q, &random);
        build_pull(&t->pull[q], o, q);
    }
    return t;
}

size_t templates_frame_bytes_max(const struct templates *t) { return t->frame_bytes_max; }

static void put_opaque(uint8_t *at, int header, uint32_t opaque) {
    if (header == HEADER_BINARY) store_u32(at, opaque);
    else put_decimal(at, opaque, OPAQUE_DIGITS);
}

size_t write_send(const struct templates *t, uint8_t *out, int queue, uint32_t opaque,
                  uint64_t born_ms) {
    static const char HEX[] = "0123456789ABCDEF";
    const struct send_template *s = &t->send[queue];
    uint64_t unique = t->unique_base + opaque;
    memcpy(out, s->bytes, s->length);
    put_opaque(out + s->opaque_at, t->header, opaque);
    put_decimal(out + s->key_at, opaque, OPAQUE_DIGITS);
    put_decimal(out + s->born_at, born_ms, BORN_DIGITS);
    for (int i = UNIQ_KEY_LENGTH - UNIQ_KEY_PREFIX - 1; i >= 0; i--, unique >>= 4)
        out[s->unique_at + (size_t)i] = (uint8_t)HEX[unique & 15];
    return s->length;
}

size_t write_pull(const struct templates *t, uint8_t *out, int queue, uint64_t queue_offset,
                  uint32_t opaque) {
    const struct pull_template *p = &t->pull[queue];
    char digits[24];
    int count = snprintf(digits, sizeof digits, "%llu", (unsigned long long)queue_offset);
    size_t after_at = p->before_length + (size_t)count, length = after_at + p->after_length;
    memcpy(out, p->before, p->before_length);
    memcpy(out + p->before_length, digits, (size_t)count);
    memcpy(out + after_at, p->after, p->after_length);
    if (t->header == HEADER_BINARY) {
        /* The value's own length precedes it; the length of all entries follows the empty remark.
         */
        store_u32(out + p->before_length - 4, (uint32_t)count);
        store_u32(out + 8 + 17, (uint32_t)(length - 8 - 17 - 4));
        put_opaque(out + p->opaque_at, t->header, opaque);
    } else {
        put_opaque(out + after_at + p->opaque_at, t->header, opaque);
    }
    put_lengths(out, t->header, length - 8, 0);
    return length;
}
