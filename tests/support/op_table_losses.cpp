// Rows of the losses.
#include <cmath>

#include <tests/support/op_table.hpp>
#include <weft/nn/losses.hpp>

namespace weft::test {
namespace {

using nn::Reduction;

struct Weighted {
  double loss = 0, weight = 1;  // an ignored label weighs nothing
};

// Reduces f(index) over all indices of a shape.
template <class F>
Array collected(const Shape& shape, Reduction reduction, F f) {
  if (reduction == Reduction::none) return indexed(shape, [&](const Index& i) { return f(i).loss; });
  double loss = 0, weight = 0;
  for_each_index(shape, [&](const Index& i) {
    const Weighted one = f(i);
    loss += one.loss;
    weight += one.weight;
  });
  return Array(reduction == Reduction::mean ? loss / weight : loss);
}

struct Kind {
  Reduction reduction;
  const char* text;
};
const Kind kinds[] = {{Reduction::mean, "mean"}, {Reduction::sum, "sum"}, {Reduction::none, "none"}};

std::vector<double> log_softmax_at(const Array& logits, const Index& row) {
  const std::int64_t classes = shape_of(logits)[shape_of(logits).rank() - 1];
  std::vector<double> logs;
  double total = 0;
  for (std::int64_t c = 0; c < classes; ++c) {
    Index at = row;
    at.push_back(c);
    logs.push_back(element(logits, at));
    total += std::exp(logs.back());
  }
  for (double& x : logs) x -= std::log(total);
  return logs;
}

Inputs labelled(const Shape& rows, std::int64_t classes) {
  Shape logits = rows;
  logits.append(classes);
  return {{logits}, {rows, below(static_cast<double>(classes)), i64}};
}

// A loss of two tensors of one shape, element by element.
template <class F, class R>
void add_pointwise(std::vector<OpRow>& rows, const char* name, F f, R reference, const Domain& a, const Domain& b) {
  for (const Kind& kind : kinds) {
    const Reduction reduction = kind.reduction;
    const auto both = [=](const Shape& shape) { return Inputs{{shape, a}, {shape, b}}; };
    OpRow row;
    row.name = name;
    row.variant = kind.text;
    row.function = one([=](const Tensors& in) { return f(in[0], in[1], reduction); });
    row.cases = {both({3, 4}), both({2, 1, 3}), both({}), both({1})};
    row.large = {both({66'001}), both({131, 1, 513})};
    if (reduction == Reduction::mean)
      row.no_empty = "there is no mean of nothing";
    else
      row.cases.push_back(both({0, 2}));
    row.reference = naive([=](const Arrays& in) {
      return collected(shape_of(in[0]), reduction, [&](const Index& i) {
        return Weighted{reference(element(in[0], i), element(in[1], i)), 1};
      });
    });
    if (reduction == Reduction::mean) row.sized = vectors(2, b);
    rows.push_back(row);
  }
}

}  // namespace

void add_loss_rows(std::vector<OpRow>& rows) {
  using T = const Tensor&;
  add_pointwise(
      rows, "mse", [](T a, T b, Reduction r) { return nn::mse(a, b, r); },
      [](double a, double b) { return (a - b) * (a - b); }, any, any);
  add_pointwise(
      rows, "l1", [](T a, T b, Reduction r) { return nn::l1(a, b, r); },
      [](double a, double b) { return std::abs(a - b); }, apart, apart);
  add_pointwise(
      rows, "bce_with_logits", [](T a, T b, Reduction r) { return nn::bce_with_logits(a, b, r); },
      [](double x, double t) {
        return std::max(x, 0.0) - x * t + std::log1p(std::exp(-std::abs(x))) + (std::isnan(x) ? x : 0);
      },
      any, fraction);
  for (OpRow& row : rows)
    if (row.name == "bce_with_logits") row.non_finite = false;

  for (const Kind& kind : kinds) {
    const Reduction reduction = kind.reduction;
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
      if (reduction == Reduction::mean) row.no_empty = "there is no mean of nothing";
      if (reduction != Reduction::mean) row.cases.push_back(labelled({0}, 3));
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
      if (reduction == Reduction::mean)
        row.sized = [](std::int64_t n) { return labelled({std::max<std::int64_t>(1, n / 100)}, 100); };
      rows.push_back(row);

      row.variant += ", probabilities";
      row.sized = {};
      const auto soft = [](const Shape& shape) { return Inputs{{shape}, {shape, fraction}}; };
      row.cases = {soft({5, 3}), soft({2, 3, 4}), soft({1, 1})};
      row.large = {soft({22'003, 3}), soft({7, 19, 501})};
      if (reduction != Reduction::mean) row.cases.push_back(soft({0, 3}));
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
    if (reduction == Reduction::mean) row.no_empty = "there is no mean of nothing";
    if (reduction != Reduction::mean) row.cases.push_back(labelled({0}, 3));
    row.reference = naive([=](const Arrays& in) {
      return collected(shape_of(in[1]), reduction, [&](const Index& i) {
        Index at = i;
        at.push_back(static_cast<std::int64_t>(element(in[1], i)));
        return at.back() == 3 ? Weighted{0, 0} : Weighted{-element(in[0], at), 1};
      });
    });
    row.non_finite = false;
    if (reduction == Reduction::mean)
      row.sized = [](std::int64_t n) { return labelled({std::max<std::int64_t>(1, n / 100)}, 100); };
    rows.push_back(row);
  }
}

}  // namespace weft::test
