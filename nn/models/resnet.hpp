#pragma once
// The residual and plain nets of He et al. for images of CIFAR's and MNIST's size.
#include <weft/nn/module.hpp>

namespace weft::nn {

/// Where width or stride change (He et al., arXiv 1512.03385): A subsamples and pads with zeros, without parameters; B
/// projects there, and the identity goes everywhere else; C projects everywhere.
enum class ShortcutOption : std::uint8_t { A, B, C };

/// A residual net of 6n + 2 layers (20, 32, 44, 56, 110, ...; arXiv 1512.03385, section 4.2): a 3x3 convolution, three
/// stages of n blocks of two with widths 16, 32, 64, the later two starting with stride 2, then the mean over the image
/// and a linear layer. {batch, height, width, in_channels} to {batch, classes}; He-normal weights. Pre-activation
/// (arXiv 1603.05027): batch norm and ReLU come before each convolution and once more at the end; where a shortcut is
/// no identity it starts after the block's first ReLU. 269,722 parameters for depth 20 with option A.
/// Throws Error for other depths.
ModulePtr resnet_cifar(std::int64_t depth, ShortcutOption option = ShortcutOption::A, bool pre_activation = false,
                       std::int64_t in_channels = 3, std::int64_t classes = 10);

/// The same net without shortcuts.
ModulePtr plain_net(std::int64_t depth, std::int64_t in_channels = 3, std::int64_t classes = 10);

}  // namespace weft::nn
