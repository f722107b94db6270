/* SPDX-License-Identifier: MIT */
/*
 * Guest threads that lie about what they do. Both tell the kernel that they make a call, and go on.
 * rbp is the thread's area, r15 where "syscall; ret" lies in the stub. The sleeper then sleeps for
 * ever. The other one waits until the sleeper, whose area is rbx, is told to exit, says in its name
 * that it has, and exits itself.
 */
#include <hal/hosted/stub/layout.h>

#define HOST_EXIT  60
#define HOST_FUTEX 202
#define FUTEX_WAIT 0
#define FUTEX_WAKE 1

    .section .rodata
    .globl liars_start, liar_sleep, liar_answer, liars_end
liars_start:
claim:
    movq $STUB_KIND_CALL, AREA_KIND(%rbp)
    mov $STUB_KERNEL, %eax
    xchg %eax, AREA_WORD(%rbp)
    mov $HOST_FUTEX, %eax
    lea AREA_WORD(%rbp), %rdi
    mov $FUTEX_WAKE, %esi
    mov $1, %edx
    xor %r10d, %r10d
    jmp *%r15

liar_sleep:
    call claim
1:  mov $HOST_FUTEX, %eax
    mov $0xa00000, %edi /* FUTEX_ADDRESS */
    mov $FUTEX_WAIT, %esi
    xor %edx, %edx
    xor %r10d, %r10d
    call *%r15
    jmp 1b

liar_answer:
    call claim
1:  cmpl $STUB_EXIT, AREA_WORD(%rbx)
    jne 1b
    movl $STUB_DEAD, AREA_WORD(%rbx)
1:  cmpl $STUB_EXIT, AREA_WORD(%rbp)
    jne 1b
    mov $HOST_EXIT, %eax
    xor %edi, %edi
    call *%r15
liars_end:

    .section .note.GNU-stack, "", @progbits
