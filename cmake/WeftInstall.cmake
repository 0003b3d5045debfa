# `cmake --install` and what find_package(weft) reads afterwards.
include(CMakePackageConfigHelpers)

set(weft_config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/weft)

install(TARGETS weft EXPORT weftTargets)
install(TARGETS weft_testing EXPORT weftTestingTargets)
foreach(header IN LISTS weft_public_headers)
  get_filename_component(directory ${header} DIRECTORY)
  install(FILES ${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/weft/${directory})
endforeach()
install(EXPORT weftTargets NAMESPACE weft:: DESTINATION ${weft_config_dir})
install(EXPORT weftTestingTargets NAMESPACE weft:: DESTINATION ${weft_config_dir})

configure_package_config_file(cmake/weftConfig.cmake.in ${PROJECT_BINARY_DIR}/weftConfig.cmake
  INSTALL_DESTINATION ${weft_config_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/weftConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/weftConfig.cmake ${PROJECT_BINARY_DIR}/weftConfigVersion.cmake
  DESTINATION ${weft_config_dir})
install(FILES cmake/FindOpenBlasOpenMp.cmake DESTINATION ${weft_config_dir})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
