// Conversions that are members of Tensor: to() and clone().
#include <weft/engine/tape.hpp>

#include <algorithm>

namespace weft {
namespace {

struct Cast : Op<Cast> {
  static constexpr const char* name = "to";
  DType from = f32;

  Tensor forward(Context&, const Tensor& a, DType dtype) {
    from = a.dtype();
    Tensor out = detail::make_tensor(name, a.shape(), dtype);
    detail::visit_dtype(from, [&](auto source) {
      detail::visit_dtype(dtype, [&](auto target) {
        const auto* in = detail::data_of<decltype(source)>(a);
        std::transform(in, in + a.size(), detail::mutable_data_of<decltype(target)>(out),
                       [](auto value) { return static_cast<decltype(target)>(value); });
      });
    });
    return out;
  }
  Tensor backward(Context&, const Tensor& g) const { return g.to(from); }
};

struct Clone : Op<Clone> {
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

Tensor Tensor::to(DType dtype) const { return this->dtype() == dtype ? *this : apply<Cast>(*this, dtype); }

Tensor Tensor::clone() const { return apply<Clone>(*this); }

}  // namespace weft
