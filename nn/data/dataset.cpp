#include <weft/nn/data/dataset.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>

#include <weft/engine/detail/parallel.hpp>

namespace weft::nn {
namespace {

void check_dataset(const char* op, const Dataset& data) {
  if (!data.x.defined() || !data.y.defined()) fail(op, ": got a data set without x or y, needs both");
  if (data.x.rank() < 1 || data.y.rank() < 1 || data.x.size(0) != data.y.size(0))
    fail(op, ": got x ", data.x.shape(), " and y ", data.y.shape(), ", needs as many examples in both");
}

Tensor first_rows(const Tensor& t, std::int64_t count) {
  Shape shape = t.shape();
  shape[0] = count;
  Tensor rows = detail::make_tensor("head", shape, t.dtype());
  std::memcpy(rows.impl()->storage->data(), t.impl()->storage->data(),
              static_cast<std::size_t>(rows.size()) * size_of(t.dtype()));
  return rows;
}

template <class T>
ChannelStats stats_of(const Tensor& x) {
  const std::int64_t channels = x.size(-1);
  const std::int64_t pixels = x.size() / channels;
  const T* const values = detail::data_of<T>(x);
  // Sums of parts of fixed size: the result does not depend on the number of threads.
  constexpr std::int64_t part = 1 << 16;
  const std::int64_t parts = (pixels + part - 1) / part;
  const auto width = static_cast<std::size_t>(channels);
  std::vector<double> sums(static_cast<std::size_t>(parts) * width);
  auto total = [&](auto term) {
    std::fill(sums.begin(), sums.end(), 0.0);
    detail::parallel_for(parts, 4, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t p = begin; p < end; ++p) {
        double* const sum = sums.data() + p * channels;
        for (std::int64_t i = p * part; i < std::min(pixels, (p + 1) * part); ++i)
          for (std::int64_t c = 0; c < channels; ++c) sum[c] += term(static_cast<double>(values[i * channels + c]), c);
      }
    });
    std::vector<double> result(width);
    for (std::size_t i = 0; i < sums.size(); ++i) result[i % width] += sums[i];
    for (double& r : result) r /= static_cast<double>(pixels);
    return result;
  };
  ChannelStats stats;
  stats.mean = total([](double v, std::int64_t) { return v; });
  stats.stddev = total([&](double v, std::int64_t c) {
    const double d = v - stats.mean[static_cast<std::size_t>(c)];
    return d * d;
  });
  for (double& s : stats.stddev) s = std::sqrt(s);
  return stats;
}

}  // namespace

Dataset head(const Dataset& data, std::int64_t count) {
  check_dataset("head", data);
  if (count < 1 || count > data.size()) fail("head: got ", count, " examples to take, needs 1 to ", data.size());
  return {first_rows(data.x, count), first_rows(data.y, count)};
}

ChannelStats channel_stats(const Tensor& x) {
  detail::check_floating("channel_stats", x);
  if (x.rank() < 1 || x.size() == 0) fail("channel_stats: got ", x.shape(), ", needs at least one value");
  return detail::visit_floating(x.dtype(), [&](auto kind) { return stats_of<decltype(kind)>(x); });
}

}  // namespace weft::nn
