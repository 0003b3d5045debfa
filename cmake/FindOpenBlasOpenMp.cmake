# Finds the build of OpenBLAS that uses OpenMP and defines weft::openblas. Debian keeps its builds in directories of
# their own and lets "alternatives" choose one; the pthread build beside our OpenMP loops would start twice the threads,
# so the directory is named here. Elsewhere the OpenBLAS on the library path is taken.
find_library(OpenBlasOpenMp_LIBRARY NAMES openblas PATH_SUFFIXES openblas-openmp NO_CACHE)
if(NOT OpenBlasOpenMp_LIBRARY MATCHES "openblas-openmp")
  find_library(OpenBlasOpenMp_LIBRARY NAMES openblaso openblas)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OpenBlasOpenMp REQUIRED_VARS OpenBlasOpenMp_LIBRARY)

if(OpenBlasOpenMp_FOUND AND NOT TARGET weft::openblas)
  add_library(weft::openblas UNKNOWN IMPORTED)
  set_target_properties(weft::openblas PROPERTIES IMPORTED_LOCATION ${OpenBlasOpenMp_LIBRARY})
endif()
