/* The commands; main.c has the table. */
#ifndef HOST_COMMANDS_H
#define HOST_COMMANDS_H

int serve_command(int argc, char **argv);
int chat_command(int argc, char **argv);
int mcp_command(int argc, char **argv);
int models_command(int argc, char **argv);
int schedule_command(int argc, char **argv);
int keys_command(int argc, char **argv);
int config_command(int argc, char **argv);
int doctor_command(int argc, char **argv);
int migrate_command(int argc, char **argv);
int backup_command(int argc, char **argv);
int restore_command(int argc, char **argv);
int export_command(int argc, char **argv);
int erase_command(int argc, char **argv);
int telegram_command(int argc, char **argv);
int poll_command(int argc, char **argv);
int retention_command(int argc, char **argv);
int replay_command(int argc, char **argv);
int eval_command(int argc, char **argv);

#endif
