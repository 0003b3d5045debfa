#include <weft/ops/kernels/linalg/outer_tile_impl.hpp>

namespace weft::detail {

template void run_outer_tile(std::int64_t, std::int64_t, const OuterTile<double>&);

}  // namespace weft::detail
