#pragma once
// Pictures of a study, by gnuplot: NAME.svg and NAME.png, with the script NAME.gp beside them.
#include <string>
#include <vector>

namespace common {

/// A line or points, with its spread over seeds where low and high are given. Kinds of dashes and points differ, so
/// that it reads in black and white.
struct Series {
  std::string label;
  std::vector<double> x, y;
  std::vector<double> low = {}, high = {};  ///< of a band around the line; as many as y, or none
  enum class Look : unsigned char { line, points, line_and_points, steps } look = Look::line_and_points;
};

struct Axis {
  std::string label;
  bool logarithmic = false;
  double from = 0, to = 0;  ///< the range; both 0: what the data needs
};

/// One diagram. Names of axes say the units.
struct Figure {
  std::string name;   ///< of the files
  std::string title;  ///< what is seen
  Axis x, y;
  std::vector<Series> series;
  std::vector<std::string> x_names = {};  ///< names at x = 0, 1, 2, ... instead of numbers
  std::vector<double> level_lines = {};   ///< horizontal lines to compare with
  std::vector<Figure> beside = {};        ///< further diagrams to the right, in the same file
  std::string key = "top right";          ///< where the labels of the series stand, as gnuplot's `set key` has it
};

/// A field of values in colours from light to dark, each with its text.
struct HeatMap {
  std::string name, title, x_label, y_label, value_label;
  std::vector<std::string> x_names, y_names;
  std::vector<std::vector<double>> values;     ///< [y][x]
  std::vector<std::vector<std::string>> text;  ///< shown in the cells; empty: none
  bool around_zero = false;                    ///< colours for both signs, white at 0
};

/// Lines of equal height of a surface over a square grid.
struct Contours {
  std::string name, title, x_label, y_label;
  std::vector<double> x, y;
  struct Surface {
    std::string title;
    std::vector<std::vector<double>> height;  ///< [y][x]
  };
  std::vector<Surface> surfaces;  ///< beside one another, with the same levels
  std::vector<double> levels;
};

/// Writes the files into the directory; false if gnuplot is missing or fails.
bool draw(const Figure& figure, const std::string& directory);
bool draw(const HeatMap& map, const std::string& directory);
bool draw(const Contours& contours, const std::string& directory);

}  // namespace common
