#include <weft/ops/dropout.hpp>

#include <weft/engine/detail/parallel.hpp>
#include <weft/engine/op.hpp>
#include <weft/engine/random.hpp>

namespace weft {
namespace {

using detail::data_of;
using detail::make_tensor;
using detail::mutable_data_of;

// x * scale where the mask is 1, else 0: linear, its own gradient.
struct Dropout {
  static constexpr const char* name = "dropout";
  double scale;

  Tensor forward(Context& ctx, const Tensor& x, const Tensor& mask) const {
    Tensor y = make_tensor(name, x.shape(), x.dtype());
    detail::visit_floating(x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::parallel_for(x.size(), detail::grain_for(1), [&](std::int64_t begin, std::int64_t end) {
        const T* from = data_of<T>(x);
        const std::uint8_t* keep = data_of<std::uint8_t>(mask);
        T* to = mutable_data_of<T>(y);
        const T by = static_cast<T>(scale);
        for (std::int64_t i = begin; i < end; ++i) to[i] = keep[i] != 0 ? from[i] * by : T(0);
      });
    });
    ctx.save(mask);
    return y;
  }
  std::array<Tensor, 2> backward(Context& ctx, const Tensor& g) const {
    return {apply(Dropout{scale}, g, ctx.saved(0)), Tensor()};
  }
  Fields describe() const { return {{"scale", scale}}; }
};

}  // namespace

Tensor dropout(const Tensor& x, double p, bool training) {
  detail::check_floating("dropout", x);
  if (!(p >= 0.0 && p < 1.0)) fail("dropout: got p = ", p, ", needs 0 <= p < 1");
  if (!training || p == 0.0) return x;
  return apply(Dropout{1.0 / (1.0 - p)}, x, bernoulli(x.shape(), 1.0 - p, u8));
}

}  // namespace weft
