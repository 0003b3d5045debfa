#include <weft/engine/detail/parallel.hpp>
#include <weft/ops/kernels/loops/scratch.hpp>
#include <weft/ops/kernels/sort/sort.hpp>

#include <algorithm>
#include <bit>
#include <iterator>
#include <limits>
#include <numeric>
#include <type_traits>

namespace weft::detail {

namespace {

// A value and its position as one unsigned number, that compares as the pair does: no two are equal, so that any sort
// is stable, and comparing takes no branch.
__extension__ using Wide = unsigned __int128;

template <class T>
using KeyOf = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>;

// An unsigned number that compares as the value does.
template <class T>
KeyOf<T> key_of(T value) {
  using Key = KeyOf<T>;
  if constexpr (std::is_same_v<T, std::uint8_t>) {
    return value;
  } else {
    constexpr Key sign = Key{1} << (8 * sizeof(T) - 1);
    if constexpr (std::is_floating_point_v<T>) {
      if (value != value) return std::numeric_limits<Key>::max();
      const Key bits = std::bit_cast<Key>(value + T{0});  // -0 + 0 is 0
      return (bits & sign) != 0 ? ~bits : bits | sign;
    } else {
      return static_cast<Key>(value) ^ sign;
    }
  }
}

template <class Pair>
inline constexpr int position_bits = 4 * sizeof(Pair);

template <class Pair>
std::int64_t position_of(Pair pair) {
  return static_cast<std::int64_t>(pair & ((Pair{1} << position_bits<Pair>)-1));
}

// Sorts by one byte of the key after the other, the lowest first; each pass keeps the order of what is alike in its
// byte (Knuth, The Art of Computer Programming 3, 5.2.5). Gives `pairs` or `spare`, whichever holds the result.
template <class Pair>
Pair* sort_by_bytes(Pair* pairs, Pair* spare, std::int64_t n) {
  constexpr int bytes = position_bits<Pair> / 8;  // of the key: as many bits as of the position
  const auto byte_of = [](Pair pair, int b) {
    return static_cast<std::uint8_t>(pair >> (position_bits<Pair> + 8 * b));
  };
  std::int64_t places[bytes][256] = {};
  for (std::int64_t i = 0; i < n; ++i)
    for (int b = 0; b < bytes; ++b) ++places[b][byte_of(pairs[i], b)];
  for (int b = 0; b < bytes; ++b) {
    if (places[b][byte_of(pairs[0], b)] == n) continue;  // all alike
    std::exclusive_scan(std::begin(places[b]), std::end(places[b]), std::begin(places[b]), std::int64_t{0});
    for (std::int64_t i = 0; i < n; ++i) spare[places[b][byte_of(pairs[i], b)]++] = pairs[i];
    std::swap(pairs, spare);
  }
  return pairs;
}

// Calls arrange(pairs, spare) for each column's, which are in the order of the positions, and takes the positions of
// `count` pairs from where it says. There is room for as many at `spare`.
template <class Pair, class T, class Arrange>
void by_columns(const T* x, std::int64_t* out, Collapsed s, bool descending, std::int64_t count, Arrange arrange) {
  // Neighbouring columns are read together: a few cache lines of each row, as long as the pairs stay near.
  const std::int64_t width = std::clamp<std::int64_t>((1 << 17) / s.axis, 1, std::min<std::int64_t>(s.inner, 64));
  const std::int64_t strips = (s.inner + width - 1) / width, items = s.outer * strips;
  const std::int64_t cost =
      s.axis * width * static_cast<std::int64_t>(std::bit_width(static_cast<std::uint64_t>(s.axis)));
  const std::int64_t parts = std::clamp<std::int64_t>(items / grain_for(cost), 1, num_threads());
  const std::int64_t room = (width + 1) * s.axis;
  const ScratchOfParts<Pair> scratch(parts, room);
  const KeyOf<T> turned = descending ? ~KeyOf<T>{0} : KeyOf<T>{0};
  parallel_for(parts, 1, [=, &scratch](std::int64_t part, std::int64_t last) {
    Pair* const mine = scratch[part];
    for (std::int64_t k = items * part / parts; k < items * last / parts; ++k) {
      const std::int64_t o = k / strips, first = k % strips * width, columns = std::min(width, s.inner - first);
      const T* from = x + o * s.axis * s.inner + first;
      for (std::int64_t a = 0; a < s.axis; ++a)
        for (std::int64_t c = 0; c < columns; ++c)
          mine[c * s.axis + a] = Pair{key_of(from[a * s.inner + c]) ^ turned} << position_bits<Pair> | Pair(a);
      for (std::int64_t c = 0; c < columns; ++c) {
        const Pair* found = arrange(mine + c * s.axis, mine + width * s.axis);
        for (std::int64_t j = 0; j < count; ++j) out[(o * count + j) * s.inner + first + c] = position_of(found[j]);
      }
    }
  });
}

// The first pairs of what was shown, in order.
constexpr std::int64_t few = 16;
template <class Pair>
struct FirstFew {
  Pair pairs[few];
  std::int64_t count = 0;

  void insert(Pair pair, std::int64_t wanted) {
    std::int64_t at = std::min(count, wanted - 1);
    for (; at > 0 && pair < pairs[at - 1]; --at) pairs[at] = pairs[at - 1];
    pairs[at] = pair;
    count = std::min(count + 1, wanted);
  }
};

// The positions of the `count` first pairs of each column. Of most values only the keys are looked at, in blocks: of a
// column where it is contiguous, else across the columns.
template <bool contiguous, class Pair, class T>
void few_by_columns(const T* x, std::int64_t* out, Collapsed s, bool descending, std::int64_t count) {
  constexpr std::int64_t block = 64, together = contiguous ? 1 : block;
  using Key = KeyOf<T>;
  const Key turned = descending ? ~Key{0} : Key{0};
  const std::int64_t width = std::min(s.inner, together), strips = (s.inner + width - 1) / width;
  parallel_for(s.outer * strips, grain_for(s.axis * width), [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t k = begin; k < end; ++k) {
      const std::int64_t o = k / strips, first = k % strips * width, columns = std::min(width, s.inner - first);
      const T* const from = x + o * s.axis * s.inner + first;
      FirstFew<Pair> best[together];
      Key bounds[together], keys[block];  // what is not below a column's bound does not count: equal ones come later
      std::fill_n(bounds, together, std::numeric_limits<Key>::max());
      const auto show = [&](std::int64_t c, Key key, std::int64_t position) {
        if (best[c].count == count && key >= bounds[c]) return;
        best[c].insert(Pair{key} << position_bits<Pair> | Pair(position), count);
        if (best[c].count == count) bounds[c] = static_cast<Key>(best[c].pairs[count - 1] >> position_bits<Pair>);
      };
      for (std::int64_t a = 0; a < s.axis; a += contiguous ? block : 1) {
        const T* const at = from + a * s.inner;
        const std::int64_t n = contiguous ? std::min(block, s.axis - a) : columns;
        for (std::int64_t i = 0; i < n; ++i) keys[i] = key_of(at[i]) ^ turned;
        Key below = a < count ? 1 : 0;
        const Key bound = bounds[0];
        for (std::int64_t i = 0; i < n; ++i) below |= static_cast<Key>(keys[i] < (contiguous ? bound : bounds[i]));
        if (below == 0) continue;
        for (std::int64_t i = 0; i < n; ++i) contiguous ? show(0, keys[i], a + i) : show(i, keys[i], a);
      }
      for (std::int64_t c = 0; c < columns; ++c)
        for (std::int64_t j = 0; j < count; ++j)
          out[(o * count + j) * s.inner + first + c] = position_of(best[c].pairs[j]);
    }
  });
}

// With pairs as narrow as the values and the axis allow.
template <class T, class Use>
void with_pairs(Collapsed s, std::int64_t count, Use use) {
  if (s.outer == 0 || s.inner == 0 || count == 0) return;
  if constexpr (sizeof(T) < 8) {
    if (s.axis <= std::numeric_limits<std::uint32_t>::max()) return use(std::uint64_t{});
  }
  use(Wide{});
}

}  // namespace

template <class T>
void order_positions(const T* x, std::int64_t* out, Collapsed s, bool descending) {
  with_pairs<T>(s, s.axis, [=](auto pair) {
    by_columns<decltype(pair)>(x, out, s, descending, s.axis, [n = s.axis](auto* pairs, auto* spare) {
      if (n > 64) return sort_by_bytes(pairs, spare, n);
      std::sort(pairs, pairs + n);  // counting bytes would take longer
      return pairs;
    });
  });
}

template <class T>
void first_positions(const T* x, std::int64_t* out, Collapsed s, std::int64_t count, bool descending) {
  with_pairs<T>(s, count, [=](auto pair) {
    using Pair = decltype(pair);
    if (count <= few && s.axis >= 8 * count)
      return s.inner == 1 ? few_by_columns<true, Pair>(x, out, s, descending, count)
                          : few_by_columns<false, Pair>(x, out, s, descending, count);
    by_columns<Pair>(x, out, s, descending, count, [n = s.axis, count](auto* pairs, auto*) {
      std::nth_element(pairs, pairs + count - 1, pairs + n);
      std::sort(pairs, pairs + count);
      return pairs;
    });
  });
}

template <class T>
void ranked_positions(const T* x, std::int64_t* out, Collapsed s, std::int64_t rank, std::int64_t count) {
  with_pairs<T>(s, count, [=](auto pair) {
    using Pair = decltype(pair);
    by_columns<Pair>(x, out, s, false, count, [=, n = s.axis](Pair* pairs, Pair*) {
      if constexpr (std::is_floating_point_v<T>) {
        constexpr Pair nan = Pair{std::numeric_limits<KeyOf<T>>::max()};
        Pair* const found = std::find_if(pairs, pairs + n, [](Pair p) { return p >> position_bits<Pair> == nan; });
        if (found != pairs + n) {
          const Pair first = *found;
          pairs[0] = pairs[count - 1] = first;
          return pairs;
        }
      }
      std::nth_element(pairs, pairs + rank, pairs + n);
      if (count == 2) std::iter_swap(pairs + rank + 1, std::min_element(pairs + rank + 1, pairs + n));
      return pairs + rank;
    });
  });
}

#define WEFT_INSTANTIATE(T)                                                              \
  template void order_positions(const T*, std::int64_t*, Collapsed, bool);               \
  template void first_positions(const T*, std::int64_t*, Collapsed, std::int64_t, bool); \
  template void ranked_positions(const T*, std::int64_t*, Collapsed, std::int64_t, std::int64_t);
WEFT_INSTANTIATE(float)
WEFT_INSTANTIATE(double)
WEFT_INSTANTIATE(std::int64_t)
WEFT_INSTANTIATE(std::uint8_t)
#undef WEFT_INSTANTIATE

}  // namespace weft::detail
