/* SPDX-License-Identifier: MIT */
/* A counter that goes wrong when it is asked to. */
#include <stdlib.h>
#include <string.h>

#include <base/random.h>
#include <sys/start.h>

#include "counter.h"
#include "planted.h"

#define ONE_PAGE 4096

/* The linker's: where the program's own data begin and end. */
extern uint64_t __data_start[], _end[]; /* NOLINT(bugprone-reserved-identifier) */

struct planted {
    void *counters;
    uint64_t poison;
};

static struct planted *planted;
static bool is_to_die; /* at the next commit */

static _Noreturn void die(void) {
    __builtin_trap();
}

void server_point(const struct server *server, enum server_point point) {
    (void)server;
    if (point == SERVER_COMMITTED && is_to_die)
        die();
}

static void *create(struct server *server) {
    struct planted *made = stash_alloc(&server->stash, sizeof(*made));
    if (made != NULL)
        STASH_SET(&server->stash, made->counters, counter_program.create(server));
    return made;
}

static void adopt(struct server *server, void *root) {
    planted = root;
    if (planted->poison != 0)
        die();
    counter_program.adopt(server, planted->counters);
}

/* ---- Writing everywhere ---------------------------------------------------------------------- */

static void scribble(uintptr_t start, uintptr_t end) {
    for (; start + sizeof(uint64_t) <= end; start += sizeof(uint64_t))
        *(volatile uint64_t *)start = 0xa5a5a5a5a5a5a5a5; /* NOLINT(performance-no-int-to-ptr) */
}

static void stash_scribble(const struct server *server, uint64_t one_of, uint64_t seed) {
    struct ax_object_info info;
    struct random random;
    uint64_t *words = (uint64_t *)(void *)server->stash.base;
    if (ax_object_info(server->gifts.stash_memory, &info) != AX_OK)
        die();
    random_seed(&random, seed);
    for (uint64_t i = 0; i < info.memory.page_count * ONE_PAGE / sizeof(*words); i++) {
        if (one_of == 1 || random_below(&random, one_of) == 0)
            words[i] = random_next(&random);
    }
}

/* The stash, the kernel's page of this thread, what it was started with, all its variables; and
 * then it does not even get so far as to die of itself. */
static _Noreturn void all_scribble(const struct server *server) {
    uintptr_t page = (uintptr_t)ax_thread_page(), start = (uintptr_t)ax_start();
    stash_scribble(server, 1, 1);
    scribble(page, page + ONE_PAGE);
    scribble(start, start + ONE_PAGE);
    scribble((uintptr_t)__data_start, (uintptr_t)_end);
    die();
}

/* ---- Calls ----------------------------------------------------------------------------------- */

static void serve(struct server_call *call) {
    struct server *server = call->server;
    switch (call->message.operation) {
    case PLANT_FAULT: die();
    case PLANT_ABORT: abort();
    case PLANT_LOOP:
        for (volatile bool is_endless = true; is_endless;)
            ;
        break;
    case PLANT_STASH:
        STASH_SET(&server->stash, planted->poison, 1);
        is_to_die = true;
        server_answer(call, 0);
        break;
    case PLANT_STASH_LATER:
        STASH_SET(&server->stash, planted->poison, 1);
        server_answer(call, 0);
        break;
    case PLANT_WILD_ALL: all_scribble(server);
    case PLANT_WILD_STASH: stash_scribble(server, 1, 1); die();
    case PLANT_WILD_SOME:
        stash_scribble(server, call->message.words[0], call->message.words[1]);
        die();
    default: counter_program.call(call); break;
    }
}

int main(int argc, char **argv) {
    static struct server_program program;
    if (argc > 1 && strcmp(argv[1], "broken") == 0)
        return 3;
    program = counter_program;
    program.name = "planted";
    program.create = create;
    program.adopt = adopt;
    program.call = serve;
    return server_main(&program, argc, argv);
}
