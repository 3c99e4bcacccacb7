# THE list of instruction sets. A row is
#
#   name | compiler flags | run-time test
#
# in ascending order of preference. The run-time test is a list of features, for
# __builtin_cpu_supports on x86-64, which also asks the operating system whether it saves the
# registers, and of the kernel's HWCAP_ names on Arm; an empty test is always true. A new instruction
# set is one row here and one wrapper, cpp/src/kernels/vec/<name>.hpp.

# Without -fno-tree-vectorize the compiler would vectorise the portable code, and a comparison
# against it would say nothing. XXH_VECTOR=0 keeps libxxhash from using SSE2 or NEON.
set(DWCP_ISA_ROWS "scalar|-fno-tree-vectorize -fno-tree-slp-vectorize -DXXH_VECTOR=0|")

# How a feature is asked for: in place of @.
set(DWCP_ISA_FEATURE_TEST "__builtin_cpu_supports(\"@\")")

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  list(APPEND DWCP_ISA_ROWS
    "ssse3|-mssse3|ssse3"
    "sse42|-msse4.2 -mpclmul -mpopcnt|sse4.2,pclmul,popcnt"
    "avx2|-mavx2 -mpclmul -mpopcnt -mbmi -mbmi2 -mlzcnt|avx2,pclmul,popcnt,bmi,bmi2"
    "avx512|-mavx512f -mavx512bw -mavx512vl -mavx512vbmi2 -mavx512vnni -mvpclmulqdq -mpclmul -mpopcnt -mbmi -mbmi2 -mlzcnt -mprefer-vector-width=512|avx512f,avx512bw,avx512vl,avx512vbmi2,avx512vnni,vpclmulqdq,pclmul,popcnt,bmi,bmi2")
endif()

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  set(DWCP_ISA_FEATURE_TEST "has_hwcap(HWCAP_@)")
  list(APPEND DWCP_ISA_ROWS "neon|-march=armv8-a+crc+crypto|ASIMD,CRC32,PMULL")
endif()

set(DWCP_ISA_LIST "all" CACHE STRING
  "Instruction sets to build, separated by semicolons: all, or names from cpp/cmake/isa.cmake")

set(DWCP_ISA_KNOWN "")
foreach(row IN LISTS DWCP_ISA_ROWS)
  string(REGEX REPLACE "\\|.*" "" name "${row}")
  list(APPEND DWCP_ISA_KNOWN "${name}")
endforeach()
if(DWCP_ISA_LIST STREQUAL "all")
  set(DWCP_ISA_SELECTED ${DWCP_ISA_KNOWN})
else()
  set(DWCP_ISA_SELECTED ${DWCP_ISA_LIST})
  foreach(name IN LISTS DWCP_ISA_SELECTED)
    if(NOT name IN_LIST DWCP_ISA_KNOWN)
      message(FATAL_ERROR "DWCP_ISA_LIST: unknown instruction set '${name}'; known here: ${DWCP_ISA_KNOWN}")
    endif()
  endforeach()
  if(NOT "scalar" IN_LIST DWCP_ISA_SELECTED)
    message(FATAL_ERROR "DWCP_ISA_LIST must contain 'scalar', which every processor can run")
  endif()
endif()

# Adds one object library per selected instruction set to TARGET, and the table of their names.
# The objects come from the same source: cpp/src/kernels/tier.cpp.
function(dwcp_add_kernels target)
  # gcc 12 takes the deliberately undefined registers of its own AVX-512 headers for mistakes
  # (gcc bug 105593).
  set(kernel_warnings "$<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized;-Wno-uninitialized>")
  set(rows "")
  foreach(row IN LISTS DWCP_ISA_ROWS)
    string(REPLACE "|" ";" fields "${row}")
    list(GET fields 0 name)
    list(GET fields 1 flags)
    list(GET fields 2 features)
    if(NOT name IN_LIST DWCP_ISA_SELECTED)
      continue()
    endif()
    separate_arguments(flags UNIX_COMMAND "${flags}")
    add_library(dwcp_kernels_${name} OBJECT ${PROJECT_SOURCE_DIR}/cpp/src/kernels/tier.cpp)
    target_compile_features(dwcp_kernels_${name} PRIVATE cxx_std_20)
    target_compile_definitions(dwcp_kernels_${name} PRIVATE
      DWCP_TIER=${name} "DWCP_TIER_HEADER=\"vec/${name}.hpp\"")
    target_include_directories(dwcp_kernels_${name} PRIVATE ${PROJECT_SOURCE_DIR}/cpp/src)
    # No link-time optimisation and no exceptions: nothing of these objects may be merged with
    # code that runs on every processor.
    target_compile_options(dwcp_kernels_${name} PRIVATE
      ${DWCP_WARNINGS} -O3 ${kernel_warnings} -fno-lto -fno-exceptions -fno-rtti -fvisibility=hidden ${flags})
    set_target_properties(dwcp_kernels_${name} PROPERTIES
      POSITION_INDEPENDENT_CODE ON INTERPROCEDURAL_OPTIMIZATION OFF)
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:dwcp_kernels_${name}>)

    set(test "true")
    if(features)
      string(REPLACE "," ";" features "${features}")
      set(terms "")
      foreach(feature IN LISTS features)
        string(REPLACE "@" "${feature}" term "${DWCP_ISA_FEATURE_TEST}")
        list(APPEND terms "${term}")
      endforeach()
      string(REPLACE ";" " && " test "${terms}")
    endif()
    string(APPEND rows "DWCP_TIER_ROW(${name}, ${test})\n")
  endforeach()
  file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/generated/dwcp_tiers.def CONTENT "${rows}")
  target_include_directories(${target} PRIVATE ${PROJECT_BINARY_DIR}/generated)
endfunction()
