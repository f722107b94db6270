/* SPDX-License-Identifier: MIT */
/* The whole interface of the kernel to programs. */
#pragma once

#include <abi/call.h>
#include <abi/error.h>
#include <abi/info.h>
#include <abi/layout.h>
#include <abi/message.h>
#include <abi/object.h>
#include <abi/regs.h>
#include <abi/root.h>
#include <abi/thread_page.h>
