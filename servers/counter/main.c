/* SPDX-License-Identifier: MIT */
#include "counter.h"

int main(int argc, char **argv) {
    return server_main(&counter_program, argc, argv);
}
