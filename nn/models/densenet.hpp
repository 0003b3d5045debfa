#pragma once
// Densely connected nets, for small images and for ImageNet's.
#include <weft/nn/module.hpp>

namespace weft::nn {

/// DenseNet (Huang et al., arXiv 1608.06993): three dense blocks, in which every layer adds `growth` channels beside
/// all earlier ones, with transitions between them that halve height and width and keep `compression` of the channels.
/// With `bottleneck`, a 1x1 convolution to 4 growth channels precedes each 3x3 one. depth is 3n + 4, or 6n + 4 with
/// bottleneck (40; 100). Where compression is below 1 the first convolution has 2 growth channels, else 16.
/// {batch, height, width, in_channels} to {batch, classes}; He-normal weights. Names are as torchvision would give
/// them. Throws Error for other depths.
ModulePtr densenet(std::int64_t depth, std::int64_t growth, bool bottleneck = false, double compression = 1.0,
                   std::int64_t in_channels = 3, std::int64_t classes = 10);

/// The paper's net of 121 layers for ImageNet (table 1): a 7x7 convolution and max pooling, each with stride 2, then
/// four dense blocks of 6, 12, 24 and 16 layers with bottlenecks, growth 32 and compression 1/2. {batch, height, width,
/// 3} to {batch, classes}; He-normal weights. Names are torchvision's: its weights fit (load_pytorch). 7,978,856
/// parameters.
ModulePtr densenet121(std::int64_t classes = 1000);

/// densenet121() for 121, the one depth that says all by itself; throws Error for others.
ModulePtr densenet(std::int64_t depth);

}  // namespace weft::nn
