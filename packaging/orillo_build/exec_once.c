/* SPDX-License-Identifier: Apache-2.0
 *
 * Nuitka 4.3 keeps a reference to the code of each bytecode module for ever, and with it the code of the
 * module's body and of its classes. `plugin.py` has it call this function, which lets go of it.
 */
#undef PyImport_ExecCodeModuleObject
#include <Python.h>

PyObject *orillo_exec_once(PyObject *name, PyObject *code, PyObject *path, PyObject *cached) {
    PyObject *module = PyImport_ExecCodeModuleObject(name, code, path, cached);
    Py_DECREF(code);
    return module;
}
