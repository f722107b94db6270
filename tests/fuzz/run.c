/* SPDX-License-Identifier: MIT */
/* Any bytes as messages, both ways, and as a request: what is read can be written and read again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <base/assert.h>
#include <run/run.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t again[RUN_MESSAGE_MAX], request_again[AX_RUN_REQUEST_MAX];

static void check_messages(const uint8_t *bytes, size_t size, enum run_way way) {
    struct run_message message;
    size_t taken;
    enum run_error error;
    while ((error = run_message_read(bytes, size, way, &message, &taken)) == RUN_OK) {
        ASSERT(taken >= sizeof(struct ax_run_frame) && taken <= size && taken <= RUN_MESSAGE_MAX);
        ASSERT(message.text_length <= taken);
        ASSERT(run_message_write(&message, again) == taken);
        ASSERT(memcmp(again, bytes, taken) == 0);
        bytes += taken;
        size -= taken;
    }
    ASSERT(error < RUN_ERROR_COUNT && run_error_text(error) != NULL);
    ASSERT(error != RUN_MORE || size < RUN_MESSAGE_MAX);
}

static const char **list_make(struct run_strings strings) {
    const char **list = malloc((strings.count + (size_t)1) * sizeof(*list));
    ASSERT(list != NULL);
    for (uint32_t i = 0; i < strings.count; i++, strings.first = run_string_next(strings.first))
        list[i] = strings.first;
    return list;
}

static void check_request(const uint8_t *bytes, size_t size) {
    struct run_request request;
    if (run_request_read(bytes, size, &request) != RUN_OK)
        return;
    const char **arguments = list_make(request.arguments);
    const char **environment = list_make(request.environment);
    const char **gets = list_make(request.gets);
    ASSERT(run_request_write(&request, arguments, environment, gets, request_again,
                             sizeof(request_again)) == size);
    ASSERT(memcmp(request_again, bytes, size) == 0);
    free(arguments);
    free(environment);
    free(gets);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    check_messages(data, size, RUN_FROM_INSIDE);
    check_messages(data, size, RUN_FROM_OUTSIDE);
    check_request(data, size);
    return 0;
}
