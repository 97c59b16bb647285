/* Going on from a frame: the same for a run and for a member in it. */
#include "agent/checkpoint.h"
#include "agent/guard_run.h"

struct run_decision *run_decision(const struct run *run, struct str approval_id)
{
    const struct run *root = run->root;

    for (size_t i = 0; i < root->decision_count; i++)
        if (str_eq(root->decisions[i].row->id, approval_id))
            return &root->decisions[i];
    return NULL;
}

/* Members that spoke before their leader. */
static int hear_members(struct run *run)
{
    return json_get(run->resumed, "stand") ? team_prepare(run) : 0;
}

int run_resume(struct run *run, bool all_refused)
{
    int rc = 0;

    if (run->agent && run->agent->workflow && !run_is_direct(run)) {
        rc = workflow_run(run);
        return rc == 0 ? guards_result(run) : rc;
    }
    rc = hear_members(run);
    if (rc == 0)
        rc = toolbox_fill(run);
    if (rc != 0)
        return rc;
    checkpoint_counts(run);
    rc = calls_go_on(run);
    if (rc == 0 && run_is_direct(run))
        direct_result(run);
    if (rc != 0 || all_refused || run_is_direct(run))
        return rc;
    if (run->stopped) {
        run->result.spoke = true;
        return guards_result(run);
    }
    return think_on(run);
}
