/* SPDX-License-Identifier: MIT */
/*
 * The hosted machine's own: what becomes of a stub when its space is gone (park.c). It is used
 * again if it is as it should be.
 */
#include <base/memory.h>
#include <hal/hosted/machine.h>
#include <hal/hosted/stub/layout.h>

#include "suite.h"

#define FUTEX_ADDRESS UINT64_C(0xa00000) /* a page of zeros; hosted_park.S knows it */
#define LIAR_ADDRESS  UINT64_C(0xb00000) /* the programs below */
#define TRIES         100

/* hosted_park.S */
extern const char liars_start[], liar_sleep[], liar_answer[], liars_end[];
extern const uint8_t stub_code[]; /* hal/hosted/blob.S */
extern const uint64_t stub_code_bytes;

static struct hal_space space;
static struct thread_under_test thread, other;

static struct stub *stub_here(void) {
    return space_of(&space)->stub;
}

/* A space whose thread has made a call. */
static void begin(void) {
    space_start(&space);
    thread_start(&thread, &space, 0, program_call);
    CHECK(thread_run(&thread) == HAL_EVENT_CALL);
    CHECK(stub_here() != NULL);
}

static void end(void) {
    thread_stop(&thread);
    space_stop(&space);
}

/* Which process the next space gets. */
static int next_pid(void) {
    begin();
    int pid = stub_here()->host.pid;
    end();
    return pid;
}

/* One that is not empty soon is ended, which may happen to any on a busy host: not to all. */
static void stub_is_used_again(void) {
    bool is_used_again = false;
    for (unsigned i = 0; i < TRIES && !is_used_again; i++) {
        begin();
        int pid = stub_here()->host.pid;
        end();
        is_used_again = next_pid() == pid;
    }
    CHECK(is_used_again);
}

/* Emptying takes the stub's time, for which no guest is to blame: it is granted. */
static void emptying_is_granted(void) {
    bool is_parked = false;
    for (unsigned i = 0; i < TRIES && !is_parked; i++) {
        begin();
        struct stub *stub = stub_here();
        uint64_t granted_ns = stub->granted_ns;
        CHECK(stub->active == 0);
        end();
        is_parked = atomic_load(&stub->state) == STUB_PARKED;
        CHECK(!is_parked || (stub->active == 0 && stub->granted_ns > granted_ns));
    }
    CHECK(is_parked);
}

/* ---- A thread of which only Linux knows ------------------------------------------------------ */

static uint64_t gadget_find(void) {
    for (uint64_t at = 0; at + 2 < stub_code_bytes; at++) {
        if (stub_code[at] == 0x0f && stub_code[at + 1] == 0x05 && stub_code[at + 2] == 0xc3)
            return STUB_TEXT + at;
    }
    return 0;
}

static uint64_t area_address(unsigned slot) {
    return STUB_AREAS + ((uint64_t)slot << STUB_AREA_SHIFT);
}

static void liar_start(struct thread_under_test *liar, unsigned slot, const char *program) {
    thread_start(liar, &space, slot, program_call);
    liar->user.regs.rip = LIAR_ADDRESS + (uint64_t)(program - liars_start);
    liar->user.regs.rbp = area_address(slot);
    liar->user.regs.rbx = area_address(0);
    liar->user.regs.r15 = gadget_find();
    CHECK(thread_run(liar) == HAL_EVENT_CALL);
}

static void stub_with_a_thread_left_is_not_used_again(void) {
    uint64_t page = frame_take();
    memcpy(hal_window(page), liars_start, (size_t)(liars_end - liars_start));
    CHECK(gadget_find() != 0);
    space_start(&space);
    CHECK(hal_space_map(&space, LIAR_ADDRESS, page, 1, HAL_READ | HAL_EXECUTE));
    CHECK(hal_space_map(&space, FUTEX_ADDRESS, frame_take(), 1, HAL_READ | HAL_WRITE));
    liar_start(&thread, 0, liar_sleep);
    liar_start(&other, 1, liar_answer);
    int pid = stub_here()->host.pid;
    thread_stop(&other);
    end();
    CHECK(next_pid() != pid);
}

/* In the place of the contract's own about spaces. */
const struct suite_case space_cases[] = {
    {"stub is used again", stub_is_used_again},
    {"emptying is granted", emptying_is_granted},
    {"stub with a thread left is not used again", stub_with_a_thread_left_is_not_used_again},
    {NULL, NULL},
};
