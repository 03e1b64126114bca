#include "process_clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t read_clock(clockid_t clock) {
    struct timespec t;
    if (clock_gettime(clock, &t) != 0) return UINT64_MAX;
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t monotonic_ns(void) { return read_clock(CLOCK_MONOTONIC); }

uint64_t epoch_ms(void) { return read_clock(CLOCK_REALTIME) / 1000000u; }

uint64_t own_cpu_ns(void) { return read_clock(CLOCK_PROCESS_CPUTIME_ID); }

uint64_t servers_cpu_ns(const pid_t *pids, int count) {
    uint64_t total = 0;
    for (int i = 0; i < count; i++) {
        clockid_t clock;
        int error = clock_getcpuclockid(pids[i], &clock);
        uint64_t now = error == 0 ? read_clock(clock) : UINT64_MAX;
        if (now == UINT64_MAX) {
            fprintf(stderr,
                    "load: cannot read the CPU clock of process %d; has the server ended?\n",
                    (int)pids[i]);
            exit(1);
        }
        total += now;
    }
    return total;
}

uint64_t machine_cpu_ns(void) {
    unsigned long long user, nice, system, idle, iowait, irq, softirq, steal;
    FILE *stat = fopen("/proc/stat", "r");
    if (stat == NULL) return 0;
    int n = fscanf(stat, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &system,
                   &idle, &iowait, &irq, &softirq, &steal);
    fclose(stat);
    if (n != 8) return 0;
    return (user + nice + system + irq + softirq + steal) *
           (1000000000ull / (uint64_t)sysconf(_SC_CLK_TCK));
}
