#pragma once
// The loader that hands out a data set in batches.
#include <weft/nn/data/dataset.hpp>
#include <weft/nn/stateful.hpp>

#include <array>
#include <concepts>
#include <tuple>

namespace weft::detail {

// How many tensors an example of this type is; 0 if it is something else.
template <class T>
inline constexpr int tensors_in = 0;
template <>
inline constexpr int tensors_in<Tensor> = 1;
template <class... Parts>
inline constexpr int tensors_in<std::tuple<Parts...>> = (std::same_as<std::remove_cvref_t<Parts>, Tensor> && ...)
                                                            ? int{sizeof...(Parts)}
                                                            : 0;
template <class First, class Second>
inline constexpr int tensors_in<std::pair<First, Second>> = tensors_in<std::tuple<First, Second>>;
template <std::size_t n>
inline constexpr int tensors_in<std::array<Tensor, n>> = int{n};

// A data set of somebody's own. Not a Tensor, whose size() counts elements.
template <class Data>
concept IsData = !std::derived_from<Data, nn::Dataset> && !std::same_as<Data, Tensor> && requires(Data & data) {
  { data.size() } -> std::convertible_to<std::int64_t>;
  data[data.size()];
};

// The same, whatever its type.
struct Examples {
  std::int64_t size;
  int tensors;  // an example
  std::function<Tensors(std::int64_t)> example;
};

template <class Data>
Examples examples_of(Data data) {
  using Index = decltype(data.size());
  using Example = std::remove_cvref_t<decltype(data[data.size()])>;
  constexpr int n = tensors_in<Example>;
  static_assert(n > 0, "DataLoader: operator[] must give a Tensor, or a std::pair, tuple or array of Tensors");
  const auto size = static_cast<std::int64_t>(data.size());
  const auto kept = std::make_shared<Data>(std::move(data));
  return {size, n, [kept](std::int64_t i) -> Tensors {
            decltype(auto) example = (*kept)[static_cast<Index>(i)];
            if constexpr (std::same_as<Example, Tensor>)
              return {example};
            else
              return std::apply([](const auto&... tensors) { return Tensors{tensors...}; }, example);
          }};
}

}  // namespace weft::detail

namespace weft::nn {

/// What a DataLoader does to each image on its way into a batch, in this order.
struct Augment {
  int crop_padding = 0;  ///< shift by up to so many pixels each way, black moving in (pad, then random crop)
  bool flip = false;     ///< mirror left and right, every other image on average
  std::vector<double> mean = {}, stddev = {};  ///< (value - mean) / stddev, one number a channel; empty: as they are
};

/// Options of DataLoader.
struct LoaderOptions {
  std::int64_t batch_size = 32;
  bool shuffle = false;    ///< a new order each epoch
  std::uint64_t seed = 0;  ///< order and augmentation follow from it and the epoch's number alone
  bool drop_last = false;  ///< leave out a last batch that is not full
  Augment augment = {};    ///< needs x {n, height, width, channels}, f32 or f64
  int prefetch = 2;        ///< batches prepared ahead, on threads of their own; 0: none
  int threads = 1;         ///< that prepare them, each a batch at a time, so as many at least are prepared ahead
  int part =
      0;  ///< of each parts * batch_size examples in the epoch's order, the batch_size that this loader hands out
  int parts = 1;  ///< loaders, in processes of their own, that go over the data together; alike but for `part`
};

/// Some examples, in the data set's dtypes: all their first tensors stacked in x, all their second ones in y. `for
/// (auto [x, y] : loader)` takes it apart.
struct Batch {
  Tensor x, y;  ///< y is undefined where examples are one tensor
  std::int64_t size() const { return x.size(0); }
};

/// Goes over a data set in batches: `for (auto batch : loader)` is one epoch, the next such loop is the next one. A
/// loop may be left early. Throws Error on options or data that do not fit.
///
/// As a part of a checkpoint it goes on with the batch that the loop would have been given next:
///
///     for (auto epoch = loader.epoch(); epoch < epochs; ++epoch)  // from 0, or from the one that was loaded
///       for (auto [x, y] : loader) ...                            // from its first batch, or from there
///
/// So what is to be taken up in the midst of an epoch is saved inside the loop, before it is left.
class DataLoader : public Stateful {
 public:
  explicit DataLoader(Dataset data, LoaderOptions options = {});

  /// Over a data set of one's own: anything that has size() and whose operator[](i) gives example i as a Tensor, a
  /// std::pair, std::tuple or std::array of Tensors, each of the same shape and dtype in all examples of a batch (a
  /// label: `scalar(3, i64)`). The order is the same as over a Dataset; augmentation is of the first tensor, an image
  /// {height, width, channels}. The loader keeps `data`, a copy unless it is moved in; a std::span, or a struct of
  /// one's own with a pointer, refers to what is kept elsewhere.
  ///
  /// With prefetch, operator[] is called on threads of the loader's: with one, for one example at a time; with several,
  /// and by loops that run side by side, at the same time for different ones, in no order, so it may change nothing
  /// that they share. Nothing is recorded on the tape there, and tensor operations keep to that thread. What it throws,
  /// and the Error where examples differ in shape, arrives at the loop in the place of that batch. Draws of its own
  /// from the default generator come between those of the training loop: to repeat them, make a Generator from i.
  template <class Data>
    requires detail::IsData<Data>
  explicit DataLoader(Data data, LoaderOptions options = {})
      : DataLoader(detail::examples_of(std::move(data)), std::move(options)) {}

  /// Batches of a whole epoch. Of several parts, what does not fill a batch of each at the end is shared out as evenly
  /// as can be; where that is less than one example a part, some parts have one batch less.
  std::int64_t batches() const;
  const LoaderOptions& options() const;
  /// Sets part and parts for the loops that are begun from now on; the next one's first batch is that of the same
  /// examples, as when a state is loaded. Throws Error unless 0 <= part < parts.
  void share(int part, int parts);
  /// A number for what decides which examples each part is given: the options but `part`, and the data, as far as the
  /// loader holds them itself (of a data set of one's own, their number). Reads all data.
  std::uint64_t fingerprint() const;
  /// Number of the epoch that the next loop goes over, counted from 0.
  std::int64_t epoch() const { return epoch_; }
  /// Makes the next loop go over this epoch, from this batch on.
  void seek(std::int64_t epoch, std::int64_t batch = 0);
  /// Where it is, "epoch" and "batch", and what decides which examples a batch holds. While a loop runs (the last that
  /// was begun, if there are several) that is after the batch that it was given last, of which later ones may be
  /// prepared already; else where the next loop begins, wherever the last one was left.
  NamedTensors state() const override;
  /// Takes the state of a loader over as many examples, with the same shuffle, seed and batch_size, or parts *
  /// batch_size. Where that is another, it goes on with the first batch that has an example which none of those parts
  /// had been given.
  std::function<void()> prepare_load(const NamedTensors& state) override;

  class Run;
  struct End {};
  /// An epoch under way; Value is a Batch or a std::array of Tensors.
  template <class Value>
  class IteratorOf {
   public:
    explicit IteratorOf(std::shared_ptr<Run> run) : run_(std::move(run)) { ++*this; }
    const Value& operator*() const { return value_; }
    const Value* operator->() const { return &value_; }
    IteratorOf& operator++() {
      value_ = {};  // its memory serves the batch that is asked for next
      Tensors batch = next(*run_);
      more_ = !batch.empty();
      if (more_) unpack(batch, value_);
      return *this;
    }
    bool operator==(End) const { return !more_; }

   private:
    std::shared_ptr<Run> run_;
    Value value_;
    bool more_ = false;
  };
  using Iterator = IteratorOf<Batch>;
  /// Throws Error if examples are more than two tensors: see as().
  Iterator begin();
  End end() const { return {}; }

  /// The same loop over examples of n tensors: `for (auto [image, box, label] : loader.as<3>())`, each a std::array.
  /// Throws Error unless examples are n tensors.
  template <int n>
  auto as() & {
    check_tensors(n);
    struct Loop {
      DataLoader& loader;
      auto begin() { return IteratorOf<std::array<Tensor, n>>(loader.start()); }
      End end() const { return {}; }
    };
    return Loop{*this};
  }

 private:
  struct Source;
  DataLoader(detail::Examples examples, LoaderOptions options);
  DataLoader(Source source);
  void check_tensors(int wanted) const;
  void check_place(const char* op, std::int64_t epoch, std::int64_t batch) const;
  std::shared_ptr<Run> start();
  static Tensors next(Run& run);
  static void unpack(Tensors& from, Batch& to) {
    to.x = std::move(from[0]);
    if (from.size() > 1) to.y = std::move(from[1]);
  }
  template <std::size_t n>
  static void unpack(Tensors& from, std::array<Tensor, n>& to) {
    for (std::size_t i = 0; i < n; ++i) to[i] = std::move(from[i]);
  }

  std::shared_ptr<const Source> source_;
  std::int64_t epoch_ = 0, first_batch_ = 0;  // of the next loop
  std::weak_ptr<Run> run_;                    // of the last loop
};

}  // namespace weft::nn
