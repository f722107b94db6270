/* SPDX-License-Identifier: MIT */
/* What entry.S calls. */
#pragma once

#include <abi/thread_page.h>

/* An upcall: returns when the program frame can be loaded without the kernel. */
void upcall_serve(struct ax_thread_page *page);

/* A call from a patched site: the program frame is as after a bounce, but for rip and what
 * patch_decode says. Returns as upcall_serve does. */
void upcall_patched(struct ax_thread_page *page);

/* Returns if the program's registers can be loaded without the kernel, else goes on through it. */
void upcall_return(struct ax_thread_page *page);

/* Goes on in the program frame through the kernel. */
_Noreturn void upcall_leave(struct ax_thread_page *page);

/* The personality itself faulted: the process ends, and the log tells where. */
_Noreturn void upcall_bug(const struct ax_thread_page *page);

/* The one register of a frame that the way back without the kernel does not load. */
static inline void fs_base_load(const struct ax_regs *regs) {
    __asm__ volatile("wrfsbase %0" ::"r"(regs->fs_base));
}

/* The beginning of a thread: the argument is its block, or the start block's address. Returns as
 * upcall_serve does. */
void thread_begin(uint64_t argument, struct ax_thread_page *page);
