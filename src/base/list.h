/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * list.h: a doubly linked ring whose nodes lie within their objects.  A node
 * that is in no list points to itself or is zero.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next, *prev;
};

/* The object of type `type` whose field `field` is this node. */
#define list_entry(node, type, field) ((type *)(void *)((char *)(node) - offsetof(type, field)))

/* Walks the nodes; the current one may be removed. */
#define list_each(node, head) \
	for (struct list *node = (head)->next, *node##_next = node->next; node != (head); \
	    node = node##_next, node##_next = node->next)

static inline void
list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool
list_is_empty(const struct list *l)
{
	return l->next == l || l->next == NULL;
}

static inline void
list_append(struct list *head, struct list *node)
{
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}

static inline void
list_remove(struct list *node)
{
	if (node->next == NULL)
		return;
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

#endif
