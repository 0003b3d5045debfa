#pragma once
// How a net is trained: on all rows at once, in f64.
#include <cstdint>
#include <functional>

#include <weft/weft.hpp>

/// A net with or without a skip layer, with so many hidden units or none. Its weights are called "...weight".
using MakeNet = std::function<weft::nn::ModulePtr(std::int64_t inputs, bool skip, std::int64_t hidden)>;

/// Gives the weights their first values, uniform within 1 / sqrt(inputs of the layer), which follow from the seed alone
/// on any thread, and biases the value 0.
void draw_weights(weft::nn::Module& net, std::uint64_t seed);

/// Least mean squared error plus l2 times the sum of squared weights (not biases), by L-BFGS.
void fit(weft::nn::Module& net, const weft::nn::Dataset& rows, double l2, const weft::nn::LbfgsOptions& options);
/// The same with up to 100 iterations, which such nets end within or little changes after.
void fit(weft::nn::Module& net, const weft::nn::Dataset& rows, double l2);

/// Goes on from where the net is with l1 times the sum of absolute weights as its penalty: gradient descent with
/// momentum and the proximal step, which makes weights exactly zero.
void fit_l1(weft::nn::Module& net, const weft::nn::Dataset& rows, double l1);

/// Mean squared error; infinite where the net is not finite.
double error_of(weft::nn::Module& net, const weft::nn::Dataset& rows);

/// How far the net without hidden units, trained by L-BFGS without a penalty, ends from least squares: the largest
/// difference of a weight, with standardised columns.
double distance_from_least_squares(const MakeNet& make_net, const weft::nn::Dataset& data);
