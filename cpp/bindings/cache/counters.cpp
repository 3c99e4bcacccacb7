// Counters with lines of their own, written against the C interface: an addition must cost next to
// nothing.
#include "cache/parts.hpp"
#include "dwcp/cache/padded.hpp"
#include "errors.hpp"
#include "fastcall.hpp"
#include "integers.hpp"

namespace dwcp::bindings::cache_parts {

namespace {

using cache::AlignedArray;
using cache::PaddedCounter;

// False with TypeError or OverflowError set, naming the argument, unless it is an int of 64 bits.
bool to_int64(PyObject* object, const char* argument, std::int64_t& value) noexcept {
    int overflow = 0;
    value = PyLong_AsLongLongAndOverflow(object, &overflow);
    if (overflow != 0) {
        PyErr_Format(PyExc_OverflowError, "%s must be -2^63..2^63-1", argument);
        return false;
    }
    if (value != -1 || PyErr_Occurred() == nullptr) return true;
    if (PyErr_ExceptionMatches(PyExc_TypeError) != 0 && PyIndex_Check(object) == 0) {
        PyErr_Clear();
        PyErr_Format(PyExc_TypeError, "%s must be an int, not %R", argument,
                     reinterpret_cast<PyObject*>(Py_TYPE(object)));
    }
    return false;
}

// Both types: an object of Python, and what it counts in lines of their own elsewhere.
template <typename Value>
struct Holder {
    PyObject object;
    Value* value;

    static Value& of(PyObject* self) noexcept { return *reinterpret_cast<Holder*>(self)->value; }

    template <typename... Arguments>
    static PyObject* make(PyTypeObject* type, Arguments... arguments) noexcept {
        const auto allocate = reinterpret_cast<allocfunc>(PyType_GetSlot(type, Py_tp_alloc));
        PyObject* const object = allocate(type, 0);
        if (object == nullptr) return nullptr;
        try {
            reinterpret_cast<Holder*>(object)->value = new Value(arguments...);
        } catch (...) {
            set_error();
            Py_DECREF(object);
            return nullptr;
        }
        return object;
    }
    static void destroy(PyObject* object) noexcept {
        PyTypeObject* const type = Py_TYPE(object);
        delete reinterpret_cast<Holder*>(object)->value;
        reinterpret_cast<freefunc>(PyType_GetSlot(type, Py_tp_free))(object);
        Py_DECREF(reinterpret_cast<PyObject*>(type));
    }
};

// The name must live as long as the type.
nb::object make_type(const char* name, PyType_Slot* slots, int size) {
    PyType_Spec spec{name, size, 0, Py_TPFLAGS_DEFAULT, slots};
    PyObject* const type = PyType_FromSpec(&spec);
    if (type == nullptr) throw nb::python_error();
    return nb::steal(type);
}

// ---- one counter

using Counter = Holder<PaddedCounter>;

PyObject* make_counter(PyTypeObject* type, PyObject* positional, PyObject* named) noexcept {
    static const char* names[] = {"value", nullptr};
    PyObject* argument = nullptr;
    if (PyArg_ParseTupleAndKeywords(positional, named, "|O:PaddedCounter",
                                    const_cast<char**>(names), &argument) == 0) {
        return nullptr;
    }
    std::int64_t value = 0;
    if (argument != nullptr && !to_int64(argument, "value", value)) return nullptr;
    return Counter::make(type, value);
}

PyObject* add(PyObject* self, PyObject* const* arguments, Py_ssize_t count,
              PyObject* keywords) noexcept {
    static const char* const names[] = {"n"};
    PyObject* bound[1] = {count > 0 ? arguments[0] : nullptr};
    if ((count > 1 || keywords != nullptr) &&
        !fastcall::bind({"add", names, 0}, arguments, count, keywords, bound)) {
        return nullptr;
    }
    std::int64_t number = 1;
    if (bound[0] != nullptr && !to_int64(bound[0], "n", number)) return nullptr;
    return PyLong_FromLongLong(Counter::of(self).add(number));
}
PyObject* get(PyObject* self, PyObject*) noexcept {
    return PyLong_FromLongLong(Counter::of(self).get());
}
PyObject* to_int(PyObject* self) noexcept {
    return get(self, nullptr);
}
PyObject* value(PyObject* self, void*) noexcept {
    return get(self, nullptr);
}
PyObject* set(PyObject* self, PyObject* argument) noexcept {
    std::int64_t number = 0;
    if (!to_int64(argument, "value", number)) return nullptr;
    Counter::of(self).set(number);
    Py_RETURN_NONE;
}
PyObject* represent(PyObject* self) noexcept {
    return PyUnicode_FromFormat("PaddedCounter(%lld)",
                                static_cast<long long>(Counter::of(self).get()));
}

void make_counter_type(nb::module_& module) {
    static PyMethodDef methods[] = {
        fastcall::method("add", add,
                         "add($self, n=1)\n--\n\nAdd n, and return the sum.\n\n"
                         "Beyond 2^63-1 it goes on at -2^63. Raises TypeError unless n is an int,\n"
                         "OverflowError when it has more than 64 bits."),
        {"get", get, METH_NOARGS, "get($self, /)\n--\n\nThe number."},
        {"set", set, METH_O,
         "set($self, value, /)\n--\n\nMake it another number. Raises as add() does."},
        {nullptr, nullptr, 0, nullptr},
    };
    static PyGetSetDef properties[] = {
        {"value", value, nullptr, "The number.", nullptr},
        {nullptr, nullptr, nullptr, nullptr, nullptr},
    };
    PyType_Slot slots[] = {
        {Py_tp_doc,
         const_cast<char*>(
             "PaddedCounter(value=0)\n--\n\n"
             "A number of 64 bits that threads add to, in lines of the cache of its own.\n\n"
             "Every call is one atomic operation and may be made from any thread, with the GIL\n"
             "and without one: nothing that is added gets lost. Beyond 2^63-1 it goes on at "
             "-2^63.\n"
             "What a thread did before it added is seen by who gets the sum.")},
        {Py_tp_new, reinterpret_cast<void*>(make_counter)},
        {Py_tp_dealloc, reinterpret_cast<void*>(Counter::destroy)},
        {Py_tp_repr, reinterpret_cast<void*>(represent)},
        {Py_tp_methods, methods},
        {Py_tp_getset, properties},
        {Py_nb_int, reinterpret_cast<void*>(to_int)},
        {Py_nb_index, reinterpret_cast<void*>(to_int)},
        {0, nullptr},
    };
    module.attr("PaddedCounter") = make_type("dwcp.cache.PaddedCounter", slots, sizeof(Counter));
}

// ---- several

using Counters = Holder<AlignedArray<PaddedCounter>>;

constexpr std::uint64_t kCountMax = std::uint64_t{1} << 32;

PyObject* make_counters(PyTypeObject* type, PyObject* positional, PyObject* named) noexcept {
    static const char* names[] = {"count", nullptr};
    PyObject* argument = nullptr;
    std::uint64_t count = 0;
    if (PyArg_ParseTupleAndKeywords(positional, named, "O:PaddedCounters",
                                    const_cast<char**>(names), &argument) == 0 ||
        !to_bounded(argument, "count", kCountMax, count)) {
        return nullptr;
    }
    return Counters::make(type, static_cast<std::size_t>(count), cache::kSeparationBytes);
}

// nullptr with IndexError set.
PaddedCounter* find(PyObject* self, Py_ssize_t index) noexcept {
    const AlignedArray<PaddedCounter>& counters = Counters::of(self);
    if (index >= 0 && static_cast<std::size_t>(index) < counters.size()) {
        return &counters[static_cast<std::size_t>(index)];
    }
    PyErr_Format(PyExc_IndexError, "index must be less than %zu, the number of counters",
                 counters.size());
    return nullptr;
}

PyObject* add_to(PyObject* self, PyObject* const* arguments, Py_ssize_t count,
                 PyObject* keywords) noexcept {
    static const char* const names[] = {"index", "n"};
    PyObject* bound[2] = {};
    if (count == 2 && keywords == nullptr) {
        bound[0] = arguments[0];
        bound[1] = arguments[1];
    } else if (!fastcall::bind({"add", names, 1}, arguments, count, keywords, bound)) {
        return nullptr;
    }
    std::int64_t index = 0;
    std::int64_t number = 1;
    if (!to_int64(bound[0], "index", index) ||
        (bound[1] != nullptr && !to_int64(bound[1], "n", number))) {
        return nullptr;
    }
    // As sequences have it, from the end.
    if (index < 0) index += static_cast<std::int64_t>(Counters::of(self).size());
    PaddedCounter* const counter = find(self, index);
    return counter == nullptr ? nullptr : PyLong_FromLongLong(counter->add(number));
}
PyObject* total(PyObject* self, PyObject*) noexcept {
    // Unsigned numbers wrap around.
    std::uint64_t sum = 0;
    for (const PaddedCounter& counter : Counters::of(self)) {
        sum += static_cast<std::uint64_t>(counter.get());
    }
    return PyLong_FromLongLong(static_cast<long long>(sum));
}
Py_ssize_t length(PyObject* self) noexcept {
    return static_cast<Py_ssize_t>(Counters::of(self).size());
}
PyObject* item(PyObject* self, Py_ssize_t index) noexcept {
    const PaddedCounter* const counter = find(self, index);
    return counter == nullptr ? nullptr : PyLong_FromLongLong(counter->get());
}
int set_item(PyObject* self, Py_ssize_t index, PyObject* argument) noexcept {
    if (argument == nullptr) {
        PyErr_SetString(PyExc_TypeError, "counters cannot be deleted");
        return -1;
    }
    std::int64_t number = 0;
    PaddedCounter* const counter = find(self, index);
    if (counter == nullptr || !to_int64(argument, "value", number)) return -1;
    counter->set(number);
    return 0;
}

void make_counters_type(nb::module_& module) {
    static PyMethodDef methods[] = {
        fastcall::method("add", add_to,
                         "add($self, index, n=1)\n--\n\nAdd n to one of them, and return its "
                         "sum.\n\n"
                         "Raises IndexError when there is none of that index, and as the one of\n"
                         "PaddedCounter does."),
        {"total", total, METH_NOARGS,
         "total($self, /)\n--\n\nThe sum of all.\n\n"
         "While threads add, each counter is right as of some moment of the call. Beyond 2^63-1\n"
         "it goes on at -2^63."},
        {nullptr, nullptr, 0, nullptr},
    };
    PyType_Slot slots[] = {
        {Py_tp_doc,
         const_cast<char*>(
             "PaddedCounters(count)\n--\n\n"
             "Numbers of 64 bits, each in lines of the cache of its own: one for each thread.\n\n"
             "A thread that adds to its own does not slow down the others; without the GIL it "
             "keeps\n"
             "the method for that, add = counters.add, because looking it up counts references.\n"
             "counters[i] gets and sets one; each call is atomic, as those of PaddedCounter. "
             "count\n"
             "is 0 to 2^32; each takes 128 bytes. Raises ValueError for another count, "
             "MemoryError.")},
        {Py_tp_new, reinterpret_cast<void*>(make_counters)},
        {Py_tp_dealloc, reinterpret_cast<void*>(Counters::destroy)},
        {Py_tp_methods, methods},
        {Py_sq_length, reinterpret_cast<void*>(length)},
        {Py_sq_item, reinterpret_cast<void*>(item)},
        {Py_sq_ass_item, reinterpret_cast<void*>(set_item)},
        {0, nullptr},
    };
    module.attr("PaddedCounters") = make_type("dwcp.cache.PaddedCounters", slots, sizeof(Counters));
}

}  // namespace

void make_counter_types(nb::module_& module) {
    make_counter_type(module);
    make_counters_type(module);
}

}  // namespace dwcp::bindings::cache_parts
