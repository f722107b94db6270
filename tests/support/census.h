/* SPDX-License-Identifier: MIT */
/*
 * The census behind driver_check_invariants: everything reachable is counted once more, object by
 * object and frame by frame, and compared with what core has counted itself.
 */
#pragma once

#include "account.h"
#include "driver_private.h"

/* What was found to refer to an object. */
struct found {
    uint32_t epoch; /* of this census: the object is alive */
    uint32_t refs, handles, receivers;
    uint32_t calls;          /* session: unanswered calls */
    uint64_t bytes, objects; /* account: charges */
};

#define INVARIANT(expr)                                                         \
    do {                                                                        \
        if (!(expr))                                                            \
            driver_fail("%s:%d: does not hold: %s", __FILE__, __LINE__, #expr); \
    } while (0)
/* The same about an object, which is named. */
#define INVARIANT_OF(of, expr)                                                                  \
    do {                                                                                        \
        if (!(expr))                                                                            \
            driver_fail("%s:%d: object %llu of type %u: does not hold: %s", __FILE__, __LINE__, \
                        (unsigned long long)(of)->id, (of)->type, #expr);                       \
    } while (0)

void census_begin(void);
/* An object is alive. */
void census_enter(const struct object *object);
/* What was found of it; ends the test if it is not alive. */
struct found *census_of(const struct object *object);

/* Something refers to an object; NULL: to none. */
void census_ref(const struct object *object);
void census_handle(const struct object *object, uint32_t rights);
/* The account pays for a heap allocation; NULL: core itself. Runs of frames are counted. */
void census_heap(const struct account *account, const void *memory, size_t size_bytes);
/* One more ref to a frame, with so many pins; who pays for it is checked to be alive. */
void census_frame(struct frame *frame, uint32_t pins);

/* Compares frames, and the heap's totals. */
void census_check_frames(void);

/* Counts what each object refers to (invariants_objects.c), then compares. */
void census_count_objects(void);
void census_check_objects(void);

/* Threads and CPUs (invariants_sched.c), translations (invariants_space.c). */
void invariants_check_sched(void);
void invariants_check_spaces(void);
