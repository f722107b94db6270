/* SPDX-License-Identifier: MIT */
/* Going anywhere with any registers, and coming back. */

#define USER_STACK 40  /* thread_page.user[0] */
#define USER_BACK  48  /* user[1] */
#define USER_JUMP  56  /* user[2] */
#define JUMP_IRET  160
#define CALL_ENTRY 0x7ffdffff0000

    .text
/* rdi: struct jump */
    .globl jump_run
jump_run:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, %gs:USER_STACK
    lea 1f(%rip), %rax
    mov %rax, %gs:USER_BACK
    mov %rdi, %gs:USER_JUMP
    mov %rdi, %rsp
    mov 8(%rsp), %rbx
    mov 16(%rsp), %rcx
    mov 24(%rsp), %rdx
    mov 32(%rsp), %rsi
    mov 48(%rsp), %rbp
    mov 64(%rsp), %r8
    mov 72(%rsp), %r9
    mov 80(%rsp), %r10
    mov 88(%rsp), %r11
    mov 96(%rsp), %r12
    mov 104(%rsp), %r13
    mov 112(%rsp), %r14
    mov 120(%rsp), %r15
    mov (%rsp), %rax
    mov 40(%rsp), %rdi
    lea JUMP_IRET(%rsp), %rsp
    iretq
1:  cld
    movq $0, %gs:USER_BACK
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

/* All upcalls, on the stack for them. */
    .globl upcall_entry
upcall_entry:
    xor %ebp, %ebp
    mov %gs:0, %rdi
    call upcall_serve
    ud2

/* rdi: the address of a syscall instruction with ret behind it, rsi: number, rdx: five arguments */
    .globl host_call_at
host_call_at:
    mov %rdi, %r11
    mov %rsi, %rax
    mov %rdx, %rcx
    mov (%rcx), %rdi
    mov 8(%rcx), %rsi
    mov 16(%rcx), %rdx
    mov 24(%rcx), %r10
    mov 32(%rcx), %r8
    xor %r9d, %r9d
    jmp *%r11

/*
 * The same at the hand-off's own syscall: rcx is an area of the caller's making. The hand-off finds
 * that the turn is the guest's, and loads what stands there.
 */
    .globl host_call_handoff
host_call_handoff:
    movl $1, (%rcx) /* STUB_GUEST */
    mov %rbx, 64+8(%rcx)
    mov %rbp, 64+48(%rcx)
    mov %r12, 64+96(%rcx)
    mov %r13, 64+104(%rcx)
    mov %r14, 64+112(%rcx)
    mov %r15, 64+120(%rcx)
    rdfsbase %rax
    mov %rax, 64+144(%rcx)
    pop %rax
    mov %rax, 224(%rcx)
    movq $0x33, 224+8(%rcx)
    movq $0x202, 224+16(%rcx)
    mov %rsp, 224+24(%rcx)
    movq $0x2b, 224+32(%rcx)
    mov %rcx, %r12
    jmp host_call_at

/* ---- Code for jumps: each ends with a fault or a bounce, or does not end --------------------- */

    .globl code_syscall, code_int80, code_sysenter, code_trap, code_spin, code_kernel_call
code_syscall:
    syscall
    ud2
code_int80:
    int $0x80
    ud2
code_sysenter:
    sysenter
    ud2
code_trap:
    ud2
code_spin:
    jmp code_spin
/* A kernel call that lets others run, then a trap. */
code_kernel_call:
    mov $6, %edi /* OBJECT_WAIT_MANY of nothing, until the past */
    xor %esi, %esi
    xor %edx, %edx
    movabs $CALL_ENTRY, %rax
    call *%rax
    ud2
    .globl code_kernel_call_number
code_kernel_call_number: /* a variant: the number and arguments are those given */
    movabs $CALL_ENTRY, %rax
    call *%rax
    ud2
    .globl code_gs, code_fs, code_pkru, code_gs_call, code_gs_spin
code_gs:
    wrgsbase %rbx
    ud2
code_fs:
    wrfsbase %rbx
    ud2
code_gs_call:
    wrgsbase %rbx
    jmp code_kernel_call
code_gs_spin:
    wrgsbase %rbx
    jmp code_spin
code_pkru:
    mov %ebx, %eax
    xor %ecx, %ecx
    xor %edx, %edx
    wrpkru
    jmp *%rsi
    .globl code_seize_stack
code_seize_stack: /* uses the stack pointer as it is */
    push %rax
    call 1f
1:  ud2

/* 32-bit code, reached by selector 0x23 */
    .code32
    .globl code32_int80, code32_sysenter, code32_syscall, code32_trap, code32_spin
code32_int80:
    int $0x80
    ud2
code32_sysenter:
    sysenter
    ud2
code32_syscall:
    syscall
    ud2
code32_trap:
    ud2
code32_spin:
    jmp code32_spin
    .code64

    .section .note.GNU-stack, "", @progbits
