/* SPDX-License-Identifier: MIT */
/*
 * The console driver's sessions: one a stream, of the protocol <proto/stream.h>, to the port of the
 * same name. Whoever keeps its endpoint makes them with these badges. A stream whose port the
 * machine does not have makes its callers wait.
 */
#pragma once

enum ax_console_stream {
    AX_CONSOLE_STDIN = 1,   /* to be read */
    AX_CONSOLE_STDOUT = 2,  /* to be written */
    AX_CONSOLE_STDERR = 3,  /* to be written */
    AX_CONSOLE_CONTROL = 4, /* both: messages of whoever started the machine */
};
