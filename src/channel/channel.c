#include "channel/channel.h"

const struct channel_ops *channel_ops_of(const struct channel *channel)
{
    return ((const struct channel_base *)channel)->ops;
}
