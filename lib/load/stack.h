/* SPDX-License-Identifier: MIT */
/* What a program finds on its stack: argc, argv, envp, auxv, and what they point to. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <elf/elf.h>

#include "load.h"

struct stack_image {
    size_t argument_count, environment_count;
    size_t string_bytes; /* all strings with their ends, and what auxv points to */
    size_t size_bytes;   /* of the whole, a multiple of 16 */
};

/* How large it will be. LIMIT: more than LOAD_STRINGS_MAX. */
[[gnu::warn_unused_result]] ax_result stack_measure(const struct load_request *request,
                                                    struct stack_image *image);

/* Builds it in size_bytes of zeroes at `to`, to be copied to where it ends at `top`, a multiple of
 * 16. The stack pointer is top - size_bytes. */
void stack_build(const struct load_request *request, const struct elf_plan *plan,
                 const struct stack_image *image, const struct ax_start *start, uint64_t top,
                 void *to);
