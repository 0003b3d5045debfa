#pragma once
// Densely connected nets for images of CIFAR's and MNIST's size.
#include <weft/nn/module.hpp>

namespace weft::nn {

/// DenseNet (Huang et al., arXiv 1608.06993): three dense blocks, in which every layer adds `growth` channels beside
/// all earlier ones, with transitions between them that halve height and width and keep `compression` of the channels.
/// With `bottleneck`, a 1x1 convolution to 4 growth channels precedes each 3x3 one. depth is 3n + 4, or 6n + 4 with
/// bottleneck (40; 100). Where compression is below 1 the first convolution has 2 growth channels, else 16.
/// {batch, height, width, in_channels} to {batch, classes}; He-normal weights. Throws Error for other depths.
ModulePtr densenet(std::int64_t depth, std::int64_t growth, bool bottleneck = false, double compression = 1.0,
                   std::int64_t in_channels = 3, std::int64_t classes = 10);

}  // namespace weft::nn
