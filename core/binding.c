/* SPDX-License-Identifier: MIT */
#include "calls.h"
#include "endpoint.h"
#include "event.h"
#include "heap.h"
#include "process.h"
#include "thread.h"

static void binding_set_ready(struct binding *binding) {
    if (!list_is_linked(&binding->ready))
        list_append(&binding->endpoint->ready_bindings, &binding->ready);
}

void binding_notify(struct binding *binding) {
    binding_set_ready(binding);
    endpoint_deliver(binding->endpoint);
}

bool binding_take(struct binding *binding, uint64_t *cookie, uint32_t *signals) {
    ASSERT(list_is_linked(&binding->ready));
    list_remove(&binding->ready);
    struct object *object = binding->watch.object;
    bool renewed = binding->renewed;
    binding->renewed = false;
    *cookie = binding->cookie;
    *signals = object->signals & binding->watch.mask;
    if (object->type == AX_TYPE_EVENT && *signals != 0)
        object_signal(object, *signals, 0);
    return renewed || *signals != 0;
}

void binding_renew(struct endpoint *endpoint) {
    struct binding *binding;
    list_for_each (binding, &endpoint->bindings, in_endpoint) {
        binding->renewed = true;
        binding_set_ready(binding);
    }
}

void binding_remove(struct binding *binding) {
    struct object *object = binding->watch.object;
    watch_stop(&binding->watch);
    list_remove(&binding->in_endpoint);
    binding->endpoint->binding_count--;
    list_remove(&binding->ready);
    ASSERT(object->binding == binding);
    object->binding = NULL;
    heap_free(binding->account, binding, sizeof(*binding));
}

static ax_result binding_make(struct endpoint *endpoint, struct object *object, uint32_t mask,
                              uint64_t cookie, struct account *account) {
    if (endpoint->binding_count == BINDINGS_MAX)
        return AX_ERR_LIMIT;
    TRY(watch_check(object, 1));
    struct binding *binding;
    TRY(heap_alloc(account, sizeof(*binding), &binding));
    watch_start(&binding->watch, object, mask, WATCH_BINDING, binding);
    object->binding = binding;
    binding->endpoint = endpoint;
    binding->cookie = cookie;
    binding->account = account;
    list_init(&binding->in_endpoint);
    list_init(&binding->ready);
    list_append(&endpoint->bindings, &binding->in_endpoint);
    endpoint->binding_count++;
    if ((object->signals & mask) != 0)
        binding_notify(binding);
    return AX_OK;
}

ax_result sys_endpoint_bind(struct thread *thread, const uint64_t arguments[5]) {
    struct endpoint *endpoint;
    struct object *object;
    uint32_t held;
    TRY(handle_get(thread, arguments[0], AX_TYPE_ENDPOINT, AX_RIGHT_RECEIVE, &endpoint));
    TRY(handle_lookup_rights(thread->process, (ax_handle)arguments[1], AX_TYPE_NONE, 0, &object,
                             &held));
    if (object->type != AX_TYPE_EVENT && object->type != AX_TYPE_TIMER &&
        object->type != AX_TYPE_IRQ)
        return AX_ERR_TYPE;
    if ((held & AX_RIGHT_WAIT) == 0)
        return AX_ERR_RIGHTS;
    if (arguments[2] > UINT32_MAX)
        return AX_ERR_ARGUMENT;
    struct binding *binding = object->binding;
    if (arguments[2] != 0)
        return binding != NULL ? AX_ERR_EXISTS
                               : binding_make(endpoint, object, (uint32_t)arguments[2],
                                              arguments[3], thread->process->account);
    if (binding == NULL || binding->endpoint != endpoint)
        return AX_ERR_NOT_FOUND;
    binding_remove(binding);
    endpoint_update(endpoint);
    return AX_OK;
}
