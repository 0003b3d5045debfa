#include <weft/nn/data/detail/augment.hpp>

namespace weft::detail {
namespace {

template <class T>
void copy_image(const T* from, T* to, std::int64_t height, std::int64_t width, std::int64_t channels,
                const nn::Augment& augment, Choices draws) {
  const std::int64_t padding = augment.crop_padding;
  const std::int64_t down = padding > 0 ? draws.below(2 * padding + 1) - padding : 0;
  const std::int64_t right = padding > 0 ? draws.below(2 * padding + 1) - padding : 0;
  const bool mirrored = augment.flip && draws.below(2) == 1;
  for (std::int64_t row = 0; row < height; ++row) {
    const std::int64_t source_row = row + down;
    const bool inside_row = source_row >= 0 && source_row < height;
    for (std::int64_t column = 0; column < width; ++column) {
      const std::int64_t source_column = (mirrored ? width - 1 - column : column) + right;
      const bool inside = inside_row && source_column >= 0 && source_column < width;
      const T* const pixel = from + (source_row * width + source_column) * channels;
      for (std::int64_t c = 0; c < channels; ++c) *to++ = inside ? pixel[c] : T{0};
    }
  }
  if (augment.mean.empty()) return;
  to -= height * width * channels;
  for (std::int64_t c = 0; c < channels; ++c) {
    const T mean = static_cast<T>(augment.mean[static_cast<std::size_t>(c)]);
    const T scale = static_cast<T>(1 / augment.stddev[static_cast<std::size_t>(c)]);
    for (std::int64_t i = 0; i < height * width; ++i) to[i * channels + c] = (to[i * channels + c] - mean) * scale;
  }
}

}  // namespace

bool changes_anything(const nn::Augment& augment) {
  return augment.crop_padding > 0 || augment.flip || !augment.mean.empty();
}

void check_augment(const nn::Augment& augment) {
  if (augment.crop_padding < 0) fail("DataLoader: got crop_padding ", augment.crop_padding, ", needs 0 or more");
  if (augment.mean.size() != augment.stddev.size())
    fail("DataLoader: got ", augment.mean.size(), " means and ", augment.stddev.size(),
         " stddevs, needs as many of both");
  for (const double s : augment.stddev)
    if (!(s > 0)) fail("DataLoader: got stddev ", s, ", needs more than 0");
}

void check_augment(const nn::Augment& augment, const Shape& image, DType dtype) {
  if (!is_floating(dtype)) fail("DataLoader with augment: got ", dtype, ", needs f32 or f64");
  if (image.rank() != 3)
    fail("DataLoader: got examples ", image, " to augment, needs images {height, width, channels}");
  const auto channels = static_cast<std::size_t>(image[2]);
  if (!augment.mean.empty() && augment.mean.size() != channels)
    fail("DataLoader: got ", augment.mean.size(), " means and stddevs, needs ", channels, " of both or none");
}

void augment_image(const std::byte* from, std::byte* to, const Shape& image, DType dtype, const nn::Augment& augment,
                   Choices draws) {
  visit_floating(dtype, [&](auto kind) {
    using T = decltype(kind);
    copy_image(reinterpret_cast<const T*>(from), reinterpret_cast<T*>(to), image[0], image[1], image[2], augment,
               draws);
  });
}

}  // namespace weft::detail
