#include "figure.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <fstream>

namespace common {
namespace {

// A string for gnuplot: single quotes know one escape, the doubled quote.
std::string quoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? std::string("''") : std::string(1, c);
  return result + "'";
}

std::string number(double value) { return std::isfinite(value) ? fmt::format("{:.10g}", value) : "NaN"; }

std::string axis(char name, const Axis& of) {
  std::string text = fmt::format("set {}label {}\n", name, quoted(of.label));
  text += of.logarithmic ? fmt::format("set logscale {0}\nset format {0} '10^{{%L}}'\n", name)
                         : fmt::format("unset logscale {0}\nset format {0} '%g'\n", name);
  text += of.from != 0 || of.to != 0 ? fmt::format("set {}range [{}:{}]\n", name, number(of.from), number(of.to))
                                     : fmt::format("set {}range [*:*]\n", name);
  return text;
}

// Data blocks have names of their own in one script.
struct Script {
  std::string data, plots;
  int blocks = 0;

  std::string block(const std::vector<std::vector<double>>& columns) {
    const std::string name = fmt::format("$d{}", ++blocks);
    data += name + " << EOD\n";
    for (std::size_t i = 0; i < columns[0].size(); ++i) {
      for (const auto& column : columns) data += number(column[i]) + " ";
      data += "\n";
    }
    data += "EOD\n";
    return name;
  }
};

// Told apart without colours, and by those who see few of them (Okabe and Ito's).
constexpr const char* colours[] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9"};
constexpr int points[] = {7, 5, 9, 13, 2, 4, 6};

void add_diagram(Script& script, const Figure& figure) {
  std::string& text = script.plots;
  text += fmt::format("set title {}\nset key {}\n{}{}", quoted(figure.title), figure.key, axis('x', figure.x),
                      axis('y', figure.y));
  if (!figure.x_names.empty()) {
    text += "set xtics (";
    for (std::size_t i = 0; i < figure.x_names.size(); ++i)
      text += fmt::format("{}{} {}", i == 0 ? "" : ", ", quoted(figure.x_names[i]), i);
    text += fmt::format(") rotate by -30\nset xrange [-0.5:{}]\n", static_cast<double>(figure.x_names.size()) - 0.5);
  } else {
    text += "set xtics autofreq norotate\n";
  }
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < figure.series.size(); ++i) {
    const Series& s = figure.series[i];
    const std::string look = fmt::format("lc rgb '{}'", colours[i % std::size(colours)]);
    if (!s.low.empty()) {
      const std::string band = script.block({s.x, s.low, s.high});
      const bool bars = s.look == Series::Look::points;
      if (!bars)
        parts.push_back(
            fmt::format("{} using 1:2:3 with filledcurves {} fs transparent solid 0.15 notitle", band, look));
      if (bars)
        parts.push_back(fmt::format("{} using 1:(($2+$3)/2):2:3 with yerrorbars {} pt 0 lw 1.5 notitle", band, look));
    }
    const std::string values = script.block({s.x, s.y});
    const std::string how =
        s.look == Series::Look::line     ? fmt::format("lines lw 2 dt {}", i % 5 + 1)
        : s.look == Series::Look::points ? fmt::format("points pt {} ps 0.8", points[i % std::size(points)])
        : s.look == Series::Look::steps
            ? fmt::format("steps lw 2 dt {}", i % 5 + 1)
            : fmt::format("linespoints lw 2 dt {} pt {} ps 0.8", i % 5 + 1, points[i % std::size(points)]);
    parts.push_back(fmt::format("{} using 1:2 with {} {} title {}", values, how, look, quoted(s.label)));
  }
  for (const double level : figure.level_lines)
    parts.push_back(fmt::format("{} with lines lc rgb '#888888' dt 3 notitle", number(level)));
  text += "plot " + fmt::format("{}", fmt::join(parts, ", \\\n     ")) + "\n";
}

bool run_gnuplot(const std::string& script, const std::string& directory, const std::string& name) {
  std::ofstream(directory + "/" + name + ".gp") << script;
  const auto before = std::signal(SIGPIPE, SIG_IGN);  // a missing gnuplot is no reason to die
  std::FILE* const gnuplot = popen("gnuplot 2>/dev/null", "w");
  const bool written = gnuplot != nullptr && std::fputs(script.c_str(), gnuplot) >= 0;
  const bool drawn = gnuplot != nullptr && pclose(gnuplot) == 0 && written;
  std::signal(SIGPIPE, before);
  return drawn;
}

// The same plots to both kinds of file.
bool draw_both(const std::string& data, const std::string& plots, int columns, int width, int height,
               const std::string& directory, const std::string& name) {
  std::string script = data;
  const std::string out = directory + "/" + name;
  for (const bool svg : {true, false}) {
    script += svg ? fmt::format("set terminal svg size {},{} font 'sans-serif,13' background 'white'\n", width, height)
                  : fmt::format("set terminal pngcairo size {},{} font 'sans-serif,11'\n", width, height);
    script += fmt::format("set output {}\n", quoted(out + (svg ? ".svg" : ".png")));
    script += columns > 1 ? fmt::format("set multiplot layout 1,{}\n{}unset multiplot\n", columns, plots) : plots;
    script += "unset output\n";
  }
  return run_gnuplot(script, directory, name);
}

}  // namespace

bool draw(const Figure& figure, const std::string& directory) {
  Script script;
  script.plots = "set grid lc rgb '#dddddd'\nset key noenhanced\nset style fill transparent\n";
  add_diagram(script, figure);
  for (const Figure& other : figure.beside) add_diagram(script, other);
  const int columns = static_cast<int>(figure.beside.size()) + 1;
  return draw_both(script.data, script.plots, columns, columns == 1 ? 760 : 560 * columns, 460, directory, figure.name);
}

bool draw(const HeatMap& map, const std::string& directory) {
  Script script;
  std::vector<std::vector<double>> cells(3);
  std::string labels = "unset label\n", tics;
  double most = 0;
  for (std::size_t y = 0; y < map.values.size(); ++y)
    for (std::size_t x = 0; x < map.values[y].size(); ++x) {
      cells[0].push_back(static_cast<double>(x));
      cells[1].push_back(static_cast<double>(y));
      cells[2].push_back(map.values[y][x]);
      if (std::isfinite(map.values[y][x])) most = std::max(most, std::abs(map.values[y][x]));
      if (!map.text.empty())
        labels += fmt::format("set label {} at {},{} center front noenhanced\n", quoted(map.text[y][x]), x, y);
    }
  const auto names = [](char axis_name, const std::vector<std::string>& of) {
    std::string text = fmt::format("set {}tics (", axis_name);
    for (std::size_t i = 0; i < of.size(); ++i) text += fmt::format("{}{} {}", i == 0 ? "" : ", ", quoted(of[i]), i);
    return text + ") norotate\n" +
           fmt::format("set {}range [-0.5:{}]\n", axis_name, static_cast<double>(of.size()) - 0.5);
  };
  script.plots = fmt::format("set title {}\nset xlabel {}\nset ylabel {}\nset cblabel {}\nunset key\n{}{}{}",
                             quoted(map.title), quoted(map.x_label), quoted(map.y_label), quoted(map.value_label),
                             names('x', map.x_names), names('y', map.y_names), labels);
  script.plots += map.around_zero
                      ? fmt::format("set palette defined (-1 '#0072B2', 0 'white', 1 '#D55E00')\nset cbrange [{}:{}]\n",
                                    number(-most), number(most))
                      : std::string("set palette defined (0 'white', 1 '#0072B2')\n");
  script.plots += "plot " + script.block(cells) + " using 1:2:3 with image pixels\n";
  const int width =
      std::max({560, 260 + 80 * static_cast<int>(map.x_names.size()), 150 + 8 * static_cast<int>(map.title.size())});
  return draw_both(script.data, script.plots, 1, width, 200 + 46 * static_cast<int>(map.y_names.size()), directory,
                   map.name);
}

bool draw(const Contours& contours, const std::string& directory) {
  Script script;
  script.plots = fmt::format(
      "set xlabel {}\nset ylabel {}\nset view map\nset contour base\nunset surface\nset key off\nset size square\n"
      "set cntrlabel onecolor start 2 interval -1 font ',8'\nset cntrparam bspline\nset cntrparam levels discrete {}\n",
      quoted(contours.x_label), quoted(contours.y_label), [&] {
        std::vector<std::string> levels;
        for (const double level : contours.levels) levels.push_back(number(level));
        return fmt::format("{}", fmt::join(levels, ","));
      }());
  for (const auto& surface : contours.surfaces) {
    const std::string block = fmt::format("$d{}", ++script.blocks);
    script.data += block + " << EOD\n";
    for (std::size_t y = 0; y < contours.y.size(); ++y) {
      for (std::size_t x = 0; x < contours.x.size(); ++x)
        script.data +=
            fmt::format("{} {} {}\n", number(contours.x[x]), number(contours.y[y]), number(surface.height[y][x]));
      script.data += "\n";
    }
    script.data += "EOD\n";
    script.plots += fmt::format(
        "set title {}\nsplot {} using 1:2:3 with lines lw 1.2 lc rgb '#0072B2', {} using 1:2:3 with labels\n",
        quoted(surface.title), block, block);
  }
  const int columns = static_cast<int>(contours.surfaces.size());
  return draw_both(script.data, script.plots, columns, 520 * columns, 520, directory, contours.name);
}

}  // namespace common
