// Rows of the ops that go by the order of values, and of running sums and products.
#include <algorithm>
#include <cmath>
#include <numeric>

#include <tests/support/op_table.hpp>
#include <weft/ops/scan.hpp>
#include <weft/ops/sort.hpp>

namespace weft::test {
namespace {

using In = const Tensors&;
using Values = std::vector<double>;

// Each line of values along an axis turned into another, of any one length.
template <class F>
Array by_lines(const Array& a, int axis, F f) {
  Shape lines = shape_of(a);
  lines[axis] = 1;
  Array out;
  bool first = true;
  for_each_index(lines, [&](Index at) {
    Values line;
    for (std::int64_t k = 0; k < shape_of(a)[axis]; ++k) {
      at[static_cast<std::size_t>(axis)] = k;
      line.push_back(element(a, at));
    }
    const Values result = f(line);
    if (first) {
      Shape shape = shape_of(a);
      shape[axis] = static_cast<std::int64_t>(result.size());
      out = zeros_of(shape);
      first = false;
    }
    for (std::size_t k = 0; k < result.size(); ++k) {
      at[static_cast<std::size_t>(axis)] = static_cast<std::int64_t>(k);
      element(out, at) = result[k];
    }
  });
  if (!first) return out;
  Shape shape = shape_of(a);  // no lines
  shape[axis] = static_cast<std::int64_t>(f(Values(static_cast<std::size_t>(shape[axis]))).size());
  return zeros_of(shape);
}

// The positions of a line's values in order: nan above all, of equal ones the first first.
std::vector<std::size_t> in_order(const Values& line, bool descending) {
  std::vector<std::size_t> order(line.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto below = [](double a, double b) { return std::isnan(b) ? !std::isnan(a) : a < b; };
  std::stable_sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) {
    return descending ? below(line[j], line[i]) : below(line[i], line[j]);
  });
  return order;
}

Array chosen_in_order(const Array& a, int axis, bool descending, std::int64_t count, bool positions) {
  return by_lines(a, axis < 0 ? shape_of(a).rank() - 1 : axis, [=](const Values& line) {
    Values found;
    const std::vector<std::size_t> order = in_order(line, descending);
    for (std::size_t k = 0; k < (count < 0 ? order.size() : static_cast<std::size_t>(count)); ++k)
      found.push_back(positions ? static_cast<double>(order[k]) : line[order[k]]);
    return found;
  });
}

void add_position_rows(std::vector<OpRow>& rows) {
  const std::vector<Inputs>
      cases = {{{{3, 5}, apart}}, {{{4, 2, 3}, apart}}, {{{17}, apart}}, {{{1, 1}, apart}}, {{{0, 2}}}},
      large = {{{{66'001}, apart}}, {{{257, 259}, apart}}, {{{3, 67, 331}, apart}}, {{{4, 16'411}, apart}}};
  std::vector<Inputs> ties = {
      {{{3, 5}, below(3)}}, {{{4, 2, 3}, below(2)}}, {{{65}, mostly(0, -0.0, 0.5)}}, {{{1, 1}}}, {{{2, 0}}}};
  struct Kind {
    const char* variant;
    int axis;
    bool descending;
  };
  const auto matrix = square_matrix(apart);
  for (const Kind& k : {Kind{"last axis", -1, false}, Kind{"first axis", 0, false}, Kind{"descending", -1, true}}) {
    add_row(rows, "sort", k.variant, one([=](In in) { return sort(in[0], k.axis, k.descending).values; }), cases, large,
            naive([=](const Arrays& in) { return chosen_in_order(in[0], k.axis, k.descending, -1, false); }))
        .sized = matrix;
    along_any_axis(
        rows, [=](In in, int at) { return sort(in[0], at, k.descending).values; },
        [=](const Arrays& in, int at) { return chosen_in_order(in[0], at, k.descending, -1, false); }, alike(apart));
    const auto positions =
        naive([=](const Arrays& in) { return chosen_in_order(in[0], k.axis, k.descending, -1, true); });
    add_row(rows, "argsort", k.variant, one([=](In in) { return argsort(in[0], k.axis, k.descending); }), ties, large,
            positions)
        .differentiable = false;
    along_any_axis(
        rows, [=](In in, int at) { return argsort(in[0], at, k.descending); },
        [=](const Arrays& in, int at) { return chosen_in_order(in[0], at, k.descending, -1, true); }, alike(below(3)));
    add_row(rows, "sort", "", one([=](In in) { return sort(in[0], k.axis, k.descending).indices; }), ties, large,
            positions)
        .differentiable = false;
    rows.back().variant = std::string("positions, ") + k.variant;
  }
  rows.back().sized = nullptr;
  for (const bool largest : {true, false}) {
    for (const int axis : {0, -1}) {
      const std::string variant = std::string(largest ? "largest" : "smallest") + (axis == 0 ? ", first axis" : "");
      const std::vector<Inputs> three = {{{{3, 5}, apart}}, {{{4, 2, 3}, apart}}, {{{17}, apart}}, {{{3, 0, 3}}}},
                                tied = {{{{3, 5}, below(3)}}, {{{4, 2, 3}, below(2)}}, {{{3, 0, 3}}}};
      add_row(rows, "topk", "", one([=](In in) { return topk(in[0], 3, axis, largest).values; }), three, large,
              naive([=](const Arrays& in) { return chosen_in_order(in[0], axis, largest, 3, false); }))
          .variant = variant;
      along_any_axis(
          rows, [=](In in, int at) { return topk(in[0], 2, at, largest).values; },
          [=](const Arrays& in, int at) { return chosen_in_order(in[0], at, largest, 2, false); }, alike(apart));
      rows.back().no_single = "three of several";
      if (largest) rows.back().sized = [=](std::int64_t n) { return matrix(std::max<std::int64_t>(n, 9)); };
      add_row(rows, "topk", "", one([=](In in) { return topk(in[0], 3, axis, largest).indices; }), tied, large,
              naive([=](const Arrays& in) { return chosen_in_order(in[0], axis, largest, 3, true); }))
          .variant = "positions, " + variant;
      rows.back().no_single = "three of several";
      rows.back().differentiable = false;
    }
  }
  // As many as half of a line.
  add_row(rows, "topk", "many", one([](In in) { return topk(in[0], in[0].size(-1) / 2 + 1).values; }),
          {{{{3, 5}, apart}}, {{{1, 1}, apart}}, {{{0, 2}}}}, large,
          naive([](const Arrays& in) { return chosen_in_order(in[0], -1, true, shape_of(in[0])[-1] / 2 + 1, false); }));
}

void add_ranked_rows(std::vector<OpRow>& rows) {
  // Values of a line that are neighbours in order, mixed; nan if there is one.
  const auto ranked = [](bool keepdims, const std::function<double(const Values&)>& f) {
    return [=](const Arrays& in, int axis) {
      return reduced(in[0], axis, keepdims, [=](const Values& line) {
        Values sorted = line;
        for (const double v : line)
          if (std::isnan(v)) return v;
        std::sort(sorted.begin(), sorted.end());
        return f(sorted);
      });
    };
  };
  const std::vector<Inputs> cases = {{{{3, 5}, apart}}, {{{4, 2, 6}, apart}}, {{{1, 1}, apart}}, {{{2, 0, 3}, apart}}},
                            large = {{{{66'001}, apart}}, {{{257, 258}, apart}}, {{{3, 67, 331}, apart}}};
  for (const int axis : {0, -1}) {
    const bool keepdims = axis == 0;
    const auto middle = ranked(keepdims, [](const Values& sorted) { return sorted[(sorted.size() - 1) / 2]; });
    add_row(rows, "median", axis == 0 ? "first axis" : "last axis",
            one([=](In in) { return median(in[0], axis, keepdims); }), cases, large,
            naive([=](const Arrays& in) { return middle(in, axis); }))
        .sized = square_matrix(apart);
    along_any_axis(
        rows, [=](In in, int at) { return median(in[0], at, keepdims); }, middle, alike(apart));
    for (const double q : {0.0, 0.3, 0.5, 1.0}) {
      const auto between = ranked(keepdims, [=](const Values& sorted) {
        const double place = q * static_cast<double>(sorted.size() - 1);
        const auto low = static_cast<std::size_t>(place);
        const double part = place - std::floor(place);
        return part == 0 ? sorted[low] : sorted[low] + (sorted[low + 1] - sorted[low]) * part;
      });
      add_row(rows, "quantile", "", one([=](In in) { return quantile(in[0], q, axis, keepdims); }), cases, large,
              naive([=](const Arrays& in) { return between(in, axis); }))
          .variant = std::string(axis == 0 ? "first axis " : "last axis ") + std::to_string(q);
      along_any_axis(
          rows, [=](In in, int at) { return quantile(in[0], q, at, keepdims); }, between, alike(apart));
      rows.back().integers = false;
      rows.back().f32_tolerance = 1e-3;  // of neighbours far apart
      if (q == 0.3) rows.back().sized = square_matrix(apart);
    }
  }
}

void add_scan_rows(std::vector<OpRow>& rows) {
  const Domain factors = mostly(1, 2, 0.0003), near_one = {Domain::uniform, 0.99, 1.01};
  for (const int axis : {0, 1, 2}) {
    const char* const variant = axis == 0 ? "first axis" : axis == 1 ? "middle axis" : "last axis";
    const std::vector<Inputs> cases = {{{{3, 4, 2}}}, {{{2, 3, 5}}}, {{{1, 1, 1}}}, {{{0, 2, 3}}}, {{{2, 3, 0}}}};
    const std::vector<Shape> shapes = {{axis == 0 ? 2'011 : 11, axis == 1 ? 2'003 : 3, axis == 2 ? 2'017 : 13},
                                       {axis == 0 ? 5 : 3, axis == 1 ? 7 : 3, axis == 2 ? 9'001 : 7'817}};
    std::vector<Inputs> sums, products;
    for (const Shape& shape : shapes) {
      sums.push_back({{shape}});
      products.push_back({{shape, factors}});
      products.push_back({{shape, near_one}});
    }
    const auto sized = [=](std::int64_t n) {
      const Shape square = square_matrix()(n)[0].shape;
      return Inputs{{axis == 2 ? Shape{1, square[0], square[1]} : Shape{square[0], square[1], 1}, near_one}};
    };
    const auto sums_along = [](const Arrays& in, int at) {
      return by_lines(in[0], at, [](Values line) {
        std::partial_sum(line.begin(), line.end(), line.begin());
        return line;
      });
    };
    add_row(rows, "cumsum", variant, one([=](In in) { return cumsum(in[0], axis); }), cases, sums,
            naive([=](const Arrays& in) { return sums_along(in, axis); }));
    if (axis != 1) rows.back().sized = sized;
    rows.back().tolerance = 1e-11;
    along_any_axis(
        rows, [](In in, int at) { return cumsum(in[0], at); }, sums_along);
    const auto products_along = [](const Arrays& in, int at) {
      return by_lines(in[0], at, [](Values line) {
        std::partial_sum(line.begin(), line.end(), line.begin(), std::multiplies<>());
        return line;
      });
    };
    add_row(rows, "cumprod", variant, one([=](In in) { return cumprod(in[0], axis); }), cases, products,
            naive([=](const Arrays& in) { return products_along(in, axis); }));
    if (axis != 1) rows.back().sized = sized;
    rows.back().tolerance = 1e-11;
    along_any_axis(
        rows, [](In in, int at) { return cumprod(in[0], at); }, products_along, alike(positive));
  }
}

}  // namespace

void add_sort_rows(std::vector<OpRow>& rows) {
  add_position_rows(rows);
  add_ranked_rows(rows);
  add_scan_rows(rows);
}

}  // namespace weft::test
