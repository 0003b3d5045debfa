#pragma once
// What the tests on several ranks share.
#include <tests/support/message_of.hpp>
#include <tests/support/same.hpp>
#include <weft/nn/addons/mpi/mpi.hpp>
#include <weft/weft.hpp>

#include <doctest/doctest.h>

/// The World of the whole program.
inline weft::mpi::World& ranks() {
  static weft::mpi::World world;
  return world;
}

/// Whether a tensor has the same bits on all ranks.
inline bool same_on_all(const weft::Tensor& t) {
  const std::uint64_t print = weft::nn::Fingerprint().add(t).value();
  // In two halves, which doubles hold exactly.
  const auto low = static_cast<double>(print & 0xFFFFFFFFU), high = static_cast<double>(print >> 32U);
  const auto sums = ranks().sum(std::vector<double>{low, high});
  return !ranks().any(sums[0] != low * ranks().size() || sums[1] != high * ranks().size());
}

/// Rows of `t` that the rank has of a batch of all.
inline weft::Tensor share_of(const weft::Tensor& t, int rank) {
  const std::int64_t each = t.size(0) / ranks().size();
  return weft::slice(t, 0, rank * each, (rank + 1) * each);
}
