#include <weft/ops/mask.hpp>

#include <array>

#include <weft/engine/create.hpp>
#include <weft/engine/detail/number.hpp>
#include <weft/engine/op.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/kernels/index/mask.hpp>
#include <weft/ops/reshape.hpp>

namespace weft {
namespace {

using detail::data_of;
using detail::make_tensor;
using detail::mutable_data_of;

const std::uint8_t* mask_of(const Tensor& mask) { return data_of<std::uint8_t>(mask); }

// The chosen values; a and the mask have one shape.
struct MaskedSelect {
  static constexpr const char* name = "masked_select";

  static Tensor forward(Context& ctx, const Tensor& a, const Tensor& mask) {
    const auto before = detail::chosen_before(mask_of(mask), mask.size());
    Tensor out = make_tensor(name, {before.back()}, a.dtype());
    detail::masked_take(data_of<std::byte>(a), mask_of(mask), before, a.size(), mutable_data_of<std::byte>(out),
                        static_cast<int>(size_of(a.dtype())));
    ctx.save(mask);
    return out;
  }
  static std::array<Tensor, 2> backward(Context& ctx, const Tensor& g);
};

// Zeros with the values of a where the mask chooses.
struct MaskedPlace {
  static constexpr const char* name = "masked_place";

  static Tensor forward(Context& ctx, const Tensor& a, const Tensor& mask) {
    const auto before = detail::chosen_before(mask_of(mask), mask.size());
    Tensor out = make_tensor(name, mask.shape(), a.dtype());
    detail::masked_place(data_of<std::byte>(a), mask_of(mask), before, out.size(), mutable_data_of<std::byte>(out),
                         static_cast<int>(size_of(a.dtype())));
    ctx.save(mask);
    return out;
  }
  static std::array<Tensor, 2> backward(Context& ctx, const Tensor& g) {
    return {apply(MaskedSelect{}, g, ctx.saved(0)), Tensor()};
  }
};

std::array<Tensor, 2> MaskedSelect::backward(Context& ctx, const Tensor& g) {
  return {apply(MaskedPlace{}, g, ctx.saved(0)), Tensor()};
}

struct NonZero {
  static constexpr const char* name = "nonzero";

  static Tensor forward(Context&, const Tensor& a) {
    return detail::visit_dtype(a.dtype(), [&](auto zero) {
      const auto* x = data_of<decltype(zero)>(a);
      const auto before = detail::chosen_before(x, a.size());
      Tensor out = make_tensor(name, {before.back(), a.rank()}, i64);
      detail::chosen_indices(x, before, a.shape().begin(), a.rank(), mutable_data_of<std::int64_t>(out));
      return out;
    });
  }
};

// The shape of both, broadcast.
Shape checked_shape(const char* op, const Tensor& a, const Tensor& mask) {
  if (mask.dtype() != u8) fail(op, ": got a mask of ", mask.dtype(), " ", mask.shape(), ", needs u8");
  return detail::broadcast_shapes(op, a.shape(), mask.shape());
}

}  // namespace

Tensor masked_fill(const Tensor& a, const Tensor& mask, double value) {
  checked_shape("masked_fill", a, mask);
  detail::check_number("masked_fill", a, value);
  return where(mask, value, a);
}

Tensor masked_select(const Tensor& a, const Tensor& mask) {
  const Shape shape = checked_shape("masked_select", a, mask);
  return apply(MaskedSelect{}, broadcast_to(a, shape), broadcast_to(mask, shape));
}

Tensor nonzero(const Tensor& a) { return apply(NonZero{}, a); }

}  // namespace weft
