#pragma once
// weft: tensors, a tape that differentiates what was computed on them, and neural networks whose shortcuts are ordinary
// edges of the graph.
#include <weft/engine/backward.hpp>
#include <weft/engine/checkpoint.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/files.hpp>
#include <weft/engine/functional.hpp>
#include <weft/engine/grad_mode.hpp>
#include <weft/engine/gradcheck.hpp>
#include <weft/engine/graph.hpp>
#include <weft/engine/memory.hpp>
#include <weft/engine/observer.hpp>
#include <weft/engine/op.hpp>
#include <weft/engine/profile.hpp>
#include <weft/engine/random.hpp>
#include <weft/engine/recompute.hpp>
#include <weft/engine/scope.hpp>
#include <weft/engine/tensor.hpp>
#include <weft/engine/threads.hpp>
#include <weft/nn/nn.hpp>
#include <weft/ops/ops.hpp>
