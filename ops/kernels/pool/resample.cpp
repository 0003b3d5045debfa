// A row of the result is made in two steps: the rows of the input that it takes are summed over their whole width, then
// the columns. The first step has long vectors whatever the number of channels is, and reads each input row once for
// every row of the result that takes it.
#include <weft/engine/detail/parallel.hpp>
#include <weft/ops/kernels/loops/scratch.hpp>
#include <weft/ops/kernels/pool/resample.hpp>
#include <weft/ops/kernels/simd/rows.hpp>

#include <algorithm>
#include <utility>

namespace weft::detail {

namespace {

template <class T>
struct Sized {
  std::int64_t at;  // in elements
  T weight;
  bool operator==(const Sized&) const = default;
};

// Positions as offsets, weights as T.
template <class T>
std::vector<Sized<T>> sized(const Taps& taps, std::int64_t step) {
  std::vector<Sized<T>> all;
  all.reserve(static_cast<std::size_t>(taps.count()));
  if (taps.output() > 0)
    for (const Taps::Tap* t = taps.begin(0); t != taps.end(taps.output() - 1); ++t)
      all.push_back({t->at * step, static_cast<T>(t->weight)});
  return all;
}

template <class T>
bool is_copy(const Sized<T>* tap, std::int64_t count) {
  return count == 1 && tap->weight == T{1};
}

// y = the sum of x + at, weighted, over n elements.
template <class T>
void weighted_sum(const T* x, const Sized<T>* taps, std::int64_t count, T* y, std::int64_t n) {
  if (is_copy(taps, count)) return for_vectors<T>(n, [from = x + taps->at, y](auto v) { v.store(y, v.load(from)); });
  for_vectors<T>(n, [&](auto v) {
    Vector<T> sum(T{0});
    for (std::int64_t t = 0; t < count; ++t) sum = xsimd::fma(v.load(x + taps[t].at), Vector<T>(taps[t].weight), sum);
    v.store(y, sum);
  });
}

// One row of the result from one of the input's width. With few channels, known here, in numbers instead of vectors,
// most of whose lanes would be idle.
template <std::int64_t Channels, class T>
void short_pixels(const T* x, const Sized<T>* tap, const Taps& columns, T* y) {
  const Sized<T>* const first = tap;
  for (std::int64_t w = 0; w < columns.output(); ++w, y += Channels) {
    const Sized<T>* const end = first + (columns.end(w) - columns.begin(0));
    T sum[Channels] = {};
    if (end - tap == 1 && tap->weight == T{1}) {
      for (std::int64_t c = 0; c < Channels; ++c) sum[c] = x[tap->at + c];
      ++tap;
    }
    for (; tap < end; ++tap)
      for (std::int64_t c = 0; c < Channels; ++c) sum[c] += x[tap->at + c] * tap->weight;
    for (std::int64_t c = 0; c < Channels; ++c) y[c] = sum[c];
  }
}
template <class T>
void pixels(const T* x, const Sized<T>* taps, const Taps& columns, T* y, std::int64_t channels) {
  switch (channels) {
    case 1: return short_pixels<1>(x, taps, columns, y);
    case 2: return short_pixels<2>(x, taps, columns, y);
    case 3: return short_pixels<3>(x, taps, columns, y);
    default:
      for (std::int64_t w = 0; w < columns.output(); ++w, y += channels) {
        const std::int64_t count = columns.end(w) - columns.begin(w);
        weighted_sum(x, taps, count, y, channels);
        taps += count;
      }
  }
}

}  // namespace

Taps Taps::identity(std::int64_t size) {
  Taps taps(size);
  for (std::int64_t i = 0; i < size; ++i) {
    taps.add(i, 1);
    taps.next();
  }
  return taps;
}

Taps Taps::transposed() const {
  Taps result(output());
  result.ends_.resize(static_cast<std::size_t>(input_));
  result.taps_.resize(taps_.size());
  for (const Tap& tap : taps_) ++result.ends_[static_cast<std::size_t>(tap.at)];
  std::int64_t before = 0;
  for (std::int64_t& end : result.ends_) before += std::exchange(end, before);
  // Each end starts as its beginning and moves with what is put there.
  for (std::int64_t o = 0; o < output(); ++o)
    for (const Tap* tap = begin(o); tap != end(o); ++tap)
      result.taps_[static_cast<std::size_t>(result.ends_[static_cast<std::size_t>(tap->at)]++)] = {o, tap->weight};
  return result;
}

template <class T>
void resample(const T* x, T* y, std::int64_t batch, std::int64_t channels, const Taps& rows, const Taps& columns) {
  const std::int64_t in_h = rows.input(), out_h = rows.output(), out_w = columns.output();
  const std::int64_t in_width = columns.input() * channels, out_width = out_w * channels;
  if (batch * out_h * out_width == 0) return;
  const std::vector<Sized<T>> down = sized<T>(rows, in_width), across = sized<T>(columns, channels);
  const std::int64_t cost = rows.count() / out_h * in_width + columns.count() * channels + out_width;
  const std::int64_t lines = batch * out_h, worth = std::max<std::int64_t>(1, lines / grain_for(cost));
  const std::int64_t parts = std::min<std::int64_t>({num_threads(), lines, worth});
  const ScratchOfParts<T> summed(parts, in_width);
  parallel_for(parts, 1, [&](std::int64_t part, std::int64_t last) {
    for (; part < last; ++part) {
      T* const sum = summed[part];
      for (std::int64_t line = lines * part / parts; line < lines * (part + 1) / parts; ++line) {
        const std::int64_t h = line % out_h;
        const Sized<T>* const vertical = down.data() + (rows.begin(h) - rows.begin(0));
        const std::int64_t count = rows.end(h) - rows.begin(h);
        const std::int64_t previous = h == 0 ? 0 : rows.begin(h) - rows.begin(h - 1);
        T* const to = y + line * out_width;
        if (h > 0 && line > lines * part / parts &&
            std::equal(vertical, vertical + count, vertical - previous, vertical)) {
          std::copy_n(to - out_width, out_width, to);  // as the row before, which nearest neighbours often are
          continue;
        }
        const T* from = x + line / out_h * in_h * in_width;
        if (is_copy(vertical, count)) {
          from += vertical->at;
        } else {
          weighted_sum(from, vertical, count, sum, in_width);
          from = sum;
        }
        pixels(from, across.data(), columns, to, channels);
      }
    }
  });
}

template void resample(const float*, float*, std::int64_t, std::int64_t, const Taps&, const Taps&);
template void resample(const double*, double*, std::int64_t, std::int64_t, const Taps&, const Taps&);

}  // namespace weft::detail
