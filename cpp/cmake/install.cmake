# `cmake --install` gives C++ users find_package(dwcp CONFIG) with the target dwcp::core.
set(dwcp_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/dwcp)
install(TARGETS dwcp_core EXPORT dwcpTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/cpp/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT dwcpTargets NAMESPACE dwcp:: DESTINATION ${dwcp_package_dir})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cpp/cmake/dwcpConfig.cmake.in
  ${PROJECT_BINARY_DIR}/dwcpConfig.cmake INSTALL_DESTINATION ${dwcp_package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/dwcpConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/dwcpConfig.cmake ${PROJECT_BINARY_DIR}/dwcpConfigVersion.cmake
  ${PROJECT_SOURCE_DIR}/cpp/cmake/dependencies.cmake DESTINATION ${dwcp_package_dir})
