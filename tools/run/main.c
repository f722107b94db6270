/* SPDX-License-Identifier: MIT */
/* axolotl-run: what scripts/run starts. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "crash.h"
#include "get.h"
#include "input.h"
#include "machine.h"
#include "options.h"
#include "place.h"
#include "request.h"
#include "session.h"
#include "status.h"
#include "tell.h"
#include "terminal.h"

extern const char help_text[]; /* help.S */

struct run {
    struct options options;
    struct place status, trace;
    struct get *get;
    struct machine machine;
    bool has_started;
    struct ending ending;
};

static uint64_t time_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

/* All that can go wrong before there is a machine. */
static bool run_prepare(struct run *run, int *archive, struct failure *failure) {
    const struct options *options = &run->options;
    /* Until there is a session a signal ends this program at once, and there is nothing to undo. */
    if ((options->has_seed && !input_collect(failure)) || !session_prepare(failure))
        return false;
    if (options->status != NULL && !place_open(&run->status, options->status, failure))
        return false;
    if (options->trace != NULL && !place_open(&run->trace, options->trace, failure))
        return false;
    run->get = get_begin(options, failure);
    if (run->get == NULL)
        return false;
    *archive = request_make(options, failure);
    return *archive >= 0;
}

static bool run_start(struct run *run, struct failure *failure) {
    int archive;
    if (!run_prepare(run, &archive, failure) || !machine_prepare(failure))
        return false;
    crash_begin(&run->options, archive);
    run->has_started = terminal_enter(failure) &&
                       machine_start(&run->machine, &run->options, archive, run->trace.fd, failure);
    if (run->options.lock >= 0)
        close(run->options.lock);
    return run->has_started;
}

static void run_fail(struct run *run, const struct failure *failure) {
    run->ending.outcome = OUTCOME_FAILED;
    snprintf(run->ending.reason, sizeof(run->ending.reason), "%s", failure->text);
}

/* What is to be written appears, whatever happened. */
static int run_finish(struct run *run) {
    struct failure failure = {0};
    bool is_written = true;
    terminal_leave();
    machine_clean();
    ending_tell(&run->ending, &run->options);
    if (run->has_started)
        get_end(run->get, run->ending.outcome == OUTCOME_FAILED ? "the machine failed"
                                                                : "the machine was ended before");
    if (run->trace.fd >= 0 && run->ending.was_writing) {
        tell("%s is not complete: the machine was still writing it %llu s after its end",
             run->options.trace, (unsigned long long)(SESSION_PATIENCE_NS / 1000000000U));
        is_written = false;
    }
    if (run->trace.fd >= 0 && !place_finish(&run->trace, (mode_t)-1, &failure)) {
        tell("%s", failure.text);
        is_written = false;
    }
    if (run->options.status != NULL && run->status.fd < 0 && run->ending.outcome == OUTCOME_FAILED)
        place_open(&run->status, run->options.status, &failure); /* the command line was wrong */
    if (run->status.fd >= 0 &&
        !ending_write(&run->ending, &run->options, run->has_started ? run->get : NULL, &run->status,
                      &failure)) {
        tell("%s", failure.text);
        is_written = false;
    }
    place_drop(&run->trace);
    place_drop(&run->status);
    return is_written ? ending_status(&run->ending) : 125;
}

int main(int argc, char **argv) {
    static struct run run = {.status.fd = -1, .trace.fd = -1};
    struct failure failure = {0};
    uint64_t begin_ns = time_ns();
    signal(SIGXFSZ, SIG_IGN); /* a limit on the size of files is an error like a full disk */
    input_prepare();
    bool is_right = options_read(&run.options, argc, argv, &failure);
    if (is_right && run.options.wants_help) {
        fputs(help_text, stdout);
        return fflush(stdout) == 0 ? EXIT_SUCCESS : 125;
    }
    if (is_right && run_start(&run, &failure))
        session_run(&run.options, &run.machine, run.get, &run.ending);
    else
        run_fail(&run, &failure);
    run.ending.duration_ns = time_ns() - begin_ns;
    return run_finish(&run);
}
