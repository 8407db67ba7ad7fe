/* SPDX-License-Identifier: Apache-2.0
 *
 * Three calls of the C library as a module of the program, for netcore/kernel/memory.py: ctypes, which has all
 * of them, is a quarter of a megabyte.
 */
#include <Python.h>
#include <malloc.h>
#include <sys/mman.h>

static PyObject *orillo_mallopt(PyObject *self, PyObject *words) {
    int what, value;
    return PyArg_ParseTuple(words, "ii", &what, &value) ? PyLong_FromLong(mallopt(what, value)) : NULL;
}

/* malloc(3) keeps the last seven freed blocks of each small size out of what malloc_trim(3) gives back, and after
 * a pass each of these lies in a page of its own. Here others take their place, which are the best fit in pages
 * that are in use. Sizes and number are glibc's (tcache_max, tcache_count); with any others nothing is lost. */
enum { ORILLO_KEPT = 7, ORILLO_LEAST = 24, ORILLO_MOST = 1032, ORILLO_STEP = 16 };

static void orillo_move_kept(void) {
    for (size_t size = ORILLO_LEAST; size <= ORILLO_MOST; size += ORILLO_STEP) {
        void *volatile held[2 * ORILLO_KEPT];
        for (int i = 0; i < 2 * ORILLO_KEPT; i++) held[i] = malloc(size);
        for (int i = 2 * ORILLO_KEPT - 1; i >= 0; i--) free(held[i]);
    }
}

static PyObject *orillo_malloc_trim(PyObject *self, PyObject *words) {
    Py_ssize_t spare;
    if (!PyArg_ParseTuple(words, "n", &spare)) return NULL;
    orillo_move_kept();
    return PyLong_FromLong(malloc_trim((size_t)spare));
}

static PyObject *orillo_madvise(PyObject *self, PyObject *words) {
    unsigned long long start;
    Py_ssize_t length;
    int advice;
    if (!PyArg_ParseTuple(words, "Kni", &start, &length, &advice)) return NULL;
    return PyLong_FromLong(madvise((void *)(uintptr_t)start, (size_t)length, advice));
}

static PyMethodDef orillo_calls[] = {
    {"mallopt", orillo_mallopt, METH_VARARGS, NULL},
    {"malloc_trim", orillo_malloc_trim, METH_VARARGS, NULL},
    {"madvise", orillo_madvise, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef orillo_libc = {PyModuleDef_HEAD_INIT, .m_name = "orillo_libc", .m_methods = orillo_calls};

static PyObject *orillo_make_libc(void) { return PyModule_Create(&orillo_libc); }

__attribute__((constructor)) static void orillo_announce_libc(void) {
    PyImport_AppendInittab("orillo_libc", orillo_make_libc);
}
