/* SPDX-License-Identifier: MIT */
/* Copies of user memory, through the linear window. */
#include <base/hash.h>
#include <base/memory.h>

#include "frame.h"
#include "kernel.h"
#include "space.h"
#include "thread.h"

/* How much of `size` lies in the address's page. */
static size_t page_part(uint64_t address, uint64_t size) {
    uint64_t left = AX_PAGE_SIZE - address % AX_PAGE_SIZE;
    return (size_t)(size < left ? size : left);
}

/* Core's address of a user byte. */
static ax_result user_window(struct process *process, uint64_t address, uint32_t access, bool force,
                             char **window) {
    struct frame *frame;
    TRY(page_resolve(process, address, access, force, &frame));
    *window = (char *)frame_window(frame) + address % AX_PAGE_SIZE;
    return AX_OK;
}

ax_result user_copy(struct process *to, uint64_t to_address, struct process *from,
                    uint64_t from_address, uint64_t size, bool force, unsigned *portion,
                    int *side) {
    uint64_t done = 0;
    while (done < size && portion_take(portion)) {
        char *source, *destination;
        /* The destination first: its copy before a write may replace the source's frame. */
        *side = 1;
        ax_result result = user_window(to, to_address + done, AX_PROT_WRITE, force, &destination);
        if (result == AX_OK) {
            *side = 0;
            result = user_window(from, from_address + done, AX_PROT_READ, false, &source);
        }
        if (result != AX_OK)
            return done > 0 && result != RESULT_RESTART ? (ax_result)done : result;
        size_t part = page_part(to_address + done, size - done);
        part = page_part(from_address + done, part);
        memmove(destination, source, part);
        TRACE(AX_TRACE_COPY, part, hash_bytes(destination, part, 0));
        done += part;
    }
    return (ax_result)done;
}

ax_result user_copy_portion(struct thread *thread, uint64_t own_address, struct process *other,
                            uint64_t address, uint64_t size, bool write, bool force,
                            bool *is_others) {
    struct process *own = thread->process;
    uint64_t done = thread->progress[0], here = own_address + done, there = address + done;
    unsigned portion = WORK_PORTION;
    int side = 0;
    if (done >= size)
        return (ax_result)done;
    ax_result result =
        write ? user_copy(other, there, own, here, size - done, force, &portion, &side)
              : user_copy(own, here, other, there, size - done, force, &portion, &side);
    *is_others = (side == 1) == write;
    if (result < 0)
        return done > 0 && result != RESULT_RESTART ? (ax_result)done : result;
    thread->progress[0] = done + (uint64_t)result;
    return portion == 0 && thread->progress[0] < size ? RESULT_RESTART
                                                      : (ax_result)thread->progress[0];
}
