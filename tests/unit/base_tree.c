/* SPDX-License-Identifier: MIT */
#include "base_tests.h"

#include <signal.h>
#include <stdlib.h>

#include <base/list.h>
#include <base/random.h>
#include <base/tree.h>

#define ITEM_COUNT 1000

struct item {
    int key;
    struct tree_node node;
};

static struct tree tree;
static struct item items[ITEM_COUNT]; /* the item with key k is at k / 2: odd keys are absent */

static int compare_key(const void *key, const struct tree_node *node) {
    return *(const int *)key - container_of(node, const struct item, node)->key;
}

static void setup_first(int count) {
    tree_init(&tree);
    for (int index = 0; index < count; index++) {
        items[index].key = 2 * index;
        tree_node_init(&items[index].node);
    }
}

static void setup(void) {
    setup_first(ITEM_COUNT);
}

static void insert(int index) {
    tree_insert(&tree, &items[index].node, &items[index].key, compare_key);
}

static int child_height(const struct tree_node *child, const struct tree_node *parent) {
    if (child == NULL)
        return 0;
    if (child->parent != parent)
        ck_abort_msg("wrong parent link");
    return child->height;
}

/* Parent links, stored heights and balance. As each stored height is right given those below it,
 * all are right, and there is no cycle. */
static void assert_shape_of_first(int count) {
    child_height(tree.root, NULL);
    for (int index = 0; index < count; index++) {
        const struct tree_node *node = &items[index].node;
        if (!tree_node_is_linked(node))
            continue;
        int left = child_height(node->left, node);
        int right = child_height(node->right, node);
        if (abs(left - right) > 1)
            ck_abort_msg("out of balance: %d and %d", left, right);
        int height = 1 + (left > right ? left : right);
        if (node->height != height)
            ck_abort_msg("height %d stored as %d", height, node->height);
    }
}

static void assert_shape(void) {
    assert_shape_of_first(ITEM_COUNT);
}

/* The tree holds exactly the linked items, in both directions in order of their keys. Plain
 * conditions here: the many calls would make Check's own bookkeeping take most of the time. */
static void assert_tree_of_first(int count) {
    assert_shape_of_first(count);
    const struct tree_node *node = tree_first(&tree);
    const struct tree_node *before = NULL;
    for (int index = 0; index < count; index++) {
        if (!tree_node_is_linked(&items[index].node))
            continue;
        if (node != &items[index].node)
            ck_abort_msg("item %d is missing or out of order", index);
        if (tree_previous(node) != before)
            ck_abort_msg("wrong node before item %d", index);
        before = node;
        node = tree_next(node);
    }
    if (node != NULL || tree_last(&tree) != before || tree_is_empty(&tree) != (before == NULL))
        ck_abort_msg("the end is not where it should be");
}

static void assert_tree(void) {
    assert_tree_of_first(ITEM_COUNT);
}

/* find and lower_bound for every key from before the first to after the last. */
static void assert_searches(void) {
    const struct tree_node *bound = NULL;
    for (int key = 2 * ITEM_COUNT; key >= -1; key--) {
        const struct tree_node *exact = NULL;
        if (key >= 0 && key < 2 * ITEM_COUNT && key % 2 == 0 &&
            tree_node_is_linked(&items[key / 2].node))
            bound = exact = &items[key / 2].node;
        if (tree_find(&tree, &key, compare_key) != exact)
            ck_abort_msg("wrong node found for key %d", key);
        if (tree_lower_bound(&tree, &key, compare_key) != bound)
            ck_abort_msg("wrong lower bound for key %d", key);
    }
}

START_TEST(a_new_tree_is_empty) {
    int key = 0;
    ck_assert(tree_is_empty(&tree));
    ck_assert_ptr_null(tree_first(&tree));
    ck_assert_ptr_null(tree_last(&tree));
    ck_assert_ptr_null(tree_find(&tree, &key, compare_key));
    ck_assert_ptr_null(tree_lower_bound(&tree, &key, compare_key));
}
END_TEST

START_TEST(one_node_comes_and_goes) {
    insert(5);
    ck_assert(tree_node_is_linked(&items[5].node));
    assert_tree();
    assert_searches();
    tree_remove(&tree, &items[5].node);
    ck_assert(!tree_node_is_linked(&items[5].node));
    ck_assert(tree_is_empty(&tree));
    insert(5);
    assert_tree();
}
END_TEST

START_TEST(a_duplicate_is_refused) {
    for (int index = 0; index < 20; index++)
        insert(index);
    struct item duplicate = {.key = items[7].key};
    tree_insert(&tree, &duplicate.node, &duplicate.key, compare_key);
}
END_TEST

/* 1000 nodes need a height of 10; AVL promises at most 1.44 log2(n + 2). */
START_TEST(sorted_insertions_stay_shallow) {
    for (int index = 0; index < ITEM_COUNT; index++)
        insert(index);
    assert_tree();
    ck_assert_int_le(tree.root->height, 14);
    setup();
    for (int index = ITEM_COUNT - 1; index >= 0; index--)
        insert(index);
    assert_tree();
    ck_assert_int_le(tree.root->height, 14);
    assert_searches();
}
END_TEST

START_TEST(removing_from_one_end_keeps_balance) {
    for (int index = 0; index < ITEM_COUNT; index++)
        insert(index);
    for (int index = 0; index < ITEM_COUNT; index++) {
        ck_assert_ptr_eq(tree_first(&tree), &items[index].node);
        tree_remove(&tree, &items[index].node);
        assert_shape();
    }
    ck_assert(tree_is_empty(&tree));
}
END_TEST

#define SMALL_COUNT 7

/* Builds the tree anew for each node, and removes this one. */
static void remove_each(const int *order) {
    for (int removed = 0; removed < SMALL_COUNT; removed++) {
        setup_first(SMALL_COUNT);
        for (int place = 0; place < SMALL_COUNT; place++)
            insert(order[place]);
        assert_tree_of_first(SMALL_COUNT);
        tree_remove(&tree, &items[removed].node);
        assert_tree_of_first(SMALL_COUNT);
    }
}

/* Heap's algorithm: each step exchanges two places. */
START_TEST(every_order_of_insertion_and_each_removal) {
    int order[SMALL_COUNT];
    int counters[SMALL_COUNT] = {0};
    int orders = 1;
    for (int place = 0; place < SMALL_COUNT; place++)
        order[place] = place;
    remove_each(order);
    for (int place = 1; place < SMALL_COUNT;) {
        if (counters[place] == place) {
            counters[place++] = 0;
            continue;
        }
        int other = place % 2 == 0 ? 0 : counters[place];
        int moved = order[place];
        order[place] = order[other];
        order[other] = moved;
        counters[place]++;
        place = 1;
        orders++;
        remove_each(order);
    }
    ck_assert_int_eq(orders, 5040);
}
END_TEST

START_TEST(random_insertions_and_removals) {
    struct random random;
    random_seed(&random, (uint64_t)_i);
    for (int round = 0; round < 10000; round++) {
        int index = (int)random_below(&random, ITEM_COUNT);
        if (tree_node_is_linked(&items[index].node))
            tree_remove(&tree, &items[index].node);
        else
            insert(index);
        assert_shape();
        if (round % 100 == 0)
            assert_tree();
        if (round % 1000 == 0)
            assert_searches();
    }
    assert_tree();
    assert_searches();
    for (int index = 0; index < ITEM_COUNT; index++) {
        if (tree_node_is_linked(&items[index].node))
            tree_remove(&tree, &items[index].node);
        assert_shape();
    }
    ck_assert(tree_is_empty(&tree));
}
END_TEST

START_TEST(inserting_a_linked_node_is_refused) {
    insert(1);
    insert(1);
}
END_TEST

START_TEST(removing_an_unlinked_node_is_refused) {
    insert(1);
    tree_remove(&tree, &items[2].node);
}
END_TEST

TCase *base_tree_tests(void) {
    TCase *tests = tcase_create("tree");
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, a_new_tree_is_empty);
    tcase_add_test(tests, one_node_comes_and_goes);
    tcase_add_test_raise_signal(tests, a_duplicate_is_refused, SIGABRT);
    tcase_add_test(tests, sorted_insertions_stay_shallow);
    tcase_add_test(tests, removing_from_one_end_keeps_balance);
    tcase_add_test(tests, every_order_of_insertion_and_each_removal);
    tcase_add_loop_test(tests, random_insertions_and_removals, 0, 4);
    tcase_add_test_raise_signal(tests, inserting_a_linked_node_is_refused, SIGABRT);
    tcase_add_test_raise_signal(tests, removing_an_unlinked_node_is_refused, SIGABRT);
    return tests;
}
