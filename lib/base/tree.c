/* SPDX-License-Identifier: MIT */
#include <base/tree.h>

#include <base/assert.h>

static int height_of(const struct tree_node *node) {
    return node != NULL ? node->height : 0;
}

static void height_update(struct tree_node *node) {
    int left = height_of(node->left);
    int right = height_of(node->right);
    node->height = 1 + (left > right ? left : right);
}

/* Makes `with` (which may be NULL) the child of `parent` in place of `child`. */
static void child_replace(struct tree *tree, struct tree_node *parent,
                          const struct tree_node *child, struct tree_node *with) {
    if (parent == NULL)
        tree->root = with;
    else if (parent->left == child)
        parent->left = with;
    else
        parent->right = with;
    if (with != NULL)
        with->parent = parent;
}

/* The right child rises above `node`; returns it. */
static struct tree_node *rotate_left(struct tree *tree, struct tree_node *node) {
    struct tree_node *risen = node->right;
    child_replace(tree, node->parent, node, risen);
    node->right = risen->left;
    if (node->right != NULL)
        node->right->parent = node;
    risen->left = node;
    node->parent = risen;
    height_update(node);
    height_update(risen);
    return risen;
}

static struct tree_node *rotate_right(struct tree *tree, struct tree_node *node) {
    struct tree_node *risen = node->left;
    child_replace(tree, node->parent, node, risen);
    node->left = risen->right;
    if (node->left != NULL)
        node->left->parent = node;
    risen->right = node;
    node->parent = risen;
    height_update(node);
    height_update(risen);
    return risen;
}

/* Balances one node whose subtrees are balanced; returns the node now in its place. */
static struct tree_node *node_balance(struct tree *tree, struct tree_node *node) {
    int lean = height_of(node->right) - height_of(node->left);
    ASSERT(lean >= -2 && lean <= 2);
    if (lean == 2) {
        if (height_of(node->right->left) > height_of(node->right->right))
            rotate_right(tree, node->right);
        return rotate_left(tree, node);
    }
    if (lean == -2) {
        if (height_of(node->left->right) > height_of(node->left->left))
            rotate_left(tree, node->left);
        return rotate_right(tree, node);
    }
    height_update(node);
    return node;
}

/* A subtree of `node` has grown or shrunk by one; stops where the height is what it was. */
static void path_balance(struct tree *tree, struct tree_node *node) {
    while (node != NULL) {
        int height_before = node->height;
        node = node_balance(tree, node);
        if (node->height == height_before)
            return;
        node = node->parent;
    }
}

void tree_insert(struct tree *tree, struct tree_node *node, const void *key,
                 int (*compare_key)(const void *key, const struct tree_node *node)) {
    ASSERT(!tree_node_is_linked(node));
    struct tree_node *parent = NULL;
    struct tree_node **place = &tree->root;
    while (*place != NULL) {
        parent = *place;
        int order = compare_key(key, parent);
        ASSERT(order != 0);
        place = order < 0 ? &parent->left : &parent->right;
    }
    *node = (struct tree_node){.parent = parent, .height = 1};
    *place = node;
    path_balance(tree, parent);
}

static struct tree_node *leftmost(struct tree_node *node) {
    while (node->left != NULL)
        node = node->left;
    return node;
}

static struct tree_node *rightmost(struct tree_node *node) {
    while (node->right != NULL)
        node = node->right;
    return node;
}

/* Puts the successor of a node with two children in its place; returns where balancing begins. */
static struct tree_node *successor_replace(struct tree *tree, struct tree_node *node) {
    struct tree_node *successor = leftmost(node->right);
    struct tree_node *shrunk = successor;
    if (successor->parent != node) {
        shrunk = successor->parent;
        child_replace(tree, shrunk, successor, successor->right);
        successor->right = node->right;
        successor->right->parent = successor;
    }
    successor->left = node->left;
    successor->left->parent = successor;
    successor->height = node->height;
    child_replace(tree, node->parent, node, successor);
    return shrunk;
}

void tree_remove(struct tree *tree, struct tree_node *node) {
    ASSERT(tree_node_is_linked(node));
    struct tree_node *shrunk = node->parent;
    if (node->left != NULL && node->right != NULL)
        shrunk = successor_replace(tree, node);
    else
        child_replace(tree, node->parent, node, node->left != NULL ? node->left : node->right);
    path_balance(tree, shrunk);
    tree_node_init(node);
}

struct tree_node *tree_find(const struct tree *tree, const void *key,
                            int (*compare_key)(const void *key, const struct tree_node *node)) {
    struct tree_node *node = tree->root;
    while (node != NULL) {
        int order = compare_key(key, node);
        if (order == 0)
            return node;
        node = order < 0 ? node->left : node->right;
    }
    return NULL;
}

struct tree_node *tree_lower_bound(const struct tree *tree, const void *key,
                                   int (*compare_key)(const void *key,
                                                      const struct tree_node *node)) {
    struct tree_node *bound = NULL;
    struct tree_node *node = tree->root;
    while (node != NULL) {
        if (compare_key(key, node) <= 0) {
            bound = node;
            node = node->left;
        } else {
            node = node->right;
        }
    }
    return bound;
}

struct tree_node *tree_first(const struct tree *tree) {
    return tree->root != NULL ? leftmost(tree->root) : NULL;
}

struct tree_node *tree_last(const struct tree *tree) {
    return tree->root != NULL ? rightmost(tree->root) : NULL;
}

struct tree_node *tree_next(const struct tree_node *node) {
    ASSERT(tree_node_is_linked(node));
    if (node->right != NULL)
        return leftmost(node->right);
    while (node->parent != NULL && node == node->parent->right)
        node = node->parent;
    return node->parent;
}

struct tree_node *tree_previous(const struct tree_node *node) {
    ASSERT(tree_node_is_linked(node));
    if (node->left != NULL)
        return rightmost(node->left);
    while (node->parent != NULL && node == node->parent->left)
        node = node->parent;
    return node->parent;
}
