// Rows of the losses.
#include <algorithm>
#include <cmath>
#include <xtensor/xmath.hpp>

#include <tests/support/op_table.hpp>
#include <weft/nn/losses.hpp>
#include <weft/ops/loss.hpp>

namespace weft::test {
namespace {

struct Weighted {
  double loss = 0, weight = 1;  // an ignored label weighs nothing
};

// Reduces f(index) over all indices of a shape.
template <class F>
Array collected(const Shape& shape, nn::Reduction reduction, F f) {
  if (reduction == nn::Reduction::none) return indexed(shape, [&](const Index& i) { return f(i).loss; });
  double loss = 0, weight = 0;
  for_each_index(shape, [&](const Index& i) {
    const Weighted one = f(i);
    loss += one.loss;
    weight += one.weight;
  });
  return Array(reduction == nn::Reduction::mean ? loss / weight : loss);
}

struct Kind {
  nn::Reduction reduction;
  const char* text;
};
const Kind kinds[] = {{nn::Reduction::mean, "mean"}, {nn::Reduction::sum, "sum"}, {nn::Reduction::none, "none"}};

std::vector<double> log_softmax_at(const Array& logits, const Index& row) {
  const std::int64_t classes = shape_of(logits)[shape_of(logits).rank() - 1];
  std::vector<double> logs;
  for (std::int64_t c = 0; c < classes; ++c) {
    Index at = row;
    at.push_back(c);
    logs.push_back(element(logits, at));
  }
  // From the largest on, so that the logarithm of the only class is 0.
  const double top = logs.empty() ? 0 : *std::max_element(logs.begin(), logs.end());
  double total = 0;
  for (double& x : logs) total += std::exp(x -= top);
  for (double& x : logs) x -= std::log(total);
  return logs;
}

Inputs labelled(const Shape& rows, std::int64_t classes) {
  Shape logits = rows;
  logits.append(classes);
  return {{logits}, {rows, below(static_cast<double>(classes)), i64}};
}

// A loss of tensors of one shape, element by element, of values from a domain each.
template <class F, class R>
void add_pointwise(std::vector<OpRow>& rows, const char* name, const std::string& option, F f, R reference,
                   const std::vector<Domain>& domains) {
  for (const Kind& kind : kinds) {
    const nn::Reduction reduction = kind.reduction;
    const auto all = [=](const Shape& shape) {
      Inputs inputs;
      for (const Domain& domain : domains) inputs.push_back({shape, domain});
      return inputs;
    };
    OpRow row;
    row.name = name;
    row.variant = kind.text + option;
    row.function = one([=](const Tensors& in) { return f(in, reduction); });
    row.cases = {all({3, 4}), all({2, 1, 3}), all({}), all({1})};
    row.large = {all({66'001}), all({131, 1, 513})};
    if (reduction == nn::Reduction::mean)
      row.no_empty = "there is no mean of nothing";
    else
      row.cases.push_back(all({0, 2}));
    row.reference = naive([=](const Arrays& in) {
      return collected(shape_of(in[0]), reduction, [&](const Index& i) {
        std::vector<double> values;
        for (const Array& a : in) values.push_back(element(a, i));
        return Weighted{reference(values), 1};
      });
    });
    if (reduction == nn::Reduction::mean) row.sized = [=](std::int64_t n) { return all({n}); };
    rows.push_back(row);
  }
}

// What such losses are made of: broadcast.
template <class F, class R>
void add_elements(std::vector<OpRow>& rows, const char* name, F f, R reference, const Domain& a, const Domain& b) {
  rows.push_back({.name = name,
                  .function = one([=](const Tensors& in) { return f(in[0], in[1]); }),
                  .cases = binary_cases(a, b),
                  .large = binary_large(a, b),
                  .reference = naive([=](const Arrays& in) {
                    return indexed(broadcast(in), [&](const Index& i) {
                      return reference(std::vector<double>{element(in[0], i), element(in[1], i)});
                    });
                  })});
}

using Terms = const std::vector<double>&;

double huber_of(double d, double delta) { return std::abs(d) > delta ? delta * (std::abs(d) - delta / 2) : d * d / 2; }
double bce_of(Terms v) {
  return -v[1] * std::max(std::log(v[0]), -100.0) - (1 - v[1]) * std::max(std::log(1 - v[0]), -100.0) + 0 * v[0];
}
double kl_of(Terms v) { return v[1] * (std::log(v[1]) - v[0]); }
double kl_of_logs(Terms v) { return std::exp(v[1]) * (v[1] - v[0]); }
double hinge_of(Terms v) { return std::isnan(v[0]) ? v[0] : std::max(0.0, 1 - v[0] * v[1]); }
double gaussian_of(Terms v) { return (std::log(v[2]) + (v[0] - v[1]) * (v[0] - v[1]) / v[2]) / 2; }

void add_pointwise_rows(std::vector<OpRow>& rows) {
  using In = const Tensors&;
  const Domain signs = mostly(-1, 1, 0.5), negative = {Domain::uniform, -3, -0.2};
  add_pointwise(
      rows, "mse", "", [](In in, nn::Reduction r) { return nn::mse(in[0], in[1], r); },
      [](Terms v) { return (v[0] - v[1]) * (v[0] - v[1]); }, {any, any});
  add_pointwise(
      rows, "l1", "", [](In in, nn::Reduction r) { return nn::l1(in[0], in[1], r); },
      [](Terms v) { return std::abs(v[0] - v[1]); }, {apart, apart});
  add_pointwise(
      rows, "huber", "", [](In in, nn::Reduction r) { return nn::huber(in[0], in[1], r); },
      [](Terms v) { return huber_of(v[0] - v[1], 1); }, {apart, apart});
  add_pointwise(
      rows, "huber", ", delta",
      [](In in, nn::Reduction r) { return nn::huber(in[0], in[1], {.reduction = r, .delta = 0.25}); },
      [](Terms v) { return huber_of(v[0] - v[1], 0.25); }, {apart, apart});
  add_pointwise(
      rows, "smooth_l1", "", [](In in, nn::Reduction r) { return nn::smooth_l1(in[0], in[1], r); },
      [](Terms v) { return huber_of(v[0] - v[1], 1); }, {apart, apart});
  add_pointwise(
      rows, "smooth_l1", ", beta",
      [](In in, nn::Reduction r) { return nn::smooth_l1(in[0], in[1], {.reduction = r, .beta = 0.25}); },
      [](Terms v) { return huber_of(v[0] - v[1], 0.25) / 0.25; }, {apart, apart});
  add_pointwise(
      rows, "smooth_l1", ", beta 0",
      [](In in, nn::Reduction r) { return nn::smooth_l1(in[0], in[1], {.reduction = r, .beta = 0}); },
      [](Terms v) { return std::abs(v[0] - v[1]); }, {apart, apart});
  add_pointwise(
      rows, "bce_with_logits", "", [](In in, nn::Reduction r) { return nn::bce_with_logits(in[0], in[1], r); },
      [](Terms v) { return std::max(v[0], 0.0) - v[0] * v[1] + std::log1p(std::exp(-std::abs(v[0]))); },
      {any, fraction});
  for (OpRow& row : rows)
    if (row.name == "bce_with_logits") row.non_finite = false;
  add_pointwise(rows, "bce", "", [](In in, nn::Reduction r) { return nn::bce(in[0], in[1], r); }, bce_of,
                {fraction, fraction});
  add_pointwise(rows, "kl_div", "", [](In in, nn::Reduction r) { return nn::kl_div(in[0], in[1], r); }, kl_of,
                {negative, fraction});
  add_pointwise(rows, "kl_div", ", logarithms",
                [](In in, nn::Reduction r) { return nn::kl_div(in[0], in[1], {.reduction = r, .log_target = true}); },
                kl_of_logs, {negative, negative});
  add_pointwise(rows, "hinge", "", [](In in, nn::Reduction r) { return nn::hinge(in[0], in[1], r); }, hinge_of,
                {apart, signs});
  add_pointwise(rows, "gaussian_nll", "",
                [](In in, nn::Reduction r) { return nn::gaussian_nll(in[0], in[1], in[2], r); }, gaussian_of,
                {any, any, positive});
  add_pointwise(
      rows, "gaussian_nll", ", full",
      [](In in, nn::Reduction r) { return nn::gaussian_nll(in[0], in[1], in[2], {.reduction = r, .full = true}); },
      [](Terms v) { return gaussian_of(v) + std::log(2 * std::acos(-1.0)) / 2; }, {any, any, positive});

  using T = const Tensor&;
  add_elements(
      rows, "huber_difference", [](T a, T b) { return huber_difference(a, b, 0.25); },
      [](Terms v) { return huber_of(v[0] - v[1], 0.25); }, apart, apart);
  add_elements(
      rows, "absolute_difference", [](T a, T b) { return absolute_difference(a, b); },
      [](Terms v) { return std::abs(v[0] - v[1]); }, apart, apart);
  add_elements(
      rows, "bernoulli_cross_entropy", [](T a, T b) { return bernoulli_cross_entropy(a, b); }, bce_of, fraction,
      fraction);
  add_elements(
      rows, "relative_entropy", [](T a, T b) { return relative_entropy(a, b); }, kl_of, negative, fraction);
  add_elements(
      rows, "relative_entropy_of_logs", [](T a, T b) { return relative_entropy_of_logs(a, b); }, kl_of_logs, negative,
      negative);
  add_elements(
      rows, "hinge_margin", [](T a, T b) { return hinge_margin(a, b); }, hinge_of, apart, signs);
  rows.back().f32_tolerance = 1e-4;  // sums of scores in the thousands
  const auto normal = [](const Shape& a, const Shape& b, const Shape& c) { return Inputs{{a}, {b}, {c, positive}}; };
  rows.push_back({.name = "gaussian_surprise",
                  .function = one([](In in) { return gaussian_surprise(in[0], in[1], in[2]); }),
                  .cases = {normal({3, 4}, {4}, {3, 1}), normal({2, 1, 3}, {2, 3}, {}), normal({1}, {1}, {1}),
                            normal({0, 2}, {2}, {1})},
                  .large = {normal({66'001}, {66'001}, {1}), normal({131, 513}, {513}, {131, 1})},
                  .reference = naive([](const Arrays& in) {
                    return indexed(broadcast(in), [&](const Index& i) {
                      return gaussian_of({element(in[0], i), element(in[1], i), element(in[2], i)});
                    });
                  })});
}

void add_similarity_rows(std::vector<OpRow>& rows) {
  for (const int axis : {-1, 0}) {
    OpRow row;
    row.name = "cosine_similarity";
    row.variant = axis == 0 ? "along the first axis" : "";
    row.function = one([=](const Tensors& in) { return nn::cosine_similarity(in[0], in[1], axis); });
    // Along one value only the sign would be left.
    row.cases = {{{{3, 4}}, {{3, 4}}}, {{{5}}, {{5}}}, {{{1}}, {{1}}}, {{{2, 0, 3}}, {{2, 0, 3}}}};
    row.cases.push_back(axis == 0 ? Inputs{{{3, 1, 2}}, {{3, 4, 1}}} : Inputs{{{2, 1, 3}}, {{4, 3}}});
    row.cases.push_back(axis == 0 ? Inputs{{{2, 3}}, {{2, 1}}} : Inputs{{{2, 3, 2}}, {{2}}});
    row.large = {{{{1'307, 53}}, {{1'307, 53}}}, {{{7, 1, 4'801}}, {{7, 2, 4'801}}}};
    row.reference = naive([=](const Arrays& in) {
      const Shape shape = broadcast(in);
      const auto sum = [&](auto term) {
        return reduced(indexed(shape, term), axis, false, [](const std::vector<double>& v) {
          double total = 0;
          for (const double x : v) total += x;
          return total;
        });
      };
      const Array ab = sum([&](const Index& i) { return element(in[0], i) * element(in[1], i); });
      const Array aa = sum([&](const Index& i) { return element(in[0], i) * element(in[0], i); });
      const Array bb = sum([&](const Index& i) { return element(in[1], i) * element(in[1], i); });
      return Array(ab / xt::sqrt(aa * bb));
    });
    row.f32_tolerance = 1e-4;
    if (axis == -1)
      row.sized = [](std::int64_t n) {
        const Input rows_of_64 = {{std::max<std::int64_t>(1, n / 64), 64}};
        return Inputs{rows_of_64, rows_of_64};
      };
    rows.push_back(row);
  }
}

}  // namespace

void add_loss_rows(std::vector<OpRow>& rows) {
  add_pointwise_rows(rows);
  add_similarity_rows(rows);
  for (const Kind& kind : kinds) {
    const nn::Reduction reduction = kind.reduction;
    for (const double smoothing : {0.0, 0.2}) {
      OpRow row;
      row.name = "cross_entropy";
      row.variant = std::string(kind.text) + (smoothing == 0 ? "" : ", smoothing");
      row.function = one([=](const Tensors& in) {
        return nn::cross_entropy(in[0], in[1],
                                 {.reduction = reduction, .label_smoothing = smoothing, .ignore_index = 2});
      });
      row.cases = {labelled({5}, 2), labelled({2, 3}, 4), labelled({1}, 1)};
      row.large = {labelled({22'003}, 3), labelled({7, 19}, 501)};
      if (reduction == nn::Reduction::mean) row.no_empty = "there is no mean of nothing";
      if (reduction != nn::Reduction::mean) row.cases.push_back(labelled({0}, 3));
      row.reference = naive([=](const Arrays& in) {
        return collected(shape_of(in[1]), reduction, [&](const Index& i) {
          const auto label = static_cast<std::size_t>(element(in[1], i));
          if (label == 2) return Weighted{0, 0};
          const std::vector<double> logs = log_softmax_at(in[0], i);
          double loss = -(1 - smoothing) * logs[label];
          for (const double x : logs) loss -= smoothing / static_cast<double>(logs.size()) * x;
          return Weighted{loss, 1};
        });
      });
      row.non_finite = false;
      if (reduction == nn::Reduction::mean)
        row.sized = [](std::int64_t n) { return labelled({std::max<std::int64_t>(1, n / 100)}, 100); };
      rows.push_back(row);

      row.variant += ", probabilities";
      row.sized = {};
      const auto soft = [](const Shape& shape) { return Inputs{{shape}, {shape, fraction}}; };
      row.cases = {soft({5, 3}), soft({2, 3, 4}), soft({1, 1})};
      row.large = {soft({22'003, 3}), soft({7, 19, 501})};
      if (reduction != nn::Reduction::mean) row.cases.push_back(soft({0, 3}));
      row.reference = naive([=](const Arrays& in) {
        Shape outer = shape_of(in[0]);
        outer.erase(outer.rank() - 1);
        return collected(outer, reduction, [&](const Index& i) {
          const std::vector<double> logs = log_softmax_at(in[0], i);
          double loss = 0;
          for (std::size_t c = 0; c < logs.size(); ++c) {
            Index at = i;
            at.push_back(static_cast<std::int64_t>(c));
            loss -= ((1 - smoothing) * element(in[1], at) + smoothing / static_cast<double>(logs.size())) * logs[c];
          }
          return Weighted{loss, 1};
        });
      });
      rows.push_back(row);
    }
    OpRow row;
    row.name = "nll";
    row.variant = kind.text;
    row.function =
        one([=](const Tensors& in) { return nn::nll(in[0], in[1], {.reduction = reduction, .ignore_index = 3}); });
    row.cases = {labelled({5}, 2), labelled({2, 3}, 4), labelled({1}, 1)};
    row.large = {labelled({22'003}, 4), labelled({7, 19}, 501)};
    if (reduction == nn::Reduction::mean) row.no_empty = "there is no mean of nothing";
    if (reduction != nn::Reduction::mean) row.cases.push_back(labelled({0}, 3));
    row.reference = naive([=](const Arrays& in) {
      return collected(shape_of(in[1]), reduction, [&](const Index& i) {
        Index at = i;
        at.push_back(static_cast<std::int64_t>(element(in[1], i)));
        return at.back() == 3 ? Weighted{0, 0} : Weighted{-element(in[0], at), 1};
      });
    });
    row.non_finite = false;
    if (reduction == nn::Reduction::mean)
      row.sized = [](std::int64_t n) { return labelled({std::max<std::int64_t>(1, n / 100)}, 100); };
    rows.push_back(row);
  }
}

}  // namespace weft::test
