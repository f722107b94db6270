/* SPDX-License-Identifier: MIT */
#include "program.h"

#include <elf.h>
#include <string.h>

/* Whether that part of the file exists. */
static bool has(const struct program *program, uint64_t offset, uint64_t size) {
    return offset <= program->size && size <= program->size - offset;
}

/* The entry of a table; false: it is not there. */
static bool entry_get(const struct program *program, uint64_t table, uint64_t index, void *entry,
                      size_t size) {
    uint64_t at =
        table + index * size; /* 16 bits of index: it does not wrap more than `has` sees */
    if (at < table || !has(program, at, size))
        return false;
    memcpy(entry, program->bytes + at, size);
    return true;
}

static void text_add(struct program *program, const Elf64_Phdr *header) {
    bool is_text = header->p_type == PT_LOAD && (header->p_flags & PF_X) != 0;
    if (!is_text || !has(program, header->p_offset, header->p_filesz) ||
        program->text_count == sizeof(program->text) / sizeof(program->text[0]))
        return;
    program->text[program->text_count++] =
        (struct program_part){(size_t)header->p_offset, (size_t)header->p_filesz, header->p_vaddr};
}

static struct program_part part_of(const struct program *program, const Elf64_Shdr *section) {
    if (section->sh_type == SHT_NOBITS || !has(program, section->sh_offset, section->sh_size))
        return (struct program_part){0};
    return (struct program_part){(size_t)section->sh_offset, (size_t)section->sh_size,
                                 section->sh_addr};
}

static bool is_named(const struct program *program, const Elf64_Shdr *names, uint32_t name,
                     const char *wanted) {
    struct program_part part = part_of(program, names);
    size_t size = strlen(wanted) + 1;
    return name < part.size && size <= part.size - name &&
           memcmp(program->bytes + part.offset + name, wanted, size) == 0;
}

static void sections_read(struct program *program, const Elf64_Ehdr *header) {
    Elf64_Shdr names, section, strings;
    if (header->e_shentsize != sizeof(section) ||
        !entry_get(program, header->e_shoff, header->e_shstrndx, &names, sizeof(names)))
        return;
    for (uint32_t i = 0; i < header->e_shnum; i++) {
        if (!entry_get(program, header->e_shoff, i, &section, sizeof(section)))
            return;
        if (is_named(program, &names, section.sh_name, ".eh_frame"))
            program->frames = part_of(program, &section);
        if (section.sh_type == SHT_SYMTAB &&
            entry_get(program, header->e_shoff, section.sh_link, &strings, sizeof(strings))) {
            program->symbols = part_of(program, &section);
            program->names = part_of(program, &strings);
        }
    }
}

bool program_open(struct program *program, const void *bytes, size_t size) {
    Elf64_Ehdr header;
    Elf64_Phdr segment;
    *program = (struct program){.bytes = bytes, .size = size};
    if (!entry_get(program, 0, 0, &header, sizeof(header)) ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
        header.e_machine != EM_X86_64 || header.e_phentsize != sizeof(segment))
        return false;
    for (uint32_t i = 0; i < header.e_phnum; i++) {
        if (entry_get(program, header.e_phoff, i, &segment, sizeof(segment)))
            text_add(program, &segment);
    }
    sections_read(program, &header);
    return true;
}

bool program_work(const struct program *program, uint64_t effort) {
    if (program->effort == NULL)
        return true;
    bool is_there = *program->effort >= effort;
    *program->effort = is_there ? *program->effort - effort : 0;
    return is_there;
}

bool program_is_given_up(const struct program *program) {
    return program->effort != NULL && *program->effort == 0;
}

const uint8_t *program_text(const struct program *program, uint64_t address, size_t size) {
    for (size_t i = 0; i < program->text_count; i++) {
        const struct program_part *part = &program->text[i];
        uint64_t offset = address - part->address;
        if (address >= part->address && offset <= part->size && size <= part->size - offset)
            return program->bytes + part->offset + offset;
    }
    return NULL;
}

/* A global name is preferred to a local one of the same place, then the first. */
static bool is_better(const Elf64_Sym *symbol, const Elf64_Sym *best, uint64_t address) {
    bool covers = address - symbol->st_value < symbol->st_size;
    bool best_covers = address - best->st_value < best->st_size;
    if (best->st_name == 0 || covers != best_covers)
        return best->st_name == 0 || covers;
    if (symbol->st_value != best->st_value)
        return symbol->st_value > best->st_value;
    return ELF64_ST_BIND(symbol->st_info) == STB_GLOBAL &&
           ELF64_ST_BIND(best->st_info) != STB_GLOBAL;
}

const char *program_function(const struct program *program, uint64_t address, size_t *length,
                             uint64_t *offset) {
    Elf64_Sym symbol, best = {0};
    if (program_text(program, address, 1) == NULL)
        return NULL;
    for (size_t i = 0; i < program->symbols.size / sizeof(symbol); i++) {
        if (!program_work(program, 1))
            return NULL;
        memcpy(&symbol, program->bytes + program->symbols.offset + i * sizeof(symbol),
               sizeof(symbol));
        unsigned type = ELF64_ST_TYPE(symbol.st_info);
        bool is_function = type == STT_FUNC || type == STT_NOTYPE || type == STT_GNU_IFUNC;
        if (is_function && symbol.st_shndx != SHN_UNDEF && symbol.st_value <= address &&
            symbol.st_name != 0 && symbol.st_name < program->names.size &&
            is_better(&symbol, &best, address))
            best = symbol;
    }
    if (best.st_name == 0)
        return NULL;
    const char *name = (const char *)program->bytes + program->names.offset + best.st_name;
    size_t room = program->names.size - best.st_name;
    *length = strnlen(name, room < PROGRAM_NAME_MAX ? room : PROGRAM_NAME_MAX);
    *offset = address - best.st_value;
    return name;
}
