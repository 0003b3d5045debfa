#pragma once
// The projection shortcut: a layer, as it has weights.
#include <weft/nn/layers/batch_norm.hpp>
#include <weft/nn/module.hpp>

#include <optional>

namespace weft::nn {

struct ProjectionOptions {
  std::int64_t stride = 1;  ///< of images, along height and width
  bool norm = false;        ///< batch norm after it, as in residual nets
};

/// A linear map of the channels without bias: a 1x1 convolution of images, a matrix of vectors and sequences (He et
/// al., arXiv 1512.03385, options B and C). weight {in, out}, He-normal at first.
class Projection : public Module {
 public:
  using Options = ProjectionOptions;
  Projection(std::int64_t in, std::int64_t out, ProjectionOptions options = {});
  Tensor forward(const Tensor& x) override;
  std::int64_t multiply_adds(const Shape& input, const Shape& output) const override;
  std::vector<int> pytorch_axes(std::string_view parameter) const override;

  Param weight;
  const ProjectionOptions options;

 private:
  std::optional<Child<BatchNorm>> norm_;
};

}  // namespace weft::nn
