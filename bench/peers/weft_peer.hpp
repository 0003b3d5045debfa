#pragma once
// The groups of weft's peer that train whole nets (weft_peer_nets.cpp).
#include "measure.hpp"

namespace peers {

inline void report(const std::string& name, double seconds, const Unit& unit) { report("weft", name, seconds, unit); }

void mlp();
void small_mlp();
void resnet20();
void resnet20_channels_last();
void resnet20_fashion();
void resnet110();
void regression_mlp();
void resnet1202();
void densenet40();
void densenet40_recompute();
void sequences();
void transformer();

}  // namespace peers
