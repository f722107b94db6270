/* SPDX-License-Identifier: MIT */
/* Reading and writing what a descriptor is. */
#pragma once

#include "task.h"

/* An open file, copied from the table, or an error: EBADF. */
[[gnu::warn_unused_result]] int64_t file_get(struct thread *thread, uint64_t fd,
                                             struct open_file *file);

/* Bytes, 0 at the end, or a negative error. */
int64_t file_read(struct thread *thread, const struct open_file *file, uint64_t address,
                  uint64_t size_bytes);
int64_t file_write(struct thread *thread, const struct open_file *file, uint64_t address,
                   uint64_t size_bytes);

struct file_description {
    bool is_terminal;
    uint16_t columns, rows;
};
[[gnu::warn_unused_result]] int64_t file_describe(struct thread *thread,
                                                  const struct open_file *file,
                                                  struct file_description *description);
