/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <proto/start.h>

#include "unwind.h"

#define WORDS_MAX   512
#define FRAMES_MAX  32
#define THREADS_MAX 8

/* ---- Lines of pairs -------------------------------------------------------------------------- */

/* The next line of the kind, behind it; NULL: there is none. `lines` goes behind it. */
static const char *line_find(const char **lines, const char *kind, const char *until) {
    size_t length = strlen(kind);
    while (**lines != '\0') {
        const char *line = *lines, *end = strchr(line, '\n');
        *lines = end == NULL ? line + strlen(line) : end + 1;
        if (strncmp(line, kind, length) == 0 && line[length] == ' ')
            return line + length;
        if (until != NULL && strncmp(line, until, strlen(until)) == 0) {
            *lines = line;
            return NULL;
        }
    }
    return NULL;
}

/* The next pair of the line. False: there is none. */
static bool pair_take(const char **line, char name[24], uint64_t *value) {
    int length = 0;
    while (**line == ' ')
        ++*line;
    if (**line == '\n' || sscanf(*line, "%23s %" SCNx64 "%n", name, value, &length) != 2)
        return false;
    *line += length;
    return true;
}

static uint64_t pair_find(const char *line, const char *wanted) {
    char name[24];
    uint64_t value;
    while (line != NULL && pair_take(&line, name, &value)) {
        if (strcmp(name, wanted) == 0)
            return value;
    }
    return 0;
}

/* ---- What it died of ------------------------------------------------------------------------- */

static void fault_put(FILE *text, uint64_t fault, uint64_t address, uint64_t access) {
    static const char *const names[AX_FAULT_COUNT] = {
        [AX_FAULT_UNMAPPED] = "nothing is mapped at",
        [AX_FAULT_PROTECTION] = "no such access to",
        [AX_FAULT_BEYOND] = "beyond the end of what is mapped at",
        [AX_FAULT_MEMORY] = "no memory for",
        [AX_FAULT_DIVIDE] = "divide error",
        [AX_FAULT_DEBUG] = "debug trap",
        [AX_FAULT_BREAKPOINT] = "breakpoint",
        [AX_FAULT_INSTRUCTION] = "invalid instruction",
        [AX_FAULT_FLOAT] = "floating point exception",
        [AX_FAULT_ALIGNMENT] = "alignment",
        [AX_FAULT_GENERAL] = "general protection",
    };
    static const char *const uses[] = {[AX_PROT_READ] = " to be read",
                                       [AX_PROT_WRITE] = " to be written",
                                       [AX_PROT_EXECUTE] = " to be executed"};
    const char *use = access < sizeof(uses) / sizeof(uses[0]) ? uses[access] : NULL;
    if (fault == AX_FAULT_NONE || fault >= AX_FAULT_COUNT)
        return;
    fprintf(text, ": %s", names[fault]);
    if (fault <= AX_FAULT_MEMORY)
        fprintf(text, " 0x%" PRIx64 "%s", address, use != NULL ? use : "");
}

void report_headline(FILE *text, const char *name, const char *lines) {
    const char *at = lines, *what = line_find(&at, "what", NULL);
    const char *thread = line_find(&at, "thread", NULL);
    uint64_t instance = pair_find(what, "instance");
    uint32_t cause = (uint32_t)pair_find(what, "cause");
    int signal =
        ax_end_signal(cause, (uint32_t)pair_find(what, "fault"), (int64_t)pair_find(what, "code"));
    if (instance != 0)
        fprintf(text, "server %s, instance %" PRIu64, name, instance);
    else
        fprintf(text, "%s", name);
    if (cause == AX_CAUSE_HUNG) {
        fputs(" hung, and was ended", text);
        return;
    }
    const char *short_name = sigabbrev_np(signal);
    fprintf(text, " was ended by signal %d", signal);
    if (short_name != NULL)
        fprintf(text, " (SIG%s)", short_name);
    fault_put(text, pair_find(thread, "fault"), pair_find(thread, "address"),
              pair_find(thread, "access"));
    if (pair_find(thread, "inside") != 0)
        fprintf(text, ", in the personality at 0x%" PRIx64, pair_find(thread, "inside"));
}

/* ---- A thread -------------------------------------------------------------------------------- */

struct thread {
    struct unwind_frame frame;
    struct unwind_word words[WORDS_MAX];
    size_t word_count;
};

/* Of DWARF's numbers; those that nobody numbers are only shown. */
static int register_number(const char *name) {
    static const char *const names[] = {"rax", "rdx", "rcx", "rbx", "rsi", "rdi",
                                        "rbp", "rsp", "r8",  "r9",  "r10", "r11",
                                        "r12", "r13", "r14", "r15", "rip"};
    for (int i = 0; i < UNWIND_REGISTERS; i++) {
        if (strcmp(name, names[i]) == 0)
            return i;
    }
    return -1;
}

static void registers_take(FILE *text, const char *line, struct thread *thread, unsigned *count) {
    char name[24];
    uint64_t value;
    while (pair_take(&line, name, &value)) {
        int number = register_number(name);
        if (number >= 0) {
            thread->frame.values[number] = value;
            thread->frame.known |= 1U << number;
        }
        fprintf(text, "%s%-3s %016" PRIx64, *count % 4 == 0 ? "\n  " : "  ", name, value);
        ++*count;
    }
}

/* Ascending, or it is not taken. */
static void words_take(const char *line, struct thread *thread) {
    uint64_t base = thread->frame.values[UNWIND_RSP] & ~UINT64_C(7), value;
    char name[24];
    while (thread->word_count < WORDS_MAX && pair_take(&line, name, &value)) {
        uint64_t address = base + strtoull(name, NULL, 16);
        if (thread->word_count == 0 || address > thread->words[thread->word_count - 1].address)
            thread->words[thread->word_count++] = (struct unwind_word){address, value};
    }
}

static void frame_put(FILE *text, unsigned number, const struct unwind *unwind,
                      const struct unwind_frame *frame) {
    uint64_t rip = frame->values[UNWIND_RIP], offset = 0, back = frame->is_exact ? 0 : 1;
    size_t length;
    fprintf(text, "\n  #%-2u 0x%012" PRIx64, number, rip);
    if (unwind == NULL || unwind->program == NULL)
        return;
    const char *name =
        program_function(unwind->program, rip - unwind->bias - back, &length, &offset);
    if (name != NULL)
        fprintf(text, " %.*s+0x%" PRIx64, (int)length, name, offset + back);
    if (number != 0 && frame->is_exact)
        fputs(" (interrupted by the signal)", text);
    if (frame->is_guess)
        fputs(" (a guess)", text);
}

static void frames_put(FILE *text, const struct thread *thread, const struct program *program,
                       uint64_t bias) {
    const struct unwind unwind = {program, bias, thread->words, thread->word_count};
    struct unwind_frame frame = thread->frame;
    frame.is_exact = true;
    fputs("\n  backtrace:", text);
    frame_put(text, 0, &unwind, &frame);
    for (unsigned i = 1; program != NULL && unwind_step(&unwind, &frame); i++) {
        if (i == FRAMES_MAX) {
            fputs("\n  ...", text);
            break;
        }
        frame_put(text, i, &unwind, &frame);
    }
    if (program != NULL && program_is_given_up(program))
        fputs("\n  the program's tables are too large to look for more", text);
}

static void thread_put(FILE *text, const char *first, const char **lines,
                       const struct program *program, uint64_t bias) {
    struct thread *thread = calloc(1, sizeof(*thread));
    const char *line, *at = *lines;
    unsigned count = 0;
    if (thread == NULL)
        return;
    uint64_t tid = pair_find(first, "tid");
    if (tid != 0)
        fprintf(text, "\n  registers of thread %" PRIu64 ":", tid);
    else
        fputs("\n  registers of a thread:", text);
    while ((line = line_find(&at, "regs", "thread")) != NULL)
        registers_take(text, line, thread, &count);
    at = *lines;
    while ((line = line_find(&at, "stack", "thread")) != NULL)
        words_take(line, thread);
    frames_put(text, thread, program, bias);
    *lines = at;
    free(thread);
}

void report_details(FILE *text, const char *path, const char *lines,
                    const struct program *program) {
    const char *at = lines, *what = line_find(&at, "what", NULL), *thread;
    uint64_t pid = pair_find(what, "pid"), bias = pair_find(what, "bias");
    fprintf(text, "\n  program %s", path);
    if (pid != 0)
        fprintf(text, ", process %" PRIu64, pid);
    if (bias != 0)
        fprintf(text, ", loaded at 0x%" PRIx64, bias);
    if (program == NULL)
        fputs(", whose file is not known", text);
    for (unsigned i = 0; (thread = line_find(&at, "thread", NULL)) != NULL; i++) {
        if (i == THREADS_MAX) {
            fputs("\n  and more threads", text);
            break;
        }
        thread_put(text, thread, &at, program, bias);
    }
    fputc('\n', text);
}
