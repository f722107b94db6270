/* SPDX-License-Identifier: MIT */
#include "upcall_world.h"

struct upcall_world upcalls;

void upcall_start(void) {
    machine_start(1);
    upcalls.process = driver_process();
    upcalls.thread = driver_thread(upcalls.process);
    upcalls.page = upcalls.thread->page;
    upcalls.regs = &upcalls.thread->user.regs;
    struct ax_personality personality = {.entry = ENTRY,
                                         .recovery = RECOVERY,
                                         .range_start = RANGE_START,
                                         .range_end = RANGE_END,
                                         .range_restart = RANGE_RESTART};
    memcpy(upcalls.page->buffer, &personality, sizeof(personality));
    expect(kcall(upcalls.thread, AX_CALL_PROCESS_CONTROL, 0, AX_PROCESS_PERSONALITY), AX_OK);
    upcalls.page->personality_stack = UPCALL_STACK;
    uint64_t *values = (uint64_t *)(void *)upcalls.regs;
    for (unsigned i = 0; i < 16; i++)
        values[i] = UINT64_C(0x1111111111111111) * i + 7;
    upcalls.regs->rsp = 0x7f1234567008;
    upcalls.regs->rip = 0x412345;
    upcalls.regs->fs_base = 0x7f0000001000;
    upcalls.regs->rflags = AX_RFLAGS_FIXED | 0x8d5; /* arithmetic flags */
    upcalls.before = *upcalls.regs;
}

void upcall_stop(void) {
    machine_stop();
}

TCase *upcall_case(const char *name) {
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, upcall_start, upcall_stop);
    return tcase;
}

void upcall_enter(void) {
    driver_event(upcalls.thread, &(struct hal_event){.kind = HAL_EVENT_BOUNCE});
    ck_assert_uint_eq(upcalls.page->inside, AX_INSIDE_PERSONALITY);
}

void fault(uint32_t fault, uint64_t address) {
    struct hal_event event = {.kind = HAL_EVENT_FAULT};
    event.fault.fault = fault;
    event.fault.address = address;
    event.fault.access = AX_PROT_WRITE;
    driver_event(upcalls.thread, &event);
}

void interrupt(void) {
    with_lock(thread_interrupt, upcalls.thread);
    driver_step(0); /* the next kernel entry, whatever it is */
}

bool regs_same_but_place(const struct ax_regs *a, const struct ax_regs *b) {
    struct ax_regs x = *a, y = *b;
    x.rip = y.rip = 0;
    x.rsp = y.rsp = 0;
    x.rflags = y.rflags = 0;
    return memcmp(&x, &y, sizeof(x)) == 0;
}

bool regs_same(const struct ax_regs *a, const struct ax_regs *b) {
    return memcmp(a, b, sizeof(*a)) == 0;
}
