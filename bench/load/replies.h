/* Reading answers: just enough of a header to match, check and continue. */
#ifndef BENCH_REPLIES_H
#define BENCH_REPLIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reply {
    uint32_t opaque;
    int code;
    const uint8_t *header, *body;
    size_t header_length, body_length;
    int header_kind;
};

/* Read one whole frame. False when it is not an answer that a RocketMQ server could send. */
bool read_reply(const uint8_t *frame, size_t length, struct reply *reply);
/* Where a field of the answer's header has its text, which must not contain escapes; false when it
 * is absent. */
bool reply_text(const struct reply *reply, const char *field, const uint8_t **value,
                size_t *length);
/* The number in a field of the answer's header, for instance nextBeginOffset; false when it is
 * absent. */
bool reply_number(const struct reply *reply, const char *field, uint64_t *value);
/* How many stored messages the body holds, or -1 when they do not fill it exactly. */
int count_messages(const uint8_t *body, size_t length);
/* Copy the answer's remark as printable text. */
void reply_remark(const struct reply *reply, char *text, size_t room);

#endif
