/* SPDX-License-Identifier: MIT */
#include "private.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <unistd.h>

int host_memory_fd = -1;

int host_memory_create(uint64_t size_bytes, void **window) {
    int fd = memfd_create("axolotl-memory", MFD_ALLOW_SEALING);
    if (fd < 0)
        return -1;
    if (ftruncate(fd, (off_t)size_bytes) != 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0)
        goto fail;
    *window = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (*window == MAP_FAILED)
        goto fail;
    madvise(*window, size_bytes, MADV_DONTDUMP);
    host_memory_fd = fd;
    return fd;
fail:;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

void host_memory_populate(void *window, uint64_t size_bytes) {
    (void)madvise(window, size_bytes, MADV_POPULATE_WRITE);
}

void *host_allocate(size_t size_bytes) {
    void *memory =
        mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void host_file_drop(const void *bytes, uint64_t size_bytes) {
    munmap((void *)bytes, size_bytes);
}

void host_memory_punch(uint64_t offset, uint64_t size_bytes) {
    if (fallocate(host_memory_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
                  (off_t)size_bytes) != 0)
        host_fail("memory cannot be given back to the host");
}
