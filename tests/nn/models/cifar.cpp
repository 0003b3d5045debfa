// The nets for small images: as many parameters as the papers' formulas say, and outputs of the right shape.
#include <doctest/doctest.h>
#include <tests/support/nets.hpp>
#include <tests/support/sanitized.hpp>

#include <cmath>

using namespace weft;

namespace {

using Count = std::int64_t;

Count conv(Count kernel, Count in, Count out) { return kernel * kernel * in * out; }
Count norm(Count channels) { return 2 * channels; }
Count linear(Count in, Count out) { return in * out + out; }

// Of He et al.'s net of 6n + 2 layers on three channels and ten classes, by widths.
Count residual_count(Count depth, char option, bool pre_activation) {
  const Count n = (depth - 2) / 6;
  Count count = conv(3, 3, 16) + norm(pre_activation ? 64 : 16) + linear(64, 10), in = 16;
  for (const Count width : {16, 32, 64})
    for (Count i = 0; i < n; ++i, in = width) {
      count += conv(3, in, width) + norm(pre_activation ? in : width) + conv(3, width, width) + norm(width);
      if (option == 'C' || (option == 'B' && in != width))
        count += conv(1, in, width) + (pre_activation ? 0 : norm(width));
    }
  return count;
}

// Of Huang et al.'s net with three dense blocks.
Count dense_count(Count depth, Count growth, bool bottleneck, double kept) {
  Count channels = kept < 1 ? 2 * growth : 16, count = conv(3, 3, channels);
  for (int block = 0; block < 3; ++block) {
    for (Count i = 0; i < (depth - 4) / (bottleneck ? 6 : 3); ++i, channels += growth) {
      const Count inner = bottleneck ? 4 * growth : channels;
      if (bottleneck) count += norm(channels) + conv(1, channels, inner);
      count += norm(inner) + conv(3, inner, growth);
    }
    if (block == 2) break;
    const auto fewer = static_cast<Count>(kept * static_cast<double>(channels));
    count += norm(channels) + conv(1, channels, fewer);
    channels = fewer;
  }
  return count + norm(channels) + linear(channels, 10);
}

}  // namespace

TEST_CASE("residual and plain nets have the parameters that their layers need") {
  const std::pair<Count, double> published[] = {{20, 0.27}, {32, 0.46}, {44, 0.66},
                                                {56, 0.85}, {110, 1.7}, {1202, 19.4}};
  for (const auto& net : published) {
    const auto depth = net.first;
    const double millions = net.second;
    if (test::sanitized && depth > 56) break;
    CAPTURE(depth);
    const Count plain = parameter_count(*nn::plain_net(depth)), residual = parameter_count(*nn::resnet_cifar(depth));
    CHECK(residual == residual_count(depth, 'A', false));
    CHECK(plain == residual);  // option A has no parameters of its own
    const double digits = millions < 1 ? 100 : 10;
    CHECK(std::round(static_cast<double>(residual) / 1e6 * digits) == std::round(millions * digits));
    CHECK(parameter_count(*nn::resnet_cifar(depth, nn::ShortcutOption::A, true)) == residual_count(depth, 'A', true));
    if (depth > 110) break;
    for (const bool pre : {false, true}) {
      CHECK(parameter_count(*nn::resnet_cifar(depth, nn::ShortcutOption::B, pre)) == residual_count(depth, 'B', pre));
      CHECK(parameter_count(*nn::resnet_cifar(depth, nn::ShortcutOption::C, pre)) == residual_count(depth, 'C', pre));
    }
  }
  CHECK(parameter_count(*nn::resnet_cifar(20)) == 269722);
  CHECK(parameter_count(*nn::resnet_cifar(20, nn::ShortcutOption::B)) == 272474);
}

TEST_CASE("dense nets have the parameters that their layers need") {
  CHECK(parameter_count(*nn::densenet(40, 12)) == dense_count(40, 12, false, 1));  // 1.0 million
  CHECK(parameter_count(*nn::densenet(40, 12)) == 1019722);
  CHECK(parameter_count(*nn::densenet(100, 12, true, 0.5)) == dense_count(100, 12, true, 0.5));  // 0.8 million
  CHECK(parameter_count(*nn::densenet(100, 12, true, 0.5)) == 769162);
  CHECK(parameter_count(*nn::densenet(22, 8, true)) == dense_count(22, 8, true, 1));
  CHECK(parameter_count(*nn::densenet(13, 8, false, 0.7)) == dense_count(13, 8, false, 0.7));
}

TEST_CASE("they map images of any channels to classes, in training and evaluation") {
  manual_seed(1);
  for (const auto option : {nn::ShortcutOption::A, nn::ShortcutOption::B, nn::ShortcutOption::C})
    for (const bool pre : {false, true}) check_classifies(*nn::resnet_cifar(8, option, pre, 1, 7), {3, 12, 12, 1}, 7);
  check_classifies(*nn::plain_net(8, 2, 5), {3, 8, 8, 2}, 5);
  check_classifies(*nn::densenet(10, 4, true, 0.5, 1, 7), {3, 8, 8, 1}, 7);
  check_classifies(*nn::densenet(10, 4, false, 1, 2, 5), {3, 8, 8, 2}, 5);
}

TEST_CASE("other depths are refused") {
  for (const Count depth : {-4, 2, 18, 21}) {
    const std::string said = "got the depth " + std::to_string(depth) + ", needs 6n + 2";
    CHECK_THROWS_WITH_AS(nn::resnet_cifar(depth), doctest::Contains(("resnet_cifar: " + said).c_str()), Error);
    CHECK_THROWS_WITH_AS(nn::plain_net(depth), doctest::Contains(("plain_net: " + said).c_str()), Error);
  }
  CHECK_THROWS_WITH_AS(nn::densenet(41, 12), "densenet: got the depth 41, needs 3n + 4", Error);
  CHECK_THROWS_WITH_AS(nn::densenet(4, 12), "densenet: got the depth 4, needs 3n + 4", Error);
  CHECK_THROWS_WITH_AS(nn::densenet(43, 12, true), "densenet: got the depth 43, needs 6n + 4", Error);
  CHECK_THROWS_WITH_AS(nn::densenet(40, 0), doctest::Contains("got growth 0 and compression 1"), Error);
  CHECK_THROWS_WITH_AS(nn::densenet(40, 12, false, 1.5), doctest::Contains("got growth 12 and compression 1.5"), Error);
}
