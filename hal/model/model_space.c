/* SPDX-License-Identifier: MIT */
/*
 * Address spaces: one sorted array of translations for the whole machine, so that its content
 * depends on what is mapped and not on how it came about; and a small TLB a CPU, which goes on
 * using what it once saw until told otherwise.
 *
 * With table_frames, translations of one 2 MiB area hold a frame taken from core, recorded as an
 * entry of the array as well: TABLE is set in its page, prot counts the translations. It stays when
 * the last of them goes.
 */
#include "model.h"

#include <string.h>

#include <abi/abi.h>
#include <base/align.h>
#include <base/assert.h>
#include <hal/core.h>

#include "machine.h"

#define TABLE       (UINT64_C(1) << 63) /* sorts after all pages of the space */
#define TABLE_SHIFT 9                   /* pages a table: 512 */

uint32_t model_space_id(const struct hal_space *space) {
    return (uint32_t)space->machine[SPACE_ID];
}

uint64_t model_spaces(void) {
    return model->spaces;
}

const struct model_translation *model_translations(size_t *count) {
    *count = model->translation_count;
    return model->translations;
}

/* ---- The array ------------------------------------------------------------------------------- */

/* The first entry not before the space's page. */
static uint32_t entry_bound(uint32_t space, uint64_t page) {
    uint32_t low = 0, high = model->translation_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct model_translation *at = &model->translations[middle];
        if (at->space < space || (at->space == space && at->page < page))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct model_translation *entry_find(uint32_t space, uint64_t page) {
    uint32_t index = entry_bound(space, page);
    struct model_translation *at = &model->translations[index];
    bool found = index < model->translation_count && at->space == space && at->page == page;
    return found ? at : NULL;
}

static void entry_insert(uint32_t space, uint64_t page, uint64_t physical, uint32_t prot) {
    uint32_t index = entry_bound(space, page);
    struct model_translation *at = &model->translations[index];
    MODEL_CHECK(model->translation_count < model->config.translations);
    memmove(at + 1, at, (model->translation_count - index) * sizeof(*at));
    *at = (struct model_translation){
        .page = page, .physical = physical, .space = space, .prot = prot};
    model->translation_count++;
}

static void entries_remove(uint32_t index, uint32_t count) {
    struct model_translation *at = &model->translations[index];
    model->translation_count -= count;
    memmove(at, at + count, (model->translation_count - index) * sizeof(*at));
    memset(&model->translations[model->translation_count], 0, count * sizeof(*at));
}

/* ---- Tables ---------------------------------------------------------------------------------- */

/* One translation of the page more, or less, in its table. */
static void table_count(struct hal_space *space, uint64_t page, bool more) {
    if (!model->config.table_frames)
        return;
    struct model_translation *table =
        entry_find(model_space_id(space), TABLE | page >> TABLE_SHIFT);
    MODEL_CHECK(table != NULL && (more || table->prot > 0));
    table->prot += more ? 1 : UINT32_MAX;
}

/* Gives an empty table back. */
static void table_remove(struct hal_space *space, const struct model_translation *table) {
    uint64_t physical = table->physical;
    MODEL_CHECK((table->page & TABLE) != 0 && table->prot == 0);
    entries_remove((uint32_t)(table - model->translations), 1);
    core_table_free(space, physical);
}

/* What a run needs: at most two, or none. */
static bool tables_make(struct hal_space *space, uint64_t first, uint64_t last) {
    uint32_t id = model_space_id(space);
    bool is_first_new = false;
    for (uint64_t index = first; index <= last; index++) {
        if (entry_find(id, TABLE | index) != NULL)
            continue;
        uint64_t physical = core_table_alloc(space);
        if (physical == 0) {
            if (is_first_new)
                table_remove(space, entry_find(id, TABLE | first));
            return false;
        }
        const uint64_t *words = hal_window(physical);
        for (size_t i = 0; i < AX_PAGE_SIZE / sizeof(*words); i++)
            MODEL_CHECK(words[i] == 0);
        entry_insert(id, TABLE | index, physical, 0);
        is_first_new |= index == first;
    }
    return true;
}

/* ---- TLBs ------------------------------------------------------------------------------------ */

const struct model_translation *model_tlb(uint32_t cpu, size_t *count) {
    *count = model->config.tlb_entries;
    return &model->tlbs[(size_t)cpu * model->config.tlb_entries];
}

static struct model_translation *tlb_slot(uint32_t cpu, uint64_t page) {
    size_t index = page & (model->config.tlb_entries - 1);
    return &model->tlbs[(size_t)cpu * model->config.tlb_entries + index];
}

/* Drops what the CPU's TLB holds of a space (0: of all) in a range of pages. */
static void tlb_drop(uint32_t cpu, uint32_t space, uint64_t page, uint64_t page_count) {
    struct model_translation *tlb = tlb_slot(cpu, 0);
    for (uint32_t i = 0; i < model->config.tlb_entries; i++) {
        if ((space == 0 || tlb[i].space == space) && tlb[i].page - page < page_count)
            tlb[i] = (struct model_translation){0};
    }
}

void model_space_load(uint32_t cpu, uint32_t space) {
    if (model->cpus[cpu].loaded_space == space)
        return;
    model->cpus[cpu].loaded_space = space;
    if (!model->config.tagged_tlb)
        tlb_drop(cpu, 0, 0, UINT64_MAX);
}

bool model_user_access(uint32_t cpu, const struct hal_user *user, uint64_t address, uint32_t access,
                       void **pointer, struct hal_event *event) {
    uint32_t space = (uint32_t)user->machine[USER_SPACE];
    uint64_t page = address >> AX_PAGE_SHIFT;
    MODEL_CHECK(is_power_of_two(access) && access <= HAL_EXECUTE);
    model_space_load(cpu, space);
    struct model_translation *slot = tlb_slot(cpu, page);
    if (slot->space != space || slot->page != page || (slot->prot & access) == 0) {
        const struct model_translation *found = entry_find(space, page);
        if (found == NULL || (found->prot & access) == 0) {
            *event = (struct hal_event){.kind = HAL_EVENT_FAULT};
            event->fault.address = address;
            event->fault.access = access;
            event->fault.fault = AX_FAULT_UNMAPPED;
            return false;
        }
        *slot = *found;
    }
    *pointer = (slot->prot & HAL_DEVICE) != 0
                   ? NULL
                   : (char *)hal_window(slot->physical) + (address & (AX_PAGE_SIZE - 1));
    return true;
}

/* It was created, and is not being destroyed. */
static bool space_is_usable(const struct hal_space *space) {
    return space->machine[SPACE_ID] != 0 && space->machine[SPACE_GOES] == 0;
}

/* ---- The contract ---------------------------------------------------------------------------- */

bool hal_space_create(struct hal_space *space) {
    if (model_fails())
        return false;
    uint64_t physical = 0;
    space->machine[SPACE_ID] = ++model->next_space;
    if (model->config.table_frames) {
        physical = core_table_alloc(space);
        if (physical == 0) {
            space->machine[SPACE_ID] = 0;
            return false;
        }
    }
    space->machine[SPACE_ROOT_FRAME] = physical;
    space->machine[SPACE_HAD_USERS] = space->machine[SPACE_GOES] = 0;
    model->spaces++;
    return true;
}

/* The space's tables, as many as the budget allows; true: all. */
static bool tables_give_back(struct hal_space *space, unsigned *budget) {
    uint32_t id = model_space_id(space);
    for (;;) {
        uint32_t index = entry_bound(id, 0);
        const struct model_translation *at = &model->translations[index];
        bool is_last = index == model->translation_count || at->space != id;
        if (*budget == 0)
            return false;
        --*budget;
        if (is_last) {
            core_table_free(space, space->machine[SPACE_ROOT_FRAME]);
            return true;
        }
        table_remove(space, at);
    }
}

bool hal_space_destroy(struct hal_space *space, unsigned *budget) {
    uint32_t id = model_space_id(space);
    MODEL_CHECK(id != 0);
    if (space->machine[SPACE_GOES] == 0) {
        hal_space_unmap(space, 0, AX_USER_END / AX_PAGE_SIZE);
        for (uint32_t cpu = 0; cpu < model->config.cpu_count; cpu++)
            tlb_drop(cpu, id, 0, UINT64_MAX);
        space->machine[SPACE_GOES] = 1;
    }
    if (space->machine[SPACE_HAD_USERS] != 0 && model->destroy_waits > 0) {
        model->destroy_waits--;
        return false;
    }
    if (model->config.table_frames && !tables_give_back(space, budget))
        return false;
    *space = (struct hal_space){0};
    model->spaces--;
    return true;
}

bool hal_space_map(struct hal_space *space, uint64_t address, uint64_t physical, size_t page_count,
                   uint32_t prot) {
    uint32_t id = model_space_id(space);
    uint64_t first = address >> AX_PAGE_SHIFT;
    MODEL_CHECK(space_is_usable(space) && page_count > 0 && page_count <= HAL_RUN_PAGES);
    MODEL_CHECK(is_aligned(address, AX_PAGE_SIZE) && is_aligned(physical, AX_PAGE_SIZE));
    MODEL_CHECK(address + page_count * AX_PAGE_SIZE <= AX_USER_END);
    MODEL_CHECK((prot & (HAL_WRITE | HAL_EXECUTE)) != (HAL_WRITE | HAL_EXECUTE));
    prot |= (prot & HAL_WRITE) != 0 ? HAL_READ : 0;
    uint64_t first_table = first >> TABLE_SHIFT;
    uint64_t last_table = (first + page_count - 1) >> TABLE_SHIFT;
    uint64_t room = model->config.translations - model->translation_count;
    if (model_fails() || room < page_count + last_table - first_table + 1)
        return false;
    if (model->config.table_frames && !tables_make(space, first_table, last_table))
        return false;
    for (uint64_t i = 0; i < page_count; i++) {
        struct model_translation *found = entry_find(id, first + i);
        if (found != NULL) {
            found->physical = physical + i * AX_PAGE_SIZE;
            found->prot = prot;
            continue;
        }
        entry_insert(id, first + i, physical + i * AX_PAGE_SIZE, prot);
        table_count(space, first + i, true);
    }
    tlb_drop(model->this_cpu, id, first, page_count);
    return true;
}

void hal_space_unmap(struct hal_space *space, uint64_t address, size_t page_count) {
    uint32_t id = model_space_id(space);
    uint64_t first = address >> AX_PAGE_SHIFT;
    MODEL_CHECK(space_is_usable(space) && is_aligned(address, AX_PAGE_SIZE));
    MODEL_CHECK(first + page_count <= AX_USER_END >> AX_PAGE_SHIFT);
    for (;;) {
        uint32_t index = entry_bound(id, first);
        const struct model_translation *at = &model->translations[index];
        if (index == model->translation_count || at->space != id || at->page - first >= page_count)
            break;
        uint64_t page = at->page;
        entries_remove(index, 1);
        table_count(space, page, false);
    }
    tlb_drop(model->this_cpu, id, first, page_count);
}

void hal_space_protect(struct hal_space *space, uint64_t address, size_t page_count,
                       uint32_t prot) {
    uint32_t id = model_space_id(space);
    uint64_t first = address >> AX_PAGE_SHIFT;
    MODEL_CHECK(space_is_usable(space) && is_aligned(address, AX_PAGE_SIZE));
    MODEL_CHECK((prot & (HAL_WRITE | HAL_EXECUTE)) != (HAL_WRITE | HAL_EXECUTE));
    prot |= (prot & HAL_WRITE) != 0 ? HAL_READ : 0;
    for (uint32_t i = entry_bound(id, first);
         i < model->translation_count && model->translations[i].space == id &&
         model->translations[i].page - first < page_count;
         i++)
        model->translations[i].prot = prot;
    tlb_drop(model->this_cpu, id, first, page_count);
}

void hal_space_sync(struct hal_space *space) {
    const struct model_hooks *hooks = &model->config.hooks;
    uint32_t id = model_space_id(space);
    MODEL_CHECK(space_is_usable(space));
    if (hooks->sync != NULL)
        hooks->sync(hooks->context, space);
    for (uint32_t cpu = 0; cpu < model->config.cpu_count; cpu++)
        tlb_drop(cpu, id, 0, UINT64_MAX);
}
