#pragma once
// Whether the address sanitizer watches: it is slow and looks at memory, not numbers: one pass of each kind is enough
// for it.

namespace weft::test {

#ifdef __SANITIZE_ADDRESS__
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif

}  // namespace weft::test
