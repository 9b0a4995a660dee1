// glibc's settings for malloc, which Swift's module of it leaves out.
#if __has_include(<malloc.h>)
#include <malloc.h>
#endif
