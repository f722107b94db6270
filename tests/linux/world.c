/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/assert.h>
#include <fake_kernel.h>

#include "lib/linux/access.h"
#include "lib/linux/report.h"

#define NUMBERS AX_CALL_COUNT

struct task world_task;
struct thread world_thread, world_other;
struct world_call world_calls[64];
unsigned world_call_count;
void (*world_hook)(uint64_t number);
struct linux_sigaction world_action;
struct linux_siginfo world_info;
unsigned world_handler_count;
int world_end_signal;
void *world_end[5];
static int64_t answers[NUMBERS];
static struct ax_start start;
static struct ax_thread_page page;

static ax_result kernel(struct ax_thread_page *calling, uint64_t number,
                        const uint64_t arguments[5]) {
    bool is_take = number == AX_CALL_THREAD_CONTROL && arguments[1] == AX_THREAD_TAKE;
    if (!is_take && world_call_count < 64) {
        struct world_call *call = &world_calls[world_call_count++];
        call->number = number;
        memcpy(call->a, arguments, sizeof(call->a));
        memcpy(call->buffer, calling->buffer, sizeof(call->buffer));
    }
    if (world_hook != NULL && !is_take)
        world_hook(number);
    return is_take ? 0 : answers[number];
}

void world_answer(uint64_t number, int64_t result) {
    answers[number] = result;
}

static void thread_start(struct thread *thread, uint32_t tid, ax_handle handle) {
    memset(thread, 0, sizeof(*thread));
    thread->task = &world_task;
    thread->page = &page;
    thread->tid = tid;
    thread->handle = handle;
    thread->altstack.flags = L_SS_DISABLE;
    list_init(&thread->link);
    list_append(&world_task.threads, &thread->link);
    world_task.thread_count++;
}

void world_start(void) {
    fake_kernel_start(kernel);
    memset(answers, 0, sizeof(answers));
    memset(&world_task, 0, sizeof(world_task));
    memset(&page, 0, sizeof(page));
    start = (struct ax_start){.break_start = 0x500000, .realtime_ns = 1000, .cpu_count = 2};
    world_task.start = &start;
    world_task.pid = 100;
    world_task.break_now = start.break_start;
    world_task.limits[L_RLIMIT_NOFILE] = (struct linux_rlimit){64, 64};
    timers_begin(&world_task.timers);
    world_task.has_timekeeper = true;
    list_init(&world_task.threads);
    list_init(&world_task.left);
    thread_start(&world_thread, 100, 11);
    thread_start(&world_other, 101, 12);
    world_call_count = world_handler_count = 0;
    world_hook = NULL;
}

/* ---- What is the machine's or another file's ------------------------------------------------- */

const char patched_entry[1];

struct thread *thread_self(void) {
    return &world_thread;
}

static bool is_bad(const void *pointer) {
    return (uintptr_t)pointer < AX_PAGE_SIZE;
}

int64_t access_copy(void *to, const void *from, size_t size_bytes) {
    if (is_bad(to) || is_bad(from))
        return -L_EFAULT;
    memcpy(to, from, size_bytes);
    return 0;
}

int64_t access_zero(void *to, size_t size_bytes) {
    if (is_bad(to))
        return -L_EFAULT;
    memset(to, 0, size_bytes);
    return 0;
}

int64_t access_exchange(uint32_t *word, uint32_t old, uint32_t wanted, uint32_t *seen) {
    if (is_bad(word))
        return -L_EFAULT;
    *seen = old;
    __atomic_compare_exchange_n(word, seen, wanted, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    return 0;
}

bool handler_enter(struct thread *thread, const struct linux_sigaction *action,
                   const struct linux_siginfo *info) {
    (void)thread;
    world_action = *action;
    world_info = *info;
    world_handler_count++;
    return true;
}

ax_result thread_launch(struct thread *thread) {
    (void)thread;
    return answers[AX_CALL_THREAD_CREATE];
}

int64_t call_unknown(struct thread *thread) {
    (void)thread;
    return -L_ENOSYS;
}

void report(const struct thread *thread, const char *pattern, ...) {
    (void)thread;
    (void)pattern;
}

void assert_failed(const char *expression, const char *file, int line) {
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expression);
    abort();
}

void task_end_by_signal(struct thread *thread, int signal, bool is_fault) {
    (void)thread;
    (void)is_fault;
    world_end_signal = signal;
    __builtin_longjmp(world_end, 1);
}

int main(void) {
    Suite *suite = suite_create("linux");
    suite_add_tcase(suite, linux_cipher_tests());
    suite_add_tcase(suite, linux_clocks_tests());
    suite_add_tcase(suite, linux_descriptors_tests());
    suite_add_tcase(suite, linux_delivery_tests());
    suite_add_tcase(suite, linux_futex_tests());
    suite_add_tcase(suite, linux_memory_tests());
    suite_add_tcase(suite, linux_patch_tests());
    suite_add_tcase(suite, linux_robust_tests());
    suite_add_tcase(suite, linux_signals_tests());
    suite_add_tcase(suite, linux_site_tests());
    suite_add_tcase(suite, linux_streams_tests());
    suite_add_tcase(suite, linux_timers_tests());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
