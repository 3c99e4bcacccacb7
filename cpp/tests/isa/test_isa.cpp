#include <cstdlib>
#include <stdexcept>

#include "support.hpp"

using namespace dwcp;

TEST_CASE("scalar is always there and the best one is chosen") {
    REQUIRE(isa::available().front() == "scalar");
    CHECK(isa::active() == isa::available().back());
    CHECK(isa::compiled_for() == isa::active());
}

TEST_CASE("every available instruction set can be forced and runs its own code") {
    for (const std::string& name : isa::available()) {
        isa::force(name);
        CHECK(isa::active() == name);
        CHECK(isa::compiled_for() == name);
    }
    isa::force(isa::available().back());
}

TEST_CASE("unknown names are refused with the choices") {
    const std::string before = isa::active();
    try {
        isa::force("mmx");
        FAIL("accepted");
    } catch (const std::invalid_argument& error) {
        CHECK(std::string(error.what()).find("scalar") != std::string::npos);
    }
    CHECK(isa::active() == before);
}

TEST_CASE("the environment names an instruction set") {
    const std::string before = isa::active();
    setenv("DWCP_ISA", "scalar", 1);
    isa::apply_environment();
    CHECK(isa::active() == "scalar");
    setenv("DWCP_ISA", "nonsense", 1);
    CHECK_THROWS_AS(isa::apply_environment(), std::invalid_argument);
    setenv("DWCP_ISA", "", 1);
    isa::apply_environment();
    CHECK(isa::active() == "scalar");
    unsetenv("DWCP_ISA");
    isa::force(before);
}
