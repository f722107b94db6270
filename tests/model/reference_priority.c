/* SPDX-License-Identifier: MIT */
/* Who inherits what. */
#include "reference_private.h"

static bool has_receiver(int endpoint) {
    for (int t = 0; t < THREADS; t++) {
        if (ref.threads[t].state == REF_RECEIVES && ref.threads[t].endpoint == endpoint)
            return true;
    }
    return false;
}

static int inherited(int thread) {
    const struct ref_thread *it = &ref.threads[thread];
    int priority = it->base;
    if (it->serving >= 0 && ref.threads[it->serving].call.received &&
        ref.threads[it->serving].call.server == thread &&
        ref.threads[it->serving].priority > priority)
        priority = ref.threads[it->serving].priority;
    if (it->endpoint < 0 || has_receiver(it->endpoint))
        return priority;
    uint64_t oldest = UINT64_MAX;
    int of_oldest = 0, of_fresh = 0; /* of those delivered before only the first is looked at */
    for (int t = 0; t < THREADS; t++) {
        const struct ref_call *call = &ref.threads[t].call;
        if (!call->queued || ref.objects[call->session].of != it->endpoint)
            continue;
        bool was_received = call->redelivered || call->retried;
        if (!was_received && ref.threads[t].priority > of_fresh)
            of_fresh = ref.threads[t].priority;
        if (was_received && call->order < oldest) {
            oldest = call->order;
            of_oldest = ref.threads[t].priority;
        }
    }
    priority = of_oldest > priority ? of_oldest : priority;
    return of_fresh > priority ? of_fresh : priority;
}

void ref_priorities(void) {
    for (int t = 0; t < THREADS; t++)
        ref.threads[t].priority = ref.threads[t].base;
    for (bool again = true; again;) {
        again = false;
        for (int t = 0; t < THREADS; t++) {
            if (!ref_is_live(t))
                continue;
            int priority = inherited(t);
            again |= priority != ref.threads[t].priority;
            ref.threads[t].priority = priority;
        }
    }
}
