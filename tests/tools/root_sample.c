/* SPDX-License-Identifier: MIT */
/* A program as a root task is one: no libc, and each kind of segment. */
#include <stdint.h>

void root_start(uint64_t stack_top);

extern const uint64_t root_constants[3];
const uint64_t root_constants[3] = {1, 2, 3};
extern uint64_t root_data[1000];
uint64_t root_data[1000] = {4, 5, 6};
extern uint64_t root_zeroes[5000];
uint64_t root_zeroes[5000];

void root_start(uint64_t stack_top) {
    for (;;)
        root_zeroes[stack_top % 5000] += root_data[stack_top % 1000] + root_constants[1];
}
