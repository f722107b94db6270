/* SPDX-License-Identifier: MIT */
/* What the tests of queues share. */
#pragma once

#include "object_world.h"

/* Makes up data from the key, which queue_expect wants back. */
#define QUEUE_DATA(key) ((key) % 4 + 1000)
ax_result queue_control(struct thread *thread, ax_handle queue, uint64_t op, ax_handle handle,
                        uint32_t mask, uint64_t key);
ax_result queue_request(struct thread *thread, ax_handle queue, uint64_t op, ax_handle handle,
                        const struct ax_queue_request *request);
/* Adds, or changes, a member; must be accepted. */
void queue_watch(ax_handle queue, uint32_t mode, ax_handle handle, uint32_t mask, uint64_t key);
void queue_change(ax_handle queue, uint32_t mode, uint32_t mask, uint64_t key);
ax_result queue_wait(struct thread *thread, ax_handle queue, uint64_t max, uint64_t deadline);
/* An event that the thread's last queue_wait answered. */
struct ax_queue_event queue_event(const struct thread *thread, unsigned index);
/* The queue tells exactly this one event now. */
void queue_expect(ax_handle queue, uint64_t key, uint32_t signals);
void queue_expect_nothing(ax_handle queue);
