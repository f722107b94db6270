/* SPDX-License-Identifier: MIT */
/*
 * The first instructions of the zygote, a program of its own that Linux loads low: they throw out
 * all that came with it (stack, vDSO), map the stub's code and constants where they belong, and go
 * on there. No stack is used. An exit status tells what failed.
 */
#include "layout.h"

#define HOST_MMAP   9
#define HOST_MUNMAP 11
#define HOST_EXIT   231
#define HOST_END    0x7ffffffff000

    .macro map address, size, protection, flags, descriptor, offset, status
    movabs $\address, %rdi
    mov $\size, %esi
    mov $\protection, %edx
    mov $\flags, %r10d
    mov $\descriptor, %r8
    mov $\offset, %r9d
    mov $HOST_MMAP, %eax
    syscall
    mov $\status, %r12d
    test %rax, %rax
    js fail
    .endm

    .text
    .globl _start
_start:
    mov $START_END, %edi
    movabs $(HOST_END - START_END), %rsi
    mov $HOST_MUNMAP, %eax
    syscall /* what cannot be unmapped stays; it matters only if something is to be put there */
    /* PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED_NOREPLACE */
    map STUB_TEXT, STUB_TEXT_BYTES, 5, 0x100001, STUB_FD_MEMORY, MEMORY_TEXT, 80
    map STUB_CONSTANTS, STUB_CONSTANTS_BYTES, 1, 0x100001, STUB_FD_MEMORY, MEMORY_CONSTANTS, 81
    /* PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE */
    map ZYGOTE_STACK, ZYGOTE_STACK_BYTES, 3, 0x100022, -1, 0, 82
    movabs $(ZYGOTE_STACK + ZYGOTE_STACK_BYTES), %rsp
    movabs $(STUB_TEXT + 16), %rax
    jmp *%rax
fail:
    mov %r12d, %edi
    mov $HOST_EXIT, %eax
    syscall
    ud2

    .section .note.GNU-stack, "", @progbits
