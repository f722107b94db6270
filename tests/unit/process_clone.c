/* SPDX-License-Identifier: MIT */
/* process_clone: what the child has and what it has not. */
#include "process_tests.h"

#define ENTRY UINT64_C(0x401000)
#define STACK UINT64_C(0x7f8000)

static struct process *child_of(ax_result handle) {
    ck_assert_int_gt(handle, 0);
    return container_of(driver_object(world.client, (ax_handle)handle), struct process, object);
}

static struct thread *first_of(const struct process *process) {
    struct list *first = list_first(&process->threads);
    ck_assert_ptr_nonnull(first);
    return list_entry(first, struct thread, in_process);
}

static ax_result clone(struct thread *thread, ax_place place) {
    return kcall(thread, AX_CALL_PROCESS_CLONE, ENTRY, STACK, 77, place);
}

static uint8_t byte_at(struct thread *thread, uint64_t address) {
    const uint8_t *pointer = driver_touch(thread, address, AX_PROT_READ);
    ck_assert_ptr_nonnull(pointer);
    return *pointer;
}

static void put_byte(struct thread *thread, uint64_t address, uint8_t byte) {
    uint8_t *pointer = driver_touch(thread, address, AX_PROT_WRITE);
    ck_assert_ptr_nonnull(pointer);
    *pointer = byte;
}

START_TEST(the_child_has_one_thread_that_starts_where_told) {
    expect(kcall(world.one, AX_CALL_THREAD_CONTROL, 0, AX_THREAD_AFFINITY, 3), AX_OK);
    world.one->user.regs.fs_base = 0x7000123000;
    struct process *child = child_of(clone(world.one, AX_PLACE_ANY));
    struct thread *thread = first_of(child);
    ck_assert_uint_eq(child->live_threads, 1);
    ck_assert_uint_eq(thread->user.regs.rip, ENTRY);
    ck_assert_uint_eq(thread->user.regs.rsp, STACK);
    ck_assert_uint_eq(thread->user.regs.rdi, 77);
    ck_assert_uint_eq(thread->user.regs.rbx, 0);
    ck_assert_uint_eq(thread->user.regs.fs_base, 0x7000123000);
    ck_assert_uint_eq(thread->label, LABEL);
    ck_assert_uint_eq(thread->base_priority, world.one->base_priority);
    ck_assert_uint_eq(thread->affinity, 3);
    ck_assert_ptr_eq(child->account, world.client_account);
}
END_TEST

START_TEST(the_child_has_the_callers_thread_page_slot) {
    world.two->page->user[3] = 33;
    world.two->page->personality_stack = 0x600000;
    struct thread *thread = first_of(child_of(clone(world.two, AX_PLACE_ANY)));
    ck_assert_uint_eq(thread->slot, world.two->slot);
    ck_assert_uint_ne(thread->slot, 0);
    ck_assert_uint_eq(thread->page->self, world.two->page->self);
    ck_assert_uint_ne(thread->page->thread_id, world.two->page->thread_id);
    ck_assert_uint_eq(thread->page->user[3], 33);
    ck_assert_uint_eq(thread->page->personality_stack, 0x600000);
}
END_TEST

START_TEST(a_personality_is_inherited) {
    struct ax_personality personality = {.entry = 0x500000, .recovery = 0x500100};
    memcpy(world.one->page->buffer, &personality, sizeof(personality));
    expect(kcall(world.one, AX_CALL_PROCESS_CONTROL, 0, AX_PROCESS_PERSONALITY), AX_OK);
    struct process *child = child_of(clone(world.one, AX_PLACE_ANY));
    ck_assert_mem_eq(&child->personality, &personality, sizeof(personality));
    struct thread *first = list_entry(list_first(&child->threads), struct thread, in_process);
    ck_assert_mem_eq(&first->page->personality, &personality, sizeof(personality));
}
END_TEST

START_TEST(private_memory_is_copied_when_it_is_written) {
    uint64_t page = driver_map(world.client, 0x1000000, 2, RW);
    put_byte(world.one, page, 1);
    struct thread *child = first_of(child_of(clone(world.one, AX_PLACE_ANY)));
    uint64_t used = world.client_account->used_bytes;
    ck_assert_uint_eq(byte_at(child, page), 1);
    ck_assert_uint_eq(byte_at(world.one, page), 1);
    put_byte(world.one, page, 2);
    ck_assert_uint_eq(byte_at(child, page), 1);
    ck_assert_uint_ge(world.client_account->used_bytes, used + AX_PAGE_SIZE);
    put_byte(child, page, 3);
    ck_assert_uint_eq(byte_at(world.one, page), 2);
    put_byte(child, page + AX_PAGE_SIZE, 4); /* a page that was not there */
    ck_assert_uint_eq(byte_at(world.one, page + AX_PAGE_SIZE), 0);
}
END_TEST

static uint64_t map_shared(struct thread *thread, uint32_t flags) {
    ax_result memory = kcall(thread, AX_CALL_MEMORY_CREATE, 2, 0, AX_PLACE_ANY);
    ck_assert_int_gt(memory, 0);
    struct ax_map_request request = {.size_bytes = 2 * AX_PAGE_SIZE, .prot = RW, .flags = flags};
    memcpy(thread->page->buffer, &request, sizeof(request));
    ax_result address = kcall(thread, AX_CALL_MEMORY_MAP, AX_HANDLE_NONE, (ax_handle)memory);
    ck_assert_int_gt(address, 0);
    return (uint64_t)address;
}

START_TEST(shared_memory_stays_shared) {
    uint64_t shared = map_shared(world.one, 0);
    uint64_t private = map_shared(world.one, AX_MAP_PRIVATE);
    put_byte(world.one, shared, 1);
    put_byte(world.one, private, 1);
    struct thread *child = first_of(child_of(clone(world.one, AX_PLACE_ANY)));
    put_byte(world.one, shared, 2);
    put_byte(world.one, private, 2);
    ck_assert_uint_eq(byte_at(child, shared), 2);
    ck_assert_uint_eq(byte_at(child, private), 1);
    put_byte(child, shared + AX_PAGE_SIZE, 9);
    ck_assert_uint_eq(byte_at(world.one, shared + AX_PAGE_SIZE), 9);
}
END_TEST

START_TEST(handles_have_the_same_value) {
    must_close(world.one, make(world.one, AX_TYPE_EVENT)); /* generations differ */
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    ck_assert_uint_ne(event >> AX_HANDLE_INDEX_BITS, 0);
    ax_handle weak = weaken(world.one, event, AX_RIGHT_WAIT);
    expect(kcall(world.one, AX_CALL_HANDLE_TRANSFER, 0, event, AX_PLACE(0, 1000), AX_RIGHT_WAIT,
                 AX_TRANSFER_NOT_CLONED),
           1000);
    struct process *child = child_of(clone(world.one, AX_PLACE_ANY));
    ck_assert_ptr_eq(driver_object(child, event), driver_object(world.client, event));
    ck_assert_ptr_eq(driver_object(child, weak), driver_object(world.client, event));
    struct object *object;
    expect(handle_lookup(child, weak, AX_TYPE_EVENT, AX_RIGHT_SIGNAL, &object), AX_ERR_RIGHTS);
    ck_assert(!is_handle(child, 1000));
    ck_assert_uint_eq(handles_to(world.client, event), 5);
}
END_TEST

START_TEST(replies_and_devices_stay_behind) {
    ax_handle device = driver_copy(driver_root(), AX_ROOT_DEVICE_MEMORY, world.server, ~0U);
    calls(world.one, world.session, 1);
    ax_handle reply = takes(world.sam, world.endpoint, 1);
    ax_result handle = clone(world.sam, AX_PLACE_ANY);
    struct process *child =
        container_of(driver_object(world.server, (ax_handle)handle), struct process, object);
    ck_assert(!is_handle(child, reply));
    ck_assert(!is_handle(child, device));
    ck_assert(is_handle(child, world.endpoint));
    ck_assert(!is_handle(child, (ax_handle)handle)); /* of itself it has none */
    expect(answer(world.sam, reply, 2), AX_OK);
    has_answer(world.one, 2);
}
END_TEST

START_TEST(a_stale_handle_stays_stale_in_the_child) {
    ax_handle old = stale(world.one);
    struct process *child = child_of(clone(world.one, AX_PLACE_ANY));
    struct thread *thread = first_of(child);
    ax_handle made = make(thread, AX_TYPE_EVENT);
    ck_assert_uint_ne(made, old);
    ck_assert(!is_handle(child, old));
}
END_TEST

START_TEST(an_open_session_has_two_holders_then) {
    struct process *child = child_of(clone(world.one, AX_PLACE_ANY));
    must_close(world.one, world.session);
    has_nothing(world.sam, world.endpoint);
    calls(first_of(child), world.session, 5);
    ax_handle reply = takes(world.sam, world.endpoint, 5);
    ck_assert_uint_eq(message(world.sam)->id.caller, child->object.id);
    ck_assert_uint_eq(message(world.sam)->label, LABEL);
    expect(answer(world.sam, reply, 1), AX_OK);
    must_close(first_of(child), world.session);
    expect(receive(world.sam, world.endpoint), AX_OK);
    has_close(world.sam, BADGE);
}
END_TEST

START_TEST(a_clone_of_a_clone) {
    uint64_t page = driver_map(world.client, 0x1000000, 1, RW);
    put_byte(world.one, page, 1);
    struct thread *child = first_of(child_of(clone(world.one, AX_PLACE_ANY)));
    ax_result handle = clone(child, AX_PLACE_ANY);
    struct thread *grandchild = first_of(
        container_of(driver_object(child->process, (ax_handle)handle), struct process, object));
    put_byte(child, page, 2);
    ck_assert_uint_eq(byte_at(grandchild, page), 1);
    ck_assert_uint_eq(byte_at(world.one, page), 1);
    put_byte(grandchild, page, 3);
    ck_assert_uint_eq(byte_at(world.one, page), 1);
}
END_TEST

START_TEST(the_handle_goes_to_a_named_place) {
    expect(clone(world.one, AX_PLACE(0, 900)), 900);
    expect(clone(world.one, AX_PLACE(0, 900)), AX_ERR_EXISTS);
    ck_assert_uint_eq(handles_to(world.client, 900), 1);
}
END_TEST

START_TEST(cloning_is_refused_as_a_whole) {
    uint64_t processes = kernel->counters.processes;
    expect(kcall(world.one, AX_CALL_PROCESS_CLONE, AX_USER_END, STACK, 0, 0), AX_ERR_ARGUMENT);
    expect(clone(world.one, AX_PLACE(world.session, 0)), AX_ERR_TYPE);
    expect(clone(world.one, AX_PLACE(stale(world.one), 0)), AX_ERR_HANDLE);
    ck_assert_uint_eq(kernel->counters.processes, processes);
}
END_TEST

START_TEST(an_interrupt_is_not_inherited) {
    interrupt(world.one);
    struct thread *child = first_of(child_of(clone(world.one, AX_PLACE_ANY)));
    ck_assert(!child->interrupted);
    expect(kcall(world.one, AX_CALL_THREAD_CONTROL, 0, AX_THREAD_TAKE), 1);
}
END_TEST

/* ---- Large ones ------------------------------------------------------------------------------ */

static void fill(struct thread *thread, uint64_t address, uint64_t pages) {
    for (uint64_t i = 0; i < pages; i++)
        put_byte(thread, address + i * AX_PAGE_SIZE, (uint8_t)(i * 7 + 1));
}

static void check_filled(struct thread *thread, uint64_t address, uint64_t pages) {
    for (uint64_t i = 0; i < pages; i++)
        ck_assert_uint_eq(byte_at(thread, address + i * AX_PAGE_SIZE), (uint8_t)(i * 7 + 1));
}

START_TEST(many_regions_are_cloned_in_portions) {
    enum { REGIONS = 200 };
    for (unsigned i = 0; i < REGIONS; i++)
        driver_map(world.client, 0x1000000 + i * 2 * AX_PAGE_SIZE, 1,
                   i % 2 != 0 ? RW : AX_PROT_READ);
    uint64_t restarts = kernel->counters.restarts;
    struct process *child = child_of(clone(world.one, AX_PLACE_ANY));
    ck_assert_uint_ge(kernel->counters.restarts, restarts + REGIONS / WORK_PORTION);
    ck_assert_uint_eq(child->space.region_count, world.client->space.region_count);
}
END_TEST

START_TEST(many_handles_are_cloned_in_portions) {
    for (unsigned i = 0; i < 700; i++)
        driver_handle(world.client, &world.server->object, AX_RIGHT_INSPECT);
    uint32_t before = world.server->object.handles;
    uint64_t restarts = kernel->counters.restarts;
    child_of(clone(world.one, AX_PLACE_ANY));
    ck_assert_uint_ge(kernel->counters.restarts, restarts + 700 / WORK_PORTION);
    ck_assert_uint_eq(world.server->object.handles, before + 700);
}
END_TEST

START_TEST(a_hundred_pages_are_cloned_in_portions) {
    enum { PAGES = 100 };
    uint64_t address = driver_map(world.client, 0x1000000, PAGES, RW);
    fill(world.one, address, PAGES);
    uint64_t frames = kernel->frames.free_count;
    uint64_t restarts = kernel->counters.restarts;
    struct thread *child = first_of(child_of(clone(world.one, AX_PLACE_ANY)));
    ck_assert_uint_gt(kernel->counters.restarts, restarts);
    ck_assert_uint_gt(kernel->frames.free_count + PAGES / 2, frames); /* shared, not copied */
    check_filled(child, address, PAGES);
    put_byte(world.one, address + 50 * AX_PAGE_SIZE, 0);
    check_filled(child, address, PAGES);
}
END_TEST

static void clone_world(void) {
    ax_result result = clone(world.one, AX_PLACE(0, 2000));
    ck_assert(result == 2000 || result == AX_ERR_MEMORY || result == AX_ERR_LIMIT);
    ck_assert_ptr_null(world.one->clone);
}

START_TEST(cloning_fails_cleanly_without_memory) {
    fill(world.one, driver_map(world.client, 0x1000000, 5, RW), 5);
    map_shared(world.one, 0);
    with_failures(clone_world);
}
END_TEST

START_TEST(a_child_that_the_account_cannot_pay_for_is_not_made) {
    struct process *process = driver_process_of(world.small_account);
    struct thread *thread = driver_thread(process);
    uint64_t page = driver_map(process, 0x1000000, 2, RW);
    put_byte(thread, page, 1);
    make(thread, AX_TYPE_EVENT); /* there is a table of handles */
    uint64_t bytes = world.small_account->used_bytes;
    uint64_t objects = world.small_account->used_objects;
    world.small_account->limit_bytes = bytes + 5000;
    driver_root()->account->limit_bytes += (100 << 10) - bytes - 5000;
    expect(clone(thread, AX_PLACE_ANY), AX_ERR_LIMIT);
    ck_assert_uint_eq(world.small_account->used_bytes, bytes);
    ck_assert_uint_eq(world.small_account->used_objects, objects);
    put_byte(thread, page, 2);
}
END_TEST

START_TEST(a_process_that_dies_while_it_clones_leaves_nothing) {
    /* Made in portions by hand: the fixture would let it finish. */
    enum { PAGES = 100 };
    driver_stop();
    struct driver_config config = {.model = {.cpu_count = 2, .table_frames = true}, .manual = true};
    driver_start(&config);
    struct process *parent = driver_process();
    struct thread *thread = driver_thread(parent);
    uint64_t address = driver_map(parent, 0x1000000, PAGES, RW);
    for (uint64_t i = 0; i < PAGES; i++)
        driver_write(parent, address + i * AX_PAGE_SIZE, "x", 1);
    uint64_t processes = kernel->counters.processes;
    expect(clone(thread, AX_PLACE_ANY), DRIVER_RESTART);
    ck_assert_uint_eq(kernel->counters.processes, processes + 1);
    driver_check_invariants();
    end(parent, AX_CAUSE_KILLED);
    driver_settle();
    driver_check_invariants();
    ck_assert_uint_eq(kernel->counters.processes, processes);
    driver_stop();
    ipc_start();
}
END_TEST

void process_clone_tests(Suite *suite) {
    TCase *tcase = ipc_case(suite, "process_clone");
    tcase_add_test(tcase, the_child_has_one_thread_that_starts_where_told);
    tcase_add_test(tcase, the_child_has_the_callers_thread_page_slot);
    tcase_add_test(tcase, a_personality_is_inherited);
    tcase_add_test(tcase, private_memory_is_copied_when_it_is_written);
    tcase_add_test(tcase, shared_memory_stays_shared);
    tcase_add_test(tcase, handles_have_the_same_value);
    tcase_add_test(tcase, replies_and_devices_stay_behind);
    tcase_add_test(tcase, a_stale_handle_stays_stale_in_the_child);
    tcase_add_test(tcase, an_open_session_has_two_holders_then);
    tcase_add_test(tcase, a_clone_of_a_clone);
    tcase_add_test(tcase, the_handle_goes_to_a_named_place);
    tcase_add_test(tcase, cloning_is_refused_as_a_whole);
    tcase_add_test(tcase, an_interrupt_is_not_inherited);
    tcase_add_test(tcase, many_regions_are_cloned_in_portions);
    tcase_add_test(tcase, many_handles_are_cloned_in_portions);
    tcase_add_test(tcase, a_hundred_pages_are_cloned_in_portions);
    tcase_add_test(tcase, cloning_fails_cleanly_without_memory);
    tcase_add_test(tcase, a_child_that_the_account_cannot_pay_for_is_not_made);
    tcase_add_test(tcase, a_process_that_dies_while_it_clones_leaves_nothing);
}
