/* SPDX-License-Identifier: MIT */
#include "base_tests.h"

#include <signal.h>
#include <stdint.h>
#include <string.h>

#include <base/list.h>
#include <base/random.h>

#define ITEM_COUNT 40

struct item {
    int number;
    struct list link; /* not the first member, so that container_of has something to do */
    uint64_t padding;
};

static struct list head;
static struct item items[ITEM_COUNT];

static void setup(void) {
    list_init(&head);
    for (int number = 0; number < ITEM_COUNT; number++) {
        items[number].number = number;
        list_init(&items[number].link);
    }
}

/* Walks in both directions by hand, so that every pointer is seen. Plain conditions: the many
 * calls of a random test would make Check's own bookkeeping take most of the time. */
static void assert_list_is(const struct list *list, const int *numbers, size_t count) {
    const struct list *node = list;
    for (size_t index = 0; index < count; index++) {
        if (node->next == list)
            ck_abort_msg("%zu entries instead of %zu", index, count);
        if (node->next->prev != node)
            ck_abort_msg("broken link before entry %zu", index);
        node = node->next;
        int number = list_entry(node, const struct item, link)->number;
        if (number != numbers[index])
            ck_abort_msg("entry %zu is %d instead of %d", index, number, numbers[index]);
    }
    if (node->next != list || list->prev != node)
        ck_abort_msg("the list does not end after %zu entries", count);
    if (list_is_empty(list) != (count == 0))
        ck_abort_msg("list_is_empty is wrong for %zu entries", count);
}

#define ASSERT_LIST(list, ...)                       \
    assert_list_is(list, (const int[]){__VA_ARGS__}, \
                   sizeof((const int[]){__VA_ARGS__}) / sizeof(int))

static void append_first(int count) {
    for (int number = 0; number < count; number++)
        list_append(&head, &items[number].link);
}

START_TEST(a_new_list_is_empty) {
    assert_list_is(&head, NULL, 0);
    ck_assert_ptr_null(list_first(&head));
    ck_assert_ptr_null(list_last(&head));
    ck_assert(!list_is_linked(&items[0].link));
}
END_TEST

START_TEST(append_and_prepend) {
    list_append(&head, &items[1].link);
    list_append(&head, &items[2].link);
    list_prepend(&head, &items[0].link);
    ASSERT_LIST(&head, 0, 1, 2);
    ck_assert(list_is_linked(&items[1].link));
}
END_TEST

START_TEST(insert_before_a_node_and_before_the_head) {
    list_append(&head, &items[0].link);
    list_insert_before(&items[0].link, &items[1].link);
    list_insert_before(&items[0].link, &items[2].link);
    list_insert_before(&head, &items[3].link);
    ASSERT_LIST(&head, 1, 2, 0, 3);
}
END_TEST

START_TEST(remove_first_middle_last) {
    append_first(5);
    list_remove(&items[0].link);
    ASSERT_LIST(&head, 1, 2, 3, 4);
    list_remove(&items[2].link);
    ASSERT_LIST(&head, 1, 3, 4);
    list_remove(&items[4].link);
    ASSERT_LIST(&head, 1, 3);
    list_remove(&items[1].link);
    list_remove(&items[3].link);
    assert_list_is(&head, NULL, 0);
}
END_TEST

START_TEST(take_removes_the_first) {
    append_first(2);
    ck_assert_ptr_eq(list_take(&head), &items[0].link);
    ck_assert(!list_is_linked(&items[0].link));
    ASSERT_LIST(&head, 1);
    ck_assert_ptr_eq(list_take(&head), &items[1].link);
    ck_assert_ptr_null(list_take(&head));
    ck_assert(list_is_empty(&head));
}
END_TEST

START_TEST(a_removed_node_can_be_removed_and_inserted_again) {
    append_first(2);
    list_remove(&items[0].link);
    ck_assert(!list_is_linked(&items[0].link));
    list_remove(&items[0].link);
    list_append(&head, &items[0].link);
    ASSERT_LIST(&head, 1, 0);
}
END_TEST

START_TEST(accessors) {
    append_first(3);
    ck_assert_ptr_eq(list_first(&head), &items[0].link);
    ck_assert_ptr_eq(list_next(&head, &items[0].link), &items[1].link);
    ck_assert_ptr_eq(list_next(&head, &items[1].link), &items[2].link);
    ck_assert_ptr_null(list_next(&head, &items[2].link));
    ck_assert_ptr_eq(list_last(&head), &items[2].link);
}
END_TEST

START_TEST(splice_keeps_the_order_and_empties_the_source) {
    struct list other;
    list_init(&other);
    append_first(2);
    list_splice(&head, &other);
    ASSERT_LIST(&head, 0, 1);
    list_append(&other, &items[2].link);
    list_append(&other, &items[3].link);
    list_splice(&head, &other);
    ASSERT_LIST(&head, 0, 1, 2, 3);
    assert_list_is(&other, NULL, 0);
    list_splice(&other, &head);
    ASSERT_LIST(&other, 0, 1, 2, 3);
    assert_list_is(&head, NULL, 0);
}
END_TEST

START_TEST(for_each_visits_in_order_and_ends_with_null) {
    struct item *item = NULL;
    int expected = 0;
    list_for_each (item, &head, link)
        ck_abort_msg("an empty list has no entry");
    ck_assert_ptr_null(item);
    append_first(4);
    list_for_each (item, &head, link)
        ck_assert_int_eq(item->number, expected++);
    ck_assert_ptr_null(item);
    ck_assert_int_eq(expected, 4);
}
END_TEST

START_TEST(for_each_can_stop_and_nest) {
    struct item *outer = NULL;
    struct item *inner = NULL;
    int pairs = 0;
    append_first(4);
    list_for_each (outer, &head, link) {
        list_for_each (inner, &head, link)
            pairs++;
        if (outer->number == 2)
            break;
    }
    ck_assert_ptr_eq(outer, &items[2]);
    ck_assert_int_eq(pairs, 12);
}
END_TEST

START_TEST(for_each_safe_allows_removal_of_any_entry) {
    for (unsigned removed = 0; removed < 1U << 4; removed++) {
        setup();
        append_first(4);
        struct item *item = NULL;
        int expected = 0;
        list_for_each_safe (item, &head, link) {
            ck_assert_int_eq(item->number, expected++);
            if (removed & 1U << item->number) {
                list_remove(&item->link);
                memset(&item->link, 0xa5, sizeof(item->link)); /* as if it were freed */
            }
        }
        ck_assert_int_eq(expected, 4);
        ck_assert_ptr_null(item);
        int left[4];
        size_t left_count = 0;
        for (int number = 0; number < 4; number++) {
            if (!(removed & 1U << number))
                left[left_count++] = number;
        }
        assert_list_is(&head, left, left_count);
    }
}
END_TEST

/* The naive list: an array of numbers. */
struct numbers {
    int at[ITEM_COUNT];
    size_t count;
};

static void numbers_insert(struct numbers *numbers, size_t place, int number) {
    memmove(&numbers->at[place + 1], &numbers->at[place],
            (numbers->count - place) * sizeof(numbers->at[0]));
    numbers->at[place] = number;
    numbers->count++;
}

static void numbers_remove(struct numbers *numbers, int number) {
    size_t place = 0;
    while (place < numbers->count && numbers->at[place] != number)
        place++;
    if (place == numbers->count)
        return;
    numbers->count--;
    memmove(&numbers->at[place], &numbers->at[place + 1],
            (numbers->count - place) * sizeof(numbers->at[0]));
}

static void insert_somewhere(struct random *random, struct list *list, struct numbers *numbers,
                             struct item *item) {
    switch (random_below(random, 3)) {
    case 0:
        list_append(list, &item->link);
        numbers_insert(numbers, numbers->count, item->number);
        break;
    case 1:
        list_prepend(list, &item->link);
        numbers_insert(numbers, 0, item->number);
        break;
    default: {
        size_t place = random_below(random, numbers->count + 1);
        struct list *node = list->next;
        for (size_t step = 0; step < place; step++)
            node = node->next;
        list_insert_before(node, &item->link);
        numbers_insert(numbers, place, item->number);
    }
    }
}

START_TEST(random_operations_agree_with_arrays) {
    struct random random;
    random_seed(&random, 7);
    struct list lists[2];
    struct numbers numbers[2] = {0};
    list_init(&lists[0]);
    list_init(&lists[1]);
    for (int round = 0; round < 20000; round++) {
        size_t which = random_below(&random, 2);
        struct item *item = &items[random_below(&random, ITEM_COUNT)];
        if (random_below(&random, 50) == 0) {
            list_splice(&lists[which], &lists[!which]);
            for (size_t index = 0; index < numbers[!which].count; index++)
                numbers_insert(&numbers[which], numbers[which].count, numbers[!which].at[index]);
            numbers[!which].count = 0;
        } else if (list_is_linked(&item->link)) {
            list_remove(&item->link);
            numbers_remove(&numbers[0], item->number);
            numbers_remove(&numbers[1], item->number);
        } else {
            insert_somewhere(&random, &lists[which], &numbers[which], item);
        }
        assert_list_is(&lists[0], numbers[0].at, numbers[0].count);
        assert_list_is(&lists[1], numbers[1].at, numbers[1].count);
    }
}
END_TEST

START_TEST(inserting_a_linked_node_is_refused) {
    append_first(1);
    list_append(&head, &items[0].link);
}
END_TEST

START_TEST(inserting_a_node_never_initialised_is_refused) {
    struct list node = {0};
    list_append(&head, &node);
}
END_TEST

START_TEST(removing_from_a_broken_list_is_refused) {
    append_first(3);
    items[2].link.prev = &items[0].link;
    list_remove(&items[1].link);
}
END_TEST

START_TEST(splicing_a_list_to_itself_is_refused) {
    append_first(2);
    list_splice(&head, &head);
}
END_TEST

TCase *base_list_tests(void) {
    TCase *tests = tcase_create("list");
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, a_new_list_is_empty);
    tcase_add_test(tests, append_and_prepend);
    tcase_add_test(tests, insert_before_a_node_and_before_the_head);
    tcase_add_test(tests, remove_first_middle_last);
    tcase_add_test(tests, take_removes_the_first);
    tcase_add_test(tests, a_removed_node_can_be_removed_and_inserted_again);
    tcase_add_test(tests, accessors);
    tcase_add_test(tests, splice_keeps_the_order_and_empties_the_source);
    tcase_add_test(tests, for_each_visits_in_order_and_ends_with_null);
    tcase_add_test(tests, for_each_can_stop_and_nest);
    tcase_add_test(tests, for_each_safe_allows_removal_of_any_entry);
    tcase_add_test(tests, random_operations_agree_with_arrays);
    tcase_add_test_raise_signal(tests, inserting_a_linked_node_is_refused, SIGABRT);
    tcase_add_test_raise_signal(tests, inserting_a_node_never_initialised_is_refused, SIGABRT);
    tcase_add_test_raise_signal(tests, removing_from_a_broken_list_is_refused, SIGABRT);
    tcase_add_test_raise_signal(tests, splicing_a_list_to_itself_is_refused, SIGABRT);
    return tests;
}
