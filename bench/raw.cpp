#include "raw.hpp"

#include <weft/ops/kernels/linalg/gemm.hpp>

#include <algorithm>
#include <cmath>
#include <map>

namespace weft::bench {
namespace {

template <class F>
RawLoop unary(F f) {
  return [f](const Tensors& in, float* out) {
    const float* a = in[0].data<float>().data();
    for (std::int64_t i = 0; i < in[0].size(); ++i) out[i] = f(a[i]);
  };
}

template <class F>
RawLoop binary(F f) {
  return [f](const Tensors& in, float* out) {
    const float *a = in[0].data<float>().data(), *b = in[1].data<float>().data();
    for (std::int64_t i = 0; i < in[0].size(); ++i) out[i] = f(a[i], b[i]);
  };
}

void sum(const Tensors& in, float* out) {
  float total = 0;
  for (const float value : in[0].data<float>()) total += value;
  out[0] = total;
}

void copy(const Tensors& in, float* out) {
  for (const Tensor& part : in) out = std::copy_n(part.data<float>().data(), part.size(), out);
}

void transpose(const Tensors& in, float* out) {
  const std::int64_t rows = in[0].size(-2), columns = in[0].size(-1);
  const float* a = in[0].data<float>().data();
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = 0; j < columns; ++j) out[j * rows + i] = a[i * columns + j];
}

void softmax(const Tensors& in, float* out) {
  const std::int64_t n = in[0].size(-1), rows = in[0].size() / n;
  const float* a = in[0].data<float>().data();
  for (std::int64_t r = 0; r < rows; ++r, a += n, out += n) {
    const float top = *std::max_element(a, a + n);
    float total = 0;
    for (std::int64_t i = 0; i < n; ++i) total += out[i] = std::exp(a[i] - top);
    for (std::int64_t i = 0; i < n; ++i) out[i] /= total;
  }
}

}  // namespace

RawLoop raw_loop(const std::string& op) {
  static const std::map<std::string, RawLoop> loops = {
      {"add", binary([](float a, float b) { return a + b; })},
      {"sub", binary([](float a, float b) { return a - b; })},
      {"mul", binary([](float a, float b) { return a * b; })},
      {"div", binary([](float a, float b) { return a / b; })},
      {"maximum", binary([](float a, float b) { return a > b ? a : b; })},
      {"minimum", binary([](float a, float b) { return a < b ? a : b; })},
      {"neg", unary([](float a) { return -a; })},
      {"abs", unary([](float a) { return std::fabs(a); })},
      {"square", unary([](float a) { return a * a; })},
      {"sqrt", unary([](float a) { return std::sqrt(a); })},
      {"relu", unary([](float a) { return a > 0 ? a : 0; })},
      {"exp", unary([](float a) { return std::exp(a); })},
      {"log", unary([](float a) { return std::log(a); })},
      {"tanh", unary([](float a) { return std::tanh(a); })},
      {"sigmoid", unary([](float a) { return 1 / (1 + std::exp(-a)); })},
      {"sin", unary([](float a) { return std::sin(a); })},
      {"sum", sum},
      {"concat", copy},
      {"transpose", transpose},
      {"softmax", softmax},
      {"matmul",
       [](const Tensors& in, float* out) {
         const std::int64_t m = in[0].size(0), k = in[0].size(1), n = in[1].size(1);
         detail::gemm(false, false, m, n, k, in[0].data<float>().data(), k, in[1].data<float>().data(), n, 0.0F, out,
                      n);
       }},
  };
  const auto found = loops.find(op);
  return found == loops.end() ? RawLoop() : found->second;
}

}  // namespace weft::bench
