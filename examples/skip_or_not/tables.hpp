#pragma once
// The tables of the default run: real ones from Debian's packages, and one that is made.
#include <cstdint>
#include <string>
#include <vector>

#include <weft/nn/data/dataset.hpp>

struct NamedData {
  std::string name, what;  ///< what is predicted from what
  weft::nn::Dataset rows;  ///< x {rows, inputs}, y {rows, 1}, f64
};

/// Friedman's first function (Multivariate adaptive regression splines, Annals of Statistics 19, 1991), of ten inputs
/// uniform in [0, 1), of which five count: 10 sin(pi x1 x2) + 20 (x3 - 1/2)^2 + 10 x4 + 5 x5 + noise of deviation 1.
NamedData friedman(std::int64_t rows, std::uint64_t seed);

/// Those whose files are there, below the directory `root`; of the others a line on stderr says which package has them.
/// In quick mode the diabetes data alone.
std::vector<NamedData> debian_tables(const std::string& root, bool quick);
