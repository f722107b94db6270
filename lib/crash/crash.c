/* SPDX-License-Identifier: MIT */
#include "crash.h"

#include <base/format.h>
#include <proto/start.h>
#include <sys/ax.h>

#define THREADS_MAX 4                     /* told, where it is not known which one it was */
#define SLOTS_MAX   256                   /* looked at for them */
#define STACK_BYTES (UINT64_C(64) << 10)  /* looked at above the stack pointer */
#define WORDS_MAX   400                   /* told of these */
#define PART_WORDS  64                    /* read at a time */
#define PROGRAM_MAX (UINT64_C(256) << 20) /* how large a program may be that is looked for */

/* SIGQUIT, ILL, TRAP, ABRT, BUS, FPE, SEGV, XCPU, XFSZ, SYS */
#define SIGNALS_OF_CORES UINT64_C(0x830009f8)

struct report {
    const struct crash_subject *subject;
    struct ax_object_info info;
    struct ax_start start;   /* zeroes: it cannot be read */
    struct ax_linux_end end; /* the same */
    uint64_t first, last;    /* where the program lies */
    char line[240];
    size_t length;
    unsigned told; /* words of the stack */
};

/* ---- Lines ----------------------------------------------------------------------------------- */

static void line_begin(struct report *report, const char *kind) {
    report->length = format(report->line, sizeof(report->line), "crash %llx %s",
                            (unsigned long long)report->info.object_id, kind);
}

static void line_end(struct report *report) {
    if (report->length > sizeof(report->line) - 2)
        report->length = sizeof(report->line) - 2;
    report->line[report->length++] = '\n';
    (void)ax_log_write(report->subject->log, report->line, report->length);
}

static void put_text(struct report *report, const char *text) {
    size_t room = report->length < sizeof(report->line) ? sizeof(report->line) - report->length : 0;
    report->length += format(report->line + report->length, room, " %s", text);
}

static void put(struct report *report, const char *name, uint64_t value) {
    size_t room = report->length < sizeof(report->line) ? sizeof(report->line) - report->length : 0;
    report->length +=
        format(report->line + report->length, room, " %s %llx", name, (unsigned long long)value);
}

/* ---- What is left of it ---------------------------------------------------------------------- */

static bool memory_read(const struct report *report, uint64_t address, void *to, size_t size) {
    return ax_process_read(report->subject->process, address, to, size) == (ax_result)size;
}

static void program_look(struct report *report) {
    struct ax_start *start = &report->start;
    if (!memory_read(report, AX_START_ADDRESS, start, sizeof(*start)) ||
        start->magic != AX_START_MAGIC)
        *start = (struct ax_start){0};
    uint64_t page = start->headers != 0 ? start->headers : start->entry;
    report->first = page & ~(AX_PAGE_SIZE - 1);
    report->last = start->break_start;
    if (report->last - report->first > PROGRAM_MAX)
        report->last = report->first;
    uint64_t magic = 0, at = AX_PERSONALITY_DATA + offsetof(struct ax_linux_state, end);
    if (!memory_read(report, AX_PERSONALITY_DATA, &magic, sizeof(magic)) ||
        magic != AX_LINUX_STATE_MAGIC ||
        !memory_read(report, at, &report->end, sizeof(report->end)))
        report->end = (struct ax_linux_end){0};
}

static void what_put(struct report *report) {
    const struct ax_object_info *info = &report->info;
    line_begin(report, "what");
    put(report, "pid", report->subject->pid);
    put(report, "instance", report->subject->instance);
    put(report, "cause", info->process.cause);
    put(report, "code", (uint64_t)info->process.code);
    put(report, "fault", info->process.fault);
    put(report, "address", info->process.address);
    put(report, "bias", report->start.load_bias);
    put(report, "first", report->first);
    put(report, "last", report->last);
    line_end(report);
}

/* ---- A thread -------------------------------------------------------------------------------- */

static void regs_put(struct report *report, const struct ax_regs *r) {
    const struct {
        const char *name;
        uint64_t value;
    } all[] = {
        {"rax", r->rax}, {"rbx", r->rbx}, {"rcx", r->rcx},    {"rdx", r->rdx},    {"rsi", r->rsi},
        {"rdi", r->rdi}, {"rbp", r->rbp}, {"rsp", r->rsp},    {"r8", r->r8},      {"r9", r->r9},
        {"r10", r->r10}, {"r11", r->r11}, {"r12", r->r12},    {"r13", r->r13},    {"r14", r->r14},
        {"r15", r->r15}, {"rip", r->rip}, {"rfl", r->rflags}, {"fs", r->fs_base},
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (i % 8 == 0)
            line_begin(report, "regs");
        put(report, all[i].name, all[i].value);
        if (i % 8 == 7 || i + 1 == sizeof(all) / sizeof(all[0]))
            line_end(report);
    }
}

/* One more of the stack's words, in lines of eight. */
static void word_put(struct report *report, uint64_t offset, uint64_t word) {
    char name[20];
    format(name, sizeof(name), "%llx", (unsigned long long)offset);
    if (report->told % 8 == 0)
        line_begin(report, "stack");
    put(report, name, word);
    if (++report->told % 8 == 0)
        line_end(report);
}

/* Words that may tell who called whom. What is not there is left out: of a stack that has come to
 * its end the first page. */
static void stack_put(struct report *report, uint64_t rsp) {
    uint64_t words[PART_WORDS], end = rsp + STACK_BYTES;
    rsp &= ~UINT64_C(7);
    report->told = 0;
    for (uint64_t at = rsp; at < end && report->told < WORDS_MAX;) {
        uint64_t in_page = AX_PAGE_SIZE - at % AX_PAGE_SIZE;
        uint64_t part = in_page < sizeof(words) ? in_page : sizeof(words);
        if (!memory_read(report, at, words, part)) {
            at += in_page;
            continue;
        }
        for (uint64_t i = 0; i < part / 8 && report->told < WORDS_MAX; i++) {
            if ((words[i] >= report->first && words[i] < report->last) ||
                (words[i] >= rsp && words[i] < end))
                word_put(report, at + i * 8 - rsp, words[i]);
        }
        at += part;
    }
    if (report->told % 8 != 0)
        line_end(report);
}

static void thread_put(struct report *report, const struct ax_linux_end *thread) {
    line_begin(report, "thread");
    put(report, "tid", thread->tid);
    put(report, "signal", thread->signal);
    put(report, "fault", thread->fault);
    put(report, "access", thread->access);
    put(report, "address", thread->address);
    put(report, "inside", thread->inside);
    line_end(report);
    regs_put(report, &thread->regs);
    stack_put(report, thread->regs.rsp);
}

/* The personality did not say which thread it was: as the kernel knows them. */
static void threads_put(struct report *report) {
    unsigned told = 0;
    for (uint32_t slot = 0; slot < SLOTS_MAX && told < THREADS_MAX; slot++) {
        struct ax_linux_end thread = {.fault = report->info.process.fault,
                                      .address = report->info.process.address};
        ax_result handle = ax_process_thread(report->subject->process, slot, AX_PLACE_ANY);
        if (handle < 0)
            continue;
        if (ax_thread_get_regs((ax_handle)handle, &thread.regs) == AX_OK) {
            thread_put(report, &thread);
            told++;
        }
        (void)ax_handle_close((ax_handle)handle);
    }
}

/* ---- All of it ------------------------------------------------------------------------------- */

static bool is_crash(const struct ax_object_info *info) {
    int signal = ax_end_signal(info->process.cause, info->process.fault, info->process.code);
    switch (info->process.cause) {
    case AX_CAUSE_FAULT:
    case AX_CAUSE_HUNG:
    case AX_CAUSE_BOUNCE: return true;
    case AX_CAUSE_KILLED: return (SIGNALS_OF_CORES >> signal & 1) != 0;
    default: return false;
    }
}

void crash_report(const struct crash_subject *subject) {
    static struct report report; /* too large for some stacks */
    report.subject = subject;
    if (subject->log == AX_HANDLE_NONE || ax_object_info(subject->process, &report.info) != AX_OK ||
        !is_crash(&report.info))
        return;
    program_look(&report);
    line_begin(&report, "begin");
    put_text(&report, subject->path);
    line_end(&report);
    what_put(&report);
    if (report.end.signal != 0)
        thread_put(&report, &report.end);
    else
        threads_put(&report);
    line_begin(&report, "end");
    put_text(&report, subject->name);
    line_end(&report);
}
