#pragma once
// What a DataLoader does to each image.
#include <weft/nn/data/detail/choices.hpp>
#include <weft/nn/data/loader.hpp>

namespace weft::detail {

/// Whether images come out other than they went in.
bool changes_anything(const nn::Augment& augment);

/// Throws Error unless all numbers make sense in themselves.
void check_augment(const nn::Augment& augment);
/// Throws Error unless images of this shape, {height, width, channels}, and dtype can be augmented so.
void check_augment(const nn::Augment& augment, const Shape& image, DType dtype);

/// Writes the augmented image; both point to images of this shape and dtype.
void augment_image(const std::byte* from, std::byte* to, const Shape& image, DType dtype, const nn::Augment& augment,
                   Choices draws);

}  // namespace weft::detail
