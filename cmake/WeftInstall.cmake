# `cmake --install` and what find_package(weft) reads afterwards.
include(CMakePackageConfigHelpers)

set(weft_config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/weft)

function(weft_install_headers)
  foreach(header IN LISTS ARGN)
    get_filename_component(directory ${header} DIRECTORY)
    install(FILES ${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/weft/${directory})
  endforeach()
endfunction()

# weft_install_component(NAME EXPORT FIND find_package's arguments): what find_package(weft COMPONENTS NAME) reads
function(weft_install_component name export)
  cmake_parse_arguments(PARSE_ARGV 2 component "" "" "FIND")
  list(JOIN component_FIND " " arguments)
  set(file ${PROJECT_BINARY_DIR}/weft_${name}.cmake)
  file(CONFIGURE OUTPUT ${file} @ONLY CONTENT "find_dependency(@arguments@)
include(\${CMAKE_CURRENT_LIST_DIR}/@export@.cmake)
")
  install(FILES ${file} DESTINATION ${weft_config_dir})
  install(EXPORT ${export} NAMESPACE weft:: DESTINATION ${weft_config_dir})
endfunction()

install(TARGETS weft EXPORT weftTargets)
install(EXPORT weftTargets NAMESPACE weft:: DESTINATION ${weft_config_dir})
weft_install_headers(${weft_public_headers})
# weft::testing, whose users compile with xtensor.
install(TARGETS weft_testing EXPORT weftTestingTargets)
weft_install_component(testing weftTestingTargets FIND xtensor)

configure_package_config_file(cmake/weftConfig.cmake.in ${PROJECT_BINARY_DIR}/weftConfig.cmake
  INSTALL_DESTINATION ${weft_config_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/weftConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/weftConfig.cmake ${PROJECT_BINARY_DIR}/weftConfigVersion.cmake
  DESTINATION ${weft_config_dir})
install(FILES cmake/FindOpenBlasOpenMp.cmake cmake/FindOnnxLibrary.cmake DESTINATION ${weft_config_dir})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
