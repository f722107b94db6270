/* SPDX-License-Identifier: MIT */
/* A file of its own, so that a test program can supply another one. */
#include <base/assert.h>
#include <hal/core.h>

#include <stdio.h>
#include <stdlib.h>

#include "machine.h"

static const struct model_hooks *assert_hooks;

void model_assert_hooks(const struct model_hooks *hooks) {
    assert_hooks = hooks;
}

void assert_failed(const char *expression, const char *file, int line) {
    if (assert_hooks != NULL && assert_hooks->assertion != NULL)
        assert_hooks->assertion(assert_hooks->context, expression, file, line);
    core_log_show();
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expression);
    abort();
}
