/* The channels of a serving process: opened by the settings, and their bot. */
#ifndef HOST_CHANNELS_H
#define HOST_CHANNELS_H

#include "bot/bot.h"

#define CHANNELS_MAX 4

struct boot;

struct channels {
    struct channel *open[CHANNELS_MAX];
    size_t count;
    struct outbox *outbox;
    struct bot *bot;      /* NULL: no channel is configured */
    struct fiber *worker; /* of the first loop: connects and sweeps */
    struct fiber *leader; /* NULL: updates come by webhook */
    struct fiber *poller; /* NULL: another instance polls */
};

/* Those that are configured. 0 or ERR_INVALID naming the setting. Outside fibers. */
MUST_CHECK int channels_open(struct boot *boot);
/* Their bot, for so many loops; runs of channels end through it. Outside fibers. */
void channels_start(struct boot *boot, size_t loops);
/* On a fiber of each loop, before anything arrives; the first also sees to what is due. */
void channels_join(struct boot *boot, bool first);
/* On a fiber of each loop: finish what is at work. Yields. */
void channels_drain(struct boot *boot, bool first);
void channels_close(struct boot *boot);

#endif
