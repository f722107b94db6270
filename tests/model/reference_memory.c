/* SPDX-License-Identifier: MIT */
/* Pages, their contents, mapped loans and futexes in the reference. */
#include <string.h>

#include "reference_private.h"

/* ---- Frames ---------------------------------------------------------------------------------- */

static void mark(bool is_used[FRAMES], int frame) {
    if (frame >= 0)
        is_used[frame] = true;
}

/* One that nothing shows, zeroed. */
static int frame_new(void) {
    bool is_used[FRAMES] = {false};
    for (int p = 0; p < PROCESSES; p++) {
        for (int i = 0; ref.processes[p].exists && i < PAGES; i++)
            mark(is_used,
                 ref.processes[p].pages[i].is_mapped ? ref.processes[p].pages[i].frame : -1);
    }
    for (int o = 0; o < ref.object_count; o++) {
        for (int i = 0; ref.objects[o].type == AX_TYPE_MEMORY && i < MEMORY_PAGES; i++)
            mark(is_used, ref.objects[o].frames[i]);
    }
    for (int m = 0; m < MAPS; m++) {
        for (unsigned i = 0; ref.maps[m].used && i < ref.maps[m].count; i++)
            mark(is_used, ref.maps[m].frames[i]);
    }
    for (int frame = 0; frame < FRAMES; frame++) {
        if (is_used[frame])
            continue;
        memset(ref.frames[frame], 0, AX_PAGE_SIZE);
        return frame;
    }
    ref.unpredictable = true;
    return 0;
}

static int frame_copy(int of) {
    if (of < 0)
        return frame_new();
    int frame = frame_new();
    memcpy(ref.frames[frame], ref.frames[of], AX_PAGE_SIZE);
    return frame;
}

/* ---- Pages ----------------------------------------------------------------------------------- */

static struct ref_page *page_at(int process, uint64_t address) {
    if (address < PAGE_AT(0) || address >= PAGE_AT(PAGES))
        return NULL;
    struct ref_page *page = &ref.processes[process].pages[(address - PAGE_AT(0)) / AX_PAGE_SIZE];
    return page->is_mapped ? page : NULL;
}

static struct ref_map *map_at(int process, uint64_t address) {
    for (int m = 0; m < MAPS; m++) {
        struct ref_map *map = &ref.maps[m];
        if (map->used && map->process == process && address >= map->address &&
            address < map->address + map->count * AX_PAGE_SIZE)
            return map;
    }
    return NULL;
}

static bool page_is_beyond(const struct ref_page *page) {
    return page->memory >= 0 && page->index >= ref.objects[page->memory].page_count;
}

/* May the page be accessed so? */
static bool page_allows(const struct ref_page *page, uint32_t access, bool force) {
    if (page == NULL ||
        ((page->prot & access) == 0 && !(force && access == AX_PROT_WRITE && page->is_private)))
        return false;
    return !page_is_beyond(page);
}

/* The frame of the memory that is mapped there, or the page's own; -1: none yet. */
static int *page_shown(struct ref_page *page) {
    if (page->memory < 0 || (page->is_private && page->frame >= 0))
        return &page->frame;
    return &ref.objects[page->memory].frames[page->index];
}

int ref_resolve(int process, uint64_t address, uint32_t access, bool force) {
    bool write = access == AX_PROT_WRITE;
    struct ref_page *page = page_at(process, address);
    const struct ref_map *map = map_at(process, address);
    if (map != NULL)
        return write && !map->is_writable ? -1
                                          : map->frames[(address - map->address) / AX_PAGE_SIZE];
    if (!page_allows(page, access, force))
        return -1;
    int *shown = page_shown(page);
    if (!page->is_private && *shown < 0)
        *shown = frame_new();
    /* Private: a page nobody made yet is zero and its own from the first touch on. */
    if (page->is_private && page->frame < 0 && (write || *shown < 0))
        page->frame = frame_copy(*shown);
    return *page_shown(page);
}

unsigned char *ref_byte(int process, uint64_t address, uint32_t access) {
    int frame = ref_resolve(process, address, access, false);
    return frame >= 0 ? &ref.frames[frame][address % AX_PAGE_SIZE] : NULL;
}

const unsigned char *ref_peek(int process, uint64_t address, uint32_t access) {
    static const unsigned char zero[AX_PAGE_SIZE];
    struct ref_page *page = page_at(process, address);
    if (map_at(process, address) != NULL)
        return ref_byte(process, address, access);
    if (!page_allows(page, access, false))
        return NULL;
    int frame = *page_shown(page);
    return (frame >= 0 ? ref.frames[frame] : zero) + address % AX_PAGE_SIZE;
}

/* The frame that the page shows; -1: none, or no such page. */
static int frame_at(int process, uint64_t address) {
    struct ref_page *page = page_at(process, address);
    return page != NULL && !page_is_beyond(page) ? *page_shown(page) : -1;
}

unsigned ref_ahead(int process, uint64_t address, int first, int end) {
    const struct ref_page *page = page_at(process, address);
    int index = (int)((address - PAGE_AT(0)) / AX_PAGE_SIZE), count = 0;
    if (page == NULL || (page->is_private && page->memory >= 0) || frame_at(process, address) >= 0)
        return 0;
    while (index - count > first && index + count + 1 < end &&
           frame_at(process, PAGE_AT(index - count - 1)) >= 0) {
        const struct ref_page *next = page_at(process, PAGE_AT(index + count + 1));
        if (frame_at(process, PAGE_AT(index + count + 1)) >= 0 || page_is_beyond(next))
            break;
        count++;
    }
    return (unsigned)count;
}

void ref_make_ahead(int process, uint64_t address, unsigned count) {
    for (unsigned i = 1; i <= count; i++)
        *page_shown(page_at(process, address + i * AX_PAGE_SIZE)) = frame_new();
}

static uint64_t page_left(uint64_t address, uint64_t size) {
    uint64_t left = AX_PAGE_SIZE - address % AX_PAGE_SIZE;
    return size < left ? size : left;
}

ax_result ref_copy(int to, uint64_t to_address, int from, uint64_t from_address, uint64_t size,
                   bool force, int *side) {
    uint64_t done = 0;
    while (done < size) {
        *side = 1;
        int destination = ref_resolve(to, to_address + done, AX_PROT_WRITE, force);
        int source = -1;
        if (destination >= 0) {
            *side = 0;
            source = ref_resolve(from, from_address + done, AX_PROT_READ, false);
        }
        if (source < 0)
            return done > 0 ? (ax_result)done : AX_ERR_ADDRESS;
        uint64_t part = page_left(to_address + done, page_left(from_address + done, size - done));
        memmove(&ref.frames[destination][(to_address + done) % AX_PAGE_SIZE],
                &ref.frames[source][(from_address + done) % AX_PAGE_SIZE], part);
        done += part;
    }
    return (ax_result)done;
}

void ref_clone_pages(int from, int to) {
    for (int i = 0; i < PAGES; i++) {
        struct ref_page *page = &ref.processes[to].pages[i];
        *page = ref.processes[from].pages[i];
        if (page->is_mapped && page->frame >= 0) {
            int of = page->frame;
            page->frame = -1;
            page->frame = frame_copy(of);
        }
    }
}

/* ---- Mapping --------------------------------------------------------------------------------- */

static ax_result look_space(int thread, ax_handle value, int *process) {
    TRY_REF(ref_look_process(thread, value, AX_RIGHT_SPACE, process));
    return ref.processes[*process].open ? AX_OK : AX_ERR_ENDED;
}

static uint32_t allowed_by(uint32_t rights) {
    uint32_t prot = (rights & AX_RIGHT_EXECUTE) != 0 ? (uint32_t)AX_PROT_EXECUTE : 0;
    if ((rights & AX_RIGHT_READ) != 0)
        prot |= AX_PROT_READ | ((rights & AX_RIGHT_WRITE) != 0 ? (uint32_t)AX_PROT_WRITE : 0);
    return prot;
}

ax_result ref_memory_map(int thread, ax_handle value, ax_handle memory,
                         const struct ax_map_request *request) {
    int process;
    struct ref_handle *handle;
    struct ref_page wanted = {.is_mapped = true, .is_private = true, .memory = -1, .frame = -1};
    TRY_REF(look_space(thread, value, &process));
    wanted.prot = request->prot | ((request->prot & AX_PROT_WRITE) != 0 ? AX_PROT_READ : 0U);
    wanted.allowed = AX_PROT_ALL;
    if (memory != 0) {
        wanted.is_private = (request->flags & AX_MAP_PRIVATE) != 0;
        TRY_REF(ref_look(thread, memory, AX_TYPE_MEMORY, wanted.is_private ? AX_RIGHT_READ : 0,
                         &handle));
        wanted.memory = handle->object;
        wanted.allowed = wanted.is_private ? AX_PROT_ALL : allowed_by(handle->rights);
        if ((wanted.prot & ~wanted.allowed) != 0)
            return AX_ERR_RIGHTS;
    }
    unsigned count = (unsigned)(request->size_bytes / AX_PAGE_SIZE);
    unsigned first = (unsigned)((request->address - PAGE_AT(0)) / AX_PAGE_SIZE);
    struct ref_page *pages = &ref.processes[process].pages[first];
    for (unsigned i = 0; i < count && (request->flags & AX_MAP_REPLACE) == 0; i++) {
        if (pages[i].is_mapped)
            return AX_ERR_EXISTS;
    }
    for (unsigned i = 0; i < count; i++) {
        pages[i] = wanted;
        pages[i].index = (unsigned)(request->offset / AX_PAGE_SIZE) + i;
    }
    uint32_t access = (wanted.prot & AX_PROT_WRITE) != 0 ? AX_PROT_WRITE : AX_PROT_READ;
    for (unsigned i = 0; i < count && (request->flags & AX_MAP_POPULATE) != 0; i++) {
        if (ref_resolve(process, request->address + i * AX_PAGE_SIZE, access, false) < 0)
            break;
    }
    return (ax_result)request->address;
}

ax_result ref_memory_unmap(int thread, ax_handle value, uint64_t address, unsigned count) {
    int process;
    TRY_REF(look_space(thread, value, &process));
    for (unsigned i = 0; i < count; i++) {
        struct ref_page *page = page_at(process, address + i * AX_PAGE_SIZE);
        struct ref_map *map = map_at(process, address + i * AX_PAGE_SIZE);
        if (page != NULL)
            page->is_mapped = false;
        if (map != NULL)
            map->used = false;
    }
    return AX_OK;
}

ax_result ref_memory_protect(int thread, ax_handle value, int page, unsigned count, uint32_t prot) {
    int process;
    TRY_REF(look_space(thread, value, &process));
    prot |= (prot & AX_PROT_WRITE) != 0 ? AX_PROT_READ : 0U;
    for (unsigned i = 0; i < count; i++) {
        struct ref_page *it = &ref.processes[process].pages[(unsigned)page + i];
        if (!it->is_mapped)
            return AX_ERR_NOT_FOUND;
        if ((prot & ~it->allowed) != 0)
            return AX_ERR_RIGHTS;
        it->prot = prot;
    }
    return AX_OK;
}

ax_result ref_memory_resize(int thread, ax_handle value, unsigned count) {
    struct ref_handle *handle;
    TRY_REF(ref_look(thread, value, AX_TYPE_MEMORY, AX_RIGHT_RESIZE, &handle));
    struct ref_object *memory = &ref.objects[handle->object];
    for (unsigned i = count; i < MEMORY_PAGES; i++)
        memory->frames[i] = -1;
    for (int p = 0; p < PROCESSES; p++) {
        for (int i = 0; ref.processes[p].exists && i < PAGES; i++) {
            struct ref_page *page = &ref.processes[p].pages[i];
            if (page->is_mapped && page->memory == handle->object && page->index >= count)
                page->frame = -1;
        }
    }
    memory->page_count = count;
    return AX_OK;
}

ax_result ref_memory_list(int thread, ax_handle value, int *process) {
    return ref_look_process(thread, value, AX_RIGHT_INSPECT, process);
}

ax_result ref_process_copy(int thread, ax_handle value, uint64_t address, uint64_t own,
                           uint64_t size, bool writes) {
    int process, side, self = ref.threads[thread].process;
    TRY_REF(ref_look_process(thread, value, writes ? AX_RIGHT_CHANGE : AX_RIGHT_INSPECT, &process));
    if (ref.processes[process].is_released)
        return AX_ERR_ENDED;
    return writes ? ref_copy(process, address, self, own, size, true, &side)
                  : ref_copy(self, own, process, address, size, false, &side);
}

/* ---- Loans ----------------------------------------------------------------------------------- */

/* The part of a loan from an offset on. */
static ax_result look_loan(int thread, ax_handle reply, uint64_t loan, uint64_t offset,
                           uint8_t access, int *caller, struct ref_loan *part) {
    TRY_REF(ref_look_reply(thread, reply, caller));
    const struct ref_call *call = &ref.threads[*caller].call;
    if (!call->received)
        return AX_ERR_CALLER_DEAD;
    if (loan >= call->message.loan_count || offset > call->message.loans[loan].size)
        return AX_ERR_ARGUMENT;
    *part = call->message.loans[loan];
    if ((part->access & access) != access)
        return AX_ERR_RIGHTS;
    part->address += offset;
    part->size -= offset;
    return AX_OK;
}

ax_result ref_loan_copy(int thread, ax_handle reply, uint64_t loan, uint64_t offset,
                        uint64_t address, uint64_t size, bool to_lender) {
    struct ref_loan part;
    int caller, side, self = ref.threads[thread].process;
    TRY_REF(look_loan(thread, reply, loan, offset, to_lender ? AX_LOAN_WRITE : AX_LOAN_READ,
                      &caller, &part));
    int lender = ref.threads[caller].process;
    size = size < part.size ? size : part.size;
    ax_result copied = to_lender
                           ? ref_copy(lender, part.address, self, address, size, false, &side)
                           : ref_copy(self, address, lender, part.address, size, false, &side);
    return copied < 0 && (side == 1) == to_lender ? (ax_result)AX_ERR_ABSENT : copied;
}

/* The frame of a lent page, from now on the lender's own if it is private. */
static int lent_frame(int lender, uint64_t address, bool write) {
    int frame = ref_resolve(lender, address, write ? AX_PROT_WRITE : AX_PROT_READ, false);
    struct ref_page *page = page_at(lender, address);
    if (frame >= 0 && page != NULL && page->is_private && page->frame < 0)
        frame = page->frame = frame_copy(frame);
    return frame;
}

ax_result ref_loan_map(int thread, ax_handle reply, uint64_t loan, uint64_t offset, uint64_t size,
                       struct ref_map **made) {
    struct ref_loan part;
    int caller;
    unsigned maps = 0;
    *made = NULL;
    TRY_REF(look_loan(thread, reply, loan, offset, 0, &caller, &part));
    if (size == 0 || size > part.size)
        return AX_ERR_ARGUMENT;
    for (int m = 0; m < MAPS; m++) {
        if (ref.maps[m].used && ref.maps[m].caller == caller)
            maps++;
        else if (!ref.maps[m].used)
            *made = &ref.maps[m];
    }
    if (maps == 8)
        return AX_ERR_LIMIT;
    uint64_t first = part.address / AX_PAGE_SIZE * AX_PAGE_SIZE;
    uint64_t last = (part.address + size - 1) / AX_PAGE_SIZE * AX_PAGE_SIZE;
    if (*made == NULL || last - first > 2 * AX_PAGE_SIZE) {
        ref.unpredictable = true;
        return AX_ERR_LIMIT;
    }
    struct ref_map map = {.used = true,
                          .is_writable = (part.access & AX_LOAN_WRITE) != 0,
                          .process = ref.threads[thread].process,
                          .caller = caller};
    for (uint64_t at = first; at <= last; at += AX_PAGE_SIZE) {
        int frame = lent_frame(ref.threads[caller].process, at, map.is_writable);
        if (frame < 0)
            return AX_ERR_ABSENT;
        map.frames[map.count++] = frame;
    }
    **made = map;
    return AX_OK;
}

void ref_unmap_loans(int process, int caller) {
    for (int m = 0; m < MAPS; m++) {
        if (ref.maps[m].process == process && ref.maps[m].caller == caller)
            ref.maps[m].used = false;
    }
}

/* ---- Futexes --------------------------------------------------------------------------------- */

static ax_result futex_key(int process, uint64_t address, struct ref_futex_key *key) {
    const struct ref_page *page = page_at(process, address);
    if (address % 4 != 0)
        return AX_ERR_ARGUMENT;
    if (page == NULL)
        return AX_ERR_ADDRESS;
    if (page->is_private)
        *key = (struct ref_futex_key){ref.processes[process].object, address};
    else
        *key = (struct ref_futex_key){page->memory,
                                      page->index * AX_PAGE_SIZE + address % AX_PAGE_SIZE};
    return AX_OK;
}

static bool is_same(const struct ref_futex_key *a, const struct ref_futex_key *b) {
    return a->object == b->object && a->place == b->place;
}

static ax_result check_word(int process, uint64_t address, uint32_t value) {
    const unsigned char *byte = ref_byte(process, address, AX_PROT_READ);
    if (byte == NULL)
        return AX_ERR_ADDRESS;
    return memcmp(byte, &value, sizeof(value)) == 0 ? AX_OK : AX_ERR_AGAIN;
}

/* The first waiter of the key after a moment, or -1. */
static int next_waiter(const struct ref_futex_key *key, uint64_t after) {
    int first = -1;
    for (int t = 0; t < THREADS; t++) {
        const struct ref_thread *it = &ref.threads[t];
        if (it->state == REF_FUTEX && is_same(&it->futex, key) && it->waits_since > after &&
            (first < 0 || it->waits_since < ref.threads[first].waits_since))
            first = t;
    }
    return first;
}

ax_result ref_futex_wait(int thread, uint64_t address, uint32_t value, uint32_t bits,
                         uint64_t deadline) {
    struct ref_thread *it = &ref.threads[thread];
    struct ref_futex_key key;
    if (bits == 0)
        return AX_ERR_ARGUMENT;
    TRY_REF(futex_key(it->process, address, &key));
    TRY_REF(check_word(it->process, address, value));
    if (it->interrupted)
        return AX_ERR_INTERRUPTED;
    if (deadline == 0)
        return AX_ERR_TIMEOUT;
    it->futex = key;
    it->futex_bits = bits;
    ref_block(thread, REF_FUTEX, deadline);
    return REF_BLOCKED;
}

ax_result ref_futex_wake(int thread, uint64_t address, unsigned count, uint32_t bits) {
    struct ref_futex_key key;
    uint64_t after = 0;
    unsigned woken = 0;
    int waiter;
    if (bits == 0)
        return AX_ERR_ARGUMENT;
    TRY_REF(futex_key(ref.threads[thread].process, address, &key));
    while (woken < count && (waiter = next_waiter(&key, after)) >= 0) {
        after = ref.threads[waiter].waits_since;
        if ((ref.threads[waiter].futex_bits & bits) == 0)
            continue;
        ref_wake(waiter, AX_OK);
        woken++;
    }
    return woken;
}

ax_result ref_futex_requeue(int thread, uint64_t address, unsigned wake, uint64_t target,
                            unsigned move, uint32_t value) {
    struct ref_futex_key key, target_key;
    int process = ref.threads[thread].process, waiter;
    unsigned done = 0;
    TRY_REF(futex_key(process, address, &key));
    TRY_REF(futex_key(process, target, &target_key));
    if (is_same(&key, &target_key))
        return AX_ERR_ARGUMENT;
    TRY_REF(check_word(process, address, value));
    for (; done < wake + move && (waiter = next_waiter(&key, 0)) >= 0; done++) {
        if (done < wake) {
            ref_wake(waiter, AX_OK);
        } else {
            ref.threads[waiter].futex = target_key;
            ref.threads[waiter].waits_since = ref.clock++;
        }
    }
    return done;
}

/* The word that an exiting thread named. */
void ref_clear_word(int process, uint64_t address) {
    struct ref_futex_key key;
    unsigned char *byte = ref_byte(process, address, AX_PROT_WRITE);
    if (byte == NULL)
        return;
    memset(byte, 0, sizeof(uint32_t));
    if (futex_key(process, address, &key) != AX_OK)
        return;
    int waiter = next_waiter(&key, 0);
    if (waiter >= 0)
        ref_wake(waiter, AX_OK);
}
