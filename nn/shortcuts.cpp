#include <weft/nn/shortcuts.hpp>

#include <cmath>

#include <weft/engine/random.hpp>
#include <weft/nn/detail/inputs.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/reshape.hpp>

namespace weft::nn {

ZeroPad::ZeroPad(std::int64_t in_channels, std::int64_t out_channels, std::int64_t stride_of)
    : in(in_channels), out(out_channels), stride(stride_of) {
  detail::check_positive("ZeroPad", {in, out, stride});
  if (out < in) fail("ZeroPad: got ", in, " channels for ", out, ", needs at least as many out as in");
}

Tensor ZeroPad::forward(const Tensor& x) {
  Tensor y = detail::every_stride("ZeroPad", x, in, stride);
  if (out == in) return y;
  std::vector<std::pair<std::int64_t, std::int64_t>> amounts(static_cast<std::size_t>(y.rank()));
  amounts.back().second = out - in;
  return pad(y, amounts);
}

Residual::Residual(ModulePtr of, ModulePtr beside, ResidualOptions o)
    : body{this, "body", std::move(of)},
      shortcut{this, "shortcut", beside ? std::move(beside) : make<Identity>()},
      options(o) {
  if (!std::isfinite(options.scale)) fail("Residual: got scale ", options.scale, ", needs a finite number");
  if (!(options.keep > 0 && options.keep <= 1)) fail("Residual: got keep ", options.keep, ", needs 0 < keep <= 1");
}

Residual::Residual(ModulePtr of, ResidualOptions o) : Residual(std::move(of), nullptr, o) {}

StochasticDepth::StochasticDepth(ModulePtr of, double keep) : Residual(std::move(of), {.keep = keep}) {}

Tensor Residual::forward(const Tensor& x) {
  const bool sometimes = options.keep < 1;
  if (sometimes && is_training() && bernoulli({}, options.keep).item() == 0) return shortcut(x);
  const Tensor y = body(x), straight = shortcut(x);
  if (y.shape() != straight.shape())
    fail("Residual: the body gives ", y.shape(), " and the shortcut ", straight.shape(), ", needs the same shape");
  const double scale = options.scale * (sometimes && !is_training() ? options.keep : 1);
  return scale == 1 ? y + straight : scale * y + straight;
}

Concat::Concat(ModulePtr of) : body{this, "body", std::move(of)} {}

Tensor Concat::forward(const Tensor& x) { return concat({x, body(x)}); }

}  // namespace weft::nn
