#pragma once
// Parts of data sets: chosen examples, random splits, the folds of cross-validation.
#include <weft/nn/data/dataset.hpp>

#include <array>
#include <concepts>

namespace weft::nn {

/// The examples with these numbers, in this order, copied. Throws Error if there are none or the data set has no such
/// example.
Dataset subset(const Dataset& data, const std::vector<std::int64_t>& examples);
/// The same for i64 {n}, as argmax, argsort or randperm give them.
Dataset subset(const Dataset& data, const Tensor& examples);

/// Parts with these fractions of the examples, in random order: every example is in one part, which one follows from
/// the seed. Sizes are rounded down, and what is left goes to the first parts, one each (as PyTorch's random_split).
/// Throws Error unless the fractions add up to 1 and no part is empty.
std::vector<Dataset> split(const Dataset& data, const std::vector<double>& fractions, std::uint64_t seed = 0);
/// The same with numbers of examples, which add up to all.
std::vector<Dataset> split(const Dataset& data, const std::vector<std::int64_t>& counts, std::uint64_t seed = 0);

/// The same for parts that are written down, fractions or integers: `auto [train, test] = split(data, {0.8, 0.2}, 1)`.
template <class T, std::size_t n>
  requires std::floating_point<T> || std::integral<T> std::array<Dataset, n> split(const Dataset& data,
                                                                                   const T (&parts)[n],
                                                                                   std::uint64_t seed = 0) {
    using Number = std::conditional_t<std::integral<T>, std::int64_t, double>;
    std::vector<Dataset> made = split(data, std::vector<Number>(parts, parts + n), seed);
    std::array<Dataset, n> result;
    for (std::size_t i = 0; i < n; ++i) result[i] = std::move(made[i]);
    return result;
  }

/// One round of cross-validation.
struct Fold {
  Dataset train, test;
};

/// Options of kfold.
struct KfoldOptions {
  bool stratified = false;  ///< each fold tests on as many of each class as the others, give or take one: y i64 {n}
};

/// k rounds of cross-validation: the examples are parted at random, which follows from the seed, into k tests of equal
/// size (give or take one), and each round trains on all the others: `for (const auto& [train, test] : kfold(data,
/// 5))`. Within a fold they stay in the order of `data`. All folds together hold k copies of it. Throws Error unless 2
/// <= k <= size, and stratified if a class has fewer than k examples.
std::vector<Fold> kfold(const Dataset& data, std::int64_t k, std::uint64_t seed = 0, KfoldOptions options = {});

}  // namespace weft::nn
