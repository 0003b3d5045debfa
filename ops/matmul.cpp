#include <weft/ops/matmul.hpp>

#include <algorithm>

#include <weft/engine/detail/parallel.hpp>
#include <weft/engine/op.hpp>
#include <weft/ops/detail/factors.hpp>
#include <weft/ops/detail/matrices.hpp>
#include <weft/ops/kernels/linalg/gemm.hpp>
#include <weft/ops/kernels/loops/strided.hpp>
#include <weft/ops/reshape.hpp>

namespace weft {
namespace {

using detail::data_of;
using detail::make_tensor;
using detail::mutable_data_of;

// Which axes of the operands are the matrices' rows and columns.
enum class Batching {
  matrices,  // the last two, all before them are a batch, broadcast
  rows,      // b is one matrix, not a batch: all of a's axes but the last are rows, one product for the whole batch
  summed,    // all axes but the last are what is summed over: a' b for a {..., m}, b {..., n}. The gradient of `rows`
};

struct MatMulForm {
  bool trans_a = false, trans_b = false;  // the matrices are taken transposed
  Batching batching = Batching::matrices;
};

std::int64_t product_of(const Shape& shape, int axes) {
  std::int64_t n = 1;
  for (int i = 0; i < axes; ++i) n *= shape[i];
  return n;
}

[[noreturn]] void mismatch(const char* op, const Tensor& a, const Tensor& b, const char* needs) {
  fail(op, ": got shapes ", a.shape(), " and ", b.shape(), ", needs ", needs);
}

struct MatMul {
  static constexpr const char* name = "matmul";
  MatMulForm form;
  detail::Factors factors = {};

  Tensor forward(Context& ctx, const Tensor& a, const Tensor& b) {
    factors.save(ctx, a, b);
    switch (form.batching) {
      case Batching::matrices: return batched(a, b);
      case Batching::rows: return left(a, b);
      default: return inner(a, b);
    }
  }

  std::array<Tensor, 2> backward(Context& ctx, const Tensor& g) const {
    const auto [ta, tb, batching] = form;
    std::array<Tensor, 2> gradients;
    if (ctx.needs(0)) {
      const Tensor b = factors.b(ctx);
      if (batching == Batching::matrices)
        gradients[0] = ta ? multiply(b, g, {tb, true}) : multiply(g, b, {false, !tb});
      else if (batching == Batching::rows)
        gradients[0] = multiply(g, b, {false, !tb, Batching::rows});
      else
        gradients[0] = multiply(b, g, {false, true, Batching::rows});
    }
    if (ctx.needs(1)) {
      const Tensor a = factors.a(ctx);
      if (batching == Batching::matrices)
        gradients[1] = tb ? multiply(g, a, {true, ta}) : multiply(a, g, {!ta, false});
      else if (batching == Batching::rows)
        gradients[1] =
            tb ? multiply(g, a, {true, false, Batching::summed}) : multiply(a, g, {true, false, Batching::summed});
      else
        gradients[1] = multiply(a, g, {false, false, Batching::rows});
    }
    return gradients;
  }

  static Tensor multiply(const Tensor& a, const Tensor& b, const MatMulForm& form) { return apply(MatMul{form}, a, b); }

  Fields describe() const {
    constexpr const char* batchings[] = {"matrices", "rows", "summed"};
    return {{"transposed_a", form.trans_a},
            {"transposed_b", form.trans_b},
            {"batching", batchings[static_cast<std::size_t>(form.batching)]}};
  }

  Tensor left(const Tensor& a, const Tensor& b) const {
    const std::int64_t k = a.size(-1), n = b.size(form.trans_b ? 0 : 1);
    if (b.size(form.trans_b ? 1 : 0) != k) mismatch(name, a, b, "a's last axis as long as b's first");
    Shape shape = a.shape();
    shape[a.rank() - 1] = n;
    Tensor out = make_tensor(name, shape, a.dtype());
    detail::visit_floating(a.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::gemm<T>(false, form.trans_b, product_of(shape, a.rank() - 1), n, k, data_of<T>(a), k, data_of<T>(b),
                      form.trans_b ? k : n, T(0), mutable_data_of<T>(out), n);
    });
    return out;
  }

  static Tensor inner(const Tensor& a, const Tensor& b) {
    const std::int64_t m = a.size(-1), n = b.size(-1);
    Tensor out = make_tensor(name, {m, n}, a.dtype());
    detail::visit_floating(a.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::gemm<T>(true, false, m, n, product_of(a.shape(), a.rank() - 1), data_of<T>(a), m, data_of<T>(b), n, T(0),
                      mutable_data_of<T>(out), n);
    });
    return out;
  }

  Tensor batched(const Tensor& a, const Tensor& b) const {
    const std::int64_t columns_a = a.size(-1), columns_b = b.size(-1);
    const std::int64_t m = a.size(form.trans_a ? -1 : -2), k = a.size(form.trans_a ? -2 : -1);
    const std::int64_t n = b.size(form.trans_b ? -2 : -1);
    if (b.size(form.trans_b ? -1 : -2) != k) mismatch(name, a, b, "a's last axis as long as b's last but one");
    const Shape batch = detail::broadcast_batch(name, a, b);
    Tensor out = make_tensor(name, detail::with_matrix(batch, m, n), a.dtype());
    const std::int64_t count = batch.size();
    // Where each product's operands lie, in matrices.
    const auto loops = detail::broadcast_loops<2>(batch, {detail::batch_of(a), detail::batch_of(b)});
    // Small products are spread over the threads, each on one; of few large ones each has all threads.
    const std::int64_t grain = count < num_threads() ? count : detail::grain_for(m * n * k / 32);
    detail::visit_floating(a.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::parallel_for(count, grain, [&](std::int64_t begin, std::int64_t end) {
        loops.for_each(begin, end, [&](std::int64_t i, const std::int64_t* at) {
          detail::gemm<T>(form.trans_a, form.trans_b, m, n, k, data_of<T>(a) + at[0] * m * k, columns_a,
                          data_of<T>(b) + at[1] * k * n, columns_b, T(0), mutable_data_of<T>(out) + i * m * n, n);
        });
      });
    });
    return out;
  }
};

// x w + b.
struct Linear {
  static constexpr const char* name = "linear";
  detail::Factors factors = {};

  Tensor forward(Context& ctx, const Tensor& x, const Tensor& w, const Tensor& b) {
    const std::int64_t in = w.size(0), out = w.size(1), rows = product_of(x.shape(), x.rank() - 1);
    Shape shape = x.shape();
    shape[x.rank() - 1] = out;
    Tensor y = make_tensor(name, shape, x.dtype());
    detail::visit_floating(x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::gemm_plus_row(rows, out, in, data_of<T>(x), data_of<T>(w), data_of<T>(b), mutable_data_of<T>(y));
    });
    factors.save(ctx, x, w);
    return y;
  }

  std::array<Tensor, 3> backward(Context& ctx, const Tensor& g) const {
    std::array<Tensor, 3> gradients;
    if (ctx.needs(0)) gradients[0] = MatMul::multiply(g, factors.b(ctx), {false, true, Batching::rows});
    if (ctx.needs(1)) gradients[1] = MatMul::multiply(factors.a(ctx), g, {true, false, Batching::summed});
    gradients[2] = g;  // summed over the rows by the tape
    return gradients;
  }
};

}  // namespace

Tensor detail::multiply(const Tensor& a, const Tensor& b, const Transposes& transposes) {
  const bool rows = b.rank() == 2 && !transposes.a;  // one product for the whole batch
  return MatMul::multiply(a, b, {transposes.a, transposes.b, rows ? Batching::rows : Batching::matrices});
}

Tensor matmul(const Tensor& a, const Tensor& b) {
  detail::check_same_dtype("matmul", a, b);
  detail::check_floating("matmul", a);
  if (a.rank() == 0 || b.rank() == 0) mismatch("matmul", a, b, "at least one axis each");
  if (a.size(-1) != b.size(b.rank() == 1 ? 0 : -2))
    mismatch("matmul", a, b, "a's last axis as long as b's last but one");
  if (b.rank() == 1) {
    const Tensor column = MatMul::multiply(a, reshape(b, {b.size(), 1}), {false, false, Batching::rows});
    return squeeze(column, -1);
  }
  if (b.rank() == 2) return MatMul::multiply(a, b, {false, false, Batching::rows});
  if (a.rank() == 1) return squeeze(MatMul::multiply(reshape(a, {1, a.size()}), b, {}), -2);
  return MatMul::multiply(a, b, {});
}

Tensor linear(const Tensor& x, const Tensor& w, const Tensor& b) {
  detail::check_same_dtype("linear", x, w);
  detail::check_floating("linear", x);
  if (x.rank() == 0 || w.rank() != 2 || x.size(-1) != w.size(0))
    mismatch("linear", x, w, "x {..., in} and w {in, out}");
  if (!b.defined()) return MatMul::multiply(x, w, {false, false, Batching::rows});
  detail::check_same_dtype("linear", x, b);
  if (b.shape() != Shape{w.size(1)}) fail("linear: got a bias of shape ", b.shape(), ", needs {", w.size(1), "}");
  return apply(Linear{}, x, w, b);
}

}  // namespace weft
