/* SPDX-License-Identifier: MIT */
/* What entry.S needs to know of structures and addresses; begin.c checks each. */
#pragma once

#define AT_PERSONALITY   0x7ffe3fff0000
#define AT_KERNEL_CALL   0x7ffdffff0000
#define IMAGE_MAGIC      0x316f736f72707861
#define PAGE_STACK       16
#define PAGE_INSIDE      24
#define PAGE_PENDING     28
#define PAGE_REGS        232 /* of the program frame; a register of it by REG_* */
#define PAGE_REASON      392 /* and the fault's number */
#define PAGE_ADDRESS     400
#define PAGE_ACCESS      408
#define PAGE_RECOVERY_IP 544
#define REG_RAX          0
#define REG_RBX          8
#define REG_RCX          16
#define REG_RDX          24
#define REG_RSI          32
#define REG_RDI          40
#define REG_RBP          48
#define REG_RSP          56
#define REG_R8           64
#define REG_R9           72
#define REG_R10          80
#define REG_R11          88
#define REG_R12          96
#define REG_R13          104
#define REG_R14          112
#define REG_R15          120
#define REG_RIP          128
#define REG_RFLAGS       136
#define REG_FS_BASE      144
#define REG_RESERVED     152
#define REASON_NONE      0
#define REASON_BOUNCE    1
#define FLAGS_ODD        0x44100 /* nested task, alignment check, trap */
#define FLAGS_PLAIN      0x202
#define INSIDE_PROGRAM   0
#define INSIDE_PERSON    1
