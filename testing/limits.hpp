#pragma once
// What the machine could do at best, measured: what an op's time is held against.
#include <weft/engine/dtype.hpp>

#include <cstdint>

namespace weft::testing {

/// Bytes a second that one thread reads and writes when it adds two arrays into a third, all three together of about
/// so many bytes: the rate of the cache, or of the memory, that holds them. Measured once for each power of two.
double stream_rate(std::int64_t bytes);

/// Floating-point operations a second, a multiplication with addition counted as two, of one thread that does nothing
/// else. Measured once.
double multiply_add_rate(DType dtype);

/// The least seconds in which one thread can do so many operations on so many bytes: the roofline (Williams, Waterman
/// and Patterson, CACM 2009).
double least_seconds(double operations, std::int64_t bytes, DType dtype);

}  // namespace weft::testing
