#include <weft/nn/data/datasets.hpp>

#include <algorithm>
#include <vector>

#include <weft/engine/detail/parallel.hpp>
#include <weft/nn/data/idx.hpp>
#include <weft/nn/files/detail/input_file.hpp>
#include <weft/ops/reshape.hpp>

namespace weft::nn {
namespace {

std::string plain_or_gzipped(const std::string& dir, const std::string& name) {
  const std::string plain = dir + "/" + name;
  return !detail::file_exists(plain) && detail::file_exists(plain + ".gz") ? plain + ".gz" : plain;
}

Tensor checked_labels(const char* op, const std::string& path, const Tensor& bytes, int classes) {
  const auto given = bytes.data<std::uint8_t>();
  const auto bad = std::find_if(given.begin(), given.end(), [=](std::uint8_t label) { return label >= classes; });
  if (bad != given.end())
    fail(op, ": ", path, " has label ", int{*bad}, " at image ", bad - given.begin(), ", needs 0 to ", classes - 1);
  return bytes.to(i64);
}

float scaled_byte(std::uint8_t byte) { return static_cast<float>(byte) / 255.0F; }

// 0..255 as 0..1, in one pass: the images are the large part of a program's memory.
Tensor scaled(const Tensor& bytes) {
  Tensor x = detail::make_tensor("dataset", bytes.shape(), f32);
  const std::uint8_t* const from = detail::data_of<std::uint8_t>(bytes);
  float* const to = detail::mutable_data_of<float>(x);
  detail::parallel_for(x.size(), detail::grain_for(1), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) to[i] = scaled_byte(from[i]);
  });
  return x;
}

Dataset idx_pair(const char* op, const std::string& dir, Split split) {
  const std::string prefix = split == Split::train ? "train" : "t10k";
  const std::string image_path = plain_or_gzipped(dir, prefix + "-images-idx3-ubyte");
  const std::string label_path = plain_or_gzipped(dir, prefix + "-labels-idx1-ubyte");
  const Tensor labels = read_idx(label_path);
  if (labels.rank() != 1 || labels.dtype() != u8)
    fail(op, ": ", label_path, " holds ", labels.dtype(), " ", labels.shape(), ", needs bytes {n}");
  const Tensor images = read_idx(image_path);
  if (images.rank() != 3 || images.dtype() != u8)
    fail(op, ": ", image_path, " holds ", images.dtype(), " ", images.shape(), ", needs bytes {n, height, width}");
  if (images.size(0) != labels.size(0))
    fail(op, ": ", image_path, " holds ", images.size(0), " images, ", label_path, " ", labels.size(0), " labels");

  return {scaled(reshape(images, {images.size(0), images.size(1), images.size(2), 1})),
          checked_labels(op, label_path, labels, 10)};
}

// One of the CIFARs in its binary version: records of labels and one image.
struct Cifar {
  const char* op;
  std::string inner;  // directory in the archive
  std::vector<std::string> files;
  std::int64_t images;  // of a file
  std::int64_t labels;  // of a record
  std::int64_t label;   // that is wanted
  int classes;
};

Dataset read_cifar(const Cifar& set, const std::string& dir) {
  constexpr std::int64_t side = 32, channels = 3, pixels = side * side;
  const std::int64_t record = set.labels + channels * pixels;
  const std::string inner = dir + "/" + set.inner;
  const bool unpacked = !detail::file_exists(dir + "/" + set.files[0]) && detail::file_exists(inner);

  Tensor x;
  Tensors labels;
  for (std::size_t number = 0; number < set.files.size(); ++number) {
    const std::string path = (unpacked ? inner : dir) + "/" + set.files[number];
    detail::InputFile file(set.op, path);
    const auto bytes = static_cast<std::size_t>(set.images * record);
    file.expect(bytes);
    const Tensor records = detail::make_tensor(set.op, {set.images, record}, u8);
    auto* const data = detail::mutable_data_of<std::uint8_t>(records);
    file.read(data, bytes);
    file.expect_end();
    const Tensor given = reshape(slice(records, 1, set.label, set.label + 1), {set.images});
    labels.push_back(checked_labels(set.op, path, given, set.classes));

    const auto files = static_cast<std::int64_t>(set.files.size());
    if (!x.defined()) x = detail::make_tensor(set.op, {files * set.images, side, side, channels}, f32);
    float* const images =
        detail::mutable_data_of<float>(x) + static_cast<std::int64_t>(number) * set.images * channels * pixels;
    // The file has one plane a colour, weft keeps a pixel's colours together.
    detail::parallel_for(set.images, detail::grain_for(channels * pixels), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        for (std::int64_t c = 0; c < channels; ++c)
          for (std::int64_t p = 0; p < pixels; ++p)
            images[(i * pixels + p) * channels + c] = scaled_byte(data[i * record + set.labels + c * pixels + p]);
    });
  }
  return {x, concat(labels, 0)};
}

}  // namespace

Dataset mnist(const std::string& dir, Split split) { return idx_pair("mnist", dir, split); }
Dataset fashion_mnist(const std::string& dir, Split split) { return idx_pair("fashion_mnist", dir, split); }

Dataset cifar10(const std::string& dir, Split split) {
  std::vector<std::string> files = {"test_batch.bin"};
  if (split == Split::train) {
    files.clear();
    for (int i = 1; i <= 5; ++i) files.push_back("data_batch_" + std::to_string(i) + ".bin");
  }
  return read_cifar({"cifar10", "cifar-10-batches-bin", std::move(files), 10000, 1, 0, 10}, dir);
}

Dataset cifar100(const std::string& dir, Split split, Cifar100Labels labels) {
  const bool train = split == Split::train, fine = labels == Cifar100Labels::fine;
  return read_cifar({"cifar100",
                     "cifar-100-binary",
                     {train ? "train.bin" : "test.bin"},
                     train ? 50000 : 10000,
                     2,
                     fine ? 1 : 0,
                     fine ? 100 : 20},
                    dir);
}

}  // namespace weft::nn
