#pragma once
// What residual nets for small and large images have in common.
#include <weft/nn/layers/batch_norm.hpp>
#include <weft/nn/layers/conv.hpp>

#include <vector>

namespace weft::nn {

/// Two 3x3 convolutions with batch norm, the first with the stride, and a ReLU after each.
struct PlainBlock : Module {
  Child<Conv2d> conv1;
  Child<BatchNorm> bn1;
  Child<Conv2d> conv2;
  Child<BatchNorm> bn2;

  PlainBlock(std::int64_t in, std::int64_t out, std::int64_t stride);
  /// Before the second batch norm.
  Tensor convolved(const Tensor& x);
  Tensor forward(const Tensor& x) override;
};

/// The same with a shortcut, registered as `name`, that is added before the last ReLU.
struct ResidualBlock : PlainBlock {
  Child<Module> shortcut;

  ResidualBlock(std::int64_t in, std::int64_t out, std::int64_t stride, std::string name, ModulePtr beside);
  Tensor forward(const Tensor& x) override;
};

/// Blocks made by block(in, out, stride), of which the first changes the channels and has the stride.
template <class MakeBlock>
std::vector<ModulePtr> stage(std::int64_t blocks, std::int64_t in, std::int64_t out, std::int64_t stride,
                             const MakeBlock& block) {
  std::vector<ModulePtr> result;
  for (std::int64_t i = 0; i < blocks; ++i) result.push_back(i == 0 ? block(in, out, stride) : block(out, out, 1));
  return result;
}

}  // namespace weft::nn
