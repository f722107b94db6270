/* SPDX-License-Identifier: MIT */
#include "process.h"

#include <base/align.h>
#include <sys/ax.h>

/* A fault costs more than many pages made ahead. What is only read takes no memory of its own. */
#define AHEAD_READ_BYTES    (UINT64_C(2) << 20)
#define AHEAD_WRITTEN_BYTES (UINT64_C(64) << 10)

/* Small parts of a program are there as a whole before it runs. */
static uint32_t ahead_flag(uint64_t size_bytes, uint32_t prot) {
    uint64_t most = (prot & AX_PROT_WRITE) != 0 ? AHEAD_WRITTEN_BYTES : AHEAD_READ_BYTES;
    return size_bytes <= most ? AX_MAP_POPULATE : 0;
}

ax_result process_map_zero(ax_handle process, uint64_t address, uint64_t size_bytes,
                           uint32_t prot) {
    struct ax_map_request request = {.address = address,
                                     .size_bytes = size_bytes,
                                     .prot = prot,
                                     .flags = AX_MAP_FIXED | ahead_flag(size_bytes, prot)};
    ax_result result = ax_memory_map(process, AX_HANDLE_NONE, &request);
    return result < 0 ? result : AX_OK;
}

ax_result process_put(ax_handle process, uint64_t address, const void *from, size_t size_bytes) {
    const char *at = from;
    while (size_bytes > 0) {
        ax_result copied = ax_process_write(process, address, at, size_bytes);
        if (copied <= 0)
            return copied < 0 ? copied : AX_ERR_ADDRESS;
        at += copied;
        address += (uint64_t)copied;
        size_bytes -= (size_t)copied;
    }
    return AX_OK;
}

/* How much of the range can be mapped from the image: whole pages that lie in it page on page. */
static uint64_t mappable_bytes(const struct load_image *image, uint64_t size_bytes, uint64_t offset,
                               uint64_t file_bytes, uint32_t prot) {
    if (image->memory == AX_HANDLE_NONE || !is_aligned(image->offset + offset, AX_PAGE_SIZE))
        return 0;
    uint64_t rest = file_bytes % AX_PAGE_SIZE;
    if (rest == 0)
        return file_bytes;
    uint64_t whole = file_bytes - rest + AX_PAGE_SIZE;
    if ((prot & AX_PROT_WRITE) == 0 && whole == size_bytes && whole <= image->size_bytes - offset)
        return whole;
    return file_bytes - rest;
}

ax_result process_map_image(ax_handle process, const struct load_image *image, uint64_t address,
                            uint64_t size_bytes, uint64_t offset, uint64_t file_bytes,
                            uint32_t prot) {
    uint64_t mapped = mappable_bytes(image, size_bytes, offset, file_bytes, prot);
    if (mapped > 0) {
        struct ax_map_request request = {.address = address,
                                         .size_bytes = mapped,
                                         .offset = image->offset + offset,
                                         .prot = prot,
                                         .flags = AX_MAP_FIXED | AX_MAP_PRIVATE |
                                                  ahead_flag(mapped, prot)};
        ax_result result = ax_memory_map(process, image->memory, &request);
        if (result < 0)
            return result;
    }
    if (mapped < size_bytes) {
        ax_result result = process_map_zero(process, address + mapped, size_bytes - mapped, prot);
        if (result < 0)
            return result;
    }
    if (mapped >= file_bytes)
        return AX_OK;
    return process_put(process, address + mapped, (const char *)image->bytes + offset + mapped,
                       file_bytes - mapped);
}
