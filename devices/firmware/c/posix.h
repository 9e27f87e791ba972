/* The port for POSIX: TCP, the system's clocks, and a store in a mapped file. */
#ifndef WAYSTATION_POSIX_H
#define WAYSTATION_POSIX_H

#include "waystation.h"

/* `file`: where the store outlives the program; NULL: in memory only. NULL comes back on failure. */
struct ws_store *ws_posix(const char *host, const char *port, const char *file, bool clock);
/* Waits until something comes, or `ms` are over. */
void ws_posix_wait(int ms);

#endif
