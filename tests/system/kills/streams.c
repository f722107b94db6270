/* SPDX-License-Identifier: MIT */
/*
 * The console is killed again and again while all that comes at stdin goes to stdout. It is the
 * image's monitor, which is given the supervisor, and so is told what to do by its environment:
 * KILLS_COUNT, KILLS_SEED, KILLS_WHO (inside: this program kills; outside: somebody else does),
 * KILLS_WHAT (console, or root: together with the supervisor). When there have been enough it says
 * so at stderr, and at the end how many.
 */
#include "kills.h"

#include <string.h>
#include <unistd.h>

#define BLOCKS      4
#define BLOCK_BYTES (128 << 10)

/* What has been read and is to be written. */
static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned read, written; /* blocks */
    size_t sizes[BLOCKS];   /* 0: the end */
    uint8_t bytes[BLOCKS][BLOCK_BYTES];
} queue = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static uint32_t console;
static unsigned kill_count;
static uint64_t seed;
static bool is_inside, is_root;

/* ---- Bytes ----------------------------------------------------------------------------------- */

/* Small ones that go with a message, and large ones that wait for room. */
static size_t size_draw(struct random *random, size_t most) {
    size_t size = 1 + random_below(random, random_below(random, 2) == 0 ? 4096 : BLOCK_BYTES);
    return size < most ? size : most;
}

static void *writer(void *nothing) {
    struct random random;
    random_seed(&random, seed + 2);
    for (;;) {
        pthread_mutex_lock(&queue.mutex);
        while (queue.written == queue.read)
            pthread_cond_wait(&queue.changed, &queue.mutex);
        pthread_mutex_unlock(&queue.mutex);
        unsigned block = queue.written % BLOCKS;
        if (queue.sizes[block] == 0)
            return nothing;
        for (size_t done = 0; done < queue.sizes[block];) {
            ssize_t gone = write(STDOUT_FILENO, queue.bytes[block] + done,
                                 size_draw(&random, queue.sizes[block] - done));
            CHECK(gone > 0, "a write failed");
            done += (size_t)gone;
            atomic_fetch_add(&progress[SERVER_PIPE], 1);
        }
        pthread_mutex_lock(&queue.mutex);
        queue.written++;
        pthread_cond_signal(&queue.changed);
        pthread_mutex_unlock(&queue.mutex);
    }
}

static void everything_read(void) {
    struct random random;
    random_seed(&random, seed + 3);
    for (ssize_t got = 1; got > 0;) {
        pthread_mutex_lock(&queue.mutex);
        while (queue.read - queue.written == BLOCKS)
            pthread_cond_wait(&queue.changed, &queue.mutex);
        pthread_mutex_unlock(&queue.mutex);
        unsigned block = queue.read % BLOCKS;
        got = read(STDIN_FILENO, queue.bytes[block], size_draw(&random, BLOCK_BYTES));
        CHECK(got >= 0, "a read failed");
        queue.sizes[block] = (size_t)got;
        pthread_mutex_lock(&queue.mutex);
        queue.read++;
        pthread_cond_signal(&queue.changed);
        pthread_mutex_unlock(&queue.mutex);
    }
}

/* ---- Deaths ---------------------------------------------------------------------------------- */

static bool are_enough(void) {
    return is_root ? root_restarts() >= kill_count
                   : status->servers[console].restarts >= kill_count;
}

/* Bytes pass first, as a rule. Mostly an instance that runs is meant, sometimes whatever the
 * supervisor has just made of the next one. */
static void console_kill(struct random *random) {
    unsigned long writes = random_below(random, 4) == 0 ? 0 : random_below(random, 20);
    unsigned long before = atomic_load(&progress[SERVER_PIPE]);
    while (atomic_load(&progress[SERVER_PIPE]) - before < writes)
        (void)ax_sleep_until(ax_clock_ns() + 100000);
    (void)ax_sleep_until(ax_clock_ns() + random_below(random, 300000));
    bool is_any = random_below(random, 4) == 0;
    while ((!is_any && status->servers[console].state != SUPERVISOR_RUNNING) ||
           !instance_kill(console))
        (void)ax_sleep_until(ax_clock_ns() + 100000);
}

static void *killer(void *nothing) {
    struct random random;
    random_seed(&random, seed);
    while (!are_enough()) {
        if (is_inside && !is_root) {
            console_kill(&random);
            continue;
        }
        if (is_inside)
            round_play(console);
        uint64_t pause_ns = is_inside ? ROOT_PAUSE_NS + random_below(&random, 10000000) : 1000000;
        (void)ax_sleep_until(ax_clock_ns() + pause_ns);
    }
    fputs("enough\n", stderr);
    return nothing;
}

int main(void) {
    static bool is_used[SERVERS] = {[SERVER_PIPE] = true};
    pthread_t kills, writes;
    const char *count = getenv("KILLS_COUNT"), *first = getenv("KILLS_SEED");
    const char *who = getenv("KILLS_WHO"), *what = getenv("KILLS_WHAT");
    CHECK(count != NULL && first != NULL && who != NULL && what != NULL, "what is to be done?");
    kill_count = (unsigned)strtoul(count, NULL, 0);
    seed = strtoull(first, NULL, 0);
    is_inside = strcmp(who, "inside") == 0;
    is_root = strcmp(what, "root") == 0;
    supervisor_open();
    rounds_open(seed + 1);
    console = server_find("console");
    watch_over(is_used);
    CHECK(pthread_create(&kills, NULL, killer, NULL) == 0, "no thread");
    CHECK(pthread_create(&writes, NULL, writer, NULL) == 0, "no thread");
    everything_read();
    pthread_join(writes, NULL);
    pthread_join(kills, NULL);
    fprintf(stderr, "the console died %u times, the supervisor %lu\n",
            status->servers[console].restarts, root_restarts());
    return 0;
}
