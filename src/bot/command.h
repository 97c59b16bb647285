/* The commands as the channel shows them to people. */
#ifndef BOT_COMMAND_H
#define BOT_COMMAND_H

#include "bot/say.h"

size_t bot_command_count(void);
void bot_command(size_t i, enum say_language language, struct str *ret_name, struct str *ret_help);

#endif
