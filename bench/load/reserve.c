/* Keeps warm memory at hand while a window is measured.
 *
 * A virtual machine may give the memory it does not use back to its host, and pay several
 * microseconds a page to get it again. A server that fills fresh pages of its log is then measured
 * together with the host. This program holds pages that are backed already, as a file in the page
 * cache, and cuts the file shorter as fast as the others take memory: what they get are the pages
 * that were just freed.
 *
 *   reserve PATH MEGABYTES AHEAD     prints "ready" when the file stands; when its standard input
 *                                    ends it deletes the file, prints what is left of it, and ends
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define MEGABYTE (1L << 20)
#define STEP_MS 5

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static long free_megabytes(void) {
    struct sysinfo now;
    if (sysinfo(&now) != 0) fail("sysinfo");
    return (long)(now.freeram * now.mem_unit / MEGABYTE);
}

int main(int count, char **arguments) {
    if (count != 4) {
        fprintf(stderr, "usage: %s PATH MEGABYTES AHEAD\n", arguments[0]);
        return 2;
    }
    long left = atol(arguments[2]), ahead = atol(arguments[3]);
    int file = open(arguments[1], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) fail(arguments[1]);
    char *zeros = calloc(1, MEGABYTE);
    if (zeros == NULL) fail("memory");
    for (long i = 0; i < left; i++)
        if (pwrite(file, zeros, MEGABYTE, i * MEGABYTE) != MEGABYTE) fail(arguments[1]);
    free(zeros);
    printf("ready\n");
    fflush(stdout);
    long at_first = free_megabytes(), released = 0;
    struct pollfd input = {.fd = 0, .events = POLLIN};
    while (poll(&input, 1, STEP_MS) == 0) {
        long taken = at_first + released - free_megabytes();
        long wanted = taken + ahead - released;
        if (wanted < ahead / 4 || left == 0) continue;
        if (wanted > left) wanted = left;
        left -= wanted;
        released += wanted;
        if (ftruncate(file, left * MEGABYTE) != 0) fail(arguments[1]);
    }
    unlink(arguments[1]);
    printf("%ld\n", left);
    return 0;
}
