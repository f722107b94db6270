/* SPDX-License-Identifier: MIT */
/* Inherited priorities of the reference: put back to their own, then raised until nothing changes.
 */
#include "reference.h"

static int inherited(int thread) {
    const struct ref_thread *it = &ref.threads[thread];
    int priority = it->base;
    if (it->serving >= 0 && ref.threads[it->serving].call.received &&
        ref.threads[it->serving].call.server == thread &&
        ref.threads[it->serving].priority > priority)
        priority = ref.threads[it->serving].priority;
    if (it->endpoint < 0 || ref.objects[it->endpoint].receiver_count > 0)
        return priority;
    uint64_t oldest = UINT64_MAX;
    int of_oldest = 0, of_fresh = 0; /* of those delivered before only the first is looked at */
    for (int t = 0; t < THREADS; t++) {
        const struct ref_call *call = &ref.threads[t].call;
        if (!call->queued || ref.objects[call->session].of != it->endpoint)
            continue;
        if (!call->redelivered && ref.threads[t].priority > of_fresh)
            of_fresh = ref.threads[t].priority;
        if (call->redelivered && call->order < oldest) {
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
            if (ref.threads[t].state == REF_NONE || ref.threads[t].state == REF_GONE)
                continue;
            int priority = inherited(t);
            again |= priority != ref.threads[t].priority;
            ref.threads[t].priority = priority;
        }
    }
}
