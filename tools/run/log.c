/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <string.h>

#include "crash.h"
#include "tell.h"

#define LOG_BYTES ((size_t)1 << 15)
#define LOG_LINES 20
#define LINE_MAX  1024

#define KERNEL_NAME "axolotl: "
#define REFUSAL     "the host refuses "

static bool is_shown;
static char ring[LOG_BYTES];
static size_t written;

/* A line that comes in parts, and the last that was whole. */
struct lines {
    char next[LINE_MAX], last[LINE_MAX];
    size_t length;
};

static struct lines log_lines, complaints;
static char refusal[LINE_MAX];

void log_begin(bool shows) {
    is_shown = shows;
}

/* Without the name that the kernel process says before it. */
static const char *without_name(const char *complaint) {
    const size_t length = sizeof(KERNEL_NAME) - 1;
    return complaint + (strncmp(complaint, KERNEL_NAME, length) == 0 ? length : 0);
}

/* Whether another refusal came before, from which this one follows: it says nothing new. */
static bool refusal_follows(const char *complaint) {
    const char *text = without_name(complaint);
    if (strncmp(text, REFUSAL, sizeof(REFUSAL) - 1) != 0)
        return false;
    bool follows = refusal[0] != '\0';
    if (!follows)
        memcpy(refusal, text, strlen(text) + 1);
    return follows;
}

static void line_end(struct lines *lines) {
    if (lines->length == 0)
        return;
    tell_clean(lines->next, lines->length);
    if (is_shown) {
        tell_text(lines->next, lines->length);
        tell_text("\n", 1);
    }
    memset(lines->next + lines->length, 0, LINE_MAX - lines->length);
    lines->length = 0;
    if (lines == &log_lines ? crash_take(lines->next) : refusal_follows(lines->next))
        return;
    if (lines == &complaints)
        log_warn();
    memcpy(lines->last, lines->next, LINE_MAX);
}

static void lines_put(struct lines *lines, const char *text, size_t size) {
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '\n' || lines->length == LINE_MAX - 1)
            line_end(lines);
        if (text[i] != '\n')
            lines->next[lines->length++] = text[i];
    }
}

void log_put(const char *text, size_t size) {
    for (size_t i = 0; i < size; i++)
        ring[written++ % LOG_BYTES] = text[i];
    lines_put(&log_lines, text, size);
}

void log_complain(const char *text, size_t size) {
    lines_put(&complaints, text, size);
}

void log_warn(void) {
    if (complaints.last[0] != '\0' && !is_shown)
        tell("%s", without_name(complaints.last));
    complaints.last[0] = '\0';
}

const char *log_refusal(void) {
    if (refusal[0] == '\0')
        return NULL;
    if (strcmp(without_name(complaints.last), refusal) == 0)
        complaints.last[0] = '\0';
    return refusal;
}

void log_end(void) {
    line_end(&log_lines);
    line_end(&complaints);
    log_warn();
}

const char *log_reason(void) {
    static char reason[LINE_MAX];
    line_end(&log_lines);
    line_end(&complaints);
    const char *found = complaints.last[0] != '\0' ? without_name(complaints.last) : log_lines.last;
    memset(reason, 0, sizeof(reason));
    memcpy(reason, found, strlen(found));
    complaints.last[0] = '\0';
    return reason[0] == '\0' ? NULL : reason;
}

/* Where the last lines begin, counted from the log's beginning. */
static size_t last_begin(void) {
    size_t oldest = written > LOG_BYTES ? written - LOG_BYTES : 0, at = written;
    for (unsigned lines = 0; at > oldest; at--) {
        if (ring[(at - 1) % LOG_BYTES] == '\n' && at != written && ++lines == LOG_LINES)
            break;
    }
    return at;
}

void log_tell_last(void) {
    if (is_shown || written == 0)
        return;
    static char text[LOG_BYTES];
    size_t size = 0;
    tell("the last lines of the kernel's log:");
    for (size_t at = last_begin(); at < written; at++)
        text[size++] = ring[at % LOG_BYTES];
    tell_clean(text, size);
    tell_text(text, size);
    if (text[size - 1] != '\n')
        tell_text("\n", 1);
}
