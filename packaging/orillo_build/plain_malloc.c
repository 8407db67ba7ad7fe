/* SPDX-License-Identifier: Apache-2.0
 *
 * Python's objects come from malloc(3), as if PYTHONMALLOC=malloc, which an isolated program does not read.
 *
 * Python's own allocator keeps a mebibyte for as long as one object in it lives, and a first pass over a
 * thousand peers leaves few objects in many. The C library gives back every free page (malloc_trim(3)).
 * Without its fast bins (mallopt(3)), freed neighbours become one at once, and what comes next fills them up.
 */
#include <Python.h>
#include <malloc.h>

__attribute__((constructor)) static void orillo_plain_malloc(void) {
    PyMemAllocatorEx plain;
    mallopt(M_MXFAST, 0);
    PyMem_GetAllocator(PYMEM_DOMAIN_RAW, &plain);
    PyMem_SetAllocator(PYMEM_DOMAIN_MEM, &plain);
    PyMem_SetAllocator(PYMEM_DOMAIN_OBJ, &plain);
}
