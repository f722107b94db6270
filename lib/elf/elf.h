/* SPDX-License-Identifier: MIT */
/*
 * Reads a static executable for x86_64 (ELF64, ET_EXEC or static-pie ET_DYN) that lies in memory,
 * and says how to load it. Every byte of it is taken for hostile; nothing is kept of it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_SEGMENTS_MAX 16

enum elf_error {
    ELF_OK = 0,
    ELF_TOO_SHORT,        /* ends before its first header does */
    ELF_NOT_ELF,          /* other magic */
    ELF_CLASS,            /* 32 bits, or big endian */
    ELF_MACHINE,          /* for another machine */
    ELF_VERSION,          /* of a format we do not know */
    ELF_TYPE,             /* neither an executable nor a position-independent one */
    ELF_HEADER_SIZE,      /* program headers of another size */
    ELF_HEADERS_OUTSIDE,  /* program headers beyond the end of the file */
    ELF_INTERPRETER,      /* dynamically linked */
    ELF_EXECUTABLE_STACK, /* asks for it */
    ELF_NO_SEGMENT,       /* nothing to load */
    ELF_TOO_MANY,         /* more than ELF_SEGMENTS_MAX */
    ELF_FILE_RANGE,       /* a segment's bytes lie beyond the end of the file */
    ELF_SIZES,            /* a segment has more bytes in the file than in memory */
    ELF_ALIGNMENT,        /* a segment's address and place in the file differ within the page */
    ELF_ADDRESS,          /* a segment lies outside what programs may use */
    ELF_ORDER,            /* segments not in ascending order, overlapping, or sharing a page */
    ELF_WRITE_EXECUTE,    /* a segment that can be written and executed */
    ELF_ENTRY,            /* the entry point is in no executable segment */
    ELF_TLS,              /* two thread-local templates, or one that is not loaded */
    ELF_BIAS,             /* the load bias does not suit the file's alignment */
    ELF_ERROR_COUNT,
};

/* Where it may be loaded. */
struct elf_place {
    uint64_t start, end; /* all its pages lie in [start, end) */
    uint64_t bias;       /* added to every address of an ET_DYN file; ignored for ET_EXEC */
};

/*
 * One load segment, rounded out to pages. Its memory is the bytes of the file [offset, offset +
 * file_bytes), then zeroes. The whole pages among them can be mapped from the file; a rest of a
 * page must be copied into a page of zeroes.
 */
struct elf_segment {
    uint64_t address;    /* of its first page, bias added */
    uint64_t size_bytes; /* whole pages, at least one */
    uint64_t offset;     /* in the file, a multiple of the page size */
    uint64_t file_bytes; /* at most size_bytes; may be 0 */
    uint32_t prot;       /* enum ax_prot; never write with execute, and either implies read */
};

struct elf_tls {
    uint64_t address; /* of the template, bias added */
    uint64_t file_bytes;
    uint64_t memory_bytes; /* 0: the program has none */
    uint64_t alignment;
};

struct elf_plan {
    bool is_dyn;
    uint64_t entry;     /* bias added; in an executable segment */
    uint64_t bias;      /* what was added: 0 for ET_EXEC */
    uint64_t alignment; /* the largest that a segment asks for; at least a page */
    unsigned segment_count;
    struct elf_segment segments[ELF_SEGMENTS_MAX]; /* ascending, no page in two */
    uint64_t end;                                  /* of the last one: where the break starts */
    uint64_t headers; /* address of the program headers (AT_PHDR); 0: they are not loaded */
    uint16_t header_size, header_count; /* AT_PHENT, AT_PHNUM */
    struct elf_tls tls;
};

/* The file is `size_bytes` bytes at `file`, of any alignment. `plan` holds only if this is OK. */
__attribute__((warn_unused_result)) enum elf_error elf_plan(const void *file, size_t size_bytes,
                                                            const struct elf_place *place,
                                                            struct elf_plan *plan);

/* What is wrong, to be put behind the file's name and a colon: "is dynamically linked ...". */
const char *elf_error_text(enum elf_error error);
