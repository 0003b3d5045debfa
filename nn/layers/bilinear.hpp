#pragma once
// A layer of two inputs.
#include <weft/nn/module.hpp>

namespace weft::nn {

struct BilinearOptions {
  bool bias = true;
};

/// For each output o the form a' weight[:, :, o] b + bias[o] of a {..., first} and b {..., second}: {..., out}; weight
/// {first, second, out}. Weight and bias start uniform within 1 / sqrt(first), as in PyTorch.
class Bilinear : public Module {
 public:
  using Options = BilinearOptions;
  Bilinear(std::int64_t first, std::int64_t second, std::int64_t out, BilinearOptions options = {});
  using Module::forward;
  Tensor forward(const Tensor& a, const Tensor& b);
  std::vector<int> pytorch_axes(std::string_view parameter) const override;

  Param weight, bias;  ///< bias is undefined without
};

}  // namespace weft::nn
