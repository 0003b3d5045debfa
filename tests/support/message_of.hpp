#pragma once
// What an Error says.
#include <string>

#include <weft/engine/error.hpp>

/// The text of the Error that f() throws; empty where it throws none.
template <class F>
std::string message_of(F f) {
  try {
    f();
  } catch (const weft::Error& e) {
    return e.what();
  }
  return {};
}
