#include <weft/ops/resample.hpp>

#include <algorithm>
#include <cmath>

#include <weft/engine/op.hpp>
#include <weft/ops/kernels/pool/resample.hpp>

namespace weft {
namespace {

using detail::Taps;

enum Kind : std::uint8_t { pool, pool_backward, up, up_backward };

// How upsample was asked to, for describe(): the taps say all else.
struct Manner {
  UpsampleMode mode = UpsampleMode::nearest;
  bool align_corners = false;
  UpsampleScale scale = {};  // 0: the size was given
};

// A linear map; the gradient is the transposed one, and the other way round.
template <Kind kind>
struct Resample {
  static constexpr const char* name = kind == pool            ? "adaptive_avg_pool2d"
                                      : kind == pool_backward ? "adaptive_avg_pool2d_backward"
                                      : kind == up            ? "upsample"
                                                              : "upsample_backward";
  Taps rows, columns;
  Manner manner = {};

  Tensor forward(Context&, const Tensor& x) const {
    Shape shape = x.shape();
    if (x.rank() == 4) shape[1] = rows.output();
    shape[-2] = columns.output();
    Tensor y = detail::make_tensor(name, shape, x.dtype());
    detail::visit_floating(x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::resample(detail::data_of<T>(x), detail::mutable_data_of<T>(y), x.size(0), x.size(-1), rows, columns);
    });
    return y;
  }
  Tensor backward(Context&, const Tensor& g) const {
    return apply(Resample<static_cast<Kind>(kind ^ 1)>{rows.transposed(), columns.transposed(), manner}, g);
  }
  Fields describe() const {
    using Sizes = std::vector<std::int64_t>;
    Fields fields{{"from", Sizes{rows.input(), columns.input()}}, {"to", Sizes{rows.output(), columns.output()}}};
    if (kind == up) {
      fields.emplace_back("mode", manner.mode == UpsampleMode::nearest ? "nearest" : "bilinear");
      fields.emplace_back("align_corners", manner.align_corners);
      fields.emplace_back("scale_height", manner.scale.height);
      fields.emplace_back("scale_width", manner.scale.width);
    }
    return fields;
  }
};

constexpr std::int64_t most = std::int64_t{1} << 31U;  // no product of two sizes overflows

Taps windows(std::int64_t in, std::int64_t out) {
  Taps taps(in);
  for (std::int64_t o = 0; o < out; ++o) {
    const std::int64_t begin = o * in / out, end = ((o + 1) * in + out - 1) / out;
    for (std::int64_t i = begin; i < end; ++i) taps.add(i, 1.0 / static_cast<double>(end - begin));
    taps.next();
  }
  return taps;
}

// How positions along an axis of the result are found: o stands at o * step / steps of the input, where pixels are
// points, or have an extent of 1 and centres in the middle.
struct Resampling {
  std::int64_t in, out;
  double step, steps;
};

Taps nearest(const Resampling& p) {
  Taps taps(p.in);
  for (std::int64_t o = 0; o < p.out; ++o) {
    taps.add(std::min(p.in - 1, static_cast<std::int64_t>(static_cast<double>(o) * p.step / p.steps)), 1);
    taps.next();
  }
  return taps;
}

Taps linear_taps(const Resampling& p, bool align_corners) {
  Taps taps(p.in);
  for (std::int64_t o = 0; o < p.out; ++o) {
    const auto place = static_cast<double>(o);
    double at = 0;
    if (!align_corners)
      at = std::max((place + 0.5) * p.step / p.steps - 0.5, 0.0);
    else if (p.out > 1)
      at = place * static_cast<double>(p.in - 1) / static_cast<double>(p.out - 1);
    const std::int64_t low = std::min(p.in - 1, static_cast<std::int64_t>(at));
    const double share = low + 1 < p.in ? at - static_cast<double>(low) : 0;
    taps.add(low, 1 - share);
    taps.add(low + 1, share);
    taps.next();
  }
  return taps;
}

}  // namespace

Tensor adaptive_avg_pool2d(const Tensor& x, Pair size) {
  constexpr const char* op = "adaptive_avg_pool2d";
  detail::check_floating(op, x);
  if (x.rank() != 4 || std::min(x.size(1), x.size(2)) < 1 || std::max(x.size(1), x.size(2)) > most)
    fail(op, ": got shape ", x.shape(), ", needs {batch, height, width, channels} with at least one pixel");
  if (std::min(size.height, size.width) < 1 || std::max(size.height, size.width) > most)
    fail(op, ": got size {", size.height, ", ", size.width, "}, needs 1 to 2^31");
  return apply(Resample<pool>{windows(x.size(1), size.height), windows(x.size(2), size.width)}, x);
}

Tensor upsample(const Tensor& x, const UpsampleOptions& options) {
  constexpr const char* op = "upsample";
  detail::check_floating(op, x);
  const bool image = x.rank() == 4;
  if ((!image && x.rank() != 3) || x.size(-2) < 1 || x.size(1) < 1 || std::max(x.size(-2), x.size(1)) > most)
    fail(op, ": got shape ", x.shape(),
         ", needs {batch, height, width, channels} or {batch, length, channels} with at least one pixel");
  const UpsampleScale scale = options.scale;
  const bool scaled = scale.height != 0 || scale.width != 0;
  if (scaled == options.size.has_value())
    fail(op, ": got ", scaled ? "a size and a scale" : "neither size nor scale", ", needs one of them");
  const auto along = [&](std::int64_t in, double factor, std::int64_t Pair::*side) {
    const double out =
        scaled ? std::floor(static_cast<double>(in) * factor) : static_cast<double>((*options.size).*side);
    if (!(out >= 1 && out <= static_cast<double>(most))) {
      if (scaled) fail(op, ": got shape ", x.shape(), " and scale ", factor, ", needs a result of at least one pixel");
      fail(op, ": got size ", out, ", needs 1 to 2^31");
    }
    const Resampling p{in, static_cast<std::int64_t>(out), scaled ? 1.0 : static_cast<double>(in),
                       scaled ? factor : out};
    return options.mode == UpsampleMode::nearest ? nearest(p) : linear_taps(p, options.align_corners);
  };
  Taps rows = image ? along(x.size(1), scale.height, &Pair::height) : Taps::identity(1);
  return apply(
      Resample<up>{
          std::move(rows), along(x.size(-2), scale.width, &Pair::width), {options.mode, options.align_corners, scale}},
      x);
}

}  // namespace weft
