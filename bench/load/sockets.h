/* Connecting to the server under test. */
#ifndef BENCH_SOCKETS_H
#define BENCH_SOCKETS_H

/* A blocking connection without Nagle's delay; ends the program with a message when the server
 * cannot be reached. */
int connect_to(const char *host, int port);

#endif
