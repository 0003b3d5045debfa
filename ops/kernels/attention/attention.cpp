#include <weft/engine/detail/parallel.hpp>
#include <weft/ops/kernels/attention/attention.hpp>
#include <weft/ops/kernels/linalg/gemm.hpp>
#include <weft/ops/kernels/loops/scratch.hpp>
#include <weft/ops/kernels/simd/functions.hpp>
#include <weft/ops/kernels/simd/rows.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace weft::detail {

namespace {

// A block of scores stays in the second-level cache, and is large enough that OpenBLAS's packing does not show.
constexpr std::int64_t query_block = 128, key_block = 512;

/// Queries [first, first + rows) of one batch against keys [begin, begin + width).
struct Block {
  std::int64_t batch, first, rows, begin, width;
};

/// Working memory of one thread.
template <class T>
struct Work {
  T *q, *scores, *slopes;  // the block's queries times the scale; its scores, and their gradients

  static std::int64_t size(const Attention<T>& a) {
    const std::int64_t rows = std::min(query_block, a.queries);
    return rows * (a.features + 2 * std::min(key_block, a.keys));
  }
  Work(const Attention<T>& a, T* memory)
      : q(memory),
        scores(q + std::min(query_block, a.queries) * a.features),
        slopes(scores + std::min(query_block, a.queries) * std::min(key_block, a.keys)) {}
};

// How many of a block's keys query `row` of it may see for its place.
template <class T>
std::int64_t in_sight(const Attention<T>& a, const Block& b, std::int64_t row) {
  return a.causal ? std::clamp<std::int64_t>(b.first + row + 1 - b.begin, 0, b.width) : b.width;
}

// The keys before which those lie that a block of queries may see.
template <class T>
std::int64_t sighted_keys(const Attention<T>& a, std::int64_t first, std::int64_t rows) {
  return a.causal ? std::min(a.keys, first + rows) : a.keys;
}

template <class T>
void scale_rows(const T* from, T* to, std::int64_t n, double factor) {
  const Vector<T> f(static_cast<T>(factor));
  for_vectors<T>(n, [=](auto v) { v.store(to, v.load(from) * f); });
}

// The same of rows that lie apart; n numbers each.
template <class T>
void scale_rows(const T* from, std::int64_t from_row, T* to, std::int64_t to_row, std::int64_t rows, std::int64_t n,
                double factor) {
  for (std::int64_t r = 0; r < rows; ++r) scale_rows(from + r * from_row, to + r * to_row, n, factor);
}
template <class T>
void clear_rows(T* to, std::int64_t to_row, std::int64_t rows, std::int64_t n) {
  for (std::int64_t r = 0; r < rows; ++r) std::fill_n(to + r * to_row, n, T{0});
}

// A block's scores, masked.
template <class T>
void compute_scores(const Attention<T>& a, const std::int64_t* at, const Block& b, const Work<T>& work) {
  gemm(false, true, b.rows, b.width, a.features, work.q, a.features, a.k.at(at[1], b.begin), a.k.row, T{0}, work.scores,
       b.width);
  if (a.allowed == nullptr && a.added == nullptr) return;
  for (std::int64_t r = 0; r < b.rows; ++r) {
    const std::int64_t row = a.mask_rows == 1 ? 0 : b.first + r, n = in_sight(a, b, r);
    const std::int64_t place = (at[3] * a.mask_rows + row) * a.keys + b.begin;
    T* to = work.scores + r * b.width;
    if (a.added != nullptr) {
      const T* from = a.added + place;
      for_vectors<T>(n, [=](auto v) { v.store(to, v.load(to) + v.load(from)); });
    } else {
      const std::uint8_t* sees = a.allowed + place;
      WEFT_INDEPENDENT
      for (std::int64_t i = 0; i < n; ++i) to[i] = sees[i] != 0 ? to[i] : -std::numeric_limits<T>::infinity();
    }
  }
}

/// Calls f(batch, offsets, work) for items [0, items), shared out among the threads one by one: where queries see only
/// what was before them the later ones take longer. An item is one of `each` of a batch.
template <class T, class F>
void for_items(const Attention<T>& a, std::int64_t each, double flops, F&& f) {
  const std::int64_t items = a.count * each;
  const auto worth = static_cast<std::int64_t>(std::min(flops / 4e6, 1e6));
  const std::int64_t parts = std::max<std::int64_t>(1, std::min<std::int64_t>({num_threads(), items, worth}));
  const ScratchOfParts<T> memory(parts, Work<T>::size(a));
  parallel_for(parts, 1, [&](std::int64_t part, std::int64_t last) {
    for (; part < last; ++part) {
      const Work<T> work(a, memory[part]);
      for (std::int64_t item = part; item < items; item += parts) {
        const std::int64_t batch = item / each;
        a.batches.for_each(batch, batch + 1,
                           [&](std::int64_t, const std::int64_t* at) { f(batch, item % each, at, work); });
      }
    }
  });
}

// The running softmax of a row: the largest score so far, and the sum of exponentials relative to it.
template <class T>
struct Running {
  T top = -std::numeric_limits<T>::infinity();
  double sum = 0;

  /// Takes in n more scores, which become their exponentials; returns what those before have to be multiplied by.
  T add(T* scores, std::int64_t n) {
    const T before = top;
    top = std::max(before, row_max(scores, n));
    const T base = top == -std::numeric_limits<T>::infinity() ? T{0} : top;  // nothing seen: exp(-inf) is 0
    const Vector<T> about(base);
    const double more = row_sum<T>(n, [=](auto v) {
      const Vector<T> e = exponential(v.load(scores) - about);
      v.store(scores, e);
      return e;
    });
    const T factor = std::exp(before - base);
    sum = sum * static_cast<double>(factor) + more;
    return factor;
  }
};

}  // namespace

template <class T>
void attention(const Attention<T>& a, const Matrices<T>& y, T* lse) {
  const std::int64_t blocks = (a.queries + query_block - 1) / query_block;
  if (a.count * blocks == 0) return;
  for_items(a, blocks, a.flops(), [&](std::int64_t batch, std::int64_t i, const std::int64_t* at, const Work<T>& work) {
    const std::int64_t first = i * query_block, rows = std::min(query_block, a.queries - first);
    T* to = y.at(batch, first);
    Running<T> running[query_block];
    scale_rows(a.q.at(at[0], first), a.q.row, work.q, a.features, rows, a.features, a.scale);
    const std::int64_t end = sighted_keys(a, first, rows);
    if (end == 0) clear_rows(to, y.row, rows, a.values);
    for (std::int64_t begin = 0; begin < end; begin += key_block) {
      const Block b{batch, first, rows, begin, std::min(key_block, end - begin)};
      compute_scores(a, at, b, work);
      for (std::int64_t r = 0; r < rows; ++r) {
        T* scores = work.scores + r * b.width;
        const std::int64_t n = in_sight(a, b, r);
        const T factor = running[r].add(scores, n);
        std::fill(scores + n, scores + b.width, T{0});
        if (begin > 0 && factor != T{1}) scale_rows(to + r * y.row, to + r * y.row, a.values, factor);
      }
      gemm(false, false, rows, a.values, b.width, work.scores, b.width, a.v.at(at[2], begin), a.v.row,
           begin == 0 ? T{0} : T{1}, to, y.row);
    }
    for (std::int64_t r = 0; r < rows; ++r) {
      const auto& [top, sum] = running[r];
      scale_rows(to + r * y.row, to + r * y.row, a.values, sum == 0 ? 0 : 1 / sum);
      lse[batch * a.queries + first + r] = sum == 0 ? T{0} : top + static_cast<T>(std::log(sum));
    }
  });
}

template <class T>
void attention_backward(const Attention<T>& a, const Matrices<const T>& y, const T* lse, const Matrices<const T>& dy,
                        const AttentionGradients<T>& g) {
  if (a.count == 0) return;
  const bool slopes = g.q.data != nullptr || g.k.data != nullptr || g.mask != nullptr;
  const auto backward = [&](const std::int64_t* at, const Block& b, const Work<T>& work, const T* dots) {
    const std::int64_t row = b.batch * a.queries + b.first;
    const T* const slopes_of_y = dy.at(b.batch, b.first);
    compute_scores(a, at, b, work);
    if (slopes)
      gemm(false, true, b.rows, b.width, a.values, slopes_of_y, dy.row, a.v.at(at[2], b.begin), a.v.row, T{0},
           work.slopes, b.width);
    for (std::int64_t r = 0; r < b.rows; ++r) {
      const std::int64_t n = in_sight(a, b, r);
      T *scores = work.scores + r * b.width, *slope = work.slopes + r * b.width;
      const Vector<T> about(lse[row + r]), dot(dots[r]);
      for_vectors<T>(n, [=](auto v) {
        const Vector<T> p = exponential(v.load(scores) - about);
        v.store(scores, p);
        if (slopes) v.store(slope, p * (v.load(slope) - dot));
      });
      std::fill(scores + n, scores + b.width, T{0});
      if (!slopes) continue;
      std::fill(slope + n, slope + b.width, T{0});
      if (g.mask != nullptr) std::copy_n(slope, b.width, g.mask + (row + r) * a.keys + b.begin);
    }
    if (g.v.data != nullptr)
      gemm(true, false, b.width, a.values, b.rows, work.scores, b.width, slopes_of_y, dy.row, T{1},
           g.v.at(b.batch, b.begin), g.v.row);
    if (g.q.data != nullptr)
      gemm(false, false, b.rows, a.features, b.width, work.slopes, b.width, a.k.at(at[1], b.begin), a.k.row, T{1},
           g.q.at(b.batch, b.first), g.q.row);
    if (g.k.data != nullptr)
      gemm(true, false, b.width, a.features, b.rows, work.slopes, b.width, work.q, a.features, T{1},
           g.k.at(b.batch, b.begin), g.k.row);
  };
  for_items(a, 1, 2.5 * a.flops(), [&](std::int64_t batch, std::int64_t, const std::int64_t* at, const Work<T>& work) {
    if (g.q.data != nullptr) clear_rows(g.q.at(batch), g.q.row, a.queries, a.features);
    if (g.k.data != nullptr) clear_rows(g.k.at(batch), g.k.row, a.keys, a.features);
    if (g.v.data != nullptr) clear_rows(g.v.at(batch), g.v.row, a.keys, a.values);
    if (g.mask != nullptr) std::fill_n(g.mask + batch * a.queries * a.keys, a.queries * a.keys, T{0});
    for (std::int64_t first = 0; first < a.queries; first += query_block) {
      const std::int64_t rows = std::min(query_block, a.queries - first);
      scale_rows(a.q.at(at[0], first), a.q.row, work.q, a.features, rows, a.features, a.scale);
      T dots[query_block];  // of each row's y and dy: what its scores' gradients have in common
      for (std::int64_t r = 0; r < rows; ++r) {
        const T *from = y.at(batch, first + r), *slope = dy.at(batch, first + r);
        dots[r] = static_cast<T>(row_dot<T>(
            a.values, [=](auto v) { return v.load(from); }, [=](auto v) { return v.load(slope); }));
      }
      const std::int64_t end = sighted_keys(a, first, rows);
      for (std::int64_t begin = 0; begin < end; begin += key_block)
        backward(at, {batch, first, rows, begin, std::min(key_block, end - begin)}, work, dots);
      if (g.q.data != nullptr) {
        T* const to = g.q.at(batch, first);
        scale_rows(to, g.q.row, to, g.q.row, rows, a.features, a.scale);
      }
    }
  });
}

#define WEFT_INSTANTIATE(T)                                                                                           \
  template void attention(const Attention<T>&, const Matrices<T>&, T*);                                               \
  template void attention_backward(const Attention<T>&, const Matrices<const T>&, const T*, const Matrices<const T>&, \
                                   const AttentionGradients<T>&);
WEFT_INSTANTIATE(float)
WEFT_INSTANTIATE(double)
#undef WEFT_INSTANTIATE

}  // namespace weft::detail
