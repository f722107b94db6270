/* SPDX-License-Identifier: MIT */
/* Memory: copying it, touching it first, serving a fault by hand. And threads. */
#include "yard.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define COPIES  2000
#define FAULTS  1000
#define THREADS 500

static char *map(size_t size_bytes, int prot, int flags, int fd) {
    void *at = mmap(NULL, size_bytes, prot, flags, fd, 0);
    if (at == MAP_FAILED)
        die("mmap");
    return at;
}

void yard_loan(void) {
    char *from = map(LOAN_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    char *to = map(LOAN_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    memset(from, 1, LOAN_BYTES);
    memset(to, 2, LOAN_BYTES);
    uint64_t start_ns = now_ns();
    for (unsigned i = 0; i < COPIES; i++) {
        memcpy(to, from, LOAN_BYTES);
        __asm__ volatile("" ::"r"(to) : "memory");
    }
    figure_time("memcpy", now_ns() - start_ns, COPIES);
}

/* ---- Faults ---------------------------------------------------------------------------------- */

static int fault_fd;

static void fault_handler(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)context;
    void *page = (void *)((uintptr_t)info->si_addr & ~(PAGE_BYTES - 1));
    if (mmap(page, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_POPULATE,
             fault_fd, 0) == MAP_FAILED)
        _exit(1);
}

static void measure_fault(void) {
    struct sigaction action = {.sa_sigaction = fault_handler, .sa_flags = SA_SIGINFO | SA_NODEFER};
    char *space =
        map(2 * FAULTS * PAGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
    fault_fd = memfd_create("yard", MFD_CLOEXEC);
    if (fault_fd < 0 || ftruncate(fault_fd, PAGE_BYTES) != 0 ||
        sigaction(SIGSEGV, &action, NULL) != 0)
        die("memfd");
    uint64_t start_ns = now_ns();
    for (unsigned i = 0; i < FAULTS; i++)
        ((volatile char *)space)[2 * i * PAGE_BYTES] = 1;
    figure_time("segv", now_ns() - start_ns, FAULTS);
    signal(SIGSEGV, SIG_DFL);
}

static void measure_fresh(void) {
    int fd = memfd_create("yard", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, (off_t)FRESH_BYTES) != 0)
        die("memfd");
    char *fresh = map(FRESH_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
    uint64_t start_ns = now_ns();
    for (size_t at = 0; at < FRESH_BYTES; at += PAGE_BYTES)
        ((volatile char *)fresh)[at] = 1;
    figure_time("touch", now_ns() - start_ns, FRESH_BYTES / PAGE_BYTES);
}

void yard_memory(void) {
    measure_fault();
    measure_fresh();
}

/* ---- Threads --------------------------------------------------------------------------------- */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void *thread_brief(void *argument) {
    return argument;
}

static void *thread_waiting(void *argument) {
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    return argument;
}

static void thread_make(pthread_t *thread, void *(*run)(void *)) {
    if (pthread_create(thread, NULL, run, NULL) != 0)
        die("pthread_create");
}

static uint64_t create_and_join(void) {
    pthread_t thread;
    uint64_t start_ns = now_ns();
    thread_make(&thread, thread_brief);
    pthread_join(thread, NULL);
    return now_ns() - start_ns;
}

/* Each with a stack of its own: another thread waits on every one that was there before. */
static void measure_fresh_threads(void) {
    pthread_t waiting[THREADS_MADE];
    uint64_t total_ns = 0;
    pthread_mutex_lock(&gate);
    for (unsigned i = 0; i < THREADS_MADE; i++) {
        total_ns += create_and_join();
        thread_make(&waiting[i], thread_waiting);
    }
    pthread_mutex_unlock(&gate);
    for (unsigned i = 0; i < THREADS_MADE; i++)
        pthread_join(waiting[i], NULL);
    figure_time("pthread.fresh", total_ns, THREADS_MADE);
}

void yard_threads(void) {
    uint64_t total_ns = 0;
    measure_fresh_threads();
    for (unsigned i = 0; i < THREADS; i++)
        total_ns += create_and_join();
    figure_time("pthread", total_ns, THREADS);
}
