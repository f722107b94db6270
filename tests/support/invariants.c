/* SPDX-License-Identifier: MIT */
#include "census.h"

void driver_check_invariants(void) {
    census_begin();
    census_count_objects();
    invariants_check_spaces(); /* counts table frames */
    census_check_objects();
    census_check_frames();
    invariants_check_sched();
}
