/* SPDX-License-Identifier: MIT */
/* The text of --help, which scripts/run shows without a build. */
    .section .rodata
    .globl help_text
help_text:
    .incbin "help.txt"
    .byte 0

    .section .note.GNU-stack, "", @progbits
