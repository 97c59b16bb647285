#include "host/catalog.h"

#include "model/model.h"
#include "secure/key_provider.h"
#include "store/backend.h"

#define STORE(symbol) extern const struct store_ops symbol;
#define MODEL(symbol) extern const struct model_ops symbol;
#define TOOL(symbol) extern const struct tool symbol;
#define KEY_PROVIDER(symbol) extern const struct key_provider_ops symbol;
#include "catalog.def"
#undef STORE
#undef MODEL
#undef TOOL
#undef KEY_PROVIDER

#define KEY_PROVIDER(symbol)
#define MODEL(symbol)
#define TOOL(symbol)
#define STORE(symbol) &symbol,
static const struct store_ops *const stores[] = {
#include "catalog.def"
    NULL,
};
#undef STORE
#undef MODEL

#define STORE(symbol)
#define MODEL(symbol) &symbol,
static const struct model_ops *const models[] = {
#include "catalog.def"
    NULL,
};
#undef MODEL
#undef TOOL

#define MODEL(symbol)
#define TOOL(symbol) &symbol,
const struct tool *const catalog_tools[] = {
#include "catalog.def"
};
#undef TOOL

#undef KEY_PROVIDER

#define TOOL(symbol)
#define KEY_PROVIDER(symbol) &symbol,
static const struct key_provider_ops *const key_providers[] = {
#include "catalog.def"
    NULL,
};

const size_t catalog_tool_count = ARRAY_LEN(catalog_tools);

void catalog_register(void)
{
    key_provider_register(key_providers);
    store_register(stores);
    model_register(models);
}
