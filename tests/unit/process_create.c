/* SPDX-License-Identifier: MIT */
/* process_create, process_end, and what a process leaves. */
#include "process_tests.h"

static ax_result create(struct thread *thread, ax_handle account, ax_place place) {
    return kcall(thread, AX_CALL_PROCESS_CREATE, account, place);
}

static ax_result end_by(struct thread *thread, ax_handle process, uint64_t cause, uint64_t code) {
    return kcall(thread, AX_CALL_PROCESS_END, process, cause, code);
}

static struct process *process_of(struct process *holder, ax_handle handle) {
    return container_of(driver_object(holder, handle), struct process, object);
}

START_TEST(a_process_begins_empty_with_all_rights) {
    ax_result handle = create(world.one, AX_HANDLE_NONE, AX_PLACE_ANY);
    ck_assert_int_gt(handle, 0);
    struct ax_object_info info = info_of(world.one, (ax_handle)handle);
    ck_assert_uint_eq(info.type, AX_TYPE_PROCESS);
    ck_assert_uint_eq(info.process.threads, 0);
    ck_assert_uint_eq(info.process.handles, 0);
    ck_assert_uint_eq(info.process.cause, AX_CAUSE_NONE);
    ck_assert_uint_eq(info.process.account, world.client_account->object.id);
    uint32_t rights;
    struct object *object;
    expect(
        handle_lookup_rights(world.client, (ax_handle)handle, AX_TYPE_PROCESS, 0, &object, &rights),
        AX_OK);
    ck_assert_uint_eq(rights, AX_RIGHT_PROCESS);
}
END_TEST

START_TEST(another_account_pays) {
    ax_handle account = driver_handle(world.client, &world.server_account->object, AX_RIGHT_CHARGE);
    uint64_t objects = world.server_account->used_objects;
    ax_result handle = create(world.one, account, AX_PLACE_ANY);
    ck_assert_int_gt(handle, 0);
    ck_assert_uint_eq(world.server_account->used_objects, objects + 1);
    ck_assert_uint_eq(info_of(world.one, (ax_handle)handle).process.account,
                      world.server_account->object.id);
}
END_TEST

START_TEST(creating_needs_an_account_and_a_place) {
    ax_handle account =
        driver_handle(world.client, &world.server_account->object, AX_RIGHT_ALL & ~AX_RIGHT_CHARGE);
    expect(create(world.one, account, 0), AX_ERR_RIGHTS);
    expect(create(world.one, world.session, 0), AX_ERR_TYPE);
    expect(create(world.one, stale(world.one), 0), AX_ERR_HANDLE);
    expect(create(world.one, 0, AX_PLACE(world.session, 0)), AX_ERR_TYPE);
    uint32_t taken = world.session & AX_HANDLE_INDEX_MASK;
    expect(create(world.one, 0, AX_PLACE(0, taken)), AX_ERR_EXISTS);
    expect(create(world.one, 0, AX_PLACE(0, AX_HANDLE_INDEX_MASK + 1U)), AX_ERR_ARGUMENT);
    expect(create(world.one, 0, AX_PLACE(0, 700)), 700);
}
END_TEST

START_TEST(a_process_goes_with_its_last_handle_if_it_has_no_thread) {
    uint64_t processes = kernel->counters.processes;
    uint64_t bytes = world.client_account->used_bytes;
    ax_handle handle = (ax_handle)create(world.one, 0, 0);
    expect(kcall(world.one, AX_CALL_HANDLE_TRANSFER, 0, world.session, AX_PLACE(handle, 0),
                 AX_RIGHT_ALL, 0),
           1);
    must_close(world.one, handle);
    ck_assert_uint_eq(kernel->counters.processes, processes);
    ck_assert_uint_eq(world.client_account->used_bytes, bytes);
}
END_TEST

START_TEST(a_process_with_a_thread_lives_without_a_handle) {
    uint64_t processes = kernel->counters.processes;
    ax_handle handle = (ax_handle)create(world.one, 0, 0);
    struct process *process = process_of(world.client, handle);
    ax_result made = kcall(world.one, AX_CALL_THREAD_CREATE, handle, 0x400000, 0x7f0000, 0, 0);
    ck_assert_int_gt(made, 0);
    must_close(world.one, (ax_handle)made);
    must_close(world.one, handle);
    struct thread *thread = list_entry(list_first(&process->threads), struct thread, in_process);
    ck_assert_uint_eq(kernel->counters.processes, processes + 1);
    expect(kcall(thread, AX_CALL_THREAD_EXIT, 0, 0), DRIVER_ENDED);
    ck_assert_uint_eq(kernel->counters.processes, processes);
}
END_TEST

static void create_process(void) {
    ax_result result = create(world.one, 0, AX_PLACE(0, 2000));
    ck_assert(result == 2000 || result == AX_ERR_MEMORY);
}

START_TEST(creating_fails_cleanly_without_memory) {
    with_failures(create_process);
}
END_TEST

/* ---- process_end ----------------------------------------------------------------------------- */

START_TEST(an_end_tells_its_cause_and_code) {
    static const enum ax_cause causes[] = {AX_CAUSE_EXIT, AX_CAUSE_KILLED, AX_CAUSE_FAULT,
                                           AX_CAUSE_HUNG};
    for (unsigned i = 0; i < 4; i++) {
        struct process *process = driver_process();
        driver_thread(process);
        ax_handle handle = grant(process, world.client, AX_RIGHT_ALL);
        expect(end_by(world.one, handle, causes[i], (uint64_t)-7), AX_OK);
        struct ax_object_info info = info_of(world.one, handle);
        ck_assert_uint_eq(info.signals & AX_SIGNAL_ENDED, AX_SIGNAL_ENDED);
        ck_assert_uint_eq(info.process.cause, causes[i]);
        ck_assert_int_eq(info.process.code, -7);
        ck_assert_uint_eq(info.process.threads, 0);
        ck_assert_uint_eq(info.process.handles, 0);
        expect(end_by(world.one, handle, AX_CAUSE_KILLED, 0), AX_ERR_ENDED);
    }
}
END_TEST

START_TEST(a_process_ends_itself) {
    ax_handle handle = grant(world.server, world.client, AX_RIGHT_ALL);
    expect(end_by(world.sam, AX_HANDLE_NONE, AX_CAUSE_EXIT, 3), DRIVER_ENDED);
    struct ax_object_info info = info_of(world.one, handle);
    ck_assert_uint_eq(info.process.cause, AX_CAUSE_EXIT);
    ck_assert_int_eq(info.process.code, 3);
    ck_assert_uint_eq(world.sue->state, THREAD_ENDED);
}
END_TEST

START_TEST(a_process_ends_itself_by_a_handle) {
    ax_handle own = grant(world.server, world.server, AX_RIGHT_CONTROL);
    ax_handle handle = grant(world.server, world.client, AX_RIGHT_ALL);
    expect(end_by(world.sam, own, AX_CAUSE_EXIT, 4), DRIVER_ENDED);
    ck_assert_int_eq(info_of(world.one, handle).process.code, 4);
}
END_TEST

START_TEST(a_fault_is_told) {
    ax_handle handle = grant(world.server, world.client, AX_RIGHT_ALL);
    ck_assert_ptr_null(driver_touch(world.sam, 0x123000, AX_PROT_WRITE));
    struct ax_object_info info = info_of(world.one, handle);
    ck_assert_uint_eq(info.process.cause, AX_CAUSE_FAULT);
    ck_assert_uint_eq(info.process.fault, AX_FAULT_UNMAPPED);
    ck_assert_uint_eq(info.process.address, 0x123000);
}
END_TEST

START_TEST(ending_needs_the_right_and_a_cause) {
    ax_handle weak = grant(world.server, world.client, AX_RIGHT_ALL & ~AX_RIGHT_CONTROL);
    ax_handle strong = grant(world.server, world.client, AX_RIGHT_CONTROL);
    expect(end_by(world.one, weak, AX_CAUSE_KILLED, 0), AX_ERR_RIGHTS);
    expect(end_by(world.one, world.session, AX_CAUSE_KILLED, 0), AX_ERR_TYPE);
    expect(end_by(world.one, stale(world.one), AX_CAUSE_KILLED, 0), AX_ERR_HANDLE);
    expect(end_by(world.one, strong, AX_CAUSE_NONE, 0), AX_ERR_ARGUMENT);
    expect(end_by(world.one, strong, AX_CAUSE_BOUNCE, 0), AX_ERR_ARGUMENT);
    expect(end_by(world.one, strong, AX_CAUSE_MACHINE, 0), AX_ERR_ARGUMENT);
    expect(end_by(world.one, strong, UINT64_MAX, 0), AX_ERR_ARGUMENT);
    expect(end_by(world.one, strong, AX_CAUSE_KILLED, 0), AX_OK);
}
END_TEST

START_TEST(ended_is_raised_when_handles_are_gone) {
    ax_handle event = make(world.one, AX_TYPE_EVENT);
    driver_copy(world.client, event, world.server, AX_RIGHT_ALL);
    ax_handle handle = grant(world.server, world.client, AX_RIGHT_ALL);
    expect(kcall(world.two, AX_CALL_OBJECT_WAIT, handle, AX_SIGNAL_ENDED, AX_TIME_NEVER),
           DRIVER_BLOCKED);
    end(world.server, AX_CAUSE_KILLED);
    expect(driver_answer(world.two), AX_SIGNAL_ENDED);
    ck_assert_uint_eq(handles_to(world.client, event), 1);
}
END_TEST

START_TEST(threads_blocked_in_anything_end) {
    ax_handle event = make(world.sam, AX_TYPE_EVENT);
    ax_handle queue = make(world.sam, AX_TYPE_QUEUE);
    struct process *process = world.server;
    struct thread *threads[5];
    for (unsigned i = 0; i < 5; i++)
        threads[i] = driver_thread(process);
    uint64_t word = driver_map(process, 0, 1, AX_PROT_READ | AX_PROT_WRITE);
    expect(kcall(threads[0], AX_CALL_OBJECT_WAIT, event, 1, AX_TIME_NEVER), DRIVER_BLOCKED);
    expect(kcall(threads[1], AX_CALL_QUEUE_WAIT, queue, 4, AX_TIME_NEVER), DRIVER_BLOCKED);
    expect(kcall(threads[2], AX_CALL_FUTEX_WAIT, word, 0, ~0U, AX_TIME_NEVER), DRIVER_BLOCKED);
    waits(threads[3], world.endpoint);
    rests(threads[4]);
    end(process, AX_CAUSE_KILLED);
    for (unsigned i = 0; i < 5; i++)
        ck_assert_uint_eq(threads[i]->state, THREAD_ENDED);
}
END_TEST

START_TEST(a_process_of_many_handles_ends_in_portions) {
    struct process *process = driver_process_of(world.client_account);
    driver_thread(process);
    for (unsigned i = 0; i < 1000; i++)
        driver_handle(process, &world.server->object, AX_RIGHT_INSPECT);
    uint32_t before = world.server->object.handles;
    end(process, AX_CAUSE_KILLED);
    ck_assert_uint_eq(world.server->object.handles, before - 1000);
    ck_assert_uint_eq(process->state, PROCESS_CORPSE);
}
END_TEST

/* ---- Corpses --------------------------------------------------------------------------------- */

START_TEST(a_corpse_is_read_until_it_is_released) {
    uint64_t page = driver_map(world.server, 0, 1, AX_PROT_READ | AX_PROT_WRITE);
    driver_write(world.server, page, "remains", 8);
    uint64_t own = driver_map(world.client, 0, 1, AX_PROT_READ | AX_PROT_WRITE);
    ax_handle handle = grant(world.server, world.client, AX_RIGHT_ALL);
    world.sam->user.regs.rbx = 4242;
    crash(world.sam);
    char text[8];
    expect(kcall(world.one, AX_CALL_PROCESS_COPY, handle, page, own, 8, 0), 8);
    driver_read(world.client, own, text, 8);
    ck_assert_str_eq(text, "remains");
    ax_result thread = kcall(world.one, AX_CALL_PROCESS_CONTROL, handle, AX_PROCESS_THREAD, 0, 0);
    ck_assert_int_gt(thread, 0);
    expect(kcall(world.one, AX_CALL_THREAD_CONTROL, (ax_handle)thread, AX_THREAD_GET_REGS), AX_OK);
    struct ax_regs regs;
    memcpy(&regs, world.one->page->buffer, sizeof(regs));
    ck_assert_uint_eq(regs.rbx, 4242);
    uint64_t used = world.server_account->used_bytes;
    expect(kcall(world.one, AX_CALL_PROCESS_CONTROL, handle, AX_PROCESS_RELEASE), AX_OK);
    ck_assert_uint_lt(world.server_account->used_bytes + 2 * AX_PAGE_SIZE, used);
    expect(kcall(world.one, AX_CALL_PROCESS_COPY, handle, page, own, 8, 0), AX_ERR_ENDED);
    expect(kcall(world.one, AX_CALL_THREAD_CONTROL, (ax_handle)thread, AX_THREAD_GET_REGS),
           AX_OK); /* the handle keeps the thread */
    expect(kcall(world.one, AX_CALL_PROCESS_CONTROL, handle, AX_PROCESS_THREAD, 0, 0),
           AX_ERR_NOT_FOUND);
    ck_assert_uint_eq(info_of(world.one, handle).process.cause, AX_CAUSE_FAULT);
    expect(kcall(world.one, AX_CALL_PROCESS_CONTROL, handle, AX_PROCESS_RELEASE), AX_OK);
}
END_TEST

START_TEST(only_a_corpse_is_released) {
    ax_handle handle = grant(world.server, world.client, AX_RIGHT_CONTROL);
    expect(kcall(world.one, AX_CALL_PROCESS_CONTROL, handle, AX_PROCESS_RELEASE), AX_ERR_STATE);
}
END_TEST

START_TEST(a_corpse_goes_with_its_last_handle) {
    uint64_t processes = kernel->counters.processes;
    end(world.server, AX_CAUSE_KILLED);
    must_close(driver_root_thread(), driver_process_handle(world.server));
    ck_assert_uint_eq(kernel->counters.processes, processes - 1);
    /* What the client's session needs is all that is left. */
    ck_assert_uint_eq(world.server_account->used_bytes,
                      heap_charge(sizeof(struct session)) + heap_charge(sizeof(struct endpoint)));
}
END_TEST

START_TEST(a_corpse_gives_way_when_its_account_has_nothing_left) {
    struct process *first = driver_process_of(world.small_account);
    driver_thread(first);
    uint64_t page = driver_map(first, 0, 4, AX_PROT_READ | AX_PROT_WRITE);
    char text[4 * AX_PAGE_SIZE] = {1};
    driver_write(first, page, text, sizeof(text));
    end(first, AX_CAUSE_KILLED);
    ck_assert(!first->released);
    struct process *second = driver_process_of(world.small_account);
    struct thread *thread = driver_thread(second);
    uint64_t more = driver_map(second, 0, 20, AX_PROT_READ | AX_PROT_WRITE);
    for (unsigned i = 0; i < 10; i++)
        ck_assert_ptr_nonnull(driver_touch(thread, more + i * AX_PAGE_SIZE, AX_PROT_WRITE));
    ck_assert(first->released);
    ck_assert_uint_eq(first->state, PROCESS_CORPSE);
}
END_TEST

/* A corpse with some pages, and a thread of the small account that has memory to touch. */
static struct process *corpse_of(struct account *account) {
    struct process *process = driver_process_of(account);
    driver_thread(process);
    uint64_t page = driver_map(process, 0, 4, AX_PROT_READ | AX_PROT_WRITE);
    char text[4 * AX_PAGE_SIZE] = {1};
    driver_write(process, page, text, sizeof(text));
    end(process, AX_CAUSE_KILLED);
    return process;
}

START_TEST(corpses_of_other_accounts_do_not_give_way_to_a_limit) {
    struct process *theirs = corpse_of(world.client_account);
    struct process *process = driver_process_of(world.small_account);
    struct thread *thread = driver_thread(process);
    uint64_t pages = driver_map(process, 0, 30, AX_PROT_READ | AX_PROT_WRITE);
    for (unsigned i = 0; i < 30; i++) {
        if (driver_touch(thread, pages + i * AX_PAGE_SIZE, AX_PROT_WRITE) == NULL)
            break;
    }
    ck_assert_uint_eq(process->fault, AX_FAULT_MEMORY);
    ck_assert(!theirs->released);
}
END_TEST

START_TEST(a_corpse_is_found_behind_many_others) {
    for (unsigned i = 0; i < 70; i++)
        end(driver_process_of(kernel->root_account), AX_CAUSE_KILLED);
    struct process *own = corpse_of(world.small_account);
    struct process *process = driver_process_of(world.small_account);
    struct thread *thread = driver_thread(process);
    uint64_t pages = driver_map(process, 0, 30, AX_PROT_READ | AX_PROT_WRITE);
    for (unsigned i = 0; i < 30 && !own->released; i++)
        driver_touch(thread, pages + i * AX_PAGE_SIZE, AX_PROT_WRITE);
    ck_assert(own->released);
}
END_TEST

/* A limit that no memory could lift costs nobody anything. */
START_TEST(a_fixed_limit_takes_no_corpse) {
    struct process *corpse = corpse_of(world.client_account);
    expect(kcall(world.one, AX_CALL_MEMORY_CREATE, UINT64_C(1) << 37, 0, 0), AX_ERR_LIMIT);
    ck_assert(!corpse->released);
}
END_TEST

/* Takes every frame and gives every other one back; or gives the rest back. */
static void frames_scatter(bool scattered) {
    static struct frame *taken[1024];
    static unsigned count;
    kernel_lock();
    while (scattered && count < 1024 && frame_alloc(NULL, 0, &taken[count]) == AX_OK)
        count++;
    for (unsigned i = 0; i < count; i++) {
        if (i % 2 == scattered)
            frame_unref(taken[i]);
    }
    count = scattered ? count : 0;
    kernel_unlock();
    driver_settle();
}

/* There is enough, but not in one piece: what others keep is not taken for that, own corpses are.
 */
START_TEST(scattered_frames_take_no_corpse_of_others) {
    struct process *theirs = corpse_of(world.client_account);
    struct process *own = corpse_of(world.small_account);
    struct thread *thread = driver_thread(driver_process());
    struct thread *heir = driver_thread(driver_process_of(world.small_account));
    frames_scatter(true);
    ck_assert_uint_gt(kernel->frames.free_count, 100);
    expect(kcall(thread, AX_CALL_MEMORY_CREATE, 2, AX_MEMORY_CONTIGUOUS), AX_ERR_MEMORY);
    ck_assert(!theirs->released && !own->released);
    (void)kcall(heir, AX_CALL_MEMORY_CREATE, 2, AX_MEMORY_CONTIGUOUS);
    ck_assert(!theirs->released && own->released);
    frames_scatter(false);
}
END_TEST

START_TEST(any_corpse_gives_way_when_the_machine_has_nothing_left) {
    struct process *theirs = corpse_of(world.client_account);
    uint64_t page = driver_map(world.server, 0, 1, AX_PROT_READ | AX_PROT_WRITE);
    driver_fail_after(1);
    ck_assert_ptr_nonnull(driver_touch(world.sam, page, AX_PROT_WRITE));
    ck_assert(driver_has_failed());
    ck_assert(theirs->released);
}
END_TEST

START_TEST(who_waits_for_a_process_without_threads_sees_it_go) {
    ax_handle handle = (ax_handle)create(world.one, 0, 0);
    expect(kcall(world.two, AX_CALL_OBJECT_WAIT, handle, AX_SIGNAL_ENDED, AX_TIME_NEVER),
           DRIVER_BLOCKED);
    must_close(world.one, handle);
    expect(driver_answer(world.two), AX_SIGNAL_ENDED);
}
END_TEST

void process_create_tests(Suite *suite) {
    TCase *tcase = ipc_case(suite, "process_create");
    tcase_add_test(tcase, a_process_begins_empty_with_all_rights);
    tcase_add_test(tcase, another_account_pays);
    tcase_add_test(tcase, creating_needs_an_account_and_a_place);
    tcase_add_test(tcase, a_process_goes_with_its_last_handle_if_it_has_no_thread);
    tcase_add_test(tcase, a_process_with_a_thread_lives_without_a_handle);
    tcase_add_test(tcase, creating_fails_cleanly_without_memory);
    tcase_add_test(tcase, an_end_tells_its_cause_and_code);
    tcase_add_test(tcase, a_process_ends_itself);
    tcase_add_test(tcase, a_process_ends_itself_by_a_handle);
    tcase_add_test(tcase, a_fault_is_told);
    tcase_add_test(tcase, ending_needs_the_right_and_a_cause);
    tcase_add_test(tcase, ended_is_raised_when_handles_are_gone);
    tcase_add_test(tcase, threads_blocked_in_anything_end);
    tcase_add_test(tcase, a_process_of_many_handles_ends_in_portions);
    tcase_add_test(tcase, a_corpse_is_read_until_it_is_released);
    tcase_add_test(tcase, only_a_corpse_is_released);
    tcase_add_test(tcase, a_corpse_goes_with_its_last_handle);
    tcase_add_test(tcase, a_corpse_gives_way_when_its_account_has_nothing_left);
    tcase_add_test(tcase, a_corpse_is_found_behind_many_others);
    tcase_add_test(tcase, a_fixed_limit_takes_no_corpse);
    tcase_add_test(tcase, corpses_of_other_accounts_do_not_give_way_to_a_limit);
    tcase_add_test(tcase, scattered_frames_take_no_corpse_of_others);
    tcase_add_test(tcase, any_corpse_gives_way_when_the_machine_has_nothing_left);
    tcase_add_test(tcase, who_waits_for_a_process_without_threads_sees_it_go);
}
