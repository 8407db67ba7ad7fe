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

static PyObject *orillo_malloc_trim(PyObject *self, PyObject *words) {
    Py_ssize_t spare;
    return PyArg_ParseTuple(words, "n", &spare) ? PyLong_FromLong(malloc_trim((size_t)spare)) : NULL;
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
