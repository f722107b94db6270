/* SPDX-License-Identifier: MIT */
/* What the parts of the reader share. */
#pragma once

#include "manifest.h"

/* Where the reading is. */
struct reader {
    struct manifest *manifest;
    struct manifest_error *error;
    unsigned line;
    struct manifest_server *server; /* whose section this is; NULL: before the first */
    bool is_init;                   /* its section is init's */
    uint32_t seen;                  /* keys of this section, bits by their place in the table */
};

/* Always false, so that one can return it; names the line the reading is at. */
__attribute__((format(printf, 2, 3))) bool refuse(struct reader *reader, const char *pattern, ...);

/* For "%.*s": words of a text may be of any length, messages not. */
#define SHOWN(text) (int)((text).length < 60 ? (text).length : 60), (text).start

/* A line "key = value" of the present section. */
bool key_read(struct reader *reader, struct manifest_text key, struct manifest_text value);
/* At a section's end: is all there that it needs? */
bool keys_check(struct reader *reader);

/* Names that no server or device may have: handles that everybody gets have them. */
bool name_is_reserved(struct manifest_text name);

/* When all is read: finds whom each may call, that no two have the same device, and the order. */
bool calls_resolve(struct reader *reader);
bool devices_check(struct reader *reader);
bool order_find(struct reader *reader);
