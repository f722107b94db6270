/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <base/assert.h>

/*
 * A circular doubly-linked list whose nodes live inside the things listed. The same structure is
 * the head and the node; both must be initialised, and a node is in at most one list at a time.
 * A node that is in no list points to itself. Nothing here locks.
 */
struct list {
    struct list *next, *prev;
};

/* The structure of which `pointer` points to `member`; the dead branch checks the type. */
#define container_of(pointer, type, member) \
    ((type *)(void *)((char *)(1 ? (pointer) : &((type *)0)->member) - offsetof(type, member)))

#define list_entry(node, type, member) container_of(node, type, member)

static inline void list_init(struct list *list) {
    list->next = list;
    list->prev = list;
}

static inline bool list_is_empty(const struct list *list) {
    return list->next == list;
}

static inline bool list_is_linked(const struct list *node) {
    return node->next != node;
}

/* Inserts before `place`, a node in a list or its head. */
static inline void list_insert_before(struct list *place, struct list *node) {
    ASSERT(!list_is_linked(node));
    node->next = place;
    node->prev = place->prev;
    place->prev->next = node;
    place->prev = node;
}

static inline void list_append(struct list *list, struct list *node) {
    list_insert_before(list, node);
}

static inline void list_prepend(struct list *list, struct list *node) {
    list_insert_before(list->next, node);
}

/* Removing a node that is in no list does nothing. */
static inline void list_remove(struct list *node) {
    ASSERT(node->next->prev == node && node->prev->next == node);
    node->next->prev = node->prev;
    node->prev->next = node->next;
    list_init(node);
}

/* The accessors return NULL where there is no such node. */

static inline struct list *list_first(const struct list *list) {
    return list->next != list ? list->next : NULL;
}

static inline struct list *list_last(const struct list *list) {
    return list->prev != list ? list->prev : NULL;
}

static inline struct list *list_next(const struct list *list, const struct list *node) {
    return node->next != list ? node->next : NULL;
}

/* Removes the first. */
static inline struct list *list_take(struct list *list) {
    struct list *first = list_first(list);
    if (first != NULL)
        list_remove(first);
    return first;
}

/* Moves all nodes of `other`, in order, to the end of `list`; `other` is empty afterwards. */
static inline void list_splice(struct list *list, struct list *other) {
    ASSERT(list != other);
    if (list_is_empty(other))
        return;
    other->next->prev = list->prev;
    other->prev->next = list;
    list->prev->next = other->next;
    list->prev = other->prev;
    list_init(other);
}

/*
 * Visits each entry in order; `entry` is a plain variable, and NULL once all were visited. The
 * body must not remove the current entry from the list; in list_for_each_safe it may, but not
 * the one after it.
 */
#define list_for_each(entry, head, member)                                       \
    for (struct list *entry##_node = (head)->next;                               \
         ((entry) = entry##_node != (head)                                       \
                        ? list_entry(entry##_node, __typeof__(*(entry)), member) \
                        : NULL) != NULL;                                         \
         entry##_node = entry##_node->next)

#define list_for_each_safe(entry, head, member)                                         \
    for (struct list *entry##_node = (head)->next, *entry##_after = entry##_node->next; \
         ((entry) = entry##_node != (head)                                              \
                        ? list_entry(entry##_node, __typeof__(*(entry)), member)        \
                        : NULL) != NULL;                                                \
         entry##_node = entry##_after, entry##_after = entry##_node->next)
