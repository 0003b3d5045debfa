#pragma once
// The residual nets of He et al. for images of ImageNet's size.
#include <weft/nn/module.hpp>

namespace weft::nn {

/// The residual net of 18, 34, 50, 101 or 152 layers (He et al., arXiv 1512.03385, table 1): a 7x7 convolution and max
/// pooling, each with stride 2, four stages of widths 64, 128, 256, 512, the later three starting with stride 2, then
/// the mean over the image and a linear layer. From 50 on the blocks are bottlenecks: 1x1, 3x3 and 1x1 convolutions to
/// 4 times the width. Where width or stride change, the shortcut is a 1x1 convolution with batch norm (option B).
/// {batch, height, width, 3} to {batch, classes}; He-normal weights (fan out). Names and layers are those of
/// torchvision, where a bottleneck's 3x3 convolution has the stride: its weights fit (load_pytorch). 11,689,512,
/// 21,797,672, 25,557,032, 44,549,160 and 60,192,808 parameters. Throws Error for other depths.
ModulePtr resnet(std::int64_t depth, std::int64_t classes = 1000);

}  // namespace weft::nn
