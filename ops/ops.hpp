#pragma once
// Every op.
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/arrange.hpp>
#include <weft/ops/compare.hpp>
#include <weft/ops/conv.hpp>
#include <weft/ops/dropout.hpp>
#include <weft/ops/fused.hpp>
#include <weft/ops/index.hpp>
#include <weft/ops/mask.hpp>
#include <weft/ops/matmul.hpp>
#include <weft/ops/normalization.hpp>
#include <weft/ops/pool.hpp>
#include <weft/ops/reduce.hpp>
#include <weft/ops/reshape.hpp>
#include <weft/ops/softmax.hpp>
#include <weft/ops/unary.hpp>
