/* SPDX-License-Identifier: MIT */
#include "driver_private.h"

void driver_check_invariants(void)
{
}
