/* SPDX-License-Identifier: MIT */
/* What the tests of queues share. */
#pragma once

#include "object_world.h"

ax_result queue_control(struct thread *thread, ax_handle queue, uint64_t op, ax_handle handle,
                        uint64_t mask, uint64_t cookie);
/* Adds a member that must be accepted. */
void queue_watch(ax_handle queue, uint64_t mode, ax_handle handle, uint64_t mask, uint64_t cookie);
ax_result queue_wait(struct thread *thread, ax_handle queue, uint64_t max, uint64_t deadline);
/* The cookie and signals of an event that the thread's last queue_wait answered. */
struct ax_queue_event queue_event(const struct thread *thread, unsigned index);
/* The queue tells exactly this one event now. */
void queue_expect(ax_handle queue, uint64_t cookie, uint32_t signals);
void queue_expect_nothing(ax_handle queue);
