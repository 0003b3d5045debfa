#pragma once
// What is said and drawn of the outcomes.
#include <string>
#include <vector>

#include "common/study.hpp"
#include "validate.hpp"

/// The table of the six models on one data set, and its picture.
void report_models(common::Study& study, const Outcome& outcome, const std::string& what);
/// The tables of the families and their comparisons over all data sets, a picture of the differences, and the verdict.
void report_families(common::Study& study, const std::vector<Outcome>& outcomes);
