#include <weft/ops/detail/routine.hpp>

#include <algorithm>
#include <numeric>
#include <optional>

#include <weft/engine/detail/parallel.hpp>
#include <weft/ops/kernels/elementwise/map.hpp>
#include <weft/ops/kernels/loops/scratch.hpp>
#include <weft/ops/kernels/loops/strided.hpp>
#include <weft/ops/kernels/simd/rows.hpp>
#include <weft/ops/kernels/simd/stream.hpp>
#include <weft/ops/reshape.hpp>

namespace weft::detail {
namespace {

template <class T>
constexpr std::int64_t block_size = 4096 / static_cast<std::int64_t>(sizeof(T));  // elements of a register
constexpr std::int64_t chunk_size = 1 << 14;                                      // elements that are one thread's
constexpr std::int64_t longest_summed_row = 4096;
constexpr std::int64_t second_cache = 1 << 18;  // bytes that surely lie in it

constexpr std::int64_t round_up(std::int64_t n, std::int64_t unit) { return (n + unit - 1) / unit * unit; }

// The ways in which inputs and sums lie under the whole shape, which is the first.
constexpr int max_patterns = 9;
class Patterns {
 public:
  explicit Patterns(const Shape& whole) : count_(1) { shapes_.fill(whole); }
  /// Its number; none if there are too many.
  std::optional<std::size_t> add(const Shape& shape) {
    const auto end = shapes_.begin() + static_cast<std::ptrdiff_t>(count_);
    const auto at = std::find(shapes_.begin(), end, shape);
    if (at == end) {
      if (count_ == max_patterns) return {};
      shapes_[count_++] = shape;
    }
    return static_cast<std::size_t>(at - shapes_.begin());
  }
  const std::array<Shape, max_patterns>& shapes() const { return shapes_; }

 private:
  std::array<Shape, max_patterns> shapes_;
  std::size_t count_;
};

enum class Sum { none, all, over_rows, along_rows };

template <class T>
struct Input {
  const T* from;
  std::int64_t size;
  std::size_t pattern;
};
template <class T>
struct Result {
  T* to;  // null: not written
  Sum sum = Sum::none;
  bool is_whole() const { return to != nullptr && sum == Sum::none; }
};

struct Block {
  std::int64_t row, rows, column, first, size;
};

// How the rows of a broadcast are cut: several short ones make a block, or several blocks a long one.
struct Cut {
  BroadcastRows<max_patterns> loop;
  std::int64_t inner, rows, rows_in_block, piece, pieces, blocks, blocks_in_chunk, chunks;

  Cut(const Shape& shape, const Patterns& patterns, std::int64_t block, std::int64_t line_size, bool rows_stay_together)
      : loop(shape, patterns.shapes()), inner(loop.inner.size), rows(loop.rows.count()) {
    rows_in_block = std::max<std::int64_t>(1, block / std::max<std::int64_t>(inner, 1));
    const std::int64_t whole = line_size / std::gcd(line_size, std::max<std::int64_t>(inner, 1));
    if (rows_in_block >= whole) rows_in_block = rows_in_block / whole * whole;
    rows_in_block = std::min(rows_in_block, std::max<std::int64_t>(rows, 1));
    piece = std::min(inner, block);
    pieces = inner > block ? (inner + block - 1) / block : 1;
    blocks = inner == 0 ? 0 : pieces > 1 ? rows * pieces : (rows + rows_in_block - 1) / rows_in_block;
    blocks_in_chunk = std::max<std::int64_t>(1, chunk_size / std::max<std::int64_t>(1, piece * rows_in_block));
    if (rows_stay_together && pieces > 1) blocks_in_chunk = round_up(blocks_in_chunk, pieces);
    chunks = (blocks + blocks_in_chunk - 1) / blocks_in_chunk;
  }

  Block block(std::int64_t b) const {
    if (pieces == 1) {
      const std::int64_t row = b * rows_in_block, count = std::min(rows_in_block, rows - row);
      return {row, count, 0, row * inner, count * inner};
    }
    const std::int64_t row = b / pieces, column = b % pieces * piece;
    return {row, 1, column, row * inner + column, std::min(piece, inner - column)};
  }
  /// Elements of the sum over rows that a block adds to.
  std::int64_t width() const { return pieces > 1 ? inner : inner * rows_in_block; }
  bool stays_in_row(std::size_t pattern) const { return loop.inner.step[pattern] == 0; }
  bool same_in_rows(std::size_t pattern) const {
    for (int i = 0; i < loop.rows.rank(); ++i)
      if (loop.rows[i].step[pattern] != 0) return false;
    return true;
  }
};

template <class T>
T sum_of(const T* from, std::int64_t n) {
  const auto add = [](const Vector<T>& a, const Vector<T>& b) { return a + b; };
  const auto step = [&](const Vector<T>& a, auto at) { return a + at.load(from); };
  return fold_lanes<T>(fold_vectors<T>(0, n, Vector<T>(T{0}), step, add), add);
}

template <class T>
void add_to(T* sum, const T* from, std::int64_t n) {
  for_vectors<T>(n, [&](auto at) { at.store(sum, at.load(sum) + at.load(from)); });
}

// One run of a routine over memory.
template <class T>
class Run {
 public:
  Run(const Routine& routine, const Cut& cut, std::vector<Input<T>> inputs, std::vector<Result<T>> results,
      std::int64_t size)
      : routine_(routine), cut_(cut), inputs_(std::move(inputs)), results_(std::move(results)), size_(size) {
    std::int64_t whole = 0;
    for (const Input<T>& input : inputs_) whole += input.pattern == 0 ? 1 : 0;
    for (const Result<T>& result : results_) whole += result.is_whole() ? 1 : 0;
    const std::int64_t bytes = whole * size * static_cast<std::int64_t>(sizeof(T));
    streamed_ = is_streamed(bytes);
    fetches_ = bytes > second_cache;
    for (const Result<T>& result : results_)
      if (result.sum == Sum::all || result.sum == Sum::over_rows) ++kept_sums_;
  }

  void operator()() const {
    const std::int64_t chunks = cut_.chunks;
    const std::int64_t width = round_up(std::max(cut_.width(), line<T>), line<T>);
    const Scratch<T> sums(std::max<std::int64_t>(1, kept_sums_ * chunks * width));
    const std::int64_t per_chunk = memory_of_chunk();
    const std::int64_t most = std::min<std::int64_t>(chunks, num_threads());
    const ScratchOfParts<T> memory(most, std::max<std::int64_t>(1, per_chunk));
    // Threads are told apart by where their part begins.
    parallel_for(most, 1, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t part = first; part < last; ++part) {
        Worker worker(*this, memory[part]);
        for (std::int64_t c = chunks * part / most; c < chunks * (part + 1) / most; ++c)
          worker.run_chunk(c, sums.data(), width);
      }
    });
    join_sums(sums.data(), width);
  }

 private:
  static constexpr std::int64_t block = block_size<T>;

  std::int64_t memory_of_chunk() const {
    const auto lines = static_cast<std::int64_t>(routine_.constants().size() + inputs_.size());
    return lines * line<T> + static_cast<std::int64_t>(routine_.register_count() + inputs_.size()) * block;
  }

  // What one thread has: registers, the places of the values, copies of what is broadcast.
  class Worker {
   public:
    Worker(const Run& run, T* memory) : run_(run), values_(places()), memory_(memory) {
      const Routine& routine = run.routine_;
      const std::size_t inputs = run.inputs_.size();
      for (std::size_t k = 0; k < inputs; ++k) splats_.push_back(take(line<T>));
      for (std::size_t c = 0; c < routine.constants().size(); ++c) {
        T* const at = take(line<T>);
        std::fill_n(at, line<T>, static_cast<T>(routine.constants()[c]));
        values_[inputs + c] = {at, 0};
      }
      for (std::size_t k = 0; k < inputs; ++k) copies_.push_back(take(block));
      for (std::uint32_t r = 0; r < routine.register_count(); ++r) registers_.push_back(take(block));
      for (std::size_t k = 0; k < inputs; ++k) prepare(k);
    }

    void run_chunk(std::int64_t chunk, T* sums, std::int64_t width) {
      std::size_t kept = 0;
      sums_.assign(run_.results_.size(), nullptr);
      for (std::size_t r = 0; r < sums_.size(); ++r) {
        const Sum sum = run_.results_[r].sum;
        if (sum != Sum::all && sum != Sum::over_rows) continue;
        sums_[r] = sums + (static_cast<std::int64_t>(kept++) * run_.cut_.chunks + chunk) * width;
        std::fill_n(sums_[r], width, T{0});
      }
      const std::int64_t first = chunk * run_.cut_.blocks_in_chunk;
      const std::int64_t last = std::min(run_.cut_.blocks, first + run_.cut_.blocks_in_chunk);
      const Block at_end = run_.cut_.block(last - 1);
      chunk_end_ = at_end.first + at_end.size;
      for (std::int64_t b = first; b < last; ++b) run_block(run_.cut_.block(b));
      if (run_.streamed_) end_of_stream();
    }

   private:
    std::size_t places() const {
      return run_.inputs_.size() + run_.routine_.constants().size() + run_.routine_.register_count();
    }
    T* take(std::int64_t count) {
      T* const taken = memory_;
      memory_ += count;
      return taken;
    }

    // What is the same in every block.
    void prepare(std::size_t k) {
      const Input<T>& input = run_.inputs_[k];
      const Cut& cut = run_.cut_;
      if (input.pattern == 0 || !cut.same_in_rows(input.pattern)) return;
      if (cut.stays_in_row(input.pattern)) {
        std::fill_n(splats_[k], line<T>, *input.from);
        values_[k] = {splats_[k], 0};
        ready_ |= std::uint64_t{1} << k;
      } else if (cut.pieces == 1) {
        copy_rows(copies_[k], input.from, cut.rows_in_block, 0, cut.inner, 1);
        fill_line(copies_[k], cut.rows_in_block * cut.inner);
        values_[k] = {copies_[k], -1};
        ready_ |= std::uint64_t{1} << k;
      }
    }
    // So that steps compute on numbers up to the end of the line.
    static void fill_line(T* at, std::int64_t n) { std::fill(at + n, at + round_up(n, line<T>), T{0}); }

    void place(std::size_t k, const T* from, std::int64_t offset, std::int64_t n) {
      const std::int64_t end = offset + round_up(n, line<T>);
      if (end <= round_up(run_.inputs_[k].size, line<T>)) {
        values_[k] = {from + offset, -1};
        return;
      }
      std::copy_n(from + offset, n, copies_[k]);
      fill_line(copies_[k], n);
      values_[k] = {copies_[k], -1};
    }

    void load(const Block& at) {
      const Cut& cut = run_.cut_;
      bool broadcast = false;
      for (std::size_t k = 0; k < run_.inputs_.size(); ++k) {
        if (run_.inputs_[k].pattern == 0)
          place(k, run_.inputs_[k].from, at.first, at.size);
        else
          broadcast |= (ready_ >> k & 1U) == 0;
      }
      if (!broadcast) return;
      cut.loop.rows.for_each_run(at.row, at.row + at.rows,
                                 [&](std::int64_t row, const std::int64_t* offsets, const auto& rows) {
                                   for (std::size_t k = 0; k < run_.inputs_.size(); ++k) {
                                     const Input<T>& input = run_.inputs_[k];
                                     const std::size_t pattern = input.pattern;
                                     if (pattern == 0 || (ready_ >> k & 1U) != 0) continue;
                                     const std::int64_t step = cut.loop.inner.step[pattern];
                                     if (at.rows == 1 && step != 0) {
                                       place(k, input.from, offsets[pattern] + at.column, at.size);
                                     } else if (at.rows == 1) {
                                       std::fill_n(splats_[k], line<T>, input.from[offsets[pattern]]);
                                       values_[k] = {splats_[k], 0};
                                     } else {
                                       copy_rows(copies_[k] + (row - at.row) * cut.inner, input.from + offsets[pattern],
                                                 rows.size, rows.step[pattern], cut.inner, step);
                                       values_[k] = {copies_[k], -1};
                                     }
                                   }
                                 });
      for (std::size_t k = 0; at.rows > 1 && k < run_.inputs_.size(); ++k)
        if (run_.inputs_[k].pattern != 0 && (ready_ >> k & 1U) == 0) fill_line(copies_[k], at.size);
    }

    // The next block's memory, while this one's is computed on.
    void fetch_ahead(const Block& at) const {
      const std::int64_t first = at.first + at.size, end = std::min(run_.size_, first + at.size);
      for (const Input<T>& input : run_.inputs_)
        for (std::int64_t i = first; input.pattern == 0 && i < end; i += line<T>) __builtin_prefetch(input.from + i);
      for (const Result<T>& result : run_.results_)
        for (std::int64_t i = first; result.is_whole() && !run_.streamed_ && i < end; i += line<T>)
          __builtin_prefetch(result.to + i, 1);
    }

    void run_block(const Block& at) {
      load(at);
      if (run_.fetches_) fetch_ahead(at);
      for (const Routine::Given& given : run_.routine_.given()) {
        if (run_.results_[given.result].to == nullptr) continue;
        const StepOperand<T> value = values_[given.place];
        T* const copy = spare_.data();
        for (std::int64_t i = 0; i < at.size; i += line<T>)
          std::copy_n(value.from + (i & value.goes_on), line<T>, copy + i);
        deliver(given.result, at, copy, false);
      }
      const std::int64_t whole = round_up(at.size, line<T>);
      const std::size_t before = run_.inputs_.size() + run_.routine_.constants().size();
      for (const Routine::Instruction& instruction : run_.routine_.instructions()) {
        StepOperand<T> in[Routine::most_operands];
        for (std::uint32_t k = 0; k < instruction.operand_count; ++k) in[k] = values_[instruction.operands[k]];
        T* out = registers_[instruction.out - before];
        const std::uint32_t first = instruction.results.empty() ? 0 : instruction.results[0];
        const bool direct = !instruction.results.empty() && goes_straight(first, at);
        if (direct) out = run_.results_[first].to + at.first;
        if (instruction.formula)
          instruction.formula->run(in, out, whole);
        else
          chain_of(instruction)(in, out, whole);
        values_[instruction.out] = {out, -1};
        for (const std::uint32_t r : instruction.results) deliver(r, at, out, direct && r == first);
      }
    }

    static ChainKernel<T> chain_of(const Routine::Instruction& instruction) {
      if constexpr (std::is_same_v<T, float>)
        return instruction.float_chain;
      else
        return instruction.double_chain;
    }

    // Whether a block's value can be written where the result is. Its last line may reach into the next block, if that
    // is written afterwards.
    bool goes_straight(std::uint32_t result, const Block& at) const {
      if (run_.results_[result].sum != Sum::none || run_.streamed_) return false;
      const std::int64_t end = at.first + round_up(at.size, line<T>);
      return at.size % line<T> == 0 || end <= chunk_end_ || (at.first % line<T> == 0 && end > run_.size_);
    }

    void deliver(std::uint32_t r, const Block& at, const T* value, bool written) {
      const Result<T>& result = run_.results_[r];
      switch (result.sum) {
        case Sum::none:
          if (!written) write(result.to + at.first, value, at.size);
          break;
        case Sum::all: *sums_[r] += sum_of(value, at.size); break;
        case Sum::over_rows: add_to(sums_[r] + at.column, value, at.size); break;
        case Sum::along_rows:
          for (std::int64_t row = 0; row < at.rows; ++row) {
            const T sum = sum_of(value + row * run_.cut_.inner, at.rows > 1 ? run_.cut_.inner : at.size);
            T& to = result.to[at.row + row];
            to = at.column == 0 ? sum : to + sum;
          }
      }
    }
    void write(T* to, const T* value, std::int64_t n) const {
      std::int64_t i = 0;
      if (run_.streamed_ && reinterpret_cast<std::uintptr_t>(to) % 64 == 0)
        for (; i + lanes<T> <= n; i += lanes<T>) stream<T>(to + i, Vector<T>::load_unaligned(value + i));
      std::copy_n(value + i, n - i, to + i);
    }

    const Run& run_;
    std::vector<StepOperand<T>> values_;
    T* memory_;
    std::vector<T*> splats_, copies_, registers_, sums_;
    std::vector<T> spare_ = std::vector<T>(run_.routine_.given().empty() ? 0 : static_cast<std::size_t>(block));
    std::int64_t chunk_end_ = 0;
    std::uint64_t ready_ = 0;  // inputs that are the same in every block
  };

  // The sums of the chunks, in double, in their order.
  void join_sums(const T* sums, std::int64_t width) const {
    std::vector<double> total;
    for (const Result<T>& result : results_) {
      if (result.sum != Sum::all && result.sum != Sum::over_rows) continue;
      const bool all = result.sum == Sum::all;
      const std::int64_t inner = all ? 1 : cut_.inner, used = all ? 1 : cut_.width();
      total.assign(static_cast<std::size_t>(inner), 0.0);
      for (std::int64_t c = 0; c < cut_.chunks; ++c, sums += width)
        for (std::int64_t row = 0; row < used; row += inner)
          for (std::int64_t i = 0; i < inner; ++i) total[static_cast<std::size_t>(i)] += sums[row + i];
      for (std::int64_t i = 0; i < inner; ++i) result.to[i] = static_cast<T>(total[static_cast<std::size_t>(i)]);
    }
  }

  const Routine& routine_;
  const Cut& cut_;
  std::vector<Input<T>> inputs_;
  std::vector<Result<T>> results_;
  std::int64_t size_;
  bool streamed_ = false, fetches_ = false;
  std::int64_t kept_sums_ = 0;
};

// How a result is summed to a pattern's shape within the pass, if it can be.
Sum sum_for(const Cut& cut, std::size_t pattern, std::int64_t size) {
  if (size == 1) return Sum::all;
  const bool stays = cut.stays_in_row(pattern);
  if (!stays && size == cut.inner && cut.inner <= longest_summed_row) return Sum::over_rows;
  if (stays && size == cut.rows) return Sum::along_rows;
  return Sum::none;
}

}  // namespace

Tensors Routine::run(const Tensors& inputs, DType dtype, const Shape& shape, const std::vector<Shape>& wanted) const {
  Patterns patterns(shape);
  Tensors in = inputs;
  std::vector<std::size_t> input_patterns;
  for (std::size_t k = 0; k < in.size(); ++k) {
    std::optional<std::size_t> pattern;
    if (k < 64) pattern = patterns.add(in[k].shape());
    if (!pattern && in[k].shape() != shape) in[k] = broadcast_to(in[k], shape);
    input_patterns.push_back(pattern.value_or(0));
  }
  std::vector<std::size_t> sum_patterns;
  for (const Shape& one : wanted) sum_patterns.push_back(patterns.add(one).value_or(0));
  Tensors results;
  visit_floating(dtype, [&](auto zero) {
    using T = decltype(zero);
    const bool sums = std::any_of(sum_patterns.begin(), sum_patterns.end(), [](std::size_t p) { return p != 0; });
    const Cut cut(shape, patterns, block_size<T>, line<T>, sums);
    std::vector<Input<T>> from;
    for (std::size_t k = 0; k < in.size(); ++k) from.push_back({data_of<T>(in[k]), in[k].size(), input_patterns[k]});
    std::vector<Result<T>> to;
    for (std::size_t r = 0; r < wanted.size(); ++r) {
      const Sum sum = sum_patterns[r] == 0 ? Sum::none : sum_for(cut, sum_patterns[r], wanted[r].size());
      const auto same = std::find_if(given_.begin(), given_.end(), [&](const Given& given) {
        return given.result == r && given.place < in.size() && in[given.place].shape() == shape && sum == Sum::none;
      });
      results.push_back(same != given_.end() ? in[same->place]
                                             : make_tensor("fused", sum == Sum::none ? shape : wanted[r], dtype));
      to.push_back({same != given_.end() ? nullptr : mutable_data_of<T>(results.back()), sum});
    }
    if (shape.size() > 0) return Run<T>(*this, cut, std::move(from), std::move(to), shape.size())();
    for (Tensor& result : results)
      if (result.size() > 0) result.zero_();  // sums of nothing
  });
  return results;
}

}  // namespace weft::detail
