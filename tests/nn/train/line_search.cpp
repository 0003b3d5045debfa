// The line search on functions that are hard to search: the conditions at the point that it gives, by definition.
#include <doctest/doctest.h>
#include <weft/nn/train/detail/line_search.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

using namespace weft;
using detail::LinePoint;

namespace {

constexpr double pi = 3.14159265358979323846, infinity = std::numeric_limits<double>::infinity();

struct Searched {
  LinePoint start, end;
  std::vector<double> tried = {};
  std::size_t calls() const { return tried.size(); }
};

template <class F, class D>
Searched search(F f, D slope, double first, double least_width = 1e-12) {
  Searched s{{0, f(0), slope(0)}, {}};
  s.end = detail::strong_wolfe(
      [&](double t) {
        s.tried.push_back(t);
        return LinePoint{t, f(t), slope(t)};
      },
      s.start, first, least_width);
  return s;
}

bool fulfils_wolfe(const Searched& s) {
  return s.end.value <= s.start.value + 1e-4 * s.end.t * s.start.slope &&
         std::abs(s.end.slope) <= 0.9 * std::abs(s.start.slope);
}

}  // namespace

// Functions 1, 2 and 3 of Moré and Thuente (ACM TOMS 20, 1994): with a minimum far away, with a kink, with many minima.
TEST_CASE("a point that fulfils the strong Wolfe conditions is found from near and from far") {
  const auto f1 = [](double t) { return -t / (t * t + 2); };
  const auto d1 = [](double t) { return (t * t - 2) / ((t * t + 2) * (t * t + 2)); };
  const auto f2 = [](double t) { return std::pow(t + 0.004, 5) - 2 * std::pow(t + 0.004, 4); };
  const auto d2 = [](double t) { return 5 * std::pow(t + 0.004, 4) - 8 * std::pow(t + 0.004, 3); };
  constexpr double b = 0.01, l = 39;
  const auto f3 = [=](double t) {
    const double rounded = t <= 1 - b ? 1 - t : t >= 1 + b ? t - 1 : (t - 1) * (t - 1) / (2 * b) + b / 2;
    return rounded + 2 * (1 - b) / (l * pi) * std::sin(l * pi / 2 * t);
  };
  const auto d3 = [=](double t) {
    const double rounded = t <= 1 - b ? -1 : t >= 1 + b ? 1 : (t - 1) / b;
    return rounded + (1 - b) * std::cos(l * pi / 2 * t);
  };
  for (const double first : {1e-3, 1e-1, 1.0, 10.0, 1000.0}) {
    CAPTURE(first);
    for (const Searched& s : {search(f1, d1, first), search(f2, d2, first), search(f3, d3, first)}) {
      CAPTURE(s.end.t);
      CHECK(fulfils_wolfe(s));
      CHECK(s.end.t > 0);
      CHECK(s.calls() <= 15);
    }
  }
}

TEST_CASE("the first point is taken if it will do, and the cubic's minimum is tried next") {
  const auto parabola = [](double t) { return (t - 1) * (t - 1); };
  const auto slope = [](double t) { return 2 * (t - 1); };
  for (const double first : {1.0, 0.11, 1.89}) {  // however little it has fallen, and just flat enough
    const Searched there = search(parabola, slope, first);
    CHECK(there.calls() == 1);
    CHECK(there.end.t == first);
  }
  // A parabola is its own cubic: too near, too steep or too far, the second point is the minimum.
  for (const double first : {0.02, 1.96, 2.5}) {
    const Searched s = search(parabola, slope, first);
    CHECK(s.calls() == 2);
    CHECK(s.end.t == doctest::Approx(first < 1 ? 0.2 : 1.0).epsilon(1e-12));  // no more than ten times as far
  }
}

// To the cubic through a plateau far away and high up the minimum is close to the start, again and again.
TEST_CASE("an interval becomes shorter though the cubic's minimum is at its end") {
  for (const double height : {1e6, 1e12, 1e18}) {
    const auto f = [=](double t) { return -t + height / (1 + std::exp(50 - 50 * t)); };
    const auto slope = [=](double t) {
      const double s = 1 / (1 + std::exp(50 - 50 * t));
      return -1 + 50 * height * s * (1 - s);
    };
    const Searched s = search(f, slope, 8.0);
    CHECK(fulfils_wolfe(s));
    // Once it may be tried, unless it is the end itself; then a tenth of the interval from there.
    CHECK((s.tried[1] < 1e-4) == (height < 1e18));
    CHECK(s.tried[height < 1e18 ? 2 : 1] == doctest::Approx(0.8).epsilon(1e-3));
    CHECK(*std::min_element(s.tried.begin(), s.tried.end()) > 0);
  }
}

TEST_CASE("a second point that is no lower than the first ends the way out") {
  const auto f = [](double t) { return -t + 4.55 * (1 + std::tanh(20 * (t - 2))); };
  const auto slope = [](double t) { return -1 + 91 / std::pow(std::cosh(20 * (t - 2)), 2); };
  const Searched s = search(f, slope, 1.0);
  CHECK(s.tried[1] == 10);
  CHECK(fulfils_wolfe(s));
  CHECK(s.end.t > 1);
  CHECK(s.end.t < 2);
}

TEST_CASE("what is not finite is too far") {
  for (const double beyond : {infinity, -infinity, std::nan("")}) {
    const auto f = [=](double t) { return t < 0.5 ? -t + t * t : beyond; };
    const auto slope = [=](double t) { return t < 0.5 ? -1 + 2 * t : beyond; };
    const Searched s = search(f, slope, 8.0);
    CHECK(fulfils_wolfe(s));
    CHECK(s.end.t < 0.5);
  }
  const Searched only_slope =
      search([](double t) { return -t; }, [](double t) { return t == 0 ? -1 : std::nan(""); }, 1.0);
  CHECK(only_slope.end.t == 0);
}

TEST_CASE("a search ends without a point to end at") {
  // Falls for ever: the furthest point.
  const Searched falling = search([](double t) { return -t; }, [](double) { return -1.0; }, 1.0);
  CHECK(falling.calls() == 26);
  CHECK(falling.end.t > 1e3);
  // Rises, though the slope says otherwise: the start, when what is left is short.
  const Searched rising = search([](double t) { return t; }, [](double) { return -1.0; }, 1.0, 1e-3);
  CHECK(rising.end.t == 0);
  CHECK(rising.calls() < 26);
}
