/* Keeps warm memory at hand while a window is measured.
 *
 * A virtual machine may give the memory it does not use back to its host, and pay several
 * microseconds a page to get it again. A server that fills fresh pages of its log is then measured
 * together with the host. This program holds pages that are backed already and gives them away as
 * fast as the others take memory: what they get are the pages that were just freed. (Pages of a
 * file would do as well, but they are dirty, and the kernel begins to write them out.)
 *
 *   reserve MEGABYTES AHEAD     prints "ready" when it holds them; when its standard input ends it
 *                               prints how many are left, and ends
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>

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
    if (count != 3) {
        fprintf(stderr, "usage: %s MEGABYTES AHEAD\n", arguments[0]);
        return 2;
    }
    long left = atol(arguments[1]), ahead = atol(arguments[2]);
    size_t size = (size_t)(left * MEGABYTE);
    char *held = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (held == MAP_FAILED) fail("memory");
    /* Small pages, once freed, are what the next who wants one gets; huge ones are split last. */
    madvise(held, size, MADV_NOHUGEPAGE);
    memset(held, 1, size);
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
        size_t given = (size_t)(wanted * MEGABYTE);
        if (madvise(held + left * MEGABYTE, given, MADV_DONTNEED) != 0) fail("madvise");
    }
    printf("%ld\n", left);
    return 0;
}
