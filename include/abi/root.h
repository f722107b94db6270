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

/* A linear picture in device memory, as the machine's firmware left it. */
struct ax_framebuffer {
    uint64_t physical;      /* of the first pixel */
    uint32_t width, height; /* in pixels; 0: there is none */
    uint32_t pitch_bytes;   /* from one line to the next */
    uint8_t pixel_bits;     /* 16, 24 or 32, little endian */
    uint8_t red_shift, red_bits;
    uint8_t green_shift, green_bits;
    uint8_t blue_shift, blue_bits;
    uint8_t reserved[5];
};

struct ax_boot_page {
    uint64_t cpu_count;
    uint64_t memory_bytes;
    uint64_t image_bytes;   /* of the system image, before padding to pages */
    uint64_t root_restarts; /* how often the root task was started anew */
    uint64_t thread;        /* handle of its first thread: AX_ROOT_THREAD, unless something that is
                               not an older first thread lay there when it started anew */
    uint64_t irq_wired;     /* interrupt lines from this one on are raised by messages */
    uint64_t acpi_root;     /* physical address of the ACPI root pointer (RSDP); 0: none */
    struct ax_framebuffer framebuffer;
    char command_line[1024];
    uint8_t entropy[32];
};

_Static_assert(sizeof(struct ax_framebuffer) == 32, "shared with programs");
