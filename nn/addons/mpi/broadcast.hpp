#pragma once
// The same net on every rank.
#include <weft/nn/module.hpp>
#include <weft/nn/stateful.hpp>

namespace weft::mpi {

/// Gives the module of every rank the parameters and buffers of the first rank's. Throws Error on every rank, and has
/// changed nothing, unless all have the same names, shapes and dtypes.
void broadcast(nn::Module& module);
/// The same of the state of an optimiser, or of what else has one.
void broadcast(nn::Stateful& stateful);
/// broadcast(net, optimizer, schedule): one after the other.
template <class First, class Second, class... More>
void broadcast(First& first, Second& second, More&... more) {
  broadcast(first);
  broadcast(second, more...);
}

}  // namespace weft::mpi
