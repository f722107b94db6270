/* SPDX-License-Identifier: MIT */
/*
 * Interrupt lines: masked by the machine when raised, AX_SIGNAL_FIRED until acknowledged, then
 * unmasked. A line that nobody owns stays masked.
 */
#pragma once

#include "object.h"

struct irq {
    struct object object;
    uint32_t line;
};

#define IRQ_MAX 256

/* The machine reported, and masked, the line. One that nobody owns stays masked. */
void irq_raise(uint32_t line);
/* Clears AX_SIGNAL_FIRED and unmasks. */
void irq_ack(struct irq *irq);
