#include <weft/nn/data/mixing.hpp>

#include <algorithm>
#include <cmath>

#include <weft/engine/create.hpp>
#include <weft/nn/data/detail/beta.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/index.hpp>

namespace weft::nn {
namespace {

void check_mixing(const char* op, const Batch& batch, double alpha) {
  if (!(alpha > 0 && std::isfinite(alpha))) fail(op, ": got alpha ", alpha, ", needs a number above 0");
  if (!batch.x.defined() || !batch.y.defined()) fail(op, ": got a batch without x or y, needs both");
  detail::check_floating(op, batch.x);
  if (batch.x.rank() < 1 || batch.y.rank() < 1 || batch.x.size(0) != batch.y.size(0) || batch.x.size(0) == 0)
    fail(op, ": got x ", batch.x.shape(), " and y ", batch.y.shape(), ", needs as many examples in both, at least one");
}

// The targets as probabilities {n, classes}.
Tensor probabilities_of(const char* op, const Batch& batch, std::int64_t classes) {
  const Tensor& y = batch.y;
  if (y.dtype() == i64 && y.rank() == 1) {
    if (classes < 1) fail(op, ": got labels and ", classes, " classes, needs their number");
    return one_hot(y, classes).to(batch.x.dtype());
  }
  if (y.dtype() != batch.x.dtype() || y.rank() != 2 || (classes != 0 && y.size(1) != classes))
    fail(op, ": got y ", y.dtype(), " ", y.shape(), ", needs labels i64 {n} or probabilities ", batch.x.dtype(),
         " {n, classes}");
  return y;
}

// Which example each is mixed with.
Tensor partners(const Batch& batch, Generator& generator) { return randperm(batch.size(), i64, generator); }

Tensor mixed(const Tensor& a, const Tensor& others, double share) { return lerp(index_select(a, 0, others), a, share); }

// Where a cut of `part` of an axis begins and ends.
struct Cut {
  std::int64_t begin, end;
};
Cut cut_of(std::int64_t size, double part, Generator& generator) {
  const std::int64_t centre = static_cast<std::int64_t>(randint(0, size, {}, i64, generator).item());
  const auto half = static_cast<std::int64_t>(0.5 * part * static_cast<double>(size));
  return {std::max<std::int64_t>(centre - half, 0), std::min(centre + half, size)};
}

}  // namespace

Batch mixup(const Batch& batch, MixOptions options, Generator& generator) {
  check_mixing("mixup", batch, options.alpha);
  const Tensor targets = probabilities_of("mixup", batch, options.classes);
  const double share = detail::draw_beta(options.alpha, generator);
  const Tensor others = partners(batch, generator);
  return {mixed(batch.x, others, share), mixed(targets, others, share)};
}

Batch cutmix(const Batch& batch, MixOptions options, Generator& generator) {
  check_mixing("cutmix", batch, options.alpha);
  if (batch.x.rank() != 4 || batch.x.size(1) == 0 || batch.x.size(2) == 0)
    fail("cutmix: got x ", batch.x.shape(), ", needs images {n, height, width, channels}");
  const Tensor targets = probabilities_of("cutmix", batch, options.classes);
  const std::int64_t height = batch.x.size(1), width = batch.x.size(2);
  const double part = std::sqrt(1 - detail::draw_beta(options.alpha, generator));
  const Cut rows = cut_of(height, part, generator), columns = cut_of(width, part, generator);
  const Tensor others = partners(batch, generator);

  Tensor inside = zeros({height, width, 1}, u8);
  const auto at = inside.mutable_data<std::uint8_t>();
  for (std::int64_t row = rows.begin; row < rows.end; ++row)
    std::fill_n(at.data() + row * width + columns.begin, columns.end - columns.begin, std::uint8_t{1});
  const double area = static_cast<double>((rows.end - rows.begin) * (columns.end - columns.begin));
  return {where(inside, index_select(batch.x, 0, others), batch.x),
          mixed(targets, others, 1 - area / static_cast<double>(height * width))};
}

}  // namespace weft::nn
