#pragma once
// What the convolutions of the ready nets have in common.
#include <weft/nn/init.hpp>
#include <weft/nn/layers/conv.hpp>

namespace weft::nn {

/// Of a convolution beside batch norm: without a bias, and padded so that with stride 1 the image keeps its size.
Conv2dOptions beside_norm(std::int64_t kernel, std::int64_t stride = 1);

/// Draws the weights of all convolutions of the net anew, He-normal.
void start_convolutions(const Module& net, Fan fan = Fan::in);

}  // namespace weft::nn
