/* Shift the wall clock of one process: preloaded, see wallclock.py.

   The offset, in microseconds, is the first 8 bytes of the file that PROOF_CLOCK names. The file is
   mapped, so a change takes effect at the next reading. Other clocks stay as they are. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile const int64_t *offset;
static int (*real_gettime)(clockid_t, struct timespec *);

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("PROOF_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *mapped = MAP_FAILED;

    real_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    if (file >= 0) {
        mapped = mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, file, 0);
        close(file);
    }
    if (mapped == MAP_FAILED)
        abort();
    offset = mapped;
}

int clock_gettime(clockid_t clock, struct timespec *at) {
    if (!real_gettime)
        real_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real_gettime(clock, at);
    if (result == 0 && offset && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t nanoseconds = at->tv_nsec + *offset % 1000000 * 1000;
        at->tv_sec += *offset / 1000000;
        if (nanoseconds < 0) {
            nanoseconds += 1000000000;
            at->tv_sec -= 1;
        }
        at->tv_sec += nanoseconds / 1000000000;
        at->tv_nsec = nanoseconds % 1000000000;
    }
    return result;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    struct timespec now;
    int result = clock_gettime(CLOCK_REALTIME, &now);
    (void)zone;
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return result;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at)
        *at = now.tv_sec;
    return now.tv_sec;
}
