#pragma once
// Channels last, as in weft, and channels first, as in ONNX.
#include <weft/engine/shape.hpp>

namespace weft::onnx::detail {

/// Axes {batch, ..., channels}, weft's order of an image or sequence, or {batch, channels, ...}. Up to two axes the
/// two are the same.
enum class Layout : std::uint8_t { last, first };

/// Which of our axes each of the layout's is: {0, 3, 1, 2} for an image, channels first.
inline Axes order_of(int rank, Layout layout) {
  Axes order;
  for (int i = 0; i < rank; ++i) order.append(layout == Layout::last || i == 0 ? i : i == 1 ? rank - 1 : i - 1);
  return order;
}
/// Where each axis goes that `order` takes: {0, 2, 3, 1} for {0, 3, 1, 2}.
inline Axes inverse(const Axes& order) {
  Axes back = order;
  for (int i = 0; i < order.count(); ++i) back[static_cast<int>(order[i])] = i;
  return back;
}
/// Which axis of the layout is our axis.
inline int axis_in(Layout layout, int axis, int rank) {
  return static_cast<int>(inverse(order_of(rank, layout))[axis]);
}
/// A shape, or other numbers one an axis, with the axes in that order.
template <class List>
List ordered(const List& list, const Axes& order) {
  List result = list;
  for (int i = 0; i < order.count(); ++i) result[i] = list[static_cast<int>(order[i])];
  return result;
}
inline bool in_order(const Axes& order) {
  for (int i = 0; i < order.count(); ++i)
    if (order[i] != i) return false;
  return true;
}

}  // namespace weft::onnx::detail
