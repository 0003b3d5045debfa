#include <weft/nn/data/dataset.hpp>

#include <algorithm>

#include <weft/engine/create.hpp>
#include <weft/engine/grad_mode.hpp>
#include <weft/nn/data/detail/check.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/reduce.hpp>
#include <weft/ops/reshape.hpp>
#include <weft/ops/unary.hpp>

namespace weft {

void detail::check_dataset(const char* op, const nn::Dataset& data) {
  if (!data.x.defined() || !data.y.defined()) fail(op, ": got a data set without x or y, needs both");
  if (data.x.rank() < 1 || data.y.rank() < 1 || data.x.size(0) != data.y.size(0) || data.x.size(0) == 0)
    fail(op, ": got x ", data.x.shape(), " and y ", data.y.shape(), ", needs as many examples in both, at least one");
}

namespace nn {
namespace {

// The mean over all pixels {n, channels} of f(pixels), in f64. `step` pixels at a time, so that no image is held twice.
template <class F>
Tensor mean_of(const Tensor& pixels, std::int64_t step, F f) {
  Tensor total = zeros({pixels.size(1)}, f64);
  for (std::int64_t first = 0; first < pixels.size(0); first += step)
    total += sum(f(slice(pixels, 0, first, first + step).to(f64)), 0);
  return total / static_cast<double>(pixels.size(0));
}

std::vector<double> numbers(const Tensor& t) {
  const auto values = t.data<double>();
  return {values.begin(), values.end()};
}

}  // namespace

Dataset head(const Dataset& data, std::int64_t count) {
  const NoGrad off;
  detail::check_dataset("head", data);
  if (count < 1 || count > data.size()) fail("head: got ", count, " examples to take, needs 1 to ", data.size());
  return {slice(data.x, 0, 0, count), slice(data.y, 0, 0, count)};
}

ChannelStats channel_stats(const Tensor& x) {
  const NoGrad off;
  detail::check_floating("channel_stats", x);
  if (x.rank() < 1 || x.size() == 0) fail("channel_stats: got ", x.shape(), ", needs at least one value");
  const Tensor pixels = reshape(x, {-1, x.size(-1)});
  constexpr std::int64_t elements = 1 << 16;  // at a time: they stay in cache
  const std::int64_t step = std::max<std::int64_t>(elements / pixels.size(1), 1);
  const Tensor mean = mean_of(pixels, step, [](const Tensor& part) { return part; });
  // Spread out once: arithmetic on equal shapes is several times faster than along short rows.
  const Tensor means = broadcast_to(mean, {step, pixels.size(1)});
  const Tensor variance = mean_of(
      pixels, step, [&](const Tensor& part) { return squared_difference(part, slice(means, 0, 0, part.size(0))); });
  return {numbers(mean), numbers(sqrt(variance))};
}

}  // namespace nn
}  // namespace weft
