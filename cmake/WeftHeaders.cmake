# Which headers belong to users. Those under */kernels/ and */detail/, and those that say `// Internal` in their first
# five lines, stay in the tree.

function(weft_find_headers public_variable internal_variable)
  file(GLOB_RECURSE headers RELATIVE ${PROJECT_SOURCE_DIR} CONFIGURE_DEPENDS engine/*.hpp ops/*.hpp nn/*.hpp)
  set(public weft.hpp)
  set(internal)
  foreach(header IN LISTS headers)
    file(STRINGS ${PROJECT_SOURCE_DIR}/${header} top LIMIT_COUNT 5)
    if(header MATCHES "/(kernels|detail)/" OR top MATCHES "// Internal")
      list(APPEND internal ${header})
    else()
      list(APPEND public ${header})
    endif()
  endforeach()
  set(${public_variable} ${public} PARENT_SCOPE)
  set(${internal_variable} ${internal} PARENT_SCOPE)
endfunction()
