#include "http/retry.h"

#include "base/err.h"
#include "runtime/fiber.h"

struct retry retry_begin(const struct env *env, const struct retry_policy *policy)
{
    return (struct retry){
        .env = env, .policy = *policy, .until_ms = env_mono_ms(env) + policy->deadline_ms};
}

int retry_pause(const struct env *env, const struct retry_policy *policy, int made)
{
    int64_t most = MIN(policy->first_ms << MIN(made - 1, 20), policy->most_ms);

    return fiber_sleep((int64_t)(env_random_u64(env) % (uint64_t)(most + 1)));
}

bool retry_next(struct retry *retry, int *rc)
{
    int r;

    if (retry->made == 0) {
        retry->made = 1;
        return true;
    }
    if (retry->made >= retry->policy.attempts || env_mono_ms(retry->env) >= retry->until_ms)
        return false;
    r = retry_pause(retry->env, &retry->policy, retry->made);
    if (r < 0) {
        *rc = r;
        retry->stopped = true;
        return false;
    }
    retry->made++;
    return true;
}
