/* Any bytes as theo.yaml: refused with a message, or settings within their bounds. */
#include "base/config.h"
#include "base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void check_values(const struct config *config)
{
    struct arena arena;

    arena_init(&arena);
    for (size_t i = 0; i < config_settings_count; i++) {
        const struct setting *setting = &config_settings[i];
        struct str text = config_value_text(config, i, &arena);
        const char *place;
        int64_t number;

        require(utf8_valid(text));
        if (setting->type == SETTING_I64)
            require(str_to_i64(text, &number) && number >= setting->min && number <= setting->max);
        require(config_origin(config, i, &place) <= ORIGIN_FILE && place);
    }
    arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config config;
    int r = config_load_text(&config, (struct str){(const char *)data, size}, "fuzz.yaml");

    if (r == 0) {
        check_values(&config);
        config_deinit(&config);
    } else {
        require(r == ERR_INVALID && err_message()[0] && utf8_valid(str_from(err_message())));
    }
    return 0;
}
