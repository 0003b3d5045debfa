#include <weft/nn/data/parts.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include <weft/engine/create.hpp>
#include <weft/engine/grad_mode.hpp>
#include <weft/nn/data/detail/check.hpp>
#include <weft/nn/data/detail/choices.hpp>
#include <weft/ops/index.hpp>

namespace weft::nn {
namespace {

using detail::Choices;
using Numbers = std::vector<std::int64_t>;

Dataset taken(const Dataset& data, const Numbers& examples) {
  const NoGrad off;
  const Tensor index =
      from_buffer(std::span<const std::int64_t>(examples), {static_cast<std::int64_t>(examples.size())});
  return {index_select(data.x, 0, index), index_select(data.y, 0, index)};
}

// How many examples make each part of all n.
Numbers counts_of(const std::vector<double>& fractions, std::int64_t n) {
  double sum = 0;
  for (const double fraction : fractions) {
    if (!(fraction >= 0 && fraction <= 1)) fail("split: got the fraction ", fraction, ", needs 0 to 1");
    sum += fraction;
  }
  if (!(std::abs(sum - 1) <= 1e-6)) fail("split: got fractions that add up to ", sum, ", need 1");
  Numbers counts;
  for (const double fraction : fractions)
    // 0.29 * 100 is a little less than 29.
    counts.push_back(static_cast<std::int64_t>(std::floor(fraction * static_cast<double>(n) * (1 + 1e-12))));
  std::int64_t left = n - std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
  for (std::size_t part = 0; left != 0; part = (part + 1) % counts.size()) {
    const std::int64_t change = left > 0 ? 1 : -1;
    counts[part] += change;
    left -= change;
  }
  return counts;
}

// Which fold tests on each example: the classes one after the other, shuffled, are dealt out in turn, so that both the
// folds and the classes in them are of equal size.
Numbers stratified_folds(const Tensor& labels, std::int64_t k, std::uint64_t seed) {
  if (labels.dtype() != i64 || labels.rank() != 1)
    fail("kfold: got y ", labels.dtype(), " ", labels.shape(), ", needs labels i64 {n} to be stratified");
  std::map<std::int64_t, Numbers> classes;
  std::int64_t example = 0;
  for (const std::int64_t label : labels.data<std::int64_t>()) classes[label].push_back(example++);
  Numbers folds(static_cast<std::size_t>(example));
  std::int64_t next = 0;
  for (auto& [label, examples] : classes) {
    if (static_cast<std::int64_t>(examples.size()) < k)
      fail("kfold: got ", examples.size(), " examples of class ", label, ", needs one for each of ", k, " folds");
    detail::shuffle(examples, Choices(seed, static_cast<std::uint64_t>(label), detail::fold_stream));
    for (const std::int64_t i : examples) folds[static_cast<std::size_t>(i)] = next++ % k;
  }
  return folds;
}

Numbers random_folds(std::int64_t n, std::int64_t k, std::uint64_t seed) {
  Numbers folds(static_cast<std::size_t>(n));
  std::int64_t next = 0;
  for (const std::int64_t i : detail::shuffled(n, Choices(seed, 0, detail::fold_stream)))
    folds[static_cast<std::size_t>(i)] = next++ % k;
  return folds;
}

}  // namespace

Dataset subset(const Dataset& data, const Numbers& examples) {
  detail::check_dataset("subset", data);
  if (examples.empty()) fail("subset: got no examples to take, needs at least one");
  for (const std::int64_t i : examples)
    if (i < 0 || i >= data.size()) fail("subset: got example ", i, ", needs 0 to ", data.size() - 1);
  return taken(data, examples);
}

Dataset subset(const Dataset& data, const Tensor& examples) {
  if (examples.rank() != 1 || examples.dtype() != i64)
    fail("subset: got examples ", examples.dtype(), " ", examples.shape(), ", needs i64 {n}");
  const auto numbers = examples.data<std::int64_t>();
  return subset(data, Numbers(numbers.begin(), numbers.end()));
}

std::vector<Dataset> split(const Dataset& data, const std::vector<double>& fractions, std::uint64_t seed) {
  detail::check_dataset("split", data);
  return split(data, counts_of(fractions, data.size()), seed);
}

std::vector<Dataset> split(const Dataset& data, const Numbers& counts, std::uint64_t seed) {
  detail::check_dataset("split", data);
  std::int64_t left = data.size();
  for (const std::int64_t count : counts) {
    if (count < 1) fail("split: got a part of ", count, " examples of ", data.size(), ", needs at least one in each");
    if (count > left) fail("split: got parts of more than all ", data.size(), " examples");
    left -= count;
  }
  if (left != 0) fail("split: got parts of ", data.size() - left, " examples together, needs all ", data.size());
  const Numbers order = detail::shuffled(data.size(), Choices(seed, 0, detail::split_stream));
  std::vector<Dataset> parts;
  auto first = order.begin();
  for (const std::int64_t count : counts) {
    parts.push_back(taken(data, Numbers(first, first + count)));
    first += count;
  }
  return parts;
}

std::vector<Fold> kfold(const Dataset& data, std::int64_t k, std::uint64_t seed, KfoldOptions options) {
  detail::check_dataset("kfold", data);
  if (k < 2 || k > data.size()) fail("kfold: got ", k, " folds, needs 2 to ", data.size(), ", the number of examples");
  const Numbers fold_of = options.stratified ? stratified_folds(data.y, k, seed) : random_folds(data.size(), k, seed);
  std::vector<Fold> folds;
  for (std::int64_t fold = 0; fold < k; ++fold) {
    Numbers train, test;
    for (std::size_t i = 0; i < fold_of.size(); ++i)
      (fold_of[i] == fold ? test : train).push_back(static_cast<std::int64_t>(i));
    folds.push_back({taken(data, train), taken(data, test)});
  }
  return folds;
}

}  // namespace weft::nn
