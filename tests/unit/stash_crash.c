/* SPDX-License-Identifier: MIT */
/*
 * The proof: an instance that dies after the Nth store or kernel call, for every N, leaves the
 * state before or after the transaction that it was in, and the answer if and only if the effect.
 */
#include "stash_tests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/random.h>

#include "stash_shelf.h"

/* Each kind once at least, with what comes before and after it; some are aborted. */
static const struct shelf_call script[] = {
    {SHELF_ADD, false, 0, 30, 11, 1},    {SHELF_ADD, false, 1, 500, 13, 2},
    {SHELF_CHANGE, false, 0, 0, 5, 3},   {SHELF_HAND, false, 0, 0, 7, 4},
    {SHELF_ADD, true, 2, 100, 15, 5},    {SHELF_GROW, false, 0, 0, 2, 6},
    {SHELF_SWAP, false, 0, 0, 21, 7},    {SHELF_HAND, true, 0, 0, 9, 8},
    {SHELF_REMOVE, true, 1, 0, 3, 9},    {SHELF_REMOVE, false, 1, 0, 4, 10},
    {SHELF_ADD, false, 1, 8, 17, 11},    {SHELF_CHANGE, true, 1, 0, 6, 12},
    {SHELF_SWAP, false, 5, 0, 22, 13},   {SHELF_HAND, false, 0, 0, 10, 14},
    {SHELF_CHANGE, false, 5, 0, 23, 15}, {SHELF_HAND, false, 0, 0, 12, 16},
    {SHELF_REMOVE, false, 5, 0, 24, 17}, {SHELF_HAND, false, 0, 0, 14, 18},
    {SHELF_ADD, false, 3, 580, 25, 19},  {SHELF_HAND, false, 0, 0, 16, 20},
    {SHELF_REMOVE, false, 3, 0, 26, 21},
};
#define SCRIPT_LENGTH ((unsigned)(sizeof(script) / sizeof(script[0])))

/* One client that makes the calls in turn, and what it and we know outside of any instance. */
struct run {
    const struct shelf_call *calls;
    unsigned count;
    unsigned done; /* calls that are answered and in the reference */
    bool answered; /* the kernel has the answer to the one after these */
    struct reference reference;
};

static void settle_call(struct run *run) {
    if (!run->calls[run->done].aborted)
        reference_apply(&run->reference, &run->calls[run->done]);
    run->done++;
    run->answered = false;
}

static void serve_all(void *context) {
    struct run *run = context;
    while (run->done < run->count) {
        shelf_serve(&run->calls[run->done], &run->answered);
        settle_call(run);
    }
}

/* What the kernel redelivers to a new instance, and how it answers that. */
static void redeliver(struct run *run) {
    int index;
    if (run->done < run->count) {
        const struct shelf_call *call = &run->calls[run->done];
        if (run->answered) {
            settle_call(run);
        } else if (shelf_has_answer(call, &index)) {
            stash_reply_given(&world.stash, index);
            ck_assert(!shelf_has_answer(call, &index));
            settle_call(run);
        }
    }
    stash_replies_settled(&world.stash);
}

static void begin(struct run *run, const struct shelf_call *calls, unsigned count) {
    *run = (struct run){.calls = calls, .count = count};
    world_format();
    shelf_create();
    stash_answered(&world.stash);
}

static void serve_the_rest(struct run *run) {
    serve_all(run);
    shelf_compare(&run->reference, false);
    world_take_over();
    stash_replies_settled(&world.stash);
    shelf_compare(&run->reference, false);
}

START_TEST(every_store_can_be_the_last) {
    struct run run;
    uint64_t deaths = 0;
    for (bool lives = false; !lives; deaths++) {
        begin(&run, script, SCRIPT_LENGTH);
        lives = world_play(serve_all, &run, deaths + 1);
        if (!lives) {
            world_take_over();
            redeliver(&run);
            shelf_compare(&run.reference, false);
        }
        serve_the_rest(&run);
    }
    printf("figure: stash: %llu deaths, one after each store\n", (unsigned long long)deaths - 1);
    ck_assert_uint_gt(deaths, 2000);
}
END_TEST

static void adopt(void *context) {
    bool *failed = context;
    (void)world_adopt(*failed);
}

/* Each death is followed by one in the middle of adopting, at each step of that. */
START_TEST(adopting_can_be_cut_short_anywhere) {
    static struct world_copy copy;
    struct run run;
    uint64_t cuts = 0;
    bool failed = false;
    unsigned step = getenv("AX_QUICK") != NULL ? 7 : 1;
    bool lives = false;
    for (uint64_t deaths = 1; !lives; deaths += step) {
        begin(&run, script, SCRIPT_LENGTH);
        lives = world_play(serve_all, &run, deaths);
        if (lives)
            break;
        world_save(&copy);
        struct run before = run;
        for (uint64_t cut = 1; !world_play(adopt, &failed, cut); cut++, cuts++) {
            world_take_over();
            redeliver(&run);
            shelf_compare(&run.reference, false);
            world_restore(&copy);
            run = before;
        }
    }
    printf("figure: stash: %llu of these followed by one while adopting\n",
           (unsigned long long)cuts);
    ck_assert_uint_gt(cuts, 1000);
}
END_TEST

/* ---- Random workloads -------------------------------------------------------------------------*/

#define RANDOM_CALLS 60
#define LIFE_STEPS   1200 /* more than any call takes, or it would never be done */

static void choose_calls(struct shelf_call *calls, uint64_t seed) {
    static struct reference reference;
    memset(&reference, 0, sizeof(reference));
    for (unsigned i = 0; i < RANDOM_CALLS; i++) {
        calls[i] = shelf_choose(hash_mix(seed << 16 | i), &reference, i + 1);
        if (!calls[i].aborted)
            reference_apply(&reference, &calls[i]);
    }
}

/* Dies again and again, after some stores, also while adopting. */
static void live_and_die(struct run *run, struct random *random) {
    bool failed = false;
    while (!world_play(serve_all, run, 1 + random_below(random, LIFE_STEPS))) {
        while (!world_play(adopt, &failed, 1 + random_below(random, LIFE_STEPS)))
            ;
        world_take_over();
        redeliver(run);
        shelf_compare(&run->reference, false);
    }
}

START_TEST(random_calls_and_deaths) {
    static struct run run;
    struct shelf_call calls[RANDOM_CALLS];
    unsigned seeds = getenv("AX_QUICK") != NULL ? 40 : 400;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        struct random random;
        random_seed(&random, seed);
        choose_calls(calls, seed);
        begin(&run, calls, RANDOM_CALLS);
        live_and_die(&run, &random);
        serve_the_rest(&run);
    }
}
END_TEST

/* ---- Going back -------------------------------------------------------------------------------*/

/*
 * The state before the last commit comes back after two deaths, whatever the transaction was in
 * which the first of them happened, and whether or not going back is itself cut short.
 */
static void die_twice(const struct reference *previous, uint64_t cut) {
    bool failed = true;
    ck_assert_int_eq(world_adopt(false), STASH_ADOPTED);
    ck_assert_int_eq(world_adopt(true), STASH_ADOPTED);
    if (!world_play(adopt, &failed, cut))
        ck_assert_int_eq(world_adopt(false), STASH_WENT_BACK);
    stash_replies_settled(&world.stash);
    shelf_compare(previous, true);
}

START_TEST(two_deaths_go_back) {
    static struct run run;
    static struct reference previous;
    for (unsigned length = 2; length < SCRIPT_LENGTH; length++) {
        if (script[length - 1].aborted || script[length].aborted)
            continue;
        for (uint64_t last_step = 1;; last_step++) {
            begin(&run, script, length - 1);
            serve_all(&run);
            previous = run.reference;
            run.count = length;
            serve_all(&run);
            struct run one = run;
            one.count = length + 1; /* this one dies in the middle */
            bool lives = world_play(serve_all, &one, last_step);
            if (lives)
                break;
            world_take_over();
            redeliver(&one);
            die_twice(one.done == length ? &previous : &run.reference, last_step);
        }
    }
}
END_TEST

START_TEST(work_goes_on_after_going_back) {
    static struct run run;
    static struct reference previous;
    for (unsigned length = 1; length < SCRIPT_LENGTH; length++) {
        if (script[length - 1].aborted)
            continue;
        begin(&run, script, length - 1);
        serve_all(&run);
        previous = run.reference;
        run.count = length;
        serve_all(&run);
        die_twice(&previous, 0);
        /* The call is made once more, then the rest. Handles may be missing for good. */
        run.reference = previous;
        run.done = length - 1;
        run.count = SCRIPT_LENGTH;
        serve_all(&run);
        shelf_compare(&run.reference, true);
        world_take_over();
        stash_replies_settled(&world.stash);
        shelf_compare(&run.reference, true);
    }
}
END_TEST

static void format(void *context) {
    (void)context;
    ck_assert_int_eq(stash_format(&world.stash, &world.config), STASH_ADOPTED);
}

/* Over new memory, and over a stash with things in it. */
START_TEST(formatting_is_all_or_nothing) {
    static struct run run;
    for (int used = 0; used < 2; used++) {
        uint64_t cut = 1;
        for (;; cut++) {
            world_new();
            if (used != 0) {
                begin(&run, script, SCRIPT_LENGTH);
                serve_all(&run);
            }
            bool lives = world_play(format, NULL, cut);
            if (lives)
                break;
            enum stash_verdict verdict = world_adopt(false);
            ck_assert(verdict == STASH_NEW || verdict == STASH_ADOPTED);
            if (verdict == STASH_NEW)
                format(NULL);
            ck_assert_ptr_null(stash_root(&world.stash));
            ck_assert_uint_eq(world_handle_count(), 0);
            shelf_create();
            shelf_compare(&(struct reference){0}, false);
        }
        ck_assert_uint_gt(cut, 100);
    }
}
END_TEST

TCase *stash_crash_tests(void) {
    TCase *tests = tcase_create("crash");
    tcase_set_timeout(tests, 100);
    tcase_add_test(tests, every_store_can_be_the_last);
    tcase_add_test(tests, adopting_can_be_cut_short_anywhere);
    tcase_add_test(tests, random_calls_and_deaths);
    tcase_add_test(tests, two_deaths_go_back);
    tcase_add_test(tests, work_goes_on_after_going_back);
    tcase_add_test(tests, formatting_is_all_or_nothing);
    return tests;
}
