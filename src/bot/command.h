/* The commands as the channel shows them to people. */
#ifndef BOT_COMMAND_H
#define BOT_COMMAND_H

#include "bot/say.h"

/* Private chats have a menu of their own. */
enum bot_menu { BOT_MENU_GROUPS, BOT_MENU_PRIVATE, BOT_MENUS };

size_t bot_command_count(void);
bool bot_command_is_in(size_t i, enum bot_menu menu);
void bot_command(size_t i, enum say_language language, struct str *ret_name, struct str *ret_help);

#endif
