/* SPDX-License-Identifier: MIT */
/* Any bytes as an ELF file: a plan that is given must keep all that elf.h promises. */
#include <stdint.h>
#include <stdlib.h>

#include <abi/layout.h>
#include <abi/object.h>
#include <base/align.h>
#include <base/assert.h>
#include <elf/elf.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct elf_place place = {
    .start = AX_USER_START, .end = AX_PROGRAM_END, .bias = UINT64_C(0x555555400000)};

static void check_segment(const struct elf_segment *segment, size_t size) {
    const uint32_t write_execute = AX_PROT_WRITE | AX_PROT_EXECUTE;
    ASSERT(is_aligned(segment->address, AX_PAGE_SIZE));
    ASSERT(is_aligned(segment->size_bytes, AX_PAGE_SIZE) && segment->size_bytes != 0);
    ASSERT(segment->address >= place.start && segment->address < place.end);
    ASSERT(segment->size_bytes <= place.end - segment->address);
    ASSERT(is_aligned(segment->offset, AX_PAGE_SIZE));
    ASSERT(segment->file_bytes <= segment->size_bytes);
    ASSERT(segment->file_bytes == 0 ||
           (segment->offset < size && segment->file_bytes <= size - segment->offset));
    ASSERT(segment->prot <= AX_PROT_ALL && (segment->prot & write_execute) != write_execute);
    ASSERT((segment->prot & write_execute) == 0 || (segment->prot & AX_PROT_READ) != 0);
}

static const struct elf_segment *segment_of(const struct elf_plan *plan, uint64_t address) {
    for (unsigned i = 0; i < plan->segment_count; i++) {
        if (address - plan->segments[i].address < plan->segments[i].size_bytes)
            return &plan->segments[i];
    }
    return NULL;
}

static void check_plan(const struct elf_plan *plan, size_t size) {
    ASSERT(plan->segment_count >= 1 && plan->segment_count <= ELF_SEGMENTS_MAX);
    ASSERT(plan->bias == (plan->is_dyn ? place.bias : 0));
    ASSERT(is_power_of_two(plan->alignment) && is_aligned(plan->bias, plan->alignment));
    uint64_t end = place.start;
    for (unsigned i = 0; i < plan->segment_count; i++) {
        check_segment(&plan->segments[i], size);
        ASSERT(plan->segments[i].address >= end);
        end = plan->segments[i].address + plan->segments[i].size_bytes;
    }
    ASSERT(plan->end == end);
    const struct elf_segment *entry = segment_of(plan, plan->entry);
    ASSERT(entry != NULL && (entry->prot & AX_PROT_EXECUTE) != 0);
    ASSERT(plan->header_size == 56 && plan->header_count != 0);
    if (plan->headers != 0) {
        const struct elf_segment *headers = segment_of(plan, plan->headers);
        ASSERT(headers != NULL && (headers->prot & AX_PROT_READ) != 0);
        ASSERT(plan->headers - headers->address + UINT64_C(56) * plan->header_count <=
               headers->file_bytes);
    }
    ASSERT(plan->tls.file_bytes <= plan->tls.memory_bytes);
    if (plan->tls.file_bytes != 0) {
        const struct elf_segment *tls = segment_of(plan, plan->tls.address);
        ASSERT(tls != NULL &&
               plan->tls.file_bytes <= tls->size_bytes - (plan->tls.address - tls->address));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct elf_plan plan;
    enum elf_error error = elf_plan(data, size, &place, &plan);
    ASSERT(error < ELF_ERROR_COUNT && elf_error_text(error) != NULL);
    if (error == ELF_OK)
        check_plan(&plan, size);
    return 0;
}
