/* SPDX-License-Identifier: MIT */
#include "descriptors.h"

#include <base/assert.h>

bool descriptor_open(struct descriptors *all, int fd, const struct open_file *file) {
    ASSERT(all->table[fd].file == 0);
    for (unsigned i = 0; i < OPEN_FILE_MAX; i++) {
        if (all->files[i].users != 0)
            continue;
        all->files[i] = *file;
        all->files[i].users = 1;
        all->table[fd] = (struct descriptor){.file = (uint8_t)(i + 1)};
        return true;
    }
    return false;
}

struct open_file *descriptor_file(struct descriptors *all, int64_t fd) {
    if (fd < 0 || fd >= DESCRIPTOR_MAX || all->table[fd].file == 0)
        return NULL;
    return &all->files[all->table[fd].file - 1];
}

int descriptor_free(const struct descriptors *all, int64_t first, uint64_t limit) {
    for (int64_t fd = first; fd < DESCRIPTOR_MAX && (uint64_t)fd < limit; fd++) {
        if (all->table[fd].file == 0)
            return (int)fd;
    }
    return -1;
}

void descriptor_share(struct descriptors *all, int from, int to, bool close_on_exec) {
    ASSERT(all->table[from].file != 0 && all->table[to].file == 0);
    all->table[to] = (struct descriptor){all->table[from].file, close_on_exec};
    all->files[all->table[from].file - 1].users++;
}

bool descriptor_close(struct descriptors *all, int fd, struct open_file *file) {
    struct open_file *shared = descriptor_file(all, fd);
    ASSERT(shared != NULL && shared->users > 0);
    all->table[fd] = (struct descriptor){0};
    *file = *shared;
    return --shared->users == 0;
}
