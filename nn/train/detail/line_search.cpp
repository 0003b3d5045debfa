#include <weft/nn/train/detail/line_search.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

namespace weft::detail {
namespace {

// The t between low and high at which the cubic with the values and slopes of both points is least (Nocedal and Wright,
// equation 3.59); the middle where it has no such t.
double cubic_minimum(const LinePoint& one, const LinePoint& other, double low, double high) {
  const LinePoint &a = one.t <= other.t ? one : other, &b = one.t <= other.t ? other : one;
  const double d1 = a.slope + b.slope - 3 * (a.value - b.value) / (a.t - b.t);
  const double d2 = std::sqrt(d1 * d1 - a.slope * b.slope);
  const double t = b.t - (b.t - a.t) * (b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2);
  return std::isfinite(t) ? std::clamp(t, low, high) : (low + high) / 2;
}

class WolfeSearch {
 public:
  WolfeSearch(const std::function<LinePoint(double)>& f, const LinePoint& start, double least_width)
      : f_(f), start_(start), least_width_(least_width) {}

  // Algorithm 3.5: further and further, until there is a point to end at or one that is too far.
  LinePoint run(double first) {
    LinePoint before = start_, now = f_(first);
    for (bool is_first = true;; is_first = false) {
      if (!is_low_enough(now) || (!is_first && now.value >= before.value)) return between(before, now);
      if (is_flat_enough(now)) return now;
      if (now.slope >= 0) return between(now, before);
      if (left_-- == 0) return now;
      const double t = cubic_minimum(before, now, now.t + 0.01 * (now.t - before.t), 10 * now.t);
      before = std::exchange(now, f_(t));
    }
  }

 private:
  // Algorithm 3.6: `low` is the lowest point so far that is low enough, and f falls from there towards `high`.
  LinePoint between(LinePoint low, LinePoint high) {
    bool near_an_end = false;
    while (std::abs(high.t - low.t) > least_width_ && left_-- > 0) {
      const double least = std::min(low.t, high.t), most = std::max(low.t, high.t), margin = 0.1 * (most - least);
      double t = cubic_minimum(low, high, least, most);
      // Near an end the interval may hardly become shorter: not twice running, and not at the end itself.
      const bool was_near = std::exchange(near_an_end, std::min(most - t, t - least) < margin);
      if (near_an_end && (was_near || t <= least || t >= most)) {
        t = most - t < t - least ? most - margin : least + margin;
        near_an_end = false;
      }
      LinePoint now = f_(t);
      if (!is_low_enough(now) || now.value >= low.value) {
        high = std::move(now);
        continue;
      }
      if (is_flat_enough(now)) return now;
      if (now.slope * (high.t - low.t) >= 0) high = low;
      low = std::move(now);
    }
    return low;
  }

  bool is_low_enough(const LinePoint& p) const {
    return std::isfinite(p.value) && std::isfinite(p.slope) && p.value <= start_.value + 1e-4 * p.t * start_.slope;
  }
  bool is_flat_enough(const LinePoint& p) const { return std::abs(p.slope) <= -0.9 * start_.slope; }

  const std::function<LinePoint(double)>& f_;
  const LinePoint& start_;
  double least_width_;
  int left_ = 25;
};

}  // namespace

LinePoint strong_wolfe(const std::function<LinePoint(double)>& f, const LinePoint& start, double first,
                       double least_width) {
  return WolfeSearch(f, start, least_width).run(first);
}

}  // namespace weft::detail
