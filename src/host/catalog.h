/* The implementations that src/catalog.def lists, made known to the rooms that use them. */
#ifndef HOST_CATALOG_H
#define HOST_CATALOG_H

#include "agent/tool.h"
#include "channel/channel.h"

/* Register stores and models. Once, before anything is opened. */
void catalog_register(void);
extern const struct tool *const catalog_tools[];
extern const size_t catalog_tool_count;
extern const struct channel_ops *const catalog_channels[]; /* ended by NULL */

#endif
