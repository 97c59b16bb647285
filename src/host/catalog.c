#include "host/catalog.h"

#include "agent/evaluation.h"
#include "agent/guard.h"
#include "model/model.h"
#include "secure/key_provider.h"
#include "store/backend.h"

#define STORE(symbol) extern const struct store_ops symbol;
#define MODEL(symbol) extern const struct model_ops symbol;
#define TOOL(symbol) extern const struct tool symbol;
#define KEY_PROVIDER(symbol) extern const struct key_provider_ops symbol;
#define EVALUATION(symbol) extern const struct evaluator symbol;
#define GUARD(symbol) extern const struct guard symbol;
#define CHANNEL(symbol) extern const struct channel_ops symbol;
#include "catalog.def"

#define STORE(symbol) &symbol,
static const struct store_ops *const stores[] = {
#include "catalog.def"
    NULL,
};

#define MODEL(symbol) &symbol,
static const struct model_ops *const models[] = {
#include "catalog.def"
    NULL,
};

#define TOOL(symbol) &symbol,
const struct tool *const catalog_tools[] = {
#include "catalog.def"
};
const size_t catalog_tool_count = ARRAY_LEN(catalog_tools);

#define KEY_PROVIDER(symbol) &symbol,
static const struct key_provider_ops *const key_providers[] = {
#include "catalog.def"
    NULL,
};

#define CHANNEL(symbol) &symbol,
const struct channel_ops *const catalog_channels[] = {
#include "catalog.def"
    NULL,
};

#define GUARD(symbol) &symbol,
static const struct guard *const guards[] = {
#include "catalog.def"
    NULL,
};

#define EVALUATION(symbol) &symbol,
static const struct evaluator *const evaluations[] = {
#include "catalog.def"
    NULL,
};

void catalog_register(void)
{
    key_provider_register(key_providers);
    store_register(stores);
    model_register(models);
    guard_register(guards);
    evaluation_register(evaluations);
}
