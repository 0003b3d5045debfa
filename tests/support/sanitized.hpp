#pragma once
// Whether the address sanitizer watches: it is slow and looks at memory, not numbers: one pass of each kind is enough
// for it, and freed memory is not kept for reuse. The environment says so, as one build of a test runs with and
// without.
#include <cstdlib>

namespace weft::test {

inline const bool sanitized = std::getenv("WEFT_SANITIZED") != nullptr;

}  // namespace weft::test
