/* SPDX-License-Identifier: MIT */
/* Steps, in words. */
#include <stdio.h>

#include "search.h"

static const char *const verb_names[VERB_COUNT] = {
    [VERB_NONE] = "nothing",
    [VERB_CALL] = "makes call",
    [VERB_TAKE] = "takes its interrupt",
    [VERB_CLOSE] = "closes session",
    [VERB_EXIT] = "exits",
    [VERB_WAIT_GO] = "waits for its start",
    [VERB_LIST_CLOSED] = "lists closed sessions",
    [VERB_LIST_REDELIVERED] = "lists redelivered calls",
    [VERB_RETIRE] = "retires badge",
    [VERB_RECEIVE] = "receives",
    [VERB_POLL] = "receives without waiting",
    [VERB_EFFECT] = "makes the effect of call",
    [VERB_ANSWER] = "answers call",
    [VERB_ANSWER_RECEIVE] = "receives, and answers call",
    [VERB_ANSWER_EARLY] = "answers early call",
    [VERB_DROP] = "drops call",
    [VERB_FORWARD] = "forwards call",
    [VERB_SERVE] = "takes up call",
    [VERB_FAULT] = "faults in call",
    [VERB_STASH_PUT] = "puts into the stash the token of call",
    [VERB_STASH_COPY] = "copies from the stash the token for call",
    [VERB_STASH_TAKE] = "takes from the stash the token for call",
    [VERB_OPEN] = "makes a session for call",
    [VERB_CLOSE_EXTRA] = "closes what is left over of badge",
    [VERB_SUBCALL] = "makes call",
    [VERB_RETRY] = "says that a page is absent of call",
    [VERB_END] = "ends session",
    [VERB_KILL] = "kills: disturbance",
    [VERB_HANG] = "kills as hung: disturbance",
    [VERB_INTERRUPT] = "interrupts: disturbance",
    [VERB_SIGNAL] = "signals the bound event: disturbance",
    [VERB_STEAL] = "takes away C1's session: disturbance",
    [VERB_CLOSE_STOLEN] = "closes what it took away",
    [VERB_GO] = "starts S2",
    [VERB_CLOSE_ENDPOINT] = "gives E up",
    [VERB_WAIT_END] = "waits for the end of",
    [VERB_SLEEP] = "sleeps",
};

void step_print(const struct step *step) {
    switch ((enum step_kind)step->kind) {
    case STEP_SCRIPT:
        fprintf(stderr, "CPU %u: %s %s %u", step->cpu, who_name(step->who),
                verb_names[step->move.verb], step->move.argument);
        if (step->result == DRIVER_BLOCKED)
            fputs(": blocks\n", stderr);
        else if (step->result == DRIVER_ENDED)
            fputs(": is gone\n", stderr);
        else
            fprintf(stderr, ": %lld\n", (long long)step->result);
        break;
    case STEP_CPU: fprintf(stderr, "CPU %u takes what is pending\n", step->cpu); break;
    case STEP_TIME: fputs("time passes\n", stderr); break;
    case STEP_LATE:
        fprintf(stderr, "CPU %u: %s, which has ended, makes a call\n", step->cpu,
                who_name(step->who));
        break;
    }
}
