/* SPDX-License-Identifier: MIT */
/* Memory of a process that is being made. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "load.h"

/* Zero pages, private. Here and below: what is not large is made and mapped at once, which needs a
 * process that has a thread, as only such a one has translations. */
[[gnu::warn_unused_result]] ax_result process_map_zero(ax_handle process, uint64_t address,
                                                       uint64_t size_bytes, uint32_t prot);

/* Writes all of it. */
[[gnu::warn_unused_result]] ax_result process_put(ax_handle process, uint64_t address,
                                                  const void *from, size_t size_bytes);

/*
 * Makes [address, address + size_bytes), whole pages, with file_bytes of the image from `offset`
 * on, a multiple of the page size, and zeroes behind. What bytes the image has behind these may
 * show in the last page if it is not writable, as on every Unix.
 */
[[gnu::warn_unused_result]] ax_result process_map_image(ax_handle process,
                                                        const struct load_image *image,
                                                        uint64_t address, uint64_t size_bytes,
                                                        uint64_t offset, uint64_t file_bytes,
                                                        uint32_t prot);
