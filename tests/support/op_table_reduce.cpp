// Rows of reductions and softmax.
#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include <tests/support/op_table.hpp>
#include <weft/ops/index.hpp>
#include <weft/ops/reduce.hpp>
#include <weft/ops/softmax.hpp>

namespace weft::test {
namespace {

using Values = std::vector<double>;

double total(const Values& v) { return std::accumulate(v.begin(), v.end(), 0.0); }
double product_of(const Values& v) { return std::accumulate(v.begin(), v.end(), 1.0, std::multiplies<>()); }
double average(const Values& v) { return total(v) / static_cast<double>(v.size()); }
double largest(const Values& v) {
  for (const double x : v)
    if (std::isnan(x)) return x;
  return *std::max_element(v.begin(), v.end());
}
double smallest(const Values& v) {
  for (const double x : v)
    if (std::isnan(x)) return x;
  return *std::min_element(v.begin(), v.end());
}
double spread(const Values& v, double correction) {
  const double mean = average(v);
  double squares = 0;
  for (const double x : v) squares += (x - mean) * (x - mean);
  const double degrees = static_cast<double>(v.size()) - correction;
  return degrees > 0 ? squares / degrees : NAN;
}
double power_mean(const Values& v, double p) {
  double powers = 0;
  for (const double x : v) powers += std::pow(std::abs(x), p);
  return std::pow(powers, 1 / p);
}
double log_of_exps(const Values& v) {
  if (v.empty()) return -INFINITY;
  const double top = largest(v);
  if (std::isinf(top) || std::isnan(top)) return top;
  double exps = 0;
  for (const double x : v) exps += std::exp(x - top);
  return top + std::log(exps);
}
double first_of(const Values& v, double wanted) {
  return static_cast<double>(
      std::find_if(v.begin(), v.end(), [&](double x) { return x == wanted || (std::isnan(wanted) && std::isnan(x)); }) -
      v.begin());
}

// Which axes are tried: all, each kind of place, several. The large shapes have more than one chunk of a long axis, of
// narrow columns and of wide ones, several strips of these, and work for two threads in each way.
struct Reduction {
  const char* variant;
  Shape shape;
  Axes axes;
  bool keepdims;
  std::vector<Shape> large;
};
const Reduction reductions[] = {
    {"all", {3, 5}, {}, false, {{13, 10'303}}},
    {"last axis", {2, 3, 4}, -1, false, {{3, 5, 4'421}, {2, 1, 65'601}}},
    {"first axis", {4, 3, 2}, 0, true, {{3'001, 4, 6}, {33, 3, 691}, {5, 3, 4'783}, {600, 3, 43}}},
    {"middle axis", {2, 5, 3}, 1, false, {{2, 1'801, 37}, {3, 41, 541}}},
    {"two axes", {2, 3, 4, 2}, {0, -2}, true, {{7, 20, 31, 17}}}};

std::int64_t reduced_count(const Shape& shape, const Axes& axes) {
  const std::vector<bool> gone = axis_flags(axes, shape.rank());
  std::int64_t n = 1;
  for (int i = 0; i < shape.rank(); ++i)
    if (gone[static_cast<std::size_t>(i)]) n *= shape[i];
  return n;
}

// How the values of large reductions are drawn: as floating numbers, and as integers, of which one result has `others`
// that differ from the usual one, so that a part which is left out or read twice shows.
struct LargeDomain {
  Domain floating = any;
  double usual = 0, other = 0, others = 0;
};

template <class F, class R>
void add_reductions(std::vector<OpRow>& rows, const char* name, F f, R reference, const OpRow& like,
                    const Domain& domain = any, const LargeDomain& large = {}) {
  for (const Reduction& kind : reductions) {
    OpRow row = like;
    row.name = name;
    row.variant = kind.variant;
    const Axes axes = kind.axes;
    const bool keepdims = kind.keepdims;
    row.function = one([=](const Tensors& in) { return f(in[0], axes, keepdims); });
    row.reference = naive([=](const Arrays& in) { return reduced(in[0], axes, keepdims, reference); });
    Shape single = kind.shape, empty = kind.shape, none = kind.shape;
    for (std::int64_t& d : single) d = 1;
    const std::vector<bool> gone = axis_flags(axes, kind.shape.rank());
    row.cases = {{{kind.shape, domain}}};
    if (row.no_single.empty()) row.cases.push_back({{single, domain}});
    if (row.no_empty.empty()) {
      for (int i = 0; i < empty.rank(); ++i)
        if (gone[static_cast<std::size_t>(i)]) empty[i] = 0;
      row.cases.push_back({{empty, domain}});
    }
    // Nothing is asked of an empty axis that stays.
    for (int i = 0; i < none.rank(); ++i)
      if (!gone[static_cast<std::size_t>(i)]) none[i] = 0;
    if (none != kind.shape) row.cases.push_back({{none, domain}});
    for (const Shape& shape : kind.large) {
      const double chance = large.others / static_cast<double>(reduced_count(shape, axes));
      const bool rare = large.floating.kind == Domain::rare;
      row.large.push_back({{shape, rare ? mostly(large.usual, large.other, chance) : large.floating}});
      for (const DType dtype : {i64, u8})
        if (large.others > 0) row.large.push_back({{shape, mostly(large.usual, large.other, chance), dtype}});
    }
    if (axes.count() < 2) row.sized = square_matrix(domain);
    row.drawn = [=](OpRow other, std::mt19937_64& bits) {
      const Shape shape = random_shape(bits);
      const bool keep = bits() % 2 == 0;
      std::vector<std::int64_t> some;
      for (int i = 0; i < shape.rank(); ++i)
        if (bits() % 2 == 0) some.push_back(bits() % 2 == 0 ? i : i - shape.rank());
      const Axes over(some);
      other.variant = std::string("drawn: axes ") + detail::to_text(over) + (keep ? ", keepdims" : "");
      other.function = one([=](const Tensors& in) { return f(in[0], over, keep); });
      other.reference = naive([=](const Arrays& in) { return reduced(in[0], over, keep, reference); });
      other.cases = {{{shape, domain}}};
      return other;
    };
    rows.push_back(row);
  }
}

// Along one axis, a whole line at a time.
template <class F>
auto along(int axis, F f) {
  return naive([=](const Arrays& in) {
    const auto at = static_cast<std::size_t>(axis < 0 ? axis + shape_of(in[0]).rank() : axis);
    Array out = in[0];
    Shape starts = shape_of(out);
    const std::int64_t n = starts[static_cast<int>(at)];
    starts[static_cast<int>(at)] = std::min<std::int64_t>(n, 1);
    for_each_index(starts, [&](Index i) {
      Values line;
      for (i[at] = 0; i[at] < n; ++i[at]) line.push_back(element(in[0], i));
      f(line);
      for (i[at] = 0; i[at] < n; ++i[at]) element(out, i) = line[static_cast<std::size_t>(i[at])];
    });
    return out;
  });
}

void to_log_shares(Values& v) {
  const double whole = log_of_exps(v);
  for (double& x : v) x -= whole;
}

void to_shares(Values& v) {
  to_log_shares(v);
  for (double& x : v) x = std::exp(x);
}

void add_softmax_rows(std::vector<OpRow>& rows) {
  for (const int axis : {-1, 0, 1}) {
    OpRow row;
    row.cases = {{{{3, 7}}}, {{{2, 4, 3}}}, {{{2, 3, 1, 2}}}, {{{1, 1}}}, {{{0, 3}}}, {{{2, 0, 1}}}};
    row.large = {{{{260, 257}}}, {{{97, 700}}}, {{{3, 301, 77}}}, {{{7, 9'431}}}, {{{14'401, 5}}}};
    row.variant = "axis " + std::to_string(axis);
    row.sized = axis == 1 ? nullptr : square_matrix();
    row.name = "softmax";
    row.function = one([=](const Tensors& in) { return softmax(in[0], axis); });
    row.reference = along(axis, to_shares);
    row.non_finite = false;  // infinity less infinity: below
    rows.push_back(row);
    along_any_axis(
        rows, [](const Tensors& in, int at) { return softmax(in[0], at); },
        [](const Arrays& in, int at) { return along(at, to_shares)(in)[0]; });
    row.name = "log_softmax";
    row.function = one([=](const Tensors& in) { return log_softmax(in[0], axis); });
    row.reference = along(axis, to_log_shares);
    rows.push_back(row);
    along_any_axis(
        rows, [](const Tensors& in, int at) { return log_softmax(in[0], at); },
        [](const Arrays& in, int at) { return along(at, to_log_shares)(in)[0]; });
  }
  for (const double smoothing : {0.0, 0.1}) {
    const auto labels = [](std::int64_t n, std::int64_t classes) {
      return Inputs{{{n, classes}}, {{n}, below(static_cast<double>(classes)), i64}};
    };
    rows.push_back(
        {.name = "softmax_cross_entropy",
         .variant = smoothing == 0 ? "" : "smoothing",
         .function = one([=](const Tensors& in) { return softmax_cross_entropy(in[0], in[1], smoothing, 1); }),
         .cases = {labels(5, 4), labels(2, 11), labels(1, 1), labels(0, 3)},
         .large = {labels(261, 257), labels(22'001, 3), labels(7, 9'431)},
         .reference = naive([=](const Arrays& in) {
           const std::int64_t classes = shape_of(in[0])[1];
           return indexed({shape_of(in[0])[0]}, [&](const Index& i) {
             const auto label = static_cast<std::int64_t>(element(in[1], i));
             if (label == 1) return 0.0;  // ignored
             Values logits;
             for (std::int64_t c = 0; c < classes; ++c) logits.push_back(element(in[0], {i[0], c}));
             double loss = 0;
             const double whole = log_of_exps(logits);
             for (std::int64_t c = 0; c < classes; ++c) {
               const double target = (c == label ? 1 - smoothing : 0) + smoothing / static_cast<double>(classes);
               loss -= target * (logits[static_cast<std::size_t>(c)] - whole);
             }
             return loss;
           });
         }),
         .non_finite = false,
         .sized = [=](std::int64_t n) { return labels(std::max<std::int64_t>(1, n / 100), 100); }});
  }
  const auto scores = [](const Shape& of, std::int64_t classes) {
    Shape whole = of;
    whole.append(classes);
    return Inputs{{whole}, {of, below(static_cast<double>(classes)), i64}};
  };
  rows.push_back({.name = "take_labelled",
                  .function = one([](const Tensors& in) { return take_labelled(in[0], in[1], 1); }),
                  .cases = {scores({5}, 4), scores({2, 3}, 11), scores({}, 3), scores({1}, 1), scores({0}, 3)},
                  .large = {scores({22'001}, 3), scores({7, 19}, 501)},
                  .reference = naive([](const Arrays& in) {
                    return indexed(shape_of(in[1]), [&](const Index& i) {
                      Index at = i;
                      at.push_back(static_cast<std::int64_t>(element(in[1], i)));
                      return at.back() == 1 ? 0.0 : element(in[0], at);  // 1 is ignored
                    });
                  }),
                  .non_finite = false,
                  .sized = [=](std::int64_t n) { return scores({std::max<std::int64_t>(1, n / 100)}, 100); }});
}

}  // namespace

void add_reduce_rows(std::vector<OpRow>& rows) {
  using T = const Tensor&;
  using A = const Axes&;
  OpRow floating, whole, some;
  whole.integers = true;
  add_reductions(
      rows, "sum", [](T a, A axes, bool keep) { return sum(a, axes, keep); }, total, whole);
  add_reductions(rows, "prod", [](T a, A axes, bool keep) { return prod(a, axes, keep); }, product_of, whole, any,
                 {.floating = {Domain::uniform, 0.99, 1.01}, .usual = 1, .other = 2, .others = 12});
  OpRow asked = whole;
  asked.differentiable = false;
  add_reductions(
      rows, "any", [](T a, A axes, bool keep) { return weft::any(a, axes, keep); },
      [](const Values& v) { return std::any_of(v.begin(), v.end(), [](double x) { return x != 0; }); }, asked, below(2),
      {.floating = mostly(0, 0, 0), .usual = 0, .other = 3, .others = 1});
  add_reductions(
      rows, "all", [](T a, A axes, bool keep) { return all(a, axes, keep); },
      [](const Values& v) { return std::all_of(v.begin(), v.end(), [](double x) { return x != 0; }); }, asked, below(4),
      {.floating = mostly(0, 0, 0), .usual = 1, .other = 0, .others = 1});
  for (const double p : {2.0, 1.0, 3.0, 0.5}) {
    OpRow row = floating;
    add_reductions(
        rows, "norm", [p](T a, A axes, bool keep) { return norm(a, axes, keep, p); },
        [p](const Values& v) { return power_mean(v, p); }, row, apart, {.floating = positive});
    for (std::size_t i = rows.size() - std::size(reductions); i < rows.size(); ++i)
      rows[i].variant += ", p = " + detail::to_text(p);
  }
  some.no_empty = "there is no mean of nothing";
  add_reductions(
      rows, "mean", [](T a, A axes, bool keep) { return mean(a, axes, keep); }, average, some);
  some.no_empty = "there is no largest of nothing";
  some.integers = true;
  add_reductions(rows, "max", [](T a, A axes, bool keep) { return max(a, axes, keep); }, largest, some, apart,
                 {.floating = apart, .usual = 1, .other = 4, .others = 1});
  add_reductions(rows, "min", [](T a, A axes, bool keep) { return min(a, axes, keep); }, smallest, some, apart,
                 {.floating = apart, .usual = 4, .other = 1, .others = 1});
  some = {};
  some.no_empty = "there is no variance of nothing";
  some.f32_tolerance = 1e-4;
  add_reductions(
      rows, "var", [](T a, A axes, bool keep) { return var(a, axes, keep, 0); },
      [](const Values& v) { return spread(v, 0); }, some);
  some.no_empty = "there is no deviation of nothing";
  some.no_single = "one value has no slope, and its deviation's second order no finite difference";
  add_reductions(
      rows, "stddev", [](T a, A axes, bool keep) { return stddev(a, axes, keep, 0); },
      [](const Values& v) { return std::sqrt(spread(v, 0)); }, some);
  add_reductions(
      rows, "logsumexp", [](T a, A axes, bool keep) { return logsumexp(a, axes, keep); }, log_of_exps, floating);

  rows.push_back({.name = "var",
                  .variant = "correction 1",
                  .function = one([](const Tensors& in) { return var(in[0], -1); }),
                  .cases = {{{{3, 5}}}, {{{2, 2}}}},
                  .large = {{{{17, 4'421}}}},
                  .reference = naive([](const Arrays& in) {
                    return reduced(in[0], -1, false, [](const Values& v) { return spread(v, 1); });
                  }),
                  .f32_tolerance = 1e-4,
                  .no_empty = "there is no variance of nothing",
                  .no_single = "one value has no unbiased variance"});

  const auto position = [&](const char* name, auto f, auto best, double usual, double other) {
    for (const int axis : {-1, 0, 1}) {
      // The first of several winners is wanted, and few of them come early.
      std::vector<Inputs> large;
      for (const Shape& shape : axis < 0    ? std::vector<Shape>{{23, 6'007}, {1'801, 37}}
                                : axis == 0 ? std::vector<Shape>{{71, 1'031}, {3'001, 23}}
                                            : std::vector<Shape>{{3, 301, 77}, {3, 41, 541}}) {
        const Domain few = mostly(usual, other, 2 / static_cast<double>(shape[axis]));
        large.insert(large.end(), {{{shape, apart}}, {{shape, few, i64}}, {{shape, few, u8}}});
      }
      rows.push_back({.name = name,
                      .variant = "axis " + std::to_string(axis),
                      .function = one([=](const Tensors& in) { return f(in[0], axis); }),
                      .cases = {{{{3, 7}, below(5)}}, {{{4, 2, 3}, below(4)}}, {{{1, 1}}}},
                      .large = std::move(large),
                      .reference = naive([=](const Arrays& in) {
                        return reduced(in[0], axis, false, [=](const Values& v) { return first_of(v, best(v)); });
                      }),
                      .differentiable = false,
                      .integers = true,
                      .no_empty = "there is no largest of nothing",
                      .sized = square_matrix()});
    }
  };
  position(
      "argmax", [](T a, int axis) { return argmax(a, axis); }, largest, 1, 4);
  position(
      "argmin", [](T a, int axis) { return argmin(a, axis); }, smallest, 4, 1);

  // The second input has the shape that is wanted.
  const auto to_shape = [](const Shape& from, const Shape& to) { return Inputs{{from}, {to, below(2), u8}}; };
  const Shape small = {2, 3, 4}, big = {23, 60, 51};
  rows.push_back(
      {.name = "sum_to",
       .function = one([](const Tensors& in) { return sum_to(in[0], in[1].shape()); }),
       .cases = {to_shape(small, {3, 1}), to_shape(small, {4}), to_shape(small, {}), to_shape(small, {1, 1, 4}),
                 to_shape(small, small), to_shape({1}, {1}), to_shape({0, 2}, {2}), to_shape({2, 0}, {2, 1})},
       .large = {to_shape(big, {60, 1}), to_shape(big, {51}), to_shape(big, {}), to_shape(big, {1, 1, 51}),
                 to_shape(big, {23, 1, 51}), to_shape({66'001}, {1}), to_shape({4'411, 15}, {15})},
       .reference = naive([](const Arrays& in) {
         Array out = zeros_of(shape_of(in[1]));
         for_each_index(shape_of(in[0]), [&](const Index& i) { element(out, i) += element(in[0], i); });
         return out;
       })});
  add_softmax_rows(rows);
}

}  // namespace weft::test
