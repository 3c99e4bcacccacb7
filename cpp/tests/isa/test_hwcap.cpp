// On Arm the tier that needs extensions is chosen only where the kernel names every one of them. No
// emulator takes them away one by one, so this program answers for the kernel: its own getauxval()
// hides the one that the environment names, from before static constructors choose a tier.
#include <dlfcn.h>
#include <sys/auxv.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "dwcp/isa/isa.hpp"

namespace {

struct Extension {
    const char* name;
    unsigned long bit;
    bool needed;
};
constexpr std::array<Extension, 4> kExtensions = {{{"ASIMD", HWCAP_ASIMD, true},
                                                   {"CRC32", HWCAP_CRC32, true},
                                                   {"PMULL", HWCAP_PMULL, true},
                                                   {"SHA2", HWCAP_SHA2, false}}};

unsigned long hidden_bits() {
    const char* name = std::getenv("DWCP_TEST_HIDDEN_HWCAP");
    if (name == nullptr) return 0;
    for (const Extension& extension : kExtensions) {
        if (std::string_view(name) == extension.name) return extension.bit;
    }
    std::fprintf(stderr, "test_hwcap: no extension %s\n", name);
    std::exit(2);
}

}  // namespace

extern "C" unsigned long getauxval(unsigned long type) noexcept {
    using Function = unsigned long (*)(unsigned long);
    const auto real = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "getauxval"));
    const unsigned long value = real(type);
    return type == AT_HWCAP ? value & ~hidden_bits() : value;
}

int main() {
    const unsigned long there = getauxval(AT_HWCAP);
    bool whole = dwcp::isa::built().back() == "neon";
    for (const Extension& extension : kExtensions) {
        if (extension.needed) whole = whole && (there & extension.bit) != 0;
    }
    const std::string wanted = whole ? "neon" : "scalar";
    std::printf("got %s, expected %s\n", dwcp::isa::active().c_str(), wanted.c_str());
    return dwcp::isa::active() == wanted ? 0 : 1;
}
