#pragma once
// Readers of published image data sets. Nothing is downloaded: the files have to be there.
#include <weft/nn/data/dataset.hpp>

#include <string>

namespace weft::nn {

/// x f32 {n, height, width, 1} in 0..1, y i64 {n}, classes 0 to 9, from {train,t10k}-{images-idx3,labels-idx1}-ubyte,
/// gzipped or not. Throws Error if a file is missing, damaged or does not fit the other.
Dataset mnist(const std::string& dir, Split split);

/// The same for Fashion-MNIST (Xiao, Rasul, Vollgraf 2017), whose files have the same names. Debian's
/// dataset-fashion-mnist puts them into /usr/share/datasets/fashion-mnist.
Dataset fashion_mnist(const std::string& dir, Split split);

/// x f32 {n, 32, 32, 3} in 0..1, y i64 {n}, classes 0 to 9, from data_batch_{1..5}.bin or test_batch.bin in `dir` or
/// its cifar-10-batches-bin (the "binary version", Krizhevsky 2009). Throws Error if a file is missing or damaged.
Dataset cifar10(const std::string& dir, Split split);

/// Which of CIFAR-100's labels: 100 classes, or the 20 groups of five that they make.
enum class Cifar100Labels : std::uint8_t { fine, coarse };

/// The same for CIFAR-100, classes 0 to 99 (or 0 to 19), from train.bin or test.bin in `dir` or its cifar-100-binary.
Dataset cifar100(const std::string& dir, Split split, Cifar100Labels labels = Cifar100Labels::fine);

}  // namespace weft::nn
