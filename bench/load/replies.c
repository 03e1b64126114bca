#include "replies.h"

#include "wire.h"

enum {
    RECORD_MAGIC_V1 = (int)0xDAA320A7,
    RECORD_MAGIC_V2 = (int)0xDAA320AB,
    RECORD_BYTES_MIN = 88
};

/* Where `text` starts in the header, looking first where the previous answer had it: nearly all are
 * alike. */
static const uint8_t *seek(const uint8_t *header, size_t length, const char *text,
                           size_t text_length, size_t *hint) {
    if (*hint + text_length <= length && memcmp(header + *hint, text, text_length) == 0)
        return header + *hint;
    const uint8_t *found = memmem(header, length, text, text_length);
    if (found != NULL) *hint = (size_t)(found - header);
    return found;
}

static bool read_decimal(const uint8_t *p, const uint8_t *end, uint64_t *value) {
    const uint8_t *start = p;
    uint64_t v = 0;
    while (p < end && *p >= '0' && *p <= '9' && p - start < 19) v = v * 10 + (uint64_t)(*p++ - '0');
    *value = v;
    return p > start;
}

static bool read_json(struct reply *r) {
    static size_t code_hint, opaque_hint;
    const uint8_t *end = r->header + r->header_length;
    uint64_t code, opaque;
    const uint8_t *at = seek(r->header, r->header_length, "\"code\":", 7, &code_hint);
    if (at == NULL || !read_decimal(at + 7, end, &code)) return false;
    at = seek(r->header, r->header_length, "\"opaque\":", 9, &opaque_hint);
    if (at == NULL || !read_decimal(at + 9, end, &opaque)) return false;
    r->code = (int)code;
    r->opaque = (uint32_t)opaque;
    return true;
}

bool read_reply(const uint8_t *frame, size_t length, struct reply *r) {
    uint32_t word = load_u32(frame + 4);
    r->header_kind = (int)(word >> 24);
    r->header_length = word & 0xffffff;
    if (r->header_length + 8 > length) return false;
    r->header = frame + 8;
    r->body = r->header + r->header_length;
    r->body_length = length - 8 - r->header_length;
    if (r->header_kind == HEADER_JSON) return read_json(r);
    if (r->header_kind != HEADER_BINARY || r->header_length < 21) return false;
    r->code = load_u16(r->header);
    r->opaque = load_u32(r->header + BINARY_OPAQUE_AT);
    return true;
}

static bool binary_field(const struct reply *r, const char *field, const uint8_t **value,
                         size_t *value_length) {
    size_t name_length = strlen(field), at = 17 + (size_t)load_u32(r->header + 13) + 4;
    while (at + 6 <= r->header_length) {
        size_t key_length = load_u16(r->header + at), value_at = at + 2 + key_length + 4;
        if (value_at > r->header_length) return false;
        size_t size = load_u32(r->header + value_at - 4);
        if (size > r->header_length - value_at) return false;
        if (key_length == name_length && memcmp(r->header + at + 2, field, name_length) == 0) {
            *value = r->header + value_at;
            *value_length = size;
            return true;
        }
        at = value_at + size;
    }
    return false;
}

bool reply_text(const struct reply *r, const char *field, const uint8_t **value, size_t *length) {
    if (r->header_kind == HEADER_BINARY) return binary_field(r, field, value, length);
    char quoted[64];
    size_t n = (size_t)snprintf(quoted, sizeof quoted, "\"%s\":\"", field);
    const uint8_t *at = memmem(r->header, r->header_length, quoted, n);
    if (at == NULL) return false;
    *value = at + n;
    const uint8_t *end = memchr(*value, '"', (size_t)(r->header + r->header_length - *value));
    *length = end != NULL ? (size_t)(end - *value) : 0;
    return end != NULL;
}

bool reply_number(const struct reply *r, const char *field, uint64_t *value) {
    const uint8_t *text;
    size_t length;
    return reply_text(r, field, &text, &length) && read_decimal(text, text + length, value);
}

int count_messages(const uint8_t *body, size_t length) {
    size_t at = 0;
    int count = 0;
    while (at + RECORD_BYTES_MIN <= length) {
        size_t size = load_u32(body + at);
        int magic = (int)load_u32(body + at + 4);
        if (size < RECORD_BYTES_MIN || size > length - at) return -1;
        if (magic != RECORD_MAGIC_V1 && magic != RECORD_MAGIC_V2) return -1;
        at += size;
        count++;
    }
    return at == length ? count : -1;
}

void reply_remark(const struct reply *r, char *text, size_t room) {
    const uint8_t *from = r->header, *end = r->header + r->header_length;
    if (r->header_kind == HEADER_BINARY) {
        size_t length = load_u32(r->header + 13);
        from = r->header + 17;
        end = length <= r->header_length - 17 ? from + length : from;
    } else {
        const uint8_t *remark = memmem(from, r->header_length, "\"remark\":\"", 10);
        from = remark != NULL ? remark + 10 : end;
    }
    size_t n = 0;
    for (; from < end && n + 1 < room; from++) {
        if (r->header_kind == HEADER_JSON && *from == '"') break;
        text[n++] =
            *from >= 0x20 && *from < 0x7f && *from != '"' && *from != '\\' ? (char)*from : ' ';
    }
    text[n] = 0;
}
