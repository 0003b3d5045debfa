#pragma once
// The loader that hands out a data set in batches.
#include <weft/nn/data/dataset.hpp>

#include <memory>

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
  int prefetch = 2;        ///< batches prepared ahead, on a thread of their own; 0: none
};

/// Some examples, in the data set's dtypes.
struct Batch {
  Tensor x, y;
  std::int64_t size() const { return x.size(0); }
};

/// Goes over a data set in batches: `for (auto batch : loader)` is one epoch, the next such loop is the next one. A
/// loop may be left early. Throws Error on options or data that do not fit.
class DataLoader {
 public:
  explicit DataLoader(Dataset data, LoaderOptions options = {});

  /// Batches of a whole epoch.
  std::int64_t batches() const;
  const LoaderOptions& options() const;
  /// Number of the epoch that the next loop goes over, counted from 0.
  std::int64_t epoch() const { return epoch_; }
  /// Makes the next loop go over this epoch, from this batch on: for training that is taken up again.
  void seek(std::int64_t epoch, std::int64_t batch = 0);

  class Run;
  struct End {};
  /// An epoch under way.
  class Iterator {
   public:
    explicit Iterator(std::shared_ptr<Run> run);
    const Batch& operator*() const { return batch_; }
    const Batch* operator->() const { return &batch_; }
    Iterator& operator++();
    bool operator==(End) const { return !batch_.x.defined(); }

   private:
    std::shared_ptr<Run> run_;
    Batch batch_;
  };
  Iterator begin();
  End end() const { return {}; }

 private:
  struct Source;
  std::shared_ptr<const Source> source_;
  std::int64_t epoch_ = 0, first_batch_ = 0;
};

}  // namespace weft::nn
