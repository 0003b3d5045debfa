# How this tree is compiled: the defaults of a build, and `weft_build`, the private flags and headers that the library,
# its tests and its benchmarks share. Users of the installed library see none of it.

if(weft_is_top)
  if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
  endif()
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
  find_program(WEFT_CCACHE ccache)
  if(WEFT_CCACHE AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${WEFT_CCACHE})
  endif()
  set(CMAKE_CXX_EXTENSIONS OFF)
endif()
set(CMAKE_INSTALL_RPATH_USE_LINK_PATH ON)

include(CheckCXXCompilerFlag)

add_library(weft_build INTERFACE)
target_compile_options(weft_build INTERFACE -Wall -Wextra -Wconversion -Wshadow -fno-math-errno)
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  # A project that includes this one and names no build type: its own code is its business, ours is not left slow.
  target_compile_options(weft_build INTERFACE -O3)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # Its own AVX-512 intrinsics set these off (GCC bug 105593); Clang still checks our code for them.
  target_compile_options(weft_build INTERFACE -Wno-uninitialized -Wno-maybe-uninitialized -Wno-restrict)
endif()
# In a unity build one source's names are in sight of the next, and GCC takes the sources for headers.
target_compile_options(weft_build INTERFACE $<$<BOOL:$<TARGET_PROPERTY:UNITY_BUILD>>:-Wno-shadow>
  $<$<AND:$<BOOL:$<TARGET_PROPERTY:UNITY_BUILD>>,$<CXX_COMPILER_ID:GNU>>:-Wno-subobject-linkage>)
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  # Its -Wconversion holds more than GCC's; and it says of every loop that it was asked to vectorise whether it did.
  target_compile_options(weft_build INTERFACE -Wno-sign-conversion -Wno-pass-failed)
endif()
if(WEFT_WERROR)
  target_compile_options(weft_build INTERFACE -Werror)
endif()
if(WEFT_ARCH)
  target_compile_options(weft_build INTERFACE -march=${WEFT_ARCH})
  # Compilers keep to 256 bits on many AVX-512 machines, where 512 is measured faster for our kernels.
  check_cxx_compiler_flag(-mprefer-vector-width=512 WEFT_HAS_VECTOR_WIDTH)
  if(WEFT_HAS_VECTOR_WIDTH)
    target_compile_options(weft_build INTERFACE -mprefer-vector-width=512)
  endif()
endif()

# XTENSOR_USE_XSIMD changes xtensor's inline functions, so whatever links the library's objects and uses xtensor has to
# agree on it.
target_compile_definitions(weft_build INTERFACE XTENSOR_USE_XSIMD $<$<NOT:$<BOOL:${WEFT_POOL}>>:WEFT_NO_POOL>)

# Sanitizers for a target, or for the whole tree as WEFT_SANITIZE says.
function(weft_sanitize target kinds)
  set(options -fsanitize=${kinds} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  if(kinds MATCHES "address")
    # A third of the time to compile: the address sanitizer sees null and overrun pointers too, and does it by calls
    # instead of inline; the rest is not about what this code does.
    list(APPEND options -fno-sanitize=null,object-size,pointer-overflow,vptr,return,unreachable,alignment)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      list(APPEND options --param=asan-instrumentation-with-call-threshold=0)
    endif()
    # Half of the time to compile goes into the scopes of the kernels' registers; the preset asan, which instruments the
    # tests too, watches them.
    if(NOT target STREQUAL "everything")
      list(APPEND options -fno-sanitize-address-use-after-scope)
    endif()
  endif()
  if(target STREQUAL "everything")
    add_compile_options(${options})
    add_link_options(-fsanitize=${kinds})
  else()
    target_compile_options(${target} PRIVATE ${options})
    target_link_options(${target} PUBLIC -fsanitize=${kinds})
  endif()
endfunction()
if(WEFT_SANITIZE)
  weft_sanitize(everything ${WEFT_SANITIZE})
endif()

target_link_libraries(weft_build INTERFACE xtensor nlohmann_json::nlohmann_json)
if(WEFT_OPENMP)
  target_link_libraries(weft_build INTERFACE OpenMP::OpenMP_CXX)
endif()
