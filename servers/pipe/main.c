/* SPDX-License-Identifier: MIT */
#include "pipe.h"

int main(int argc, char **argv) {
    return server_main(&pipe_program, argc, argv);
}
