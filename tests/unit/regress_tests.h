/* SPDX-License-Identifier: MIT */
/* What regress_main.c runs: a test for each mistake that was found by other means than a test. */
#pragma once

#include "loan_world.h"

TCase *regress_model_tests(void);
TCase *regress_loan_tests(void);
