#pragma once
// Gzipped files.
#include <zlib.h>
#include <string>

inline void put_gzipped(const std::string& path, const std::string& bytes) {
  const gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
}
