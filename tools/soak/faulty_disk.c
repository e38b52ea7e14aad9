/* Calls that bring something to the disk, and fail now and then: LD_PRELOAD this.
 *
 * FAULTY_DISK names a file of the `struct faults` below, which may change at any time: what fails,
 * fails with EIO. FAULTY_DISK_BELOW is the folder whose files are meant. A pwrite that fails has
 * written the half of it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct faults {
    uint8_t shares[2];   /* of 255 calls so many of fsync and fdatasync, and so many of pwrite */
    uint16_t first, end; /* and the calls with these numbers, `end` not among them */
};

static const volatile struct faults *faults;
static unsigned calls; /* so many, of both kinds, there were */
static const char *below;
static unsigned chance;

__attribute__((constructor)) static void find_file(void)
{
    const char *path = getenv("FAULTY_DISK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    below = getenv("FAULTY_DISK_BELOW");
    chance = (unsigned)getpid();
    if (file < 0)
        return;
    void *page = mmap(NULL, sizeof *faults, PROT_READ, MAP_SHARED, file, 0);
    if (page != MAP_FAILED)
        faults = page;
    close(file);
}

static int fails(int file, int which)
{
    char link[64], path[4096];
    if (!faults || !below)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 0)
        return 0;
    path[size] = 0;
    if (strncmp(path, below, strlen(below)))
        return 0;
    unsigned number = calls++;
    return (number >= faults->first && number < faults->end) ||
           rand_r(&chance) % 255 < faults->shares[which];
}

static int synced(int file, const char *name)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    if (fails(file, 0)) {
        errno = EIO;
        return -1;
    }
    return real(file);
}

int fsync(int file) { return synced(file, "fsync"); }
int fdatasync(int file) { return synced(file, "fdatasync"); }

static ssize_t written(int file, const void *bytes, size_t size, off_t at, const char *name)
{
    ssize_t (*real)(int, const void *, size_t, off_t) =
        (ssize_t(*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, name);
    if (fails(file, 1)) {
        if (size > 1)
            real(file, bytes, size / 2, at);
        errno = EIO;
        return -1;
    }
    return real(file, bytes, size, at);
}

ssize_t pwrite(int file, const void *bytes, size_t size, off_t at)
{
    return written(file, bytes, size, at, "pwrite");
}

ssize_t pwrite64(int file, const void *bytes, size_t size, off_t at)
{
    return written(file, bytes, size, at, "pwrite64");
}
