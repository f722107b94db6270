/* SPDX-License-Identifier: MIT */
#include <base/align.h>
#include <base/memory.h>

#include "supervisor.h"

#define PERSONALITY_PATH "/lib/personality"

struct boot boot;
struct manifest manifest;

/* A memory object from its beginning, mapped to be read. */
static const void *map_all(ax_handle memory, uint64_t size_bytes, const char *what) {
    struct ax_map_request request = {.size_bytes = align_up(size_bytes, AX_PAGE_SIZE),
                                     .prot = AX_PROT_READ};
    ax_result address = ax_memory_map(AX_HANDLE_NONE, memory, &request);
    if (address < 0)
        fail("%s cannot be mapped: %s", what, error_name(address));
    return (const void *)(uintptr_t)address; /* NOLINT(performance-no-int-to-ptr): an answer */
}

bool image_find(struct manifest_text path, struct load_image *file) {
    struct cpio_entry entry;
    if (cpio_find(&boot.image, path.start, path.length, &entry) != CPIO_OK ||
        (entry.mode & CPIO_TYPE_MASK) != CPIO_FILE)
        return false;
    *file = (struct load_image){.memory = AX_ROOT_IMAGE,
                                .offset = entry.offset,
                                .bytes = cpio_content(&boot.image, &entry),
                                .size_bytes = entry.size_bytes};
    return true;
}

static struct load_image image_need(const char *path) {
    struct load_image file;
    struct manifest_text text = {path, 0};
    while (path[text.length] != 0)
        text.length++;
    if (!image_find(text, &file))
        fail("%s is missing in the system image", path);
    return file;
}

void image_open(void) {
    static struct manifest_error error;
    size_t offset;
    memcpy(&boot.page, map_all(AX_ROOT_BOOT, sizeof(boot.page), "the boot page"),
           sizeof(boot.page));
    boot.realtime_ns = command_realtime(boot.page.command_line);
    if (boot.page.image_bytes == 0)
        fail("there is no system image");
    boot.image.size_bytes = boot.page.image_bytes;
    boot.image.bytes = map_all(AX_ROOT_IMAGE, boot.page.image_bytes, "the system image");
    enum cpio_error damage = cpio_check(&boot.image, &offset);
    if (damage != CPIO_OK)
        fail("the system image, at byte %llu, %s: build it again", (unsigned long long)offset,
             cpio_error_text(damage));
    boot.personality = image_need(PERSONALITY_PATH);
    struct load_image text = image_need(MANIFEST_PATH);
    if (!manifest_read(text.bytes, text.size_bytes, &manifest, &error))
        fail("%s, line %u: %s", MANIFEST_PATH, error.line, error.text);
}
