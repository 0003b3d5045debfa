#pragma once
// The run itself.
#include "options.hpp"

/// Trains to the end, or until an interrupt; every epoch's figures and checkpoint are in options.out then. False if
/// interrupted.
bool train(const Options& options);

/// Ends the program by the signal that interrupted train, if one did: a shell script that called it then stops too.
void end_if_interrupted();
