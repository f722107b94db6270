/* SPDX-License-Identifier: MIT */
#include "irq.h"

#include "calls.h"
#include "device.h"
#include "kernel.h"
#include "process.h"
#include "thread.h"

void irq_raise(uint32_t line) {
    if (line < IRQ_MAX && kernel->irqs[line] != NULL)
        object_signal(&kernel->irqs[line]->object, 0, AX_SIGNAL_FIRED);
}

void irq_ack(struct irq *irq) {
    object_signal(&irq->object, AX_SIGNAL_FIRED, 0);
    hal_irq_unmask(irq->line);
}

void irq_free(struct irq *irq) {
    if (kernel->irqs[irq->line] == irq) {
        hal_irq_mask(irq->line);
        kernel->irqs[irq->line] = NULL;
    }
    object_free(&irq->object, sizeof(*irq));
}

ax_result sys_irq_create(struct thread *thread, const uint64_t arguments[5]) {
    struct device *device;
    TRY(device_lookup(thread, arguments[0], AX_DEVICE_IRQS, AX_RIGHT_WRITE, &device));
    if (!device_has(device, arguments[1], 1) || arguments[1] >= IRQ_MAX ||
        arguments[1] >= hal_boot()->irq_count || arguments[2] >= AX_IRQ_MODE_COUNT ||
        (arguments[2] != AX_IRQ_DEFAULT && arguments[1] >= hal_boot()->irq_wired))
        return AX_ERR_ARGUMENT;
    uint32_t line = (uint32_t)arguments[1], mode = (uint32_t)arguments[2];
    if (kernel->irqs[line] != NULL && kernel->irqs[line]->object.refs != 0)
        return AX_ERR_EXISTS; /* an owner with no refs only waits to be freed */
    struct place place;
    TRY(place_decode(thread, arguments[3], &place));
    struct irq *irq = NULL;
    ax_result result = object_make(AX_TYPE_IRQ, thread->process->account, sizeof(*irq), &irq);
    if (result == AX_OK) {
        irq->line = line;
        kernel->irqs[line] = irq;
        hal_irq_setup(line, mode);
        hal_irq_unmask(line);
    }
    return place_made(&place, result, irq, AX_RIGHT_ALL);
}
