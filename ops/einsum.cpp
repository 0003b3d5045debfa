#include <weft/ops/einsum.hpp>

#include <algorithm>
#include <utility>

#include <weft/engine/error.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/arrange.hpp>
#include <weft/ops/detail/einsum.hpp>
#include <weft/ops/detail/matrices.hpp>
#include <weft/ops/reduce.hpp>
#include <weft/ops/reshape.hpp>

namespace weft {
namespace {

using detail::contains;
using detail::Labels;

// A tensor and the labels of its axes.
struct Term {
  Tensor tensor;
  Labels labels;
};

Labels joined(const Labels& a, const Labels& b, const Labels& c = {}) {
  Labels all = a;
  all.insert(all.end(), b.begin(), b.end());
  all.insert(all.end(), c.begin(), c.end());
  return all;
}

// Axes in the order of `labels`, which are all that the term has.
Tensor ordered(const Term& term, const Labels& labels) {
  Labels left = term.labels;
  Axes order;
  for (const int label : labels) {
    const auto at = std::find(left.begin(), left.end(), label);
    order.append(at - left.begin());
    *at = 0;  // no label: of two equal ones the second is next
  }
  return labels == term.labels ? term.tensor : permute(term.tensor, order);
}

class Contraction {
 public:
  Contraction(std::string_view equation, const Tensors& operands) : equation_(equation, operands) {
    for (std::size_t k = 0; k < operands.size(); ++k) terms_.push_back(full({operands[k], equation_.inputs[k]}));
    for (std::size_t k = 0; k < operands.size(); ++k) {
      Labels elsewhere = equation_.output;
      for (std::size_t other = 0; other < operands.size(); ++other)
        if (other != k) elsewhere = joined(elsewhere, terms_[other].labels);
      terms_[k] = summed(terms_[k], elsewhere);
    }
  }

  Tensor run() {
    std::vector<Labels> labels;
    for (const Term& term : terms_) labels.push_back(term.labels);
    for (const auto& [one, other] : detail::contraction_order(labels, equation_.output, equation_.sizes)) {
      const Term a = std::exchange(terms_[one], {}), b = std::exchange(terms_[other], {});
      Labels needed = equation_.output;
      for (const Term& term : terms_) needed = joined(needed, term.labels);
      terms_[one] = product(a, b, needed);
    }
    return ordered(terms_.front(), equation_.output);
  }

 private:
  std::int64_t size(const Labels& labels) const {
    std::int64_t n = 1;
    for (const int label : labels) n *= equation_.sizes.at(label);
    return n;
  }
  Shape shape(const Labels& labels) const {
    if (labels.size() > max_rank)
      fail("einsum: got an equation with a product of ", labels.size(), " axes on the way, needs at most ", max_rank);
    Shape sizes;
    for (const int label : labels) sizes.append(equation_.sizes.at(label));
    return sizes;
  }
  // In the order of the result, as far as it has them.
  Labels sorted(Labels labels) const {
    const auto place = [&](int label) {
      return std::find(equation_.output.begin(), equation_.output.end(), label) - equation_.output.begin();
    };
    std::stable_sort(labels.begin(), labels.end(), [&](int a, int b) { return place(a) < place(b); });
    return labels;
  }

  // Every label once, and none of size 1 that is broadcast.
  Term full(Term term) const {
    for (std::size_t i = 0; i < term.labels.size();) {
      const auto begin = term.labels.begin() + static_cast<std::ptrdiff_t>(i);
      const auto twin = std::find(begin + 1, term.labels.end(), *begin);
      if (twin == term.labels.end()) {
        ++i;
        continue;
      }
      Labels others = term.labels;
      others.erase(others.begin() + (twin - term.labels.begin()));
      others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
      const Labels twice = joined(others, {*begin, *begin});
      others.push_back(*begin);
      term = {diagonal(ordered(term, twice)), others};
    }
    Shape sizes;
    Labels kept;
    for (std::size_t k = 0; k < term.labels.size(); ++k) {
      const std::int64_t own = term.tensor.shape()[static_cast<int>(k)];
      if (own == 1 && equation_.sizes.at(term.labels[k]) != 1) continue;
      sizes.append(own);
      kept.push_back(term.labels[k]);
    }
    return {reshape(term.tensor, sizes), kept};
  }

  // None that stands nowhere else.
  static Term summed(const Term& term, const Labels& elsewhere) {
    Axes gone;
    Labels kept;
    for (std::size_t k = 0; k < term.labels.size(); ++k) {
      if (contains(elsewhere, term.labels[k]))
        kept.push_back(term.labels[k]);
      else
        gone.append(static_cast<std::int64_t>(k));
    }
    return gone.count() == 0 ? term : Term{sum(term.tensor, gone), kept};
  }

  // Of the labels that both have, those that are not needed any more are summed over.
  Term product(const Term& a, const Term& b, const Labels& needed) const {
    Labels batch, along, left, right;
    for (const int label : a.labels)
      (!contains(b.labels, label) ? left : contains(needed, label) ? batch : along).push_back(label);
    for (const int label : b.labels)
      if (!contains(a.labels, label)) right.push_back(label);
    if (along.empty()) return elementwise(a, b, sorted(joined(batch, left, right)));
    batch = sorted(batch), left = sorted(left), right = sorted(right);
    if (left.empty() && right.empty()) {
      const Shape rows = {size(batch), size(along)};
      const Tensor y = detail::dot_last(reshape(ordered(a, joined(batch, along)), rows),
                                        reshape(ordered(b, joined(batch, along)), rows));
      return {reshape(y, shape(batch)), batch};
    }
    const Labels both = joined(left, right);
    if (sorted(both) != both && sorted(both) == joined(right, left)) return matrices(b, a, batch, right, along, left);
    return matrices(a, b, batch, left, along, right);
  }

  Term elementwise(const Term& a, const Term& b, const Labels& labels) const {
    const auto spread = [&](const Term& term) {
      Labels own;
      Shape sizes = shape(labels);
      for (std::size_t k = 0; k < labels.size(); ++k) {
        if (contains(term.labels, labels[k]))
          own.push_back(labels[k]);
        else
          sizes[static_cast<int>(k)] = 1;
      }
      return reshape(ordered(term, own), sizes);
    };
    return {spread(a) * spread(b), labels};
  }

  // The sum over `along` of a {batch, left, along} and b {batch, along, right}.
  Term matrices(const Term& a, const Term& b, const Labels& batch, const Labels& left, const Labels& along,
                const Labels& right) const {
    // Each operand as a matrix, transposed if it lies in memory so; `along` in the order in which one of them has it.
    struct Operand {
      Tensor matrix;
      bool transposed, is_copy;
    };
    const auto as_matrix = [&](const Term& term, const Labels& rows, const Labels& columns) {
      const bool transposed = joined(batch, columns, rows) == term.labels;
      const Labels &first = transposed ? columns : rows, &second = transposed ? rows : columns;
      const Labels order = joined(batch, first, second);
      Shape sizes = {size(first), size(second)};
      if (!batch.empty()) sizes.insert(0, size(batch));
      return Operand{reshape(ordered(term, order), sizes), transposed, order != term.labels};
    };
    Labels other;  // `along` in b's order
    for (const int label : b.labels)
      if (contains(along, label)) other.push_back(label);
    const auto copies = [&](const Labels& inner) {
      const auto lies = [&](const Term& term, const Labels& outer) {
        return joined(batch, outer, inner) == term.labels || joined(batch, inner, outer) == term.labels;
      };
      return (lies(a, left) ? 0 : size(a.labels)) + (lies(b, right) ? 0 : size(b.labels));
    };
    const Labels& inner = copies(other) < copies(along) ? other : along;
    const Operand x = as_matrix(a, left, inner), y = as_matrix(b, inner, right);
    const Labels labels = joined(batch, left, right);
    return {reshape(detail::multiply(x.matrix, y.matrix, {x.transposed, y.transposed}), shape(labels)), labels};
  }

  detail::EinsumEquation equation_;
  std::vector<Term> terms_;
};

}  // namespace

Tensor einsum(std::string_view equation, const Tensors& operands) { return Contraction(equation, operands).run(); }

}  // namespace weft
