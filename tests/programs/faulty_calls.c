/* For LD_PRELOAD: the system calls and library functions of a sick machine. FAULT names what is wrong with it. Tests compile it. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

static int fault(const char* name) {
  const char* wanted = getenv("FAULT");
  return wanted != NULL && strcmp(wanted, name) == 0;
}

static void wait_ms(long ms) {
  const struct timespec time = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&time, NULL);
}

static void* next(const char* name) { return dlsym(RTLD_NEXT, name); }

int MPI_Get_library_version(char* text, int* length) {
  if (!fault("mpi")) return ((int (*)(char*, int*))next("MPI_Get_library_version"))(text, length);
  strcpy(text, "Open MPI v6.0.3, package: another");
  *length = (int)strlen(text);
  return 0;
}

int H5get_libversion(unsigned* major, unsigned* minor, unsigned* release) {
  if (!fault("hdf5")) return ((int (*)(unsigned*, unsigned*, unsigned*))next("H5get_libversion"))(major, minor, release);
  *major = 1, *minor = 14, *release = 3;
  return 0;
}

/* A file that a dead file server holds. hid_t is a 64-bit integer. */
long H5Fopen(const char* path, unsigned flags, long access) {
  while (fault("open_hangs") && strstr(path, "hangs.h5") != NULL) pause();
  return ((long (*)(const char*, unsigned, long))next("H5Fopen"))(path, flags, access);
}

/* The first data set whose type is asked for. */
long H5Dget_type(long dataset) {
  if (fault("hdf5_crashes")) *(volatile int*)NULL = 0;
  return ((long (*)(long))next("H5Dget_type"))(dataset);
}

int clock_gettime(clockid_t clock, struct timespec* time) {
  const int result = ((int (*)(clockid_t, struct timespec*))next("clock_gettime"))(clock, time);
  if (clock == CLOCK_REALTIME && fault("clock_ahead")) time->tv_sec += 100;
  if (clock == CLOCK_REALTIME && fault("clock_behind")) time->tv_sec -= 2 * 24 * 3600;
  return result;
}

int flock(int file, int operation) {
  if (fault("flock_fails")) return errno = ENOLCK, -1;
  if (fault("flock_blind")) return 0;
  return ((int (*)(int, int))next("flock"))(file, operation);
}

int fsync(int file) {
  if (fault("fsync_fails")) return errno = EIO, -1;
  if (fault("fsync_slow")) wait_ms(1100);
  return ((int (*)(int))next("fsync"))(file);
}

int fallocate(int file, int mode, off_t offset, off_t length) {
  if (fault("quota")) return errno = EDQUOT, -1;
  return ((int (*)(int, int, off_t, off_t))next("fallocate"))(file, mode, offset, length);
}

/* Takes the old name away before it gives the new one. */
int rename(const char* from, const char* to) {
  if (fault("rename")) {
    unlink(to);
    wait_ms(1);
  }
  return ((int (*)(const char*, const char*))next("rename"))(from, to);
}

/* A directory of checkpoints that cannot be listed, as after a server's restart. */
static int stale(const char* path) {
  const size_t length = strlen(path);
  return fault("stale_listing") && length > 12 && strcmp(path + length - 12, "/checkpoints") == 0;
}
DIR* opendir(const char* path) {
  if (stale(path)) return errno = ESTALE, NULL;
  return ((DIR * (*)(const char*)) next("opendir"))(path);
}
DIR* fdopendir(int file) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  const ssize_t length = readlink(link, path, sizeof path - 1);
  path[length < 0 ? 0 : length] = 0;
  if (stale(path)) return errno = ESTALE, NULL;
  return ((DIR * (*)(int)) next("fdopendir"))(file);
}

/* Another rank's new file is seen late. */
FILE* fopen64(const char* path, const char* mode) {
  static time_t first;
  struct timespec now;
  const size_t length = strlen(path);
  if (fault("late") && length > 5 && strcmp(path + length - 5, "/seen") == 0) {
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (first == 0) first = now.tv_sec;
    if (now.tv_sec - first < 2) return errno = ENOENT, NULL;
  }
  return ((FILE * (*)(const char*, const char*)) next("fopen64"))(path, mode);
}
FILE* fopen(const char* path, const char* mode) { return fopen64(path, mode); }
