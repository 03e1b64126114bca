/* CPU time of other processes, read from their process clocks: exact to the nanosecond, all
 * threads, also ended ones. */
#ifndef BENCH_PROCESS_CLOCK_H
#define BENCH_PROCESS_CLOCK_H

#include <stdint.h>
#include <sys/types.h>

uint64_t monotonic_ns(void);
uint64_t epoch_ms(void);
uint64_t own_cpu_ns(void);
/* CPU of all processes given; ends the program with a message when one of them is gone. */
uint64_t servers_cpu_ns(const pid_t *pids, int count);
/* CPU time that all processes of the machine together have used since it started, in steps of 10
 * ms. */
uint64_t machine_cpu_ns(void);

#endif
