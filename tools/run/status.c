/* SPDX-License-Identifier: MIT */
#include "status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tell.h"

enum {
    STATUS_TIMEOUT = 124,
    STATUS_FAILED = 125,
    STATUS_NOT_EXECUTABLE = 126,
    STATUS_NOT_FOUND = 127,
    STATUS_SIGNAL = 128,
};

/* A machine that could not even try to start PROGRAM has failed. */
static enum outcome outcome_of(const struct ending *ending) {
    if (ending->outcome == OUTCOME_PROGRAM && ending->how == AX_RUN_END_UNSTARTED)
        return OUTCOME_FAILED;
    return ending->outcome;
}

int ending_status(const struct ending *ending) {
    switch (outcome_of(ending)) {
    case OUTCOME_TIMEOUT: return STATUS_TIMEOUT;
    case OUTCOME_INTERRUPTED: return STATUS_SIGNAL + ending->interrupt;
    case OUTCOME_FAILED: return STATUS_FAILED;
    default: break;
    }
    switch (ending->how) {
    case AX_RUN_END_EXIT: return (int)ending->value;
    case AX_RUN_END_SIGNAL: return STATUS_SIGNAL + (int)ending->value;
    case AX_RUN_END_NOT_FOUND: return STATUS_NOT_FOUND;
    default: return STATUS_NOT_EXECUTABLE;
    }
}

static const char *end_name(const struct ending *ending) {
    switch (outcome_of(ending)) {
    case OUTCOME_TIMEOUT: return "timeout";
    case OUTCOME_INTERRUPTED: return "interrupted";
    case OUTCOME_FAILED: return "machine-failed";
    default: break;
    }
    switch (ending->how) {
    case AX_RUN_END_EXIT: return "exit";
    case AX_RUN_END_SIGNAL: return "signal";
    case AX_RUN_END_NOT_FOUND: return "not-found";
    default: return "not-executable";
    }
}

void ending_tell(const struct ending *ending, const struct options *options) {
    const char *program = options->argument_count == 0 ? "the shell" : options->arguments[0];
    const char *why =
        ending->how == AX_RUN_END_EXIT || ending->how == AX_RUN_END_SIGNAL || ending->value == 0
            ? ending->reason
            : strerror((int)ending->value);
    if (ending->reason[0] != '\0')
        why = ending->reason;
    switch (outcome_of(ending)) {
    case OUTCOME_TIMEOUT: tell("the time was up, so the machine was ended"); return;
    case OUTCOME_INTERRUPTED: return;
    case OUTCOME_FAILED:
        if (ending->outcome == OUTCOME_PROGRAM)
            tell("%s cannot be started: %s", program, why);
        else
            tell("%s", ending->reason);
        return;
    default: break;
    }
    if (ending->how == AX_RUN_END_NOT_FOUND)
        tell("%s was not found", ending->reason[0] == '\0' ? program : ending->reason);
    else if (ending->how == AX_RUN_END_NOT_EXECUTABLE)
        tell("%s cannot be executed: %s", program, why);
    else if (ending->how == AX_RUN_END_SIGNAL && ending->reason[0] != '\0' && !options->is_quiet)
        tell("%s", ending->reason);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

/* How many bytes of UTF-8 a character takes that begins here; 0: it is none. */
static unsigned character_length(const unsigned char *text) {
    unsigned length = *text < 0x80   ? 1
                      : *text < 0xc2 ? 0
                      : *text < 0xe0 ? 2
                      : *text < 0xf0 ? 3
                      : *text < 0xf5 ? 4
                                     : 0;
    for (unsigned i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    }
    bool is_too_long = (text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xf0 && text[1] < 0x90);
    bool is_surrogate = text[0] == 0xed && text[1] >= 0xa0;
    bool is_beyond = text[0] == 0xf4 && text[1] >= 0x90;
    return is_too_long || is_surrogate || is_beyond ? 0 : length;
}

static void put_string(FILE *json, const char *string) {
    if (string == NULL || string[0] == '\0') {
        fputs("null", json);
        return;
    }
    fputc('"', json);
    for (const unsigned char *at = (const unsigned char *)string; *at != '\0';) {
        unsigned length = character_length(at);
        if (length == 0)
            fputs("\\ufffd", json);
        else if (*at < 0x20 || *at == 0x7f)
            fprintf(json, "\\u%04x", *at);
        else
            fprintf(json, "%s%.*s", *at == '"' || *at == '\\' ? "\\" : "", (int)length, at);
        at += length == 0 ? 1 : length;
    }
    fputc('"', json);
}

static void put_number(FILE *json, bool is_known, uint32_t value) {
    if (is_known)
        fprintf(json, "%u", value);
    else
        fputs("null", json);
}

static void put_gets(FILE *json, const struct options *options, const struct get *get) {
    fputs(",\n \"get\": [", json);
    for (uint32_t i = 0; i < options->get_count; i++) {
        fputs(i == 0 ? "\n  {\"path\": " : ",\n  {\"path\": ", json);
        put_string(json, options->gets[i].inside);
        fputs(", \"host\": ", json);
        put_string(json, options->gets[i].outside);
        fputs(", \"error\": ", json);
        put_string(json, get == NULL ? "the machine did not start" : get_error(get, i));
        fputc('}', json);
    }
    fputc(']', json);
}

bool ending_write(const struct ending *ending, const struct options *options, const struct get *get,
                  struct place *place, struct failure *failure) {
    char *text = NULL;
    size_t size;
    FILE *json = open_memstream(&text, &size);
    if (json == NULL)
        return fail(failure, "there is no memory for %s", place->path);
    fprintf(json, "{\"end\": \"%s\",\n \"status\": %d", end_name(ending), ending_status(ending));
    fputs(",\n \"code\": ", json);
    put_number(json, ending->how == AX_RUN_END_EXIT, ending->value);
    fputs(",\n \"signal\": ", json);
    put_number(json, ending->how == AX_RUN_END_SIGNAL, ending->value);
    fputs(",\n \"reason\": ", json);
    put_string(json, ending->reason);
    fprintf(json, ",\n \"seconds\": %llu.%06llu",
            (unsigned long long)(ending->duration_ns / 1000000000U),
            (unsigned long long)(ending->duration_ns / 1000U % 1000000U));
    put_gets(json, options, get);
    fputs("}\n", json);
    bool is_written = fclose(json) == 0 || fail(failure, "there is no memory for %s", place->path);
    is_written = is_written && place_write(place, text, size, failure) &&
                 place_finish(place, (mode_t)-1, failure);
    free(text);
    return is_written;
}
