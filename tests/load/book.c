/* SPDX-License-Identifier: MIT */
#include "book.h"

#include <stdlib.h>
#include <string.h>

#include <fake_kernel.h>

#define MAPPINGS_MAX 32

struct mapping {
    uint64_t address, size_bytes;
    uint32_t prot;
    bool is_image, is_ahead;
    uint8_t *bytes;
};

struct book book;
uint8_t book_image[16 * 4096];
static struct mapping mappings[MAPPINGS_MAX];

static struct mapping *mapping_at(uint64_t address) {
    for (unsigned i = 0; i < book.mapping_count; i++) {
        if (address >= mappings[i].address &&
            address < mappings[i].address + mappings[i].size_bytes)
            return &mappings[i];
    }
    return NULL;
}

static void mappings_free(void) {
    for (unsigned i = 0; i < book.mapping_count; i++)
        free(mappings[i].bytes);
    book.mapping_count = 0;
}

/* Memory of the caller's own is the test's. */
static ax_result map_own(const struct ax_map_request *request) {
    void *bytes = calloc(1, request->size_bytes);
    book.own_mappings++;
    return (ax_result)(uintptr_t)bytes;
}

static ax_result map(ax_handle process, ax_handle memory, const struct ax_map_request *request) {
    if (process == AX_HANDLE_NONE)
        return map_own(request);
    if ((request->flags & AX_MAP_FIXED) == 0 || request->address % AX_PAGE_SIZE != 0 ||
        mapping_at(request->address) != NULL || book.mapping_count == MAPPINGS_MAX)
        abort();
    if (memory != AX_HANDLE_NONE &&
        (memory != BOOK_IMAGE || request->offset + request->size_bytes > sizeof(book_image) ||
         (request->flags & AX_MAP_PRIVATE) == 0 || request->offset % AX_PAGE_SIZE != 0))
        abort();
    bool is_ahead = (request->flags & AX_MAP_POPULATE) != 0;
    if (is_ahead && !book.thread_open) /* nothing is mapped before */
        abort();
    struct mapping *made = &mappings[book.mapping_count++];
    uint64_t size_bytes = (request->size_bytes + AX_PAGE_SIZE - 1) / AX_PAGE_SIZE * AX_PAGE_SIZE;
    *made = (struct mapping){request->address,         size_bytes, request->prot,
                             memory != AX_HANDLE_NONE, is_ahead,   calloc(1, size_bytes)};
    if (made->is_image)
        memcpy(made->bytes, book_image + request->offset, request->size_bytes);
    return (ax_result)made->address;
}

/* At most a page a call, so that callers must go on. */
static ax_result copy_in(uint64_t address, const void *from, uint64_t size_bytes) {
    struct mapping *mapping = mapping_at(address);
    if (mapping == NULL)
        return AX_ERR_ADDRESS;
    uint64_t room = mapping->address + mapping->size_bytes - address;
    size_bytes = size_bytes < AX_PAGE_SIZE ? size_bytes : AX_PAGE_SIZE;
    size_bytes = size_bytes < room ? size_bytes : room;
    memcpy(mapping->bytes + (address - mapping->address), from, size_bytes);
    return (ax_result)size_bytes;
}

static ax_result control(struct ax_thread_page *page, const uint64_t arguments[5]) {
    switch (arguments[1]) {
    case AX_PROCESS_SUSPEND: book.suspended++; return 0;
    case AX_PROCESS_RESUME:
        book.suspended--;
        book.resumed = book.thread_open;
        return 0;
    case AX_PROCESS_LABEL: book.label = arguments[3]; return 0;
    case AX_PROCESS_PERSONALITY:
        memcpy(&book.personality, page->buffer, sizeof(book.personality));
        return 0;
    default: abort();
    }
}

static ax_result transfer(const uint64_t arguments[5]) {
    if (arguments[2] != AX_PLACE(BOOK_PROCESS, 0))
        abort();
    book.last_rights = (uint32_t)arguments[3];
    book.last_flags = (uint32_t)arguments[4];
    return 1 + book.given_count++;
}

static ax_result thread_create(const uint64_t arguments[5]) {
    if (book.suspended == 0)
        abort(); /* it would run before it is ready */
    book.thread_open = true;
    book.thread_entry = arguments[1];
    book.thread_stack = arguments[2];
    book.thread_argument = arguments[3];
    return BOOK_THREAD;
}

static ax_result close_handle(uint64_t handle) {
    switch (handle) {
    case BOOK_PROCESS: book.process_open = false; return 0;
    case BOOK_THREAD: book.thread_open = false; return 0;
    case BOOK_OWN: book.closed_own++; return 0;
    default: abort();
    }
}

static ax_result book_call(struct ax_thread_page *page, uint64_t number,
                           const uint64_t arguments[5]) {
    struct ax_map_request request;
    if (number == AX_CALL_HANDLE_CLOSE)
        return close_handle(arguments[0]);
    if (number == AX_CALL_MEMORY_UNMAP) {
        free((void *)(uintptr_t)arguments[1]);
        book.own_mappings--;
        return 0;
    }
    if (number == AX_CALL_OBJECT_INFO) {
        const struct ax_object_info info = {.process.cause = book.cause};
        memcpy(page->buffer, &info, sizeof(info));
        return 0;
    }
    if (number == AX_CALL_PROCESS_END) {
        book.process_ended = true;
        return 0;
    }
    if (++book.call_count == book.fail_at)
        return AX_ERR_MEMORY;
    switch (number) {
    case AX_CALL_PROCESS_CREATE: book.process_open = true; return BOOK_PROCESS;
    case AX_CALL_MEMORY_MAP:
        memcpy(&request, page->buffer, sizeof(request));
        return map((ax_handle)arguments[0], (ax_handle)arguments[1], &request);
    case AX_CALL_PROCESS_COPY:
        return copy_in(arguments[1], (const void *)(uintptr_t)arguments[2], arguments[3]);
    case AX_CALL_PROCESS_CONTROL: return control(page, arguments);
    case AX_CALL_HANDLE_TRANSFER: return transfer(arguments);
    case AX_CALL_THREAD_CREATE: return thread_create(arguments);
    case AX_CALL_THREAD_CONTROL: book.priority = arguments[2]; return 0;
    default: abort();
    }
}

void book_start(void) {
    mappings_free();
    book = (struct book){0};
    fake_kernel_start(book_call);
}

void book_end(void) {
    mappings_free();
}

uint8_t book_byte(uint64_t address) {
    const struct mapping *mapping = mapping_at(address);
    if (mapping == NULL)
        abort();
    return mapping->bytes[address - mapping->address];
}

void book_read(uint64_t address, void *to, size_t size_bytes) {
    for (size_t i = 0; i < size_bytes; i++)
        ((uint8_t *)to)[i] = book_byte(address + i);
}

bool book_mapping(uint64_t address, uint32_t *prot, bool *is_image) {
    const struct mapping *mapping = mapping_at(address);
    if (mapping == NULL)
        return false;
    *prot = mapping->prot;
    *is_image = mapping->is_image;
    return true;
}

bool book_is_ahead(uint64_t address) {
    const struct mapping *mapping = mapping_at(address);
    return mapping != NULL && mapping->is_ahead;
}
