#include "lockfree/type.hpp"
#include "topics.hpp"

namespace nb = nanobind;

namespace dwcp::bindings {

namespace {

using namespace lockfree;

// What isinstance() can ask for; nothing can be made of it.
PyObject* make_base() {
    static PyMethodDef methods[] = {
        {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, doc::kClassGetItem},
        {nullptr, nullptr, 0, nullptr},
    };
    PyType_Slot slots[] = {
        {Py_tp_methods, methods},
        {Py_tp_doc, const_cast<char*>("What the structures of dwcp.lockfree for threads have in "
                                      "common. Cannot be made itself.")},
        {0, nullptr},
    };
    PyType_Spec spec{"dwcp._core.lockfree.Structure", 0, 0,
                     Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                     slots};
    PyObject* const type = PyType_FromSpec(&spec);
    if (type == nullptr) throw nb::python_error();
    return type;
}

void find_exceptions(nb::module_& module) {
    const nb::module_ queue = nb::module_::import_("queue");
    // Never given back: they live as long as the types that raise them.
    exceptions.full = nb::object(queue.attr("Full")).release().ptr();
    exceptions.empty = nb::object(queue.attr("Empty")).release().ptr();
    if (nb::hasattr(queue, "ShutDown")) {
        exceptions.shut_down = nb::object(queue.attr("ShutDown")).release().ptr();
    } else {
        exceptions.shut_down = PyErr_NewExceptionWithDoc(
            "dwcp.lockfree.ShutDown",
            "shutdown() was called: nothing more can be put, and nothing is left to get.\n\n"
            "It is queue.ShutDown from Python 3.13 on.",
            PyExc_Exception, nullptr);
        if (exceptions.shut_down == nullptr) throw nb::python_error();
    }
    module.attr("ShutDown") = nb::handle(exceptions.shut_down);
}

}  // namespace

void init_lockfree(nb::module_& module) {
    find_exceptions(module);
    const nb::object base = nb::steal(make_base());
    module.attr("Structure") = base;
    const auto add = [&](const char* name, PyObject* type) { module.attr(name) = nb::steal(type); };
    add("SpscRing",
        Type<Spsc>::make(
            "dwcp._core.lockfree.SpscRing",
            "SpscRing(capacity)\n--\n\n"
            "A ring for one thread that puts and one that gets: first in, first out.\n\n"
            "capacity is the number of items, from 1. More threads on a side take turns.",
            base.ptr()));
    add("MpmcQueue",
        Type<Mpmc>::make("dwcp._core.lockfree.MpmcQueue",
                         "MpmcQueue(capacity)\n--\n\n"
                         "A bounded queue for any number of threads: first in, first out.\n\n"
                         "capacity is the number of items, from 1; a power of two is the fastest.\n"
                         "After D. Vyukov's bounded MPMC queue.",
                         base.ptr()));
    add("Queue",
        Type<Unbounded>::make("dwcp._core.lockfree.Queue",
                              "Queue()\n--\n\n"
                              "An unbounded queue for any number of threads: first in, first "
                              "out.\n\nIts memory is given back with it, not before.",
                              base.ptr()));
    add("Stack", Type<Treiber>::make("dwcp._core.lockfree.Stack",
                                     "Stack()\n--\n\n"
                                     "An unbounded stack for any number of threads: last in, first "
                                     "out.\n\nAfter R. K. Treiber (1986). Its memory is given back "
                                     "with it, not before.",
                                     base.ptr()));
}

}  // namespace dwcp::bindings
