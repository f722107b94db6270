/* SPDX-License-Identifier: MIT */
#include <elf/elf.h>

#include <abi/layout.h>
#include <abi/object.h>
#include <base/align.h>
#include <base/memory.h>

/* What the format calls Elf64_Ehdr and Elf64_Phdr. */
struct file_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, headers, sections;
    uint32_t flags;
    uint16_t size, header_size, header_count, section_size, section_count, section_names;
};

struct program_header {
    uint32_t type, flags;
    uint64_t offset, address, physical, file_bytes, memory_bytes, alignment;
};

_Static_assert(sizeof(struct file_header) == 64, "as the format has it");
_Static_assert(sizeof(struct program_header) == 56, "as the format has it");

enum { IDENT_CLASS = 4, IDENT_DATA = 5, IDENT_VERSION = 6 };
enum { CLASS_64 = 2, DATA_LITTLE = 1, VERSION_CURRENT = 1 };
enum { TYPE_EXECUTABLE = 2, TYPE_DYNAMIC = 3 };
enum { MACHINE_X86_64 = 62 };
enum { FLAG_EXECUTE = 1, FLAG_WRITE = 2, FLAG_READ = 4 };
enum { HEADER_LOAD = 1, HEADER_INTERPRETER = 3, HEADER_TLS = 7, HEADER_STACK = 0x6474e551 };

/* The largest alignment a segment may ask for. */
#define ALIGNMENT_MAX (UINT64_C(1) << 30)

struct reader {
    const uint8_t *file;
    size_t size_bytes;
    const struct elf_place *place;
    struct file_header header;
    struct elf_plan *plan;
};

static const char *const error_texts[ELF_ERROR_COUNT] = {
    [ELF_OK] = "is fine",
    [ELF_TOO_SHORT] = "is too short to be a program: it ends within its first header",
    [ELF_NOT_ELF] = "is not a program: it does not begin like an ELF file",
    [ELF_CLASS] = "is not a 64-bit little-endian program",
    [ELF_MACHINE] = "is a program for another machine than x86_64",
    [ELF_VERSION] = "is damaged: its version of the ELF format does not exist",
    [ELF_TYPE] = "is no executable program but another kind of ELF file",
    [ELF_HEADER_SIZE] = "is damaged: its program headers have a wrong size",
    [ELF_HEADERS_OUTSIDE] = "is truncated: its program headers lie beyond its end",
    [ELF_INTERPRETER] = "is dynamically linked and needs an interpreter: link it with -static",
    [ELF_EXECUTABLE_STACK] = "asks for an executable stack, which does not exist here",
    [ELF_NO_SEGMENT] = "is damaged: it has no segment to load",
    [ELF_TOO_MANY] = "has too many segments to load (at most 16)",
    [ELF_FILE_RANGE] = "is truncated: bytes of a segment lie beyond its end",
    [ELF_SIZES] = "is damaged: a segment has more bytes in the file than in memory",
    [ELF_ALIGNMENT] = "has a segment whose address and place in the file are not aligned alike",
    [ELF_ADDRESS] = "has a segment at an address that programs may not use",
    [ELF_ORDER] = "has segments that overlap, share a page or are out of order",
    [ELF_WRITE_EXECUTE] = "has a segment that is both writable and executable",
    [ELF_ENTRY] = "is damaged: its entry point is in no executable segment",
    [ELF_TLS] = "is damaged: its thread-local template is not in a segment, or there are two",
    [ELF_BIAS] = "cannot be loaded at that address: it asks for a larger alignment",
};

const char *elf_error_text(enum elf_error error) {
    if ((unsigned)error >= ELF_ERROR_COUNT)
        return "has an unknown error";
    return error_texts[error];
}

/* [start, start + length) lies within [0, limit). */
static bool is_within(uint64_t start, uint64_t length, uint64_t limit) {
    return start <= limit && length <= limit - start;
}

/* ---- The first header ------------------------------------------------------------------------ */

static enum elf_error header_read(struct reader *reader) {
    static const uint8_t magic[] = {0x7f, 'E', 'L', 'F'};
    struct file_header *header = &reader->header;
    if (reader->size_bytes < sizeof(magic))
        return ELF_TOO_SHORT;
    if (memcmp(reader->file, magic, sizeof(magic)) != 0)
        return ELF_NOT_ELF;
    if (reader->size_bytes < sizeof(*header))
        return ELF_TOO_SHORT;
    memcpy(header, reader->file, sizeof(*header));
    if (header->ident[IDENT_CLASS] != CLASS_64 || header->ident[IDENT_DATA] != DATA_LITTLE)
        return ELF_CLASS;
    if (header->ident[IDENT_VERSION] != VERSION_CURRENT || header->version != VERSION_CURRENT)
        return ELF_VERSION;
    if (header->machine != MACHINE_X86_64)
        return ELF_MACHINE;
    if (header->type != TYPE_EXECUTABLE && header->type != TYPE_DYNAMIC)
        return ELF_TYPE;
    if (header->header_count == 0)
        return ELF_NO_SEGMENT;
    if (header->header_size != sizeof(struct program_header))
        return ELF_HEADER_SIZE;
    uint64_t headers_bytes = (uint64_t)header->header_count * header->header_size;
    if (!is_within(header->headers, headers_bytes, reader->size_bytes))
        return ELF_HEADERS_OUTSIDE;
    return ELF_OK;
}

static void program_header_read(const struct reader *reader, unsigned index,
                                struct program_header *header) {
    memcpy(header, reader->file + reader->header.headers + index * sizeof(*header),
           sizeof(*header));
}

/* ---- Segments -------------------------------------------------------------------------------- */

static uint32_t prot_of(uint32_t flags) {
    uint32_t prot = AX_PROT_NONE;
    if ((flags & FLAG_WRITE) != 0)
        prot |= AX_PROT_READ | AX_PROT_WRITE;
    if ((flags & FLAG_EXECUTE) != 0)
        prot |= AX_PROT_READ | AX_PROT_EXECUTE;
    if ((flags & FLAG_READ) != 0)
        prot |= AX_PROT_READ;
    return prot;
}

static enum elf_error alignment_add(struct elf_plan *plan, uint64_t alignment) {
    if (alignment <= plan->alignment)
        return ELF_OK;
    if (!is_power_of_two(alignment) || alignment > ALIGNMENT_MAX)
        return ELF_ALIGNMENT;
    plan->alignment = alignment;
    return ELF_OK;
}

/* Where the segment's pages are, if programs may have them. */
static enum elf_error pages_find(const struct reader *reader, const struct program_header *header,
                                 struct elf_segment *segment) {
    uint64_t first, end;
    if (__builtin_add_overflow(header->address, reader->plan->bias, &first) ||
        __builtin_add_overflow(first, header->memory_bytes, &end) ||
        __builtin_add_overflow(end, AX_PAGE_SIZE - 1, &end))
        return ELF_ADDRESS;
    end = align_down(end, AX_PAGE_SIZE);
    segment->address = align_down(first, AX_PAGE_SIZE);
    segment->size_bytes = end - segment->address;
    if (segment->address < reader->place->start || end > reader->place->end)
        return ELF_ADDRESS;
    return ELF_OK;
}

static enum elf_error segment_add(struct reader *reader, const struct program_header *header) {
    struct elf_plan *plan = reader->plan;
    if (header->file_bytes > header->memory_bytes)
        return ELF_SIZES;
    if (header->memory_bytes == 0)
        return ELF_OK;
    if (plan->segment_count == ELF_SEGMENTS_MAX)
        return ELF_TOO_MANY;
    if (!is_within(header->offset, header->file_bytes, reader->size_bytes))
        return ELF_FILE_RANGE;
    if ((header->flags & FLAG_WRITE) != 0 && (header->flags & FLAG_EXECUTE) != 0)
        return ELF_WRITE_EXECUTE;
    enum elf_error error = alignment_add(plan, header->alignment);
    if (error != ELF_OK)
        return error;

    struct elf_segment *segment = &plan->segments[plan->segment_count];
    *segment = (struct elf_segment){.prot = prot_of(header->flags)};
    error = pages_find(reader, header, segment);
    if (error != ELF_OK)
        return error;
    if (header->file_bytes != 0) {
        uint64_t lead = header->address % AX_PAGE_SIZE;
        if (header->offset % AX_PAGE_SIZE != lead)
            return ELF_ALIGNMENT;
        segment->offset = header->offset - lead;
        segment->file_bytes = header->file_bytes + lead;
    }
    if (plan->segment_count != 0 && segment->address < plan->end)
        return ELF_ORDER;
    plan->end = segment->address + segment->size_bytes;
    plan->segment_count++;
    return ELF_OK;
}

/* Is [address, address + length) in a segment that has these rights? */
static bool is_loaded(const struct elf_plan *plan, uint64_t address, uint64_t length,
                      uint32_t prot) {
    for (unsigned i = 0; i < plan->segment_count; i++) {
        const struct elf_segment *segment = &plan->segments[i];
        if (address >= segment->address &&
            is_within(address - segment->address, length, segment->size_bytes))
            return (segment->prot & prot) == prot;
    }
    return false;
}

/* Where in memory the bytes of the file [offset, offset + length) are readable; 0: nowhere. */
static uint64_t address_of(const struct elf_plan *plan, uint64_t offset, uint64_t length) {
    for (unsigned i = 0; i < plan->segment_count; i++) {
        const struct elf_segment *segment = &plan->segments[i];
        if (offset >= segment->offset && (segment->prot & AX_PROT_READ) != 0 &&
            is_within(offset - segment->offset, length, segment->file_bytes))
            return segment->address + (offset - segment->offset);
    }
    return 0;
}

/* ---- The whole ------------------------------------------------------------------------------- */

static enum elf_error tls_add(struct reader *reader, const struct program_header *header) {
    struct elf_tls *tls = &reader->plan->tls;
    if (tls->memory_bytes != 0)
        return ELF_TLS;
    if (header->file_bytes > header->memory_bytes)
        return ELF_SIZES;
    tls->file_bytes = header->file_bytes;
    tls->memory_bytes = header->memory_bytes;
    tls->alignment = header->alignment;
    if (tls->alignment > 1 && !is_power_of_two(tls->alignment))
        return ELF_ALIGNMENT;
    if (__builtin_add_overflow(header->address, reader->plan->bias, &tls->address))
        return ELF_TLS;
    return ELF_OK;
}

static enum elf_error program_header_use(struct reader *reader,
                                         const struct program_header *header) {
    switch (header->type) {
    case HEADER_LOAD: return segment_add(reader, header);
    case HEADER_TLS: return tls_add(reader, header);
    case HEADER_INTERPRETER: return ELF_INTERPRETER;
    case HEADER_STACK: return (header->flags & FLAG_EXECUTE) != 0 ? ELF_EXECUTABLE_STACK : ELF_OK;
    default: return ELF_OK;
    }
}

/* What can only be told when all segments are known. */
static enum elf_error plan_finish(struct reader *reader) {
    struct elf_plan *plan = reader->plan;
    const struct file_header *header = &reader->header;
    if (plan->segment_count == 0)
        return ELF_NO_SEGMENT;
    if (!is_aligned(plan->bias, plan->alignment))
        return ELF_BIAS;
    if (__builtin_add_overflow(header->entry, plan->bias, &plan->entry) ||
        !is_loaded(plan, plan->entry, 1, AX_PROT_EXECUTE))
        return ELF_ENTRY;
    if (plan->tls.file_bytes != 0 &&
        !is_loaded(plan, plan->tls.address, plan->tls.file_bytes, AX_PROT_READ))
        return ELF_TLS;
    plan->headers =
        address_of(plan, header->headers, (uint64_t)header->header_count * header->header_size);
    plan->header_size = header->header_size;
    plan->header_count = header->header_count;
    return ELF_OK;
}

enum elf_error elf_plan(const void *file, size_t size_bytes, const struct elf_place *place,
                        struct elf_plan *plan) {
    struct reader reader = {.file = file, .size_bytes = size_bytes, .place = place, .plan = plan};
    enum elf_error error = header_read(&reader);
    if (error != ELF_OK)
        return error;
    bool is_dyn = reader.header.type == TYPE_DYNAMIC;
    *plan = (struct elf_plan){
        .is_dyn = is_dyn, .bias = is_dyn ? place->bias : 0, .alignment = AX_PAGE_SIZE};
    for (unsigned i = 0; i < reader.header.header_count; i++) {
        struct program_header header;
        program_header_read(&reader, i, &header);
        error = program_header_use(&reader, &header);
        if (error != ELF_OK)
            return error;
    }
    return plan_finish(&reader);
}
