#include <weft/nn/detail/inputs.hpp>

#include <weft/ops/reshape.hpp>

namespace weft::detail {

void check_input(const char* layer, const Tensor& x, int rank, std::int64_t channels) {
  const bool ranked = rank == 0 ? x.rank() > 0 : x.rank() == rank;
  if (ranked && x.size(-1) == channels) return;
  fail(layer, ": got ", x.shape(), ", needs ", rank == 4 ? "{batch, height, width, " : "{..., ", channels, "}");
}

void check_positive(const char* layer, std::initializer_list<std::int64_t> sizes) {
  for (const std::int64_t size : sizes)
    if (size <= 0) fail(layer, ": got the size ", size, ", needs a positive one");
}

void check_kept(const char* layer, const Tensor& x, const Tensor& y) {
  if (x.shape() != y.shape())
    fail(layer, ": the body makes ", y.shape(), " of ", x.shape(), ", needs to keep the shape");
}

Tensor every_stride(const char* layer, const Tensor& x, std::int64_t in, std::int64_t stride) {
  check_input(layer, x, stride == 1 ? 0 : 4, in);
  if (stride == 1) return x;
  return slice(slice(x, 1, 0, x.size(1), stride), 2, 0, x.size(2), stride);
}

}  // namespace weft::detail
