/* SPDX-License-Identifier: MIT */
#include "console.h"

int main(int argc, char **argv) {
    return server_main(&console_program, argc, argv);
}
