#pragma once
// The element types that other programs store tensors in.
#include <weft/engine/dtype.hpp>

#include <string_view>

namespace weft::detail {

/// An element type, and what its numbers become here: of the four dtypes one that holds them all.
struct StoredType {
  const char* safetensors;  ///< its name in safetensors files
  const char* pytorch;      ///< its storage's name in PyTorch
  std::size_t bytes;        ///< of one element
  DType dtype;
  /// Reads `count` elements, each `step` elements behind the one before, from memory without alignment.
  void (*read)(const std::byte* from, std::int64_t step, std::int64_t count, void* to);
  /// Whether the elements may be taken over byte for byte.
  bool as_is() const { return bytes == size_of(dtype); }
};

/// Null where there is none of that name.
const StoredType* stored_type_of_safetensors(std::string_view name);
const StoredType* stored_type_of_pytorch(std::string_view storage);

/// The type that tensors of a dtype are stored as.
const StoredType& stored_type_of(DType dtype);

}  // namespace weft::detail
