#pragma once
// Fully connected layers.
#include <weft/nn/module.hpp>

namespace weft::nn {

struct LinearOptions {
  bool bias = true;
};

/// x weight + bias over the last axis: {..., in} to {..., out}; weight {in, out}. Weight and bias start uniform within
/// 1 / sqrt(in), as in PyTorch.
class Linear : public Module {
 public:
  using Options = LinearOptions;
  Linear(std::int64_t in, std::int64_t out, LinearOptions options = {});
  Tensor forward(const Tensor& x) override;
  std::int64_t multiply_adds(const Shape& input, const Shape& output) const override;
  std::vector<int> pytorch_axes(std::string_view parameter) const override;

  Param weight, bias;  ///< bias is undefined without
};

}  // namespace weft::nn
