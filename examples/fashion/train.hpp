#pragma once
// The run itself.
#include "options.hpp"

/// Where the run of these options keeps its checkpoint.
std::string checkpoint_path(const Options& options);

/// Trains to the end, or until an interrupt; every epoch's figures and checkpoint are in options.out then. False if
/// interrupted.
bool train(const Options& options);
