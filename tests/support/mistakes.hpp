#pragma once
// Bad input: each mistake gives one line that names the op, what it got and what it needs, and nothing changes.
#include <doctest/doctest.h>
#include <tests/support/message_of.hpp>

#include <functional>
#include <string>
#include <vector>

#include <weft/engine/memory.hpp>

namespace weft::test {

struct Mistake {
  std::string op;                           // how the message starts
  std::function<void()> f;                  // what is done wrongly
  std::vector<std::string> mentioned = {};  // what the message names
};

inline void check_all(const std::vector<Mistake>& mistakes) {
  for (const Mistake& mistake : mistakes) {
    const MemoryStats before = memory_stats();
    const std::string message = message_of(mistake.f);
    INFO(mistake.op, ": \"", message, "\"");
    CHECK(message.rfind(mistake.op + ":", 0) == 0);
    CHECK(message.find('\n') == std::string::npos);
    for (const std::string& text : mistake.mentioned) CHECK(message.find(text) != std::string::npos);
    const MemoryStats after = memory_stats();
    CHECK(after.nodes == before.nodes);
    CHECK(after.storages == before.storages);
  }
}

}  // namespace weft::test
