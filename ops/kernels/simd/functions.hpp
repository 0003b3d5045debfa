#pragma once
// Functions of a register of f32 or f64 that xsimd has not, or has slower, or wrong at the ends of the range. No lane's
// result depends on the others'.
#include <weft/ops/kernels/simd/error_function.hpp>
#include <weft/ops/kernels/simd/exponential.hpp>
#include <weft/ops/kernels/simd/logarithm.hpp>
#include <weft/ops/kernels/simd/trigonometric.hpp>
