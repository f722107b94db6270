/* SPDX-License-Identifier: MIT */
/*
 * The root task's image, the first boot module: a header, segments, then their bytes. It is made on
 * the build host from an ELF file, so that core parses next to nothing. Everything is checked
 * against the module's size.
 */
#pragma once

#include <stdint.h>

#include <abi/object.h>

#define AX_ROOT_MAGIC       UINT64_C(0x31746f6f722d7861) /* "ax-root1" */
#define AX_ROOT_SEGMENTS    8
#define AX_ROOT_STACK_PAGES 16

struct ax_root_segment {
    uint64_t address;    /* of the first page */
    uint64_t offset;     /* in the image, a multiple of the page size */
    uint64_t file_bytes; /* bytes from the image; the rest is zero */
    uint64_t size_bytes; /* in memory */
    uint64_t prot;       /* enum ax_prot */
};

struct ax_root_image {
    uint64_t magic;
    uint64_t entry;         /* called with the address of the stack's top as argument */
    uint64_t segment_count; /* 1 to AX_ROOT_SEGMENTS */
    struct ax_root_segment segments[AX_ROOT_SEGMENTS];
};

/* The handles the root task finds in its table, at these indices, generation 0. */
enum ax_root_handle {
    AX_ROOT_PROCESS = 1, /* its own process, AX_RIGHT_PROCESS */
    AX_ROOT_THREAD,      /* its first thread; after a restart see ax_boot_page.thread */
    AX_ROOT_ACCOUNT,     /* the account of all memory */
    AX_ROOT_SYSTEM,      /* device of kind AX_DEVICE_SYSTEM, all rights */
    AX_ROOT_DEVICE_MEMORY,
    AX_ROOT_DEVICE_PORTS,
    AX_ROOT_DEVICE_IRQS,
    AX_ROOT_IMAGE, /* the system image (second module) as memory, read and execute */
    AX_ROOT_BOOT,  /* memory of one page: struct ax_boot_page */
    AX_ROOT_HANDLE_COUNT,
};

struct ax_boot_page {
    uint64_t cpu_count;
    uint64_t memory_bytes;
    uint64_t image_bytes;   /* of the system image, before padding to pages */
    uint64_t root_restarts; /* how often the root task was started anew */
    uint64_t thread;        /* handle of its first thread: AX_ROOT_THREAD, unless something that is
                               not an older first thread lay there when it started anew */
    char command_line[1024];
    uint8_t entropy[32];
};
