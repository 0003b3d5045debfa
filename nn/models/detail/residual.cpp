#include <weft/nn/models/detail/residual.hpp>

#include <weft/nn/models/detail/convolutions.hpp>

namespace weft::nn {

PlainBlock::PlainBlock(std::int64_t in, std::int64_t out, std::int64_t stride)
    : conv1{this, "conv1", in, out, beside_norm(3, stride)},
      bn1{this, "bn1", out},
      conv2{this, "conv2", out, out, beside_norm(3)},
      bn2{this, "bn2", out} {}

Tensor PlainBlock::convolved(const Tensor& x) { return conv2(bn1->relu(conv1(x))); }

Tensor PlainBlock::forward(const Tensor& x) { return bn2->relu(convolved(x)); }

ResidualBlock::ResidualBlock(std::int64_t in, std::int64_t out, std::int64_t stride, std::string name, ModulePtr beside)
    : PlainBlock(in, out, stride), shortcut{this, std::move(name), std::move(beside)} {}

Tensor ResidualBlock::forward(const Tensor& x) { return bn2->relu(convolved(x), shortcut(x)); }

}  // namespace weft::nn
