#pragma once
// How far to go along a direction of descent.
#include <weft/engine/tensor.hpp>

#include <functional>

namespace weft::detail {

/// A point of a function f along a line: f(t), f'(t), and a gradient that the search hands back unseen.
struct LinePoint {
  double t, value, slope;
  Tensor gradient = {};
};

/// A point at which f is lower than at `start`, by a ten-thousandth of what the slope there promises, and at most nine
/// tenths as steep: the strong Wolfe conditions (Nocedal and Wright, Numerical Optimization, 2006, algorithms 3.5 and
/// 3.6), as PyTorch searches for it. `first` is the first t that is tried. start.slope is below 0, start.t is 0. After
/// 26 calls of f, or where what is left of the line is no longer than `least_width`, it is the best point so far, which
/// may be `start`. Points that are not finite count as too far.
LinePoint strong_wolfe(const std::function<LinePoint(double t)>& f, const LinePoint& start, double first,
                       double least_width);

}  // namespace weft::detail
