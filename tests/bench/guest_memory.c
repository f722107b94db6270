/* SPDX-License-Identifier: MIT */
/* Memory, threads, and a program that is started. */
#include "guest.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cpio/cpio.h>
#include <load/load.h>
#include <sys/start.h>

#define FAULTS   1000
#define THREADS  500
#define PROGRAMS 5

/* ---- Memory ---------------------------------------------------------------------------------- */

/* One page shown at many places, none beside another: each place costs a fault of one page. */
static void measure_fault(void) {
    struct count count;
    ax_result memory = ax_memory_create(1, 0, AX_PLACE_ANY);
    char *space = mmap(NULL, 2 * FAULTS * PAGE_BYTES, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory < 0 || space == MAP_FAILED)
        die("making memory", memory);
    for (unsigned i = 0; i < FAULTS; i++) {
        struct ax_map_request request = {.address = (uintptr_t)space + 2 * i * PAGE_BYTES,
                                         .size_bytes = PAGE_BYTES,
                                         .prot = AX_PROT_READ | AX_PROT_WRITE,
                                         .flags = AX_MAP_FIXED | AX_MAP_REPLACE};
        ax_result result = ax_memory_map(AX_HANDLE_NONE, (ax_handle)memory, &request);
        if (result < 0)
            die("mapping a page", result);
    }
    count_begin(&count);
    uint64_t start_ns = ax_clock_ns();
    for (unsigned i = 0; i < FAULTS; i++)
        ((volatile char *)space)[2 * i * PAGE_BYTES] = 1;
    uint64_t end_ns = ax_clock_ns();
    count_end(&count, "fault", FAULTS);
    figure_time("fault", end_ns - start_ns, FAULTS);
}

static void measure_fresh(void) {
    struct count count;
    char *fresh =
        mmap(NULL, FRESH_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (fresh == MAP_FAILED)
        die("mmap", 0);
    count_begin(&count);
    uint64_t start_ns = ax_clock_ns();
    for (size_t at = 0; at < FRESH_BYTES; at += PAGE_BYTES)
        ((volatile char *)fresh)[at] = 1;
    uint64_t end_ns = ax_clock_ns();
    count_end(&count, "fresh", FRESH_BYTES / PAGE_BYTES);
    figure_time("fresh", end_ns - start_ns, FRESH_BYTES / PAGE_BYTES);
}

void bench_memory(void) {
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
    int error = pthread_create(thread, NULL, run, NULL);
    if (error != 0)
        die("making a thread", error);
}

static uint64_t create_and_join(void) {
    pthread_t thread;
    uint64_t start_ns = ax_clock_ns();
    thread_make(&thread, thread_brief);
    pthread_join(thread, NULL);
    return ax_clock_ns() - start_ns;
}

/* Each is the first in its slot: another thread waits in every slot that was used before. */
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
    figure_time("thread.fresh", total_ns, THREADS_MADE);
}

void bench_threads(void) {
    struct count count;
    uint64_t total_ns = 0;
    measure_fresh_threads();
    count_begin(&count);
    for (unsigned i = 0; i < THREADS; i++)
        total_ns += create_and_join();
    count_end(&count, "thread.parked", THREADS);
    figure_time("thread.parked", total_ns, THREADS);
}

/* ---- A program ------------------------------------------------------------------------------- */

static ax_handle image_memory;
static struct cpio_archive image;

static void image_open(void) {
    struct ax_object_info info;
    image_memory = ax_start_handle("image");
    if (ax_object_info(image_memory, &info) != AX_OK)
        die("finding the system image", image_memory);
    image.size_bytes = info.memory.page_count * AX_PAGE_SIZE;
    struct ax_map_request request = {.size_bytes = image.size_bytes, .prot = AX_PROT_READ};
    ax_result address = ax_memory_map(AX_HANDLE_NONE, image_memory, &request);
    if (address < 0)
        die("mapping the system image", address);
    image.bytes = (const void *)(uintptr_t)address; /* NOLINT(performance-no-int-to-ptr) */
}

static struct load_image file_find(const char *path) {
    struct cpio_entry entry;
    if (cpio_find(&image, path, strlen(path), &entry) != CPIO_OK)
        die(path, -1);
    return (struct load_image){image_memory, entry.offset, cpio_content(&image, &entry),
                               entry.size_bytes};
}

static void program_run(const char *path) {
    static const char *const arguments[] = {"hello", NULL};
    struct load_result started;
    struct ax_object_info info;
    const struct ax_start *own = ax_start();
    struct load_request request = {
        .program = file_find(path),
        .personality = file_find("/lib/personality"),
        .path = path,
        .arguments = arguments,
        .account = own->account,
        .log = own->log,
        .priority = -1,
        .cpu_count = own->cpu_count,
        .memory_bytes = own->memory_bytes,
        .cpu = own->cpu,
    };
    ax_result result = load_process(&request, &started);
    if (result < 0)
        die("starting a program", result);
    (void)ax_handle_close(started.thread);
    result = ax_object_wait(started.process, AX_SIGNAL_ENDED, AX_TIME_NEVER);
    if (result < 0 || ax_object_info(started.process, &info) != AX_OK ||
        info.process.cause != AX_CAUSE_EXIT || info.process.code != 0)
        die("a program's run", result);
    (void)ax_handle_close(started.process);
}

/* The second time and later: what the first had to make ready is there. */
void bench_program(void) {
    struct count count;
    image_open();
    program_run("/bin/hello");
    count_begin(&count);
    uint64_t start_ns = ax_clock_ns();
    for (unsigned i = 0; i < PROGRAMS; i++)
        program_run("/bin/hello");
    uint64_t end_ns = ax_clock_ns();
    count_end(&count, "program", PROGRAMS);
    figure_time("program", end_ns - start_ns, PROGRAMS);
}
