# Which headers belong to users: all but those under kernels/ and detail/, which stay in the tree, and the addons'.
function(weft_find_headers public_variable)
  file(GLOB_RECURSE headers RELATIVE ${PROJECT_SOURCE_DIR} CONFIGURE_DEPENDS engine/*.hpp ops/*.hpp nn/*.hpp
    testing/*.hpp)
  list(FILTER headers EXCLUDE REGEX "/(kernels|detail|addons)/")
  set(${public_variable} weft.hpp ${headers} PARENT_SCOPE)
endfunction()
