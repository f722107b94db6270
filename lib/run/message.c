/* SPDX-License-Identifier: MIT */
#include <run/run.h>

#include <base/assert.h>
#include <base/memory.h>

static const char *const error_texts[RUN_ERROR_COUNT] = {
    [RUN_OK] = "is fine",
    [RUN_MORE] = "goes on",
    [RUN_TRUNCATED] = "is truncated",
    [RUN_MAGIC] = "is something else",
    [RUN_VERSION] = "is of another version",
    [RUN_KIND] = "is of no kind that comes this way",
    [RUN_SIZE] = "is too large or too small",
    [RUN_VALUE] = "has a number that cannot be",
    [RUN_TEXT] = "has a text that cannot be",
};

const char *run_error_text(enum run_error error) {
    return (unsigned)error < RUN_ERROR_COUNT ? error_texts[error] : "has an unknown error";
}

enum text_kind { TEXT_NONE, TEXT_ANY, TEXT_PATH };

struct kind {
    uint8_t way;
    uint8_t word_count;
    uint8_t text;
};

static const struct kind kinds[] = {
    [AX_RUN_READY] = {RUN_FROM_INSIDE, 1, TEXT_NONE},
    [AX_RUN_NOTE] = {RUN_FROM_INSIDE, 0, TEXT_ANY},
    [AX_RUN_TERMINAL] = {RUN_FROM_INSIDE, 1, TEXT_NONE},
    [AX_RUN_REPORT] = {RUN_FROM_INSIDE, 1, TEXT_ANY},
    [AX_RUN_ENDED] = {RUN_FROM_INSIDE, 2, TEXT_ANY},
    [AX_RUN_GET_ENTRY] = {RUN_FROM_INSIDE, 3, TEXT_PATH},
    [AX_RUN_GET_DATA] = {RUN_FROM_INSIDE, 1, TEXT_ANY},
    [AX_RUN_GET_END] = {RUN_FROM_INSIDE, 2, TEXT_PATH},
    [AX_RUN_DONE] = {RUN_FROM_INSIDE, 0, TEXT_NONE},
    [AX_RUN_RESIZE] = {RUN_FROM_OUTSIDE, 2, TEXT_NONE},
    [AX_RUN_STOP] = {RUN_FROM_OUTSIDE, 1, TEXT_NONE},
    [AX_RUN_TERMINAL_READY] = {RUN_FROM_OUTSIDE, 0, TEXT_NONE},
};

#define KIND_COUNT (sizeof(kinds) / sizeof(kinds[0]))

static bool kind_exists(uint32_t kind) {
    return kind >= AX_RUN_RESIZE ? kind < KIND_COUNT : kind >= AX_RUN_READY && kind <= AX_RUN_DONE;
}

/* ---- What may stand in them ------------------------------------------------------------------ */

bool run_path_is_below(const char *path, size_t length) {
    size_t start = 0;
    for (size_t i = 0; i <= length; i++) {
        if (i < length && path[i] == '\0')
            return false;
        if (i < length && path[i] != '/')
            continue;
        size_t part = i - start;
        if (part == 0 && length != 0)
            return false;
        if (part == 1 && path[start] == '.')
            return false;
        if (part == 2 && path[start] == '.' && path[start + 1] == '.')
            return false;
        start = i + 1;
    }
    return true;
}

#define ERROR_NUMBER_MAX 4095
#define MODE_MASK        UINT64_C(0177777)

static bool end_is_possible(const uint64_t words[RUN_WORDS]) {
    switch (words[0]) {
    case AX_RUN_END_EXIT: return words[1] <= 255;
    case AX_RUN_END_SIGNAL: return words[1] >= 1 && words[1] <= 64;
    case AX_RUN_END_NOT_FOUND: return words[1] == 0;
    case AX_RUN_END_NOT_EXECUTABLE:
    case AX_RUN_END_UNSTARTED: return words[1] <= ERROR_NUMBER_MAX;
    default: return false;
    }
}

static bool words_are_possible(uint32_t kind, const uint64_t words[RUN_WORDS]) {
    switch (kind) {
    case AX_RUN_TERMINAL: return (words[0] & ~(uint64_t)AX_RUN_TERMINAL_LINES) == 0;
    case AX_RUN_REPORT: return words[0] <= 1;
    case AX_RUN_ENDED: return end_is_possible(words);
    case AX_RUN_GET_ENTRY:
        return words[0] <= UINT32_MAX && words[1] <= MODE_MASK && words[2] <= INT64_MAX;
    case AX_RUN_GET_DATA: return words[0] <= UINT32_MAX;
    case AX_RUN_GET_END: return words[0] <= UINT32_MAX && words[1] <= ERROR_NUMBER_MAX;
    case AX_RUN_RESIZE: return words[0] <= UINT16_MAX && words[1] <= UINT16_MAX;
    case AX_RUN_STOP: return words[0] == AX_RUN_STOP_TIMEOUT || words[0] == AX_RUN_STOP_INTERRUPT;
    default: return true;
    }
}

static enum run_error message_check(const struct run_message *message) {
    if (!words_are_possible(message->kind, message->words))
        return RUN_VALUE;
    if (message->kind == AX_RUN_READY && message->words[0] != AX_RUN_VERSION)
        return RUN_VERSION;
    switch (kinds[message->kind].text) {
    case TEXT_NONE: return message->text_length == 0 ? RUN_OK : RUN_SIZE;
    case TEXT_PATH:
        return run_path_is_below(message->text, message->text_length) ? RUN_OK : RUN_TEXT;
    default: return RUN_OK;
    }
}

/* ---- Reading and writing --------------------------------------------------------------------- */

enum run_error run_message_read(const void *bytes, size_t size, enum run_way way,
                                struct run_message *message, size_t *taken) {
    struct ax_run_frame frame;
    const char *payload = (const char *)bytes + sizeof(frame);
    *taken = 0;
    if (size < sizeof(frame))
        return RUN_MORE;
    memcpy(&frame, bytes, sizeof(frame));
    if (!kind_exists(frame.kind) || kinds[frame.kind].way != way)
        return RUN_KIND;
    size_t word_bytes = kinds[frame.kind].word_count * sizeof(message->words[0]);
    if (frame.size > AX_RUN_PAYLOAD_MAX || frame.size < word_bytes)
        return RUN_SIZE;
    if (size - sizeof(frame) < frame.size)
        return RUN_MORE;
    *message = (struct run_message){
        .kind = frame.kind, .text = payload + word_bytes, .text_length = frame.size - word_bytes};
    memcpy(message->words, payload, word_bytes);
    *taken = sizeof(frame) + frame.size;
    return message_check(message);
}

size_t run_message_write(const struct run_message *message, void *buffer) {
    ASSERT(kind_exists(message->kind) && message_check(message) == RUN_OK);
    size_t word_bytes = kinds[message->kind].word_count * sizeof(message->words[0]);
    ASSERT(message->text_length <= AX_RUN_PAYLOAD_MAX - word_bytes);
    struct ax_run_frame frame = {message->kind, (uint32_t)(word_bytes + message->text_length)};
    char *at = buffer;
    memcpy(at, &frame, sizeof(frame));
    memcpy(at + sizeof(frame), message->words, word_bytes);
    if (message->text_length != 0)
        memcpy(at + sizeof(frame) + word_bytes, message->text, message->text_length);
    return sizeof(frame) + frame.size;
}
