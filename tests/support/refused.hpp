#pragma once
// What a reader of files says of one that it refuses.
#include <doctest/doctest.h>

#include <string>

#include <weft/engine/error.hpp>

/// The Error of read(path), one line that names the file; "no error" where there is none.
template <class F>
std::string refused(const std::string& path, F read) {
  try {
    read(path);
  } catch (const weft::Error& e) {
    std::string text = e.what();
    CHECK(text.find('\n') == std::string::npos);
    CHECK(text.find(path) != std::string::npos);
    return text;
  }
  return "no error";
}
