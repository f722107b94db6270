/* SPDX-License-Identifier: MIT */
/* The program: started, waited for, stopped if need be. */
#include "init.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <crash/crash.h>
#include <proto/stream.h>
#include <sys/start.h>

/* What runs if nobody says what else should. */
#define MONITOR "/bin/monitor"

#define STOP_NS     UINT64_C(2000000000) /* between TERM and KILL */
#define PROGRAM_PID 2
#define SIGNAL_TERM 15
#define SIGNAL_KILL 9

static void ended_send(enum ax_run_end end, uint64_t value, const char *text) {
    uint64_t words[RUN_WORDS] = {end, value};
    control_send(AX_RUN_ENDED, words, text, strlen(text));
}

/* ---- Starting -------------------------------------------------------------------------------- */

/* Linux's error number for what the loader refused. */
static int error_of(ax_result result) {
    switch (result) {
    case AX_ERR_MEMORY:
    case AX_ERR_LIMIT: return ENOMEM;
    default: return ENOEXEC;
    }
}

/* What a program gets of init's, and what only the monitor gets. */
static const struct gift {
    const char *name;
    uint32_t rights;
    bool is_monitors;
} gifts[] = {
    {AX_START_STDIN, AX_RIGHT_CALL | AX_RIGHT_WAIT | AX_RIGHT_COPY | AX_RIGHT_MOVE, false},
    {AX_START_STDOUT, AX_RIGHT_CALL | AX_RIGHT_WAIT | AX_RIGHT_COPY | AX_RIGHT_MOVE, false},
    {AX_START_STDERR, AX_RIGHT_CALL | AX_RIGHT_WAIT | AX_RIGHT_COPY | AX_RIGHT_MOVE, false},
    {"supervisor", AX_RIGHT_HANDLES | AX_RIGHT_INSPECT, true},
    {"system", AX_RIGHT_READ, true},
};

#define GIFT_COUNT (sizeof(gifts) / sizeof(gifts[0]))

static size_t gifts_gather(bool is_monitor, struct load_handle handles[GIFT_COUNT]) {
    size_t count = 0;
    for (size_t i = 0; i < GIFT_COUNT; i++) {
        ax_handle handle = ax_start_handle(gifts[i].name);
        if (handle != AX_HANDLE_NONE && (is_monitor || !gifts[i].is_monitors))
            handles[count++] = (struct load_handle){
                .name = gifts[i].name, .handle = handle, .rights = gifts[i].rights};
    }
    return count;
}

static char path[CPIO_NAME_MAX + 1]; /* of the program */

static bool program_start(struct load_result *started) {
    static const char *const monitor_arguments[] = {"monitor", NULL};
    struct cpio_entry entry;
    struct load_handle handles[GIFT_COUNT];
    bool is_monitor = init.request.arguments.count == 0;
    const char *name = is_monitor ? MONITOR : init.arguments[0];
    int error = program_find(name, path, &entry);
    if (error != 0) {
        bool is_there = error != ENOENT;
        ended_send(is_there ? AX_RUN_END_NOT_EXECUTABLE : AX_RUN_END_NOT_FOUND,
                   is_there ? (uint64_t)error : 0, is_there ? strerror(error) : name);
        return false;
    }
    const struct ax_start *own = ax_start();
    struct load_request request = {
        .program = {init.image_memory, entry.offset, cpio_content(&init.image, &entry),
                    entry.size_bytes},
        .personality = init.personality,
        .path = path,
        .arguments = is_monitor ? monitor_arguments : init.arguments,
        .environment = init.environment,
        .account = own->account,
        .log = own->log,
        .handles = handles,
        .handle_count = gifts_gather(is_monitor, handles),
        .priority = -1,
        .pid = PROGRAM_PID,
        .parent = 1,
        .cpu_count = own->cpu_count,
        .memory_bytes = own->memory_bytes,
        .cpu = own->cpu,
        .realtime_ns = own->realtime_ns,
        .is_fixed = (init.request.flags & AX_RUN_FIXED) != 0,
    };
    if (getrandom(request.entropy, sizeof(request.entropy), 0) != sizeof(request.entropy))
        die("init gets no random numbers");
    ax_result result = load_process(&request, started);
    if (result == AX_OK)
        return true;
    ended_send(AX_RUN_END_NOT_EXECUTABLE, (uint64_t)error_of(result), started->failed);
    return false;
}

/* ---- Waiting --------------------------------------------------------------------------------- */

static void program_signal(ax_handle process, int signal) {
    (void)ax_process_end(process, AX_CAUSE_KILLED, signal);
}

/* What somebody outside wants. */
static void messages_serve(ax_handle process, uint64_t *deadline_ns) {
    struct run_message message;
    while (control_take(&message)) {
        if (message.kind != AX_RUN_STOP)
            continue; /* RESIZE: nobody here knows of terminals yet */
        if (message.words[0] == AX_RUN_STOP_TIMEOUT)
            report_send();
        program_signal(process, SIGNAL_TERM);
        *deadline_ns = ax_clock_ns() + STOP_NS;
    }
}

static void program_await(ax_handle process) {
    uint64_t deadline_ns = AX_TIME_NEVER;
    for (;;) {
        struct ax_wait_item items[2] = {
            {.handle = process, .mask = AX_SIGNAL_ENDED},
            {.handle = control, .mask = AX_SIGNAL_READABLE | AX_SIGNAL_HANGUP},
        };
        size_t count = control != AX_HANDLE_NONE ? 2 : 1;
        ax_result result = ax_object_wait_many(items, count, deadline_ns);
        if (result == 0)
            return;
        if (result == 1)
            messages_serve(process, &deadline_ns);
        else if (result == AX_ERR_TIMEOUT)
            program_signal(process, SIGNAL_KILL);
        else if (result != AX_ERR_INTERRUPTED)
            die("init cannot wait: error %lld", (long long)result);
    }
}

static const char *path_last(void) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* The calls that it made in vain. */
static void unknown_tell(ax_handle process) {
    static struct ax_linux_state state;
    if (ax_process_read(process, AX_PERSONALITY_DATA, &state, sizeof(state)) !=
            (ax_result)sizeof(state) ||
        state.magic != AX_LINUX_STATE_MAGIC)
        return;
    for (uint32_t i = 0; i <= AX_LINUX_NUMBERS; i++) {
        char text[CPIO_NAME_MAX + 100];
        const char *name = call_name(i);
        if (state.unknown[i] == 0)
            continue;
        const char *above = i == AX_LINUX_NUMBERS ? " or above" : "";
        const char *often = state.unknown[i] == 1 ? "" : "s";
        int length =
            snprintf(text, sizeof(text),
                     "%s: Linux call %u%s%s%s%s is not there, or not in this way: made %u time%s",
                     path_last(), i, above, name != NULL ? " (" : "", name != NULL ? name : "",
                     name != NULL ? ")" : "", state.unknown[i], often);
        control_send(AX_RUN_NOTE, NULL, text, (size_t)length);
    }
}

static void end_tell(ax_handle process) {
    struct ax_object_info info;
    const struct crash_subject subject = {.process = process,
                                          .log = ax_start()->log,
                                          .name = path_last(),
                                          .path = path,
                                          .pid = PROGRAM_PID};
    if (ax_object_info(process, &info) != AX_OK)
        die("the program's end cannot be asked for");
    crash_report(&subject);
    if ((init.request.flags & AX_RUN_VERBOSE) != 0)
        unknown_tell(process);
    int signal = ax_end_signal(info.process.cause, info.process.fault, info.process.code);
    if (signal != 0)
        ended_send(AX_RUN_END_SIGNAL, (uint64_t)signal, "");
    else
        ended_send(AX_RUN_END_EXIT, (uint64_t)info.process.code & 0xff, "");
}

void program_run(void) {
    struct load_result started;
    if (!program_start(&started))
        return;
    (void)ax_handle_close(started.thread);
    program_await(started.process);
    end_tell(started.process);
    (void)ax_handle_close(started.process);
}
