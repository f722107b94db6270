/* SPDX-License-Identifier: MIT */
/* The root task's first instruction: core gives it a stack and no more. */
    .text
    .globl _start
_start:
    xor %ebp, %ebp
    call supervisor_main
    ud2

    .section .note.GNU-stack, "", @progbits
