#pragma once
// What a reader of files says of one that it refuses.
#include <doctest/doctest.h>
#include <tests/support/message_of.hpp>

/// The Error of read(path), one line that names the file; "no error" where there is none.
template <class F>
std::string refused(const std::string& path, F read) {
  std::string text = message_of([&] { read(path); });
  if (text.empty()) return "no error";
  CHECK(text.find('\n') == std::string::npos);
  CHECK(text.find(path) != std::string::npos);
  return text;
}
