#include "engine/core/warnings.h"

#include <algorithm>
#include <cstdio>
#include <mutex>
#include <utility>

#include "engine/core/error.h"

namespace preamble {
namespace {

struct State {
  std::mutex mutex;
  WarningSink sink = [](const std::string& message) { std::fprintf(stderr, "warning: %s\n", message.c_str()); };
  std::vector<std::string> said;
  bool strict = false;
};

State& state() {
  static State state;
  return state;
}

}  // namespace

void warn(const std::string& message) {
  State& s = state();
  const std::scoped_lock lock(s.mutex);
  if (s.strict) throw ConfigError(message);
  if (std::ranges::find(s.said, message) != s.said.end()) return;
  s.said.push_back(message);
  if (s.sink) s.sink(message);
}

void set_strict_warnings(bool strict) {
  const std::scoped_lock lock(state().mutex);
  state().strict = strict;
}

bool strict_warnings() {
  const std::scoped_lock lock(state().mutex);
  return state().strict;
}

WarningSink set_warning_sink(WarningSink sink) {
  const std::scoped_lock lock(state().mutex);
  return std::exchange(state().sink, std::move(sink));
}

WarningCapture::WarningCapture(bool strict) {
  State& s = state();
  const std::scoped_lock lock(s.mutex);
  former_ = std::exchange(s.sink, [this](const std::string& message) { messages_.push_back(message); });
  said_ = std::exchange(s.said, {});
  strict_ = std::exchange(s.strict, strict);
}

WarningCapture::~WarningCapture() {
  State& s = state();
  const std::scoped_lock lock(s.mutex);
  s.sink = std::move(former_);
  s.said = std::move(said_);
  s.strict = strict_;
}

}  // namespace preamble
