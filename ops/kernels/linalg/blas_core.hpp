#pragma once
// Which of its processor-specific kernels OpenBLAS uses.

namespace weft::detail {

/// Where OpenBLAS does not know the processor, and so fell back to kernels for the oldest, chooses those for the vector
/// instructions that there are; true if it did. Call before any product, on one thread. OPENBLAS_CORETYPE has the last
/// word.
bool choose_blas_core();

}  // namespace weft::detail
