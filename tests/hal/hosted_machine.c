/* SPDX-License-Identifier: MIT */
/* The hosted machine under the suite. */
#include <hal/hosted/machine.h>

#include "suite.h"

bool machine_irq_raise(uint32_t irq) {
    machine_irq(irq);
    return true;
}

int main(int argc, char **argv) {
    struct machine_options options = {
        .memory_bytes = UINT64_C(64) << 20,
        .cpu_count = argc > 1 ? (uint32_t)(argv[1][0] - '0') : 1,
        .command_line = "",
    };
    host_log_open(2);
    machine_run(&options);
}
