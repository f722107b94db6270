/* SPDX-License-Identifier: MIT */
/* Calls the server `fragile`, and waits for an answer for as long as it takes. */
#include <sys/message.h>
#include <sys/start.h>

int main(void) {
    struct ax_message message;
    ax_message_init(&message, 0);
    return ax_call(ax_start_handle("fragile"), &message, NULL) == AX_OK ? 0 : 1;
}
