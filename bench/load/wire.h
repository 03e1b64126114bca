/* What both programs know of the remoting frame (all integers big-endian):
 *
 *     total length  4   bytes after this field
 *     header word   4   high byte 0 = JSON header, 1 = binary header; low 24 bits = header length
 *     header, body
 *
 * A binary header starts: code 2, language 1, version 2, opaque 4, flag 4, remark length 4. */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CODE_PULL = 11, CODE_SEND_V2 = 310, CODE_SEND_BATCH = 320 };
enum { HEADER_JSON = 0, HEADER_BINARY = 1 };
enum { WIRE_VERSION = 479, FRAME_BYTES_MAX = 16 * 1024 * 1024, BINARY_OPAQUE_AT = 5 };

/* Every opaque has ten decimal digits, so a JSON request can be patched without changing its
 * length. */
#define OPAQUE_FIRST 1000000000u
enum { OPAQUE_DIGITS = 10 };

static inline uint32_t load_u32(const uint8_t *p) {
    uint32_t v;
    memcpy(&v, p, 4);
    return __builtin_bswap32(v);
}

static inline uint16_t load_u16(const uint8_t *p) {
    uint16_t v;
    memcpy(&v, p, 2);
    return __builtin_bswap16(v);
}

static inline void store_u32(uint8_t *p, uint32_t v) {
    v = __builtin_bswap32(v);
    memcpy(p, &v, 4);
}

static inline void store_u16(uint8_t *p, uint16_t v) {
    v = __builtin_bswap16(v);
    memcpy(p, &v, 2);
}

/* Write exactly `digits` decimal digits. */
static inline void put_decimal(uint8_t *p, uint64_t v, int digits) {
    for (int i = digits - 1; i >= 0; i--) {
        p[i] = (uint8_t)('0' + v % 10);
        v /= 10;
    }
}

/* A bounded byte builder for start-up work; running out of room is a programming mistake. */
struct builder {
    uint8_t *bytes;
    size_t length, room;
};

static inline void put_bytes(struct builder *b, const void *p, size_t n) {
    if (b->length + n > b->room) {
        fprintf(stderr, "bench: a frame does not fit its %zu byte buffer\n", b->room);
        abort();
    }
    memcpy(b->bytes + b->length, p, n);
    b->length += n;
}

static inline void put_text(struct builder *b, const char *text) {
    put_bytes(b, text, strlen(text));
}

/* One entry of a binary header: key length 2, key, value length 4, value. Returns where the value
 * starts. */
static inline size_t put_entry(struct builder *b, const char *key, const char *value) {
    uint8_t length[4];
    store_u16(length, (uint16_t)strlen(key));
    put_bytes(b, length, 2);
    put_text(b, key);
    store_u32(length, (uint32_t)strlen(value));
    put_bytes(b, length, 4);
    size_t at = b->length;
    put_text(b, value);
    return at;
}

/* The fixed part of a binary header, without remark; the length of the entries is filled in by the
 * caller. */
static inline void put_binary_start(struct builder *b, int code, uint32_t opaque, uint32_t flag,
                                    const char *remark) {
    uint8_t start[17];
    store_u16(start, (uint16_t)code);
    start[2] = 0;
    store_u16(start + 3, WIRE_VERSION);
    store_u32(start + 5, opaque);
    store_u32(start + 9, flag);
    store_u32(start + 13, (uint32_t)strlen(remark));
    put_bytes(b, start, sizeof start);
    put_text(b, remark);
}

#endif
