/* What a pop's answer says of the messages it handed out: enough to acknowledge each of them. */
#ifndef BENCH_RECEIPTS_H
#define BENCH_RECEIPTS_H

#include "replies.h"
#include "wire.h"

enum { CODE_ACK_MESSAGE = 200051, POP_COUNT_MAX = 32 };

/* Who popped, and from where. */
struct popper {
    const char *topic, *broker_name;
    char group[64];
};

/* Write one ACK_MESSAGE request for each message of the answer, with the opaques from 0 on; returns
 * how many, or -1 when the answer's fields make no sense. */
int write_acks(const struct reply *answer, const struct popper *popper, struct builder *out);
/* Write a request with a JSON header; `fields` is the text inside the braces of extFields. */
void write_request(struct builder *out, int code, uint32_t opaque, const char *fields);

#endif
