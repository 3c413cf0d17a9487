/* libcurand.so.10: it is linked to, and nothing of it is called. */
int fake_curand(void) { return 0; }
