# System libraries. All that are missing are named at once, with the commands that install them.
find_package(PkgConfig QUIET)
if(NOT PkgConfig_FOUND)
  message(FATAL_ERROR "dwcp needs pkg-config: apt-get install pkg-config | dnf install pkgconf-pkg-config")
endif()

# pkg-config name | minimum version | Debian package | Fedora package | what it is for
set(dwcp_dependency_rows
  "liburing|2.3|liburing-dev|liburing-devel"
  "numa|2.0|libnuma-dev|numactl-devel"
  "libxxhash|0.8|libxxhash-dev|xxhash-devel"
  "libzstd|1.5|libzstd-dev|libzstd-devel"
  "liblz4|1.9|liblz4-dev|lz4-devel")

set(missing "")
set(missing_apt "")
set(missing_dnf "")
foreach(row IN LISTS dwcp_dependency_rows)
  string(REPLACE "|" ";" fields "${row}")
  list(GET fields 0 name)
  list(GET fields 1 version)
  pkg_check_modules(dwcp_${name} QUIET IMPORTED_TARGET "${name}>=${version}")
  if(dwcp_${name}_FOUND)
    continue()
  endif()
  list(GET fields 2 apt)
  list(GET fields 3 dnf)
  string(APPEND missing "  ${name} >= ${version}\n")
  string(APPEND missing_apt " ${apt}")
  string(APPEND missing_dnf " ${dnf}")
endforeach()
if(missing)
  message(FATAL_ERROR "dwcp: these system libraries are missing or too old:\n${missing}"
    "Install them with one of\n"
    "  apt-get install${missing_apt}\n"
    "  dnf install${missing_dnf}\n")
endif()
