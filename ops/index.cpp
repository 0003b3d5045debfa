#include <weft/ops/index.hpp>

#include <array>

#include <weft/engine/tape.hpp>
#include <weft/ops/detail/axis.hpp>
#include <weft/ops/kernels/index.hpp>

namespace weft {
namespace {

using detail::around;
using detail::data_of;
using detail::make_tensor;
using detail::mutable_data_of;
using detail::with_size;

struct IndexSelect : Op<IndexSelect> {
  static constexpr const char* name = "index_select";
  int axis = 0;
  std::int64_t size = 0;

  Tensor forward(Context& ctx, const Tensor& a, const Tensor& index, int along) {
    axis = along, size = a.shape()[along];
    Tensor out = make_tensor(name, with_size(a.shape(), axis, index.size()), a.dtype());
    if (out.size() > 0)
      detail::index_select(data_of<std::byte>(a), around(a.shape(), axis), data_of<std::int64_t>(index), index.size(),
                           mutable_data_of<std::byte>(out), static_cast<int>(size_of(a.dtype())));
    ctx.save(index);
    return out;
  }
  std::array<Tensor, 2> backward(Context& ctx, const Tensor& g) const;
};

// Zeros of `size` along an axis, with row j of a added at position index[j].
struct IndexAdd : Op<IndexAdd> {
  static constexpr const char* name = "index_add";
  int axis = 0;

  Tensor forward(Context& ctx, const Tensor& a, const Tensor& index, int along, std::int64_t size) {
    axis = along;
    Tensor out = make_tensor(name, with_size(a.shape(), axis, size), a.dtype());
    out.zero_();
    if (a.size() > 0)
      detail::visit_floating(a.dtype(), [&](auto zero) {
        using T = decltype(zero);
        detail::index_add(data_of<T>(a), data_of<std::int64_t>(index), index.size(), mutable_data_of<T>(out),
                          around(out.shape(), axis));
      });
    ctx.save(index);
    return out;
  }
  std::array<Tensor, 2> backward(Context& ctx, const Tensor& g) const {
    return {apply<IndexSelect>(g, ctx.saved(0), axis), Tensor()};
  }
};

std::array<Tensor, 2> IndexSelect::backward(Context& ctx, const Tensor& g) const {
  return {apply<IndexAdd>(g, ctx.saved(0), axis, size), Tensor()};
}

}  // namespace

Tensor index_select(const Tensor& a, int axis, const Tensor& index) {
  const int along = detail::checked_axis("index_select", axis, a.rank());
  if (index.dtype() != i64 || index.rank() != 1)
    fail("index_select: got an index of ", index.dtype(), " ", index.shape(), ", needs i64 with one axis");
  const std::int64_t size = a.shape()[along];
  const std::int64_t bad = detail::first_out_of_range(data_of<std::int64_t>(index), index.size(), size);
  if (bad >= 0)
    fail("index_select: got index ", data_of<std::int64_t>(index)[bad], " at position ", bad, " for axis ", axis,
         " of shape ", a.shape(), ", needs 0 <= index < ", size);
  return apply<IndexSelect>(a, index, along);
}

}  // namespace weft
