/* SPDX-License-Identifier: MIT */
/*
 * The header of the image, the ways in and out, and all code that touches the program's memory.
 * How upcalls, the marked range and recovery work is told in <abi/thread_page.h>.
 */
#include "offsets.h"

#define PROGRAM(register) %gs:(PAGE_REGS + register)

/* ---- The header: struct ax_personality_image ------------------------------------------------ */

    .section .header, "a", @progbits
    .quad   IMAGE_MAGIC
    .quad   image_bytes
    .quad   thread_starts
    .quad   upcall_entry
    .quad   recovery
    .quad   range_start
    .quad   range_end
    .quad   range_restart

/* ---- In and out ----------------------------------------------------------------------------- */

    .text

/*
 * A call from a patched site, through its trampoline, which left its slot in rcx. An interrupt that
 * comes before the first instruction finds a program like any other (patch_leave), one that comes
 * later waits. Nothing of the program's stack is used. The frame is filled as by a bounce.
 */
    .globl  patched_entry
    .hidden patched_entry
patched_entry:
    movl    $INSIDE_PERSON, %gs:PAGE_INSIDE
    movq    %rsp, PROGRAM(REG_RSP)
    movq    %gs:PAGE_STACK, %rsp
    pushfq
    popq    PROGRAM(REG_RFLAGS)
    movq    %rax, PROGRAM(REG_RAX)
    movq    %rbx, PROGRAM(REG_RBX)
    movq    %rcx, PROGRAM(REG_RCX)
    movq    %rdx, PROGRAM(REG_RDX)
    movq    %rsi, PROGRAM(REG_RSI)
    movq    %rdi, PROGRAM(REG_RDI)
    movq    %rbp, PROGRAM(REG_RBP)
    movq    %r8, PROGRAM(REG_R8)
    movq    %r9, PROGRAM(REG_R9)
    movq    %r10, PROGRAM(REG_R10)
    movq    %r12, PROGRAM(REG_R12)
    movq    %r13, PROGRAM(REG_R13)
    movq    %r14, PROGRAM(REG_R14)
    movq    %r15, PROGRAM(REG_R15)
    rdfsbase %rax
    movq    %rax, PROGRAM(REG_FS_BASE)
    movq    $0, PROGRAM(REG_RESERVED)
    movq    $REASON_BOUNCE, %gs:PAGE_REASON
    movq    $0, %gs:PAGE_ADDRESS
    movq    $0, %gs:PAGE_ACCESS
    cld
    testl   $FLAGS_ODD, PROGRAM(REG_RFLAGS)
    jz      1f
    pushq   $FLAGS_PLAIN
    popfq
1:  xorl    %ebp, %ebp
    movq    %gs:0, %rdi
    call    upcall_patched
    jmp     range_start

/* Every upcall comes here, on the thread's personality stack, with the program's other registers.
 * The frame has them all, so they need not be kept. */
    .type   upcall_entry, @function
upcall_entry:
    xorl    %ebp, %ebp
    movq    %gs:0, %rdi
    call    upcall_serve
    /* It returns only where the frame can be loaded here. So does thread_begin. */

/* The marked range: from the look at `pending` to the jump to the program, or starting over. */
range_start:
    cmpl    $0, %gs:PAGE_PENDING
    jne     leave_slowly
    pushq   PROGRAM(REG_RFLAGS)
    popfq
    movq    PROGRAM(REG_RAX), %rax
    movq    PROGRAM(REG_RBX), %rbx
    movq    PROGRAM(REG_RCX), %rcx
    movq    PROGRAM(REG_RDX), %rdx
    movq    PROGRAM(REG_RSI), %rsi
    movq    PROGRAM(REG_RDI), %rdi
    movq    PROGRAM(REG_RBP), %rbp
    movq    PROGRAM(REG_R8), %r8
    movq    PROGRAM(REG_R9), %r9
    movq    PROGRAM(REG_R10), %r10
    movq    PROGRAM(REG_R11), %r11
    movq    PROGRAM(REG_R12), %r12
    movq    PROGRAM(REG_R13), %r13
    movq    PROGRAM(REG_R14), %r14
    movq    PROGRAM(REG_R15), %r15
    movl    $INSIDE_PROGRAM, %gs:PAGE_INSIDE
    movq    PROGRAM(REG_RSP), %rsp
    jmpq    *PROGRAM(REG_RIP)

/* A new thread starts here, with its argument in rdi, on a stack of the personality's. That is in
 * the range so that an interrupt before its first instruction does not take the thread for one of
 * the program's: it comes to range_restart instead, and back. */
thread_starts:
    movl    $INSIDE_PERSON, %gs:PAGE_INSIDE
    jmp     thread_started
range_end:

/* An interrupt came in the range. A frame that was never filled tells that of a new thread, whose
 * registers are as they were. */
range_restart:
    cmpl    $REASON_NONE, %gs:PAGE_REASON
    je      thread_started
    movq    %gs:PAGE_STACK, %rsp

/* The kernel delivers the interrupt that is pending instead of returning. */
leave_slowly:
    movq    %gs:0, %rdi
    call    upcall_leave
    ud2

thread_started:
    xorl    %ebp, %ebp
    movq    %gs:0, %rsi
    call    thread_begin
    jmp     range_start

/*
 * A fault inside the personality, registers as they were. In the functions below, which have pushed
 * nothing, it is the program's, and they return -EFAULT. Anywhere else it is ours.
 */
recovery:
    cld
    movq    %gs:PAGE_RECOVERY_IP, %rax
    leaq    access_start(%rip), %rdx
    subq    %rdx, %rax
    cmpq    $(access_end - access_start), %rax
    jae     recovery_of_bug
    movl    $INSIDE_PERSON, %gs:PAGE_INSIDE
    movq    $-14, %rax
    ret
recovery_of_bug:
    andq    $-16, %rsp
    movq    %gs:0, %rdi
    call    upcall_bug
    ud2

/* ---- Access to the program's memory: <access.h> --------------------------------------------- */

    .macro  FUNCTION name
    .globl  \name
    .hidden \name
    .type   \name, @function
    .balign 16
\name:
    .endm

access_start:

FUNCTION access_copy
    movq    %rdx, %rcx
    rep movsb
    xorl    %eax, %eax
    ret

FUNCTION access_zero
    movq    %rsi, %rcx
    xorl    %eax, %eax
    rep stosb
    ret

FUNCTION access_exchange
    movl    %esi, %eax
    lock cmpxchgl %edx, (%rdi)
    movl    %eax, (%rcx)
    xorl    %eax, %eax
    ret

FUNCTION access_save_vector
    testq   %rsi, %rsi
    jz      1f
    movl    %esi, %eax
    movq    %rsi, %rdx
    shrq    $32, %rdx
    xsave64 (%rdi)
    xorl    %eax, %eax
    ret
1:  fxsave64 (%rdi)
    xorl    %eax, %eax
    ret

FUNCTION access_load_vector
    testq   %rsi, %rsi
    jz      1f
    movl    %esi, %eax
    movq    %rsi, %rdx
    shrq    $32, %rdx
    xrstor64 (%rdi)
    xorl    %eax, %eax
    ret
1:  fxrstor64 (%rdi)
    xorl    %eax, %eax
    ret

access_end:

    .section .note.GNU-stack, "", @progbits
