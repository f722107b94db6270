/* SPDX-License-Identifier: MIT */
#include "init.h"

#include <sys/start.h>

int main(void) {
    const uint64_t version[RUN_WORDS] = {AX_RUN_VERSION};
    request_open();
    control_open();
    control_send(AX_RUN_READY, version, NULL, 0);
    program_run();
    gets_send();
    stream_drain(ax_start_handle(AX_START_STDOUT));
    stream_drain(ax_start_handle(AX_START_STDERR));
    control_send(AX_RUN_DONE, NULL, NULL, 0);
    stream_drain(control);
    return 0;
}
