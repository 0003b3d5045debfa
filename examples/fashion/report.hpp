#pragma once
// What a run, and runs beside it, came to: a table and a picture.
#include <string>
#include <vector>

/// A run's directory and what to call it.
struct RunDir {
  std::string dir, label;
};

/// The columns of a run's metrics.csv.
inline const std::vector<std::string> metrics_columns = {
    "epoch", "train_loss", "train_accuracy", "test_loss", "test_accuracy", "learning_rate", "seconds"};

/// Throws weft::Error unless the directory holds a run that can be compared.
void check_run(const std::string& dir);

/// Prints a line a run: epochs, losses, accuracies, time. Throws weft::Error if a run's metrics cannot be read.
void print_table(const std::vector<RunDir>& runs);

/// Draws the runs' losses and accuracies over the epochs into a PNG file with gnuplot; the script stays beside it.
/// False if gnuplot is missing or fails.
bool draw_curves(const std::vector<RunDir>& runs, const std::string& png);
