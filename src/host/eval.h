/* `theo eval NAME --data DIR`: this binary's own code, measured on labelled data. Used by
 * script/eval, not shown in the help. */
#ifndef HOST_EVAL_H
#define HOST_EVAL_H

/* argv[0] is "eval". Prints what failed and, last, "NAME SCORE N". Returns 0; 1 when the data
 * cannot be read; 2 for a wrong name or option; 77 when the data is absent. */
int eval_command(int argc, char **argv);

#endif
