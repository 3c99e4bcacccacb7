# System libraries. Sets dwcp_missing to a message that names all that are missing at once, with
# the commands that install them, or to nothing. Also part of the installed package: the names
# begin with dwcp_ because it runs in the projects of others.
find_package(PkgConfig QUIET)

# pkg-config name | minimum version | Debian package | Fedora package
set(dwcp_libraries
  "liburing|2.3|liburing-dev|liburing-devel"
  "numa|2.0|libnuma-dev|numactl-devel"
  "libxxhash|0.8|libxxhash-dev|xxhash-devel"
  "libzstd|1.5|libzstd-dev|libzstd-devel"
  "liblz4|1.9|liblz4-dev|lz4-devel")

set(dwcp_missing_names "")
set(dwcp_missing_apt "")
set(dwcp_missing_dnf "")
if(NOT PkgConfig_FOUND)
  # Which libraries there are cannot be known then.
  string(APPEND dwcp_missing_names "  pkg-config\n")
  string(APPEND dwcp_missing_apt " pkg-config")
  string(APPEND dwcp_missing_dnf " pkgconf-pkg-config")
endif()
foreach(dwcp_row IN LISTS dwcp_libraries)
  string(REPLACE "|" ";" dwcp_fields "${dwcp_row}")
  list(GET dwcp_fields 0 dwcp_name)
  list(GET dwcp_fields 1 dwcp_minimum)
  if(PkgConfig_FOUND)
    pkg_check_modules(dwcp_${dwcp_name} QUIET IMPORTED_TARGET "${dwcp_name}>=${dwcp_minimum}")
  endif()
  if(dwcp_${dwcp_name}_FOUND)
    continue()
  endif()
  list(GET dwcp_fields 2 dwcp_apt)
  list(GET dwcp_fields 3 dwcp_dnf)
  string(APPEND dwcp_missing_names "  ${dwcp_name} >= ${dwcp_minimum}\n")
  string(APPEND dwcp_missing_apt " ${dwcp_apt}")
  string(APPEND dwcp_missing_dnf " ${dwcp_dnf}")
endforeach()

set(dwcp_missing "")
if(dwcp_missing_names)
  string(CONCAT dwcp_missing
    "dwcp: these system libraries are missing or too old:\n${dwcp_missing_names}"
    "Install them with one of\n"
    "  apt-get install${dwcp_missing_apt}\n"
    "  dnf install${dwcp_missing_dnf}\n")
endif()
