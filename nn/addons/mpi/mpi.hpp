#pragma once
// Training on several processes and machines by MPI: the target weft::mpi.
#include <weft/nn/addons/mpi/broadcast.hpp>
#include <weft/nn/addons/mpi/data_parallel.hpp>
#include <weft/nn/addons/mpi/world.hpp>
