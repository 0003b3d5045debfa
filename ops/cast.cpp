// Conversions that are members of Tensor: to() and clone().
#include <algorithm>
#include <limits>

#include <weft/engine/detail/number.hpp>
#include <weft/engine/op.hpp>

namespace weft {
namespace {

// The nearest that an integer type has to a floating-point number without its fraction; of nan 0.
template <class To, class From>
To cast(From value) {
  if (std::is_integral_v<From> || detail::in_range<To>(value)) return static_cast<To>(value);
  using Limits = std::numeric_limits<To>;
  return value > 0 ? Limits::max() : value < 0 ? Limits::min() : To{0};
}

struct Cast {
  static constexpr const char* name = "to";
  DType dtype;

  Tensor forward(Context&, const Tensor& a) const {
    Tensor out = detail::make_tensor(name, a.shape(), dtype);
    detail::visit_dtype(a.dtype(), [&](auto source) {
      detail::visit_dtype(dtype, [&](auto target) {
        const auto* in = detail::data_of<decltype(source)>(a);
        std::transform(in, in + a.size(), detail::mutable_data_of<decltype(target)>(out),
                       [](auto value) { return cast<decltype(target)>(value); });
      });
    });
    return out;
  }
  static Tensor backward(Context& ctx, const Tensor& g) { return g.to(ctx.dtype(0)); }
  Fields describe() const { return {{"dtype", name_of(dtype)}}; }
};

struct Clone {
  static constexpr const char* name = "clone";

  static Tensor forward(Context&, const Tensor& a) {
    Tensor out = detail::make_tensor(name, a.shape(), a.dtype());
    std::copy_n(a.impl()->storage->data(), static_cast<std::size_t>(a.size()) * size_of(a.dtype()),
                out.impl()->storage->data());
    return out;
  }
  static Tensor backward(Context&, const Tensor& g) { return g; }
};

}  // namespace

Tensor Tensor::to(DType dtype) const { return this->dtype() == dtype ? *this : apply(Cast{dtype}, *this); }

Tensor Tensor::clone() const { return apply(Clone{}, *this); }

}  // namespace weft
