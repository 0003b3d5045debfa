#pragma once
// The bridge to xtensor, not included by weft.hpp: users of it compile with xtensor, its headers and their own flags.
#include <weft/engine/tensor.hpp>
#include <xtensor/xadapt.hpp>
#include <xtensor/xnoalias.hpp>

namespace weft {

namespace detail {

inline std::vector<std::size_t> xtensor_shape(const Tensor& t) { return {t.shape().begin(), t.shape().end()}; }

/// The dtype that values of type V become: bool u8, other integers i64.
template <class V>
constexpr DType nearest_dtype() {
  if constexpr (std::is_same_v<V, float>) return f32;
  if constexpr (std::is_floating_point_v<V>) return f64;
  if constexpr (std::is_same_v<V, bool> || std::is_same_v<V, std::uint8_t>) return u8;
  return i64;
}

}  // namespace detail

/// A read-only xtensor view of t's elements, without a copy: valid as long as t's storage lives. Throws Error unless T
/// is t's type.
template <class T>
auto as_xtensor(const Tensor& t) {
  return xt::adapt<xt::layout_type::row_major>(t.data<T>().data(), static_cast<std::size_t>(t.size()),
                                               xt::no_ownership(), detail::xtensor_shape(t));
}

/// The same for writing: allowed like the in-place functions of Tensor, and counted as one change.
template <class T>
auto as_mutable_xtensor(Tensor& t) {
  return xt::adapt<xt::layout_type::row_major>(t.mutable_data<T>().data(), static_cast<std::size_t>(t.size()),
                                               xt::no_ownership(), detail::xtensor_shape(t));
}

/// A new constant with the values of an xtensor expression, evaluated straight into its storage.
template <class E>
Tensor from_xtensor(const xt::xexpression<E>& expression) {
  const E& values = expression.derived_cast();
  Shape shape;
  for (auto d : values.shape()) shape.append(static_cast<std::int64_t>(d));
  Tensor result = detail::make_tensor("from_xtensor", shape, detail::nearest_dtype<typename E::value_type>());
  detail::visit_dtype(result.dtype(), [&](auto zero) {
    using T = decltype(zero);
    if constexpr (dtype_of<T> == detail::nearest_dtype<typename E::value_type>()) {
      auto view = as_mutable_xtensor<T>(result);
      if constexpr (std::is_same_v<typename E::value_type, T>)
        xt::noalias(view) = values;
      else
        xt::noalias(view) = xt::cast<T>(values);
    }
  });
  return result;
}

}  // namespace weft
