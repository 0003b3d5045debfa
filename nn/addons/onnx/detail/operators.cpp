#include <weft/nn/addons/onnx/detail/operators.hpp>

namespace weft::onnx::detail {

const Operators& operators() {
  static const Operators all = [] {
    Operators made;
    for (const auto add : {add_elementwise, add_comparisons, add_losses, add_reductions, add_shapes, add_arrangements,
                           add_indices, add_images, add_products, add_normalizations, add_attention, add_recurrences})
      add(made);
    return made;
  }();
  return all;
}

}  // namespace weft::onnx::detail
