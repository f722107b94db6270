/* SPDX-License-Identifier: MIT */
#include "load.h"

#include <base/align.h>
#include <base/memory.h>
#include <elf/elf.h>
#include <sys/ax.h>
#include <sys/cpu.h>

#include "process.h"
#include "stack.h"

/* Where a program that can lie anywhere goes, in steps that suit every alignment of its own. */
#define BIAS_START UINT64_C(0x555500000000)
#define BIAS_STEP  (UINT64_C(2) << 20)
#define BIAS_MASK  UINT64_C(0xfffff)
/* How far the stack is moved down, and the break up, in pages. */
#define STACK_MASK UINT64_C(0x3fffff)
#define BREAK_MASK UINT64_C(0x1fff)

/* What is on it is built on the caller's own if it is no larger. */
#define STACK_SMALL_BYTES 4096
/* So much of the stack, below what is on it, is there when the program begins. */
#define STACK_AHEAD_BYTES (2 * AX_PAGE_SIZE)

/* The parts of the caller's entropy; its first 16 bytes go to the program (AT_RANDOM). */
enum entropy {
    ENTROPY_PERSONALITY = 16,
    ENTROPY_BIAS = 48,
    ENTROPY_STACK = 52,
    ENTROPY_BREAK = 56,
};

struct loading {
    const struct load_request *request;
    struct load_result *result;
    struct elf_plan plan;
    struct stack_image stack;
    uint64_t stack_top;
    struct ax_personality_image personality; /* its header, if it has one */
    struct ax_start start;                   /* as it will be written */
};

static ax_result fail(struct loading *loading, ax_result error, const char *what) {
    loading->result->failed = what;
    return error;
}

static uint64_t random_part(const struct load_request *request, enum entropy part, uint64_t mask) {
    uint32_t bits;
    memcpy(&bits, request->entropy + part, sizeof(bits));
    return request->is_fixed ? 0 : bits & mask;
}

/* ---- Before anything is made ----------------------------------------------------------------- */

static ax_result program_plan(struct loading *loading) {
    const struct load_request *request = loading->request;
    struct elf_place place = {
        .start = AX_USER_START,
        .end = AX_PROGRAM_END,
        .bias = BIAS_START + random_part(request, ENTROPY_BIAS, BIAS_MASK) * BIAS_STEP,
    };
    enum elf_error error =
        elf_plan(request->program.bytes, request->program.size_bytes, &place, &loading->plan);
    return error == ELF_OK ? AX_OK : fail(loading, AX_ERR_ARGUMENT, elf_error_text(error));
}

static ax_result personality_check(struct loading *loading) {
    const struct load_image *image = &loading->request->personality;
    struct ax_personality_image *header = &loading->personality;
    if (image->size_bytes == 0)
        return AX_OK;
    if (image->size_bytes < sizeof(*header))
        return fail(loading, AX_ERR_ARGUMENT, "the personality is shorter than its header");
    memcpy(header, image->bytes, sizeof(*header));
    if (header->magic != AX_PERSONALITY_MAGIC)
        return fail(loading, AX_ERR_ARGUMENT, "the personality has not its magic number");
    if (header->size_bytes == 0 || header->size_bytes > image->size_bytes ||
        header->size_bytes > AX_START_ADDRESS - AX_PERSONALITY_START)
        return fail(loading, AX_ERR_ARGUMENT, "the personality is not as long as it says");
    return AX_OK;
}

/* The last part of a path, as far as there is room. */
static void name_copy(char name[16], const char *path) {
    const char *last = path;
    for (; *path != '\0'; path++) {
        if (*path == '/')
            last = path + 1;
    }
    for (unsigned i = 0; i < 15 && last[i] != '\0'; i++)
        name[i] = last[i];
}

static struct ax_start_cpu cpu_ask(void) {
    static struct ax_start_cpu cpu;
    if (cpu.vector_bytes == 0) {
        cpu.vector_mask = ax_cpu_vector_mask();
        cpu.features = ax_cpu_features();
        cpu.vector_bytes = (uint32_t)ax_cpu_vector_bytes(cpu.vector_mask);
    }
    return cpu;
}

static void start_plan(struct loading *loading) {
    const struct load_request *request = loading->request;
    const struct elf_plan *plan = &loading->plan;
    struct ax_start_cpu cpu = request->cpu.vector_bytes != 0 ? request->cpu : cpu_ask();
    loading->stack_top =
        AX_PROGRAM_END - AX_PAGE_SIZE * (1 + random_part(request, ENTROPY_STACK, STACK_MASK));
    loading->start = (struct ax_start){
        .magic = AX_START_MAGIC,
        .size_bytes = sizeof(struct ax_start),
        .flags = request->flags | (request->is_fixed ? AX_START_FIXED : 0),
        .entry = plan->entry,
        .stack = loading->stack_top - loading->stack.size_bytes,
        .stack_start = loading->stack_top - LOAD_STACK_BYTES,
        .stack_bytes = LOAD_STACK_BYTES,
        .break_start = plan->end + AX_PAGE_SIZE * random_part(request, ENTROPY_BREAK, BREAK_MASK),
        .load_bias = plan->bias,
        .headers = plan->headers,
        .header_count = plan->header_count,
        .signal_bytes = ax_cpu_signal_bytes(cpu.vector_bytes),
        .cpu = cpu,
        .realtime_ns = request->realtime_ns,
        .memory_bytes = request->memory_bytes,
        .cpu_count = request->cpu_count,
        .pid = request->pid,
        .parent = request->parent,
    };
    name_copy(loading->start.name, request->path);
    memcpy(loading->start.entropy, request->entropy + ENTROPY_PERSONALITY,
           sizeof(loading->start.entropy));
}

static ax_result loading_plan(struct loading *loading) {
    ax_result result = program_plan(loading);
    if (result == AX_OK)
        result = personality_check(loading);
    if (result != AX_OK)
        return result;
    if (loading->request->handle_count > AX_START_HANDLES)
        return fail(loading, AX_ERR_LIMIT, "is to be given too many handles");
    if (stack_measure(loading->request, &loading->stack) != AX_OK)
        return fail(loading, AX_ERR_LIMIT, "its arguments and environment are too long");
    start_plan(loading);
    return AX_OK;
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static ax_result program_map(struct loading *loading) {
    for (unsigned i = 0; i < loading->plan.segment_count; i++) {
        const struct elf_segment *segment = &loading->plan.segments[i];
        ax_result result = process_map_image(loading->result->process, &loading->request->program,
                                             segment->address, segment->size_bytes, segment->offset,
                                             segment->file_bytes, segment->prot);
        if (result != AX_OK)
            return fail(loading, result, "a segment of it cannot be mapped");
    }
    return AX_OK;
}

static ax_result personality_map(struct loading *loading) {
    const struct load_image *image = &loading->request->personality;
    const struct ax_personality_image *header = &loading->personality;
    if (image->size_bytes == 0)
        return AX_OK;
    ax_result result = process_map_image(loading->result->process, image, AX_PERSONALITY_START,
                                         align_up(header->size_bytes, AX_PAGE_SIZE), 0,
                                         header->size_bytes, AX_PROT_READ | AX_PROT_EXECUTE);
    if (result == AX_OK)
        result = ax_process_personality(loading->result->process, &header->personality);
    return result == AX_OK ? AX_OK : fail(loading, result, "its personality cannot be mapped");
}

static ax_result stack_write(struct loading *loading, void *content) {
    stack_build(loading->request, &loading->plan, &loading->stack, &loading->start,
                loading->stack_top, content);
    return process_put(loading->result->process, loading->start.stack, content,
                       loading->stack.size_bytes);
}

/* Builds the stack's content in memory of our own and copies it over. */
static ax_result stack_put(struct loading *loading) {
    uint64_t small[STACK_SMALL_BYTES / sizeof(uint64_t)];
    struct ax_map_request request = {.size_bytes = loading->stack.size_bytes,
                                     .prot = AX_PROT_READ | AX_PROT_WRITE};
    if (loading->stack.size_bytes <= sizeof(small)) {
        memset(small, 0, loading->stack.size_bytes);
        return stack_write(loading, small);
    }
    ax_result place = ax_memory_map(AX_HANDLE_NONE, AX_HANDLE_NONE, &request);
    if (place < 0)
        return place;
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): an answer */
    ax_result result = stack_write(loading, (void *)(uintptr_t)place);
    (void)ax_memory_unmap(AX_HANDLE_NONE, (uint64_t)place, loading->stack.size_bytes);
    return result;
}

/* What is on it, and the pages below that the program soon uses, are a small part of it. */
static ax_result stack_map(struct loading *loading) {
    const struct ax_start *start = &loading->start;
    uint64_t top = start->stack_start + start->stack_bytes;
    uint64_t used = align_down(start->stack, AX_PAGE_SIZE) - STACK_AHEAD_BYTES;
    ax_result result = process_map_zero(loading->result->process, start->stack_start,
                                        used - start->stack_start, AX_PROT_READ | AX_PROT_WRITE);
    if (result == AX_OK)
        result = process_map_zero(loading->result->process, used, top - used,
                                  AX_PROT_READ | AX_PROT_WRITE);
    if (result == AX_OK)
        result = stack_put(loading);
    return result == AX_OK ? AX_OK : fail(loading, result, "its stack cannot be made");
}

static ax_result start_map(struct loading *loading) {
    ax_handle process = loading->result->process;
    ax_result result =
        process_map_zero(process, AX_START_ADDRESS, AX_START_BYTES, AX_PROT_READ | AX_PROT_WRITE);
    if (result == AX_OK)
        result = process_put(process, AX_START_ADDRESS, &loading->start, sizeof(loading->start));
    return result == AX_OK ? AX_OK : fail(loading, result, "its start block cannot be made");
}

/* ---- Handles --------------------------------------------------------------------------------- */

static ax_result give(struct loading *loading, ax_handle handle, uint32_t rights, uint32_t flags,
                      ax_handle *given) {
    ax_result result = ax_handle_transfer(AX_HANDLE_NONE, handle,
                                          AX_PLACE(loading->result->process, 0), rights, flags);
    if (result > 0)
        *given = (ax_handle)result;
    return result < 0 ? result : AX_OK;
}

/* True: it fits, and is not empty. */
static bool name_put(char to[AX_START_NAME], const char *name) {
    unsigned length = 0;
    for (; length < AX_START_NAME && name[length] != '\0'; length++)
        to[length] = name[length];
    return length > 0 && length < AX_START_NAME;
}

static ax_result named_handles_give(struct loading *loading) {
    const struct load_request *request = loading->request;
    struct ax_start *start = &loading->start;
    for (size_t i = 0; i < request->handle_count; i++) {
        const struct load_handle *handle = &request->handles[i];
        struct ax_start_handle *entry = &start->handles[start->handle_count];
        if (!name_put(entry->name, handle->name))
            return AX_ERR_ARGUMENT;
        ax_result result = give(loading, handle->handle, handle->rights, 0, &entry->handle);
        if (result != AX_OK)
            return result;
        start->handle_count++;
    }
    return AX_OK;
}

static ax_result handles_give(struct loading *loading) {
    const struct load_request *request = loading->request;
    struct ax_start *start = &loading->start;
    ax_result result = give(loading, loading->result->process, AX_RIGHT_PROCESS,
                            AX_TRANSFER_NOT_CLONED, &start->process);
    if (result == AX_OK && request->account != AX_HANDLE_NONE && request->account_rights != 0)
        result = give(loading, request->account, request->account_rights, 0, &start->account);
    if (result == AX_OK && request->log != AX_HANDLE_NONE)
        result = give(loading, request->log, AX_RIGHT_WRITE | AX_RIGHT_COPY | AX_RIGHT_MOVE, 0,
                      &start->log);
    if (result == AX_OK)
        result = named_handles_give(loading);
    return result == AX_OK ? AX_OK : fail(loading, result, "cannot be given its handles");
}

/* ---- Its first thread ------------------------------------------------------------------------ */

static ax_result thread_make(struct loading *loading) {
    const struct ax_start *start = &loading->start;
    bool is_linux = loading->request->personality.size_bytes > 0;
    ax_result result = ax_thread_create(
        loading->result->process, is_linux ? loading->personality.start : start->entry,
        is_linux ? AX_START_STACK : start->stack, is_linux ? AX_START_ADDRESS : 0, AX_PLACE_ANY);
    if (result < 0)
        return result;
    loading->result->thread = (ax_handle)result;
    return AX_OK;
}

/* It is suspended until all is as it shall be, and there so early that what is mapped gets its
 * translations. */
static ax_result thread_prepare(struct loading *loading) {
    const struct load_request *request = loading->request;
    struct load_result *made = loading->result;
    ax_result result = ax_process_suspend(made->process);
    if (result == AX_OK)
        result = thread_make(loading);
    if (result == AX_OK && request->priority >= 0)
        result = ax_thread_priority(made->thread, (uint64_t)request->priority);
    if (result == AX_OK && request->authority != AX_HANDLE_NONE)
        result =
            ax_process_label(made->process, AX_ALL_THREADS, request->label, request->authority);
    return result == AX_OK ? AX_OK : fail(loading, result, "its first thread cannot be made");
}

static ax_result thread_start(struct loading *loading) {
    ax_result result = ax_process_resume(loading->result->process);
    return result == AX_OK ? AX_OK : fail(loading, result, "its first thread cannot be started");
}

/* ---- All of it ------------------------------------------------------------------------------- */

static ax_result process_fill(struct loading *loading) {
    ax_result result = thread_prepare(loading);
    if (result == AX_OK)
        result = program_map(loading);
    if (result == AX_OK)
        result = personality_map(loading);
    if (result == AX_OK)
        result = stack_map(loading);
    if (result == AX_OK)
        result = handles_give(loading);
    if (result == AX_OK)
        result = start_map(loading);
    if (result == AX_OK)
        result = thread_start(loading);
    return result;
}

static void process_discard(struct load_result *made) {
    struct ax_object_info info;
    if (ax_object_info(made->process, &info) == AX_OK)
        made->cause = info.process.cause;
    (void)ax_process_end(made->process, AX_CAUSE_KILLED, 0);
    if (made->thread != AX_HANDLE_NONE)
        (void)ax_handle_close(made->thread);
    (void)ax_handle_close(made->process);
    made->process = made->thread = AX_HANDLE_NONE;
}

ax_result load_process(const struct load_request *request, struct load_result *result) {
    struct loading loading = {.request = request, .result = result};
    *result = (struct load_result){0};
    ax_result made = loading_plan(&loading);
    if (made != AX_OK)
        return made;
    made = ax_process_create(request->account, request->place);
    if (made < 0)
        return fail(&loading, made, "a process for it cannot be made");
    result->process = (ax_handle)made;
    made = process_fill(&loading);
    if (made != AX_OK) {
        process_discard(result);
        return made;
    }
    for (size_t i = 0; i < request->handle_count; i++) {
        if (request->handles[i].leaves)
            (void)ax_handle_close(request->handles[i].handle);
    }
    return AX_OK;
}
