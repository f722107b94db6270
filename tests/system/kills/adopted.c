/* SPDX-License-Identifier: MIT */
/*
 * What a supervisor makes of the servers that the one before left: `adopted counted|suspended`. It
 * is the machine's first program, and ends with one line.
 */
#include "kills.h"

#include <string.h>

#include <abi/root.h>
#include <proto/counter.h>

static const volatile struct ax_boot_page *boot;

static void root_await(uint64_t restarts) {
    while (boot->root_restarts != restarts)
        (void)ax_sleep_until(ax_clock_ns() + 1000000);
}

/* A call to the server, which answers whatever happened to it. */
static void counter_ask(void) {
    struct ax_message message;
    ax_message_init(&message, AX_COUNTER_OPEN);
    ax_message_word(&message, 0);
    must_call(SERVER_COUNTER, ax_start_handle("counter"), &message, 1);
    CHECK(message.operation == 0, "status %lld", (long long)message.operation);
}

static ax_handle instance_of(uint32_t index) {
    ax_handle process =
        supervisor_handle(SUPERVISOR_SERVER(index, SUPERVISOR_PROCESS), AX_RIGHT_ALL);
    CHECK(process != AX_HANDLE_NONE, "there is no instance");
    return process;
}

static uint64_t id_of(ax_handle object) {
    struct ax_object_info info;
    CHECK(ax_object_info(object, &info) == AX_OK, "no information");
    return info.object_id;
}

/* The server fails, and the supervisor dies while it counts that: the count is right all the same
 * (supervisor_dies.c). */
static void counted(uint32_t index) {
    const volatile struct supervisor_server *own = &status->servers[index];
    CHECK(ax_process_end(instance_of(index), AX_CAUSE_HUNG, 0) == AX_OK, "end");
    root_await(1);
    counter_ask();
    CHECK(own->restarts == 1, "%u restarts", own->restarts);
    CHECK(own->deaths == 1, "%u deaths in a row", own->deaths);
    CHECK(own->early == 1, "%u early failures", own->early);
    printf("adopted: counted once\n");
}

/* The server is suspended, as somebody may who looks at it, when the supervisor dies. It is the
 * same instance that goes on. */
static void suspended(uint32_t index) {
    ax_handle instance = instance_of(index);
    uint32_t other = server_find("other");
    uint64_t id = id_of(instance);
    counter_ask();
    CHECK(ax_process_suspend(instance) == AX_OK, "suspend");
    CHECK(ax_process_end(supervisor_handle(AX_ROOT_PROCESS, AX_RIGHT_CONTROL), AX_CAUSE_KILLED,
                         0) == AX_OK,
          "the supervisor is not there");
    root_await(1);
    /* Whoever starts servers anew has adopted all of them before. */
    while (!instance_kill(other))
        (void)ax_sleep_until(ax_clock_ns() + 1000000);
    while (status->servers[other].restarts != 1 ||
           status->servers[other].state != SUPERVISOR_RUNNING)
        (void)ax_sleep_until(ax_clock_ns() + 1000000);
    CHECK(status->servers[index].restarts == 0, "%u restarts", status->servers[index].restarts);
    CHECK(id_of(instance_of(index)) == id, "it is another instance");
    CHECK(ax_process_resume(instance) == AX_OK, "resume");
    counter_ask();
    printf("adopted: the same instance goes on\n");
}

int main(int argc, char **argv) {
    CHECK(argc == 2, "usage: adopted counted|suspended");
    supervisor_open();
    boot = supervisor_page(AX_ROOT_BOOT);
    uint32_t index = server_find("counter");
    if (strcmp(argv[1], "counted") == 0)
        counted(index);
    else
        suspended(index);
    fflush(stdout);
    return 0;
}
