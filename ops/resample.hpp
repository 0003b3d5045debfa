#pragma once
// Channels-last images {batch, height, width, channels} made larger or smaller. f32 and f64.
#include <weft/ops/pool.hpp>

namespace weft {

/// The means of size.height x size.width windows that cover the image: rows floor(i height / size.height) up to
/// ceil((i + 1) height / size.height), columns alike, as in PyTorch. Neighbouring windows may share a row or column.
Tensor adaptive_avg_pool2d(const Tensor& x, Pair size);

/// Two factors, of height and width; one number stands for both, none for "not given".
struct UpsampleScale {
  double height = 0, width = 0;
  UpsampleScale() = default;
  template <class T>
    requires std::is_arithmetic_v<T> UpsampleScale(T both)
        : height(static_cast<double>(both)), width(height) {}  // NOLINT: .scale = 2
    UpsampleScale(double h, double w) : height(h), width(w) {}
};

enum class UpsampleMode : std::uint8_t { nearest, bilinear };

struct UpsampleOptions {
  OptionalPair size = {};    ///< the size of the result
  UpsampleScale scale = {};  ///< or its size over that of x, rounded down
  UpsampleMode mode = UpsampleMode::nearest;
  bool align_corners = false;  ///< of bilinear: the centres of the corner pixels stay where they are, not their corners
};

/// x resampled, as torch.nn.functional.interpolate does it: each pixel is the nearest one of x, or, bilinear, made of
/// the four around it. Of sequences {batch, length, channels} the length, to the width of size or scale (linear). With
/// .scale positions are divided by the scale itself, also where the size was rounded. A neighbour whose weight is 0
/// does not matter, not even as a nan.
Tensor upsample(const Tensor& x, const UpsampleOptions& options);
inline Tensor upsample(const Tensor& x, double factor, UpsampleMode mode = UpsampleMode::nearest) {
  return upsample(x, {.scale = factor, .mode = mode});
}

}  // namespace weft
