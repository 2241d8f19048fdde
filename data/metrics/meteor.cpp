#include "data/metrics/meteor.h"

#include <charconv>
#include <cstdlib>
#include <string_view>

#include "data/metrics/caption_tokens.h"
#include "data/metrics/line_process.h"
#include "data/metrics/text.h"
#include "engine/core/error.h"

namespace preamble::metrics {
namespace {

constexpr int kTimeoutMs = 120'000;

std::filesystem::path find_jar(const MeteorOptions& options) {
  std::filesystem::path jar = options.jar;
  if (const char* set = std::getenv("PREAMBLE_METEOR_JAR"); jar.empty() && set != nullptr) jar = set;
  require<UnsupportedError>(!jar.empty(), "meteor: no METEOR program given; wanted the path of meteor-1.5.jar in PREAMBLE_METEOR_JAR");
  std::error_code ignored;
  require<UnsupportedError>(std::filesystem::is_regular_file(jar, ignored), "meteor: {}: no such file; wanted meteor-1.5.jar",
                            jar.string());
  return jar;
}

/// The tokens as METEOR reads them: its field separator must not occur.
std::string field(std::string_view text) { return replace_all(replace_all(join_tokens(caption_tokens(text)), "|||", ""), "  ", " "); }

double parse_score(const std::string& line) {
  double value = 0.0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
  require<UnsupportedError>(error == std::errc() && end == line.data() + line.size(), "meteor: answered '{}'; wanted a number", line);
  return value;
}

}  // namespace

double meteor(const Corpus& corpus, const MeteorOptions& options) {
  require_scorable(corpus, "meteor");
  const std::filesystem::path jar = find_jar(options);
  LineProcess program({options.java, "-Dfile.encoding=UTF-8", "-Xmx2G", "-jar", jar.string(), "-", "-", "-stdio", "-l", "en", "-norm"});
  std::string statistics = "EVAL";
  for (const Instance& instance : corpus) {
    std::string line = "SCORE";
    for (const std::string& reference : instance.references) line += " ||| " + field(reference);
    program.write_line(line + " ||| " + field(instance.hypothesis));
    statistics += " ||| " + program.read_line(kTimeoutMs);
  }
  program.write_line(statistics);
  // the scores of the segments come first
  for (std::size_t i = 0; i < corpus.size(); ++i) static_cast<void>(program.read_line(kTimeoutMs));
  return parse_score(program.read_line(kTimeoutMs));
}

}  // namespace preamble::metrics
