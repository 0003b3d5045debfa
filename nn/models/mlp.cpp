#include <weft/nn/models/mlp.hpp>

#include <weft/nn/containers.hpp>
#include <weft/nn/detail/inputs.hpp>
#include <weft/nn/layers/highway.hpp>
#include <weft/nn/layers/linear.hpp>
#include <weft/ops/arithmetic.hpp>

namespace weft::nn {
namespace {

struct SkipMlp : Module {
  Child<Sequential> hidden;
  Child<Linear> output, skip;

  SkipMlp(std::int64_t in, const std::vector<std::int64_t>& widths, std::int64_t out, const Function& activation)
      : hidden{this, "hidden"},
        output{this, "output", widths.back(), out},
        skip{this, "skip", in, out, LinearOptions{.bias = false}} {
    std::int64_t from = in;
    for (const std::int64_t width : widths) {
      hidden->append(make<Linear>(from, width));
      hidden->append(make<Lambda>(activation));
      from = width;
    }
  }

  Tensor forward(const Tensor& x) override { return output(hidden(x)) + skip(x); }
};

struct HighwayMlp : Module {
  Child<Linear> input;
  Child<Sequential> highway;
  Child<Linear> output;

  HighwayMlp(std::int64_t in, std::int64_t width, std::int64_t layers, std::int64_t out, const HighwayMlpOptions& o)
      : input{this, "input", in, width}, highway{this, "highway"}, output{this, "output", width, out} {
    for (std::int64_t i = 0; i < layers; ++i)
      highway->append(make<Highway>(make<Sequential>(Linear(width, width), Lambda(o.activation)), width, o.gate_bias));
  }

  Tensor forward(const Tensor& x) override { return output(highway(input(x))); }
};

}  // namespace

ModulePtr skip_mlp(std::int64_t in, const std::vector<std::int64_t>& hidden, std::int64_t out, SkipMlpOptions options) {
  if (hidden.empty()) fail("skip_mlp: got no hidden layer, needs the width of at least one");
  detail::check_positive("skip_mlp", {in, out});
  for (const std::int64_t width : hidden) detail::check_positive("skip_mlp", {width});
  return make<SkipMlp>(in, hidden, out, options.activation);
}

ModulePtr highway_mlp(std::int64_t in, std::int64_t width, std::int64_t layers, std::int64_t out,
                      HighwayMlpOptions options) {
  detail::check_positive("highway_mlp", {in, width, layers, out});
  return make<HighwayMlp>(in, width, layers, out, options);
}

}  // namespace weft::nn
