/* SPDX-License-Identifier: MIT */
#include "loan_world.h"

#include <string.h>

struct loan_world loans;

static void start(void) {
    world_start();
    loans = (struct loan_world){.endpoint = make(server, AX_TYPE_ENDPOINT)};
    ax_result session = kcall(server, AX_CALL_SESSION_CREATE, loans.endpoint, 7, 0, 0);
    ck_assert_int_gt(session, 0);
    loans.session = driver_copy(server->process, (ax_handle)session, lender->process, AX_RIGHT_ALL);
    loans.other = driver_thread(lender->process);
    loans.lent = map_pages(lender, LENT_PAGES, RW);
    loans.own = map_pages(server, LENT_PAGES, RW);
    poke_pages(lender, loans.lent, LENT_PAGES, 1);
}

TCase *loan_case(const char *name) {
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, start, world_stop);
    return tcase;
}

static void call(struct ax_loan first, uint32_t first_access, struct ax_loan second,
                 uint32_t second_access) {
    struct ax_ipc ipc = {.deadline_ns = AX_TIME_NEVER};
    ipc.message.loan_count = (uint8_t)((first_access != 0) + (second_access != 0));
    ipc.message.loan_access[0] = (uint8_t)first_access;
    ipc.message.loan_access[1] = (uint8_t)second_access;
    ipc.message.loans[0] = first;
    ipc.message.loans[1] = second;
    lender->page->ipc = ipc;
    expect(kcall(lender, AX_CALL_CALL, loans.session), DRIVER_BLOCKED);
}

uint32_t receive(uint64_t buffer, uint32_t buffer_bytes) {
    server->page->ipc = (struct ax_ipc){
        .buffer = buffer, .buffer_bytes = buffer_bytes, .receive_deadline_ns = AX_TIME_NEVER};
    expect(kcall(server, AX_CALL_REPLY_RECEIVE, 0, loans.endpoint), AX_OK);
    loans.reply = server->page->ipc.message.reply;
    return server->page->ipc.message.inline_bytes;
}

void lend_only(struct ax_loan first, uint32_t first_access) {
    call(first, first_access, (struct ax_loan){0}, 0);
}

void lend(uint64_t address, uint64_t size_bytes, uint32_t access) {
    lend_only((struct ax_loan){address, size_bytes}, access);
    receive(0, 0);
}

void lend_two(struct ax_loan first, uint32_t first_access, struct ax_loan second,
              uint32_t second_access) {
    call(first, first_access, second, second_access);
    receive(0, 0);
}

ax_result answer(void) {
    return kcall(server, AX_CALL_REPLY_RECEIVE, loans.reply, 0);
}

ax_result loan_read(uint64_t loan, uint64_t offset, uint64_t address, uint64_t size_bytes) {
    return kcall(server, AX_CALL_LOAN_READ, loans.reply, loan, offset, address, size_bytes);
}

ax_result loan_write(uint64_t loan, uint64_t offset, uint64_t address, uint64_t size_bytes) {
    return kcall(server, AX_CALL_LOAN_WRITE, loans.reply, loan, offset, address, size_bytes);
}

ax_result loan_map(uint64_t loan, uint64_t offset, uint64_t size_bytes) {
    return kcall(server, AX_CALL_LOAN_MAP, loans.reply, loan, offset, size_bytes);
}
