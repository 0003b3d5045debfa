// Sizes that are negative, beyond memory, or overflow: one line each; and nothing changes.
#include <doctest/doctest.h>
#include <tests/support/mistakes.hpp>

#include <cstdint>

#include <weft/engine/create.hpp>
#include <weft/ops/ops.hpp>

using namespace weft;
using weft::test::check_all;

namespace {

constexpr std::int64_t huge = std::int64_t{1} << 31;

}  // namespace

TEST_CASE("negative sizes and sizes beyond memory") {
  const Tensor one = ones({1, 1});
  check_all({
      {"zeros",
       [&] {
         (void)zeros({2, -3});
       },
       {"{2, -3}"}},
      {"broadcast_to",
       [&] {
         (void)broadcast_to(one, {-2, 1});
       },
       {"{-2, 1}"}},
      {"broadcast_to",
       [&] {
         (void)broadcast_to(one, {huge, huge});
       },
       {"too large"}},
      {"reshape",
       [&] {
         (void)reshape(one, {-2, 1});
       },
       {"{-2, 1}"}},
      {"reshape",
       [&] {
         (void)reshape(one, {huge, huge});
       },
       {"too large"}},
      {"pad",
       [&] {
         (void)pad(one, {{huge, 0}, {0, huge}});
       },
       {"too large"}},
      {"pad",
       [&] {
         (void)pad(one, {{INT64_MAX, 0}, {0, 0}});
       },
       {"2^63"}},
      {"zeros",
       [&] {
         (void)zeros({huge, huge, huge});
       },
       {"too large"}},
      {"repeat", [&] { (void)repeat(one, INT64_MAX, 0); }, {"too large"}},
      {"repeat",
       [&] {
         (void)repeat(ones({1, 3}), INT64_MAX, 1);
       },
       {"2^63"}},
      {"tile",
       [&] {
         (void)tile(one, {huge, huge});
       },
       {"too large"}},
  });
}

TEST_CASE("sizes that would overflow") {
  const std::int64_t vast = std::int64_t{1} << 62U;
  CHECK_THROWS_WITH_AS(conv2d(ones({1, 3, 3, 1}), ones({5, 5, 1, 1}), {.dilation = vast}),
                       doctest::Contains("conv2d: got dilation"), Error);
  CHECK_THROWS_WITH_AS(max_pool2d(ones({1, 3, 3, 1}), {.kernel = vast, .padding = vast / 2}),
                       doctest::Contains("max_pool2d: got kernel"), Error);
  CHECK_THROWS_WITH_AS(softmax_cross_entropy(ones({3, 0}), full({3}, -100, i64)),
                       doctest::Contains("needs at least one class"), Error);
}
