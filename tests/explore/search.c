/* SPDX-License-Identifier: MIT */
/*
 * Depth first, over every state that steps can lead to: a state is a copy of the machine and of
 * the scripts, put back for each step that is possible in it.
 */
#include "search.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/hash.h>
#include <hal/model/machine.h>

#include "process.h"

#define DEPTH_MAX 1024
/* Of so many states that were there before, one is looked at again. */
#define AGAIN 64

/* A state on the way to the one that is looked at. */
struct level {
    struct step steps[STEPS_MAX];
    unsigned count, taken;
    struct hash hash;
    uint32_t successors; /* sum of the hashes of the states that its steps led to */
    struct world world;
    struct names names;
    char *machine; /* a copy, machine_bytes long; kept for the next state of this depth */
};

static struct level *levels[DEPTH_MAX];
static unsigned depth;
static size_t machine_bytes;

struct visit {
    struct hash hash;
    uint32_t successors; /* 0: not all of its steps were taken yet */
};

static struct {
    struct visit *slots;
    uint64_t mask, used;
} visited;

/* ---- States that were there before ----------------------------------------------------------- */

static void *memory(size_t count, size_t size) {
    void *made = calloc(count, size);
    if (made == NULL) {
        fputs("explore: no memory\n", stderr);
        exit(2);
    }
    return made;
}

static void visited_start(void) {
    free(visited.slots);
    visited.mask = (UINT64_C(1) << 16) - 1;
    visited.slots = memory(visited.mask + 1, sizeof(struct visit));
    visited.used = 0;
}

/* Where it is, or where it would be: both halves 0 is no hash of a state. */
static struct visit *visited_find(struct hash hash) {
    for (uint64_t at = hash.low & visited.mask;; at = (at + 1) & visited.mask) {
        struct visit *slot = &visited.slots[at];
        if ((slot->hash.low == hash.low && slot->hash.high == hash.high) ||
            (slot->hash.low == 0 && slot->hash.high == 0))
            return slot;
    }
}

static void visited_grow(void) {
    struct visit *old = visited.slots;
    uint64_t old_count = visited.mask + 1;
    visited.mask = old_count * 2 - 1;
    visited.slots = memory(visited.mask + 1, sizeof(struct visit));
    for (uint64_t i = 0; i < old_count; i++) {
        if (old[i].hash.low != 0 || old[i].hash.high != 0)
            *visited_find(old[i].hash) = old[i];
    }
    free(old);
}

/* False: it is there. */
static bool visited_add(struct hash hash) {
    struct visit *slot = visited_find(hash);
    if (slot->hash.low != 0 || slot->hash.high != 0)
        return false;
    slot->hash = hash;
    if (++visited.used * 2 > visited.mask)
        visited_grow();
    return true;
}

/* ---- States on the way ----------------------------------------------------------------------- */

static void level_save(struct level *level) {
    if (level->machine == NULL)
        level->machine = memory(1, machine_bytes);
    memcpy(level->machine, model, machine_bytes);
    level->world = world;
    level->names = names;
}

static void level_restore(const struct level *level) {
    memcpy(model, level->machine, machine_bytes);
    world = level->world;
    names = level->names;
}

/* The state that there is now, with the steps that are possible in it. */
static void level_push(struct hash hash) {
    if (depth == DEPTH_MAX)
        explore_fail("a path of %u steps", depth);
    if (levels[depth] == NULL)
        levels[depth] = memory(1, sizeof(struct level));
    struct level *level = levels[depth++];
    level->count = machine_steps(level->steps);
    level->taken = 0;
    level->hash = hash;
    level->successors = 1;
    if (level->count == 0)
        check_end();
    if (level->count > 1 || setting.scenario->both_paths)
        level_save(level);
}

static void levels_free(void) {
    for (unsigned i = 0; i < DEPTH_MAX && levels[i] != NULL; i++) {
        free(levels[i]->machine);
        free(levels[i]);
        levels[i] = NULL;
    }
}

/* ---- Paths ----------------------------------------------------------------------------------- */

void path_print(void) {
    if (setting.scenario == NULL)
        return;
    fprintf(stderr, "scenario %s, %u CPUs:\n", setting.scenario->name, setting.scenario->cpus);
    for (unsigned i = 0; i < depth; i++) {
        if (levels[i]->taken == 0)
            break;
        fprintf(stderr, "%4u  ", i + 1);
        step_print(&levels[i]->steps[levels[i]->taken - 1]);
    }
    setting.scenario = NULL; /* once is enough */
}

void explore_fail(const char *format, ...) {
    va_list arguments;
    path_print();
    va_start(arguments, format);
    fputs("FAILED: ", stderr);
    vfprintf(stderr, format, arguments);
    fputs("\n", stderr);
    va_end(arguments);
    exit(1);
}

/* ---- The search ------------------------------------------------------------------------------ */

static bool has_two_paths(const struct step *step) {
    return step->kind == STEP_SCRIPT &&
           (step->move.verb == VERB_CALL || step->move.verb == VERB_SUBCALL ||
            step->move.verb == VERB_ANSWER_RECEIVE);
}

/* What the short path leaves behind is what the long one does. */
static void paths_compare(const struct level *level, struct step *step) {
    kernel->fast_ipc = false;
    machine_step(step);
    struct hash slow = canon_hash();
    ax_result result = step->result;
    level_restore(level);
    machine_step(step);
    struct hash fast = canon_hash();
    if (slow.low != fast.low || slow.high != fast.high || result != step->result)
        explore_fail("the short path has another effect than the long one");
}

static void level_step(struct level *level) {
    struct step *step = &level->steps[level->taken++];
    if (level->taken > 1)
        level_restore(level);
    if (setting.scenario->both_paths && has_two_paths(step))
        paths_compare(level, step);
    else
        machine_step(step);
    check_state();
}

static uint32_t successors_add(uint32_t sum, struct hash hash) {
    return sum + (uint32_t)hash_mix(hash.high);
}

static uint32_t successors_of(const struct level *level) {
    return level->successors != 0 ? level->successors : 1;
}

/*
 * A state that was there before was reached on another way: what differs and was left out of the
 * hash must make no difference. So now and then all its steps are taken once more.
 */
static void again_check(struct hash hash) {
    static struct level again;
    uint32_t expected = visited_find(hash)->successors;
    if (expected == 0)
        return;
    again.count = machine_steps(again.steps);
    again.successors = 1;
    level_save(&again);
    for (unsigned i = 0; i < again.count; i++) {
        level_restore(&again);
        machine_step(&again.steps[i]);
        again.successors = successors_add(again.successors, canon_hash());
    }
    level_restore(&again);
    MUST_OF(NOBODY, again.count, successors_of(&again) == expected);
    free(again.machine);
    again.machine = NULL;
}

/* The next step of the last state on the way. */
static void search_step(struct figures *figures) {
    struct level *level = levels[depth - 1];
    level_step(level);
    struct hash hash = canon_hash();
    level->successors = successors_add(level->successors, hash);
    if (visited_add(hash)) {
        level_push(hash);
        if (depth > figures->depth)
            figures->depth = depth;
        figures->ends += levels[depth - 1]->count == 0;
    } else if (figures->transitions % AGAIN == 0) {
        again_check(hash);
    }
    figures->transitions++;
}

void search(const struct scenario *scenario, uint64_t limit, struct figures *figures) {
    *figures = (struct figures){0};
    world_start(scenario);
    machine_bytes = model_state_bytes();
    visited_start();
    check_state();
    depth = 0;
    struct hash hash = canon_hash();
    visited_add(hash);
    level_push(hash);
    while (depth > 0 && visited.used < limit) {
        struct level *level = levels[depth - 1];
        if (level->taken < level->count) {
            search_step(figures);
            continue;
        }
        visited_find(level->hash)->successors = successors_of(level);
        depth--;
    }
    figures->states = visited.used;
    figures->complete = depth == 0;
    depth = 0;
    levels_free();
    world_stop();
}
