#include <weft/nn/data/detail/augment.hpp>

#include <algorithm>

namespace weft::detail {
namespace {

// One row, moved by `shift` columns, black moving in, and mirrored or not.
template <class T>
void copy_row(const T* from, T* to, std::int64_t width, std::int64_t channels, std::int64_t shift, bool mirrored) {
  // Column c comes from c + shift, or, mirrored, from width - 1 - c + shift.
  const std::int64_t before = std::clamp<std::int64_t>(mirrored ? shift : -shift, 0, width);
  const std::int64_t after = std::clamp<std::int64_t>(mirrored ? -shift : shift, 0, width);
  std::fill_n(to, before * channels, T{0});
  std::fill_n(to + (width - after) * channels, after * channels, T{0});
  const std::int64_t inside = width - before - after;
  if (!mirrored) {
    std::copy_n(from + (before + shift) * channels, inside * channels, to + before * channels);
    return;
  }
  const T* pixel = from + (width - 1 - before + shift) * channels;
  for (T* at = to + before * channels; at < to + (width - after) * channels; pixel -= 2 * channels)
    for (std::int64_t c = 0; c < channels; ++c) *at++ = *pixel++;
}

template <class T>
void copy_image(const T* from, T* to, std::int64_t height, std::int64_t width, std::int64_t channels,
                const nn::Augment& augment, Choices draws) {
  const std::int64_t padding = augment.crop_padding, row_size = width * channels;
  const std::int64_t down = padding > 0 ? draws.below(2 * padding + 1) - padding : 0;
  const std::int64_t right = padding > 0 ? draws.below(2 * padding + 1) - padding : 0;
  const bool mirrored = augment.flip && draws.below(2) == 1;
  for (std::int64_t row = 0; row < height; ++row) {
    const std::int64_t source = row + down;
    if (source >= 0 && source < height)
      copy_row(from + source * row_size, to + row * row_size, width, channels, right, mirrored);
    else
      std::fill_n(to + row * row_size, row_size, T{0});
  }
  if (augment.mean.empty()) return;
  // A row of each, so that the loop that uses them is a plain one.
  std::vector<T> mean, scale;
  mean.reserve(static_cast<std::size_t>(row_size));
  scale.reserve(static_cast<std::size_t>(row_size));
  for (std::int64_t column = 0; column < width; ++column)
    for (std::size_t c = 0; c < augment.mean.size(); ++c) {
      mean.push_back(static_cast<T>(augment.mean[c]));
      scale.push_back(static_cast<T>(1 / augment.stddev[c]));
    }
  for (std::int64_t row = 0; row < height; ++row, to += row_size)
    for (std::size_t i = 0; i < mean.size(); ++i) to[i] = (to[i] - mean[i]) * scale[i];
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
