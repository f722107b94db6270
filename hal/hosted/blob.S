/* SPDX-License-Identifier: MIT */
/* What runs in other processes, carried along in the kernel's program. */
    .section .rodata
    .balign 16
    .globl stub_code, stub_code_bytes, zygote_program, zygote_program_bytes
stub_code_bytes:
    .quad 2f - stub_code
zygote_program_bytes:
    .quad 3f - zygote_program
stub_code:
    .incbin "stub.bin"
2:  .balign 16
zygote_program:
    .incbin "zygote.elf"
3:

    .section .note.GNU-stack, "", @progbits
