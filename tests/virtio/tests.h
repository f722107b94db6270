/* SPDX-License-Identifier: MIT */
#pragma once

#include <check.h>

TCase *tcase_device(void);
TCase *tcase_queue(void);
TCase *tcase_port(void);
TCase *tcase_console(void);
TCase *tcase_restart(void);
TCase *tcase_transfer(void);
