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

static int compare(const struct tree_node *a, const struct tree_node *b)
{
    return container_of(a, const struct item, node)->key -
           container_of(b, const struct item, node)->key;
}

static int compare_key(const void *key, const struct tree_node *node)
{
    return *(const int *)key - container_of(node, const struct item, node)->key;
}

static void setup(void)
{
    tree_init(&tree);
    for (int index = 0; index < ITEM_COUNT; index++) {
        items[index].key = 2 * index;
        tree_node_init(&items[index].node);
    }
}

static void insert(int index)
{
    if (tree_insert(&tree, &items[index].node, compare) != NULL)
        ck_abort_msg("item %d is there already", index);
}

/* Parent links, stored heights and balance; returns the height it found. */
static int assert_subtree(const struct tree_node *node, const struct tree_node *parent)
{
    if (node == NULL)
        return 0;
    if (node->parent != parent)
        ck_abort_msg("wrong parent link");
    int left = assert_subtree(node->left, node);
    int right = assert_subtree(node->right, node);
    if (abs(left - right) > 1)
        ck_abort_msg("out of balance: %d and %d", left, right);
    int height = 1 + (left > right ? left : right);
    if (node->height != height)
        ck_abort_msg("height %d stored as %d", height, node->height);
    return height;
}

/* The tree holds exactly the linked items, in both directions in order of their keys. Plain
 * conditions here: the many calls would make Check's own bookkeeping take most of the time. */
static void assert_tree(void)
{
    assert_subtree(tree.root, NULL);
    const struct tree_node *node = tree_first(&tree);
    const struct tree_node *before = NULL;
    for (int index = 0; index < ITEM_COUNT; index++) {
        if (!tree_node_is_linked(&items[index].node))
            continue;
        if (node != &items[index].node)
            ck_abort_msg("item %d is missing or out of order", index);
        if (tree_previous(node) != before)
            ck_abort_msg("wrong node before item %d", index);
        before = node;
        node = tree_next(node);
    }
    ck_assert_ptr_null(node);
    ck_assert_ptr_eq(tree_last(&tree), before);
    ck_assert_int_eq(tree_is_empty(&tree), before == NULL);
}

/* find and lower_bound for every key from before the first to after the last. */
static void assert_searches(void)
{
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

START_TEST(a_new_tree_is_empty)
{
    int key = 0;
    ck_assert(tree_is_empty(&tree));
    ck_assert_ptr_null(tree_first(&tree));
    ck_assert_ptr_null(tree_last(&tree));
    ck_assert_ptr_null(tree_find(&tree, &key, compare_key));
    ck_assert_ptr_null(tree_lower_bound(&tree, &key, compare_key));
}
END_TEST

START_TEST(one_node_comes_and_goes)
{
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

START_TEST(a_duplicate_is_refused_and_named)
{
    for (int index = 0; index < 20; index++)
        insert(index);
    struct item duplicate = {.key = items[7].key};
    ck_assert_ptr_eq(tree_insert(&tree, &duplicate.node, compare), &items[7].node);
    ck_assert(!tree_node_is_linked(&duplicate.node));
    assert_tree();
}
END_TEST

/* 1000 nodes need a height of 10; AVL promises at most 1.44 log2(n + 2). */
START_TEST(sorted_insertions_stay_shallow)
{
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

START_TEST(removing_from_one_end_keeps_balance)
{
    for (int index = 0; index < ITEM_COUNT; index++)
        insert(index);
    for (int index = 0; index < ITEM_COUNT; index++) {
        ck_assert_ptr_eq(tree_first(&tree), &items[index].node);
        tree_remove(&tree, &items[index].node);
        assert_subtree(tree.root, NULL);
    }
    ck_assert(tree_is_empty(&tree));
}
END_TEST

#define SMALL_COUNT 7

static void build(const int *order)
{
    setup();
    for (int place = 0; place < SMALL_COUNT; place++)
        insert(order[place]);
}

static void permutations(int *order, int fixed, void (*visit)(const int *order))
{
    if (fixed == SMALL_COUNT) {
        visit(order);
        return;
    }
    for (int place = fixed; place < SMALL_COUNT; place++) {
        int chosen = order[place];
        order[place] = order[fixed];
        order[fixed] = chosen;
        permutations(order, fixed + 1, visit);
        order[fixed] = order[place];
        order[place] = chosen;
    }
}

/* Builds the same tree anew for each node, and removes this one. */
static void remove_each(const int *order)
{
    for (int removed = 0; removed < SMALL_COUNT; removed++) {
        build(order);
        assert_subtree(tree.root, NULL);
        tree_remove(&tree, &items[removed].node);
        assert_subtree(tree.root, NULL);
        const struct tree_node *node = tree_first(&tree);
        for (int index = 0; index < SMALL_COUNT; index++) {
            if (index == removed)
                continue;
            if (node != &items[index].node)
                ck_abort_msg("item %d is missing or out of order", index);
            node = tree_next(node);
        }
        ck_assert_ptr_null(node);
    }
}

START_TEST(every_order_of_insertion_and_each_removal)
{
    int order[SMALL_COUNT];
    for (int place = 0; place < SMALL_COUNT; place++)
        order[place] = place;
    permutations(order, 0, remove_each);
}
END_TEST

START_TEST(random_insertions_and_removals)
{
    struct random random;
    random_seed(&random, (uint64_t)_i);
    for (int round = 0; round < 10000; round++) {
        int index = (int)random_below(&random, ITEM_COUNT);
        if (tree_node_is_linked(&items[index].node))
            tree_remove(&tree, &items[index].node);
        else
            insert(index);
        assert_subtree(tree.root, NULL);
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
        assert_subtree(tree.root, NULL);
    }
    ck_assert(tree_is_empty(&tree));
}
END_TEST

START_TEST(inserting_a_linked_node_is_refused)
{
    insert(1);
    insert(1);
}
END_TEST

START_TEST(removing_an_unlinked_node_is_refused)
{
    insert(1);
    tree_remove(&tree, &items[2].node);
}
END_TEST

TCase *base_tree_tests(void)
{
    TCase *tests = tcase_create("tree");
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, a_new_tree_is_empty);
    tcase_add_test(tests, one_node_comes_and_goes);
    tcase_add_test(tests, a_duplicate_is_refused_and_named);
    tcase_add_test(tests, sorted_insertions_stay_shallow);
    tcase_add_test(tests, removing_from_one_end_keeps_balance);
    tcase_add_test(tests, every_order_of_insertion_and_each_removal);
    tcase_add_loop_test(tests, random_insertions_and_removals, 0, 4);
    tcase_add_test_raise_signal(tests, inserting_a_linked_node_is_refused, SIGABRT);
    tcase_add_test_raise_signal(tests, removing_an_unlinked_node_is_refused, SIGABRT);
    return tests;
}
