# Finds ONNX's messages, checker and protobuf and defines weft::onnx_library. Debian's own ONNXConfig.cmake looks for
# files that its package does not have. The headers must be compiled as the libraries were, which the definitions say.
find_path(OnnxLibrary_INCLUDE_DIR onnx/onnx_pb.h)
find_path(OnnxLibrary_PROTOBUF_INCLUDE_DIR google/protobuf/message.h)
find_library(OnnxLibrary_LIBRARY onnx)
find_library(OnnxLibrary_MESSAGES_LIBRARY onnx_proto)
find_library(OnnxLibrary_PROTOBUF_LIBRARY protobuf)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OnnxLibrary REQUIRED_VARS OnnxLibrary_LIBRARY OnnxLibrary_MESSAGES_LIBRARY
  OnnxLibrary_PROTOBUF_LIBRARY OnnxLibrary_INCLUDE_DIR OnnxLibrary_PROTOBUF_INCLUDE_DIR)
mark_as_advanced(OnnxLibrary_LIBRARY OnnxLibrary_MESSAGES_LIBRARY OnnxLibrary_PROTOBUF_LIBRARY OnnxLibrary_INCLUDE_DIR
  OnnxLibrary_PROTOBUF_INCLUDE_DIR)

if(OnnxLibrary_FOUND AND NOT TARGET weft::onnx_library)
  add_library(weft::onnx_library UNKNOWN IMPORTED)
  set_target_properties(weft::onnx_library PROPERTIES
    IMPORTED_LOCATION ${OnnxLibrary_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES "${OnnxLibrary_INCLUDE_DIR};${OnnxLibrary_PROTOBUF_INCLUDE_DIR}"
    INTERFACE_COMPILE_DEFINITIONS "ONNX_NAMESPACE=onnx;ONNX_ML=1"
    INTERFACE_LINK_LIBRARIES "${OnnxLibrary_MESSAGES_LIBRARY};${OnnxLibrary_PROTOBUF_LIBRARY}")
endif()
