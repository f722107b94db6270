/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * A balanced (AVL) binary tree whose nodes live inside the things ordered. Every operation is
 * iterative and takes O(log n) steps in the worst case; first and last included. The shape
 * depends only on the sequence of operations. Nothing here locks or allocates.
 */
struct tree_node {
    struct tree_node *left, *right, *parent;
    int height; /* of the subtree below and including this node; 0: in no tree */
};

struct tree {
    struct tree_node *root;
};

static inline void tree_init(struct tree *tree) {
    tree->root = NULL;
}

static inline bool tree_is_empty(const struct tree *tree) {
    return tree->root == NULL;
}

/* Zeroed memory is an initialised node as well. */
static inline void tree_node_init(struct tree_node *node) {
    *node = (struct tree_node){0};
}

static inline bool tree_node_is_linked(const struct tree_node *node) {
    return node->height != 0;
}

/*
 * Inserts `node`, which is in no tree, where its key belongs; no node there is equal to it.
 * `compare_key` (negative, 0 or positive: the key is before, equal to, after the node) is the order
 * of the tree, here and below.
 */
void tree_insert(struct tree *tree, struct tree_node *node, const void *key,
                 int (*compare_key)(const void *key, const struct tree_node *node));

/* Afterwards the node is in no tree and can be inserted again. */
void tree_remove(struct tree *tree, struct tree_node *node);

/* The node equal to the key, or NULL. */
struct tree_node *tree_find(const struct tree *tree, const void *key,
                            int (*compare_key)(const void *key, const struct tree_node *node));

/* The first node not before the key, or NULL. */
struct tree_node *tree_lower_bound(const struct tree *tree, const void *key,
                                   int (*compare_key)(const void *key,
                                                      const struct tree_node *node));

/* Walking in order: NULL where there is no such node. */
struct tree_node *tree_first(const struct tree *tree);
struct tree_node *tree_last(const struct tree *tree);
struct tree_node *tree_next(const struct tree_node *node);
struct tree_node *tree_previous(const struct tree_node *node);
