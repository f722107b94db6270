/* SPDX-License-Identifier: MIT */
/* What a client can ask of the planted server beside what a counter does: that it goes wrong. */
#pragma once

enum plant {
    PLANT_FAULT = 100, /* a fault, each time the call is served */
    PLANT_ABORT,       /* abort(), the same */
    PLANT_LOOP,        /* never comes to an end */
    PLANT_STASH,       /* commits a state of which instances die, and dies */
    PLANT_STASH_LATER, /* commits it, and answers */
    /* Writes over its own memory, its stash and whatever else it can, and dies. */
    PLANT_WILD_ALL,   /* every byte */
    PLANT_WILD_STASH, /* the stash alone, every byte */
    PLANT_WILD_SOME,  /* one word in so many, as words[0] says, of the stash alone */
};
