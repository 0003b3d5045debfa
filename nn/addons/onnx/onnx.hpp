#pragma once
// Nets to and from ONNX files.
#include <weft/nn/addons/onnx/load.hpp>
#include <weft/nn/addons/onnx/save.hpp>
