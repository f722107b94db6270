/* SPDX-License-Identifier: MIT */
/*
 * The code inside every stub that must not use memory a guest can write, or must know every
 * register: the way into a kernel call, the hand-off, the mapper, the birth of a guest thread, the
 * entry of signals. A guest can jump anywhere into it; then it does with its own thread, behind the
 * filter, what a guest may do.
 */
#include "layout.h"

#define FUTEX_WAIT 0
#define FUTEX_WAKE 1

#define HOST_WRITE       1
#define HOST_LSEEK       8
#define HOST_MUNMAP      11
#define HOST_SIGPROCMASK 14
#define HOST_YIELD       24
#define HOST_EXIT        60
#define HOST_SIGALTSTACK 131
#define HOST_FUTEX       202
#define HOST_SECCOMP     317
#define HOST_CLOSE_RANGE 436

#define SIG_SETMASK             2
#define SECCOMP_SET_MODE_FILTER 1

    .section .text.entry, "ax", @progbits
/* +0: a kernel call, from the kernel page */
    jmp stub_call
    .balign 16
/* +16: the zygote, from start.S */
    xor %ebp, %ebp
    call zygote_main
    ud2

    .text
/*
 * A kernel call. The kernel page has popped the return address into r10; number and arguments are
 * those of a C function. The area is found by the thread page's address alone.
 */
stub_call:
    rdgsbase %rax
    movabs $(STUB_AREAS - (0x7ffe000f0000 << 4)), %r11 /* AX_THREAD_PAGES, asserted in signal.c */
    shl $4, %rax
    add %r11, %rax
    mov %rdi, AREA_CALL(%rax)
    mov %rsi, AREA_CALL+8(%rax)
    mov %rdx, AREA_CALL+16(%rax)
    mov %rcx, AREA_CALL+24(%rax)
    mov %r8, AREA_CALL+32(%rax)
    mov %r9, AREA_CALL+40(%rax)
    mov %rbx, AREA_REGS+REGS_RBX(%rax)
    mov %rbp, AREA_REGS+REGS_RBP(%rax)
    mov %rsp, AREA_REGS+REGS_RSP(%rax)
    mov %r12, AREA_REGS+REGS_R12(%rax)
    mov %r13, AREA_REGS+REGS_R13(%rax)
    mov %r14, AREA_REGS+REGS_R14(%rax)
    mov %r15, AREA_REGS+REGS_R15(%rax)
    mov %r10, AREA_REGS+REGS_RIP(%rax)
    movq $0x202, AREA_REGS+REGS_RFLAGS(%rax)
    rdfsbase %r10
    mov %r10, AREA_REGS+REGS_FS(%rax)
    movq $STUB_KIND_CALL, AREA_KIND(%rax)
    mov %rax, %r12

/* ---- The hand-off: r12 is the area, in which the thread's state lies ------------------------- */

    .globl stub_handoff
stub_handoff:
    mov %r12, %rsp /* off the signal stack: what comes while the thread waits must not pile up */
handoff_again:
    mov AREA_WORD(%r12), %eax
    mov %eax, %edx
    and $~STUB_SLEEP, %edx
    cmp $STUB_GUEST, %edx
    je 1f
    cmp $STUB_KICKED, %edx
    je 1f
    cmp $STUB_START, %eax
    jne stub_exit
1:  mov $STUB_KERNEL, %ecx
    lock cmpxchg %ecx, AREA_WORD(%r12)
    jne handoff_again
    test $STUB_SLEEP, %eax
    jz stub_wait
    mov $HOST_FUTEX, %eax
    lea AREA_WORD(%r12), %rdi
    mov $FUTEX_WAKE, %esi
    mov $0x7fffffff, %edx
    syscall

/* From here to stub_run_end the turn is the guest's as soon as the word says so, and whatever is
 * loaded can be loaded anew from the area. ebx: how often to yield before sleeping. */
    .globl stub_wait
stub_wait:
    mov STUB_FIXED+FIXED_YIELDS(%r12), %ebx
    test %ebx, %ebx
    jz wait_look
    rdtsc
    shl $32, %rdx
    or %rdx, %rax
    cmp AREA_YIELD(%r12), %rax
    jae wait_look
    xor %ebx, %ebx
wait_look:
    mov AREA_WORD(%r12), %eax
    mov %eax, %edx
    and $~STUB_SLEEP, %edx
    cmp $STUB_GUEST, %edx
    je stub_run
    cmp $STUB_KICKED, %edx
    je stub_run
    cmp $STUB_KERNEL, %edx
    jne stub_exit
    test %ebx, %ebx
    jz 1f
    cmpl $0, STUB_FIXED+FIXED_YIELDS(%r12) /* of a thread that has ended meanwhile */
    jne wait_yield
1:  cmp $STUB_KERNEL, %eax
    jne wait_sleep
    mov $(STUB_KERNEL | STUB_SLEEP), %ecx
    lock cmpxchg %ecx, AREA_WORD(%r12)
    jne wait_look
wait_sleep:
    mov $HOST_FUTEX, %eax
    lea AREA_WORD(%r12), %rdi
    mov $FUTEX_WAIT, %esi
    mov $(STUB_KERNEL | STUB_SLEEP), %edx
    xor %r10d, %r10d
    syscall
    jmp wait_look

/* One that takes long ends yielding for 16 times as long. */
wait_yield:
    dec %ebx
    rdtsc
    shl $32, %rdx
    or %rdx, %rax
    mov %rax, %r13
    mov $HOST_YIELD, %eax
    syscall
    rdtsc
    shl $32, %rdx
    or %rdx, %rax
    mov %rax, %rdx
    sub %r13, %rdx
    movabs $(STUB_CONSTANTS + CONST_YIELD), %rcx
    cmp (%rcx), %rdx
    jbe wait_look
    shl $4, %rdx
    add %rdx, %rax
    mov %rax, AREA_YIELD(%r12)
    xor %ebx, %ebx
    jmp wait_look

stub_run:
    cmpl $0, STUB_FIXED+FIXED_FRESH(%r12)
    je stub_go_on
    movabs $(STUB_CONSTANTS + CONST_VECTOR), %rcx
    mov $0xfffffdff, %eax /* all but PKRU */
    mov $0xffffffff, %edx
    xrstor64 (%rcx)
    .globl stub_go_on
stub_go_on:
    cmpl $0, STUB_FIXED+FIXED_PREEMPT(%r12)
    jne stub_not_yet
    lea AREA_REGS(%r12), %rdi
    mov REGS_FS(%rdi), %rax
    wrfsbase %rax

/* Loads all registers from a struct stub_context at rdi. */
    .globl stub_load
stub_load:
    mov %rdi, %rsp
    mov REGS_RBX(%rsp), %rbx
    mov 16(%rsp), %rcx
    mov 24(%rsp), %rdx
    mov 32(%rsp), %rsi
    mov REGS_RBP(%rsp), %rbp
    mov 64(%rsp), %r8
    mov 72(%rsp), %r9
    mov 80(%rsp), %r10
    mov 88(%rsp), %r11
    mov REGS_R12(%rsp), %r12
    mov REGS_R13(%rsp), %r13
    mov REGS_R14(%rsp), %r14
    mov REGS_R15(%rsp), %r15
    mov (%rsp), %rax
    mov 40(%rsp), %rdi
    lea IRET_OFFSET(%rsp), %rsp
    iretq
    .globl stub_run_end
stub_run_end:

    .globl stub_not_yet
stub_not_yet:
    movq $STUB_KIND_NOT_YET, AREA_KIND(%r12)
    jmp stub_handoff

    .globl stub_exit
stub_exit:
    mov $HOST_EXIT, %eax
    xor %edi, %edi
    syscall
    ud2

/* ---- Signals --------------------------------------------------------------------------------- */

/*
 * rdi: signal, rsi: siginfo_t, rdx: ucontext_t, rsp: the frame, on the area's signal stack. There
 * is no return: stub_signal says where to go on and with which context, which may be in the room
 * made here, and vector state is loaded from the frame, which rbx points to.
 */
    .globl stub_signal_entry
stub_signal_entry:
    mov %rdx, %rbx
    mov %rsp, %r12
    and $-STUB_AREA_BYTES, %r12
    mov STUB_FIXED+FIXED_PAGE(%r12), %rax
    wrgsbase %rax
    and $-64, %rsp
    sub $CONTEXT_BYTES, %rsp
    mov %rsp, %r8
    mov %r12, %rcx
    call stub_signal /* a struct stub_resume in rax, rdx */
    mov %rax, %rdi
    mov %rdx, %r13
    mov 224(%rbx), %rcx /* uc_mcontext.fpregs */
    mov $0xffffffff, %eax
    mov $0xffffffff, %edx
    xrstor64 (%rcx)
    jmp *%r13

/*
 * From here to stub_inner_end no guest thread can be that is to be preempted, unless it jumped
 * here: it could sleep for ever where no signal counts, and is ended instead.
 */

/* ---- The birth of a guest thread: its stack pointer, set by clone, is the area's end --------- */

    .globl stub_inner
stub_inner:
thread_start:
    lea -1(%rsp), %r12
    and $-STUB_AREA_BYTES, %r12
    mov $HOST_CLOSE_RANGE, %eax
    xor %edi, %edi
    mov $-1, %esi
    xor %edx, %edx
    syscall
    test %rax, %rax
    jnz stub_exit
    mov STUB_FIXED+FIXED_PAGE(%r12), %rax
    wrgsbase %rax
    mov $HOST_SIGALTSTACK, %eax
    lea STUB_FIXED+FIXED_STACK(%r12), %rdi
    xor %esi, %esi
    syscall
    test %rax, %rax
    jnz stub_exit
    mov $HOST_SIGPROCMASK, %eax
    mov $SIG_SETMASK, %edi
    movabs $(STUB_CONSTANTS + CONST_NO_MASK), %rsi
    xor %edx, %edx
    mov $8, %r10d
    syscall
    test %rax, %rax
    jnz stub_exit
    mov $HOST_SECCOMP, %eax
    mov $SECCOMP_SET_MODE_FILTER, %edi
    xor %esi, %esi
    movabs $(STUB_CONSTANTS + CONST_FILTER), %rdx
    syscall
    test %rax, %rax
    jnz stub_exit
    jmp stub_handoff

/* ---- The mapper: r15 the orders, r14 the last sequence, r13 the last result, rbx the index --- */

    .globl stub_mapper
stub_mapper:
    movabs $STUB_ORDERS, %r15
    mov %edi, %r14d
    mov $HOST_MUNMAP, %eax /* it comes from the zygote's stack, and needs none */
    movabs $ZYGOTE_STACK, %rdi
    mov $ZYGOTE_STACK_BYTES, %esi
    syscall
    test %rax, %rax
    jnz stub_exit
mapper_wait:
    mov ORDERS_SEQUENCE(%r15), %eax
    cmp %eax, %r14d
    jne 1f
    mov $HOST_FUTEX, %eax
    lea ORDERS_SEQUENCE(%r15), %rdi
    mov $FUTEX_WAIT, %esi
    mov %r14d, %edx
    xor %r10d, %r10d
    syscall
    jmp mapper_wait
1:  mov %eax, %r14d
    xor %ebx, %ebx
    lea ORDERS_FIRST(%r15), %rbp
mapper_next:
    cmp ORDERS_COUNT(%r15), %ebx
    jae mapper_done
    mov (%rbp), %rax
    mov 8(%rbp), %rdi
    mov 16(%rbp), %rsi
    mov 24(%rbp), %rdx
    mov 32(%rbp), %r10
    mov 40(%rbp), %r8
    mov 48(%rbp), %r9
    syscall
    mov %rax, %r13
    cmpq $HOST_CLONE, (%rbp)
    jne 1f
    test %rax, %rax
    jz thread_start
1:  cmp $-4095, %rax
    jae mapper_failed
    inc %ebx
    add $ORDER_BYTES, %rbp
    jmp mapper_next

mapper_done:
    movabs $(STUB_CONSTANTS + CONST_DONE), %r12
    cmpl $0, ORDERS_NUMBERED(%r15)
    je mapper_report
    mov %r13, %rsi
mapper_number:
    mov $HOST_LSEEK, %eax
    mov $STUB_FD_NUMBER, %edi
    xor %edx, %edx
    syscall
mapper_report:
    mov $HOST_WRITE, %eax
    mov $STUB_FD_REPORT, %edi
    mov %r12, %rsi
    mov $8, %edx
    syscall
    jmp mapper_wait

/* The number is then the error, and the index of what failed. */
mapper_failed:
    movabs $(STUB_CONSTANTS + CONST_FAILED), %r12
    neg %r13
    mov %rbx, %rsi
    shl $12, %rsi
    or %r13, %rsi
    cmpl $0, ORDERS_NUMBERED(%r15)
    je mapper_report
    jmp mapper_number

    .globl stub_host
/* A host call of the zygote's: number, then up to six arguments, as a C function. */
stub_host:
    mov %rdi, %rax
    mov %rsi, %rdi
    mov %rdx, %rsi
    mov %rcx, %rdx
    mov %r8, %r10
    mov %r9, %r8
    mov 8(%rsp), %r9
    syscall
    ret
    .globl stub_inner_end
stub_inner_end:

/* What compilers may call. */
    .globl memcpy, memset
memcpy:
    mov %rdi, %rax
    mov %rdx, %rcx
    rep movsb
    ret
memset:
    mov %rdi, %r8
    mov %esi, %eax
    mov %rdx, %rcx
    rep stosb
    mov %r8, %rax
    ret

    .section .note.GNU-stack, "", @progbits
